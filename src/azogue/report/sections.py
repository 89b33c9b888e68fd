"""The sections of a report: each looks at a model and data and returns plain values, or None where it has nothing.

A section is a dict with `title` and any of `text` (str), `facts` (name → value), `table` (`columns`, `rows`), `chart`
(`kind`: line or points; `series`: name → list of [x, y]; `x`, `y`: axis titles) and `images` (list of [caption, PNG in
a data URI]).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from azogue.applications import Denoiser
from azogue.modalities import ImageSchema, SequenceSchema, TableSchema, rows_are
from azogue.modalities.frames import column_names
from azogue.modalities.words import WordSchema
from azogue.plots import plot_network, plot_reconstructions
from azogue.report.anomalies import anomaly_section, groups_section
from azogue.report.card import card_section
from azogue.report.denoising import counted_noisy, denoising_section
from azogue.report.exploring import explored
from azogue.report.hashing import hashing_section
from azogue.report.imputing import missing_section
from azogue.report.looking import MAX_POINTS, MAX_ROWS, SHOWN, groups_of, png_of
from azogue.report.sampling import drawn_section
from azogue.report.telling import telling_section

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from azogue.autoencoder import Autoencoder

Section = dict[str, Any]

#: Points of the curve of errors.
MAX_CURVE = 200


def autoencoder_of(model: Any) -> Autoencoder:
    """The autoencoder that a model is or owns; of an ensemble the first one.

    Raises
    ------
    ValueError
        For a model that has one for each group.
    """
    if groups := groups_of(model):
        raise ValueError(
            f"a {type(model).__name__} with {len(groups)} detectors, by {model.by!r}, has no one network; "
            "detect and report take it"
        )
    inner: Autoencoder = model.autoencoder_ if hasattr(model, "autoencoder_") else model
    return inner


def counted(model: Any, X: Any) -> str:
    """How many rows of the network there are, and what they are."""
    if isinstance(model, Denoiser):
        return counted_noisy(model, X)
    own = getattr(model, "words_", None) or getattr(model, "pictures_", None)
    schema: Any = None if groups_of(model) else own or autoencoder_of(model).schema_
    if schema is None or rows_are(schema) == "table":
        return f"{len(X):,} rows"
    noun = {ImageSchema: "pictures", SequenceSchema: "sequences"}.get(type(schema), "texts")
    noun = "windows" if getattr(schema, "step", None) is not None else noun
    return f"{schema.count(X):,} {noun}"


def model_section(model: Any, X: Any) -> Section:
    """What the model is."""
    groups = groups_of(model)
    first = next(iter(groups.values()), model)
    inner, members = autoencoder_of(first), len(getattr(first, "members_", []))
    facts = {
        "estimator": type(model).__name__,
        **({"groups": len(groups), "below": "the network of the first group"} if groups else {}),
        **({"members": members} if members > 1 else {}),
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
    drawn = [["The network: encoder, code, decoder", png_of(plot_network(inner))]]
    return {"title": "Model", "facts": facts, "images": drawn}


def _entry(plan: dict[str, Any]) -> str:
    """An entry of a schema's description as text."""
    scaling = "" if plan["scaling"] is None else f"scaling {plan['scaling']}, "
    return f"{plan['name']}: {plan['kind']}, {scaling}head {plan['head']}, {plan['slots']:,} slots"


def _one(model: Any) -> str:
    """Whose network a section is about, where a model has several."""
    members = len(getattr(model, "members_", []))
    return f" Of the first of {members} members." if members > 1 else ""


def training_section(model: Any, X: Any) -> Section | None:
    """How training went."""
    if groups_of(model):
        return None
    inner = autoencoder_of(model)
    history = inner.history_
    series = {
        label: [[record["epoch"], record[name]] for record in history if name in record]
        for name, label in (("loss", "training"), ("val_loss", "held out"))
    }
    facts = {
        "epochs": len(history),
        "seconds": round(sum(r.get("seconds", 0.0) for r in history), 2),
        "stopped by": inner.stopped_ or "the last epoch",
    }
    chart = {"kind": "line", "x": "epoch", "y": "loss", "series": {k: v for k, v in series.items() if v}}
    return {"title": "Training", "text": _one(model).strip(), "facts": facts, "chart": chart}


