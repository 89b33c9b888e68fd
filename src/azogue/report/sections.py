"""The sections of a report: each looks at a model and data and returns plain values, or None where it has nothing.

A section is a dict with `title` and any of `text` (str), `facts` (name → value), `table` (`columns`, `rows`), `chart`
(`kind`: line or points; `series`: name → list of [x, y]; `x`, `y`: axis titles) and `images` (list of [caption, PNG in
a data URI]).
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from azogue.applications.anomaly import AnomalyDetector
from azogue.modalities import ImageSchema, SequenceSchema, TableSchema
from azogue.modalities.frames import column_names
from azogue.modalities.pictures import is_files, list_files
from azogue.modalities.text import read as read_texts
from azogue.modalities.textual import PART, TextSchema
from azogue.modalities.waves import read as read_signals
from azogue.modalities.windows import Cut
from azogue.modalities.words import WordSchema
from azogue.plots import plot_reconstructions
from azogue.report.page import data_uri

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from azogue.autoencoder import Autoencoder

Section = dict[str, Any]

#: Points of a chart and rows of a table, at most: a report stays small whatever the data.
MAX_POINTS, MAX_ROWS = 2000, 20
#: Rows of a picture, dots of its inches, and letters of a text.
SHOWN, DOTS, LETTERS = 8, 80, 80


def autoencoder_of(model: Any) -> Autoencoder:
    """The autoencoder that a model is or owns."""
    inner: Autoencoder = model.autoencoder_ if hasattr(model, "autoencoder_") else model
    return inner


def counted(model: Any, X: Any) -> str:
    """How many rows of the network there are, and what they are."""
    schema = autoencoder_of(model).schema_
    if isinstance(schema, TableSchema):
        return f"{len(X):,} rows"
    noun = {ImageSchema: "pictures", SequenceSchema: "sequences"}.get(type(schema), "texts")
    noun = "windows" if getattr(schema, "step", None) is not None else noun
    return f"{schema.count(X):,} {noun}"  # type: ignore[attr-defined]


def model_section(model: Any, X: Any) -> Section:
    """What the model is."""
    inner = autoencoder_of(model)
    facts = {
        "estimator": type(model).__name__,
        "network": repr(inner.network_spec_) if inner.network_spec_ is not None else "a pair of modules",
        "code": f"{inner.code_size_} units, {inner.code_!r}",
        "objective": repr(inner.recipe_.objective),
        "corruption": repr(inner.recipe_.corruption),
        "parameters": sum(p.numel() for p in inner.network_.parameters()),
        "columns": inner.n_features_in_,
        "seed": inner.recipe_.seed,
    }
    if not isinstance(inner.schema_, TableSchema):
        del facts["columns"]
        facts["data"] = "; ".join(map(_entry, inner.schema_.describe()))
    return {"title": "Model", "facts": facts}


def _entry(plan: dict[str, Any]) -> str:
    """An entry of a schema's description as text."""
    scaling = "" if plan["scaling"] is None else f"scaling {plan['scaling']}, "
    return f"{plan['name']}: {plan['kind']}, {scaling}head {plan['head']}, {plan['slots']:,} slots"


def training_section(model: Any, X: Any) -> Section:
    """How training went."""
    inner = autoencoder_of(model)
    history = inner.history_
    series = {
        label: [[record["epoch"], record[name]] for record in history if name in record]
        for name, label in (("loss", "training"), ("val_loss", "held out"))
    }
    facts = {
        "epochs": len(history),
        "seconds": round(sum(r["seconds"] for r in history), 2),
        "stopped by": inner.stopped_ or "the last epoch",
    }
    chart = {"kind": "line", "x": "epoch", "y": "loss", "series": {k: v for k, v in series.items() if v}}
    return {"title": "Training", "facts": facts, "chart": chart}


def reconstruction_section(model: Any, X: Any) -> Section:
    """How faithfully rows come back: of a table each column, of signals each channel, of bags of words each word."""
    inner = autoencoder_of(model)
    table = isinstance(inner.schema_, TableSchema)
    metrics = ("mse", "mae", "r2") if table else ("mse", "mae")  # pixels that never vary have no R²
    section: Section = {
        "title": "Reconstruction",
        "text": "Mean error over all rows, in the units of the objective.",
        "facts": {key: round(value, 6) for key, value in inner.evaluate(X, metrics).items()},
    }
    if named := _parts(inner, X):
        kind, names, means = named
        known = ((name, float(mean)) for name, mean in zip(names, means, strict=True) if not np.isnan(mean))
        worst = sorted(known, key=lambda pair: -pair[1])
        section["text"] = f"Mean error of each {kind} in the units of the objective, the worst first."
        section["table"] = {"columns": [kind, "mean error"], "rows": [list(pair) for pair in worst[:MAX_ROWS]]}
    if not table:
        drawn = plot_reconstructions(inner, X, SHOWN)
        section["images"] = [["The first rows and what the network makes of them", _png(drawn)]]
    return section


