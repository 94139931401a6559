from __future__ import annotations

import re
import shlex
import struct
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import numpy as np
import pytest
from full import only_full
from reports.made_runs import PROTOCOL, failed_run, made_run, small_study

from recsys.reports.comparison import Comparison, compare
from recsys.reports.findings import findings, headline
from recsys.reports.plots.leaderboard import leaderboard
from recsys.reports.plots.theme import FONT, MEASURED_FONT
from recsys.reports.preface import Preface
from recsys.reports.report import FIGURES, FILES, write_report
from recsys.reports.sections import Section
from recsys.reports.verdict import Answer
from recsys.schema import ConfigError
from recsys.tracking.store import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "runs")


@pytest.fixture
def comparison(store):
    runs = [
        replace(run, warnings=["only 80 warm users"], data_statistics={"users": 4, "tied": {"cuts": 0.5}})
        for run in small_study(store)
    ]
    return compare(
        [*runs, failed_run(store, "llm", "dot", 0)], store, "popularity", ["ndcg@10", "recall@10", "coverage@10"]
    )


def numbers(sentence: str) -> list[float]:
    return [float(text) for text in re.findall(r"(?<![@\w])\d+\.\d+", sentence.replace("−", "-"))]


def sentences(comparison: Comparison) -> list[str]:
    return [sentence.replace("\N{NO-BREAK SPACE}", " ") for sentence in findings(comparison)]


def test_the_sentence_that_a_reader_needs(store):
    """A third of the users gain 0.06 on average, the others nothing, all of them with noise."""
    generator = np.random.default_rng(0)
    base = generator.uniform(0.1, 0.5, 300)
    gain = np.where(np.arange(300) % 3 == 0, 0.06, 0.0) + generator.normal(0, 0.05, 300)
    runs = [
        made_run(store, "bert", "dot", 0, base + gain, times={"fit": 31.0}),
        made_run(store, "tfidf", "dot", 0, base, times={"fit": 10.0}),
        made_run(store, "gpt2", "dot", 0, base - 0.5 * gain, times={"fit": 20.0}),
    ]
    sentence = sentences(compare(runs, store, "tfidf+dot", ["ndcg@10"]))[0]
    number = r"0\.\d+"
    assert re.fullmatch(
        rf"bert\+dot is significantly better than tfidf\+dot by {number} nDCG@10 \[{number}, {number}\], "
        rf"p (= {number}|< {number}) \(Holm, 2 comparisons\), d = {number}, 3\.1 times the training time\.",
        sentence,
    )


def test_a_difference_that_other_seeds_might_undo_is_not_significant(store):
    users = np.random.default_rng(0).uniform(0.1, 0.3, 100)
    runs = [made_run(store, "tfidf", "dot", seed, users) for seed in range(3)]
    runs += [made_run(store, "bert", "dot", seed, users + shift) for seed, shift in enumerate((0.0, 0.1, 0.11))]
    (sentence,) = sentences(compare(runs, store, "tfidf+dot", ["ndcg@10"]))
    # 0, 0.1, 0.11: mean 0.07, standard error 0.0608/√3 = 0.0351, times t = 4.303
    assert sentence.startswith("bert+dot does not differ significantly from tfidf+dot: +0.0700 nDCG@10")
    assert "[+0.0700, +0.0700] ([−0.0811, +0.2211] for new seeds too), p = 0.184" in sentence.replace(
        "\N{NO-BREAK SPACE}", " "
    )


def test_a_clear_difference_in_words(store):
    runs = [
        made_run(store, "bert", "dot", 0, [0.5, 0.6, 0.7, 0.81], times={"fit": 31.0}),
        made_run(store, "tfidf", "dot", 0, [0.4, 0.5, 0.6, 0.7], times={"fit": 10.0}),
    ]
    found = compare(runs, store, "tfidf+dot", ["ndcg@10"])
    (sentence,) = sentences(found)
    difference = found.row("bert+dot").scores["ndcg@10"].difference
    assert difference is not None
    # differences 0.1, 0.1, 0.1, 0.11: mean 0.41/4 = 0.1025, their standard deviation 0.005, d = 20.5
    assert sentence.startswith(
        "bert+dot is significantly better than tfidf+dot by 0.1025 nDCG@10 [0.0945, 0.1105]"
    )  # Student's t: ± 3.18 × 0.0025
    assert sentence.endswith("d = 20.50, 3.1 times the training time.")
    assert "p < 0.0001," in sentence  # of one comparison, so nothing about Holm
    (mirrored,) = sentences(compare(runs, store, "bert+dot", ["ndcg@10"]))
    assert mirrored.startswith("tfidf+dot is significantly worse than bert+dot by 0.1025 nDCG@10 [0.09")
    assert mirrored.endswith("d = −20.50, 0.32 times the training time.")
    low, high = numbers(mirrored)[1:3]
    assert 0 < low <= 0.1025 <= high


