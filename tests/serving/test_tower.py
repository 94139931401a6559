"""An exported user tower gives the model's lists and needs nothing of this package; one that differs is not written."""

from __future__ import annotations

import io
from functools import cache
from importlib.util import find_spec

import numpy as np
import polars as pl
import pytest
import torch
from full import only_full
from rich.console import Console

import recsys
from recsys.commands.export import run as export_command
from recsys.schema import ConfigError, RecsysError
from recsys.serving.model import serve
from recsys.serving.ranking import rank
from recsys.serving.tower import FORMATS, Format, export_program, fixed_length, inputs_of
from recsys.serving.tower_check import check_tower
from recsys.serving.users import known_users
from recsys.serving.vector_export import item_vectors

PROFILES = ["mean", "attention", "self_attention", "recurrent", "transformer", "bidirectional", "id"]
RUNS = [["encoder=tfidf", "ranker=dot", f"profile={profile}"] for profile in PROFILES]
RUNS += [
    ["encoder=tfidf", "ranker=dot", "ranker.cosine=true", "ranker.temperature=0.5"],
    ["encoder=none", "ranker=cf"],
    ["encoder=tfidf", "ranker=cf", "profile=mean", "ranker.user_bias=true"],
    ["encoder=tfidf", "ranker=two_tower", "profile=transformer", "profile.count_from=oldest", "profile.n_layers=1"],
    ["encoder=tfidf", "ranker=two_tower", "profile=mean", "ranker.user_ids=false"],
    ["encoder=tfidf", "ranker=dot", "profile=recurrent", "profile.user_state=true", "profile.n_layers=2"],
    ["encoder=tfidf", "ranker=dot", "profile=attention", "batches.max_history=1"],
]

IN_ONNX = [RUNS[4], RUNS[0], RUNS[3], RUNS[6]]  # a transformer has all operators of the others but the recurrent ones
HAS_ONNX = all(map(find_spec, ("onnxruntime", "onnxscript")))
# A sum, a transformer, and ids (of ranker=cf); the others: make test-all
USUAL = {0, 4, 8}


def long_form(overrides: list[str]):
    return pytest.param(overrides, marks=only_full)


def name_of(overrides: list[str]) -> str:
    return "-".join(part.split("=")[1] for part in overrides)


def exported(run, folder, *overrides: str) -> str:
    screen = Console(file=io.StringIO(), width=160)
    export_command(
        recsys.compose([f"run={run.folder}", f"output={folder}", "index=null", *overrides], "export"), screen
    )
    return screen.file.getvalue()


@pytest.fixture(scope="module")
def towers(run_of, tmp_path_factory):
    """A run, the folder of its tower and what the export said, by the run's overrides; each exported once."""

    @cache
    def made(*overrides: str):
        run, folder = run_of(*overrides), tmp_path_factory.mktemp("tower")
        formats = "[pt2,onnx]" if list(overrides) in IN_ONNX and HAS_ONNX else "pt2"
        return run, folder, exported(run, folder, f"tower={formats}")

    return made


