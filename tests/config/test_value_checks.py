"""Impossible values and unknown keys are refused by name, before any data is read."""

from __future__ import annotations

import pytest

import recsys
from recsys.config.compatibility import check
from recsys.config.known_keys import check_kinds
from recsys.config.signatures import check_arguments
from recsys.experiment.loggers import build_loggers, check_loggers
from recsys.schema import ConfigError
from recsys.studies.entries import check_metrics, check_study

WRONG = {
    "ranker.temperature=inf": "ranker.temperature is inf; expected a finite number",
    "ranker.temperature=nan": "ranker.temperature is nan",
    "features.dim=0": "features.dim is 0; expected a whole number of at least 1",
    "batches.max_history=true": "batches.max_history is True",
    "batches.batch_size=[1]": "batches.batch_size is",
    "seed=4294967296": "seed is 4294967296",
    "tags=5": "tags is 5; expected a list of texts",
    "trainer.limit_test_batches=0": "trainer.limit_test_batches=0 leaves nothing to test; use test=false",
    "trainer.limit_val_batches=0": "trainer.limit_val_batches=0 skips validation, whose metrics callbacks=default",
    "trainer.limit_val_batches=1.5": "trainer.limit_val_batches is 1.5",
    "trainer.max_epochs=true": "trainer.max_epochs is True",
    "+encodr=bert": "encodr is an unknown key; did you mean encoder",
    "+batches.batchsize=3": "batches.batchsize is an unknown key; did you mean batches.batch_size",
}


@pytest.mark.parametrize(("override", "message"), WRONG.items())
def test_an_impossible_value_is_refused(override, message):
    with pytest.raises(ConfigError) as refused:
        check(recsys.compose(["ranker=dot", override]))
    assert message.split("; did")[0] in str(refused.value)
    assert message.rsplit(".", 1)[-1].split("did you mean ")[-1] in str(refused.value)


def test_validation_may_be_skipped_where_nothing_monitors_it():
    check(recsys.compose(["ranker=dot", "callbacks=none", "trainer.limit_val_batches=0"]))
    check(recsys.compose(["ranker=popularity", "trainer.limit_val_batches=0"]))


DOT = {"_target_": "recsys.rankers.dot.DotRanker", "_partial_": True}


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [("cosine", 1, "true or false"), ("temperature", "a", "a number"), ("temperature", True, "a number")],
)
def test_a_component_refuses_values_of_another_type(key, value, expected):
    with pytest.raises(ConfigError, match=rf"ranker\.{key} is {value!r}; expected {expected}"):
        check_arguments("ranker", {**DOT, key: value})


def test_a_component_refuses_keys_that_it_does_not_have():
    with pytest.raises(ConfigError, match=r"ranker\.temprature is an unknown key; did you mean temperature"):
        check_arguments("ranker", {**DOT, "temprature": 1.0})
    check_arguments("ranker", {**DOT, "temperature": 1})


@pytest.mark.parametrize(
    ("override", "end"),
    [
        ("ranker.hidden_dims=[8]", r"It is a key of ranker=deepfm, mlp, multvae, neumf, two_tower\."),
        ("data.path=shop", r"It is a key of data=amazon_reviews, mind, movielens, table\."),
        ("ranker.no_ranker_has_this=1", r"search\."),
    ],
)
def test_an_unknown_key_names_the_options_that_have_it(override, end):
    with pytest.raises(ConfigError, match=f"is an unknown key; expected one of .*{end}$"):
        recsys.compose([override])


