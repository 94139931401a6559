"""A metric by each number that a study has varied."""

from __future__ import annotations

from typing import Any

import pytest
from reports.made_runs import made_run

from recsys.reports.comparison import compare
from recsys.reports.plots import response
from recsys.reports.plots.base import Figure
from recsys.tracking.store import Store


def rows(figure: Figure, name: str = "rows") -> list[dict[str, Any]]:
    return figure.spec["datasets"][name]


def test_a_number_that_alone_differs_has_a_line_for_all_else(tmp_path):
    store = Store(tmp_path)
    runs = [made_run(store, "none", "popularity", 0, [0.1, 0.1], config={"width": 8})]
    for encoder, gain in (("bert", 0.02), ("tfidf", 0.01)):
        for n, width in enumerate((4, 16, 64, None)):
            runs.append(made_run(store, encoder, "dot", 0, [0.2 + gain * n, 0.3 + gain * n], config={"width": width}))
    runs.append(made_run(store, "gpt2", "dot", 0, [0.4, 0.4], config={"width": 4}))  # one value is no line
    (figure,) = response.response_figures(compare(runs, store, "popularity", ["ndcg@10"]))
    assert figure.name == "by_width"
    drawn = [(row["line"], row["x"], row["value"]) for row in rows(figure)]
    courses = {"bert+dot": [0.25, 0.27, 0.29, 0.31], "tfidf+dot": [0.25, 0.26, 0.27, 0.28]}
    assert {line for line, _, _ in drawn} == set(courses)
    for line, means in courses.items():
        points = {x: value for own, x, value in drawn if own == line}
        assert list(points) == ["4", "16", "64", "null"]
        assert list(points.values()) == pytest.approx(means)
    assert rows(figure, "baseline") == [{"value": 0.1, "text": "popularity"}]
    assert "bert+dot goes from 0.2500 at width 4 to 0.3100 at null" in figure.alternative
    assert figure.render("svg").startswith(b"<svg")


def test_of_keys_that_differ_together_only_copies_have_a_line(tmp_path):
    store = Store(tmp_path)

    def names(*configs):
        runs = [
            made_run(store, "bert", "dot", 0, [0.2, 0.3 + 0.01 * config["width"]], config=config) for config in configs
        ]
        return [figure.name for figure in response.response_figures(compare(runs, store, None, ["ndcg@10"]))]

    assert names(*({"width": n, "rate": 0.1 * n} for n in range(5))) == []
    assert names(*({"width": n, "layer": {"width": n}} for n in range(5))) == ["by_width"]