def _parts(inner: Autoencoder, X: Any) -> tuple[str, list[str], NDArray[np.float64]] | None:
    """What a row consists of, the names of its parts, and the mean error of each, NaN where nothing was observed."""
    schema = inner.schema_
    if not isinstance(schema, (TableSchema, SequenceSchema, WordSchema)):
        return None
    total, count = np.zeros(schema.n_columns), np.zeros(schema.n_columns)
    for cells in inner.cell_errors(X):
        total += np.nansum(cells, axis=0)
        count += (~np.isnan(cells)).sum(axis=0)
    if isinstance(schema, SequenceSchema):
        total, count = (numbers.reshape(schema.shape).sum(axis=0) for numbers in (total, count))
        kind, names = "channel", [f"channel {at + 1}" for at in range(schema.channels)]
    elif isinstance(schema, WordSchema):
        kind, names = "word", list(schema.words)
    else:
        kind, names = "column", column_names(X, schema.n_columns)
    return kind, names, np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def _png(ax: Axes) -> str:
    buffer = io.BytesIO()
    ax.figure.savefig(buffer, format="png", dpi=DOTS)  # type: ignore[union-attr]
    return data_uri(buffer.getvalue())


def code_section(model: Any, X: Any) -> Section:
    """Where the rows lie in the code."""
    codes = np.asarray(autoencoder_of(model).encode(X), dtype=float)
    chosen = codes[np.linspace(0, len(codes) - 1, min(len(codes), MAX_POINTS)).astype(int)]
    spread = codes.std(axis=0)
    table = [[f"code {at + 1}", float(codes[:, at].mean()), float(spread[at])] for at in range(codes.shape[1])]
    pair = chosen[:, :2] if codes.shape[1] > 1 else np.column_stack([np.arange(len(chosen)), chosen[:, 0]])
    x, y = ("code 1", "code 2") if codes.shape[1] > 1 else ("row", "code 1")
    chart = {"kind": "points", "x": x, "y": y, "series": {"rows": pair.round(4).tolist()}}
    return {
        "title": "Code",
        "text": "A code is pseudonymised data, not anonymous data: with some known rows it can be turned back.",
        "table": {"columns": ["unit", "mean", "standard deviation"], "rows": table[:MAX_ROWS]},
        "chart": chart,
    }


def anomaly_section(model: Any, X: Any) -> Section:
    """The least usual rows: of a table the columns that make them so, of others what tells them apart."""
    inner = autoencoder_of(model)
    detector = model if isinstance(model, AnomalyDetector) else AnomalyDetector.from_fitted(inner)
    scores = detector.anomaly_score(X)
    top = np.argsort(-scores, kind="stable")[:MAX_ROWS]
    if isinstance(inner.schema_, TableSchema):
        reasons = np.asarray(detector.explain(X), dtype=float)
        names = column_names(X, reasons.shape[1])
        columns, notes = ["column that adds most"], [[names[int(reasons[row].argmax())]] for row in top]
    else:
        columns, notes = _notes(inner.schema_, X, top)
    rows = [[int(row), float(scores[row]), *note] for row, note in zip(top, notes, strict=True)]
    beyond = int((scores > -detector.offset_).sum())
    section: Section = {
        "title": "Anomalies",
        "text": f"{beyond:,} of {len(scores):,} rows lie beyond the threshold {-detector.offset_:.4g} (1 is usual).",
        "table": {"columns": ["row", "score", *columns], "rows": rows},
    }
    if isinstance(inner.schema_, ImageSchema):
        drawn = plot_reconstructions(inner, _pictures(X, top[:SHOWN]), SHOWN)
        section["images"] = [["The least usual pictures", _png(drawn)]]
    return section


def _pictures(X: Any, rows: NDArray[np.intp]) -> Any:
    """Some pictures of an array, a tensor or files."""
    if is_files(X):
        paths, _ = list_files(X)
        return [paths[row] for row in rows]
    return X[rows] if hasattr(X, "shape") else np.asarray(X)[rows]


def _notes(schema: Any, X: Any, rows: NDArray[np.intp]) -> tuple[list[str], list[list[Any]]]:
    """What tells rows from others: names of files, places in a series, the beginnings of texts."""
    if isinstance(schema, TextSchema):
        wanted = dict.fromkeys(rows.tolist(), "")
        numbered = enumerate(text for part in read_texts(X).parts(PART) for text in part)
        wanted |= {at: "missing" if text is None else text[:LETTERS] for at, text in numbered if at in wanted}
        return ["text"], [[text] for text in wanted.values()]
    if isinstance(schema, ImageSchema):
        names = list_files(X)[1] if is_files(X) else []
        return (["file"], [[names[row]] for row in rows]) if names else ([], [[] for _ in rows])
    source = read_signals(X, schema.step is not None)
    cut = Cut(schema.size, schema.step or schema.size, np.array(source.rows.lengths, np.int64))
    which, starts = cut.places(rows)
    told: dict[str, list[Any]] = {}
    if source.files is not None:
        names = list_files(list(source.files))[1]
        told["file"] = [names[at] for at in which]
    elif schema.step is not None and len(source.rows.lengths) > 1:
        told["sequence"] = which.tolist()
    if schema.step is not None:
        told["first sample"] = starts.tolist()
    return list(told), [list(note) for note in zip(*told.values(), strict=True)] or [[] for _ in rows]


#: In the order of the page. A later use adds its function here.
SECTIONS: list[Callable[[Any, Any], Section | None]] = [
    model_section,
    training_section,
    reconstruction_section,
    code_section,
    anomaly_section,
]
