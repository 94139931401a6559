"""The users of the main difference, chosen by hand-made values."""

from __future__ import annotations

import pytest
from reports.made_runs import made_run, small_study

from recsys.reports.comparison import compare
from recsys.reports.html.page import Heading, render
from recsys.reports.report import blocks
from recsys.reports.user_examples import GAIN, LOSS, SAMPLED, UserExample, choose_users, main_pair, users_section
from recsys.schema import ComparisonError
from recsys.tracking.store import Store

FIRST = [1.0, 0.5, 0.0, 0.25, 0.25, 0.0]
SECOND = [0.0, 0.25, 1.0, 0.25, 0.25, 0.0]  # user 0 gains 1, user 1 a quarter; user 2 loses 1


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "runs")


@pytest.fixture
def comparison(store):
    runs = [made_run(store, "bert", "dot", 0, FIRST), made_run(store, "tfidf", "dot", 0, SECOND)]
    return compare(runs, store, None, ["ndcg@10"])


def chosen(comparison, n, seed=0, pair=("bert+dot", "tfidf+dot")):
    return choose_users(comparison, pair, n, seed)


def test_the_largest_gains_come_first_then_the_losses_then_others(comparison):
    found = chosen(comparison, 2)
    assert [(own.user, own.reason) for own in found.users[:3]] == [("u0", GAIN), ("u1", GAIN), ("u2", LOSS)]
    assert [own.reason for own in found.users[3:]] == [SAMPLED] * 2
    assert {own.user for own in found.users[3:]} < {"u3", "u4", "u5"}
    assert (found.n_better, found.n_worse, found.n_equal) == (2, 1, 3)
    assert (found.users[0].first, found.users[0].second, found.users[0].n_history) == (1.0, 0.0, 1)


def test_users_by_chance_depend_on_the_seed_alone(comparison):
    draws = [[own.user for own in chosen(comparison, 1, seed).users if own.reason == SAMPLED] for seed in range(12)]
    assert draws == [
        [own.user for own in chosen(comparison, 1, seed).users if own.reason == SAMPLED] for seed in range(12)
    ]
    assert len({user for (user,) in draws}) > 1


def test_the_other_order_of_the_pair_turns_gains_into_losses(comparison):
    found = chosen(comparison, 1, pair=("tfidf+dot", "bert+dot"))
    assert [(own.user, own.reason) for own in found.users[:2]] == [("u2", GAIN), ("u0", LOSS)]


def test_of_a_metric_that_should_be_low_lower_values_are_gains(store):
    changes = {"directions": {"ndcg@10": False, "recall@10": True, "coverage@10": True}}
    runs = [
        made_run(store, "bert", "dot", 0, FIRST, **changes),
        made_run(store, "tfidf", "dot", 0, SECOND, **changes),
    ]
    found = chosen(compare(runs, store, None, ["ndcg@10"]), 1)
    assert [(own.user, own.reason) for own in found.users[:2]] == [("u2", GAIN), ("u0", LOSS)]


def test_seeds_and_queries_of_a_user_are_averaged(store):
    users = ["a", "a", "b"]
    runs = [
        made_run(store, "bert", "dot", 0, [1.0, 0.5, 0.0], users=users),
        made_run(store, "bert", "dot", 1, [0.5, 0.0, 0.0], users=users),
        made_run(store, "tfidf", "dot", 0, [0.0, 0.0, 0.25], users=users),
        made_run(store, "tfidf", "dot", 1, [0.0, 0.0, 0.75], users=users),
    ]
    found = chosen(compare(runs, store, None, ["ndcg@10"]), 3)
    assert [(own.user, own.first, own.second) for own in found.users] == [("a", 0.5, 0.0), ("b", 0.0, 0.5)]


def test_the_main_pair_is_the_best_cell_and_the_baseline_or_the_next_best(store):
    runs = small_study(store)  # bert+dot, tfidf+dot, popularity
    assert main_pair(compare(runs, store, "popularity", ["ndcg@10"])) == ("bert+dot", "popularity")
    assert main_pair(compare(runs, store, "bert+dot", ["ndcg@10"])) == ("bert+dot", "tfidf+dot")
    without = compare(runs, store, None, ["ndcg@10"])
    assert main_pair(without) == ("bert+dot", "tfidf+dot")
    assert main_pair(without, ["popularity", runs[2].run_id]) == ("popularity", "tfidf+dot")
    assert main_pair(compare(runs, store, None, ["coverage@10"])) is None
    with pytest.raises(ComparisonError, match=r"user_examples\.pair.*two different"):
        main_pair(without, ["popularity", "popularity"])
    with pytest.raises(ComparisonError, match=r"user_examples\.pair: .*'nothing'"):
        main_pair(without, ["popularity", "nothing"])


def example(title):
    lists = ([(title, True), ("Brazil", False)], [("Brazil", False)])
    return UserExample(["Alien"], [title], 3, lists)


def test_the_report_has_each_user_with_both_lists_and_the_hits(comparison):
    choice = chosen(comparison, 1)
    examples = {own.user: example("<b>Heat</b>") for own in choice.users}
    section = users_section(choice, examples, None, hide_ids=True)
    text, page = "\n".join(blocks(section, None)), render(Heading("T", "S"), [], [section])
    assert r"| 1 | **✓ \<b>Heat\</b>** | Brazil |" in text.replace("\\>", ">")
    assert "| 2 | Brazil |  |" in text
    assert "and 2 more" in text
    assert "u0" not in text + page.partition("<script")[0]
    assert page.count('<details class="own">') == 3
    assert "<strong>✓ &lt;b&gt;Heat&lt;/b&gt;</strong>" in page


def test_ids_are_shown_on_request_and_a_problem_instead_of_lists(comparison):
    choice = chosen(comparison, 1)
    section = users_section(choice, {}, "run x has no model.safetensors", hide_ids=False)
    assert [row[0].text for row in section.tables[0].grid.rows] == [own.user for own in choice.users]
    assert section.details == []
    assert "not shown: run x has no model.safetensors" in section.sentences[1]
