"""Names that are similar to a misspelt one."""

from __future__ import annotations

from recsys.support.near_names import near_names, nearest


def test_three_names_at_most_the_most_similar_first():
    known = ["min_rating", "max_rating", "rating", "ratings", "user"]
    assert near_names("rating_", known) == ["rating", "ratings", "min_rating"]
    assert nearest("rating_", known) == "; did you mean rating, ratings or min_rating?"
    assert nearest("ratin", ["rating"], "'") == "; did you mean 'rating'?"


def test_nothing_similar():
    assert nearest("zzz", ["rating"]) == ""
    assert near_names("zzz", ["rating", "user", "item", "time"], cutoff=0)[2:] != []
