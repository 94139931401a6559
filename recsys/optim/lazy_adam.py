"""Adam with lazy row updates: a row of a large table is updated when it is read, for all steps since its last read."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recsys.optim.deferred_updates import MissedSteps
from recsys.optim.lazy_updates import LazyRows
from recsys.support.number_checks import check_number

ROWS_AT_ONCE = 2**14  # rows of a chunk in an update of a whole table, which fit the processor's cache


class LazyAdam(torch.optim.Adam):
    """Adam or AdamW whose cost depends on the number of rows that a step reads, not on the size of their tables.

    Adam updates every row in every step, since moments of earlier gradients still move it. The updates of steps without
    a gradient have a sum in closed form (`MissedSteps`). Between `begin_lazy_updates` and `end_lazy_updates` (see
    `recsys.optim.lazy_updates`) a row therefore gets all its missed updates at once, when it is read next. Weights are
    those of torch's Adam except for rounding. `torch.optim.SparseAdam` is another algorithm: it skips missed updates.

    Otherwise it is bit for bit torch's fused Adam: outside these calls, for parameters that are no embedding, for small
    tables, on other devices than CPUs, and with an L2 penalty.

    Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015; for `decoupled_weight_decay`, Loshchilov and
    Hutter, "Decoupled Weight Decay Regularization", ICLR 2019.

    Args:
        params: Parameters, or groups of them.
        lr: Learning rate.
        weight_decay: Factor of the L2 penalty; with `decoupled_weight_decay`, the rate of AdamW's decay.
        decoupled_weight_decay: Whether to use AdamW.
        fused: As in torch.
        lazy_max_fraction: Updates are lazy if a step reads at most this fraction of a table's rows; 0: never.
        lazy_min_elements: Tables with fewer elements are updated densely.

    Raises:
        ConfigError: If the fraction is not from 0 to 1.
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
        self.tables: dict[LazyRows, LazyTable] = {}
        self.register_state_dict_pre_hook(lambda _: self.catch_up())

    def begin_lazy_updates(self, embeddings: Iterable[LazyRows]) -> None:
        """Update rows of large embeddings lazily until `end_lazy_updates`; states are saved up to date."""
        self.end_lazy_updates()
        groups = {weight: i for i, group in enumerate(self.param_groups) for weight in group["params"]}
        for embedding in embeddings:
            weight = embedding.weight
            group = groups.get(weight)
            if group is not None and self.lazy_max_fraction and self._pays(weight, self.param_groups[group]):
                table = LazyTable(self, group, weight, int(self.lazy_max_fraction * len(weight)))
                embedding.before_read, self.tables[embedding] = table.read, table
                table.hook = embedding.register_state_dict_pre_hook(table.catch_up_before_saving)

    def catch_up(self) -> None:
        """Apply all missed updates."""
        for table in self.tables.values():
            table.catch_up()

    def end_lazy_updates(self) -> None:
        """Apply all missed updates; further steps update all rows."""
        self.catch_up()
        for embedding, table in self.tables.items():
            embedding.before_read = None
            table.hook.remove()
        self.tables.clear()

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step.

        Args:
            closure: As in torch: computes the gradients and returns the loss.

        Returns:
            The closure's loss.

        Raises:
            RuntimeError: If rows with missed updates were read without a call of `before_read`.
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
                raise RuntimeError(
                    "an embedding's weight was read while rows had missed updates: call the embedding or its `table()`."
                )
        super().step()
        return loss

    def _pays(self, weight: Tensor, group: dict[str, Any]) -> bool:
        possible = not group["weight_decay"] or group["decoupled_weight_decay"]
        return possible and weight.device.type == "cpu" and weight.numel() >= self.lazy_min_elements


class LazyTable:
    """A table (n, dim) with rows that have missed updates.

    Args:
        optimizer: The optimizer of the table.
        group: Index of the optimizer's parameter group that has the table.
        weight: The table (n, dim).
        most: Largest number of rows in one read with a sparse gradient.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, group: int, weight: Tensor, most: int) -> None:
        self.optimizer, self.group, self.weight, self.most = optimizer, group, weight, most
        self.hook: Any = None  # handle of the embedding's `state_dict` hook
        settings = optimizer.param_groups[group]
        self.missed = MissedSteps(settings["betas"], settings["eps"])
        self.last = np.zeros(len(weight), dtype=np.int32)  # the step that updated each row last

    def read(self, rows: Tensor | None) -> bool:
        """Apply the missed updates of `rows` (*), or of all rows if they are many or None.

        Returns:
            Whether the gradient of this read must be sparse.
        """
        few = rows is not None and rows.numel() <= self.most
        self.catch_up(rows.reshape(-1) if few and rows is not None else None)
        return few

    def catch_up_before_saving(self, *_: Any) -> None:
        """Apply all missed updates; a hook of the embedding's `state_dict`."""
        self.catch_up()

    @torch.no_grad()
    def catch_up(self, rows: Tensor | None = None) -> None:
        """Apply the missed updates of `rows` (n,), or of all rows."""
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
        """Update the rows of a sparse gradient, which have no missed updates since they were read."""
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
        if not state:  # the initial state of torch's Adam
            state["step"] = torch.zeros((), dtype=torch.float32)
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(self.weight), torch.zeros_like(self.weight)
        return state
