"""Distillation: a small ranker learns the scores of a finished run."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

import recsys
from recsys.data.queries import histories
from recsys.experiment.evaluation import evaluate_again
from recsys.experiment.inputs import load_split
from recsys.experiment.refitting import refit_run
from recsys.experiment.run_identity import identify
from recsys.experiment.teacher import teacher_lists
from recsys.rankers.reranking import FLOOR
from recsys.reports.audits import has_language_model
from recsys.schema import TRAIN, ConfigError, UserBatch
from recsys.serving.audit.auditing import audit
from recsys.studies.runner import run_study
from recsys.tracking.audit_findings import IS_NOT_CHECKED, IS_UNKNOWN

pytestmark = pytest.mark.slow  # teachers and students are trained

STUDENT = ["encoder=none", "ranker=cf", "features.dim=8", "learning_rate=0.05", "trainer.max_epochs=8"]
STUDENT += ["callbacks=none"]


@pytest.fixture(scope="module")
def store(tmp_path_factory, small_data, cache_dir) -> list[str]:
    paths = [f"paths.cache_dir={cache_dir}", f"paths.runs_dir={tmp_path_factory.mktemp('runs')}"]
    return [*small_data, *paths]


@pytest.fixture(scope="module")
def teacher(store):
    return recsys.run([*store, "ranker=itemknn", "test_knowledge=train"])


def distilled(store, teacher, *settings) -> list[str]:
    run = ["loss=distil", f"loss.teacher={teacher.record.run_id}", "test_knowledge=train"]
    return [*store, *STUDENT, *run, "loss.temperature=0.2", "loss.n_candidates=50", *settings]


def divergence(run, lists) -> float:
    """KL(teacher ‖ model) over the teacher's candidates, the mean over train users."""
    users = torch.from_numpy(run.split.warm_users).nonzero().squeeze(1)
    items, scores, real = lists.of(UserBatch.without_history(users))
    with torch.no_grad():
        own, _ = run.model.score(UserBatch.without_history(users), items)
    probabilities, logs = [(each / 0.2).masked_fill(~real, -1e9).log_softmax(dim=1) for each in (scores, own)]
    return torch.nn.functional.kl_div(logs, probabilities, log_target=True, reduction="batchmean").item()


def test_a_model_learns_the_order_of_its_teacher(store, teacher):
    with_labels, without = (recsys.run(distilled(store, teacher, f"loss.weight={weight}")) for weight in (0.9, 0.0))
    lists = teacher_lists(with_labels.cfg, with_labels.split)
    assert divergence(with_labels, lists) < divergence(without, lists) / 2
    assert with_labels.record.contents["teacher"]["run_id"] == teacher.record.run_id
    reopened = recsys.load(with_labels.folder)
    assert evaluate_again(reopened).keys() <= with_labels.record.metrics.keys()


def test_the_lists_have_unseen_train_items_with_the_scores_of_the_train_histories(store, teacher):
    cfg = recsys.compose(distilled(store, teacher))
    split = load_split(cfg)
    lists, history = teacher_lists(cfg, split), histories(split, TRAIN)
    cold = torch.from_numpy(split.item_counts == 0)
    for user in range(0, split.dataset.n_users, 20):
        seen = torch.from_numpy(history[user]).long()
        batch = UserBatch(torch.tensor([user]), seen.unsqueeze(0), torch.ones(1, len(seen), dtype=torch.bool))
        scores = teacher.model.score_catalogue(batch, teacher.model.item_vectors(split.dataset.n_items))[0].clone()
        scores[seen], scores[cold] = -torch.inf, -torch.inf
        torch.testing.assert_close(lists.scores[user], scores.topk(50).values)
        torch.testing.assert_close(scores[lists.items[user].long()], lists.scores[user])


def test_lists_are_computed_once(store, teacher, monkeypatch):
    cfg = recsys.compose(distilled(store, teacher))
    split = load_split(cfg)
    first = teacher_lists(cfg, split)
    monkeypatch.setattr("recsys.experiment.teacher._computed", None)
    again = teacher_lists(cfg, split)
    assert torch.equal(first.items, again.items)
    assert torch.equal(first.scores, again.scores)


