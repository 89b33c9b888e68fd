"""Writing: columns → the container that they came in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from azogue.modalities.dtypes import family, pandas_dtype
from azogue.modalities.reading import Label

#: Kinds of NumPy dtypes that cannot hold a missing value.
_FULL = "iubU"


@dataclass(frozen=True, eq=False)
class Cells:
    """A column that is to be written: its label, values and the container's own dtype where it is known."""

    label: Label
    array: pa.Array
    native: str | None

    def hold(self, dtype: np.dtype[Any]) -> None:
        """Refuse missing values where a dtype cannot hold them."""
        if self.array.null_count and dtype.kind in _FULL:
            raise ValueError(
                f"column {self.label!r} has missing cells, which its dtype {dtype} cannot hold; fit on a dtype with "
                "missing values (such as float64, or pandas' Int64), or unpack batch.x alone to have every cell filled"
            )


@dataclass(frozen=True, eq=False)
class Sheet:
    """A table that is to be written: its columns, row labels, column labels, an array's dtype, number of rows."""

    cells: Sequence[Cells]
    index: Any
    axis: Any
    dtype: str | None
    n: int

    @property
    def names(self) -> list[str]:
        """Names for containers that need text."""
        return (
            [f"column_{i}" for i in range(len(self.cells))] if self.axis is None else [str(name) for name in self.axis]
        )


def write(container: str, sheet: Sheet) -> Any:
    """The user's kind of object."""
    return _WRITERS[container](sheet)


def _numpy(sheet: Sheet) -> NDArray[Any]:
    dtype = _common_dtype(sheet.cells) if sheet.dtype is None else np.dtype(sheet.dtype)
    result = np.empty((sheet.n, len(sheet.cells)), dtype)
    for position, cell in enumerate(sheet.cells):
        cell.hold(dtype)
        result[:, position] = _objects(cell) if dtype.kind == "O" else cell.array.to_numpy(zero_copy_only=False)
    return result


def _common_dtype(cells: Sequence[Cells]) -> np.dtype[Any]:
    """The dtype that holds all columns: numbers if all are, else objects."""
    types = [cell.array.type for cell in cells if not pa.types.is_null(cell.array.type)]
    if all(family(kind) in ("numeric", "boolean") for kind in types):
        return np.result_type(*(kind.to_pandas_dtype() for kind in types))
    return np.dtype(object)


def _objects(cell: Cells) -> NDArray[np.object_]:
    """Python objects; missing ones are NaN or None, as they came."""
    result = np.empty(len(cell.array), object)
    result[:] = cell.array.to_pylist()
    if cell.native == "object/nan" and cell.array.null_count:
        result[cell.array.is_null().to_numpy(zero_copy_only=False)] = np.nan
    return result


def _torch(sheet: Sheet) -> Any:
    import torch

    return torch.from_numpy(_numpy(sheet))


def _pandas(sheet: Sheet) -> Any:
    import pandas as pd

    frame = pd.DataFrame({position: _pandas_series(cell) for position, cell in enumerate(sheet.cells)})
    if sheet.index is not None:
        frame.index = sheet.index
    if sheet.axis is not None:
        frame.columns = pd.Index(list(sheet.axis)) if isinstance(sheet.axis, tuple) else sheet.axis
    return frame


def _pandas_series(cell: Cells) -> Any:
    """A column of the very dtype that it came in."""
    import pandas as pd

    if cell.native is None:
        return cell.array.to_pandas()
    if cell.native.startswith("object/"):
        return pd.Series(_objects(cell), dtype=object)
    if cell.native == "arrow":
        return pd.Series(cell.array, dtype=pd.ArrowDtype(cell.array.type))
    if cell.native.startswith("category/"):
        values = _pandas_series(Cells(cell.label, cell.array.dictionary, cell.native.removeprefix("category/")))
        dtype = pd.CategoricalDtype(pd.Index(values), ordered=cell.array.type.ordered)
        codes = cell.array.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        return pd.Series(pd.Categorical.from_codes(codes, dtype=dtype))
    dtype = pandas_dtype(cell.native)
    if hasattr(dtype, "__from_arrow__"):
        return pd.Series(dtype.__from_arrow__(cell.array))
    cell.hold(dtype)
    return pd.Series(cell.array.to_numpy(zero_copy_only=False).astype(dtype))


def _polars(sheet: Sheet) -> Any:
    import polars as pl

    def series(name: str, cell: Cells) -> pl.Series:
        result = pl.Series(name, pl.from_arrow(cell.array))
        return result.cast(pl.Enum(cell.array.dictionary.to_pylist())) if cell.native == "Enum" else result

    return pl.DataFrame([series(*pair) for pair in zip(sheet.names, sheet.cells, strict=True)])


def _pyarrow(sheet: Sheet) -> pa.Table:
    return pa.table([cell.array for cell in sheet.cells], names=sheet.names)


_WRITERS = {"numpy": _numpy, "torch": _torch, "pandas": _pandas, "polars": _polars, "pyarrow": _pyarrow}
#: The containers that a table can come in and go out.
CONTAINERS = tuple(_WRITERS)
