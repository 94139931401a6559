"""Sentences of an answer about cells beside the planned comparison."""

from __future__ import annotations

from types import SimpleNamespace

from reports.made_runs import made_run

from recsys.reports.comparison import compare
from recsys.studies.answers.candidates import FLOOR, IDS, LANGUAGE_MODEL, WORDS, Candidate
from recsys.studies.answers.opening import _beside
from recsys.tracking.store import Store

MEANS = {"bert+cf": 0.5, "itemknn": 0.4, "tfidf+cf": 0.3, "popularity": 0.1}
OVERRIDES: dict[str, list[str]] = {}
KINDS = {"bert+cf": LANGUAGE_MODEL, "itemknn": IDS, "tfidf+cf": WORDS, "popularity": FLOOR}


def beside(tmp_path, *labels: str, reference: str = "popularity") -> list[str]:
    """The sentences for the cells of `labels`, of which validation chose `reference`."""
    store = Store(tmp_path / "runs")
    made = {label: made_run(store, label, "cf", 0, [MEANS[label] + n / 10 for n in (-1, 0, 0, 1)]) for label in labels}
    names = {run.run_id: label for label, run in made.items()}
    comparison = compare(made.values(), store, reference, ["ndcg@10"], labels=names)
    study = SimpleNamespace(cells=[Candidate(label, KINDS[label], OVERRIDES.get(label, [])) for label in labels])
    chosen = SimpleNamespace(text="bert+cf", reference=reference)
    return list(_beside(SimpleNamespace(comparison=comparison, chosen=chosen, study=study)))


def test_a_better_cell_without_a_language_model_is_named(tmp_path):
    (better,) = beside(tmp_path, *MEANS)
    assert better.startswith("On the test, itemknn (0.4000) ranks above popularity, which validation chose. ")
    assert "bert+cf against itemknn is +0.1000 [" in better
    assert better.endswith("which is not among the planned comparisons.")
    assert beside(tmp_path / "same", *MEANS, reference="itemknn") == []


def test_a_reference_without_a_version_with_text_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(OVERRIDES, "itemknn", ["encoder=none", "ranker=itemknn"])
    assert beside(tmp_path, *MEANS, reference="itemknn") == [
        "itemknn was not tested with text, so the difference between bert+cf and itemknn is also one between rankers."
    ]


def test_an_answer_without_tf_idf_says_so(tmp_path):
    found = beside(tmp_path, "bert+cf", "popularity")
    assert found == ["TF-IDF was not tested, so a cheaper encoder of the same texts may do as well."]
