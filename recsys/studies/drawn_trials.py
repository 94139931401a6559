"""A sampler's view of a search: only the trials whose parameters were drawn."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any

from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState


def of_drawn_trials(sampler: BaseSampler) -> BaseSampler:
    """The sampler with this view; TPE itself, as with the first trial it models each parameter alone, as published."""
    return sampler if isinstance(sampler, TPESampler) else OfDrawnTrials(sampler)


class OfDrawnTrials(BaseSampler):
    """Hides the trial of a cell's own settings, which has no parameters, from a sampler.

    Samplers such as CMA-ES draw together the parameters that all trials have. One trial without any would leave none,
    and the search would be a random search.

    Args:
        sampler: The sampler.
    """

    def __init__(self, sampler: BaseSampler) -> None:
        self.sampler = sampler

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The parameters that are drawn together."""
        return self.sampler.infer_relative_search_space(_DrawnTrials(study), trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Their values."""
        return self.sampler.sample_relative(_DrawnTrials(study), trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """The value of a parameter that is drawn alone."""
        return self.sampler.sample_independent(_DrawnTrials(study), trial, param_name, param_distribution)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """See Optuna."""
        self.sampler.before_trial(study, trial)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """See Optuna."""
        self.sampler.after_trial(study, trial, state, values)


class _DrawnTrials(Study):
    """A study without its trials that have no parameters."""

    def __init__(self, study: Study) -> None:
        self.__dict__.update(study.__dict__)  # the same study in the same storage

    def _get_trials(
        self, deepcopy: bool = True, states: Container[TrialState] | None = None, use_cache: bool = False
    ) -> list[FrozenTrial]:
        return [trial for trial in super()._get_trials(deepcopy, states, use_cache) if trial.params]
