"""The rows that an audit is given: frames, arrays, windows, pictures, texts; some of them, some columns, labels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from azogue.modalities.dtypes import TEMPORAL, value_family
from azogue.modalities.reading import Source, is_missing, read, torch_array

#: Fewer rows than this show nothing.
LEAST = 10
#: Whole numbers of a table's column with more values than this are a quantity, with fewer they are classes.
MOST_CLASSES = 20


def as_rows(X: Any, what: str) -> Any:
    """Frames as they are, everything else as an array: tensors, nested lists, lists of windows of one shape.

    Raises
    ------
    TypeError, ValueError
        For a path, windows of several lengths, numbers of one dimension, infinity, and fewer than 10 rows.
    """
    if isinstance(nw.from_native(X, eager_only=True, pass_through=True), nw.DataFrame):
        return _enough(X, len(X), what)
    if isinstance(X, nw.DataFrame):
        return _enough(X.to_native(), len(X), what)
    if hasattr(X, "__fspath__") or isinstance(X, (str, bytes)):
        raise TypeError(f"audit: {what}: expected rows in memory, got the path {X!r}; read it first")
    try:
        array = torch_array(X) if hasattr(X, "detach") else np.asarray(X)
    except ValueError as error:
        raise ValueError(f"audit: {what}: its items differ in shape; cut them into windows of one length") from error
    if array.dtype.kind in "US" and array.ndim == 2:
        array = np.asarray(X, dtype=object)
    if array.ndim == 0 or (array.ndim == 1 and array.dtype.kind not in "UO"):
        raise ValueError(f"audit: {what}: expected rows of two dimensions or more, got the shape {array.shape}")
    if array.dtype.kind == "f" and np.isinf(array).any():
        raise ValueError(f"audit: {what} holds infinity; replace it first")
    return _enough(array, len(array), what)


def _enough(X: Any, n: int, what: str) -> Any:
    if n < LEAST:
        raise ValueError(f"audit: {what}: expected at least {LEAST} rows, got {n}; so few show nothing")
    return X


def take(X: Any, where: NDArray[Any]) -> Any:
    """Some rows, by their positions, as the same kind of object."""
    if isinstance(X, np.ndarray):
        return X[where]
    return nw.from_native(X, eager_only=True)[where.tolist()].to_native()


def names_of(X: Any) -> list[Any] | None:
    """A frame's columns, None for arrays."""
    return None if isinstance(X, np.ndarray) else list(nw.from_native(X, eager_only=True).columns)


def is_table(X: Any) -> bool:
    """Whether rows have columns rather than places in a picture, steps of time, or words."""
    return not isinstance(X, np.ndarray) or X.ndim == 2


def select(X: Any, names: list[Any] | None) -> Any:
    """A frame's columns in this order; arrays as they are."""
    if isinstance(X, np.ndarray) or names is None or names_of(X) == names:
        return X
    return nw.from_native(X, eager_only=True).select(names).to_native()


@dataclass(frozen=True, eq=False)
class Values:
    """A column as attacks read it: numbers, or classes numbered from 0; missing is NaN.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
    classes : tuple or None
        None for a quantity.
    """

    values: NDArray[np.float64]
    classes: tuple[Any, ...] | None


def columns_of(*tables: Any) -> list[tuple[Any, list[Values]]]:
    """(name, the column of each table) for tables with the same columns; classes are numbered alike in all."""
    sources = [read(table) for table in tables]
    names = sources[0].names or tuple(range(sources[0].shape[1]))
    found = []
    for at, name in enumerate(names):
        places = [at if source.names is None else source.names.index(name) for source in sources]
        found.append((name, _alike([cells_of(source, place) for source, place in zip(sources, places, strict=True)])))
    return found


def cells_of(source: Source, place: int) -> NDArray[Any]:
    """Floats of a quantity, or objects of classes (None where missing)."""
    column = source.column(place)
    kind = value_family(column.type)
    if kind == "numeric" or kind in TEMPORAL:
        return column.floats()
    array = column.array
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    return np.array([None if value is None else value for value in array.to_pylist()], dtype=object)


def _alike(parts: list[NDArray[Any]]) -> list[Values]:
    if all(part.dtype.kind == "f" for part in parts):
        return [Values(part, None) for part in parts]
    whole = np.concatenate([_objects(part) for part in parts])
    codes, classes = _numbered(whole)
    ends = np.cumsum([len(part) for part in parts])[:-1]
    return [Values(part, classes) for part in np.split(codes, ends)]


def _objects(part: NDArray[Any]) -> NDArray[np.object_]:
    if part.dtype.kind != "f":
        return part
    return np.array([None if math.isnan(value) else value for value in part.tolist()], dtype=object)


def _numbered(values: NDArray[np.object_]) -> tuple[NDArray[np.float64], tuple[Any, ...]]:
    known = sorted({value for value in values if value is not None}, key=lambda value: (str(type(value)), value))
    numbers = {value: float(at) for at, value in enumerate(known)}
    return np.array([math.nan if value is None else numbers[value] for value in values]), tuple(known)


