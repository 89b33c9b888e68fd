"""What verbs share once rows are read: send them through a model, write what comes out, and say so."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from azogue.cli.options import emit, say

if TYPE_CHECKING:
    from azogue.cli.options import Reading, Training


def write(made: Any, output: str | None, as_json: bool, facts: Any = None, note: str = "") -> None:
    """Write what a verb made, and say so, with further facts for JSON and a note for people."""
    from azogue.cli import models, results

    if output is None and as_json:
        table = results.as_table(made)
        emit({"columns": table.column_names, "rows": models.json_rows(table), **(facts or {})}, True, "")
        return
    told = results.write(made, output, say)
    note = note and f", {note}"
    if output not in (None, "-"):
        text = f"{output}: {told['rows']:,} {results.NOUNS[made.way]} from {made.source}{note}"
        emit({**told, **(facts or {})}, as_json, text)
    elif note:
        say(f"azogue: {made.source}{note}")


def through(
    make: Callable[[Any, Any], Any],
    data: str,
    new: str | None,
    output: str | None,
    as_json: bool,
    training: Training,
    reading: Reading,
    way: str | None = None,
    report: str | None = None,
) -> None:
    """Open the model (or fit one), send the rows through `make`, and write what comes out."""
    from azogue.cli import models, reporting, results

    reporting.check(report, data, new, output)
    model, given = models.found(data, new, training, reading, streaming=True)
    results.check(output, way or results.way_of(given), given.path, data, new, given=given)
    model, given = models.ready(model, given, training, say)
    write(models.quietly(make, model, given, about=given.path), output, as_json)
    reporting.write(report, model, given, say)
