"""`azogue project`: the codes of rows as a picture or a page, those of a table coloured by one of its columns."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from azogue.cli import data as sources
from azogue.cli import models, reporting, results, tables
from azogue.files import atomic_write
from azogue.plots import plot_codes
from azogue.report.sections import autoencoder_of
from azogue.webmaps import map_page

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes

    from azogue.cli.data import Given
    from azogue.cli.options import Reading, Training

#: Kinds of pictures, and what is left out of each so that the same run writes the same bytes.
FORMATS: dict[str, dict[str, Any]] = {
    ".png": {"dpi": 150},
    ".svg": {"metadata": {"Date": None}},
    ".pdf": {"metadata": {"CreationDate": None}, "dpi": 300},
}

#: Endings of pages.
PAGES = ".html", ".htm"
#: The network of a map whose rows are placed freely: it only has to learn their places. Steps of training that suffice
#: for that, and the least and most passes over the rows that they may take.
NETWORK, STEPS, FEWEST, MOST = (128, 128, 2), 300, 10, 100


def project(
    data: str,
    new: str | None,
    output: str,
    color: str | None,
    training: Training,
    reading: Reading,
    say: Callable[[str], None],
    neighbors: bool = False,
    report: str | None = None,
) -> dict[str, Any]:
    """Draw the map of the codes and write it.

    Parameters
    ----------
    data, new : str
        A model and data, or data to fit on the spot.
    output : str
        File ending in .png, .svg or .pdf, or in .html for a page to hover over.
    color : str or None
        Column of a table to colour by: its name; in an array its number, from 1. A model that is fitted on the spot
        does not see it.
    training, reading : options of the command line
    say : callable
        Told what the user should know.
    neighbors : bool
        Whether a model that is fitted on the spot keeps neighbours together (`MapAutoencoder`).
    report : str or None
        Where a report is written besides.

    Returns
    -------
    dict
        `output`, `rows`, `code_size`.
    """
    tables.check_output(output, data, new, stream=False)
    reporting.check(report, data, new, output)
    results.check_outside(output, data, new)
    ending = Path(output).suffix.lower()
    if ending not in (*FORMATS, *PAGES):
        raise ValueError(f"{output}: a map ends in .png, .svg, .pdf or .html")
    if neighbors and data.endswith(models.ENDING):
        raise ValueError(f"{data} is trained already; leave --neighbors out")
    if color is not None and reading.drop:
        reading = replace(reading, drop=[name for name in reading.drop if name != color])
    model, given = models.found(data, new, training, reading)
    label, shade, whole = None, None, given
    if color is not None:
        if given.kind != "table":
            raise ValueError(f"{given.path}: --color is for a column of a table; leave it out")
        label, shade = _column(given.X, color, given.path)
        if not _belongs(model, given.X, color):
            given = given.having(_without(given.X, color))
            say(f"azogue: {label} is used for colour only")
    if neighbors:
        model = _fitted(given, training, say)
    model, given = models.ready(model, given, training, say)
    codes = models.quietly(autoencoder_of(model).encode, given.X, about=given.path)
    if codes.shape[1] > (2 if ending in PAGES else 3):
        say(f"azogue: the code has {codes.shape[1]} units; the map shows the first two")
    if ending in PAGES:
        rows = _rows(whole, autoencoder_of(model).schema_)
        drawn = map_page(codes, rows, shade, label=label, title=f"Map of {Path(given.path).name}")
        atomic_write(output, drawn.encode())
    else:
        ax = plot_codes(codes, shade, label=label)
        ax.figure.set_size_inches(7.5, 5.6)  # type: ignore[union-attr]
        atomic_write(output, _picture(ax, ending))
    reporting.write(report, model, given, say)
    return {"output": output, "rows": len(codes), "code_size": codes.shape[1]}


def _fitted(given: Given, training: Training, say: Callable[[str], None]) -> Any:
    """A map that keeps neighbours, fitted on the data; what the options leave open suits a map. Tables are laid out.

    Raises
    ------
    ValueError
        For another variant.
    """
    if training.variant not in ("basic", "map"):
        raise ValueError(f"--neighbors is a variant of its own; leave --variant {training.variant} out")
    models.advised(given, say)
    unfitted = models.unfitted(replace(training, variant="map"), given)
    if given.kind == "table":
        said, steps = training.given(), -(-len(given.X) // unfitted.batch_size)
        unfitted.set_params(placement="neighbors")
        if "--network" not in said:
            unfitted.set_params(network=NETWORK)
        if "--epochs" not in said:
            unfitted.set_params(epochs=min(max(-(-STEPS // steps), FEWEST), MOST))
    model = models.quietly(unfitted.fit, given.X, about=given.path)
    if model.stopped_ == "interrupted":
        raise KeyboardInterrupt
    return model


def _rows(given: Given, schema: Any) -> dict[str, Any]:
    """What the page shows of each row: a table's columns, texts, or where a picture or sequence came from."""
    if given.kind == "table" and isinstance(given.X, pa.Table):
        return {name: given.X.column(at).to_pylist() for at, name in enumerate(given.X.column_names)}
    if given.kind == "table":
        return {f"column {at + 1}": column for at, column in enumerate(np.asarray(given.X).T)}
    if given.kind == "text":
        texts = given.X.to_pylist() if hasattr(given.X, "to_pylist") else list(given.X)
        return {(given.columns or ("text",))[0] or "text": texts}
    return sources.places(given, schema)


def _picture(ax: Axes, ending: str) -> bytes:
    import matplotlib as mpl

    buffer = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "azogue"}):
        ax.figure.savefig(buffer, format=ending[1:], **FORMATS[ending])  # type: ignore[union-attr]
    return buffer.getvalue()


def _column(table: Any, color: str, source: str) -> tuple[str, Any]:
    """What a column is called, and its values.

    Raises
    ------
    ValueError
        Naming the columns that there are.
    """
    if isinstance(table, np.ndarray):
        count = table.shape[1] if table.ndim == 2 else 0
        if not color.isdecimal() or not 1 <= int(color) <= count:
            raise ValueError(
                f"{source}: an array has no column names; --color takes a number from 1 to {count}, got {color!r}"
            )
        return f"column {color}", table[:, int(color) - 1]
    if color not in table.column_names:
        names = ", ".join(table.column_names[:20]) + ", …" * (len(table.column_names) > 20)
        raise ValueError(f"{source}: has no column {color!r} to colour by; it has {names}")
    return color, table.column(color)


def _belongs(model: Any, table: Any, color: str) -> bool:
    """Whether the model reads the column that colours the map."""
    if model is None:
        return False
    if isinstance(table, np.ndarray):
        return bool(table.shape[1] <= autoencoder_of(model).n_features_in_)
    return color in models.known_columns(model)


def _without(table: Any, color: str) -> Any:
    if isinstance(table, pa.Table):
        return table.drop_columns([color])
    return np.delete(table, int(color) - 1, axis=1)
