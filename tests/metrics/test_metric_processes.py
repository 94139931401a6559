import pytest
import torch
import torch.distributed
import torch.multiprocessing
from commands import preload_libraries
from metric_data import random_context, random_queries, suite

# How the queries are shared by two processes. A padded last batch brings queries of the other process again.
SHARES = {
    "even and padded": [list(range(0, 40, 2)), [*range(1, 40, 2), 0, 2]],
    "one without any": [list(range(40)), []],
}


def measure(rank, folder):
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2)
    for name, shares in SHARES.items():
        metrics = suite().build("test", random_context())
        scores, positives, query = random_queries()
        for start in range(0, len(shares[rank]), 8):
            mine = torch.tensor(shares[rank][start : start + 8])
            metrics.update(scores[mine], positives[mine], query[mine])
        found = metrics.compute()
        if rank == 0:  # the rest needs no other process any more
            torch.save((found, metrics.per_query(), metrics.segments()), f"{folder}/{name}.pt")
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_find_what_one_finds(tmp_path):
    preload_libraries()
    torch.multiprocessing.start_processes(measure, (str(tmp_path),), nprocs=2, start_method="forkserver")
    metrics = suite().build("test", random_context())
    metrics.update(*random_queries())
    for name in SHARES:
        found, per_query, segments = torch.load(tmp_path / f"{name}.pt")
        assert found == metrics.compute(), name
        assert segments == metrics.segments(), name
        assert per_query.keys() == metrics.per_query().keys()
        torch.testing.assert_close(per_query, metrics.per_query(), rtol=0, atol=0, equal_nan=True)
