"""Vectors in memory (numpy, torch, pandas, polars) as a file for `encoder=vectors`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys.encoders.vector_files import VECTORS, checked, provenance, stacked
from recsys.schema import ITEM_ID, DataError
from recsys.support.whole_files import replacing, write_atomically


def save_vectors(path: Path, vectors: Any, ids: Sequence[Any] | None, origin: Mapping[str, Any] | None) -> None:
    """Write a safetensors file, and its provenance beside it; see `recsys.save_vectors`.

    Raises:
        DataError: If the file name, vectors, ids or provenance are invalid.
    """
    from safetensors.numpy import save

    name = f"the vectors for {path}"
    if path.suffix != ".safetensors":
        raise DataError(f"{name}: expected a file name that ends in .safetensors.")
    try:
        own_ids, array = _array_of(vectors, name)
    except (AttributeError, TypeError, ValueError) as error:
        raise DataError(f"{name}: expected numbers (n_items, dim); {error}.") from error
    found = own_ids if ids is None else list(ids)
    if found is None:
        raise DataError(f"{name}: found no ids; give ids=[…], one raw item id for each row.")
    table = checked(found, array, name)
    said = None if origin is None else provenance(origin, f"the provenance of {path}")
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, "path") as unfinished:
        unfinished.write_bytes(save({VECTORS: table.vectors}, {ITEM_ID: json.dumps(table.ids)}))
    beside = path.with_name(f"{path.name}.yaml")
    if said is None:
        beside.unlink(missing_ok=True)  # that of an earlier file
    else:
        lines = "".join(f"{key}: {json.dumps(value)}\n" for key, value in said.items())
        write_atomically(beside, lines.encode(), "path")


def _array_of(vectors: Any, name: str) -> tuple[list[Any] | None, NDArray[Any]]:
    """The object's own ids, None if it has none, and its vectors (n, dim)."""
    kind = f"{type(vectors).__module__.split('.')[0]}.{type(vectors).__name__}"
    if kind == "polars.DataFrame":
        return _of_columns({column: vectors[column].to_list() for column in vectors.columns}, None, name)
    if kind == "pandas.DataFrame":
        columns = {str(column): vectors[column].tolist() for column in vectors.columns}
        is_numbered = type(vectors.index).__name__ == "RangeIndex" and vectors.index.name is None  # pandas' default
        return _of_columns(columns, None if is_numbered else vectors.index.tolist(), name)
    if kind.startswith("torch."):
        return None, np.asarray(vectors.detach().cpu().float().numpy())
    if isinstance(vectors, Mapping):
        return list(vectors), stacked([list(row) for row in vectors.values()], name)
    return None, np.asarray(vectors)


def _of_columns(
    columns: Mapping[str, list[Any]], index: list[Any] | None, name: str
) -> tuple[list[Any] | None, NDArray[Any]]:
    """Ids of `item_id` or else the index, and vectors of a column of lists or of all other columns."""
    rest = {column: values for column, values in columns.items() if column != ITEM_ID}
    ids = columns.get(ITEM_ID, index)
    if VECTORS in rest:
        return ids, stacked([list(row) for row in rest[VECTORS]], name)
    frame = pl.DataFrame(rest)
    wrong = [column for column, dtype in frame.schema.items() if not dtype.is_numeric()]
    if wrong or not rest:
        found = ", ".join(wrong) or "no further column"
        raise DataError(f"{name}: found {found} beside {ITEM_ID}; expected a column {VECTORS} of lists, or numbers.")
    return ids, frame.to_numpy()