def test_an_unclear_difference_is_not_called_one(store):
    runs = [
        made_run(store, "bert", "dot", 0, [0.9, 0.1, 0.9, 0.2]),
        made_run(store, "tfidf", "dot", 0, [0.5, 0.5, 0.5, 0.5]),
        made_run(store, "none", "popularity", 0, [0.2, 0.9, 0.3, 0.4], times={}),
    ]
    by_label = dict(
        zip(("bert+dot", "popularity"), sentences(compare(runs, store, "tfidf+dot", ["ndcg@10"])), strict=True)
    )
    assert by_label["bert+dot"].startswith("bert+dot does not differ significantly from tfidf+dot: +0.0250 nDCG@10 [−")
    assert "(Holm, 2 comparisons)" in by_label["bert+dot"]
    assert by_label["popularity"].startswith("popularity does not differ significantly from tfidf+dot: −0.0500")
    assert by_label["popularity"].endswith("less than 0.1 s of training against 10 s.")
    assert not any(
        word in text for text in by_label.values() for word in ("significantly better", "significantly worse")
    )


def test_less_is_better_in_words(store):
    runs = [
        made_run(store, encoder, "dot", 0, [0.1, 0.2, 0.3, 0.4 + more]) for encoder, more in (("a", 0.0), ("b", 0.01))
    ]
    for run, shift in zip(runs, (0.0, 0.2), strict=True):
        frame = store.per_user(run.run_id)
        store.save(run, frame.with_columns((frame["ndcg@10"] + shift).alias("average_popularity@10")))
    name = "average_popularity@10"
    runs = [replace(run, metrics={f"test/{name}": 0.0}, directions={name: False}) for run in runs]
    (sentence,) = sentences(compare(runs, store, "a+dot", ["average_popularity@10"]))
    assert sentence.startswith(
        "b+dot is significantly worse than a+dot by 0.2025 average popularity@10 [0.1945, 0.2105]"
    )


def test_headline_names_the_best(comparison):
    assert headline(comparison).startswith("bert+dot has the best nDCG@10: 0.6250 [")
    assert headline(comparison).endswith("standard deviation over 2 seeds 0.0000.")


@pytest.mark.slow
def test_the_report_holds_everything(comparison, tmp_path):
    paths = write_report(comparison, tmp_path / "new" / "report", "Title of it", "recsys compare study=x")
    assert {format: path.name for format, path in paths.items()} == FILES
    text = paths["md"].read_text()
    assert text.startswith("# Title of it\n\nbert+dot has the best nDCG@10")
    headings = ("Warnings", "Results", "Findings", "Significance", "Cost", "Trade-offs", "Failed runs", "Protocol")
    for heading in (*headings, "Data", "Repeat"):
        assert f"\n## {heading}\n" in text
    assert "## nDCG@10 by segment" in text
    assert "- only 80 warm users\n" in text
    assert "llm+dot, seed 0: RuntimeError: out of memory" in text
    assert f"| split.fingerprint | {PROTOCOL['split']['fingerprint']} |" in text
    assert "| tied.cuts | 0.5 |" in text
    assert "(figures/leaderboard.svg)" in text
    assert "**Which is best?** bert+dot\n\n- nDCG@10 0.6250 [" in text
    assert "recsys compare study=x\n" in text
    commands = [shlex.split(line) for line in text.splitlines() if line.startswith("recsys train")]
    assert commands[0] == ["recsys", "train", "encoder=bert", "ranker=dot", "seed=0,1", "-m"]
    assert len(commands) == 3
    for heading in re.findall(r"^## .*$", text, re.MULTILINE):
        assert not re.search(rf"{re.escape(heading)}\n\n(## |$)", text), f"{heading} is empty"


