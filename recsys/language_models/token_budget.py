"""A budget of tokens and money for calls of a language model."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from recsys.schema import ConfigError, RecsysError
from recsys.support.number_checks import check_number, check_whole


class BudgetError(RecsysError):
    """The budget is used up; finished answers are kept."""


@dataclass
class TokenBudget:
    """Limits and sums of tokens and money for new calls; answers in the cache cost nothing. Threads may share it.

    A call reserves its largest possible cost before it is sent, so that concurrent calls cannot exceed the budget.

    Attributes:
        max_tokens: Largest number of tokens of prompts and answers; None for no limit.
        max_cost: Largest amount of money, in the currency of the prices; None for no limit.
        price_per_million_prompt_tokens: Price of a million tokens of prompts.
        price_per_million_completion_tokens: Price of a million tokens of answers.

    Raises:
        ConfigError: If a limit or a price is impossible, or there is a `max_cost` without prices.
    """

    max_tokens: int | None = None
    max_cost: float | None = None
    price_per_million_prompt_tokens: float | None = None
    price_per_million_completion_tokens: float | None = None
    prompt_tokens: int = field(default=0, init=False)
    completion_tokens: int = field(default=0, init=False)
    _reserved: list[tuple[int, int]] = field(default_factory=list, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        prices = self.price_per_million_prompt_tokens, self.price_per_million_completion_tokens
        check_whole("budget.max_tokens", self.max_tokens, 0, optional=True)
        check_number("budget.max_cost", self.max_cost, at_least=0, optional=True)
        for kind, price in zip(("prompt", "completion"), prices, strict=True):
            check_number(f"budget.price_per_million_{kind}_tokens", price, at_least=0, optional=True)
        if self.max_cost is not None and None in prices:
            raise ConfigError(
                "budget.max_cost needs both prices: give budget.price_per_million_prompt_tokens and "
                "budget.price_per_million_completion_tokens."
            )

    @property
    def cost(self) -> float | None:
        """Money spent; None without prices."""
        return self.cost_of(self.prompt_tokens, self.completion_tokens)

    def cost_of(self, prompt_tokens: int, completion_tokens: int) -> float | None:
        """The cost of tokens, whether they are spent or not; None without prices."""
        read, wrote = self.price_per_million_prompt_tokens, self.price_per_million_completion_tokens
        if read is None or wrote is None:
            return None
        return (prompt_tokens * read + completion_tokens * wrote) / 1e6

    def reserve(self, prompt_tokens: int, completion_tokens: int) -> None:
        """Set aside the largest cost of a call.

        Raises:
            BudgetError: If it could exceed the budget.
        """
        with self._lock:
            prompts = self.prompt_tokens + sum(own for own, _ in self._reserved) + prompt_tokens
            completions = self.completion_tokens + sum(own for _, own in self._reserved) + completion_tokens
            cost = self.cost_of(prompts, completions)
            over = []
            if self.max_tokens is not None and prompts + completions > self.max_tokens:
                over.append(f"budget.max_tokens={self.max_tokens:,}")
            if self.max_cost is not None and cost is not None and cost > self.max_cost:
                over.append(f"budget.max_cost={self.max_cost:g}")
            if over:
                spent, next_call = self.prompt_tokens + self.completion_tokens, prompt_tokens + completion_tokens
                raise BudgetError(
                    f"the next call, of up to {next_call:,} tokens, could exceed {' and '.join(over)}; {spent:,} "
                    "tokens are spent, and their answers are saved. The same command continues from there: its budget "
                    "is for new calls only."
                )
            self._reserved.append((prompt_tokens, completion_tokens))

    def settle(self, reserved: tuple[int, int], spent: tuple[int, int] | None) -> None:
        """Give a reservation back, and count what the call did cost; None for a call without an answer."""
        prompt_tokens, completion_tokens = spent or (0, 0)
        with self._lock:  # in one step: another thread's reservation must see one of the two
            self._reserved.remove(reserved)
            self.prompt_tokens += prompt_tokens
            self.completion_tokens += completion_tokens

    def spend(self, prompt_tokens: int, completion_tokens: int) -> None:
        """Count the tokens of calls."""
        with self._lock:
            self.prompt_tokens += prompt_tokens
            self.completion_tokens += completion_tokens
