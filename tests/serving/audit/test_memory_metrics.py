import numpy as np

from recsys.serving.audit.memory_metrics import by_memory


def test_hit_rates_of_remembered_and_other_items():
    listed, remembered = np.array([True, True, False, False, True]), np.array([True, False, True, False, False])
    found = by_memory("by memory", 10, listed, remembered, np.array([6, 1, 4, 2, 0]))
    assert found.numbers == {
        **{"remembered_hits": 1, "remembered_of": 2, "remembered_train_interactions": 5},
        **{"other_hits": 2, "other_of": 3, "other_train_interactions": 1},
    }
    assert "There are no other items" in by_memory("", 10, listed, np.ones(5, bool), np.ones(5)).text
