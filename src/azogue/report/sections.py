"""The sections of a report: each looks at a model and a table and returns plain values, or None where it has nothing.

A section is a dict with `title` and any of `text` (str), `facts` (name → value), `table` (`columns`, `rows`) and
`chart` (`kind`: line or points; `series`: name → list of [x, y]; `x`, `y`: axis titles).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from azogue.applications.anomaly import AnomalyDetector
from azogue.modalities.frames import column_names

if TYPE_CHECKING:
    from collections.abc import Callable

    from azogue.autoencoder import Autoencoder

Section = dict[str, Any]

#: Points of a chart and rows of a table, at most: a report stays small whatever the data.
MAX_POINTS, MAX_ROWS = 2000, 20


def autoencoder_of(model: Any) -> Autoencoder:
    """The autoencoder that a model is or owns."""
    inner: Autoencoder = model.autoencoder_ if hasattr(model, "autoencoder_") else model
    return inner


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
    return {"title": "Model", "facts": facts}


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
    """How faithfully each column comes back."""
    inner = autoencoder_of(model)
    cells = inner.errors(X, per_feature=True)
    means = [float(column[~np.isnan(column)].mean()) if (~np.isnan(column)).any() else None for column in cells.T]
    names = column_names(X, cells.shape[1])
    worst = sorted(((n, m) for n, m in zip(names, means, strict=True) if m is not None), key=lambda pair: -pair[1])
    return {
        "title": "Reconstruction",
        "text": "Mean error of each column in the units of the objective, the worst first.",
        "facts": {key: round(value, 6) for key, value in inner.evaluate(X).items()},
        "table": {"columns": ["column", "mean error"], "rows": [list(pair) for pair in worst[:MAX_ROWS]]},
    }


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
    """The least usual rows and the columns that make them so."""
    detector = model if isinstance(model, AnomalyDetector) else AnomalyDetector.from_fitted(autoencoder_of(model))
    scores = detector.anomaly_score(X)
    reasons = np.asarray(detector.explain(X), dtype=float)
    names = column_names(X, reasons.shape[1])
    top = np.argsort(-scores, kind="stable")[:MAX_ROWS]
    rows = [[int(row), float(scores[row]), names[int(reasons[row].argmax())]] for row in top]
    beyond = int((scores > -detector.offset_).sum())
    return {
        "title": "Anomalies",
        "text": f"{beyond:,} of {len(scores):,} rows lie beyond the threshold {-detector.offset_:.4g} (1 is usual).",
        "table": {"columns": ["row", "score", "column that adds most"], "rows": rows},
    }


#: In the order of the page. A later use adds its function here.
SECTIONS: list[Callable[[Any, Any], Section | None]] = [
    model_section,
    training_section,
    reconstruction_section,
    code_section,
    anomaly_section,
]
