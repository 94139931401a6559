import pytest
from planted import clean, without_times

from recsys.schema import ConfigError
from recsys.serving.audit.user_probes import user_probes


def test_a_user_s_newest_lines_are_before_the_next_item():
    probes = user_probes(clean(), "{user_id}::{item_id}", 10, 2, 2, 0)
    assert sorted(probes.prefixes) == ["u0::i1\nu0::i2\nu0::", "u1::i2\nu1::i3\nu1::"]
    assert probes.continuations == ["i4", "i4"]
    assert [f"u{user}" for user in probes.users] == [prefix.split("\n")[-1][:-2] for prefix in probes.prefixes]
    assert probes.groups.shape == (0, 2)  # equal continuations make no group


def test_titles_and_further_columns_are_fields():
    probes = user_probes(clean(), "{timestamp} {title}", 1, 1, 2, 0)
    assert probes.prefixes[0] in {"5 Balto (1995)\n6 ", "4 Nixon (1995)\n8 "}
    assert probes.continuations == ["Sabrina (1995)"]


def test_data_without_times_is_asked_too():
    assert len(user_probes(without_times(), "{user_id},{item_id}", 10, 5, 2, 0).prefixes) == 2


@pytest.mark.parametrize("record", ["{item_id}", "{user_id},{name}"])
def test_malformed_records_are_errors(record):
    with pytest.raises(ConfigError, match=r"memory\.user_record"):
        user_probes(clean(), record, 10, 2, 2, 0)
