"""Texts about users: what is written, and that nothing of the future is."""

from __future__ import annotations

import re

import numpy as np
import polars as pl
import pytest
import torch

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.data.queries import Examples, histories, stage_queries, train_examples
from recsys.data.ragged import ItemLists
from recsys.data.splits.user_temporal import UserTemporalSplitter
from recsys.data.user_texts import check_prompt, snapshot_ends, write_texts
from recsys.schema import ConfigError, UserPrompt
from recsys.training.encoded_user_texts import UserTexts

PROMPT = UserPrompt("Liked: {items}.", "Unknown.", "; ", n_items=3, n_snapshots=2)
LISTS = ItemLists(np.array([0, 4, 4, 6]), np.array([5, 6, 7, 8, 1, 2], dtype=np.int32))
TEXTS = pl.Series([f"<{item}>" for item in range(9)])


def written(prompt, rows, ends, people=None, texts=TEXTS):
    people = pl.DataFrame({"user_id": ["u"] * len(rows)}) if people is None else people
    return write_texts(prompt, LISTS, np.array(rows), np.array(ends), texts, people)


def test_the_newest_items_are_written_newest_first():
    assert written(PROMPT, [0, 0, 1, 2], [4, 1, 0, 2]) == [
        "Liked: <8>; <7>; <6>.",
        "Liked: <5>.",
        "Unknown.",
        "Liked: <2>; <1>.",
    ]


def test_an_item_without_text_is_not_named():
    texts = TEXTS.to_list()
    texts[7], texts[1], texts[2] = " ", "", ""
    assert written(PROMPT, [0, 2], [4, 2], texts=pl.Series(texts)) == ["Liked: <8>; <6>.", "Unknown."]


def test_columns_of_the_users_are_written_where_they_are_known():
    prompt = UserPrompt("{job} of {age}. Liked: {items}.", "Unknown.", "; ", 3, 2)
    people = pl.DataFrame({"user_id": ["a", "b", "c"], "age": [25, None, None], "job": ["cook", "nurse", None]})
    expected = ["cook of 25. Liked: <5>.", "nurse. Liked: <1>.", "Unknown."]
    assert written(prompt, [0, 2, 1], [1, 1, 0], people) == expected
    with pytest.raises(ConfigError, match=r"profile\.template: .* has no column 'job'; it has items, user_id"):
        written(prompt, [0], [1])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"n_items": 0}, "profile.n_items is 0"),
        ({"n_snapshots": True}, "profile.n_snapshots is True"),
        ({"template": "A person."}, "expected a field, as in"),
        ({"template": "{items"}, "malformed"),
        ({"empty": " "}, "profile.empty is empty"),
    ],
)
def test_impossible_prompts_are_refused(values, message):
    prompt = {"template": "{items}", "empty": "?", "separator": ";", "n_items": 1, "n_snapshots": 1} | values
    with pytest.raises(ConfigError, match=re.escape(message)):
        check_prompt(UserPrompt(**prompt))


@pytest.mark.parametrize(("n_snapshots", "expected"), [(1, [0, 0, 2, 2]), (2, [0, 1, 2, 2]), (9, [0, 1, 2, 3])])
def test_a_history_is_cut_at_equal_shares(n_snapshots, expected):
    rows, places = np.zeros(4, dtype=np.int64), np.arange(4)
    examples = Examples(rows, LISTS.values[:4].astype(np.int64), LISTS, rows, places)
    assert snapshot_ends(examples, n_snapshots).tolist() == expected


def test_what_is_clicked_again_is_in_no_text_of_its_impression():
    rows = np.array([0, 0, 1, 2])
    examples = Examples(rows, np.array([7, 3, 3, 1]), LISTS, rows, LISTS.lengths[rows], shown=LISTS)
    assert snapshot_ends(examples, 4).tolist() == [2, 4, 0, 0]


