"""Runs whose profile is what an encoder makes of a text about the user."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from rich.console import Console

import recsys
from recsys.commands.recommend import run as recommend_command
from recsys.experiment.build import build_datamodule
from recsys.experiment.evaluation import evaluate_again
from recsys.schema import ConfigError
from recsys.serving.command_inputs import chosen_users
from recsys.serving.explaining import check_explains
from recsys.serving.model import serve
from recsys.serving.new_texts import with_profile_texts
from recsys.serving.ranking import rank
from recsys.serving.users import known_users, new_user

ALONE = ["encoder=tfidf", "ranker=dot", "profile=text"]
FUSED = ["encoder=tfidf", "ranker=cf", "profile=text", "profile.fuse=gate", "+profile@profile.other=mean"]


@pytest.fixture(scope="module")
def alone(run_of):
    return recsys.load(run_of(*ALONE).folder)


@pytest.fixture(scope="module")
def fused(run_of):
    return recsys.load(run_of(*FUSED).folder)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["alone", "fused"])
@torch.no_grad()
def test_known_users_are_served_as_they_were_tested(name, request):
    run = request.getfixturevalue(name)
    served = serve(run)
    batch = next(iter(build_datamodule(run.cfg, run.split, run.model).test_dataloader()))
    tested = run.model.score_catalogue(batch.users, served.item_vectors)
    users = known_users(served, [served.run.split.dataset.users["user_id"][int(row)] for row in batch.users.idx])
    asked = users.batch(np.arange(len(users)), served.max_history)
    torch.testing.assert_close(run.model.score_catalogue(asked, served.item_vectors), tested)
    assert tested.std(dim=0).max() > 0


@pytest.mark.slow
def test_a_reopened_run_is_tested_alike(fused):
    again = evaluate_again(fused)
    assert again["test/ndcg@10"] == pytest.approx(fused.record.metrics["test/ndcg@10"], abs=1e-9)


def test_the_record_tells_how_texts_about_users_were_read(alone):
    found = alone.record.encoding["users"]
    assert list(found) == ["train", "val", "test"]
    assert found["train"]["n_read"] == alone.split.train.height
    assert 0 < found["train"]["n_texts"] <= 5 * alone.split.dataset.n_users
    assert found["test"]["n_zero"] == 0


@pytest.mark.parametrize("name", ["alone", "fused"])
def test_a_new_user_with_a_known_users_items_gets_the_same(name, request):
    served = serve(request.getfixturevalue(name))
    user = known_users(served, ["42"])
    new = with_profile_texts(served, new_user(user.history[0].astype(np.int64)), [""])
    torch.testing.assert_close(new.texts, user.texts, atol=1e-5, rtol=0)
    assert torch.equal(rank(served, new, 10).items, rank(served, user, 10).items)


@pytest.mark.parametrize("name", ["alone", "fused"])
def test_the_words_of_a_new_user_are_the_profile(name, request):
    served = serve(request.getfixturevalue(name))
    text = "Liked comedies, and Alien (1979). Horror, Sci-Fi"
    cfg = recsys.compose([f"run={served.run.folder}", f"text='{text}'"], "recommend")
    _, users = chosen_users(cfg, served, Console(file=io.StringIO()))
    vectors, _ = served.user_texts.encode([text])
    torch.testing.assert_close(users.texts, served.user_texts.scaled(torch.from_numpy(vectors)), atol=1e-5, rtol=0)


def test_a_file_of_new_users_by_items_and_words(fused, tmp_path):
    item = fused.split.dataset.items["item_id"][3]
    (tmp_path / "u.csv").write_text(f"history,text\n{item},\n,a comedy\n")
    screen = Console(file=io.StringIO(), width=120)
    asked = [f"run={fused.folder}", f"users={tmp_path}/u.csv", "top_k=2"]
    recommend_command(recsys.compose(asked, "recommend"), screen)
    assert "user new 2" in screen.file.getvalue()


def test_the_whole_text_cannot_be_told_apart_into_items(alone):
    with pytest.raises(ConfigError, match="reads a text about the user as a whole"):
        check_explains(serve(alone))
