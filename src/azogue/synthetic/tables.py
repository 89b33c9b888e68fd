"""Three tables as numbers: training rows, held-out real rows and synthetic rows, columns aligned, classes numbered."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from azogue.modalities.dtypes import TEMPORAL, value_family
from azogue.modalities.reading import Column, Source, read

Numbers = NDArray[np.float64]

#: The tables, in order, as messages call them.
TABLES = "real_train", "real_test", "synthetic"
#: Names of columns that a message lists, at most.
SHOWN = 10
#: Times in one unit, whatever the container's.
_TIMES = {"duration": pa.duration("us"), "time": pa.time64("us")}


@dataclass(frozen=True, eq=False)
class Tables:
    """What is compared.

    Parameters
    ----------
    names : tuple of label
        Of the columns.
    kinds : tuple of {"number", "date", "category", "empty"}
        Durations and times of day are dates here: quantities that are no plain numbers.
    classes : tuple
        Of each column its categories in order, or None for a quantity.
    train, test, synthetic : ndarray of float64, shape (n, columns)
        Quantities (dates in microseconds), or numbers of categories; NaN where missing.
    """

    names: tuple[Any, ...]
    kinds: tuple[str, ...]
    classes: tuple[tuple[Any, ...] | None, ...]
    train: Numbers
    test: Numbers
    synthetic: Numbers

    @property
    def numeric(self) -> NDArray[np.bool_]:
        """Which columns are quantities."""
        return np.array([known is None for known in self.classes], bool)

    def sampled(self, most: int, seed: int) -> Tables:
        """At most so many rows of each, by chance."""
        rng = np.random.default_rng(seed)
        parts = [
            part if len(part) <= most else part[np.sort(rng.permutation(len(part))[:most])]
            for part in (self.train, self.test, self.synthetic)
        ]
        return replace(self, train=parts[0], test=parts[1], synthetic=parts[2])

    def select(self, columns: NDArray[np.intp]) -> Tables:
        """Some of the columns."""
        names, kinds, classes = (tuple(part[at] for at in columns) for part in (self.names, self.kinds, self.classes))
        parts = (part[:, columns] for part in (self.train, self.test, self.synthetic))
        return Tables(names, kinds, classes, *parts)

    def merged(self, most: int) -> Tables:
        """The same with at most so many categories a column: the rarest of all three tables become one."""
        parts = [part.copy() for part in (self.train, self.test, self.synthetic)]
        classes = list(self.classes)
        for at, known in enumerate(self.classes):
            if known is None or len(known) <= most:
                continue
            shares = np.zeros(len(known))
            for part in parts:
                own = part[~np.isnan(part[:, at]), at].astype(np.intp)
                shares += np.bincount(own, minlength=len(known)) / len(part)
            kept = np.sort(np.argsort(-shares, kind="stable")[: most - 1])
            numbers = np.full(len(known), float(most - 1))
            numbers[kept] = np.arange(most - 1)
            for part in parts:
                there = ~np.isnan(part[:, at])
                part[there, at] = numbers[part[there, at].astype(np.intp)]
            classes[at] = (*(known[place] for place in kept), "all others")
        return replace(self, classes=tuple(classes), train=parts[0], test=parts[1], synthetic=parts[2])

    def as_arrow(self, values: Numbers) -> pa.Table:
        """Rows as a table of texts that stand for categories, and of quantities in the training rows' deviations."""
        made = {}
        for at, (name, known) in enumerate(zip(self.names, self.classes, strict=True)):
            column = values[:, at]
            if known is None:
                made[str(name)] = pa.array(standard(column, self.train[:, at]), from_pandas=True)
            else:
                texts = [None if math.isnan(value) else f"{int(value):06d}" for value in column.tolist()]
                made[str(name)] = pa.array(texts, pa.string())
        return pa.table(made)


def standard(values: Numbers, known: Numbers) -> Numbers:
    """Quantities less the mean, in standard deviations, of those that are known."""
    there = known[~np.isnan(known)]
    if not len(there):
        return values
    unit = float(np.abs(there).max()) or 1.0
    center = float((there / unit).mean())
    return np.asarray((values / unit - center) / (float((there / unit).std()) or 1.0))


def aligned(real_train: Any, real_test: Any, synthetic: Any) -> Tables:
    """The tables with the training rows' columns, in their order.

    Raises
    ------
    TypeError, ValueError
        Naming the table, the column and the remedy: for what is no table, columns that not all have, infinity, and
        columns that hold texts in one table and numbers in another.
    """
    sources = [_read(X, what) for X, what in zip((real_train, real_test, synthetic), TABLES, strict=True)]
    labels = sources[0].names
    for source, what in zip(sources[1:], TABLES[1:], strict=True):
        _check_columns(sources[0], source, what)
    names = tuple(range(sources[0].shape[1])) if labels is None else labels
    parts: list[list[Numbers]] = [[], [], []]
    kinds, classes = [], []
    for at, name in enumerate(names):
        places = [at if source.names is None or labels is None else source.names.index(name) for source in sources]
        kind, known, values = _column(name, [s.column(place) for s, place in zip(sources, places, strict=True)])
        kinds.append(kind)
        classes.append(known)
        for part, own in zip(parts, values, strict=True):
            part.append(own)
    stacked = [np.stack(part, axis=1) for part in parts]
    return Tables(names, tuple(kinds), tuple(classes), *stacked)