def made_split(n_users=30, n_items=40):
    generator = np.random.default_rng(0)
    frames = []
    for user in range(n_users):
        items = generator.permutation(n_items)[: generator.integers(5, 25)]
        times = generator.permutation(1000)[: len(items)]
        frames.append(pl.DataFrame({"user": [user] * len(items), "item": items, "timestamp": times}))
    pairs = pl.concat(frames).with_columns(pl.col("user", "item").cast(pl.Int32), value=pl.lit(1.0, pl.Float32))
    items = pl.DataFrame({"item_id": map(str, range(n_items)), "text": [f"<{item}>" for item in range(n_items)]})
    users = pl.DataFrame({"user_id": map(str, range(n_users))})
    return UserTemporalSplitter().split(Dataset("made", pairs, items, users))


class Encoded:
    """In place of an encoder: a random vector for each text, and all texts that it was given."""

    def __init__(self) -> None:
        self.given: list[str] = []

    def __call__(self, texts):
        self.given += texts
        vectors = [np.random.default_rng(list(text.encode())).normal(size=4) for text in texts]
        return np.array(vectors, dtype=np.float32), {"seconds": 0.0}


def named(text: str) -> set[int]:
    return {int(item) for item in re.findall(r"<(\d+)>", text)}


@pytest.mark.parametrize(("n_items", "n_snapshots"), [(100, 1), (100, 4), (3, 100)])
def test_no_text_of_training_has_its_positive_or_what_came_later(n_items, n_snapshots):
    split, encode = made_split(), Encoded()
    texts = UserTexts(split, UserPrompt("{items}", "?", ";", n_items, n_snapshots), encode)
    examples = train_examples(split)
    assert any(map(named, texts.train_texts))
    for row, text in enumerate(texts.train_texts):
        before = examples.history[examples.rows[row]][: examples.before[row]]
        assert named(text) <= set(before.tolist())
        assert examples.positives[row] not in named(text)
    assert texts.train.rows.shape == (len(examples.users),)
    by_user: dict[int, set[str]] = {}
    for user, text in zip(examples.users, texts.train_texts, strict=True):
        by_user.setdefault(user, set()).add(text)
    assert all(len(own) <= n_snapshots + 1 for own in by_user.values())
    later = set(split.validation.rows()) | set(split.test.rows())
    pairs = {(int(user), item) for user, own in by_user.items() for text in own for item in named(text)}
    assert pairs.isdisjoint({row[:2] for row in later})
    assert set(encode.given) == set(texts.train_texts)


@pytest.mark.parametrize("stage", [schema.VAL, schema.TEST])
def test_texts_of_a_stage_tell_all_that_is_known_and_nothing_more(stage):
    split = made_split()
    texts, queries = UserTexts(split, UserPrompt("{items}", "?", ";", 100, 4), Encoded()), stage_queries(split, stage)
    known = histories(split, stage)
    for user, text in enumerate(texts.stage_texts(queries)):
        assert named(text) == set(known[user].tolist())
    positives = split.targets(stage)
    for user, item in positives.select("user", "item").iter_rows():
        assert item not in named(texts.stage_texts(queries)[user])


def test_vectors_are_those_of_the_texts_scaled_by_the_texts_of_training():
    split, encode = made_split(), Encoded()
    texts = UserTexts(split, PROMPT, encode)
    vectors = texts.train.vectors
    torch.testing.assert_close(vectors.mean(dim=0), torch.zeros(4), atol=1e-6, rtol=0)
    torch.testing.assert_close(vectors.square().sum(dim=1).mean(), torch.tensor(1.0))
    place = torch.tensor([7, 3, 7])
    expected = texts.scaled(torch.from_numpy(encode([texts.train_texts[row] for row in place])[0]))
    torch.testing.assert_close(texts.train.take(place), expected)
    queries = stage_queries(split, schema.TEST)
    whole = texts.stage_texts(queries)
    chosen = torch.tensor([4, 0])
    expected = texts.scaled(torch.from_numpy(encode([whole[queries.rows[row]] for row in chosen])[0]))
    torch.testing.assert_close(texts.stage(schema.TEST).take(chosen), expected)
    torch.testing.assert_close(texts.known_users()[torch.from_numpy(queries.users)[chosen]], expected)
    assert texts.reports[schema.TRAIN]["n_read"] == len(texts.train_texts)
    assert texts.reports[schema.TRAIN]["n_nothing_known"] == texts.train_texts.count("Unknown.")
