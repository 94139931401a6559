"""Every yaml of conf/ composes and builds; every key of a component's yaml is one that its constructor knows."""

from __future__ import annotations

import importlib
import inspect
import shutil
from functools import lru_cache, partial
from itertools import chain
from pathlib import Path

import pytest
from full import FULL
from hydra import compose as compose_whole
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

import recsys
from recsys.config.compatibility import check
from recsys.config.compose import META_KEYS, build, conf_dir, plain, with_choices
from recsys.config.errors import sentence_of
from recsys.schema import ConfigError
from recsys.tracking.run_id import cell_id
from recsys.training.teacher_lists import OF_TEACHER

COMPONENTS = ["encoder", "finetune", "features", "profile", "ranker", "loss", "negatives", "optimizer", "metrics"]
COMPONENTS += ["split", "data"]
NEEDED = {  # keys without a default
    ("encoder", "endpoint"): ("url=http://localhost:8000/v1", "model=any"),
    ("encoder", "vectors"): ("path=any.npy",),
}
PRIMARY = sorted(path.stem for path in conf_dir().glob("*.yaml"))
FILES = sorted(path.relative_to(conf_dir()) for path in conf_dir().rglob("[!_]*.yaml") if path.parent != conf_dir())


def options(group: str) -> list[str]:
    return sorted(path.stem for path in (conf_dir() / group).glob("[!_]*.yaml"))


@pytest.mark.parametrize("name", PRIMARY)
def test_a_command_composes(name):
    assert recsys.compose([], name)


COMMANDS = {"study": "study", "search": "study", "launcher": "study", "language_model": "write", "prompt": "write"}
COMMANDS |= {"user_examples": "compare"}


@pytest.mark.parametrize("file", FILES, ids=str)
def test_an_option_composes(file: Path):
    group, option = file.parent.as_posix(), file.stem
    cfg = composed_with(group, option)
    if group == "ranking_model":
        check_that_keys_are_those_of_the_constructor(cfg.ranker.language_model, group, option)
        assert option in cfg.ranker.language_model["_target_"]
        return
    assert cfg.choices[group] == option
    if group in COMPONENTS:
        check_that_keys_are_those_of_the_constructor(cfg[group], group, option)
        if group == "encoder":
            assert build("encoder", cfg.encoder) is not None, "it is built without loading anything"


def composed_with(group: str, option: str) -> DictConfig:
    """A configuration with the option; `make test-all` composes each option of a component alone."""
    if group not in COMPONENTS or FULL:
        return recsys.compose(choosing(group, option), COMMANDS.get(group, "train"))
    return composed_together(options(group).index(option))


@lru_cache
def composed_together(number: int, *values: str) -> DictConfig:
    """The options of this number in all groups of components, in one composition."""
    named = {group: options(group) for group in COMPONENTS}
    chosen = (choosing(group, names[number]) for group, names in named.items() if number < len(names))
    return recsys.compose([*chain.from_iterable(chosen), *values])


def choosing(group: str, option: str) -> list[str]:
    if group == "ranking_model":  # a group within the ranker
        return ["ranker=prompt", "ranker.score=letters", f"{group}@ranker.language_model={option}"]
    return [f"{group}={option}", *(f"{group}.{given}" for given in NEEDED.get((group, option), ()))]


@pytest.mark.slow
@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["encoder=tfidf", "encoder.n_components=null", "ranker=mlp", "ranker.hidden_dims=[8]", "data.n_users=7"],
        ["data=synthetic", "data.n_users=7", "~profile", "profile=mean"],
        ["+trainer.max_steps=3", "++seed=4", "tags=[a,b]", "~tags", "experiment=mind", "data.path=somewhere"],
        ["optimizer.lr=1.0", "optimizer.lr=2.0", "ranker=ease", "ranker.regularization=${optimizer.lr}"],
        ["ranker=prompt"],  # a file in two packages
        ["ranker=prompt", "ranker@ranker.retriever=ease", "encoder=concat"],
        ["encoder=brt"],
        ["encoder.colour=red"],
        ["+encoder.n_components=3", "encoder=tfidf"],
        ["seed=1,2"],
        ["encoder=bert,tfidf"],
        ["seed"],
    ],
)
def test_composing_is_hydras(overrides):
    ours, hydras = (outcome(partial(way, overrides)) for way in (recsys.compose, composed_by_hydra))
    assert ours == hydras


