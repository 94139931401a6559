import numpy as np
import polars as pl
import pytest

from recsys.schema import ConfigError
from recsys.serving.audit.probes import record_probes, title_probes

TITLES = ["Heat (1995)", "Big Fish (2003)", "Jaws", "Antz (1998)", "Balto (1995)", "Old Man (2003)", "Up It (1995)", ""]
ITEMS = pl.DataFrame({"item_id": list("abcdefgh"), "title": TITLES, "text": TITLES})
ALL = np.arange(8)


def by_item(probes):
    return dict(zip(probes.items.tolist(), zip(probes.prefixes, probes.continuations, strict=True), strict=True))


def test_titles_are_cut_in_the_middle():
    asked = by_item(title_probes(ITEMS, ALL, 2, 0))
    assert asked.keys() == {0, 1, 3, 4, 5, 6}
    assert asked[0] == ("Heat", " (1995)")
    assert asked[1] == ("Big Fish", " (2003)")


def test_groups_have_one_shape_and_distinct_continuations():
    for seed in range(8):
        probes = title_probes(ITEMS, ALL, 2, seed)
        texts = by_item(probes)
        for group in probes.probed.tolist():
            prefixes, continuations = zip(*(texts[item] for item in group), strict=True)
            assert len({len(prefix.split()) for prefix in prefixes}) == 1
            assert len(set(continuations)) == 2
        assert len(np.unique(probes.probed)) == probes.probed.size > 0


def test_records_are_lines_of_the_file_after_lines_of_other_items():
    chosen = np.array([0, 3, 4, 7])
    probes = record_probes(ITEMS, chosen, "{item_id}::{title}", 2, 3, 0)
    asked = by_item(probes)
    assert asked.keys() == {0, 3, 4}  # item 7 has no title
    lines = asked[3][0].split("\n")
    assert (lines[-1], asked[3][1]) == ("d::", "Antz (1998)")
    others = {f"{raw}::{title}" for raw, title in zip("bcfg", [TITLES[row] for row in (1, 2, 5, 6)], strict=True)}
    assert len(set(lines[:-1]) & others) == 2
    assert probes.groups.shape in {(0, 3), (1, 3)}


def test_the_same_seed_asks_the_same():
    first, again = (title_probes(ITEMS, ALL, 2, 5) for _ in range(2))
    assert first.prefixes == again.prefixes
    assert first.groups.tolist() == again.groups.tolist()


@pytest.mark.parametrize("record", ["{title}", "{item_id}::{title}.", "{item_id}::{name}"])
def test_malformed_records_are_errors(record):
    with pytest.raises(ConfigError, match=r"memory\.record"):
        record_probes(ITEMS, ALL, record, 1, 2, 0)
