"""Published models that are compositions of parts: what they are composed of, and that they run."""

from __future__ import annotations

import pytest
from full import FULL

import recsys
from recsys.config.compatibility import check
from recsys.schema import ConfigError

TEXTS: list[list[str]] = [[], ["encoder=tfidf"], ["encoder=tfidf", "features=hybrid"]]
GROUPS = ("encoder", "features", "profile", "loss", "negatives", "ranker")


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["experiment=sasrec"], "none text_or_ids transformer full_softmax all dot"),
        (["experiment=sasrec", "encoder=bert"], "bert text_or_ids transformer full_softmax all dot"),
        (["experiment=sasrec", "loss=gbce"], "none text_or_ids transformer gbce uniform dot"),
        (["experiment=gru4rec", "loss=bpr", "negatives=in_batch"], "none text_or_ids recurrent bpr in_batch dot"),
        (["experiment=bert4rec"], "none text_or_ids bidirectional full_softmax all dot"),
        (["experiment=esasrec"], "none text_or_ids ligr sampled_softmax uniform dot"),
        (["experiment=tiger"], "tfidf none none likelihood none generative"),
        (["experiment=hstu"], "none text_or_ids hstu sampled_softmax uniform dot"),
    ],
)
def test_a_sequential_model_is_its_parts(overrides, expected):
    cfg = recsys.compose(overrides)
    check(cfg)
    assert " ".join(cfg.choices[group] for group in GROUPS) == expected
    assert cfg.batches.train_history == "sequence"


def test_alpharec_is_its_parts():
    cfg = recsys.compose(["experiment=alpharec"])
    check(cfg)
    assert " ".join(cfg.choices[group] for group in GROUPS) == "bert none none infonce uniform lightgcn"
    assert (cfg.ranker.n_layers, cfg.ranker.cosine, cfg.ranker.text.users) == (2, True, "mean")
    assert (cfg.loss.temperature, cfg.negatives.n_negatives) == (0.15, 256)


@pytest.mark.parametrize(
    ("experiment", "expected"),
    [
        ("nrms", "tfidf text self_attention sampled_softmax shown dot"),
        ("naml", "tfidf views attention sampled_softmax shown dot"),
        ("lstur", "tfidf text recurrent sampled_softmax shown dot"),
    ],
)
def test_a_news_model_is_its_parts(experiment, expected):
    cfg = recsys.compose([f"experiment={experiment}", "data.path=somewhere"])
    check(cfg)
    assert " ".join(cfg.choices[group] for group in GROUPS) == expected
    assert [cfg.choices[group] for group in ("data", "split", "metrics")] == ["mind", "given", "impressions"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "has_text", "has_ids"),
    [
        (["experiment=sasrec", "loss=gbce", "negatives.n_negatives=16"], False, True),
        (["experiment=gru4rec", "encoder=tfidf"], True, False),
        (["experiment=bert4rec", "encoder=tfidf"], True, False),
        *[
            ([f"experiment={model}", *text], bool(text), text != ["encoder=tfidf"])
            for model in ("esasrec", "bsarec", "hstu")
            for text in (TEXTS if FULL or model == "esasrec" else TEXTS[:1])
        ],
    ],
)
def test_text_or_ids_is_the_choice_of_the_encoder(overrides, has_text, has_ids, small_data, cache_dir, tmp_path):
    paths = [f"paths.cache_dir={cache_dir}", f"paths.runs_dir={tmp_path}", "features.dim=8"]
    run = recsys.run([*small_data, *overrides, *paths])
    features = run.model.features
    assert (features.projection is not None, features.ids is not None) == (has_text, has_ids)
    assert 0 < run.record.metrics["test/ndcg@10"] < 1


def test_gbce_is_refused_where_the_sampled_share_is_unknown():
    with pytest.raises(ConfigError, match="negatives=popularity"):
        check(recsys.compose(["loss=gbce", "negatives=popularity"]))
