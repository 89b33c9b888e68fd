"""What sections share: the detectors of a model, some rows of any data, cells as texts, drawings as PNG."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np

from azogue.modalities.frames import column_names
from azogue.report.page import data_uri

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from azogue.applications import AnomalyDetector

#: Points of a chart and rows of a table, at most: a report stays small whatever the data.
MAX_POINTS, MAX_ROWS = 2000, 20
#: Rows of a picture, dots of its inches, and letters of a text.
SHOWN, DOTS, LETTERS = 8, 80, 80


def groups_of(model: Any) -> dict[str, AnomalyDetector]:
    """The detectors of a model that has one for each group; else nothing."""
    found: dict[str, AnomalyDetector] = getattr(model, "detectors_", {})
    return found


def first_of(detector: AnomalyDetector) -> AnomalyDetector:
    """A detector itself, or that of its first group."""
    return next(iter(groups_of(detector).values()), detector)


def names_of(detector: AnomalyDetector, X: Any) -> list[str]:
    """The columns that a detector of tables looks at: without the one that names the group."""
    names = column_names(X, np.shape(X)[1])
    by = detector.by
    if by is None or callable(by):
        return names
    at = names.index(str(by)) if str(by) in names else by
    return names[:at] + names[at + 1 :]


def shown_cells(X: Any, columns: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """One cell of each row as text.

    Parameters
    ----------
    X : table, shape (n, columns)
    columns : sequence of str
        What its columns are called.
    wanted : sequence of str
        The column of each row's cell.

    Examples
    --------
    >>> shown_cells(np.array([[1.0, 2.5], [3.0, 4.0]]), ["a", "b"], ["b", "a"])
    ['2.5', '3']
    """
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    cells: dict[str, list[Any]] = {}
    for name in set(wanted):
        at = list(columns).index(name)
        cells[name] = frame[:, at].to_list() if isinstance(frame, nw.DataFrame) else np.asarray(X)[:, at].tolist()
    return [_text(cells[name][row]) for row, name in enumerate(wanted)]


def _text(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)[:LETTERS]


def png_of(ax: Axes) -> str:
    """A drawing as text that a page and a JSON file can hold."""
    buffer = io.BytesIO()
    ax.figure.savefig(buffer, format="png", dpi=DOTS)  # type: ignore[union-attr]
    return data_uri(buffer.getvalue())
