"""Encoders of texts on data whose items have no text."""

from __future__ import annotations

import shlex

import numpy as np
import pytest
from in_process import call

import recsys
from recsys.encoders.tfidf import TfidfEncoder
from recsys.experiment.inputs import load_split, text_features
from recsys.experiment.missing_texts import check_item_texts
from recsys.schema import ConfigError

TEMPLATE = "data.items.template='{name}. {kind}'"


@pytest.fixture
def shop(tmp_path):
    rows = [f"u{n},{item},{n}" for n in range(6) for item in "abc"]
    (tmp_path / "log.csv").write_text("\n".join(["user_id,item_id,time", *rows]) + "\n")
    items = [
        f"{item},{name},tea,{price}" for item, name, price in zip("abc", ("Assam", "Pu", ""), (1, 2, 3), strict=True)
    ]
    (tmp_path / "items.csv").write_text("\n".join(["item_id,name,kind,price", *items]) + "\n")
    keys = ["data=table", f"data.path={tmp_path}", "data.interactions.file=log.csv", "data.items.file=items.csv"]
    return [*keys, "split=random", f"paths.cache_dir={tmp_path / 'cache'}"]


def features(keys):
    cfg = recsys.compose(keys)
    return text_features(cfg, load_split(cfg)).vectors


@pytest.mark.parametrize("encoder", ["tfidf", "bert", "concat"])
def test_an_encoder_of_texts_needs_a_text(shop, encoder):
    with pytest.raises(ConfigError) as caught:
        features([*shop, f"encoder={encoder}"])
    assert str(caught.value) == (
        f"encoder={encoder} reads texts, and none of the 3 items of table has one: set data.items.template, as in "
        f'"{TEMPLATE}" (the items have the columns name, kind, price), or use encoder=none.'
    )


@pytest.mark.parametrize(
    ("keys", "wrong"),
    [
        (
            ["item_text='{note}'"],
            r"item_text='\{note\}' makes no text; choose other columns .* name, kind, price, note",
        ),
        (["data.items.template='{note}'"], r"data\.items\.template is '\{note\}', which makes no text"),
        (["data.items.file=null"], r"give a table of items \(data\.items\.file\) and a template"),
    ],
)
def test_the_error_names_the_key_that_makes_no_text(shop, tmp_path, keys, wrong):
    (tmp_path / "items.csv").write_text("item_id,name,kind,price,note\na,A,,1,\nb,B,,2,\nc,C,,3,\n")
    with pytest.raises(ConfigError, match=wrong):
        features([*shop, "encoder=tfidf", *keys])


def test_one_text_is_enough(shop, tmp_path):
    (tmp_path / "items.csv").write_text("item_id,name,kind,price\na,A,,1\nb,,,2\nc,,tea,3\n")
    assert features([*shop, "encoder=tfidf", "data.items.template='{kind}'", "train_share=1.0"]).shape[0] == 3


def test_encoders_that_read_no_texts_work_without(shop, tmp_path):
    assert features([*shop, "encoder=none"]).shape == (3, 0)
    assert features([*shop, "encoder=random", "encoder.dim=4"]).shape == (3, 4)
    path = tmp_path / "own.safetensors"
    recsys.save_vectors(path, np.eye(3, dtype=np.float32), ["a", "b", "c"])
    assert (features([*shop, "encoder=vectors", f"encoder.path={path}"]).sum(axis=1) == 1).all()


def test_inputs_that_are_no_texts_are_not_missing_texts(shop):
    cfg = recsys.compose([*shop, "encoder=tfidf"])
    dataset = load_split(cfg).dataset
    check_item_texts(cfg, dataset, ["a", "b", "c"])  # an encoder without a trait that reads ids
    for inputs in (["", " "], [("a", ""), ("b", "")]):
        with pytest.raises(ConfigError, match="encoder=tfidf reads texts"):
            check_item_texts(cfg, dataset, inputs)


def test_prepare_data_suggests_a_template_and_no_text_encoder(shop):
    found = call("prepare_data", shop)
    warning = next(line for line in found.out.splitlines() if line.startswith("warning: no item has a text"))
    assert f'set data.items.template, as in "{TEMPLATE}"' in warning
    steps = found.out.splitlines()[-2:]
    assert "encoder=bert" not in found.out
    assert TEMPLATE in shlex.split(steps[0])
    assert shlex.split(steps[1])[-3:-1] == ["encoder=none", "ranker=cf"]
    again = call("prepare_data", [*shop, TEMPLATE])
    assert "no item has a text" not in again.out
    assert "encoder=bert" in again.out


def test_the_card_of_a_data_frame_suggests_item_text(tmp_path, monkeypatch):
    monkeypatch.setenv("RECSYS_CACHE", str(tmp_path))
    log, items = {"user_id": ["u"], "item_id": ["a"]}, {"item_id": ["a"], "name": ["Assam"]}
    assert "warning: no item has a text, which text encoders need: set item_text, as in item_text='{name}'" in repr(
        recsys.dataset(log, items)
    )
    assert "no item has a text" not in repr(recsys.dataset(log, items, item_text="{name}"))


def test_tfidf_without_a_train_text_names_the_cause(tmp_path):
    with pytest.raises(ConfigError, match="all of them are empty: check the template of the items' texts"):
        TfidfEncoder().fit(["", " "], tmp_path)
    with pytest.raises(ConfigError, match=r"lower encoder\.min_df"):
        TfidfEncoder(min_df=3).fit(["tea", "rug"], tmp_path)
