"""The sections on anomalies: groups and their thresholds, the least usual rows, and why they are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from azogue.applications.anomaly import AnomalyDetector
from azogue.applications.grouping import take
from azogue.modalities import ImageSchema, TableSchema
from azogue.modalities.frames import column_names
from azogue.modalities.pictures import is_files, list_files
from azogue.modalities.text import read as read_texts
from azogue.modalities.textual import PART, TextSchema
from azogue.modalities.waves import read as read_signals
from azogue.modalities.windows import Cut
from azogue.reconstructions.pictures import colours, draw_mosaic, ends_of, name_lines, pixels_of
from azogue.report.looking import (
    LETTERS,
    MAX_ROWS,
    SHOWN,
    first_of,
    groups_of,
    names_of,
    png_of,
    shown_cells,
)

Section = dict[str, Any]

#: Bars of the histogram, at most.
BARS = 40


def anomaly_section(model: Any, X: Any) -> Section:
    """The least usual rows: of a table the columns that make them so, of others what tells them apart."""
    detector = model if isinstance(model, AnomalyDetector) else AnomalyDetector.from_fitted(model)
    groups = groups_of(detector)
    scores = detector.anomaly_score(X)
    beyond = detector.predict(X) < 0 if groups else scores > -detector.offset_
    threshold = None if groups else -detector.offset_
    top = np.argsort(-scores, kind="stable")[:MAX_ROWS]
    columns, rows = ["row", "score"], [[int(row), float(scores[row])] for row in top]
    schema = first_of(detector).autoencoder_.schema_
    if all(hasattr(one, "calibration_scores_") for one in groups.values() or [detector]):
        columns.append("p-value")
        _beside(rows, [[float(p)] for p in detector.p_values(take(X, top))])
    told, notes = _reasons(detector, X, top) if isinstance(schema, TableSchema) else notes_of(schema, X, top)
    _beside(rows, notes)
    where = f"their group's threshold, of {len(groups)}" if threshold is None else f"the threshold {threshold:.4g}"
    section: Section = {
        "title": "Anomalies",
        "text": f"{int(beyond.sum()):,} of {len(scores):,} rows lie beyond {where} (1 is usual). The least usual "
        "ones are below.",
        "table": {"columns": [*columns, *told], "rows": rows},
    }
    if chart := _histogram(scores, threshold):
        section["chart"] = chart
    if isinstance(schema, ImageSchema) and not groups:
        section["images"] = [["The least usual pictures, and where they are", _heat(detector, X, top[:SHOWN])]]
    return section


def groups_section(model: Any, X: Any) -> Section | None:
    """A line for each group: its rows, how many lie beyond its threshold, and where that is."""
    groups = groups_of(model)
    if not groups:
        return None
    from azogue.applications.grouping import split

    rows = []
    for group, places, part in split(X, model.by):
        one = groups[str(group)]
        beyond = int((one.anomaly_score(part) > -one.offset_).sum())
        rows.append([str(group), len(places), beyond, float(-one.offset_)])
    text = f"One detector for each of {len(groups)} groups"
    by = "" if callable(model.by) else f", told apart by {model.by!r}"
    return {
        "title": "Groups",
        "text": f"{text}{by}.",
        "table": {"columns": ["group", "rows", "beyond", "threshold"], "rows": rows},
    }


def _beside(rows: list[list[Any]], more: list[list[Any]]) -> None:
    for row, cells in zip(rows, more, strict=True):
        row.extend(cells)


def _reasons(detector: AnomalyDetector, X: Any, top: NDArray[np.intp]) -> tuple[list[str], list[list[Any]]]:
    """Of each row the column that adds most to its score, its value, what was expected, and its share of the score."""
    part, names = take(X, top), names_of(detector, X)
    reasons = np.asarray(detector.explain(part), dtype=float)
    first = reasons.argmax(axis=1)
    wanted = [names[at] for at in first]
    highest, whole = reasons.max(axis=1), reasons.sum(axis=1)
    shares = np.divide(highest, whole, out=np.zeros(len(whole)), where=np.isfinite(whole) & (whole > 0))
    shares[np.isinf(highest)] = 1.0 / np.isinf(reasons[np.isinf(highest)]).sum(axis=1)
    values = shown_cells(part, column_names(X, np.shape(X)[1]), wanted)
    expected = shown_cells(detector.expected(part), names, wanted)
    notes = [list(cells) for cells in zip(wanted, values, expected, (f"{share:.0%}" for share in shares), strict=True)]
    return ["column", "value", "expected", "share of the score"], notes


def _histogram(scores: NDArray[np.float64], threshold: float | None) -> Section | None:
    """How many rows have which score, as the outline of bars, and the threshold."""
    known = np.log10(scores[np.isfinite(scores) & (scores > 0)])
    if not len(known):
        return None
    counts, edges = np.histogram(known, bins=min(BARS, max(5, int(np.sqrt(len(known))))))
    outline = [[float(edges[0]), 0.0]]
    for at, count in enumerate(counts.tolist()):
        outline += [[float(edges[at]), float(count)], [float(edges[at + 1]), float(count)]]
    outline.append([float(edges[-1]), 0.0])
    series = {"rows": outline}
    if threshold is not None and np.isfinite(threshold) and threshold > 0:
        series["threshold"] = [[float(np.log10(threshold)), 0.0], [float(np.log10(threshold)), float(counts.max())]]
    return {"kind": "line", "x": "anomaly score, log10 (0 is usual)", "y": "rows", "series": series}


def _heat(detector: AnomalyDetector, X: Any, rows: NDArray[np.intp]) -> str:
    """Pictures, what is made of them, and how unlike these are around each pixel, below one another."""
    from matplotlib import colormaps

    part, inner = take(X, rows), detector.autoencoder_
    schema: Any = inner.schema_
    before, after = (pixels_of(schema, pictures) for pictures in (part, inner.reconstruct(part)))
    ends, heat = ends_of(schema, before), np.nan_to_num(detector.heatmap(part))
    lines = [np.broadcast_to(colours(values, *ends), (*values.shape[:3], 3)) for values in (before, after)]
    lines.append(colormaps["inferno"](heat / (heat.max() or 1.0))[..., :3])
    ax, edge = draw_mosaic(np.stack(lines), None, schema.shape[2], room=1.2)
    step = schema.shape[0] + 2 * edge
    name_lines(ax, [step * (at + 0.5) - 0.5 for at in range(3)], ["picture", "reconstruction", "heat map"])
    return png_of(ax)


def notes_of(schema: Any, X: Any, rows: NDArray[np.intp]) -> tuple[list[str], list[list[Any]]]:
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
