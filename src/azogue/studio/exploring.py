"""Reads a fitted model: its map, its code, what it makes of a row, and why."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from azogue.applications import AnomalyDetector, SemanticHasher
from azogue.applications.grouping import take
from azogue.cli import models, tables
from azogue.cli.data import Given
from azogue.cli.options import parse_size
from azogue.modalities import ImageSchema
from azogue.modalities.frames import column_names
from azogue.modalities.pictures import Files, survey
from azogue.report.looking import groups_of
from azogue.report.sections import autoencoder_of
from azogue.shades import as_shades
from azogue.webmaps import colours_of, shown_value

#: Points of a map, rows of a table, columns of a row, units with a slider, and pictures in a row.
POINTS, ROWS, COLUMNS, UNITS, PICTURES = 5000, 200, 200, 24, 40
#: Outermost parts of the training rows that a slider leaves out.
TAIL = 0.005


@dataclass(frozen=True)
class Axes:
    """The two directions of codes that a map shows.

    Parameters
    ----------
    center : ndarray, shape (size,)
    across : ndarray, shape (size, 2)
    names : list of str
    """

    center: np.ndarray
    across: np.ndarray
    names: list[str]

    @classmethod
    def of(cls, z: np.ndarray) -> Axes:
        """The units of a code of two, the first two principal components of others."""
        size = z.shape[1]
        if size <= 2:
            return cls(np.zeros(size), np.eye(size, 2), [f"code {at + 1}" for at in range(size)] + ["0"] * (2 - size))
        center = z.mean(axis=0)
        _, _, v = np.linalg.svd(z - center, full_matrices=False)
        v = v[:2] * np.sign(v[:2, np.abs(v[:2]).argmax(axis=1)].diagonal())[:, None]
        across = np.zeros((size, 2))
        across[:, : len(v)] = v.T
        return cls(center, across, [f"principal component {at} of {size} units" for at in (1, 2)])

    def places(self, z: np.ndarray) -> np.ndarray:
        """Codes (n, size) → points (n, 2)."""
        return np.asarray((z - self.center) @ self.across)


class Explorer:
    """A fitted model, and some rows of the data that it looks at.

    Parameters
    ----------
    model : fitted estimator
    given : Given or None
        The data as they are in the file; None where there is only a model.
    size : str
        Height x width that picture files are brought to, or nothing.
    """

    def __init__(self, model: Any, given: Given | None, size: str = "") -> None:
        self.model, self.given = model, given
        self.size = parse_size(size) if size else None
        self.inner: Any = None if groups_of(model) else autoencoder_of(model)
        self.X: Any = None if given is None else models.matched(given.X, models.known_columns(model), lambda _: None)
        self.count = 0 if self.X is None else len(self.X)
        self.shown = np.unique(np.linspace(0, max(self.count - 1, 0), min(self.count, POINTS)).round().astype(int))
        self.z, self.axes, self.codes = None, None, self._quantiles()
        if self.inner is not None and self.X is not None:
            self.z = self._encoded(self.shown)
        if self.z is not None:
            self.axes = Axes.of(self.z)
            self.codes = np.quantile(self.z, [TAIL, 0.5, 1 - TAIL], axis=0)

    def _encoded(self, rows: np.ndarray) -> np.ndarray | None:
        """The codes of some rows, None for a model that has no code of a whole row."""
        try:
            z = np.asarray(self.inner.encode(take(self.X, rows)), float)
        except (ValueError, TypeError):
            return None
        return z if z.shape == (len(rows), self.inner.code_size_) and np.isfinite(z).all() else None

    def _quantiles(self) -> np.ndarray | None:
        """The lower end, the middle and the upper end of each unit, (3, size), as the model remembers them."""
        kept = getattr(self.inner, "code_quantiles_", None)
        if kept is None:
            return None
        ends = [round(part * (len(kept) - 1)) for part in (TAIL, 0.5, 1 - TAIL)]
        return np.asarray(kept, float)[ends]

    # -- what can be looked at -----------------------------------------------------------------------------------------

    @property
    def decodes(self) -> bool:
        """Whether a code can be turned into something to see."""
        if self.codes is None:
            return False
        try:
            return self.seen(self.inner.decode(self.codes[1:2].astype(np.float32))) is not None
        except (ValueError, TypeError):
            return False

    def views(self) -> list[str]:
        """What the page can show."""
        found = ["map"] * (self.z is not None) + ["code"] * self.decodes
        found += ["anomalies"] * (isinstance(self.model, AnomalyDetector) and self.X is not None)
        return found + ["similar"] * (isinstance(self.model, SemanticHasher) and self.X is not None)

    def seen(self, values: Any) -> dict[str, Any] | None:
        """The first of some rows or pictures, for the page."""
        if isinstance(values, list) or (isinstance(values, np.ndarray) and values.ndim > 2):
            return {"picture": picture(values[0])}
        table = as_rows(values)
        return (
            None if table is None else {"record": [[name, cell] for name, cell in zip(*cells(table, 1), strict=True)]}
        )

    # -- the map and the code ------------------------------------------------------------------------------------------

    def map(self, color: str | None = None, scores: np.ndarray | None = None) -> dict[str, Any]:
        """Points of the shown rows, and their colours by a column, or by scores."""
        if self.z is None or self.axes is None:
            raise ValueError("this model has no map")
        points = self.axes.places(self.z)
        label, column = color, None
        if color == "score" and scores is not None:
            label, column = "score", np.log(np.maximum(scores[self.shown], 1e-12))
            label = "logarithm of the score"
        elif color is not None:
            whole = None if self.given is None else as_rows(self.given.X)
            if whole is None or color not in whole.column_names:
                raise ValueError("the data have no such column")
            column = whole.column(color).take(pa.array(self.shown))
        shades = None if column is None else as_shades(column)
        told = colours_of(shades, label)
        return (
            {"x": points[:, 0].tolist(), "y": points[:, 1].tolist(), "rows": self.shown.tolist()}
            | told
            | {
                "axes": self.axes.names,
                "count": self.count,
            }
        )

    def units(self) -> dict[str, Any]:
        """The sliders: the units that vary most, their ends and middles."""
        if self.codes is None:
            raise ValueError("this model has no code to move through")
        low, middle, high = self.codes
        low, high = np.where(high > low, low, low - 1), np.where(high > low, high, high + 1)
        chosen = np.sort(np.argsort(-(high - low), kind="stable")[:UNITS])
        binary = type(self.inner.code_).__name__ == "Binary"
        return {
            "size": len(middle),
            "code": middle.tolist(),
            "units": [{"unit": int(at), "low": float(low[at]), "high": float(high[at])} for at in chosen],
            "whole": binary,
        }

    def decode(self, code: Sequence[Any]) -> dict[str, Any]:
        """What a code stands for, and where it lies on the map.

        Raises
        ------
        ValueError
            For what is no code of the model.
        """
        try:
            z = np.asarray(code, np.float32)
        except (TypeError, ValueError):
            z = np.zeros(0, np.float32)
        if self.codes is None or z.shape != (self.codes.shape[1],) or not np.isfinite(z).all():
            raise ValueError("expected a finite number for each unit of the code")
        found = self.seen(self.inner.decode(z[None]))
        if found is None:
            raise ValueError("what this code stands for cannot be shown here")
        place = None if self.axes is None else self.axes.places(z[None].astype(float))[0].tolist()
        return found | {"place": place}

    # -- rows ----------------------------------------------------------------------------------------------------------

    def row_of(self, row: Any) -> int:
        """A row's number, checked."""
        if isinstance(row, bool) or not isinstance(row, int) or not 0 <= row < self.count:
            raise ValueError(f"expected a row from 0 to {max(self.count - 1, 0):,}")
        return row

    def row(self, row: Any) -> dict[str, Any]:
        """A row as it is in the file, its code and its reconstruction."""
        at = np.array([self.row_of(row)])
        found: dict[str, Any] = {"row": row, "name": self.name(row), "given": self.seen(self._values(at))}
        if self.inner is not None and (z := self._encoded(at)) is not None:
            found["code"] = z[0].tolist()
            if self.decodes:
                found["made"] = self.seen(self.inner.decode(z.astype(np.float32)))
        return found

    def name(self, row: int) -> str | None:
        """The name of a row's file."""
        files = None if self.given is None else self.given.files
        return files[row] if files is not None else None

    def _values(self, rows: np.ndarray) -> Any:
        """Rows as the model takes them; pictures as arrays."""
        X = take(self.X, rows)
        return [self.opened(path) for path in X] if isinstance(X, list) else X

    def pictures(self, rows: np.ndarray) -> list[np.ndarray]:
        """The pixels of some pictures."""
        return [np.asarray(one) for one in self._values(rows)]

    def opened(self, path: Path, as_it_is: bool = False) -> np.ndarray:
        """The pixels of a picture file, (h, w, c)."""
        size = None if as_it_is else self.size
        file = Files((path,), [path.name], survey([path], size), size is not None)
        return np.asarray(file.take(slice(0, 1))[0])

    def listed(self, rows: Sequence[Any]) -> dict[str, Any]:
        """Some rows as a table, or pictures."""
        wanted = [self.row_of(row) for row in rows]
        if self.given is not None and self.given.kind == "image":
            shown = wanted[:PICTURES]
            values = self._values(np.array(shown, int)) if shown else []
            made = [
                {"row": row, "name": self.name(row), "picture": picture(v)}
                for row, v in zip(shown, values, strict=True)
            ]
            return {"count": len(wanted), "pictures": made}
        whole = as_rows(self.given.X if self.given is not None else None)
        if whole is None:
            return {"count": len(wanted), "columns": [], "rows": []}
        part = whole.take(pa.array(wanted[:ROWS], pa.int64()))
        names, lines = part.column_names[:COLUMNS], table_rows(part)
        return {
            "count": len(wanted),
            "columns": names,
            "rows": [[row, *line] for row, line in zip(wanted, lines, strict=False)],
        }

    # -- reasons -------------------------------------------------------------------------------------------------------

    def _detecting(self, row: Any) -> tuple[AnomalyDetector, np.ndarray, Any]:
        """The detector, and a row as it takes it."""
        if not isinstance(self.model, AnomalyDetector):
            raise ValueError("only a detector of anomalies has reasons")
        at = np.array([self.row_of(row)])
        return self.model, at, take(self.X, at)

    def explain(self, row: Any) -> dict[str, Any]:
        """Why a row is unusual: what each column adds to its score; of a picture where it differs."""
        detector, at, X = self._detecting(row)
        threshold = None if groups_of(detector) else -float(detector.offset_)
        found: dict[str, Any] = {"row": row, "name": self.name(row), "threshold": threshold}
        if isinstance(getattr(self.inner, "schema_", None), ImageSchema):
            heat, expected = np.asarray(detector.heatmap(X)[0], float), np.asarray(detector.expected(X))
            pictures = {"given": picture(self._values(at)[0]), "expected": picture(expected[0]), "heat": picture(heat)}
            return found | pictures | {"score": float(detector.anomaly_score(X)[0])}
        reasons = detector.explain(X)
        added = np.asarray(tables.as_array(as_rows(reasons)))[0]
        names = column_names(reasons if groups_of(detector) else X, len(added))
        values = dict(zip(*cells(as_rows(X), 1), strict=True))
        order = np.argsort(-added, kind="stable")[:COLUMNS]
        lines = [[str(names[k]), float(added[k]), values.get(str(names[k]))] for k in order]
        return found | {"reasons": lines, "score": float(added.sum())}

    def expected(self, row: Any) -> dict[str, Any]:
        """What was expected in each column of a row of a table, from its other columns."""
        detector, _, X = self._detecting(row)
        return {"row": row, "expected": dict(zip(*cells(as_rows(detector.expected(X)), 1), strict=True))}

    def similar(self, row: Any, k: int = 10) -> dict[str, Any]:
        """The rows whose binary codes differ least from a row's, itself left out."""
        if not isinstance(self.model, SemanticHasher):
            raise ValueError("only a hasher tells which rows are alike")
        at = self.row_of(row)
        codes = self.model.codes_ if len(self.model.codes_) == self.count else self.model.transform(self.X)
        bits, rows = self.model.index().query(codes[at : at + 1], min(k + 1, len(codes)))
        near = [(int(r), int(b)) for r, b in zip(rows[0], bits[0], strict=True) if int(r) != at][:k]
        return {"row": row, "bits": self.model.n_bits, "near": [b for _, b in near]} | self.listed([r for r, _ in near])


