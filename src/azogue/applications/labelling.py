"""Labels of rows that an anonymizer is told: columns of a table, or arrays beside the rows; their classes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from numbers import Real
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

#: Numbers with more values than this are cut into as many classes as `PARTS`, at their quantiles.
MANY, PARTS = 20, 5
#: Classes that fewer rows than this part have count as one.
RARE = 0.005
#: The number of combinations of classes that one whole number holds safely.
ROOM = 2**53


@dataclass(frozen=True, eq=False)
class Label:
    """A label of each row.

    Parameters
    ----------
    name : str or int
    codes : ndarray of int64, shape (n,)
        Classes from 0.
    classes : tuple of str
    column : int or None
        Which column of the table it is.
    """

    name: Any
    codes: NDArray[np.int64]
    classes: tuple[str, ...]
    column: int | None = None

    @property
    def shares(self) -> tuple[float, ...]:
        """How frequent each class is."""
        return tuple((np.bincount(self.codes, minlength=len(self.classes)) / len(self.codes)).tolist())


def named(asked: Any) -> bool:
    """Whether labels are asked for by columns' names or positions."""
    if isinstance(asked, (str, int, np.integer)):
        return True
    return isinstance(asked, (list, tuple)) and all(isinstance(one, (str, int, np.integer)) for one in asked)


def labels(asked: Any, X: Any, rows: int, what: str, table: bool) -> list[Label]:
    """The labels that are asked for.

    Parameters
    ----------
    asked : None, names or positions of columns, an array (n,), a dict of arrays or a frame
    X : rows
    rows : int
    what : {"sensitive", "utility"}
    table : bool

    Raises
    ------
    TypeError, ValueError
        For an unknown column, labels of another length, or one that has a single value.
    """
    if asked is None:
        return []
    if named(asked) and not (isinstance(asked, (list, tuple)) and len(asked) == rows and not table):
        if not table:
            raise TypeError(f"{what}: {asked!r} names columns, but the rows are no table; give an array of labels")
        several = list(asked) if isinstance(asked, (list, tuple)) else [asked]
        return [_column(X, name, what) for name in several]
    if isinstance(asked, Mapping):
        return [_label(name, np.asarray(values), rows, what) for name, values in asked.items()]
    frame = nw.from_native(asked, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        return [_label(name, _values(frame[name]), rows, what) for name in frame.columns]
    array = np.asarray(asked)
    if array.ndim == 2 and len(array) == rows:
        return [_label(at, array[:, at], rows, what) for at in range(array.shape[1])]
    return [_label(what, array, rows, what)]


def _values(series: Any) -> NDArray[Any]:
    return np.asarray(series.to_list(), dtype=object)


def _column(X: Any, name: Any, what: str) -> Label:
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        names: list[Any] = list(frame.columns)
        place = names.index(name) if name in names else None
        values = None if place is None else _values(frame[name])
    else:
        array = np.asarray(X)
        names = list(range(array.shape[1]))
        place = int(name) if not isinstance(name, str) and -len(names) <= int(name) < len(names) else None
        values = None if place is None else array[:, place]
    if place is None or values is None:
        shown = ", ".join(map(repr, names[:20]))
        raise ValueError(f"{what}: there is no column {name!r}; there are {shown}")
    found = _label(name, values, len(values), what)
    return Label(found.name, found.codes, found.classes, place % len(names))


def _missing(value: Any) -> bool:
    absent = value is None or type(value).__name__ in ("NAType", "NaTType")
    return absent or (isinstance(value, Real) and math.isnan(value))


def _label(name: Any, values: NDArray[Any], rows: int, what: str) -> Label:
    if values.shape != (rows,):
        raise ValueError(f"{what}: {name!r}: expected a label for each of {rows} rows, got the shape {values.shape}")
    holes = np.array([_missing(value) for value in values.tolist()], bool)
    seen = values[~holes]
    kinds = {type(value) for value in seen.tolist()}
    numeric = bool(kinds) and all(issubclass(kind, (int, float, np.number)) and kind is not bool for kind in kinds)
    texts = np.full(rows, "missing", dtype=object)
    if numeric and len(np.unique(seen.astype(float))) > MANY:
        numbers = seen.astype(float)
        cuts = np.unique(np.quantile(numbers, np.linspace(0, 1, PARTS + 1)[1:-1]))
        edges = [f"{edge:.4g}" for edge in cuts]
        spans = [f"< {edges[0]}", *(f"{a} to {b}" for a, b in pairwise(edges)), f"≥ {edges[-1]}"]
        texts[~holes] = np.array(spans, dtype=object)[np.searchsorted(cuts, numbers, side="right")]
    else:
        texts[~holes] = [str(value) for value in seen.tolist()]
    classes, codes, counts = np.unique(texts.astype(str), return_inverse=True, return_counts=True)
    if len(classes) < 2:
        raise ValueError(f"{what}: {name!r} has the one value {classes[0]!r} in all rows: nothing to tell apart")
    return _gathered(name, codes.ravel().astype(np.int64), classes, counts)


def _gathered(name: Any, codes: NDArray[np.int64], classes: NDArray[Any], counts: NDArray[Any]) -> Label:
    """Classes that hardly any row has as one."""
    rare = counts < max(2, RARE * counts.sum())
    if rare.sum() < 2 or (~rare).sum() < 1:
        return Label(name, codes, tuple(classes.tolist()))
    place = np.where(rare, 0, np.cumsum(~rare))
    return Label(name, place[codes].astype(np.int64), ("rare", *classes[~rare].tolist()))


def together(found: list[Label]) -> NDArray[np.int64]:
    """All labels of each row in one number, `Σ base · class`; see `bases`.

    Raises
    ------
    ValueError
        For more combinations than a number holds.
    """
    total, target = 1, np.zeros(len(found[0].codes), dtype=np.int64)
    for label in found:
        target += total * label.codes
        total *= len(label.classes)
        if total > ROOM:
            raise ValueError("sensitive, utility: too many combinations of classes; name fewer columns")
    return target


def bases(found: list[Label]) -> list[int]:
    """Where each label stands in the number that `together` makes."""
    sizes = [len(label.classes) for label in found]
    return [int(np.prod(sizes[:at], dtype=np.int64)) for at in range(len(sizes))]


def dropped(X: Any, columns: list[int]) -> Any:
    """A table without some columns, by their positions."""
    if not columns:
        return X
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        kept = [name for at, name in enumerate(frame.columns) if at not in columns]
        return frame.select(kept).to_native()
    return np.delete(np.asarray(X), columns, axis=1)
