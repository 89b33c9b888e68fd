"""Rows and pictures before and after: what was filled, restored or released, and what drawn rows look like."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from azogue.applications import Imputer
from azogue.applications.grouping import take
from azogue.applications.merging import gaps
from azogue.cli.results import Made
from azogue.studio.exploring import COLUMNS, PICTURES, ROWS, Explorer, as_rows, picture, table_rows

#: What the page says of a filled cell beside its value.
_SURE = "{:.0%} sure"


def compared(explorer: Explorer, made: Made | None, folder: Path) -> dict[str, Any]:
    """The rows before and after a use, those first that it changed.

    Parameters
    ----------
    explorer : Explorer
    made : Made or None
        None where pictures were written to a folder.
    folder : Path
    """
    given = explorer.given
    if given is None:
        raise ValueError("give data to see what changed")
    if given.kind == "image":
        return {"pairs": _pictures(explorer, made, folder)}
    before, after = as_rows(given.X), as_rows(None if made is None else made.values)
    if before is None or after is None:
        raise ValueError("these rows cannot be shown side by side")
    names = [name for name in after.column_names if name in before.column_names][:COLUMNS]
    filling = isinstance(explorer.model, Imputer)
    changed = gaps(given.X).any(axis=1) if filling else np.ones(len(after), bool)
    rows = np.flatnonzero(changed)[:ROWS]
    old, new = (table_rows(table.select(names).take(pa.array(rows))) for table in (before, after))
    hints = _hints(explorer, rows, names) if filling else {}
    return {
        "columns": names,
        "count": int(changed.sum()),
        "rows": [
            {
                "row": int(row),
                "before": a,
                "after": b,
                "hints": [hints.get((at, name), "") for name in names],
            }
            for at, (row, a, b) in enumerate(zip(rows, old, new, strict=True))
        ],
    }


def _hints(explorer: Explorer, rows: np.ndarray, names: list[str]) -> dict[tuple[int, str], str]:
    """How sure each filled cell is."""
    if not len(rows):
        return {}
    told = explorer.model.distribution(take(explorer.X, rows))
    found = {}
    for row, name, spread, sure in zip(*(told[key] for key in ("row", "name", "spread", "probability")), strict=True):
        column = name if isinstance(name, str) else names[int(name)]
        found[int(row), column] = _SURE.format(sure) if np.isfinite(sure) else f"± {spread:.3g}"
    return found


def _pictures(explorer: Explorer, made: Made | None, folder: Path) -> list[dict[str, Any]]:
    """Some pictures before and after."""
    given = explorer.given
    rows = range(min(PICTURES, explorer.count))
    before = explorer.pictures(np.arange(len(rows)))
    if made is not None:
        after = [np.asarray(made.values[row]) for row in rows]
    else:
        files = (given.files if given is not None else None) or ()
        after = [explorer.opened((folder / files[row]).with_suffix(".png"), as_it_is=True) for row in rows]
    told = zip(rows, before, after, strict=True)
    return [{"row": at, "name": explorer.name(at), "before": picture(a), "after": picture(b)} for at, a, b in told]


def drawn(made: Made) -> dict[str, Any]:
    """The first of drawn rows or pictures."""
    if made.way in ("pictures", "picture", "stack"):
        return {"count": made.count, "pictures": [{"picture": picture(one)} for one in made.values[:PICTURES]]}
    table = as_rows(made.values)
    if table is None:
        raise ValueError("what was drawn cannot be shown here; download it")
    part = table.slice(0, ROWS)
    return {"count": made.count, "columns": part.column_names[:COLUMNS], "rows": table_rows(part)}


def worst(made: Made) -> dict[str, Any]:
    """The rows of a table of scores, the least usual first."""
    table = made.values
    score = table.column("score").to_numpy()
    order = np.argsort(-score, kind="stable")[:ROWS]
    part = table.take(pa.array(order))
    shown = [name for name in part.column_names if name not in ("row", "value", "expected")]
    beyond = int(np.sum(table.column("anomaly").to_numpy(zero_copy_only=False)))
    rows = [[int(row), *line] for row, line in zip(order, table_rows(part.select(shown)), strict=True)]
    return {"columns": ["row", *shown], "rows": rows, "beyond": beyond, "count": len(table)}
