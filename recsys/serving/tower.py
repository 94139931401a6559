"""Export of a run's user tower: a graph from a history to the user's vector that does not need this package."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.fx.experimental.symbolic_shapes import is_concrete_int

from recsys.rankers.base import Factorised
from recsys.schema import ConfigError, UserBatch
from recsys.serving.model import Served
from recsys.training.recommender import Recommender

HISTORY, MASK, USER = "history", "mask", "user"
VECTORS = "vectors"
MAX_ONNX = 2**31 - 2**24  # bytes of weights: protobuf's limit of 2 GiB minus room for the graph
Tower = Callable[[dict[str, Tensor]], Tensor]


class UserTower(nn.Module):
    """The model's own profile and ranker on a table of item vectors.

    Args:
        model: A model in evaluation mode.
        item_vectors: (n_items, dim).
    """

    item_vectors: Tensor

    def __init__(self, model: Recommender, item_vectors: Tensor) -> None:
        super().__init__()
        self.model = Recommender(None, model.profile, model.ranker)
        self.register_buffer("item_vectors", item_vectors)

    def forward(self, history: Tensor | None = None, mask: Tensor | None = None, user: Tensor | None = None) -> Tensor:
        """User vectors (B, d) from histories (B, L) int64 with their mask (B, L) bool, and users (B,) int64."""
        users = _users(history, mask, user)
        side = self.model.user_side(users, self.item_vectors, users.history)
        assert isinstance(self.model.ranker, Factorised), "only such a ranker has item vectors to export"
        return self.model.ranker.user_factors_of(side)


def _users(history: Tensor | None, mask: Tensor | None, user: Tensor | None) -> UserBatch:
    if history is None or mask is None:
        assert user is not None
        return UserBatch.without_history(user)
    known = history.new_full(history.shape[:1], -1) if user is None else user
    return UserBatch(known, history.masked_fill(~mask, 0), mask)


def inputs_of(model: Recommender, users: UserBatch, length: int = 1) -> dict[str, Tensor]:
    """The tower's inputs by name, of those that the model reads: `history` and `mask` (B, L), and `user` (B,).

    Args:
        model: The model.
        users: B users.
        length: The smallest L; shorter histories are padded.
    """
    inputs = {}
    if model.reads_history:
        missing = (0, max(0, length - users.history.shape[1]))
        padded = (nn.functional.pad(each, missing) for each in (users.history, users.history_mask))
        inputs = dict(zip((HISTORY, MASK), padded, strict=True))
    return {**inputs, USER: users.idx} if model.reads_user else inputs


def export_program(served: Served) -> ExportedProgram:
    """The user tower as a graph of torch's operators, for batches of any size and histories of up to `max_history`.

    With profile=recurrent, which is unrolled, histories must be padded to exactly `max_history`.

    Raises:
        ConfigError: If the run's users have no vector, or the profile reads a text.
    """
    check_has_tower(served)
    tower = UserTower(served.model, served.item_vectors[: served.n_items]).eval()
    length = served.max_history
    n_users = length + 2  # not 0 or 1, which torch.export specialises, and unequal to every length
    example = torch.zeros(n_users, length, dtype=torch.long)
    users = UserBatch(torch.zeros(n_users, dtype=torch.long), example, torch.ones_like(example, dtype=torch.bool))
    inputs = inputs_of(served.model, users)
    batch = Dim("batch", min=1)
    columns = {1: Dim.AUTO(min=1, max=length)} if length > 1 else {}
    shapes = {name: {0: batch, **(columns if value.dim() == 2 else {})} for name, value in inputs.items()}
    with _quiet(), _standard_operators():
        return torch.export.export(tower, (), inputs, dynamic_shapes=shapes)


def fixed_length(program: ExportedProgram) -> int | None:
    """The only length of histories that a tower accepts; None if it accepts any up to `max_history`."""
    shapes = {node.name: node.meta["val"].shape for node in program.graph.nodes if node.op == "placeholder"}
    return int(shapes[HISTORY][1]) if HISTORY in shapes and is_concrete_int(shapes[HISTORY][1]) else None


def check_has_tower(served: Served) -> None:
    """Raise an error for a run whose user tower cannot be exported.

    Raises:
        ConfigError: If the run has no profile, or the profile reads a text.
    """
    cfg, model = served.run.cfg, served.model
    if model.profile is None:
        raise ConfigError(
            f"tower=… exports the profile that computes a user's vector, and ranker={cfg.choices.ranker} has none. "
            "Use a run with ranker=dot, cf or two_tower; users=all writes this run's vectors."
        )
    if model.user_prompt is not None:
        raise ConfigError(
            f"tower=… exports a profile that reads indices of items, and profile={cfg.choices.profile} reads "
            "a text, which needs the encoder. Use another profile; users=all writes this run's "
            "vectors."
        )


def to_pt2(program: ExportedProgram) -> bytes:
    """The graph in the format that `torch.export.load` reads."""
    content = io.BytesIO()
    torch.export.save(program, content)
    return content.getvalue()


def to_onnx(program: ExportedProgram) -> bytes:
    """The graph in the ONNX format.

    Raises:
        ConfigError: If the table of item vectors makes it too large for one file.
    """
    size = sum(each.numel() * each.element_size() for each in program.state_dict.values())
    if size >= MAX_ONNX:
        raise ConfigError(f"tower=onnx: a file has at most 2 GB, and this model has {size:,} bytes. Use tower=pt2.")
    with _quiet():
        made = torch.onnx.export(program, dynamo=True, output_names=[VECTORS], verbose=False)
    assert made is not None
    return made.model_proto.SerializeToString()


def open_pt2(content: bytes) -> Tower:
    """The tower in a file of `to_pt2`."""
    module = torch.export.load(io.BytesIO(content)).module()
    return lambda inputs: module(**inputs)


def open_onnx(content: bytes) -> Tower:
    """The tower in a file of `to_onnx`, run by onnxruntime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return lambda inputs: torch.from_numpy(session.run(None, {k: value.numpy() for k, value in inputs.items()})[0])


@contextmanager
def _standard_operators() -> Iterator[None]:
    """Within the block, attention uses standard operators that every runtime has, and not torch's fused ones."""
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)


@contextmanager
def _quiet() -> Iterator[None]:
    """Within the block, log messages and warnings of the exporters are suppressed."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


@dataclass(frozen=True)
class Format:
    """A file format of towers.

    Attributes:
        write: Returns the content of a file from a graph.
        open: Returns the tower from the content of a file.
        needs: Required packages beyond torch.
    """

    write: Callable[[ExportedProgram], bytes]
    open: Callable[[bytes], Tower]
    needs: tuple[str, ...] = ()


FORMATS = {
    "pt2": Format(to_pt2, open_pt2),
    "onnx": Format(to_onnx, open_onnx, ("onnx", "onnxscript", "onnxruntime")),
}
