"""Overimputation: observed cells hidden, drawn again, and compared, which tells whether intervals can be trusted."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from sklearn.base import clone

from azogue.applications.filling import EMPTY
from azogue.applications.grouping import take
from azogue.applications.merging import gaps
from azogue.missingness import hide
from azogue.modalities.dtypes import TEMPORAL, value_family
from azogue.modalities.frames import column_names
from azogue.modalities.reading import read
from azogue.session import as_seed

if TYPE_CHECKING:
    from azogue.applications.completing import Completing

Numbers = NDArray[np.float64]

#: Of a column's observed cells, the part that a second fit does without, and microseconds of a day.
PART, DAY = 0.1, 86_400e6


@dataclass(frozen=True, eq=False, repr=False)
class Overimputed:
    """Observed cells beside what is drawn for them; an entry for each of k cells.

    Parameters
    ----------
    row, column : ndarray of int, shape (k,)
        Where the cell is.
    name : ndarray of object, shape (k,)
        Its column's name.
    observed, imputed : ndarray of object, shape (k,)
        The cell, and the mean of its draws; of texts, categories and booleans the most frequent draw. Dates count in
        days since 1970, times in days.
    low, high : ndarray, shape (k,)
        Ends of the interval of a number; NaN for others.
    covered : ndarray of bool, shape (k,)
        Whether the interval holds the observed number; whether the fewest categories that together make up
        `confidence` of the draws hold the observed one.
    usual : ndarray of object, shape (k,)
        The mean of the column's other observed cells, or the most frequent one.
    numeric : ndarray of bool, shape (k,)
    confidence : float
    names : tuple of str
        Of all columns that have cells here, in the table's order.
    """

    row: NDArray[np.intp]
    column: NDArray[np.intp]
    name: NDArray[np.object_]
    observed: NDArray[np.object_]
    imputed: NDArray[np.object_]
    low: Numbers
    high: Numbers
    covered: NDArray[np.bool_]
    usual: NDArray[np.object_]
    numeric: NDArray[np.bool_]
    confidence: float
    names: tuple[str, ...]

    @property
    def coverage(self) -> float:
        """The part of the cells that is covered; near `confidence` for an imputer that knows how sure it is."""
        return float(self.covered.mean())

    def summary(self) -> dict[str, list[Any]]:
        """A line for each column.

        Returns
        -------
        dict of lists
            `name`, `cells`, `error` (root of the mean squared error, or part of wrong categories), `usual_error` (of
            the mean, or of the most frequent category), `skill` (1 − the ratio of squared errors, or of parts that
            are wrong; 0 or less: no better) and `coverage`.
        """
        found: dict[str, list[Any]] = {}
        for name in self.names:
            at = self.name == name
            ours, usual = (_error(self.observed[at], made[at], bool(self.numeric[at][0])) for made in self._made)
            power = 2 if self.numeric[at][0] else 1
            skill = 1.0 - (ours / usual) ** power if usual > 0 else float("nan")
            line = (name, int(at.sum()), ours, usual, skill, float(self.covered[at].mean()))
            for title, value in zip(("name", "cells", "error", "usual_error", "skill", "coverage"), line, strict=True):
                found.setdefault(title, []).append(value)
        return found

    @property
    def _made(self) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
        return self.imputed, self.usual

    def to_dict(self) -> dict[str, Any]:
        """Columns of a table with a line for each cell, as `pandas.DataFrame` takes them."""
        shown = ("row", "column", "name", "observed", "imputed", "low", "high", "covered")
        return {name: getattr(self, name) for name in shown}

    def plot(self, column: str | None = None, ax: Any = None) -> Any:
        """Draw them: see `azogue.plots.plot_overimpute`."""
        from azogue.plots import plot_overimpute

        return plot_overimpute(self, column, ax)

    def __repr__(self) -> str:
        told = self.summary()
        width = max(6, *map(len, told["name"]))
        heads = ("cells", "error", "of mean/mode", "skill", "coverage")
        lines = [f"{'column':<{width}}" + "".join(f"{head:>14}" for head in heads)]
        for name, *values in zip(*told.values(), strict=True):
            lines.append(f"{name:<{width}}" + "".join(f"{value:>14.4g}" for value in values))
        many = f"{len(self.row)} observed cells, intervals of {100 * self.confidence:g} %"
        return "\n".join([f"{many}: {self.coverage:.1%} covered", *lines])


def overimpute(
    imputer: Completing,
    X: Any,
    *,
    cells: int = 50,
    m: int = 40,
    confidence: float = 0.9,
    refit: bool = True,
    random_state: Any = None,
) -> Overimputed:
    """Hide observed cells, draw them from the rest of their rows, and compare (Blackwell, Honaker & King 2017).

    Each cell is hidden by itself, the others of its row are seen. The interval holds the middle `confidence` of m
    draws. Cells that the networks learned from would be told too well: with `refit`, a clone of the imputer is fitted
    first on the table without any of the cells that are to be drawn.

    Parameters
    ----------
    imputer : Imputer
        Fitted; with `refit` it may be unfitted.
    X : table, shape (n, columns)
    cells : int
        Of each column, at most; with `refit`, at most a tenth of those observed.
    m : int
        Draws of each cell.
    confidence : float
        In (0, 1).
    refit : bool
        False: `X` holds rows that `fit` has not seen.
    random_state : int, numpy generator or None
        Which cells; None: the imputer's own seed.

    Returns
    -------
    Overimputed

    Raises
    ------
    ValueError, TypeError
        For parameters out of range, and data without a cell that could be hidden.

    Examples
    --------
    >>> import azogue as az
    >>> from sklearn.datasets import load_iris
    >>> found = overimpute(az.Imputer(random_state=0), load_iris().data, cells=15, m=20)
    >>> found.row.shape, found.coverage > 0.7
    ((60,), True)
    """
    if isinstance(confidence, bool) or not isinstance(confidence, Real) or not 0.0 < confidence < 1.0:
        raise ValueError(f"overimpute: confidence: expected a part in (0, 1), got {confidence!r}")
    for name, value, least in (("cells", cells, 1), ("m", m, 2)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
            raise ValueError(f"overimpute: {name}: expected a whole number of at least {least}, got {value!r}")
    seed = as_seed(imputer.random_state if random_state is None else random_state)
    holes = gaps(X)
    chosen = _sample(holes, cells, refit, np.random.default_rng(seed))
    if refit:
        imputer = _refitted(imputer, hide(X, chosen), seed)
    rows, columns = np.nonzero(chosen)
    single = np.zeros((len(rows), holes.shape[1]), bool)
    single[np.arange(len(rows)), columns] = True
    tables = [read(table) for table in imputer.impute(hide(take(X, rows), single), m)]
    return _compared(X, holes | chosen, rows, columns, tables, float(confidence))


def _refitted(imputer: Any, X: Any, seed: int) -> Any:
    """A clone of the imputer, fitted; of columns without a value a fitted imputer has told already."""
    with warnings.catch_warnings():
        if hasattr(imputer, "autoencoder_"):
            warnings.filterwarnings("ignore", EMPTY)
        return clone(imputer).set_params(random_state=seed).fit(X)


def _sample(holes: NDArray[np.bool_], cells: int, refit: bool, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which observed cells to hide."""
    chosen = np.zeros(holes.shape, bool)
    for column in range(holes.shape[1]):
        rows = np.flatnonzero(~holes[:, column])
        count = min(cells, int(PART * len(rows)) if refit else len(rows))
        if len(rows) > 1:
            chosen[rng.permutation(rows)[: max(count, 1)], column] = True
    if not chosen.any():
        raise ValueError("overimpute: no column has two observed cells; there is nothing to compare")
    return chosen


