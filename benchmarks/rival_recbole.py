"""Times or trains one of RecBole's models inside RecBole's own environment and prints one JSON line.

Its argument is a JSON object: the `task` (`time` or `train`), RecBole's `options`, and the task's own arguments.
"""

# mypy: disable-error-code="import-not-found"
from __future__ import annotations

import copy
import importlib.metadata
import itertools
import json
import logging
import os
import resource
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from compared_models import digest
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.data.dataloader import FullSortEvalDataLoader
from recbole.data.interaction import cat_interactions
from recbole.model.abstract_recommender import SequentialRecommender
from recbole.trainer import Trainer
from recbole.utils import get_model, init_seed


def main() -> None:
    """Do the task that the argument describes."""
    arguments = json.loads(sys.argv[1])
    torch.set_num_threads(1)
    # What RecBole 1.2.1 makes pandas and torch of today warn about is of no concern here.
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    tasks: dict[str, Callable[..., dict[str, Any]]] = {"time": measure, "train": train}
    task = tasks[arguments.pop("task")]
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)  # RecBole writes logs and checkpoints below the working directory
        print(json.dumps(task(**arguments)))


class Session:
    """A model of RecBole with its data and its trainer.

    Args:
        model: Its name.
        options: RecBole's options.
    """

    def __init__(self, model: str, options: dict[str, Any]) -> None:
        self.config = config = Config(model=model, config_dict=options)
        init_seed(config["seed"], config["reproducibility"])
        dataset = create_dataset(config)
        self.users, self.items = (
            dataset.inter_feat[name].to_numpy() for name in (dataset.uid_field, dataset.iid_field)
        )
        self.train, self.valid, self.test = data_preparation(config, dataset)
        self.model = get_model(model)(config, self.train.dataset)
        self.trainer = Trainer(config, self.model)
        self.trainer.eval_collector.data_collect(self.train)

    @property
    def is_sequential(self) -> bool:
        """Whether the model learns from the order of what users did."""
        return isinstance(self.model, SequentialRecommender)

    def sizes(self) -> dict[str, Any]:
        """What the split has; each user's first interaction is no example of a sequential model."""
        users = len(self.test.dataset)
        versions = {name: importlib.metadata.version(name) for name in ("recbole", "torch", "numpy", "scipy")}
        interactions = len(self.train.dataset) + (users if self.is_sequential else 0)
        return {"train_interactions": interactions, "test_users": users, "versions": versions}

    def evaluate(self, data: FullSortEvalDataLoader) -> dict[str, float]:
        """RecBole's metrics of the present weights."""
        return dict(self.trainer.evaluate(data, load_best_model=False))

    def with_users_at_once(self, at_once: int | None, users: int | None) -> FirstUsers:
        """The first `users` of the test part (None: all), for an evaluation of so many at once (None: as it is)."""
        if at_once is not None:
            # RecBole counts the scores of a batch, but of sequential models the users.
            scores_of_a_user = 1 if self.is_sequential else self.test.dataset.item_num
            self.config["eval_batch_size"] = at_once * scores_of_a_user
        chosen = FirstUsers(self.config, self.test.dataset, self.test._sampler)
        chosen.n = len(chosen) if users is None else -(-users // chosen.step)
        return chosen

    def mask_known(self) -> None:
        """Recommend no known item again: RecBole does so for sequential models, and for no others."""
        dataset, rank = self.test.dataset, self.trainer._full_sort_batch_eval
        known = torch.zeros(dataset.user_num, dataset.item_num, dtype=torch.bool)
        known[self.users, self.items] = True
        for part in (self.valid, self.test):
            known[part.dataset.inter_feat[dataset.uid_field], part.dataset.inter_feat[dataset.iid_field]] = False
        tested = torch.zeros(dataset.user_num, dtype=torch.int64)  # 0 is padding, which is never ranked
        validated = tested.clone()
        tested[dataset.inter_feat[dataset.uid_field]] = dataset.inter_feat[dataset.iid_field]
        held = self.valid.dataset.inter_feat
        validated[held[dataset.uid_field]] = held[dataset.iid_field]

        def masked(batch: Any) -> Any:
            interaction, scores, rows, positives = rank(batch)
            users = interaction[dataset.uid_field]
            scores[known[users]] = -torch.inf
            in_test = positives == tested[users]
            scores[in_test, validated[users[in_test]]] = -torch.inf
            return interaction, scores, rows, positives

        self.trainer._full_sort_batch_eval = masked


class FirstBatches:
    """The first batches of each epoch of a loader, with the seconds that their steps took.

    Args:
        loader: RecBole's.
        n: Batches of an epoch; None for all.
    """

    def __init__(self, loader: Any, n: int | None) -> None:
        self.loader, self.n = loader, len(loader) if n is None else n
        self.seconds = 0.0

    def __iter__(self) -> Iterator[Any]:
        start = None
        for batch in itertools.islice(iter(self.loader), self.n):
            start = time.perf_counter() if start is None else start
            yield batch
        self.seconds = time.perf_counter() - (start or 0.0)

    def seconds_of_others(self) -> float:
        """What the other batches would have taken."""
        return (len(self.loader) / self.n - 1) * self.seconds


class FirstUsers(FullSortEvalDataLoader):
    """The first batches of users of an evaluation; RecBole tells kinds of evaluations by the loader's class."""

    n: int
    seconds: float

    def __iter__(self) -> Iterator[Any]:
        start = time.perf_counter()
        yield from itertools.islice(super().__iter__(), self.n)
        self.seconds = time.perf_counter() - start

    def seconds_of_others(self) -> float:
        """What the other users would have taken."""
        return (len(self) / self.n - 1) * self.seconds


def measure(
    model: str,
    options: dict[str, Any],
    epochs: int,
    evaluations: int,
    large_batch: int,
    steps: int | None = None,
    users: int | None = None,
) -> dict[str, Any]:
    """Seconds of each epoch (negative sampling included) and of each evaluation of the test part.

    With `steps` an epoch is so many steps, and with `users` an evaluation so many users: their seconds are multiplied
    by how many times as many there are, and what an epoch or an evaluation costs but once is not.
    """
    session = Session(model, options)
    train = FirstBatches(session.train, steps)
    epoch_seconds = [_whole(train, session.trainer._train_epoch, train, epoch)[0] for epoch in range(epochs)]
    timed = _evaluations(session, None, users, evaluations)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    return {
        "epoch_seconds": epoch_seconds,
        "evaluation_seconds": [seconds for seconds, _ in timed],
        "large_batch_evaluation_seconds": [
            seconds for seconds, _ in _evaluations(session, large_batch, users, evaluations)
        ],
        "peak_mb": round(peak),
        "ndcg@10": timed[-1][1]["ndcg@10"],
        **session.sizes(),
    }


def _evaluations(session: Session, at_once: int | None, users: int | None, n: int) -> list[tuple[float, Any]]:
    part = session.with_users_at_once(at_once, users)
    return [_whole(part, session.evaluate, part) for _ in range(n)]


def _whole(part: FirstBatches | FirstUsers, function: Any, *arguments: Any) -> tuple[float, Any]:
    seconds, result = _seconds(function, *arguments)
    return seconds + part.seconds_of_others(), result


def train(model: str, options: dict[str, Any], scores: str) -> dict[str, Any]:
    """Train until validation no longer improves, and test the best weights.

    The scores of the test, known items at −∞, and their users' and items' raw ids go to the file `scores` (.npz).
    """
    session = Session(model, options)
    if session.is_sequential:
        session.mask_known()
    start, best = time.perf_counter(), Best(session.model)
    session.trainer.fit(session.train, session.valid, verbose=False, saved=False, callback_fn=best.look)
    seconds = time.perf_counter() - start
    best.restore()
    _tell_validation(session)
    tested = session.evaluate(session.test)
    _save_scores(session, scores)
    return {
        "test": tested["ndcg@10"],
        "validation": best.score,
        "epochs": best.epochs,
        "best_epoch": best.epoch,
        "seconds": seconds,
        "seconds_to_best": best.time - start,
        "parts": {"validation": _digest(session.valid), "test": _digest(session.test)},
        **session.sizes(),
    }


class Best:
    """The weights of the best validation, in memory."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.model, self.score, self.epoch, self.epochs, self.time = model, -1.0, -1, 0, 0.0
        self.state: dict[str, Any] = {}

    def look(self, epoch: int, score: float) -> None:
        """Told of each validation."""
        self.epochs = epoch + 1
        if score > self.score:
            self.score, self.epoch, self.time = float(score), epoch, time.perf_counter()
            self.state = copy.deepcopy(self.model.state_dict())

    def restore(self) -> None:
        """Put the best weights into the model, and forget what it keeps of others."""
        self.model.load_state_dict(self.state)
        for kept in getattr(self.model, "other_parameter_name", []):
            setattr(self.model, kept, None)


def _tell_validation(session: Session) -> None:
    """Let a model that encodes histories read those of the test, which hold the validation part, as ours does."""
    if hasattr(session.model, "history_item_id"):
        parts = [part.dataset.inter_feat for part in (session.train, session.valid)]
        known = session.train.dataset.copy(cat_interactions(parts))
        session.model.history_item_id, session.model.history_item_value, _ = known.history_item_matrix()


@torch.no_grad()
def _save_scores(session: Session, path: str) -> None:
    session.model.eval()
    batches = [session.trainer._full_sort_batch_eval(batch)[1] for batch in session.test]
    dataset = session.test.dataset
    idx = session.test.uid_list if hasattr(session.test, "uid_list") else dataset.inter_feat[dataset.uid_field]
    users = dataset.id2token(dataset.uid_field, idx.numpy())
    items = dataset.id2token(dataset.iid_field, np.arange(1, dataset.item_num))  # 0 is padding
    np.savez(path, scores=torch.cat(batches)[:, 1:].numpy(), users=users.astype(str), items=items.astype(str))


def _digest(data: FullSortEvalDataLoader) -> str:
    dataset = data.dataset
    fields = (dataset.uid_field, dataset.iid_field)
    users, items = (dataset.id2token(field, dataset.inter_feat[field].numpy()) for field in fields)
    return digest(zip(users, items, strict=True))


def _seconds(function: Any, *arguments: Any) -> tuple[float, Any]:
    start = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - start, result


if __name__ == "__main__":
    main()
