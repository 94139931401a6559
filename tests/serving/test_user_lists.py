"""Lists of single users are those that the test ranked, and reports have them."""

from __future__ import annotations

from math import log2

import pytest

import recsys
from recsys.reports.comparison import compare
from recsys.schema import ConfigError
from recsys.serving.report_users import check_user_examples, user_examples
from recsys.serving.user_lists import check_in_time, user_lists
from recsys.tracking.store import Store


@pytest.fixture(scope="module")
def comparison(dot_run, run_of):
    other = run_of("encoder=none", "ranker=popularity")
    return compare([dot_run.record, other.record], Store(dot_run.folder.parent), None, ["ndcg@10"])


def configured(*overrides):
    return recsys.compose(overrides, "compare").user_examples


def ndcg(hits, n_relevant):
    ideal = sum(1 / log2(place + 2) for place in range(min(10, n_relevant)))
    return sum(hit / log2(place + 2) for place, hit in enumerate(hits)) / ideal


def test_hits_give_the_value_that_the_run_stored(dot_run):
    stored = Store(dot_run.folder.parent).per_user(dot_run.record.run_id, ["user", "ndcg@10", "n_history"])[:40]
    found = user_lists(dot_run, stored["user"].to_list(), 10, 5)
    values = [ndcg([hit for _, hit in own.items], own.n_relevant) for own in found]
    assert values == pytest.approx(stored["ndcg@10"].to_list(), abs=1e-6)
    assert max(values) > 0
    assert [len(own.history) for own in found] == [min(5, n) for n in stored["n_history"]]


def test_the_newest_item_of_a_history_is_the_first(dot_run):
    user = dot_run.split.dataset.users["user_id"][int(dot_run.split.test["user"][0])]
    (own,) = user_lists(dot_run, [user], 3, 10_000)
    known = dot_run.split.train.filter(dot_run.split.train["user"] == dot_run.split.test["user"][0])
    newest = known.sort("timestamp", maintain_order=True)["item"][-1]
    assert own.history[0] == dot_run.split.dataset.titles[newest]


def test_the_section_has_the_lists_of_both_cells(comparison):
    (section,) = user_examples(configured("user_examples.n=2"), comparison)
    assert len(section.details) == len(section.tables[0].grid.rows)
    first = section.details[0].tables[0].grid
    assert first.headers == ["rank", *(row.label for row in comparison.rows)]
    assert len(first.rows) == 10
    assert any(
        entry.text.startswith("✓") for own in section.details for row in own.tables[0].grid.rows for entry in row
    )
    assert user_examples(configured("user_examples.n=0"), comparison) == []


def test_a_run_that_took_too_long_has_values_without_lists(comparison, dot_run):
    (section,) = user_examples(configured("user_examples.max_seconds=0"), comparison)
    assert section.details == []
    assert "user_examples.max_seconds=0" in section.sentences[1]
    assert section.tables[0].grid.rows
    with pytest.raises(ConfigError, match="to test"):
        check_in_time(dot_run, 0)


def test_a_run_without_weights_has_values_without_lists(comparison, tmp_path):
    made = []
    for record in comparison.records:
        folder = tmp_path / record.run_id
        folder.mkdir()
        for name in ("record.json", "per_user.parquet"):
            (folder / name).write_bytes((comparison.runs_dir / record.run_id / name).read_bytes())
        made.append(record)
    (section,) = user_examples(configured(), compare(made, Store(tmp_path), None, ["ndcg@10"]))
    assert section.details == []
    assert "model.safetensors" in section.sentences[1]


def test_users_cannot_be_fewer_than_none():
    with pytest.raises(ConfigError, match=r"user_examples\.n is -1"):
        check_user_examples(configured("user_examples.n=-1"))