@dataclass(frozen=True, eq=False)
class Target:
    """What an attacker infers, or what a user must still tell.

    Parameters
    ----------
    name : str
    values : Values
        Of the original rows.
    column : label or None
        Its name or number where it is a column of the table: no input may be made of it.
    released, controls : Values or None
        The column in the released table and among control rows, where there is one; classes are numbered alike.
    """

    name: str
    values: Values
    column: Any = None
    released: Values | None = None
    controls: Values | None = None

    def take(self, rows: NDArray[Any], released: NDArray[Any], controls: NDArray[Any] | None) -> Target:
        """The target of some of the rows."""
        parts = (self.values, rows), (self.released, released), (self.controls, controls)
        own, theirs, others = (
            None if one is None or at is None else Values(one.values[at], one.classes) for one, at in parts
        )
        assert own is not None
        return Target(self.name, own, self.column, theirs, others)


def targets(asked: Any, original: Any, released: Any, what: str, controls: Any = None) -> list[Target]:
    """Names of columns, a dictionary of labels, or labels → targets.

    Raises
    ------
    ValueError
        For a column that is not there, or another number of labels than rows.
    """
    if asked is None:
        return []
    found = []
    for name, given in asked_labels(asked, original, what.rpartition(" ")[2]):
        if given is None:
            found.append(_column_target(name, (original, released, controls), what))
        else:
            values = np.asarray(given)
            if values.shape != (len(original),):
                raise ValueError(
                    f"{what} {name!r}: expected a label for each of {len(original)} rows, got {values.shape}"
                )
            found.append(Target(str(name), _labels(values, values.dtype.kind == "f")))
    return found


def asked_labels(asked: Any, original: Any, what: str) -> list[tuple[Any, Any]]:
    """(name, labels) pairs; no labels for a column's name."""
    if isinstance(asked, Mapping):
        return list(asked.items())
    frame = nw.from_native(asked, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        return [(name, np.asarray(frame[name].to_list(), dtype=object)) for name in frame.columns]
    if isinstance(asked, np.ndarray) and asked.ndim == 2:
        return [(at, asked[:, at]) for at in range(asked.shape[1])]
    if isinstance(asked, str) or (is_table(original) and np.ndim(asked) == 0):
        return [(asked, None)]
    names = names_of(original)
    listed = isinstance(asked, (list, tuple)) and len(asked) != len(original)
    if listed and (names is not None or all(isinstance(name, int) for name in asked)):
        return [(name, None) for name in asked]
    if isinstance(asked, (list, tuple)) and names is not None and all(name in names for name in asked):
        return [(name, None) for name in asked]
    name = getattr(asked, "name", None)
    return [(what if name is None else name, asked)]


def position(table: Any, name: Any, what: str) -> int:
    """Where a column of a table stands.

    Raises
    ------
    ValueError
        If it is not there; it lists the columns that are.
    """
    names = names_of(table) or (list(range(table.shape[1])) if is_table(table) else [])
    if name not in names or isinstance(name, bool):
        there = ", ".join(map(repr, names[:MOST_CLASSES])) + (", …" if len(names) > MOST_CLASSES else "")
        raise ValueError(f"{what} {name!r}: there is no such column; the table has {there or 'none'}")
    return names.index(name)


def _column_target(name: Any, tables: tuple[Any, Any, Any], what: str) -> Target:
    places = [position(tables[0], name, what), *(_place(table, name, tables[0]) for table in tables[1:])]
    try:
        cells = [None if at is None else cells_of(read(table), at) for table, at in zip(tables, places, strict=True)]
    except TypeError as error:
        raise ValueError(f"{what} {name!r}: {error}") from error
    assert cells[0] is not None
    own = _labels(cells[0], cells[0].dtype.kind == "f")
    return Target(str(name), own, name, *(None if part is None else _read_as(part, own) for part in cells[1:]))


def _read_as(cells: NDArray[Any], like: Values) -> Values:
    """Another table's column as the original's values are: a class that these do not have is missing."""
    if like.classes is None:
        return Values(cells if cells.dtype.kind == "f" else np.full(len(cells), math.nan), None)
    numbers = {value: float(at) for at, value in enumerate(like.classes)}
    return Values(np.array([numbers.get(value, math.nan) for value in _objects(cells)]), like.classes)


def _place(table: Any, name: Any, original: Any) -> int | None:
    """Where another table has the column, if it has it."""
    if table is None or not is_table(table):
        return None
    names = names_of(table)
    if names is not None:
        return names.index(name) if name in names else None
    alike = names_of(original) is None and table.shape[1:] == original.shape[1:]
    return int(name) if alike else None


def _labels(values: NDArray[Any], quantity: bool) -> Values:
    """Labels as classes; fractions of more than 20 values as a quantity."""
    if values.dtype.kind == "f":
        there = values[~np.isnan(values)]
        if quantity and len(np.unique(there)) > MOST_CLASSES:
            return Values(values.astype(np.float64), None)
    plain = [None if is_missing(value) else value for value in values.tolist()]
    holder = np.empty(len(plain), dtype=object)
    holder[:] = plain
    return Values(*_numbered(holder))