# -- values for the page -----------------------------------------------------------------------------------------------


def as_rows(values: Any) -> pa.Table | None:
    """A table of any kind as an Arrow table; None for what is none."""
    if values is None or isinstance(values, list) or (isinstance(values, np.ndarray) and values.ndim != 2):
        return None
    return tables.as_arrow(values)


def cells(table: pa.Table | None, count: int) -> tuple[list[str], list[Any]]:
    """Names and cells of the first row of a table, the first columns of it."""
    if table is None or not len(table):
        return [], []
    names = table.column_names[:COLUMNS]
    return names, [shown_value(table.column(at)[0].as_py()) for at in range(len(names))]


def table_rows(table: pa.Table) -> list[list[Any]]:
    """Rows of a table, the first columns of them, as the page shows them."""
    columns = [table.column(at).to_pylist() for at in range(min(table.num_columns, COLUMNS))]
    return [[shown_value(value) for value in line] for line in zip(*columns, strict=True)]


def picture(values: Any) -> dict[str, Any]:
    """A picture (h, w) or (h, w, c) as bytes, grey or in colour, for a canvas; other numbers are put on a scale."""
    array = np.asarray(values)
    if array.ndim == 3 and array.shape[2] > 4 >= array.shape[0]:
        array = np.moveaxis(array, 0, -1)
    array = array[..., None] if array.ndim == 2 else array
    if array.dtype == bool:
        array = array.astype(np.uint8) * 255
    elif array.dtype != np.uint8:
        low, high = (float(end) for end in (np.nanmin(array), np.nanmax(array)))
        spread = (high - low) or 1.0
        array = np.nan_to_num((array - low) / spread * 255 if math.isfinite(spread) else array * 0)
        array = np.clip(np.rint(array), 0, 255).astype(np.uint8)
    array = array[..., :3] if array.shape[2] >= 3 else array[..., :1]
    step = -(-max(array.shape[:2]) // 512)
    array = np.ascontiguousarray(array[::step, ::step])
    height, width, channels = array.shape
    data = base64.b64encode(array.tobytes()).decode()
    return {"height": height, "width": width, "channels": channels, "data": data}
