from __future__ import annotations

import pytest
from reports.made_runs import failed_run
from reports.made_study import made_study

from recsys.reports.comparison import compare
from recsys.reports.report import write_report
from recsys.tracking.store import Store

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A made-up study's comparison, its record, and its page; with a failed run, and one label that attacks the "
    "page."""
    store = Store(tmp_path_factory.mktemp("html"))
    study, records = made_study(store, n_seeds=2, n_users=80)
    labels = {run_id: (HOSTILE if label == "random vectors" else label) for run_id, (label,) in study.labels.items()}
    failed = failed_run(store, "llm", "dot", 0)
    comparison = compare([*records, failed], store, study.baseline, study.metrics, labels=labels)
    path = write_report(
        comparison, store.root / "report", "A <study> & more", "recsys study study=made", ["html"], study
    )
    return comparison, study, path["html"]
