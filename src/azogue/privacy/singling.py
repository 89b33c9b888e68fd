"""Singling out and linking: what released rows of a table say of one person, more than of people at large."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from azogue.privacy.intervals import wilson
from azogue.privacy.records import Attack, attack
from azogue.privacy.rows import Values, as_rows, columns_of, is_table, names_of, select
from azogue.privacy.space import Numbers, nearest, view

#: One condition: column, kind of comparison, value.
Condition = tuple[int, str, float]
_SIGNS: dict[str, Any] = {
    "=": np.equal,
    "≤": np.less_equal,
    "≥": np.greater_equal,
    "missing": lambda cells, _: np.isnan(cells),
}
#: Columns of a predicate over several, at most.
MOST_COLUMNS = 4
#: Tries for each predicate that is wanted.
TRIES = 20


def _risk(success: float, control: float) -> float:
    """What an attack gains over its control, as a part of what there is to gain."""
    return (success - control) / (1.0 - control) if control < 1.0 else 0.0


def singling_out(
    original: Any, released: Any, controls: Any, *, predicates: int = 500, random_state: Any = 0
) -> tuple[Attack, Attack]:
    """Does a released table hold predicates that match exactly one original row?

    Predicates over one column are made of released values that occur once, and of the least and the greatest; over
    several, of a random released row and two to four random columns: its classes, and its numbers as bounds (≥ above
    the column's median, ≤ below). Only those that match one released row are kept, equal rows counting once. The same
    predicates, asked of as many control rows, tell what singles out people at large.

    Parameters
    ----------
    original, released, controls : table
        With the released table's columns; control rows are from the population of the originals.
    predicates : int
        Of each kind, at most.
    random_state : int or numpy generator

    Returns
    -------
    (one column, several columns) : tuple of Attack
        Rates of predicates that match exactly one row, with Wilson's intervals, of the originals and the controls.
        Details: `risk`, (value − control) / (1 − control), and how many predicates there were.

    Raises
    ------
    ValueError
        For what is no table, other columns, or a released table without any predicate that matches one row.

    References
    ----------
    Cohen & Nissim (2020), PNAS 117. Giomi, Boenisch, Wehmeyer & Tasnádi (2023), A unified framework for quantifying
    privacy risk in synthetic data, PoPETs 2023.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X, others, fresh = rng.normal(size=(3, 200, 6)).round(2)
    >>> [found.leaks for found in singling_out(X, X, others)]
    [True, True]
    >>> [found.leaks for found in singling_out(X, fresh, others)]
    [False, False]
    """
    own, theirs, others = _tables(original, released, controls, "singling_out")
    rng = np.random.default_rng(random_state)
    theirs = _distinct(theirs)
    size = min(len(own[0].values), len(others[0].values))
    own, others = (_some(table, size, rng) for table in (own, others))
    found = []
    for name, made in (("one column", _single(theirs, rng)), ("several columns", _several(theirs, predicates, rng))):
        kept = [one for one in _first(made, predicates) if _matches(theirs, one) == 1]
        if not kept:
            raise ValueError(f"singling_out: no predicate of {name} matches exactly one released row")
        hits, alike = (sum(_matches(table, one) == 1 for one in kept) for table in (own, others))
        success, control = (wilson(count, len(kept), corrected=True) for count in (hits, alike))
        found.append(
            attack(
                f"singling out, {name}",
                "does a predicate made of released rows match exactly one original row?",
                "rate",
                success,
                control,
                f"{{value:.0%}} of {len(kept)} predicates over {name} single out an original row (a control row: "
                "{control:.0%})",
                risk=_risk(success.value, control.value),
                predicates=len(kept),
            )
        )
    return found[0], found[1]


def _tables(original: Any, released: Any, controls: Any, name: str) -> list[list[Values]]:
    """The columns of each table, numbered alike."""
    rows = [as_rows(X, what) for X, what in ((original, "original"), (released, "released"), (controls, "controls"))]
    if not all(map(is_table, rows)):
        raise ValueError(f"{name}: expected tables; windows, pictures and texts have no columns")
    names = names_of(rows[1])
    for X, what in ((rows[0], "original"), (rows[2], "control")):
        there = names_of(X)
        named = names is not None and there is not None
        if not (set(names or ()) <= set(there or ()) if named else X.shape[1] == rows[1].shape[1]):
            raise ValueError(f"{name}: the {what} rows lack columns of the released table")
    shared = [select(X, names if names_of(X) is not None else None) for X in rows]
    columns = columns_of(*shared)
    return [[parts[at] for _, parts in columns] for at in range(3)]


def _distinct(table: list[Values]) -> list[Values]:
    cells = np.stack([column.values for column in table], axis=1)
    rows = np.sort(np.unique(cells, axis=0, return_index=True)[1])
    return [Values(column.values[rows], column.classes) for column in table]


def _some(table: list[Values], size: int, rng: np.random.Generator) -> list[Values]:
    rows = np.sort(rng.permutation(len(table[0].values))[:size])
    return [Values(column.values[rows], column.classes) for column in table]


def _first(made: Iterator[tuple[Condition, ...]], count: int) -> list[tuple[Condition, ...]]:
    """The first distinct predicates."""
    found: dict[tuple[Condition, ...], None] = {}
    for one in made:
        found.setdefault(one)
        if len(found) == count:
            break
    return list(found)


def _single(table: list[Values], rng: np.random.Generator) -> Iterator[tuple[Condition, ...]]:
    """Predicates over one column, in random order."""
    found: list[Condition] = []
    for at, column in enumerate(table):
        there = column.values[~np.isnan(column.values)]
        values, counts = np.unique(there, return_counts=True)
        found += [(at, "=", float(value)) for value in values[counts == 1]]
        if column.classes is None and len(values) > 1:
            found += [(at, "≤", float(values[0])), (at, "≥", float(values[-1]))]
        if len(column.values) - len(there) == 1:
            found.append((at, "missing", 0.0))
    for place in rng.permutation(len(found)):
        yield (found[place],)


def _several(table: list[Values], wanted: int, rng: np.random.Generator) -> Iterator[tuple[Condition, ...]]:
    """Predicates over several columns that match one row of the table they are made of."""
    if len(table) < 2:
        return
    medians = [float(np.nanmedian(one.values)) if not np.isnan(one.values).all() else 0.0 for one in table]
    for _ in range(TRIES * wanted):
        row = rng.integers(len(table[0].values))
        count = rng.integers(2, min(MOST_COLUMNS, len(table)) + 1)
        made = []
        for at in sorted(rng.permutation(len(table))[:count].tolist()):
            value = float(table[at].values[row])
            if np.isnan(value):
                made.append((at, "missing", 0.0))
            elif table[at].classes is not None:
                made.append((at, "=", value))
            else:
                made.append((at, "≥" if value >= medians[at] else "≤", value))
        if _matches(table, tuple(made)) == 1:
            yield tuple(made)


def _matches(table: list[Values], predicate: tuple[Condition, ...]) -> int:
    """How many rows a predicate matches."""
    found = np.ones(len(table[0].values), bool)
    for at, sign, value in predicate:
        found &= _SIGNS[sign](table[at].values, value)
    return int(found.sum())


def linkability(original: Any, released: Any, controls: Any, *, k: int = 1, random_state: Any = 0) -> Attack:
    """Do released rows link two halves of a person's columns that somebody holds apart?

    For each original row the nearest released rows are sought twice, by one random half of the columns and by the
    other; where both searches find the same row among the first k, the halves are linked. The same for control rows
    tells how often that happens to people who are not in the release. Equal released rows count once.

    Parameters
    ----------
    original, released, controls : table
        With the released table's columns; control rows are from the population of the originals.
    k : int
    random_state : int or numpy generator

    Returns
    -------
    Attack
        Rates with Wilson's intervals. Details: `risk`, (value − control) / (1 − control).

    Raises
    ------
    ValueError
        For what is no table, other columns, or a single column.

    References
    ----------
    Giomi, Boenisch, Wehmeyer & Tasnádi (2023), PoPETs 2023.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X, others, fresh = rng.normal(size=(3, 200, 6))
    >>> linkability(X, X, others).value, linkability(X, fresh, others).leaks
    (1.0, False)
    """
    named = (original, "original"), (released, "released"), (controls, "controls")
    if not all(is_table(as_rows(X, what)) for X, what in named):
        raise ValueError("linkability: expected tables; windows, pictures and texts have no columns")
    seen = view(original, released, controls)
    labels = sorted(set(seen.z_columns), key=str)
    if seen.common is None or seen.controls is None or len(labels) < 2:
        raise ValueError("linkability: expected released rows with two or more of the originals' columns")
    mixed = np.random.default_rng(random_state).permutation(len(labels))
    half = {labels[at] for at in mixed[: len(labels) // 2]}
    first = np.array([label in half for label in seen.z_columns])
    rows = np.unique(seen.z, axis=0)
    success, control = (
        wilson(int(_linked(asked, rows, first, k).sum()), len(asked), corrected=True)
        for asked in (seen.common, seen.controls)
    )
    return attack(
        "linkability",
        "do released rows link two halves of a person's columns?",
        "rate",
        success,
        control,
        f"{{value:.1%}} of {len(seen.common)} original rows are linked across two halves of the columns (control rows: "
        "{control:.1%})",
        risk=_risk(success.value, control.value),
    )


def _linked(asked: Numbers, rows: Numbers, first: NDArray[np.bool_], k: int) -> NDArray[np.bool_]:
    one, other = (nearest(asked[:, part], rows[:, part], k)[1] for part in (first, ~first))
    return np.asarray((one[:, :, None] == other[:, None, :]).any(axis=(1, 2)))
