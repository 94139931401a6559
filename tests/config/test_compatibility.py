"""Which parts go together is decided by what their yamls say of them, whatever the yamls are called."""

from __future__ import annotations

from functools import lru_cache

import pytest
import yaml
from omegaconf import OmegaConf

import recsys
from recsys.config.compatibility import check
from recsys.config.compose import build
from recsys.config.folders import conf_dir
from recsys.config.traits import traits_of
from recsys.experiment.record_fields import label
from recsys.schema import ConfigError


@pytest.fixture(scope="module")
def folder_of_aliases(tmp_path_factory):
    """A user's own yamls, which are the package's by other names."""
    folder = tmp_path_factory.mktemp("aliases")
    for name, content in {
        "loss/my_softmax": "defaults: [full_softmax, _self_]\n",
        "loss/my_gbce": "defaults: [gbce, _self_]\n",
        "negatives/everything": "defaults: [all, _self_]\n",
        "negatives/drawn": "defaults: [uniform, _self_]\n",
    }.items():
        path = folder / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    return folder


@pytest.fixture
def aliases(folder_of_aliases, monkeypatch):
    monkeypatch.setenv("RECSYS_CONF", str(folder_of_aliases))


@pytest.mark.parametrize("loss", ["full_softmax", "my_softmax"])
@pytest.mark.parametrize("negatives", ["uniform", "drawn", "popularity", "in_batch"])
def test_the_full_softmax_needs_all_items_by_whatever_name(aliases, loss, negatives):
    with pytest.raises(ConfigError, match=f"loss={loss} needs negatives=all.*, not negatives={negatives}"):
        check(recsys.compose([f"loss={loss}", f"negatives={negatives}"]))


@pytest.mark.parametrize("loss", ["gbce", "my_gbce"])
def test_gbce_needs_a_known_share_of_items(aliases, loss):
    with pytest.raises(ConfigError, match=f"loss={loss} needs .*negatives=uniform, not negatives=popularity"):
        check(recsys.compose([f"loss={loss}", "negatives=popularity"]))


@pytest.mark.parametrize(
    ("loss", "negatives"),
    [("my_softmax", "everything"), ("full_softmax", "everything"), ("my_gbce", "drawn"), ("gbce", "everything")],
)
def test_an_alias_of_negatives_fits_as_the_original(aliases, loss, negatives):
    check(recsys.compose([f"loss={loss}", f"negatives={negatives}"]))


# Options with traits, each with a choice that it is refused with and one that it goes with.
COMBINATIONS = [
    ("loss", "full_softmax", "negatives=uniform", "negatives=all"),
    ("loss", "gbce", "negatives=popularity", "negatives=uniform"),
    ("loss", "multinomial", "ranker=dot", "ranker=multvae"),
    ("loss", "likelihood", "ranker=dot", "ranker=generative"),
    ("ranker", "als", "loss=bpr", "split=temporal"),
    ("ranker", "generative", "loss=full_softmax", "encoder=bert"),
    ("ranker", "lightgcn", "profile=mean", "loss=bpr"),
    ("negatives", "uniform", "loss=full_softmax", "loss=gbce"),
    ("encoder", "none", "item_text=title", "ranker=cf"),
    ("encoder", "random", "profile=text", "ranker=dot"),
    ("encoder", "bert", "ranker=als", "finetune=full"),
    ("split", "cold_items", "test_knowledge=all", "ranker=popularity"),
]


@pytest.fixture(scope="module")
def renamed(tmp_path_factory):
    """A folder with two further yamls of each option: one has it among its defaults, the other only its class."""
    folder = tmp_path_factory.mktemp("renamed")
    for group, option, *_ in COMBINATIONS:
        original = yaml.safe_load((conf_dir() / group / f"{option}.yaml").read_text())
        same_class = {key: value for key, value in original.items() if key not in ("traits", "search")}
        (folder / group).mkdir(exist_ok=True)
        for kind, content in {"heir": {"defaults": [option, "_self_"]}, "class": same_class}.items():
            (folder / group / f"{option}_{kind}.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECSYS_CONF", str(folder))
        yield


