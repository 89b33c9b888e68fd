"""Reading: any container of rows → columns, checked the way scikit-learn checks its input."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias

import narwhals as nw
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import issparse

from azogue.modalities.dataset import needs_rows
from azogue.modalities.dtypes import family, pandas_token, storage
from azogue.modalities.integers import to_offset
from azogue.recipe import Rows

#: A column's name, or its position where columns have no names.
Label: TypeAlias = "str | int | tuple[Any, ...]"
Floats: TypeAlias = NDArray[np.float64]

_ALL = slice(None)
#: Bytes of columns that are turned at once.
_TURNED = 2**24


@dataclass(frozen=True)
class TableRows(Rows):
    """The container, the row labels and the column labels to give back."""

    axis: Any = None


@dataclass(frozen=True, eq=False)
class Column:
    """One column as it was read.

    Parameters
    ----------
    label : str, int or tuple
        Its name or position.
    type : pyarrow.DataType
        What its values are, whatever the container.
    cells : ndarray or pyarrow.Array, shape (n,)
    native : str or None
        The container's own dtype, where the Arrow type alone does not determine it.
    """

    label: Label
    type: pa.DataType
    cells: Any
    native: str | None = None

    @property
    def array(self) -> pa.Array:
        """The cells as an Arrow array; NaN is null."""
        if not isinstance(self.cells, np.ndarray):
            return self.cells
        return pa.array(self.cells.astype(self.type.to_pandas_dtype(), copy=False), from_pandas=True)

    @cached_property
    def stored(self) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
        """Numbers in their own dtype, and where they are missing (None: nowhere, but for NaN)."""
        if isinstance(self.cells, np.ndarray):
            return self.cells, None
        array = self.cells.cast(pa.int64()) if pa.types.is_null(self.type) else self.cells
        array = array.view(storage(array.type))
        missing = array.is_null().to_numpy(zero_copy_only=False) if array.null_count else None
        return (array if missing is None else array.fill_null(False if array.type == pa.bool_() else 0)).to_numpy(
            zero_copy_only=False
        ), missing

    def floats(self, rows: slice = _ALL, base: int = 0, unit: float = 1.0) -> Floats:
        """`(value − base) / unit` as float64, NaN where missing; whole numbers are subtracted exactly."""
        values, missing = self.stored
        result = to_offset(values[rows], base)
        if unit != 1.0:
            result /= unit
        if missing is not None:
            result[missing[rows]] = np.nan
        return result


@dataclass(frozen=True, eq=False)
class Source:
    """Rows as they were read: a matrix of numbers, or columns.

    Parameters
    ----------
    rows : TableRows
        What to give back besides the values.
    shape : tuple of int
    names : tuple or None
        The columns' names, None where the container has none.
    dtype : str or None
        The dtype of an array, None for frames.
    matrix : ndarray of numbers, shape (n, columns), or None
    columns : tuple of Column
        Where there is no matrix.
    """

    rows: TableRows
    shape: tuple[int, int]
    names: tuple[Label, ...] | None = None
    dtype: str | None = None
    matrix: NDArray[Any] | None = None
    columns: tuple[Column, ...] = ()

    def column(self, position: int) -> Column:
        """One column."""
        if self.matrix is None:
            return self.columns[position]
        return _matrix(position, self.matrix[:, position])

    def each(self) -> Iterator[Column]:
        """All columns in order; of a matrix some are turned at once, since walking down a single one is slow."""
        if self.matrix is None:
            yield from self.columns
            return
        size = max(1, _TURNED // (self.shape[0] * self.matrix.itemsize))
        for start in range(0, self.shape[1], size):
            turned = np.ascontiguousarray(self.matrix[:, start : start + size].T)
            yield from (_matrix(start + at, values) for at, values in enumerate(turned))

    @cached_property
    def types(self) -> list[pa.DataType]:
        """The type of each column."""
        if self.matrix is None:
            return [column.type for column in self.columns]
        return [_number_type(self.matrix.dtype)] * self.shape[1]

    def part(self, rows: slice) -> Source:
        """Some rows, nothing copied."""
        count = len(range(*rows.indices(self.shape[0])))
        if count == self.shape[0]:
            return self
        matrix = None if self.matrix is None else self.matrix[rows]
        columns = tuple(replace(column, cells=column.cells[rows]) for column in self.columns)
        return replace(self, shape=(count, self.shape[1]), matrix=matrix, columns=columns)

    def block(self, rows: slice, positions: NDArray[np.intp]) -> Floats:
        """Some rows of numeric and boolean columns as a fresh (rows, columns) matrix, NaN where missing."""
        if self.matrix is not None:
            part = self.matrix[rows]
            every = len(positions) == self.shape[1]
            return (part if every else part[:, positions]).astype(np.float64)
        result = np.empty((len(range(*rows.indices(self.shape[0]))), len(positions)))
        for j, position in enumerate(positions):
            result[:, j] = self.columns[position].floats(rows)
        return result


def read(X: Any) -> Source:
    """Any 2-d container → columns.

    Raises
    ------
    TypeError
        For sparse input and for columns of types that a table cannot hold; the message names the column.
    ValueError
        For other than two dimensions, complex numbers, no rows, no columns or duplicate names.
    """
    if issparse(X) or "sparse" in str(getattr(X, "layout", "")):
        raise TypeError("Sparse data was passed, but a table is dense; convert it with .toarray() or .to_dense()")
    needs_rows(X)
    frame = nw.from_native(X, pass_through=True)
    if isinstance(frame, nw.LazyFrame):
        frame = frame.collect()
    source = _from_frame(frame) if isinstance(frame, nw.DataFrame) else _from_array(X)
    for position, kind in enumerate(source.types):
        if family(kind) is None:
            raise _unsupported(source.column(position).label, str(kind))
    return source


def _from_array(X: Any) -> Source:
    container = "torch" if hasattr(X, "detach") else "numpy"
    array = torch_array(X) if container == "torch" else np.asarray(X)
    if array.dtype.kind in "US" and not hasattr(X, "dtype"):
        array = np.asarray(X, dtype=object)  # a nested list: NumPy would turn its numbers into text
    shape = _checked_shape(array)
    reader = _ARRAYS.get(array.dtype.kind)
    rows = TableRows(container)
    if reader is None:
        raise _unsupported(0, str(array.dtype))
    if reader is _matrix:
        return Source(rows, shape, dtype=str(array.dtype), matrix=array)
    columns = tuple(reader(position, array[:, position]) for position in range(shape[1]))
    return Source(rows, shape, dtype=str(array.dtype), columns=columns)


def torch_array(X: Any) -> NDArray[Any]:
    """A tensor as an array; bfloat16, which NumPy does not have, as float32."""
    tensor = X.detach().cpu()
    return (tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor).numpy()  # type: ignore[no-any-return]


def _checked_shape(array: NDArray[Any]) -> tuple[int, int]:
    """The shape, or scikit-learn's words for what is wrong with it."""
    if array.dtype.kind == "c":
        raise ValueError(f"Complex data not supported\n{array}\n")
    if array.ndim < 2:
        what = "scalar array" if array.ndim == 0 else "1D array"
        raise ValueError(
            f"Expected 2D array, got {what} instead:\narray={array}.\nReshape your data either using array.reshape(-1, "
            "1) if your data has a single feature or array.reshape(1, -1) if it contains a single sample."
        )
    if array.ndim > 2:
        raise ValueError(f"Found array with dim {array.ndim}, while dim <= 2 is required by a table.")
    return _not_empty((array.shape[0], array.shape[1]))


