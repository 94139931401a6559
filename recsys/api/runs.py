"""The result of `recsys.run` and `recsys.load`: metrics as a frame, recommendations, and a card for notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import polars as pl
from omegaconf import DictConfig

from recsys.api.datasets import OwnData
from recsys.config.compose import compose
from recsys.experiment.finished import Run, finished_run
from recsys.reports.cards import card, list_html, table_html
from recsys.reports.encoding import run_warnings
from recsys.reports.formatting import counted, number, seconds
from recsys.schema import TEST, VAL, ConfigError
from recsys.tracking.store import Store

SHOWN = ("ndcg@10", "recall@10", "mrr", "coverage@10")  # the metrics of `repr`, if they were measured


@dataclass(repr=False)
class InteractiveRun(Run):
    """A run of the store, with its metrics as a frame and with recommendations."""

    @classmethod
    def of(cls, run: Run) -> InteractiveRun:
        """The same run with frames and recommendations."""
        return cls(**{entry.name: getattr(run, entry.name) for entry in fields(Run)})

    @property
    def metrics(self) -> pl.DataFrame:
        """`stage`, `metric` and `value`, one row for each metric."""
        found = [(*name.split("/", 1), value) for name, value in self.record.metrics.items() if "/" in name]
        return pl.DataFrame(found, schema=["stage", "metric", "value"], orient="row")

    def recommend(self, user: Any = None, *, history: Sequence[Any] | None = None, top_k: int = 10) -> pl.DataFrame:
        """The best items for known users, or for a new one: `user_id`, `rank`, `item_id`, `title`, `score`, best first.

        Args:
            user: One id of the data, or a list, array, series or frame of ids.
            history: Item ids of a new user, oldest first.
            top_k: Number of items for each user.

        Raises:
            ConfigError: If an id is not in the data, not one of user and history is given, or the model cannot
                represent new users.
        """
        from recsys.serving.requests import recommend_items

        return recommend_items(self, user, history, top_k)

    def __repr__(self) -> str:
        record = self.record
        shown = ", ".join(f"{name} {number(value)}" for name, value in self._shown().items())
        lines = [f"Run {record.name!r} ({record.run_id}), seed {record.seed}: {shown}", f"  {self._facts()}"]
        return "\n".join([*lines, *(f"  warning: {warning}" for warning in run_warnings(record))])

    def _repr_html_(self) -> str:
        rows = [(name, number(value)) for name, value in self._shown().items()]
        title = f"Run {self.record.name}, seed {self.record.seed}"
        body = table_html(["", "value"], rows) + list_html("Warnings", run_warnings(self.record))
        return card(title, body, f"{self._facts()}; id {self.record.run_id}")

    def _shown(self) -> dict[str, float]:
        """The main metrics of the test, or of validation if nothing was tested."""
        metrics = self.record.metrics
        stage = TEST if any(name.startswith(f"{TEST}/") for name in metrics) else VAL
        names = [f"{stage}/{metric}" for metric in SHOWN]
        return {name: metrics[name] for name in names if name in metrics}

    def _facts(self) -> str:
        record = self.record
        data = f"{record.protocol.get('data')}, split {record.protocol.get('split')}"
        return f"{data}, {counted(record.epochs or 0, 'epoch')}, {seconds(record.times.get('total', 0.0))}"


def open_run(run: str | Path, runs_dir: str | Path | None = None) -> InteractiveRun:
    """Reopen a run of the store; see `recsys.load`."""
    if Path(run).is_dir():
        return InteractiveRun.of(finished_run(str(run), ""))
    store = Store(Path(runs_dir or compose().paths.runs_dir))
    ids = [] if str(run) in store.ids() else store.abbreviated(str(run))
    if len(ids) > 1:
        raise ConfigError(f"run {run} is the beginning of {', '.join(ids)}; give one of them.")
    return InteractiveRun.of(finished_run(ids[0] if ids else str(run), store.root))


def make_run(configuration: Sequence[Any], data: OwnData | None) -> InteractiveRun:
    """Make a run, or find it; see `recsys.run`."""
    from recsys.experiment.run import run

    if len(configuration) == 1 and isinstance(configuration[0], DictConfig):
        if data is not None:
            raise ConfigError("recsys.run with data=… takes overrides; it cannot take a composed configuration.")
        return InteractiveRun.of(run(configuration[0]))
    return InteractiveRun.of(run(compose(overrides_of(configuration, data))))


def overrides_of(given: Sequence[Any], data: OwnData | None = None) -> list[str]:
    """Overrides that were given one by one or in lists, after those of the data.

    Example:
        >>> overrides_of(["encoder=tfidf", ["ranker=cf", "seed=1"]])
        ['encoder=tfidf', 'ranker=cf', 'seed=1']

    Raises:
        ConfigError: If one of them is not a string, or the data was not made by `recsys.dataset`.
    """
    if data is not None and not isinstance(data, OwnData):
        raise ConfigError(f"data is of type {type(data).__qualname__}; expected the result of recsys.dataset(…).")
    flat = [
        one
        for entry in given
        for one in ([entry] if isinstance(entry, str) or not isinstance(entry, Sequence) else entry)
    ]
    if not all(isinstance(one, str) for one in flat):
        raise ConfigError(f"overrides are {flat!r}; expected texts such as 'encoder=tfidf'.")
    return [*([] if data is None else data.overrides), *flat]
