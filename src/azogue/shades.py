"""What a column gives a picture: numbers on a scale, or categories; missing values apart."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Colours of categories that every kind of colour vision tells apart.
COLORS = "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#332288", "#d55e00", "#56b4e9", "#999933", "#882255", "#000000"
#: What is missing, and what is not worth a colour.
GREY, PALE = "#b8bec6", "#e3e6ea"
#: Whole numbers of more values than this are shown on a scale.
MOST_CATEGORIES = 20


@dataclass(frozen=True, eq=False)
class Shades:
    """A column as a picture shows it.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        On a scale, or numbers of categories; NaN where missing.
    categories : tuple of str or None
        The categories in order; None for a scale.
    dates : bool
        Whether the scale counts days since 1970.
    name : str or None
        The column's own.
    """

    values: NDArray[np.float64]
    categories: tuple[str, ...] | None = None
    dates: bool = False
    name: str | None = None

    def __len__(self) -> int:
        return len(self.values)


def as_shades(column: Any, what: str = "color") -> Shades:
    """A list, array, Arrow array or column of a frame → what a picture shows of it.

    Floats, dates, and whole numbers of more than 20 values are put on a scale; everything else is categories, in the
    order of an ordered categorical, otherwise sorted. None, NaN and their like are missing.

    Raises
    ------
    ValueError
        For anything but one dimension; `what` names it.

    Examples
    --------
    >>> as_shades(["b", None, "a"]).categories
    ('a', 'b')
    >>> as_shades([0.5, float("nan")]).values
    array([0.5, nan])
    """
    name = getattr(column, "name", None)
    return replace(_shades(_arrow(column, what)), name=None if name is None else str(name))


def _shades(array: pa.Array) -> Shades:
    kind = array.type
    if pa.types.is_dictionary(kind) and kind.ordered:
        order = pc.unique(array.indices.drop_null())
        order = order.take(pc.sort_indices(order))
        texts = map(str, array.dictionary.take(order).to_pylist())
        return Shades(_floats(pc.index_in(array.indices, order)), tuple(texts))
    if pa.types.is_dictionary(kind):
        return _shades(array.dictionary_decode())
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        ticks = array.cast(pa.timestamp("us", getattr(kind, "tz", None)), safe=False).view(pa.int64())
        return Shades(_floats(ticks) / 86_400e6, dates=True)
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return Shades(_floats(array))
    if not (pa.types.is_integer(kind) or pa.types.is_boolean(kind)):
        array = pa.array([None if value is None else str(value) for value in array.to_pylist()], pa.string())
    found = array.unique().drop_null()
    if pa.types.is_integer(kind) and len(found) > MOST_CATEGORIES:
        return Shades(_floats(array))
    found = found.take(pc.sort_indices(found.cast(pa.int8()) if pa.types.is_boolean(kind) else found))
    return Shades(_floats(pc.index_in(array, found)), tuple(map(str, found.to_pylist())))


def _arrow(column: Any, what: str) -> pa.Array:
    """One-dimensional values as an Arrow array; NaN is null."""
    shape = getattr(column, "shape", None)
    if shape is not None and len(shape) != 1:
        raise ValueError(f"{what}: expected one value a row, got the shape {tuple(shape)}")
    if isinstance(column, (str, bytes)) or not hasattr(column, "__iter__"):
        raise ValueError(f"{what}: expected one value a row, got {column!r}")
    if hasattr(column, "detach"):
        column = column.detach().cpu().numpy()
    if isinstance(column, np.ndarray) and column.dtype.kind == "f":
        column = column.astype(np.float64)
    elif hasattr(getattr(column, "cat", None), "rename_categories"):
        column = column.cat.rename_categories(str)
    elif hasattr(column, "to_arrow"):
        column = column.to_arrow()
    elif not hasattr(column, "dtype") and not isinstance(column, (pa.Array, pa.ChunkedArray)):
        column = list(column)
    array = column if isinstance(column, (pa.Array, pa.ChunkedArray)) else _inferred(column)
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    return array.cast(pa.float64()) if pa.types.is_null(array.type) else array


def _inferred(column: Any) -> Any:
    """Values as an Arrow array; of different types, as texts."""
    try:
        return pa.array(column, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        return pa.array([None if _missing(value) else str(value) for value in column], pa.string())


def _missing(value: Any) -> bool:
    """None, NaN, NaT and NA: what does not equal itself, or cannot say."""
    same = value == value  # noqa: PLR0124
    return value is None or not (isinstance(same, (bool, np.bool_)) and bool(same))


def _floats(array: pa.Array) -> NDArray[np.float64]:
    """Numbers as float64, NaN where null."""
    values: NDArray[np.float64] = array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return values


def short(text: str, letters: int) -> str:
    """A name as far as a picture has room for it; to matplotlib, `$` begins a formula and `_` hides a name."""
    text = text if len(text) <= letters else text[: letters - 1] + "…"
    return (" " if text.startswith("_") else "") + text.replace("$", r"\$")
