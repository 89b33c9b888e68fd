"""`azogue report`: of tables all sections; of pictures, sequences and texts those that need no columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from azogue.cli import data, models
from azogue.report import Report, report
from azogue.report.sections import MAX_ROWS, autoencoder_of, code_section, model_section, training_section

if TYPE_CHECKING:
    from azogue.cli.data import Given


def report_on(model: Any, given: Given) -> Report:
    """Look at data through a fitted model.

    Parameters
    ----------
    model : fitted estimator
    given : Given
    """
    if given.kind == "table":
        return report(model, given.X)
    inner = autoencoder_of(model)
    about = model_section(model, given.X)
    about["facts"] = {"modality": given.kind, "a row": models.row_of(inner.schema_)} | about["facts"]
    fidelity = {key: round(value, 6) for key, value in inner.evaluate(given.X).items()}
    anomalies, count = _anomalies(model, given)
    sections = [
        about,
        training_section(model, given.X),
        {"title": "Reconstruction", "text": "Errors in scaled units.", "facts": fidelity},
        code_section(model, given.X),
        anomalies,
    ]
    noun = data.noun(given, inner.schema_)
    return Report(f"{type(model).__name__} on {count:,} {noun}", sections)


def _anomalies(model: Any, given: Given) -> tuple[dict[str, Any], int]:
    """The least usual rows and where they are, and how many rows there are."""
    table = models.detected(model, given, "auto").values
    worst = table.take(pc.sort_indices(table, [("score", "descending")])[:MAX_ROWS]).drop_columns(["anomaly"])
    beyond = pc.sum(table["anomaly"]).as_py() or 0
    section = {
        "title": "Anomalies",
        "text": f"{beyond:,} of {len(table):,} lie beyond the threshold (1 is usual, higher is worse).",
        "table": {"columns": worst.column_names, "rows": models.json_rows(worst)},
    }
    return section, len(table)
