"""Adam that leaves a large table's rows alone until they are read, and then makes up for the steps that they missed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recsys.layers.embedding import WarmEmbedding
from recsys.optim.deferred_updates import MissedSteps
from recsys.support.number_checks import check_number

ROWS_AT_ONCE = 2**14  # of a whole table, so that they stay in a processor's cache


class LazyAdam(torch.optim.Adam):
    """Adam, or AdamW, whose cost depends on the rows that a step reads, and not on the size of their tables.

    Adam moves every row in every step, by what is left of its earlier gradients where it has none. Those steps have a
    sum (`MissedSteps`), so a row makes them up at once: when it is read next, when the table is read whole, and before
    weights are saved. Weights are those of torch's own Adam but for rounding, and not `torch.optim.SparseAdam`'s, for
    which a missed step never was. It is torch's own for parameters that are no table, where it does not pay, and where
    it cannot be: on other devices than CPUs, and with an L2 penalty.

    Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015; for `decoupled_weight_decay`, Loshchilov and
    Hutter, "Decoupled Weight Decay Regularization", ICLR 2019.

    Args:
        params: Parameters, or groups of them.
        lr: Learning rate.
        weight_decay: An L2 penalty; or with `decoupled_weight_decay` the rate of AdamW's decay.
        decoupled_weight_decay: Whether it is AdamW.
        fused: As in torch.
        lazy_max_fraction: Rows are left alone in a table of which a step reads at most this share; 0 for never.
        lazy_min_elements: And in none that has fewer numbers than this: all of it is moved in no time.

    Raises:
        ConfigError: If the share is none.
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        weight_decay: float = 0.0,
        decoupled_weight_decay: bool = False,
        fused: bool = True,
        lazy_max_fraction: float = 0.0625,
        lazy_min_elements: int = 2**21,
    ) -> None:
        check_number("optimizer.lazy_max_fraction", lazy_max_fraction, at_least=0, at_most=1)
        options: dict[str, Any] = {"weight_decay": weight_decay, "decoupled_weight_decay": decoupled_weight_decay}
        super().__init__(params, lr=lr, fused=fused, **options)
        self.lazy_max_fraction, self.lazy_min_elements = lazy_max_fraction, lazy_min_elements
        self.tables: dict[WarmEmbedding, LazyTable] = {}
        self.register_state_dict_pre_hook(lambda _: self.catch_up())

    def watch(self, embeddings: Iterable[WarmEmbedding]) -> None:
        """Leave rows of these embeddings alone where that pays, until `release`."""
        groups = {weight: i for i, group in enumerate(self.param_groups) for weight in group["params"]}
        for embedding in embeddings:
            group = groups.get(embedding.weight)
            if group is not None and self.lazy_max_fraction and self._pays(embedding.weight, self.param_groups[group]):
                table = LazyTable(self, group, embedding.weight, int(self.lazy_max_fraction * embedding.num_embeddings))
                embedding.catch_up, self.tables[embedding] = table.read, table

    def release(self) -> None:
        """Catch up with all steps, and move all rows in all further ones."""
        self.catch_up()
        for embedding in self.tables:
            embedding.catch_up = None
        self.tables.clear()

    def catch_up(self) -> None:
        """Move all rows by the steps that they missed."""
        for table in self.tables.values():
            table.catch_up()

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step.

        Args:
            closure: As in torch: makes the gradients and returns the loss.

        Returns:
            The closure's loss.

        Raises:
            RuntimeError: If a gradient of all rows was made from some that had not caught up.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for table in self.tables.values():
            gradient = table.weight.grad
            if gradient is not None and gradient.is_sparse:
                table.step(gradient)
                table.weight.grad = None
            elif gradient is not None and table.missed.n_steps:
                raise RuntimeError("rows of an embedding were read that had not caught up: call it, or its `table()`.")
        super().step()
        return loss

    def _pays(self, weight: Tensor, group: dict[str, Any]) -> bool:
        possible = not group["weight_decay"] or group["decoupled_weight_decay"]
        return possible and weight.device.type == "cpu" and weight.numel() >= self.lazy_min_elements