def _compared(
    X: Any, unseen: NDArray[np.bool_], rows: Any, columns: Any, tables: list[Any], confidence: float
) -> Overimputed:
    source, names = read(X), np.array(column_names(X, unseen.shape[1]), object)
    count = len(rows)
    observed, imputed, usual = (np.empty(count, object) for _ in range(3))
    low, high, numeric = np.full(count, np.nan), np.full(count, np.nan), np.zeros(count, bool)
    covered, kept = np.zeros(count, bool), np.ones(count, bool)
    for column in np.unique(columns):
        at = np.flatnonzero(columns == column)
        own = source.column(int(column)).array
        draws = [table.column(int(column)).array.take(pa.array(at)) for table in tables]
        if any(part.null_count for part in draws):  # a column that is never filled
            kept[at] = False
            continue
        others = own.filter(pa.array(~unseen[:, column]))
        truth = own.take(pa.array(rows[at]))
        numeric[at] = _is_number(own.type)
        if numeric[at[0]]:
            drawn = np.stack([_numbers(part) for part in draws])
            observed[at], imputed[at] = _numbers(truth), drawn.mean(axis=0)
            usual[at] = float(_numbers(others).mean()) if len(others) else np.nan
            levels = [(1 - confidence) / 2, (1 + confidence) / 2]
            ends = np.quantile(drawn, levels, axis=0, method="weibull")  # a further draw lies within so often
            low[at], high[at] = ends
            covered[at] = (ends[0] <= _numbers(truth)) & (_numbers(truth) <= ends[1])
        else:
            drawn = np.array([part.to_pylist() for part in draws], object)
            observed[at] = truth.to_pylist()
            known = others.to_pylist()
            usual[at] = max(sorted(set(known), key=str), key=known.count) if known else None
            for place, values in zip(at, drawn.T, strict=True):
                imputed[place], covered[place] = _most(values.tolist(), observed[place], confidence)
    if not kept.any():
        raise ValueError("overimpute: no column is filled by this imputer; there is nothing to compare")
    found: list[Any] = [rows, columns, names[columns], observed, imputed, low, high, covered, usual, numeric]
    shown = tuple(str(names[column]) for column in np.unique(columns[kept]))
    parts: list[Any] = [*(part[kept] for part in found), confidence, shown]
    return Overimputed(*parts)


