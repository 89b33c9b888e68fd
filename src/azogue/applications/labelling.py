"""Labels of rows that an anonymizer is told: columns of a table, or arrays beside the rows; their classes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from azogue.modalities.reading import is_missing, read
from azogue.privacy.rows import asked_labels, cells_of, position

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
    listed = isinstance(asked, (list, tuple)) and len(asked) == rows
    if not table and named(asked) and not listed:
        raise TypeError(f"{what}: {asked!r} names columns, but the rows are no table; give an array of labels")
    owner = _as_table(X) if table else np.empty((rows, 0, 0))  # which has no columns to name
    found = []
    for name, given in asked_labels(asked, owner, what):
        if given is None:
            place = position(owner, name, what)
            found.append(replace(_label(name, cells_of(read(owner), place), rows, what), column=place))
        else:
            found.append(_label(name, np.asarray(given), rows, what))
    return found


def _as_table(X: Any) -> Any:
    """Frames as they are, everything else as an array."""
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    return X if isinstance(frame, nw.DataFrame) else np.asarray(X)


def spelled(value: Any) -> str:
    """A label's value as the name of a class."""
    return f"{value:g}" if isinstance(value, (float, np.floating)) else str(value)


def _label(name: Any, values: NDArray[Any], rows: int, what: str) -> Label:
    if values.shape != (rows,):
        raise ValueError(f"{what}: {name!r}: expected a label for each of {rows} rows, got the shape {values.shape}")
    holes = np.array([is_missing(value) for value in values.tolist()], bool)
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
        texts[~holes] = [spelled(value) for value in seen.tolist()]
    names, codes, counts = np.unique(texts.astype(str), return_inverse=True, return_counts=True)
    classes = [str(one) for one in names]
    if len(classes) < 2:
        raise ValueError(f"{what}: {name!r} has the one value {classes[0]!r} in all rows: nothing to tell apart")
    return _gathered(name, codes.ravel().astype(np.int64), classes, counts)


def _gathered(name: Any, codes: NDArray[np.int64], classes: list[str], counts: NDArray[Any]) -> Label:
    """Classes that hardly any row has as one."""
    rare = counts < max(2, RARE * counts.sum())
    if rare.sum() < 2 or (~rare).sum() < 1:
        return Label(name, codes, tuple(classes))
    place = np.where(rare, 0, np.cumsum(~rare))
    return Label(
        name, place[codes].astype(np.int64), ("rare", *(one for one, few in zip(classes, rare, strict=True) if not few))
    )


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
    table = _as_table(X)
    if isinstance(table, np.ndarray):
        return np.delete(table, columns, axis=1)
    frame = nw.from_native(table, eager_only=True)
    return frame.select([name for at, name in enumerate(frame.columns) if at not in columns]).to_native()
