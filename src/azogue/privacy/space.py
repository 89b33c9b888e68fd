"""Original and released rows as numbers: packed, standardised, and in one space where they share their columns."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from azogue.modalities import as_modality
from azogue.modalities.dtypes import value_family
from azogue.modalities.reading import read
from azogue.privacy.rows import as_rows, names_of, select

Numbers: TypeAlias = NDArray[np.float64]

#: Columns of which three quarters reach over half of all values are in one unit: pixels, say.
MOST, HALF = 0.75, 0.5
#: Distances that are held at once.
_HELD = 2**22


@dataclass(frozen=True, eq=False)
class Space:
    """Rows as standardised numbers.

    Each column has a variance of 1, a category's slots together; columns in one unit (three quarters of them reach
    over at least half of the range of all, as pixels do), and the places of a picture, share one scale; a channel of
    windows has one. A missing number is the mean, and slots behind all others say where one was missing.

    Parameters
    ----------
    schema : Schema or None
        Of a table with categories or dates, and of texts.
    shape : tuple of int
        Of a row of numbers.
    center, scale : ndarray, shape (width,)
    gaps : ndarray of int
        Slots that can be missing.
    columns : ndarray of object
        The column's label of each slot.
    """

    schema: Any
    shape: tuple[int, ...]
    center: Numbers
    scale: Numbers
    gaps: NDArray[np.intp]
    columns: NDArray[np.object_]

    @classmethod
    def fit(cls, X: Any) -> Space:
        """The space of such rows."""
        schema = None if _is_numeric(X) else as_modality("auto", _scaling(X), X).fit(X)
        values, missing = _raw(X, schema)
        shape = X.shape[1:] if isinstance(X, np.ndarray) else values.shape[1:]
        columns = _slot_labels(X, schema, values.shape[1])
        center = np.array([_mean(values[~gap, at]) for at, gap in enumerate(missing.T)])
        filled = np.where(missing, center, values)
        gaps = np.flatnonzero(missing.any(axis=0))
        labels = np.concatenate([columns, columns[gaps]])
        return cls(schema, shape, center, _scales(filled, X, columns, schema), gaps, labels)

    def pack(self, X: Any) -> Numbers:
        """Rows of the same columns → numbers, (n, width).

        Raises
        ------
        TypeError, ValueError
            For rows of other columns.
        """
        if self.schema is None and not _is_numeric(X):
            raise TypeError("the columns do not hold numbers")
        values, missing = _raw(X, self.schema)
        if values.shape[1] != len(self.center):
            raise ValueError(f"expected {len(self.center)} numbers a row, got {values.shape[1]}")
        filled = (np.where(missing, self.center, values) - self.center) / self.scale
        return np.concatenate([filled, missing[:, self.gaps].astype(np.float64)], axis=1)


def _scaling(X: Any) -> str:
    return "auto" if isinstance(X, np.ndarray) and X.ndim == 1 else "standard"


def _is_numeric(X: Any) -> bool:
    if isinstance(X, np.ndarray):
        return X.dtype.kind in "fiub"
    return all(value_family(kind) in ("numeric", "boolean") for kind in read(X).types)


def _raw(X: Any, schema: Any) -> tuple[Numbers, NDArray[np.bool_]]:
    """Packed rows as they are, and which are missing."""
    if schema is not None:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "categories that were not there")
            batch = schema.pack(X)
        x = batch.x.numpy().astype(np.float64).reshape(len(batch), -1)
        return x, np.zeros(x.shape, bool) if batch.mask is None else ~batch.mask.numpy().reshape(x.shape)
    if isinstance(X, np.ndarray):
        x = X.reshape(len(X), -1).astype(np.float64)
    else:
        source = read(X)
        x = source.block(slice(None), np.arange(source.shape[1]))
    return x, np.isnan(x)


def _slot_labels(X: Any, schema: Any, width: int) -> NDArray[np.object_]:
    names = names_of(X)
    at: NDArray[Any] = getattr(schema, "slot_columns", np.arange(width))
    labels = np.empty(width, dtype=object)
    labels[:] = [int(place) if names is None else names[place] for place in at]
    return labels


def _mean(values: Numbers) -> float:
    return float(values.mean()) if len(values) else 0.0


def _scales(filled: Numbers, X: Any, columns: NDArray[np.object_], schema: Any) -> Numbers:
    """The standard deviation that each slot is divided by."""
    variance = filled.var(axis=0)
    if isinstance(X, np.ndarray) and X.ndim == 3 and X.dtype.kind == "f":
        groups = np.tile(np.arange(X.shape[2]), X.shape[1])
        totals = np.bincount(groups, variance) / X.shape[1]
    else:
        _, groups = np.unique([str(label) for label in columns], return_inverse=True)
        totals = np.bincount(groups, variance)
    grid = isinstance(X, np.ndarray) and X.ndim != 2 and not (X.ndim == 3 and X.dtype.kind == "f")
    if grid or (schema is None and _one_unit(filled, groups)):
        totals = np.full(len(totals), totals[totals > 0].mean() if (totals > 0).any() else 1.0)
    tiny = 1e-18 * np.square(np.abs(filled).max(axis=0, initial=0.0)).max(initial=0.0)
    totals[totals <= tiny] = 1.0
    return np.asarray(np.sqrt(totals)[groups])


def _one_unit(values: Numbers, groups: NDArray[np.intp]) -> bool:
    low = np.full(groups.max() + 1, np.inf)
    high = -low
    np.minimum.at(low, groups, values.min(axis=0))
    np.maximum.at(high, groups, values.max(axis=0))
    spans = (high - low)[high > low]
    return bool(len(spans) and (spans >= HALF * (high.max() - low.min())).mean() >= MOST)


@dataclass(frozen=True, eq=False)
class View:
    """What an attacker has before him.

    Parameters
    ----------
    x : ndarray, shape (n, d)
        Original rows.
    z : ndarray, shape (m, p)
        Released rows, in the space of the originals where they share columns.
    common : ndarray, shape (n, p), or None
        Original rows in the space of the released ones; None where there is no such space.
    x_columns, z_columns : ndarray of object
        The column's label of each slot.
    paired : bool
        Whether the i-th released row belongs to the i-th original one.
    controls : ndarray, shape (c, p), or None
        Rows that nothing was learned from, in the space of the released ones.
    x_windows, z_windows : ndarray, shape (n, t, c), or None
    """

    x: Numbers
    z: Numbers
    common: Numbers | None
    x_columns: NDArray[np.object_]
    z_columns: NDArray[np.object_]
    paired: bool
    controls: Numbers | None = None
    x_windows: NDArray[Any] | None = None
    z_windows: NDArray[Any] | None = None

    def take(self, rows: NDArray[Any], released: NDArray[Any] | None = None) -> View:
        """Some original rows, and the same or other released ones."""
        released = rows if released is None else released
        return replace(
            self,
            x=self.x[rows],
            z=self.z[released],
            common=None if self.common is None else self.common[rows],
            x_windows=None if self.x_windows is None else self.x_windows[rows],
            z_windows=None if self.z_windows is None else self.z_windows[released],
        )


def view(original: Any, released: Any, controls: Any = None, paired: bool | None = None) -> View:
    """Pack original and released rows, and controls if there are any; as many of both are pairs, unless told.

    Released rows are in the space of the originals if they have their shape, or a part of their columns by name, and
    hold values of the same kinds.
    """
    if isinstance(original, View):
        return original
    original, released = as_rows(original, "original"), as_rows(released, "released")
    full = Space.fit(original)
    x = full.pack(original)
    if not (x != x[0]).any():
        raise ValueError("audit: original: all rows are equal; there is nothing to find out about one of them")
    own, common, shared = _released_space(original, released, full)
    packed = None
    if controls is not None:
        controls = as_rows(controls, "controls")
        if common is not None:
            packed = _packed_controls(controls, own, shared)
    return View(
        x,
        own.pack(select(released, shared)),
        common,
        full.columns,
        own.columns,
        len(original) == len(released) if paired is None else paired,
        packed,
        *(rows if _is_windows(rows) else None for rows in (original, released)),
    )


def _packed_controls(controls: Any, space: Space, shared: list[Any] | None) -> Numbers:
    names = names_of(controls)
    lacking = [name for name in shared or () if names is not None and name not in names]
    if lacking:
        raise ValueError(f"audit: controls lack the columns {', '.join(map(repr, lacking))} of the released rows")
    try:
        return space.pack(select(controls, shared))
    except (TypeError, ValueError) as error:
        raise ValueError(f"audit: controls do not fit the released rows: {error}") from error


def _released_space(original: Any, released: Any, full: Space) -> tuple[Space, Numbers | None, list[Any] | None]:
    """The space of released rows, the originals in it, and the columns that both have."""
    theirs, ours = names_of(released), names_of(original)
    shared = None
    if theirs is not None and ours is not None:
        fits = set(theirs) <= set(ours)
        shared = [name for name in ours if name in theirs] if fits else None
    else:
        fits = original.shape[1:] == released.shape[1:]
    if fits:
        part = select(original, shared)
        space = full if shared == ours or shared is None else Space.fit(part)
        try:
            space.pack(select(released, shared))
        except (TypeError, ValueError):
            pass
        else:
            return space, space.pack(part), shared
    return Space.fit(released), None, None


def _is_windows(X: Any) -> bool:
    return isinstance(X, np.ndarray) and X.ndim == 3 and X.dtype.kind == "f"


def nearest(queries: Numbers, rows: Numbers, k: int = 1) -> tuple[Numbers, NDArray[np.intp]]:
    """Distances to the k nearest rows, in order, and which they are, (n, k) each; some queries at a time."""
    k = min(k, len(rows))
    distances, places = np.empty((len(queries), k)), np.empty((len(queries), k), np.intp)
    for part, found in pieces(queries, rows):
        if k == 1:
            at = found.argmin(axis=1)[:, None]
        elif k < len(rows):
            at = np.argpartition(found, k - 1, axis=1)[:, :k]
        else:
            at = np.tile(np.arange(k), (len(found), 1))
        chosen = np.take_along_axis(found, at, axis=1)
        order = np.argsort(chosen, axis=1, kind="stable")
        distances[part] = np.sqrt(np.take_along_axis(chosen, order, axis=1))
        places[part] = np.take_along_axis(at, order, axis=1)
    return distances, places


def pieces(queries: Numbers, rows: Numbers) -> Any:
    """(which queries, their squared distances to all rows), some queries at a time."""
    lengths = np.square(rows).sum(axis=1)
    size = max(1, _HELD // max(len(rows), 1))
    for start in range(0, len(queries), size):
        part = slice(start, start + size)
        own = queries[part]
        found = np.square(own).sum(axis=1)[:, None] + lengths - 2.0 * own @ rows.T
        yield part, np.maximum(found, 0.0)