def _most(values: list[Any], observed: Any, confidence: float) -> tuple[Any, bool]:
    """The most frequent value, and whether the fewest that make up `confidence` of all hold the observed one."""
    ranked = sorted(set(values), key=lambda value: (-values.count(value), str(value)))
    reached = 0
    for value in ranked:
        if value == observed:
            return ranked[0], True
        reached += values.count(value)
        if reached >= confidence * len(values):
            break
    return ranked[0], False


def _is_number(kind: pa.DataType) -> bool:
    return value_family(kind) in ("numeric", *TEMPORAL)


def _numbers(array: Any) -> Numbers:
    """Numbers as they are, dates as days since 1970, times and durations as days."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        array, kind = array.dictionary_decode(), kind.value_type
    if value_family(kind) in TEMPORAL:
        plain = pa.duration("us") if pa.types.is_duration(kind) else pa.timestamp("us")
        plain = pa.time64("us") if pa.types.is_time(kind) else plain
        array = pc.cast(pc.cast(array, plain, safe=False), pa.int64())
        return np.asarray(array.to_numpy(zero_copy_only=False), np.float64) / DAY
    return np.asarray(array.to_numpy(zero_copy_only=False), np.float64)


def _error(observed: NDArray[np.object_], made: NDArray[np.object_], numeric: bool) -> float:
    """Root of the mean squared error; of others, the part that is wrong."""
    if numeric:
        return float(np.sqrt(np.square(observed.astype(float) - made.astype(float)).mean()))
    return float(np.mean([a != b for a, b in zip(observed, made, strict=True)]))
