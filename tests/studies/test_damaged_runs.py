"""Damaged files of one run do not stop a study, and are made again."""

from __future__ import annotations

import pytest
from studies.conftest import contents

from recsys.schema import RecsysError
from recsys.studies.runner import run_study
from recsys.tracking.store import Store


@pytest.mark.slow
def test_damaged_files_stop_only_their_own_run(study_of, tmp_path):
    store, seed = tmp_path / "runs", "study.seeds=[0]"
    first = run_study(study_of(seed))
    undamaged = contents(store)
    ids = {cell.label: cell.run_ids["0"] for cell in first.record.cells}
    record, values, weights = (
        store / ids[label] / name
        for label, name in (("cf", "record.json"), ("text", "per_user.parquet"), ("popularity", "model.safetensors"))
    )
    record.write_text(record.read_text().replace('"seed": 0', '"seed": "zero"'))
    for path in (values, weights):
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(RecsysError, match=rf"{values} is damaged"):
        Store(store).per_user(ids["text"])

    second = run_study(study_of(seed))
    assert [(outcome.label, outcome.run_id) for outcome in second.failures] == [("cf", None)]
    assert str(record) in second.failures[0].error
    assert (second.n_made, second.n_found) == (2, 0)
    assert contents(store) == {run_id: own for run_id, own in undamaged.items() if run_id != ids["cf"]}

    third = run_study(study_of(seed, "retry_failed=true"))
    assert (third.failures, third.n_made, third.n_found) == ([], 1, 2)
    assert contents(store) == undamaged
