"""Builds the metrics of a stage from a config."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Protocol, cast

from recsys import schema
from recsys.metrics.accuracy import AccuracyMetric
from recsys.metrics.base import RankingMetric
from recsys.metrics.context import MetricContext
from recsys.metrics.item_segments import item_segments
from recsys.metrics.ranked import RankingRules
from recsys.metrics.stage import StageMetrics, labels
from recsys.schema import ConfigError
from recsys.support.number_checks import check_whole, check_wholes


class MetricConstructor(Protocol):
    """A metric whose yaml entry is `_partial_`; `keywords` may have its own `top_k`."""

    func: type[RankingMetric]
    keywords: dict[str, Any]

    def __call__(self, *, top_k: Sequence[int] | None, context: MetricContext) -> RankingMetric:
        """The metric at these cut-offs."""


class MetricSuite:
    """The metrics of each stage.

    Args:
        metrics: Constructors by name.
        top_k: Cut-offs of all metrics that do not set their own.
        val: Metrics of validation, such as `[ndcg@10, auc]`; None for all.
        test: Metrics of the test, in the same form.
        segment_shares: Cumulative shares of the train interactions that end the head and the torso of the items;
            accuracy in the test is also reported for each segment. None for no segments.
        n_negatives: Number of sampled candidates in addition to the positives, in sampled metrics.
        seed: Seed of the order of ties and of sampled candidates; must be the same for all runs that are compared.

    Raises:
        ConfigError: If a value is unknown or impossible, or a metric does not declare its direction.
    """

    def __init__(
        self,
        metrics: Mapping[str, MetricConstructor],
        top_k: Sequence[int],
        val: Sequence[str] | None = None,
        test: Sequence[str] | None = None,
        segment_shares: Sequence[float] | None = None,
        n_negatives: int = 100,
        seed: int = 0,
    ) -> None:
        self.metrics = {name: _light(metric) for name, metric in metrics.items()}
        self._higher_is_better = {name: _declared(name, metric) for name, metric in metrics.items()}
        self.top_k = _cut_offs("metrics.top_k", top_k)
        self.chosen = {schema.VAL: self._choose("metrics.val", val), schema.TEST: self._choose("metrics.test", test)}
        self.segment_shares = _shares(segment_shares)
        check_whole("metrics.n_negatives", n_negatives, 1)
        self.n_negatives, self.seed = n_negatives, seed

    def names(self, stage: str) -> list[str]:
        """Names of the values of a stage (`schema.VAL` or `schema.TEST`), such as `ndcg@10`, if the data has texts."""
        return [text for name, cuts in self.chosen[stage].items() for text in labels(name, cuts)]

    def directions(self) -> dict[str, bool]:
        """Whether higher is better, by the name of each value of any stage, such as `ndcg@10`."""
        return {
            text: self._higher_is_better[name]
            for chosen in self.chosen.values()
            for name, cuts in chosen.items()
            for text in labels(name, cuts)
        }

    def ranges(self) -> dict[str, list[float | None]]:
        """The least and the greatest possible value, by the name of each value of any stage; None for no limit."""
        return {
            text: [self.metrics[name].func.plot_lower_bound, self.metrics[name].func.plot_upper_bound]
            for chosen in self.chosen.values()
            for name, cuts in chosen.items()
            for text in labels(name, cuts)
        }

    def beyond(self, length: int) -> list[str]:
        """Names of the test's values that need longer lists than `length` items, such as `auc` and `ndcg@20`."""
        chosen = self.chosen[schema.TEST].items()
        needs_all = {name: self.metrics[name].func.needs_all_scores for name, _ in chosen}
        values = [
            (text, needs_all[name], k)
            for name, cuts in chosen
            for text, k in zip(labels(name, cuts), cuts or (None,), strict=True)
        ]
        return [text for text, needs_all_scores, k in values if needs_all_scores or k is None or k > length]

    def build(self, stage: str, context: MetricContext) -> StageMetrics:
        """Fresh metrics for a stage (`schema.VAL` or `schema.TEST`) of this data."""
        chosen = {
            name: cuts
            for name, cuts in self.chosen[stage].items()
            if context.item_text_vectors is not None or not self.metrics[name].func.needs_text
        }
        metrics = self._construct(chosen, context)
        masks = item_segments(context, self.segment_shares) if self.segment_shares and stage == schema.TEST else {}
        restrictable = {name: chosen[name] for name in _accuracy(metrics)}
        segments = {name: (mask, _accuracy(self._construct(restrictable, context))) for name, mask in masks.items()}
        return StageMetrics(metrics, segments if restrictable else {}, self._rules(metrics))

    def _construct(self, chosen: Mapping[str, list[int] | None], context: MetricContext) -> dict[str, RankingMetric]:
        return {name: self.metrics[name](top_k=cuts, context=context) for name, cuts in chosen.items()}

    def _rules(self, metrics: Mapping[str, RankingMetric]) -> RankingRules:
        cuts = [k for metric in metrics.values() if metric.reads_ranking for k in metric.cut_offs]
        depth = None if None in cuts else max((k for k in cuts if k is not None), default=1)
        return RankingRules(depth, self.seed, self.n_negatives)

    def _choose(self, key: str, texts: Sequence[str] | None) -> dict[str, list[int] | None]:
        """The cut-offs of each metric that a stage computes."""
        if texts is None:
            return {name: self._default_cut_offs(name) for name in self.metrics}
        if isinstance(texts, str):
            raise ConfigError(f"{key} is {texts!r}; expected a list, such as [{texts}], or null for all metrics.")
        chosen: dict[str, list[int] | None] = {}
        for text in texts:
            name, at, cut = str(text).partition("@")
            if name not in self.metrics or (at and not (cut.isdecimal() and int(cut) > 0)):
                known = ", ".join(self.metrics)
                raise ConfigError(f"{key} has {text!r}; expected names out of ({known}), with a cut-off as in ndcg@10.")
            if name in chosen and (not at or chosen[name] is None):
                raise ConfigError(f"{key} has {name} twice, once without a cut-off: leave one of them out.")
            chosen[name] = [*(chosen.get(name) or []), int(cut)] if at else None
        return chosen

    def _default_cut_offs(self, name: str) -> list[int] | None:
        own = self.metrics[name].keywords.get("top_k", self.top_k)
        return None if own is None else _cut_offs(f"metrics.metrics.{name}.top_k", own)