def _read(X: Any, what: str) -> Source:
    if hasattr(X, "__fspath__") or isinstance(X, (str, bytes)):
        raise TypeError(f"evaluate_synthetic: {what}: expected rows in memory, got the path {X!r}; read it first")
    if isinstance(X, nw.DataFrame):
        X = X.to_native()
    try:
        return read(X)
    except (TypeError, ValueError) as error:
        told = " ".join(str(error).split())
        raise type(error)(f"evaluate_synthetic: {what}: {told}") from error


def _check_columns(first: Source, other: Source, what: str) -> None:
    """Refuse other columns than the training rows have."""
    if first.names is None or other.names is None:
        if first.shape[1] != other.shape[1]:
            raise ValueError(
                f"evaluate_synthetic: {what} has {other.shape[1]} columns and real_train {first.shape[1]}; give the "
                "same columns in the same order"
            )
        return
    lacking = [name for name in first.names if name not in other.names]
    extra = [name for name in other.names if name not in first.names]
    for found, told in ((lacking, f"{what} lacks"), (extra, f"{what} has, and real_train lacks,")):
        if found:
            shown = ", ".join(map(repr, found[:SHOWN])) + ", …" * (len(found) > SHOWN)
            word = "columns" if len(found) > 1 else "column"
            raise ValueError(f"evaluate_synthetic: {told} the {word} {shown}; give all three tables the same columns")


def _column(name: Any, columns: list[Column]) -> tuple[str, tuple[Any, ...] | None, list[Numbers]]:
    """What a column is, its categories, and its values in each table."""
    families = [value_family(column.type) for column in columns]
    held = {family for family in families if family != "absent"}
    if not held:
        return "empty", None, [np.full(len(column.array), math.nan) for column in columns]
    listed = any(pa.types.is_dictionary(column.type) for column in columns)
    if held <= {"numeric", "boolean"}:
        plain = held == {"numeric"} and not listed
    elif len(held) == 1:
        plain = held <= TEMPORAL and not listed
    else:
        told = ", ".join(f"{family} in {what}" for family, what in zip(families, TABLES, strict=True))
        raise TypeError(f"evaluate_synthetic: column {name!r} is {told}; give it one type in all three tables")
    if not plain:
        known, values = _numbered([column.array for column in columns])
        return "category", known, values
    kind = "number" if held == {"numeric"} else "date"
    values = [_quantities(column, str(family)) for column, family in zip(columns, families, strict=True)]
    for part, what in zip(values, TABLES, strict=True):
        if np.isinf(part).any():
            raise ValueError(f"evaluate_synthetic: column {name!r} of {what} holds infinity; replace it first")
    if kind == "number" and all(np.isnan(part).all() for part in values):
        kind = "empty"
    return kind, None, values


def _quantities(column: Column, family: str) -> Numbers:
    """Floats; times in microseconds."""
    if family == "absent":
        return np.full(len(column.array), math.nan)
    if family == "numeric":
        return column.floats()
    zone = getattr(column.type, "tz", None)
    target = _TIMES.get(family) or pa.timestamp("us", zone)
    return Column(column.label, target, column.array.cast(target, safe=False)).floats()


def _numbered(arrays: list[pa.Array]) -> tuple[tuple[Any, ...], list[Numbers]]:
    """Categories in order, and which one each cell is."""
    coded = [
        array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
        for array in (part.combine_chunks() if isinstance(part, pa.ChunkedArray) else part for part in arrays)
    ]
    lists = [[_plain(value) for value in part.dictionary.to_pylist()] for part in coded]
    used = [np.unique(_indices(part)) for part in coded]
    there = {known[at] for known, places in zip(lists, used, strict=True) for at in places if at >= 0} - {None}
    ordered = sorted(there, key=lambda value: (type(value).__name__, value))
    numbers = {value: float(at) for at, value in enumerate(ordered)}
    values = []
    for part, known in zip(coded, lists, strict=True):
        table = np.array([*(math.nan if value is None else numbers.get(value, math.nan) for value in known), math.nan])
        values.append(table[_indices(part)])
    return tuple(ordered), values


def _indices(coded: pa.DictionaryArray) -> NDArray[np.intp]:
    """Places in the dictionary; −1 where missing."""
    return np.asarray(coded.indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False), np.intp)


def _plain(value: Any) -> Any:
    """Booleans and numbers as numbers, so that True is 1 in another table; NaN is missing."""
    if isinstance(value, (bool, int, float)):
        return None if math.isnan(value) else float(value)
    return value
