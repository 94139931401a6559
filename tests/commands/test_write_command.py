from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import yaml
from encoders.tiny_models import causal_folder

import recsys
from recsys.commands.write import arguments_of, run
from recsys.config.folders import conf_dir
from recsys.experiment.writing_prompts import HistoryPrompt, ItemPrompt
from recsys.language_models.generation import LocalGenerator
from recsys.schema import ConfigError


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = causal_folder("llama", tmp_path_factory.mktemp("writer"))
    return ["language_model=causal", f"language_model.weights={folder}", "language_model.max_new_tokens=4"]


@pytest.fixture
def data(small_data, cache_dir):
    kept = [override for override in small_data if override.startswith("data")]
    return [*kept, f"paths.cache_dir={cache_dir}"]


def configuration(*overrides):
    return recsys.compose(list(overrides), "write")


@pytest.mark.slow
def test_texts_about_items_are_written_once_and_trained_on(model, data, small_data, cache_dir, tmp_path, capsys):
    path = tmp_path / "items.parquet"
    settings = [*data, *model, "prompt.template='{title}'", f"output={path}"]
    settings.append("prompt.examples=[{id:'1',answer:A film}]")
    run(configuration(*settings))
    assert f"Written: {path}" in capsys.readouterr().out
    table, provenance = pl.read_parquet(path), yaml.safe_load(path.with_suffix(".yaml").read_text())
    assert table.columns == ["item_id", "written"]
    assert provenance["interactions_read"] == "none"
    assert provenance["n_texts"] == table["written"].count() > 0
    assert provenance["prompt_tokens"] > 0
    assert provenance["prompt_examples"] == "1"

    run(configuration(*settings))
    assert "0 of them now" in capsys.readouterr().out
    assert pl.read_parquet(path).equals(table)

    trained = ["item_text='{title}. {written}'", f"written={path}", f"paths.runs_dir={tmp_path / 'runs'}"]
    made = recsys.run(recsys.compose([*small_data, f"paths.cache_dir={cache_dir}", "ranker=dot", *trained]))
    assert made.record.contents["written"] == {"items": provenance["texts_sha256"]}
    ids, texts = made.split.dataset.items["item_id"].to_list(), dict(table.iter_rows())
    shown = [text for text, item in zip(made.split.dataset.texts, ids, strict=True) if texts[item]]
    assert shown
    assert all(
        texts[item] is None or texts[item] in text for item, text in zip(ids, made.split.dataset.texts, strict=True)
    )

    changed = table.with_columns(pl.lit("another text").alias("written"))
    from recsys.data.written_texts import texts_hash

    changed.write_parquet(path)
    path.with_suffix(".yaml").write_text(yaml.safe_dump({**provenance, "texts_sha256": texts_hash(changed)}))
    reopened = recsys.load(made.record.run_id, tmp_path / "runs")
    with pytest.raises(ConfigError, match="the texts have changed since run"):
        _ = reopened.split


def test_texts_about_users_read_train_items_only(model, data, small_data, cache_dir, tmp_path):
    path = tmp_path / "users.parquet"
    run(configuration(*data, *model, "prompt=user_choices", "prompt.n_items=2", f"output={path}"))
    provenance = yaml.safe_load(path.with_suffix(".yaml").read_text())
    split = recsys.experiment.inputs.load_split(configuration(*data))
    assert provenance["interactions_read"] == "train"
    assert provenance["split_fingerprint"] == split.fingerprint
    trained = ["ranker=dot", "profile=text", "profile.template='{written}'", f"written={path}"]
    trained += [f"paths.cache_dir={cache_dir}", f"paths.runs_dir={tmp_path / 'runs'}", "test_knowledge=refit"]
    made = recsys.run(recsys.compose([*small_data, *trained]))
    assert any("it read all train interactions" in sentence for sentence in made.record.warnings)


def test_prompts_name_the_newest_train_items(data):
    split = recsys.experiment.inputs.load_split(configuration(*data))
    prompts = HistoryPrompt("Chose: {items}. Why?", n_items=2, separator="; ").fill(split)
    user = split.train["user"][0]
    newest = split.train.filter(pl.col("user") == user).sort("timestamp", maintain_order=True)["item"][-2:]
    titles = [split.dataset.titles[item] for item in newest]
    assert prompts[user] == f"Chose: {titles[1]}; {titles[0]}. Why?"