def outcome(make) -> tuple:
    try:
        return ("made", OmegaConf.to_container(make(), resolve=False))
    except ConfigError as error:
        return ("refused", str(error))
    except HydraException as error:
        return ("refused", sentence_of(error))


def composed_by_hydra(overrides):
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        cfg = compose_whole("train", overrides, return_hydra_config=True)
    return with_choices(cfg, cfg.hydra.runtime.choices, overrides)


def test_a_changed_file_is_seen(tmp_path, monkeypatch):
    conf = shutil.copytree(conf_dir(), tmp_path / "conf")
    monkeypatch.setattr("recsys.config.compose.conf_dirs", lambda: [conf])
    before = recsys.compose(["ranker=dot"])
    file = conf / "ranker" / "dot.yaml"
    file.write_text(file.read_text().replace("temperature: 1.0", "temperature: 0.5"))
    assert (before.ranker.temperature, recsys.compose(["ranker=dot"]).ranker.temperature) == (1.0, 0.5)


@pytest.mark.parametrize("group", ["data", "split"])
def test_data_and_splits_compose_without_a_model(group):
    for option in options(group):
        assert recsys.compose([f"{group}={option}"], "prepare_data").choices[group] == option


@pytest.mark.parametrize("file", FILES, ids=str)
def test_an_option_says_what_it_is_for(file: Path):
    lines = (conf_dir() / file).read_text().splitlines()
    comments = [line for line in lines[:2] if line.startswith("#") and "@package" not in line]
    assert comments, "the first line is a comment with the file's purpose"


@pytest.mark.parametrize("number", range(max(len(options(group)) for group in COMPONENTS)))
def test_no_value_follows_the_seed(number):
    """Or runs of two seeds would be of two cells."""
    first, second = (plain(composed_together(number, f"seed={seed}")) for seed in (0, 1))
    assert cell_id(first) == cell_id(second), f"a value of {first['choices']} follows the seed"


def check_that_keys_are_those_of_the_constructor(node: DictConfig, group: str, option: str) -> None:
    if node.get("_target_") is None:
        return
    module, name = node._target_.rsplit(".", 1)
    target = getattr(importlib.import_module(module), name)
    known = parameters(target)
    keys = {key for key in OmegaConf.to_container(node, resolve=False) if not key.startswith("_")}
    extra = keys - known - set(META_KEYS) - {"features": {"dim"}, "loss": set(OF_TEACHER)}.get(group, set())
    assert not extra, f"{group}={option}"


