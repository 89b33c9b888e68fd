"""Modalities: every preparation of the data that must be undone afterwards."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from azogue.modalities.base import Demand, Modality, Schema
from azogue.modalities.coded import Coded, CodedSchema
from azogue.modalities.events import Events, EventsSchema
from azogue.modalities.image import Image, ImageSchema
from azogue.modalities.sequence import Sequence, SequenceSchema
from azogue.modalities.table import Table, TableSchema
from azogue.modalities.text import Text
from azogue.modalities.text import schema_from_dict as text_from_dict
from azogue.modalities.waves import wave_files

__all__ = [
    "Coded",
    "CodedSchema",
    "Demand",
    "Events",
    "EventsSchema",
    "Image",
    "ImageSchema",
    "Modality",
    "Schema",
    "Sequence",
    "SequenceSchema",
    "Table",
    "TableSchema",
    "Text",
    "as_modality",
    "kind_of",
    "rows_are",
    "schema_from_dict",
]

_NAMED: dict[str, Callable[[str], Modality]] = {
    "table": lambda scaling: Table(scaling=scaling),
    "image": lambda scaling: Image(scaling=scaling),
    "sequence": lambda scaling: Sequence(scaling=scaling),
    "text": lambda _: Text(),
    "events": lambda _: Events(),
}
_SCHEMAS: dict[str, Callable[[dict[str, Any]], Schema]] = {
    "coded": CodedSchema.from_dict,
    "table": TableSchema.from_dict,
    "image": ImageSchema.from_dict,
    "sequence": SequenceSchema.from_dict,
    "text": text_from_dict,
    "events": EventsSchema.from_dict,
}


def kind_of(X: Any) -> str:
    """Which modality data are, by their type, number of dimensions and dtype, never by their values.

    Frames and arrays of two dimensions are tables. Strings are text: a list or array of them, a file ending in .txt.
    (n, h, w) of bytes and all arrays of four dimensions are pictures; so is a folder of picture files, or a list of
    them. Other arrays of three dimensions, lists of arrays, WAV files and a folder that holds any are sequences.
    Lists of records whose visits are lists or sets of names are sequences of events.

    Returns
    -------
    {"table", "image", "sequence", "text", "events"}

    Examples
    --------
    >>> import numpy as np
    >>> kind_of([[1.0, 2.0]]), kind_of(["a text", "another"]), kind_of(np.zeros((5, 28, 28), np.uint8))
    ('table', 'text', 'image')
    """
    if isinstance(X, (str, os.PathLike)):
        return _kind_of_path(X)
    shape = getattr(X, "shape", None)
    if shape is not None and not hasattr(X, "columns"):
        kind = getattr(getattr(X, "dtype", None), "kind", "f")
        if len(shape) == 1:
            return "text" if kind in "UT" or (kind == "O" and _texts(X)) or _text_series(X) else "table"
        if len(shape) == 3:
            return "image" if str(X.dtype).endswith("uint8") else "sequence"
        return "image" if len(shape) == 4 else "table"
    if isinstance(X, (list, tuple)) and len(X):
        first = next((item for item in X if item is not None), None)
        if isinstance(first, os.PathLike):
            return _kind_of_path(first)
        if isinstance(first, str):
            return "text"
        if getattr(first, "ndim", 0) >= 1:
            return "sequence"
        if _visits(X):
            return "events"
    return "text" if _text_series(X) else "table"


def _texts(X: Any) -> bool:
    first = next((item for item in X if item is not None), None)
    return isinstance(first, str)


def _visits(X: Any) -> bool:
    """Whether X is a list of records whose visits are lists or sets of names."""
    lists = list, tuple, set, frozenset
    visits = (visit for record in X if isinstance(record, (list, tuple)) for visit in record)
    first = next((visit for visit in visits if not isinstance(visit, lists) or len(visit)), None)
    return isinstance(first, lists) and isinstance(next(iter(first)), str)


def _text_series(X: Any) -> bool:
    """Whether X is a column of texts of pandas, polars or Arrow."""
    import narwhals as nw

    series = nw.from_native(X, series_only=True, pass_through=True)
    if not isinstance(series, nw.Series):
        return False
    return series.dtype == nw.String or (series.dtype == nw.Object and _texts(series))


def _kind_of_path(path: Any) -> str:
    """By the ending of a file, or what a folder holds."""
    place = Path(path)
    if place.is_dir():
        return "sequence" if wave_files(place) else "image"
    return {".wav": "sequence", ".txt": "text"}.get(place.suffix.lower(), "image")


def as_modality(modality: Any, scaling: str, X: Any = None) -> Modality:
    """A modality, its name, or `"auto"` (what `kind_of(X)` says) → the modality that will prepare the data.

    Examples
    --------
    >>> as_modality("table", "minmax"), as_modality("auto", "auto", X=["a text", "another"])
    (Table(scaling='minmax'), Text())
    """
    if isinstance(modality, str) and modality in ("auto", *_NAMED):
        name = kind_of(X) if modality == "auto" else modality
        if name in ("text", "events") and scaling != "auto":
            remedy = "; choose how words are weighed by Text(weighting=)" if name == "text" else "; leave it out"
            raise ValueError(f"scaling={scaling!r}: {name}{'s' * (name == 'text')} have no scale{remedy}")
        return _NAMED[name](scaling)
    if hasattr(modality, "fit"):
        if scaling != "auto":
            raise ValueError(
                f"scaling={scaling!r} and modality={modality!r} both say how to scale; state it in one place"
            )
        return modality  # type: ignore[no-any-return]
    raise ValueError(
        f"modality: expected 'auto', one of {', '.join(map(repr, _NAMED))} or a value such as Table(weights=...), "
        f"got {modality!r}"
    )


def rows_are(owner: Any) -> str:
    """What the rows of a modality or of a schema are: `"table"`, `"image"`, `"sequence"`, `"text"` or `"events"`.

    A modality that prepares such rows in a way of its own says so by its `rows_are`.

    Examples
    --------
    >>> rows_are(Coded()), rows_are(Image()), rows_are(Coded().fit([[1.0], [2.0]]))
    ('table', 'image', 'table')
    """
    told = getattr(owner, "rows_are", None)
    if told is None:
        told = owner.to_dict()["modality"] if hasattr(owner, "pack") else type(owner).__name__.lower()
    return str(told)


def schema_from_dict(data: dict[str, Any]) -> Schema:
    """The schema of a stored model.

    Examples
    --------
    >>> schema = Table("minmax").fit([[1.0, 10.0], [3.0, 30.0]])
    >>> schema_from_dict(schema.to_dict()) == schema
    True
    """
    name = data.get("modality")
    if name not in _SCHEMAS:
        raise ValueError(f"the model's data are of the modality {name!r}; this program knows {', '.join(_SCHEMAS)}")
    return _SCHEMAS[name](data)