def test_examples_of_train_users_precede_each_prompt(data):
    split = recsys.experiment.inputs.load_split(configuration(*data))
    ids, warm = split.dataset.users["user_id"].to_list(), np.flatnonzero(split.warm_users)
    first, second, other = (ids[row] for row in warm[:3])
    settings = {"template": "Chose: {items}. Why?", "n_items": 2}
    plain = dict(zip(ids, HistoryPrompt(**settings).fill(split), strict=True))
    examples = [{"id": first, "answer": "For fun."}, {"id": second, "answer": "To learn."}]
    shown = dict(zip(ids, HistoryPrompt(**settings, examples=examples).fill(split), strict=True))
    texts = {one["id"]: f"{plain[one['id']]}\n{one['answer']}\n\n" for one in examples}
    assert shown[other] == texts[first] + texts[second] + plain[other]
    assert shown[first] == texts[second] + plain[first]
    assert [text for user, text in shown.items() if not plain[user]] == [""] * list(plain.values()).count("")


def test_examples_belong_to_the_prompt_s_hash():
    plain, given = (ItemPrompt("{title}", examples=own) for own in ([], [{"id": 1, "answer": "A film."}]))
    other = ItemPrompt("{title}", examples=[{"id": 1, "answer": "A book."}])
    assert plain.sha256 == ItemPrompt("{title}").sha256
    assert len({plain.sha256, given.sha256, other.sha256}) == 3


def test_an_example_of_an_item_without_train_interactions_is_an_error(data):
    split = recsys.experiment.inputs.load_split(configuration(*data, "split=cold_items"))
    ids = split.dataset.items["item_id"].to_list()
    cold, warm = (ids[np.flatnonzero(mask)[0]] for mask in (~split.warm_items, split.warm_items))
    assert ItemPrompt("{title}", examples=[{"id": warm, "answer": "A film."}]).fill(split)
    with pytest.raises(ConfigError, match=f"{cold} is not in the train part"):
        ItemPrompt("{title}", examples=[{"id": cold, "answer": "A film."}]).fill(split)


@pytest.mark.parametrize(
    ("examples", "message"),
    [
        ("few", "expected a list"),
        ([{"id": 1}], "keys id; expected id and answer"),
        ([{"id": 1, "answer": "A"}, {"id": "1", "answer": "B"}], "an id twice"),
        ([{"id": 1, "answer": "  "}], "the answer of 1 is empty"),
    ],
)
def test_malformed_examples_are_an_error(examples, message):
    with pytest.raises(ConfigError, match=message):
        ItemPrompt("{title}", examples=examples)


def test_an_answer_that_is_an_object_becomes_a_text():
    likes = {"type": "object", "properties": {"likes": {"type": "array"}, "mood": {}}, "required": ["likes"]}
    prompt = ItemPrompt("{text}", likes, "Likes {likes}. Mood: {mood}.")
    assert prompt.check_answer('{"likes": ["jazz", "noir"], "mood": "calm"}') == "Likes jazz, noir. Mood: calm."
    assert prompt.check_answer('{"mood": "calm"}') is None
    assert ItemPrompt("{text}").check_answer(" two\nlines ") == "two lines"
    assert ItemPrompt("{text}").check_answer("\n") is None


def test_a_dry_run_calls_no_model(model, data, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(LocalGenerator, "generate", None)
    run(configuration(*data, *model, "dry_run=true", f"output={tmp_path / 'a.parquet'}", "n_texts=5"))
    told = capsys.readouterr().out
    assert "Here is an item of a catalogue: " in told
    assert "5 calls" in told
    assert "at most 20 to write" in told
    assert not list(tmp_path.iterdir())


def test_the_first_word_chooses_a_prompt():
    assert arguments_of(["items", "seed=1"]) == ["prompt=item_facts", "seed=1"]
    assert arguments_of(["users", "prompt=user_choices"]) == ["prompt=user_choices"]
    assert arguments_of(["seed=1"]) == ["seed=1"]


@pytest.mark.parametrize("name", sorted(path.stem for path in (conf_dir() / "prompt").glob("*.yaml")))
def test_every_prompt_is_filled(name, data, model, capsys):
    run(configuration(*data, *model, f"prompt={name}", "dry_run=true", "n_texts=3"))
    assert "calls" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("output=a.csv", r"ends in \.parquet"),
        ("n_texts=0", "n_texts is 0"),
        ("max_attempts=0", "max_attempts is 0"),
        ("language_model=causal", r"needs language_model\.weights"),
        ("prompt.template=words", "has no field"),
        ("prompt.template='{colour}'", "no column 'colour'"),
        ("prompt.text='{text}'", "go together"),
        ("budget.max_cost=1", "needs both prices"),
        ("language_model.temperature=-1", "temperature is -1"),
    ],
)
def test_impossible_values_are_errors(override, message, cache_dir):
    with pytest.raises(ConfigError, match=message):
        run(configuration("data=synthetic", f"paths.cache_dir={cache_dir}", override))