@only_full
def test_only_the_chosen_formats_are_written(comparison, tmp_path):
    paths = write_report(comparison, tmp_path / "report", "T", None, ["csv", "svg", "md"])
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == ["figures", "report.md", "table.csv"]
    assert {path.suffix for path in paths["svg"].iterdir()} == {".svg", ".csv"}
    assert "(figures/leaderboard.svg)" in paths["md"].read_text()
    bare = write_report(comparison, tmp_path / "bare", "T", None, ["md"])["md"].read_text()
    assert "figures/" not in bare
    with pytest.raises(
        ConfigError, match=r"'pdf'; expected some of html, md, csv, pairs, segments, tex, methods, bib, png, svg"
    ):
        write_report(comparison, tmp_path / "report", "T", None, ["pdf"])


@pytest.mark.slow
def test_without_a_baseline_there_are_no_differences(store, tmp_path):
    found = compare(small_study(store), store, None, ["ndcg@10"])
    text = write_report(found, tmp_path / "report", "T")["md"].read_text()
    assert "Findings" not in text
    assert "Holm" not in text.replace("Holm over all 3 pairs", "")
    assert "Δ" not in text


@only_full
def test_one_cell_alone_can_be_reported(store, tmp_path):
    found = compare([made_run(store, "bert", "dot", 0, [0.1, 0.5])], store, "bert+dot", ["ndcg@10"])
    assert set(write_report(found, tmp_path / "report", "T")) == set(FILES)


@pytest.mark.slow
def test_every_figure_has_its_files_and_is_in_the_text(comparison, tmp_path):
    folder = tmp_path / "report"
    text = write_report(comparison, folder, "T", None, ["md", "csv", "tex", "svg", "png"])["md"].read_text()
    names = {path.stem for path in (folder / FIGURES).iterdir()}
    assert names == {"leaderboard", "differences", "significance", "segments", "accuracy_cost", "accuracy_memory"} | {
        "metric_pairs",
        "tradeoffs",
    }
    for name in names:
        assert {path.suffix for path in (folder / FIGURES).glob(f"{name}.*")} == {".svg", ".png", ".csv", ".tex"}
        assert f"](figures/{name}.svg)" in text
    assert (folder / FIGURES / "leaderboard.csv").read_text().splitlines()[1].startswith("bert+dot,0.625,")
    assert r"\toprule" in (folder / FIGURES / "leaderboard.tex").read_text()


def test_pictures_are_whole_and_the_same_each_time(comparison):
    figure = leaderboard(comparison)
    content = figure.render("png")
    assert content.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", content[16:24])
    assert width > 1200
    assert 200 < height < 1200
    vector = figure.render("svg")
    assert vector == figure.render("svg")
    assert MEASURED_FONT in vector.decode()  # so that no label is wider than its place
    assert FONT not in vector.decode()
    words = " ".join(ElementTree.fromstring(vector).itertext())
    assert "tfidf+dot" in words
    assert "0.6250" in words


def test_a_metric_without_intervals_can_be_reported(store, tmp_path):
    found = compare(small_study(store), store, "popularity", ["coverage@10"])
    assert findings(found) == []
    paths = write_report(found, tmp_path / "report", "T")
    assert not (paths["svg"] / "significance.svg").exists()
    assert (paths["svg"] / "leaderboard.svg").exists()


@pytest.mark.slow
def test_importing_reports_imports_nothing_heavy():
    import subprocess
    import sys

    heavy = ("torch", "scipy", "altair", "vl_convert", "jinja2", "optuna", "sklearn")
    code = (
        "import sys, recsys.commands.compare, recsys.reports.summary; "
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@only_full
def test_a_preface_comes_first(comparison, tmp_path):
    answers = [Answer("Does <it> help?", "Yes", ["by 0.1"])]
    preface = Preface("Yes: it helps.", answers, [Section("next", "What to do next", ["Serve it."])])
    paths = write_report(comparison, tmp_path, "Title", formats=["md", "html"], preface=preface)
    text, page = paths["md"].read_text(), paths["html"].read_text()
    assert text.splitlines()[2] == "Yes: it helps."
    assert text.index("## What to do next") < text.index("## Results")
    assert "Which is best?" not in text + page
    assert "<p>Yes: it helps.</p>" in page
    assert "Does &lt;it&gt; help?" in page
    assert page.index('<section id="next"') < page.index('<section id="results"')
