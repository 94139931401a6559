from __future__ import annotations

import gc
import os
import sys
import weakref
from pathlib import Path

import pytest
import torch

from recsys.tracking.memory import free_what_is_left, freed_memory_kept, settings_of_glibc_allowed

LARGE = 25_000_000  # numbers, 100 MB: more than glibc keeps by itself


def resident_mb():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
class TestFreedMemoryKept:
    @pytest.fixture(autouse=True)
    def _no_settings_of_glibc(self, monkeypatch):
        for name in [name for name in os.environ if name.startswith("MALLOC_")]:
            monkeypatch.delenv(name)
        monkeypatch.delenv("RECSYS_KEEP_FREED_MEMORY", raising=False)

    def test_it_is_kept_meanwhile_and_given_back_at_the_end(self):
        with settings_of_glibc_allowed(), freed_memory_kept():
            pass  # gives back what earlier tests freed, which the numbers below would take otherwise
        before = resident_mb()
        with settings_of_glibc_allowed(), freed_memory_kept():
            torch.ones(LARGE)
            assert resident_mb() > before + 90
        assert resident_mb() < before + 30
        torch.ones(LARGE)
        assert resident_mb() < before + 30  # as it was without

    @pytest.mark.parametrize("setting", [("MALLOC_ARENA_MAX", "2"), ("RECSYS_KEEP_FREED_MEMORY", "0")])
    def test_what_the_environment_says_goes(self, monkeypatch, setting):
        monkeypatch.setenv(*setting)
        before = resident_mb()
        with settings_of_glibc_allowed(), freed_memory_kept():
            torch.ones(LARGE)
            assert resident_mb() < before + 30

    def test_a_library_leaves_the_settings_of_a_process_alone(self):
        before = resident_mb()
        with settings_of_glibc_allowed():
            pass
        with freed_memory_kept():
            torch.ones(LARGE)
            assert resident_mb() < before + 30

    def test_it_is_given_back_after_an_error(self):
        before = resident_mb()
        with pytest.raises(RuntimeError, match="size"), settings_of_glibc_allowed(), freed_memory_kept():
            torch.ones(LARGE) + torch.ones(2)
        assert resident_mb() < before + 30


class Node:
    def __init__(self, n_numbers):
        self.itself, self.tensor = self, torch.ones(n_numbers)


@pytest.mark.slow
def test_a_cycle_that_was_alive_at_an_earlier_call_is_freed_by_a_later_one():
    node = Node(1_000)
    reference = weakref.ref(node)
    free_what_is_left()
    assert reference() is node
    del node
    Node(LARGE)
    free_what_is_left()
    assert reference() is None


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_small_cycles_are_freed_once_they_are_large_together():
    free_what_is_left()
    gc.collect()
    gc.disable()
    try:
        free_what_is_left()
        small = [weakref.ref(Node(1_000)), weakref.ref(Node(1_000))]
        free_what_is_left()
        assert all(reference() is not None for reference in small)
        large = weakref.ref(Node(LARGE))
        free_what_is_left()
        assert not any(reference() is not None for reference in [*small, large])
    finally:
        gc.enable()