class LazyTable:
    """A table with rows that have missed steps.

    Args:
        optimizer: Whose it is.
        group: Which of the optimizer's groups has it.
        weight: The table (n, dim).
        most: How many rows may be read at once with a gradient of these alone.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, group: int, weight: Tensor, most: int) -> None:
        self.optimizer, self.group, self.weight, self.most = optimizer, group, weight, most
        settings = optimizer.param_groups[group]
        self.missed = MissedSteps(settings["betas"], settings["eps"])
        self.last = np.zeros(len(weight), dtype=np.int32)  # the step that each row was moved by last

    def read(self, rows: Tensor | None) -> bool:
        """Let `rows` catch up, or all rows where these are many or None.

        Returns:
            Whether the gradient is to be one of these rows alone.
        """
        few = rows is not None and rows.numel() <= self.most
        self.catch_up(rows.reshape(-1) if few and rows is not None else None)
        return few

    @torch.no_grad()
    def catch_up(self, rows: Tensor | None = None) -> None:
        """Move `rows`, or all rows, by the steps that they missed."""
        if not self.missed.n_steps:
            return
        if rows is not None:
            self._catch_up(rows)
            return
        for some in torch.arange(len(self.weight)).split(ROWS_AT_ONCE):
            self._catch_up(some)
        self.missed.forget()
        self.last.fill(0)

    @torch.no_grad()
    def step(self, gradient: Tensor) -> None:
        """A step for the rows of a sparse gradient, which caught up when they were read."""
        gradient, state = gradient.coalesce(), self._state()
        group = self.optimizer.param_groups[self.group]  # loading a state makes new groups
        rows, of_rows = gradient.indices()[0], gradient.values()
        state["step"] += 1
        step, lr, (beta1, beta2) = int(state["step"]), group["lr"], group["betas"]
        decay = 1 - lr * group["weight_decay"]
        self.missed.append(step, lr, decay)
        weight, first, second = self._of(rows)
        first.lerp_(of_rows, 1 - beta1)
        second.mul_(beta2).addcmul_(of_rows, of_rows, value=1 - beta2)
        scale = second.sqrt().div_(math.sqrt(1 - beta2**step)).add_(group["eps"])
        weight.mul_(decay).addcdiv_(first, scale, value=-lr / (1 - beta1**step))
        self._write(rows, weight, first, second)

    def _catch_up(self, rows: Tensor) -> None:
        last = self.last[rows.numpy()]
        late = last < self.missed.n_steps
        if not late.all():
            rows, last = rows[torch.from_numpy(late)], last[late]
        if not len(rows):
            return
        factors = self.missed.since(last)
        moved, offset, *kept = (torch.from_numpy(each).to(self.weight.dtype).unsqueeze(1) for each in factors)
        weight, first, second = self._of(rows)
        weight.sub_(second.sqrt().add_(offset).reciprocal_().mul_(first).mul_(moved))
        self._write(rows, *(each.mul_(share) for each, share in zip((weight, first, second), kept, strict=True)))

    def _of(self, rows: Tensor) -> list[Tensor]:
        return [table.index_select(0, rows) for table in self._tables()]

    def _write(self, rows: Tensor, *values: Tensor) -> None:
        places = rows.numpy()
        for table, of_rows in zip(self._tables(), values, strict=True):
            table.detach().numpy()[places] = of_rows.numpy()  # in a third of the time of torch's index_copy_
        self.last[places] = self.missed.n_steps

    def _tables(self) -> tuple[Tensor, Tensor, Tensor]:
        state = self._state()
        return self.weight, state["exp_avg"], state["exp_avg_sq"]

    def _state(self) -> dict[str, Any]:
        state: dict[str, Any] = self.optimizer.state[self.weight]
        if not state:  # as torch makes it
            state["step"] = torch.zeros((), dtype=torch.float32)
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(self.weight), torch.zeros_like(self.weight)
        return state
