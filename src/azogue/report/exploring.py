"""What a page knows of the rows that its points stand for: their cells, to read and to colour by."""

from __future__ import annotations

import math
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from azogue.applications.grouping import take
from azogue.modalities import rows_are
from azogue.modalities.frames import column_names
from azogue.report.anomalies import notes_of
from azogue.report.looking import LETTERS

#: Columns that are known of each point, and cells of all, at most: a page stays small whatever the data.
MOST_COLUMNS, MOST_CELLS = 40, 24_000


def explored(schema: Any, X: Any, places: NDArray[np.intp]) -> dict[str, Any]:
    """The cells of some rows.

    Parameters
    ----------
    schema : Schema
        What the rows were packed by.
    X : table, pictures, sequences or texts
    places : array of int, shape (n,)
        Which rows.

    Returns
    -------
    dict
        `rows`, their numbers; `columns`, a list of `name`, `number` (whether on a scale) and `cells` (None where
        missing); `more`, a sentence on columns that were left out, or None.
    """
    if rows_are(schema) == "table":
        part = take(X, places)
        names = column_names(X, np.shape(X)[1])
        shown = names[: max(1, min(MOST_COLUMNS, MOST_CELLS // max(len(places), 1)))]
        columns = [{"name": name, **cells_of(part, at)} for at, name in enumerate(shown)]
        left = len(names) - len(shown)
    else:
        names, notes = notes_of(schema, X, places)
        told = zip(names, zip(*notes, strict=True), strict=True)
        columns = [{"name": name, **_plain(list(cells))} for name, cells in told]
        left = 0
    more = f"… and {left:,} more columns" if left else None
    return {"rows": places.tolist(), "columns": columns, "more": more}


def cells_of(table: Any, at: int) -> dict[str, Any]:
    """A column of a table as `number`, whether all that is known are finite numbers, and `cells`.

    Examples
    --------
    >>> cells_of(np.array([[1.0, 2.0], [np.nan, 3.0]]), 0)
    {'number': True, 'cells': [1.0, None]}
    """
    frame = nw.from_native(table, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        return _plain(frame[:, at].to_list())
    return _plain(np.asarray(table)[:, at].tolist())


def _plain(cells: list[Any]) -> dict[str, Any]:
    """Cells as plain values: numbers where all that is known is one, else texts; None where missing."""
    known = [value for value in cells if not _missing(value)]
    number = bool(known) and all(_is_number(value) for value in known)
    shown = [None if _missing(value) else _number(value) if number else str(value)[:LETTERS] for value in cells]
    return {"number": number, "cells": shown}


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value)) or str(value) in ("NaT", "<NA>")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e300


def _number(value: float) -> float:
    return float(f"{value:.6g}")