def parameters(target) -> set[str]:
    """Of a constructor and, where it passes options on, of those of its bases."""
    owners = inspect.getmro(target) if inspect.isclass(target) else (target,)
    found: set[str] = set()
    for owner in owners:
        signature = inspect.signature(owner)
        found |= set(signature.parameters)
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in signature.parameters.values()):
            break
    return found


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["ranker=dot", "encoder=none"], "neither text nor learnt IDs"),
        (["ranker=popularity", "encoder=bert"], "ignores encoder=bert"),
        (["ranker=als", "encoder=bert"], "ignores encoder=bert"),
        (["ranker=itemknn", "encoder=bert", "profile=mean"], "ignores profile=mean"),
        (["ranker=popularity", "loss=bpr"], "fitted without gradients: omit loss=bpr"),
        (["ranker=popularity", "finetune=delta"], "ignores finetune=delta"),
        (["encoder=tfidf", "finetune=lora"], "encoder=tfidf has none. Choose encoder=bert, gpt2 or transformer"),
        (["encoder=concat", "finetune=last_n"], "encoder=concat has none"),
        (["ranker=cf", "encoder=none", "finetune=delta"], "no text vector to start from"),
        (["ranker=dot", "profile=none"], "cannot use profile=none"),
        (["ranker=cf", "encoder=none", "profile=text"], "this encoder does not depend on words"),
        (["encoder=random", "profile=text"], "this encoder does not depend on words"),
        (["encoder=gpt2", "profile=text", "finetune=full"], "encoded once, before training"),
        (["loss=full_softmax", "negatives=uniform"], "needs negatives=all"),
        (["ranker=cf", "encoder=none", "item_text='{title}'"], "item_text='{title}' has no effect"),
        (["seed=-1"], "seed is -1"),
        (["learning_rate=0"], "learning_rate is 0"),
        (["batches.batch_size=0"], "batches.batch_size is 0"),
        (["data=table"], "data=table needs data.interactions.file, data.path"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_reason(overrides, message):
    with pytest.raises(ConfigError, match=message.replace(".", r"\.")):
        check(recsys.compose(overrides))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["ranker.temperature=-1"], "ranker.temperature is -1"),
        (["ranker=mlp", "ranker.activation=swish"], "ranker.activation is 'swish'"),
        (["profile=transformer", "profile.n_heads=7"], "profile.n_heads is 7"),
        (["profile=text", "profile.fuse=gate"], "profile.fuse is gate, and there is no other profile"),
        (["profile=text", "profile.template='A person.'"], "profile.template is 'A person.'; expected a field"),
        (["encoder=gpt2", "encoder.pooling=cls"], "encoder.pooling is 'cls'"),
        (["features.normalize=no"], "features.normalize is"),
        (["features.vectors.whitening=2"], "vectors.whitening is 2"),
        (["features=ids", "encoder=none"], "features.init=text needs an encoder"),
        (["features=ids", "features.init=random"], "ignores the encoder"),
        (["negatives.n_negatives=0"], "negatives.n_negatives is 0"),
        (["item_text='{title'"], "item_text='{title' is malformed"),
        (["monitor=val/auc"], "monitor is 'val/auc', but validation computes"),
        (["split.test_share=1.5"], "split.test_share is 1.5"),
        (["metrics.top_k=[0]"], "metrics.top_k is"),
        (["batches.train_history=all"], "batches.train_history is 'all'"),
        (["encoder=gpt2", "finetune=last_n", "finetune.n_layers=0"], "finetune.n_layers is 0"),
        (["finetune=delta", "finetune.learning_rate=0"], "finetune.learning_rate is 0"),
        (["optimizer.lr=fast"], "optimizer"),
    ],
)
def test_an_impossible_value_is_refused_before_any_data_is_read(overrides, message, tmp_path, monkeypatch):
    def no_data(*_):
        raise AssertionError("data was read")

    monkeypatch.setattr("recsys.experiment.inputs.load_dataset", no_data)
    with pytest.raises(ConfigError, match=message.replace(".", r"\.")):
        recsys.run([*overrides, f"paths.runs_dir={tmp_path}", f"paths.cache_dir={tmp_path}"])


def test_a_configuration_file_is_the_same_inside_a_checkout_and_a_wheel():
    assert (conf_dir() / "train.yaml").exists()


def test_a_target_that_would_harm_is_refused(tmp_path):
    """Hydra's own rule: a configuration may come from a record that somebody else made."""
    (tmp_path / "kept").mkdir()
    with pytest.raises(ConfigError, match=r"shutil\.rmtree"):
        build("loss", OmegaConf.create({"_target_": "shutil.rmtree", "path": str(tmp_path / "kept")}))
    assert (tmp_path / "kept").exists()