def test_another_teacher_is_another_run(store, teacher):
    other = recsys.run([*store, "ranker=popularity", "test_knowledge=train"])
    first, second = (identify(recsys.compose(distilled(store, each))) for each in (teacher, other))
    assert first != second


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["loss.teacher=null"], "needs loss.teacher"),
        (["loss.teacher=missing"], "no finished run"),
        (["test_knowledge=refit"], "both need test_knowledge=train"),
        (["loss.temperature=0"], "loss.temperature is 0"),
        (["loss.weight=1.5"], "loss.weight is 1.5"),
        (["loss.n_candidates=1"], "loss.n_candidates is 1"),
        (["split.seed=5"], "differs from this run in data or split"),
        (["train_share=0.5"], "differs from this run in train_share"),
    ],
)
def test_an_unfit_teacher_or_value_is_an_error(store, teacher, settings, message):
    with pytest.raises(ConfigError, match=message):
        recsys.run(distilled(store, teacher, *settings))


def test_a_teacher_that_knows_validation_interactions_is_an_error(store):
    refitted = recsys.run([*store, "ranker=popularity", "test_knowledge=refit"])
    with pytest.raises(ConfigError, match="has test_knowledge=refit"):
        recsys.run(distilled(store, refitted))


def test_a_prompt_ranker_teaches_its_candidates(store, tiny_decoder):
    prompt = ["ranker=prompt", *tiny_decoder["prompt"], "trainer.limit_val_batches=0", "ranker.n_diagnostic_users=0"]
    teacher = recsys.run([*store, *prompt])
    with pytest.raises(ConfigError, match="ranks 5 candidates"):
        recsys.run(distilled(store, teacher, "loss.n_candidates=6"))
    student = recsys.run(distilled(store, teacher, "loss.n_candidates=5", "trainer.max_epochs=1"))
    lists = teacher_lists(student.cfg, student.split)
    trained = torch.from_numpy(student.split.warm_users)
    assert (lists.scores[trained, 0] > FLOOR).all()
    assert (lists.scores[~trained] == -torch.inf).all()


def test_a_refit_learns_the_teacher_s_scores_of_the_whole_histories(store, teacher):
    run = recsys.run(distilled(store, teacher, "trainer.max_epochs=1"))
    made = refit_run(run)
    assert made.record.fitted_on["parts"] == ["train", "val", "test"]
    assert made.record.teacher["run_id"] == teacher.record.run_id
    lists, history = teacher_lists(made.cfg, made.split), histories(made.split, TRAIN)
    assert not torch.equal(lists.items, teacher_lists(run.cfg, run.split).items)
    listed = lists.scores > -torch.inf
    seen = torch.zeros(len(history), made.split.dataset.n_items, dtype=torch.bool)
    seen[tuple(torch.from_numpy(each) for each in history.pairs(np.arange(len(history))))] = True
    assert not (seen.gather(1, lists.items.long()) & listed).any()
    known = torch.from_numpy(teacher.split.item_counts > 0)
    assert known[lists.items[listed].long()].all()


def test_an_audit_of_a_student_asks_about_the_teacher_s_language_model(store, teacher, tiny_decoder):
    prompt = ["ranker=prompt", *tiny_decoder["prompt"], "trainer.limit_val_batches=0", "ranker.n_diagnostic_users=0"]
    student = recsys.run(distilled(store, recsys.run([*store, *prompt]), "loss.n_candidates=5", "trainer.max_epochs=1"))
    record = student.record
    assert has_language_model(record)
    assert not has_language_model(recsys.run(distilled(store, teacher, "trainer.max_epochs=1")).record)
    cfg = recsys.compose([f"run={record.run_id}", "memory.n_items=12", "memory.n_users=4", *store[-2:]], "audit")
    found = {each.check: each for each in audit(student, cfg)}
    assert found["pretraining of the language model, of the teacher"].status == IS_UNKNOWN
    assert found["biases of the prompt ranker, of the teacher"].status == IS_NOT_CHECKED
    titles = found["memory of titles of items"]
    assert titles.numbers or "different continuations" in titles.text


def test_a_study_tunes_a_distilled_cell(store, teacher, tmp_path):
    given = {own.split("=")[0]: own for own in distilled(store, teacher) if not own.startswith("paths.")}
    common = list(given.values())
    paths = [own for own in store if own.startswith("paths.")]
    cfg = recsys.compose(
        [
            *paths,
            "study=default",
            "study.name=students",
            f"study.common={json.dumps(common)}",
            'study.cells={student: ["optimizer=adam"]}',
            "study.seeds=[0]",
            "search=random",
            "search.n_trials=2",
            f"output={tmp_path}",
        ],
        "study",
    )
    (cell,) = run_study(cfg).record.cells
    assert len(cell.trials) == 2
    assert list(cell.run_ids) == ["0"]