def reconstruction_section(model: Any, X: Any) -> Section | None:
    """How faithfully rows come back: of a table each column, of signals each channel, of bags of words each word."""
    if groups_of(model):
        return None
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
        section["text"] = f"Mean error of each {kind} in the units of the objective, the worst first.{_one(model)}"
        section["table"] = {"columns": [kind, "mean error"], "rows": [list(pair) for pair in worst[:MAX_ROWS]]}
    section["chart"], tails = _row_errors(inner.errors(X))
    section["facts"] |= tails
    if not table:
        drawn = plot_reconstructions(inner, X, SHOWN)
        section["images"] = [["The first rows and what the network makes of them", png_of(drawn)]]
    return section


def _row_errors(errors: NDArray[np.float64]) -> tuple[dict[str, Any], dict[str, float]]:
    """The rows in the order of their errors as a curve, and what half, nine tenths and 99 % of them stay below."""
    ordered = np.sort(errors[np.isfinite(errors)])
    shown = np.linspace(0, max(len(ordered) - 1, 0), min(len(ordered), MAX_CURVE)).astype(int).tolist()
    part = [[float(at / max(len(ordered) - 1, 1)), float(ordered[at])] for at in shown]
    tails = np.quantile(ordered, [0.5, 0.9, 0.99]) if len(ordered) else [np.nan] * 3
    names = ("error of half of the rows below", "of 90 % below", "of 99 % below")
    chart = {"kind": "line", "x": "part of the rows", "y": "error below", "series": {"rows": part}}
    return chart, {name: float(f"{value:.6g}") for name, value in zip(names, tails, strict=True)}


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


def code_section(model: Any, X: Any) -> Section | None:
    """Where the rows lie in the code."""
    if groups_of(model):
        return None
    codes = np.asarray(autoencoder_of(model).encode(X), dtype=float)
    places = np.linspace(0, len(codes) - 1, min(len(codes), MAX_POINTS)).astype(int)
    chosen = codes[places]
    spread = codes.std(axis=0)
    table = [[f"code {at + 1}", float(codes[:, at].mean()), float(spread[at])] for at in range(codes.shape[1])]
    pair = chosen[:, :2] if codes.shape[1] > 1 else np.column_stack([places, chosen[:, 0]])
    x, y = ("code 1", "code 2") if codes.shape[1] > 1 else ("row", "code 1")
    chart = {"kind": "points", "x": x, "y": y, "series": {"rows": pair.round(4).tolist()}}
    if np.isfinite(pair).all():  # else points would be left out, and rows not be theirs
        chart["explore"] = explored(autoencoder_of(model).schema_, X, places)
    return {
        "title": "Code",
        "text": "A code is pseudonymised data, not anonymous data: with some known rows it can be turned back."
        f"{_one(model)}",
        "table": {"columns": ["unit", "mean", "standard deviation"], "rows": table[:MAX_ROWS]},
        "chart": chart,
    }


#: In the order of the page. A later use adds its function here.
SECTIONS: list[Callable[[Any, Any], Section | None]] = [
    model_section,
    training_section,
    reconstruction_section,
    code_section,
    groups_section,
    anomaly_section,
    card_section,
]

#: For denoisers and imputers, whose networks learned from rows that were changed: what these come back as from a
#: network of patches, or which are unusual, says nothing of what they are for.
RESTORING: list[Callable[[Any, Any], Section | None]] = [
    model_section,
    training_section,
    denoising_section,
    missing_section,
    card_section,
]

#: For nearest neighbours in the code, which ask what a row is, not whether it is usual.
TELLING: list[Callable[[Any, Any], Section | None]] = [
    model_section,
    training_section,
    telling_section,
    reconstruction_section,
    code_section,
    card_section,
]

#: For synthesizers, which draw rows rather than give them back.
DRAWING: list[Callable[[Any, Any], Section | None]] = [model_section, training_section, drawn_section, card_section]

#: For hashers, whose networks may read texts by their topics.
HASHING: list[Callable[[Any, Any], Section | None]] = [
    model_section,
    training_section,
    hashing_section,
    card_section,
]
