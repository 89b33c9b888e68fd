"""The section on a synthesizer: rows that it draws beside those that it is asked about, column by column."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from azogue.applications import Synthesizer
from azogue.modalities import rows_are
from azogue.modalities.frames import column_names
from azogue.plots import plot_images
from azogue.report.exploring import cells_of
from azogue.report.looking import MAX_ROWS, SHOWN, png_of

Section = dict[str, Any]
#: Rows that are drawn, at most.
DRAWN = 1000


def drawn_section(model: Any, X: Any) -> Section | None:
    """The columns of drawn rows beside those of X, or the first drawn pictures."""
    if not isinstance(model, Synthesizer):
        return None
    kind = rows_are(model.autoencoder_.schema_)
    if kind == "image":
        pictures = model.sample(SHOWN, random_state=0)
        ax = plot_images(np.asarray(pictures), np.shape(pictures)[1:])
        return {"title": "Drawn pictures", "images": [["Pictures that were drawn", png_of(ax)]]}
    if kind != "table":
        return None
    drawn = model.sample(min(len(X), DRAWN), random_state=0)
    names = column_names(X, np.shape(X)[1])
    rows = [[name, _told(cells_of(X, at)), _told(cells_of(drawn, at))] for at, name in enumerate(names[:MAX_ROWS])]
    left = len(names) - len(rows)
    return {
        "title": "Drawn rows",
        "text": f"{len(drawn):,} drawn rows beside these {len(X):,}: of numbers the median and where 90 % lie, of all "
        "else the most frequent value. To judge them, evaluate them beside rows that were held out."
        + (f" {left:,} more columns are not shown." if left else ""),
        "table": {"columns": ["column", "these rows", "drawn rows"], "rows": rows},
    }


def _told(column: dict[str, Any]) -> str:
    """A column in a few words."""
    known = [value for value in column["cells"] if value is not None]
    gaps = len(column["cells"]) - len(known)
    missing = f"; {gaps / len(column['cells']):.1%} missing" if gaps else ""
    if not known:
        return "all missing"
    if column["number"]:
        low, middle, high = np.quantile(known, [0.05, 0.5, 0.95])
        return f"{middle:.4g} ({low:.4g} to {high:.4g}){missing}"
    value, count = Counter(known).most_common(1)[0]
    return f"{value} ({count / len(known):.1%}){missing}"