@lru_cache
def verdict(group: str, option: str, name: str, other: str) -> str:
    """Why a combination is refused, whatever the option is called; empty if it passes."""
    try:
        check(recsys.compose([f"{group}={name}", other]))
    except ConfigError as error:
        return str(error).replace(f"{group}={name}", f"{group}={option}")
    return ""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["heir", "class"])
@pytest.mark.parametrize(("group", "option", "refused", "fitting"), COMBINATIONS)
def test_another_yaml_passes_or_is_refused_as_the_original(renamed, group, option, refused, fitting, kind):
    expected = verdict(group, option, option, refused)
    assert expected
    assert verdict(group, option, f"{option}_{kind}", refused) == expected
    assert verdict(group, option, f"{option}_{kind}", fitting) == ""


def test_a_run_on_another_yaml_of_no_encoder_is_named_after_its_ranker_alone(renamed):
    assert label(recsys.compose(["encoder=none_class", "ranker=cf"])) == "cf"


def test_traits_that_a_yaml_states_replace_those_of_its_class():
    node = {"_target_": "recsys.rankers.als.ALSRanker"}
    assert traits_of(OmegaConf.create(node)) == {"trained": False}
    assert traits_of(OmegaConf.create({**node, "traits": {}})) == {}
    assert traits_of(OmegaConf.create({"_target_": None})) == {}
    assert traits_of(OmegaConf.create({"_target_": "somebody.Else"})) == {}


@pytest.mark.parametrize(
    ("retriever", "why"),
    [
        (["lists", "ranker.retriever.name=a", "ranker.retriever.lists.path=a.csv"], "made of another program's lists"),
        (["two_tower"], "trained by gradient descent"),
        (["prompt"], "too slow for a whole catalogue"),
    ],
)
def test_a_retriever_is_fitted_by_the_run_itself_and_fast(retriever, why):
    option, *settings = retriever
    with pytest.raises(ConfigError, match=rf"ranker\.retriever is \w+Ranker, which is {why}.*retriever=itemknn"):
        check(recsys.compose(["ranker=prompt", f"ranker@ranker.retriever={option}", *settings]))


@pytest.mark.parametrize(
    ("group", "option", "key"),
    [("data", "table", "data.interactions.file"), ("encoder", "endpoint", "encoder.model")],
)
def test_a_component_that_lacks_a_key_names_it_with_its_group(group, option, key):
    node = recsys.compose([f"{group}={option}"])[group]
    for each in (node, OmegaConf.create(OmegaConf.to_container(node))):
        with pytest.raises(ConfigError, match=rf"^{key} has no value: set {key}=…$"):
            build(group, each)


TIMELESS = ["data=table", "data.path=x", "data.interactions.file=x.csv"]


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        *(([f"split={name}"], f"split={name} needs .*split=random") for name in ("user_temporal", "temporal")),
        (["split=leave_last_out"], "split=leave_last_out needs timestamps, and data=table has none"),
        (["split=random", "ranker=transition_graph", "encoder=tfidf"], "ranker=transition_graph needs timestamps"),
        (
            ["split=random", "ranker=popularity", "ranker.window_days=7"],
            r"ranker\.window_days is 7, but data=table has",
        ),
        (["split=random", "ranker=popularity", "ranker.half_life_days=7"], r"ranker\.half_life_days is 7, but"),
    ],
)
def test_what_needs_times_is_refused_before_data_without_times_are_read(chosen, message):
    with pytest.raises(ConfigError, match=f"{message}.*data.interactions.timestamp"):
        check(recsys.compose([*TIMELESS, *chosen]))
    with pytest.raises(ConfigError, match="shop has no"):
        check(recsys.compose([*TIMELESS, *chosen, "data.name=shop"]))
    check(recsys.compose([*TIMELESS, *chosen, "data.interactions.timestamp=time"]))