@pytest.mark.slow
@pytest.mark.parametrize(
    "overrides", [own if n in USUAL else long_form(own) for n, own in enumerate(RUNS)], ids=name_of
)
def test_the_best_by_the_tower_are_the_best_of_the_model(towers, overrides):
    run, folder, said = towers(*overrides)
    assert "user_tower.pt2: 167 lists are equal to the model's" in said or "max_history=1" in overrides
    tower = torch.export.load(folder / "user_tower.pt2").module()
    items = torch.tensor(pl.read_parquet(folder / "items.parquet")["vector"].to_numpy())
    served = serve(run)
    users = known_users(served, list(known_users(served).ids[3:8]))
    expected = rank(served, users, 10)
    length = served.max_history if "profile=recurrent" in overrides else 1
    inputs = inputs_of(served.model, users.batch(np.arange(5), served.max_history), length)
    scores = tower(**inputs) @ items.T
    for user in range(5):
        scores[user, users.history[user]] = -torch.inf
    best = scores.topk(10, dim=1)
    torch.testing.assert_close(best.values, expected.scores, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(scores.gather(1, expected.items), expected.scores, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.skipif(not HAS_ONNX, reason="onnxruntime or onnxscript is not installed")
@pytest.mark.parametrize("overrides", [IN_ONNX[0], *map(long_form, IN_ONNX[1:])], ids=name_of)
def test_the_tower_of_onnx_gives_the_same_vectors(towers, overrides):
    import onnxruntime as runtime

    run, folder, said = towers(*overrides)
    assert "user_tower.onnx: 167 lists are equal to the model's" in said
    session = runtime.InferenceSession(folder / "user_tower.onnx")
    served = serve(run)
    inputs = inputs_of(served.model, known_users(served).batch(np.arange(6), served.max_history), served.max_history)
    assert [each.name for each in session.get_inputs()] == list(inputs)
    found = session.run(["vectors"], {name: value.numpy() for name, value in inputs.items()})[0]
    expected = torch.export.load(folder / "user_tower.pt2").module()(**inputs)
    torch.testing.assert_close(torch.from_numpy(found), expected, rtol=1e-4, atol=1e-5)


def test_what_no_file_of_onnx_holds_is_refused(program, monkeypatch):
    monkeypatch.setattr("recsys.serving.tower.MAX_ONNX", 1000)
    with pytest.raises(ConfigError, match=r"a file has at most 2 GB, and this model has [\d,]+ bytes"):
        FORMATS["onnx"].write(program)


@pytest.fixture(scope="module")
def program(served):
    return export_program(served)


@pytest.fixture(scope="module")
def tower(program):
    return FORMATS["pt2"].open(FORMATS["pt2"].write(program))


@pytest.mark.slow
def test_a_tower_has_torchs_own_operators_alone(towers):
    _, folder, _ = towers(*RUNS[4])
    program = torch.export.load(folder / "user_tower.pt2")
    calls = [node.target for node in program.graph.nodes if node.op == "call_function"]
    assert {target.namespace for target in calls if isinstance(target, torch._ops.OpOverload)} == {"aten"}
    assert not [target for target in calls if "fwd" in str(target)]  # fused ones


def test_padding_may_hold_anything_and_longer_histories_are_refused(served, program, tower):
    assert fixed_length(program) is None
    inputs = inputs_of(served.model, known_users(served).batch(np.arange(9), 4), 7)
    filled = {**inputs, "history": inputs["history"].masked_fill(~inputs["mask"], -100)}
    assert torch.equal(tower(filled), tower(inputs))
    with pytest.raises(AssertionError, match="Guard failed"):
        tower({name: torch.cat([value, value], dim=1) for name, value in inputs.items()})


@pytest.mark.parametrize(
    "changed",
    [
        lambda vectors: vectors * 1.01,
        lambda vectors: vectors + 0.05 * vectors.flip(1),
        torch.zeros_like,
        lambda vectors: vectors / 0,
        lambda vectors: vectors if len(vectors) < 20 else vectors.roll(1, 0),
    ],
)
def test_a_tower_that_differs_is_told(served, tower, changed):
    items = torch.from_numpy(item_vectors(served))
    assert check_tower(tower, served, items, "it") == 167
    with pytest.raises(RecsysError, match="it is not written: its scores differ from the model's by up to"):
        check_tower(lambda inputs: changed(tower(inputs)), served, items, "it")


def test_where_a_tower_differs_nothing_is_written(dot_run, tmp_path, monkeypatch):
    other = Format(FORMATS["pt2"].write, lambda content: lambda inputs: torch.zeros(len(inputs["mask"]), 64))
    monkeypatch.setitem(FORMATS, "pt2", other)
    with pytest.raises(RecsysError, match=r"user_tower\.pt2 is not written"):
        exported(dot_run, tmp_path / "out", "tower=pt2")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["ranker=als"], "ranker=als has none"),
        (["encoder=tfidf", "ranker=dot", "profile=text"], "profile=text reads a text"),
        (["encoder=tfidf", "ranker=mlp", "profile=mean"], "the scores of ranker=mlp are none"),
    ],
)
def test_runs_without_a_tower_are_refused(run_of, tmp_path, overrides, message):
    with pytest.raises(ConfigError, match=message):
        exported(run_of(*overrides), tmp_path, "tower=pt2")


def test_unknown_formats_and_missing_libraries_are_told(dot_run, tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match=r"tower is .*tflite.*; expected pt2, onnx, a list of them, or null"):
        exported(dot_run, tmp_path, "tower=[pt2,tflite]")
    monkeypatch.setattr("recsys.commands.export.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r'onnx, onnxscript, onnxruntime: pip install "recsys-experiments\[export\]"'):
        exported(dot_run, tmp_path, "tower=onnx")