def _not_empty(shape: tuple[int, int]) -> tuple[int, int]:
    for count, what in zip(shape, ("sample", "feature"), strict=True):
        if count == 0:
            raise ValueError(f"Found array with 0 {what}(s) (shape={shape}) while a minimum of 1 is required.")
    return shape


def _matrix(label: Label, values: NDArray[Any]) -> Column:
    return Column(label, _number_type(values.dtype), values)


def _texts(label: Label, values: NDArray[Any]) -> Column:
    return Column(label, pa.string(), pa.array(values.tolist(), pa.string()))


def _times(label: Label, values: NDArray[Any]) -> Column:
    unit, count = np.datetime_data(values.dtype)
    known = count == 1 and unit in ("s", "ms", "us", "ns", *("D" * (values.dtype.kind == "M")))
    array = pa.array(values if known else values.astype(f"{values.dtype.kind}8[s]"))
    return Column(label, array.type, array)


#: Python types in an object column and what they are; int and float may be mixed.
_PYTHON: tuple[tuple[tuple[type, ...], pa.DataType | None], ...] = (
    ((bool, np.bool_), pa.bool_()),
    ((str,), pa.string()),
    ((int, np.integer), pa.int64()),
    ((float, np.floating), pa.float64()),
    ((datetime.datetime,), None),
    ((datetime.date,), pa.date32()),
    ((datetime.time,), pa.time64("us")),
)
_NUMBERS = {pa.int64(), pa.float64()}


def _objects(label: Label, values: NDArray[Any]) -> Column:
    """A column of Python objects: all text, all booleans, all numbers, all dates or all times."""
    missing = [is_missing(value) for value in values]
    seen = sorted(
        {type(value) for value, gone in zip(values, missing, strict=True) if not gone}, key=lambda t: t.__name__
    )
    kinds = {_python_type(label, kind) for kind in seen}
    if len(kinds) > 1 and kinds != _NUMBERS:
        names = " and ".join(kind.__name__ for kind in seen[:2])
        raise TypeError(f"column {label!r} mixes {names}; convert the column to one type, e.g. astype(str)")
    kind = pa.null() if not kinds else pa.float64() if kinds == _NUMBERS else kinds.pop()
    cells = [None if gone else value for value, gone in zip(values, missing, strict=True)]
    none = any(value is None for value in values)
    return _object_column(label, kind, cells, f"object/{'none' if none or True not in missing else 'nan'}")


