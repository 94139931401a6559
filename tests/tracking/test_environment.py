import pytest

from recsys.tracking.environment import is_first_process

PLACES = ("RANK", "SLURM_PROCID", "SLURM_NTASKS", "NODE_RANK", "LOCAL_RANK")


@pytest.mark.parametrize(
    ("environment", "first"),
    [
        ({}, True),
        ({"LOCAL_RANK": "0"}, True),  # Lightning's own launcher
        ({"LOCAL_RANK": "1"}, False),
        ({"NODE_RANK": "1", "LOCAL_RANK": "0"}, False),
        ({"RANK": "0", "LOCAL_RANK": "0"}, True),  # torchrun
        ({"RANK": "2", "LOCAL_RANK": "0"}, False),
        ({"SLURM_NTASKS": "2", "SLURM_PROCID": "0"}, True),
        ({"SLURM_NTASKS": "2", "SLURM_PROCID": "1"}, False),
    ],
)
def test_one_process_of_several_is_the_first(environment, first, monkeypatch):
    for place in PLACES:
        monkeypatch.delenv(place, raising=False)
    for place, value in environment.items():
        monkeypatch.setenv(place, value)
    assert is_first_process() is first
