"""The section on a denoiser: what it was trained against, and data before and after it."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np

from azogue.applications import Denoiser, albums, series
from azogue.modalities.waves import read
from azogue.plots import plot_denoising
from azogue.report.looking import SHOWN, png_of

Section = dict[str, Any]


def denoising_section(model: Any, X: Any) -> Section | None:
    """What a denoiser was trained against, and what it makes of the first rows."""
    if not isinstance(model, Denoiser):
        return None
    few = _first(model, X)
    restored = model.transform(few)
    section: Section = {
        "title": "Noise",
        "text": "The data as they came, and what the denoiser makes of them.",
        "facts": {"trained against": repr(getattr(model, "noise_", "not known")), "data": model.kind_},
    }
    if model.kind_ != "table":
        pairs = zip(few, restored, strict=True)
        changes = [np.asarray(after, float) - np.asarray(before, float) for before, after in pairs]
        squares = np.concatenate([np.square(change).ravel() for change in changes])
        section["facts"]["root mean square change"] = float(np.sqrt(np.nanmean(squares)))
    section["images"] = [["Before and after", png_of(plot_denoising(few, restored, modality=model.kind_))]]
    return section


def counted_noisy(model: Denoiser, X: Any) -> str:
    """How many rows, pictures or signals there are; pictures may be of any sizes."""
    if model.kind_ == "image":
        count, noun = len(albums.read_album(X)), "picture"
    elif model.kind_ == "sequence":
        count, noun = len(read(series.as_series(X), True).rows.lengths), "signal"
    else:
        count, noun = len(X), "row"
    return f"{count:,} {noun}{'s' * (count != 1)}"


def _first(model: Denoiser, X: Any) -> Any:
    """The first rows, pictures or signals, in a container that the model takes."""
    if model.kind_ == "table":
        return X.slice(0, SHOWN) if hasattr(X, "slice") else X.iloc[:SHOWN] if hasattr(X, "iloc") else X[:SHOWN]
    if model.kind_ == "image":
        album = albums.read_album(X)
        found = [album.take(at) for at in islice(range(len(album)), SHOWN)]
        return [picture[..., 0] if picture.shape[2] == 1 else picture for picture in found]
    source = read(series.as_series(X), True)
    return [np.array(source.series[at]) for at in islice(range(len(source.rows.lengths)), 3)]