def _object_column(label: Label, kind: pa.DataType, cells: list[Any], native: str) -> Column:
    if kind == pa.int64() and any(cell is not None and not -(2**63) <= cell < 2**63 for cell in cells):
        kind = pa.float64()
    if kind == pa.float64():
        cells = [None if cell is None else float(cell) for cell in cells]
    return Column(label, kind, pa.array(cells, kind), native)


def is_missing(value: Any) -> bool:
    """Whether a cell is a missing one: None, NaN, and what pandas has for them."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, (float, np.floating)) and bool(np.isnan(value))


def _python_type(label: Label, kind: type) -> pa.DataType:
    found = next((arrow for types, arrow in _PYTHON if issubclass(kind, types)), None)
    if found is None:
        raise TypeError(
            f"column {label!r} holds a value of type {kind.__name__}: a table's argument must be a string or a real "
            "number, a boolean, a date or a time; convert the column to one type, e.g. astype(str) or pd.to_datetime"
        )
    return found


#: What to do with an array, by the kind of its dtype.
_ARRAYS: dict[str, Callable[[Label, NDArray[Any]], Column]] = {
    **dict.fromkeys("biuf", _matrix),
    **dict.fromkeys("UT", _texts),
    **dict.fromkeys("mM", _times),
    "O": _objects,
}


def _from_frame(frame: nw.DataFrame[Any]) -> Source:
    container = frame.implementation.value
    if container not in _COLUMNS:
        container, frame = "pyarrow", nw.from_native(frame.to_arrow(), eager_only=True)
    shape = _not_empty(frame.shape)
    names = tuple(_checked_labels(frame.columns))
    axis = frame.to_native().columns if container == "pandas" else names
    rows = TableRows(container, nw.maybe_get_index(frame), axis)
    columns = (_COLUMNS[container](name, series) for name, series in zip(names, frame.iter_columns(), strict=True))
    return Source(rows, shape, names, columns=tuple(columns))


def _checked_labels(labels: Iterable[Any]) -> Iterable[Label]:
    for label in labels:
        plain = label.item() if isinstance(label, np.generic) else label
        if not isinstance(plain, (str, int, tuple)):
            raise TypeError(f"column label {label!r} is a {type(label).__name__}; use text, e.g. X.columns.astype(str)")
        yield tuple(_checked_labels(plain)) if isinstance(plain, tuple) else plain


def _pandas_column(label: Label, series: nw.Series[Any]) -> Column:
    dtype = series.to_native().dtype
    kind = dtype.kind if isinstance(dtype, np.dtype) else ""
    if kind == "c":
        raise ValueError(f"Complex data not supported: column {label!r}")
    if str(dtype).startswith("Sparse["):
        raise TypeError(f"column {label!r} is sparse; convert it with .sparse.to_dense()")
    if kind == "O":
        return _objects(label, series.to_numpy())
    if kind and kind in "biuf":
        return Column(label, _number_type(dtype), series.to_numpy(), str(dtype))
    array = _to_arrow(label, series)
    return Column(label, array.type, array, pandas_token(dtype))


def _polars_column(label: Label, series: nw.Series[Any]) -> Column:
    native = "Enum" if isinstance(series.dtype, nw.Enum) else None
    if series.dtype == nw.Categorical and native is None:
        series = series.cast(nw.Enum(sorted(series.drop_nulls().unique().cast(nw.String).to_list())))
    array = _to_arrow(label, series)
    return Column(label, array.type, array, native)


def _arrow_column(label: Label, series: nw.Series[Any]) -> Column:
    array = _to_arrow(label, series)
    if pa.types.is_dictionary(array.type) and len(array.dictionary.drop_null().unique()) < len(array.dictionary):
        array = array.dictionary_decode().dictionary_encode().cast(array.type)
    return Column(label, array.type, array)


_COLUMNS = {"pandas": _pandas_column, "polars": _polars_column, "pyarrow": _arrow_column}


def _to_arrow(label: Label, series: nw.Series[Any]) -> pa.Array:
    try:
        return series.to_arrow()
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise _unsupported(label, str(series.to_native().dtype)) from error


def _number_type(dtype: np.dtype[Any]) -> pa.DataType:
    return pa.float64() if dtype.kind == "f" and dtype.itemsize > 8 else pa.from_numpy_dtype(dtype.newbyteorder("="))


def _unsupported(label: Label, kind: str) -> TypeError:
    return TypeError(
        f"column {label!r} has the type {kind}, which a table cannot hold; drop it or convert it: decimals to floats, "
        "bytes and intervals to text, nested values to columns of their own"
    )