def _light(metric: MetricConstructor) -> MetricConstructor:
    """The same constructor without Hydra's check of the target, which takes longer than constructing the metric."""
    return cast(MetricConstructor, partial(metric.func, **metric.keywords))


def _declared(name: str, metric: MetricConstructor) -> bool:
    direction = getattr(metric.func, "higher_is_better", None)
    if not isinstance(direction, bool):
        raise ConfigError(
            f"metrics.metrics.{name}: {metric.func.__qualname__} does not declare its direction; "
            "set the class attribute `higher_is_better` to True or False."
        )
    return direction


def _cut_offs(key: str, values: Any) -> list[int]:
    check_wholes(key, values, 1, "[5, 10, 20]")
    return sorted(set(values))


def _shares(values: Any) -> list[float] | None:
    if values is None:
        return None
    numbers = list(values) if isinstance(values, Sequence) and not isinstance(values, str) else []
    if (
        len(numbers) != 2
        or not all(isinstance(number, float) for number in numbers)
        or not 0 < numbers[0] < numbers[1] < 1
    ):
        raise ConfigError(
            f"metrics.segment_shares is {values!r}; expected two increasing shares between 0 and 1, "
            "such as [0.33, 0.67], or null."
        )
    return numbers


def _accuracy(metrics: Mapping[str, RankingMetric]) -> dict[str, AccuracyMetric]:
    return {name: metric for name, metric in metrics.items() if isinstance(metric, AccuracyMetric)}
