"""New users, by items or words, and items that the run never saw."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import torch

from recsys import schema
from recsys.encoders.none import NoneEncoder
from recsys.schema import ConfigError, RecsysError
from recsys.serving import new_texts
from recsys.serving.model import serve
from recsys.serving.new_items import check_serves_new_items
from recsys.serving.new_texts import check_serves_new_users, nearest, with_items, with_text
from recsys.serving.ranking import rank
from recsys.serving.users import known_users, new_user

ALIEN = "Alien (1979). Horror, Sci-Fi"


def test_a_new_user_with_a_known_users_history_gets_the_same(served):
    user = known_users(served, ["42"])
    same = rank(served, new_user(user.history[0].astype(np.int64)), 10)
    assert torch.equal(same.items, rank(served, user, 10).items)


@pytest.mark.slow
@pytest.mark.parametrize("overrides", [["encoder=tfidf", "ranker=dot"], ["encoder=tfidf", "ranker=cf", "profile=mean"]])
def test_new_items_leave_the_catalogue_as_it_was(run_of, overrides):
    served = serve(run_of(*overrides))
    extended = with_items(served, pl.DataFrame({"item_id": ["new"], "text": [ALIEN]}))
    torch.testing.assert_close(extended.item_vectors[:-1], served.item_vectors)
    before, after = (rank(each, known_users(served), served.n_items) for each in (served, extended))
    for user in (0, 9):
        order = after.items[user][after.items[user] != served.n_items][: before.items.shape[1]]
        assert torch.equal(order[order >= 0], before.items[user][before.items[user] >= 0])


def test_a_new_item_with_a_known_items_text_has_its_text_vector_and_its_score(served):
    items = served.items.with_columns(pl.col("item_id") + "-again").select("item_id", "text")
    extended = with_items(served, items)
    n = served.n_items
    np.testing.assert_allclose(extended.text_vectors[n:], served.text_vectors, atol=1e-6)
    torch.testing.assert_close(extended.item_vectors[n:], extended.item_vectors[:n])


def test_words_are_a_history_of_one_pseudo_item_that_is_not_recommended(served):
    text = served.items["text"][5]
    extended = with_text(served, text)
    found = rank(extended, new_user(np.array([served.n_items])), served.n_items + 1)
    by_item = rank(served, new_user(np.array([5])), served.n_items)
    kept = found.items[0][(found.items[0] >= 0) & (found.items[0] != 5)]
    assert torch.equal(kept, by_item.items[0][by_item.items[0] >= 0])
    assert served.n_items not in found.items


def test_what_was_understood_are_the_nearest_texts(served):
    row = served.items["text"].str.contains("Alien").arg_true()[0]
    title = served.titles[row]
    found = nearest(with_text(served, f"liked {served.items['text'][row]}"), served.n_items)
    assert found[0][0] == title
    assert len(found) == 5


def test_words_that_nobody_knows_are_refused(served):
    with pytest.raises(ConfigError, match="text='qwxz' has no word that the run's encoder knows"):
        with_text(served, "qwxz")


@pytest.mark.slow
def test_models_that_know_nothing_of_a_new_user_say_so(run_of):
    by_id = serve(run_of("encoder=none", "ranker=cf"))
    with pytest.raises(ConfigError, match=r"profile=id, which learns a vector .* use a run with a profile of"):
        check_serves_new_users(by_id, by_text=False)
    without_text = serve(run_of("encoder=none", "ranker=cf", "profile=mean"))
    check_serves_new_users(without_text, by_text=False)
    with pytest.raises(ConfigError, match=r"encoder=none features=\w+ profile=mean. Use a run with encoder=bert"):
        check_serves_new_users(without_text, by_text=True)
    by_graph = serve(run_of("ranker=lightgcn"))
    with pytest.raises(ConfigError, match=r"ranker=lightgcn, which learns"):
        check_serves_new_users(by_graph, by_text=False)


def test_ids_that_begin_as_texts_do_not_read_texts(run_of):
    served = serve(run_of("encoder=tfidf", "features=ids", "features.dim=8", "ranker=dot", "profile=mean"))
    check_serves_new_users(served, by_text=False)
    with pytest.raises(ConfigError, match=r"this one has encoder=tfidf features=ids profile=mean"):
        check_serves_new_users(served, by_text=True)
    with pytest.raises(ConfigError, match=r"ranker=dot features=ids encoder=tfidf, which represents only the items"):
        check_serves_new_items(served)


def test_neighbours_of_known_items_say_nothing_of_words(run_of):
    served = serve(run_of("encoder=tfidf", "ranker=itemknn"))
    check_serves_new_users(served, by_text=False)
    with pytest.raises(ConfigError, match="ranker=itemknn represents only the items that it was trained on"):
        check_serves_new_users(served, by_text=True)


def test_an_encoder_that_has_changed_is_found_out(served, monkeypatch):
    class Changed(NoneEncoder):
        def encode(self, texts):
            return np.ones((len(texts), served.text_vectors.shape[1]), dtype=np.float32)

    monkeypatch.setattr(new_texts, "fitted_encoder", lambda *_: Changed())
    with pytest.raises(RecsysError, match="gives other vectors for the catalogue's texts"):
        with_items(served, pl.DataFrame({schema.ITEM_ID: ["new"], schema.TEXT: [ALIEN]}))
