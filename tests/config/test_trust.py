"""A record names components of recsys and of its libraries, and of no other package unless the user trusts that."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import yaml

import recsys
from recsys.config import trust
from recsys.config.compose import compose, conf_dir, plain
from recsys.config.trust import ENVIRONMENT, recorded
from recsys.schema import ConfigError

FILE = Path("store/a1/record.json")

OPTIONS = sorted(file for group in trust.PACKAGES for file in (conf_dir() / group).glob("*.yaml"))
SHELL = {"_target_": "torch.utils.collect_env.run", "command": "touch x"}


@pytest.fixture(autouse=True)
def nothing_trusted(monkeypatch):
    monkeypatch.setattr(trust, "_trusted", set())
    monkeypatch.delenv(ENVIRONMENT, raising=False)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A user's package with a class, a function, and a module that it imports."""
    (tmp_path / "own_parts.py").write_text(
        "import os\n\nclass Own:\n    pass\n\ndef loss(scores):\n    return scores\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield "own_parts"
    sys.modules.pop("own_parts", None)


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["ranker=prompt", "encoder=bert", "profile=text", "finetune=lora", "logger=tensorboard"],
        ["logger=mlflow"],
        ["optimizer=sgd", "logger=wandb", "features=views", "metrics=sampled", "loss=bpr", "negatives=hard"],
        ["+callbacks.extra={_target_: pytorch_lightning.callbacks.EMAWeightAveraging}"],
        ["+trainer.profiler={_target_: pytorch_lightning.profilers.SimpleProfiler}"],
    ],
)
def test_components_of_recsys_and_its_libraries_may_be_named(overrides):
    config = plain(compose(overrides))
    assert plain(recorded(config, FILE)) == config


@pytest.mark.parametrize("file", OPTIONS, ids=lambda file: f"{file.parent.name}={file.stem}")
def test_a_record_may_name_each_class_of_an_options_yaml(file):
    """Read as text, since composing needs the keys without a default: also classes inside others."""
    content = yaml.safe_load(re.sub(r"\$\{[^}]*\}", "1", file.read_text()))  # a record has values and no references
    named = {key: value for key, value in (content or {}).items() if key not in ("defaults", "search", "traits")}
    recorded({file.parent.name: named}, FILE)


@pytest.mark.parametrize(
    ("group", "node"),
    [
        ("data", SHELL),
        ("trainer", {"_target_": "pytorch_lightning.Trainer", "callbacks": [[SHELL]]}),
        ("ranker", {"_target_": "recsys.rankers.dot.DotRanker", "_args_": [SHELL]}),
        ("loss", {"_target_": "recsys.training.losses.bpr", "_partial_": True, "inner": {"deep": [{"er": SHELL}]}}),
        ("made_up", SHELL),
        ("made_up", {"_target_": "recsys.rankers.dot.DotRanker"}),
        ("encoder", {"_target_": "joblib.load", "filename": "x"}),
        ("encoder", {"_target_": "torch.load", "f": "x", "weights_only": False}),
        ("encoder", {"_target_": "builtins.eval"}),
        ("encoder", {"_target_": "recsys.encoders.transformer.torch.load"}),
        ("encoder", {"_target_": "recsys.encoders.base.Path"}),
        ("encoder", {"_target_": "recsys.encoders.random.RandomEncoder.fit"}),
        ("encoder", {"_target_": "recsys.rankers.dot.DotRanker"}),
        ("encoder", {"_target_": "recsys.config.trust.trust"}),
        ("encoder", {"_target_": "recsys.encoders"}),
        ("encoder", {"_target_": "recsys.encoders..x"}),
        ("encoder", {"_target_": ["recsys.encoders.random.RandomEncoder"]}),
        ("encoder", {"_target_": {"_target_": "os.system"}}),
        ("encoder", {"_target_": "hydra.utils.get_method", "path": "os.system"}),
        ("encoder", {"_target_": "hydra.utils.get_method", "_args_": ["os.system"]}),
        ("encoder", {"_target_": "hydra.utils.instantiate", "config": {}}),
        ("metrics", {"_target_": "recsys.support.whole_files.write_atomically"}),
        ("callbacks", {"_target_": "pytorch_lightning.LightningModule.load_from_checkpoint"}),
        ("callbacks", {"_target_": "pytorch_lightning.utilities.migration.migrate_checkpoint"}),
        ("optimizer", {"_target_": "torch.optim.optimizer.functools.partial"}),
        ("data", {"_target_": "pytorch_lightning.Trainer"}),
        ("data", "${trainer}"),
        ("data", {"path": "${oc.env:HOME}"}),
    ],
)
def test_all_else_is_refused(group, node):
    with pytest.raises(ConfigError, match=r"store/a1/record.json: config\.") as error:
        recorded({group: node}, FILE)
    assert group in str(error.value)


def test_the_error_says_how_to_trust_a_package():
    with pytest.raises(
        ConfigError, match=r"own_parts\.Own.*recsys\.trust\('own_parts'\).*RECSYS_TRUST=own_parts.*trust="
    ):
        recorded({"encoder": {"_target_": "own_parts.Own"}}, FILE)


def test_a_refused_package_is_not_imported(package):
    with pytest.raises(ConfigError):
        recorded({"encoder": {"_target_": f"{package}.Own"}}, FILE)
    assert package not in sys.modules


@pytest.mark.parametrize("how", ["call", "environment"])
def test_a_trusted_package_may_be_named_in_every_group(package, how, monkeypatch):
    if how == "call":
        recsys.trust(package)
    else:
        monkeypatch.setenv(ENVIRONMENT, f"other, {package}")
    own = {"_target_": f"{package}.Own"}
    looked_up = {"_target_": "hydra.utils.get_method", "path": f"{package}.loss"}
    recorded({"encoder": own, "loss": looked_up, "anything": [own]}, FILE)


@pytest.mark.parametrize("name", ["os.system", "gone", "Own.mro"])
def test_what_a_trusted_package_only_imports_is_refused(package, name):
    recsys.trust(package)
    with pytest.raises(ConfigError, match="cannot be imported as a class or function"):
        recorded({"encoder": {"_target_": f"{package}.{name}"}}, FILE)


def test_a_package_of_a_longer_name_is_another_one(package):
    recsys.trust(package)
    with pytest.raises(ConfigError, match="own_parts_of_others"):
        recorded({"encoder": {"_target_": "own_parts_of_others.Own"}}, FILE)


@pytest.mark.parametrize("name", ["", "a b", "..", "a/b", 3])
def test_only_a_package_a_server_or_a_variable_can_be_trusted(name):
    with pytest.raises(ConfigError, match="trust"):
        recsys.trust(name)