def test_a_text_is_refused_where_the_constructor_takes_numbers_or_tensors():
    node = {"_target_": "torch.optim.SGD", "lr": 0.1, "weight_decay": "large"}
    with pytest.raises(ConfigError, match=r"optimizer\.weight_decay is 'large'; expected a number\.$"):
        check_arguments("optimizer", node)
    check_arguments("optimizer", {**node, "weight_decay": 1})


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "study.grid={profile: [mean]}",
            "study.grid has encoder, ranker and not profile: '+study.grid={profile: …}' adds",
        ),
        (
            "study.grid.profile=[mean]",
            "study.grid has encoder, ranker and not profile: '+study.grid={profile: …}' adds",
        ),
        ("study.space={features.dim: {choice: [8]}}", "'+study.space={features.dim: …}' adds an entry"),
        (
            "study.factors.features.dim=[8]",
            "study.factors is empty: '+study.factors={features: …}' adds an entry; a dotted",
        ),
    ],
)
def test_further_cells_of_a_study_need_a_plus(override, message):
    with pytest.raises(ConfigError) as refused:
        recsys.compose(["study=headline", override], "study")
    assert message in str(refused.value)
    assert recsys.compose(["study=headline", "+study.grid={profile: [mean]}"], "study").study.grid.profile == ["mean"]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("+study.chagnes={a: [x]}", "study.chagnes is an unknown key; did you mean changes"),
        ("formats=[pdf]", "formats has 'pdf'"),
        ("study.seeds=[0,true]", "study.seeds is True"),
        ("study.metrics=ndcg@10", "study.metrics is 'ndcg@10'"),
    ],
)
def test_a_malformed_study_is_refused(override, message):
    with pytest.raises(ConfigError) as refused:
        check_study(recsys.compose(["study=default", override], "study"))
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("group", "own", "further", "wrong"),
    [
        ("search", "defaults: [tpe, _self_]\nn_trials: 3\npopulation: 5", "search.population=6", "n_trails: 4"),
        ("study", "defaults: [default, _self_]\nowner: me\ncells: {a: [seed=1]}", "study.owner=you", "chagnes: {}"),
    ],
)
def test_a_yaml_of_ones_own_may_have_further_keys(group, own, further, wrong, tmp_path, monkeypatch):
    monkeypatch.setenv("RECSYS_CONF", str(tmp_path))
    (tmp_path / group).mkdir()
    (tmp_path / group / "mine.yaml").write_text(own)
    (tmp_path / group / "misspelt.yaml").write_text(f"{own}\n{wrong}")
    check_study(recsys.compose(["study=default", f"{group}=mine", further], "study"))
    with pytest.raises(ConfigError, match=rf"{group}\.{wrong.split(':')[0]} is an unknown key; did you mean"):
        check_study(recsys.compose(["study=default", f"{group}=misspelt"], "study"))
    with pytest.raises(ConfigError, match=rf"{group}\.nosuch is an unknown key"):
        check_study(recsys.compose(["study=default", f"{group}=mine", f"+{group}.nosuch=1"], "study"))


@pytest.mark.slow
def test_paths_of_ones_own_may_have_further_keys(tmp_path, monkeypatch):
    monkeypatch.setenv("RECSYS_CONF", str(tmp_path))
    (tmp_path / "paths").mkdir()
    (tmp_path / "paths" / "mine.yaml").write_text("defaults: [default, _self_]\ndata_dir: /data")
    check(recsys.compose(["ranker=dot", "paths=mine"]))
    check_kinds(recsys.compose(["paths=mine"], "compare"), "compare")
    with pytest.raises(ConfigError, match=r"paths\.nosuch is an unknown key"):
        check_kinds(recsys.compose(["paths=mine", "+paths.nosuch=1"], "compare"), "compare")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("+logger.wandb.nosuch=1", "logger.wandb.nosuch is an unknown key"),
        ("logger.wandb.timeout=0", "logger.wandb.timeout is 0; expected a finite number above 0"),
        ("logger.wandb.offline=1", "logger.wandb.offline is 1; expected true, false or auto"),
        ("+logger.wandb.notes=[a]", "logger.wandb.notes is ['a']; expected a text or null"),
        ("+logger.tensorboard.nosuch=1", "logger.tensorboard.nosuch is an unknown key"),
        ("+logger.tensorboard.max_queue=a", "logger.tensorboard.max_queue is 'a'; expected a whole number"),
        ("+logger.tensorboard.filename_suffix=a/b", "logger.tensorboard.filename_suffix is 'a/b'"),
        ("+logger.csv.flush_logs_every_n_steps=0", "logger.csv.flush_logs_every_n_steps is 0; expected a whole"),
        ("logger.csv=5", "logger.csv is 5; expected a logger with its _target_, or null"),
    ],
)
def test_a_logger_is_checked_before_anything_is_written(override, message, tmp_path):
    chosen = next((name for name in ("wandb", "tensorboard") if name in override), "csv")
    paths = [f"paths.{name}_dir={tmp_path}/{name}" for name in ("runs", "cache")]
    with pytest.raises(ConfigError) as refused:
        recsys.run(["ranker=popularity", f"logger={chosen}", override, *paths])
    assert message in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_a_logger_that_is_set_to_null_is_left_out():
    cfg = recsys.compose(["ranker=popularity", "logger.csv=null"])
    check_loggers(cfg)
    assert build_loggers(cfg) == []


def test_a_metric_that_no_test_computes_is_refused():
    cfg = recsys.compose(["study=default", "study.metrics=[ndgc@10]"], "study")
    with pytest.raises(ConfigError, match="did you mean ndcg@10"):
        check_metrics(cfg, [recsys.compose([])])
