"""Signals of any length as windows of one length, a stretch at a time, and as signals again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from azogue.autoencoder import Autoencoder
from azogue.modalities.pixels import limits
from azogue.modalities.sequence import Sequence
from azogue.modalities.waves import as_tensors, read
from azogue.modalities.windows import Cut, Source, step_of

#: Samples of a window, where signals are that long and nothing else was asked for.
WINDOW = 1024
#: Values that go through the network at once, about.
LONG = 2**20
#: An array of two axes holds channels in its columns up to here, and a signal in each row beyond.
CHANNELS = 16


def as_series(X: Any) -> Any:
    """Signals in a form that `Sequence` takes: rows of an array (n, t) with t > 16 become (n, t, 1)."""
    return X[:, :, None] if _is_wide(X) else X


def _is_wide(X: Any) -> bool:
    if hasattr(X, "columns"):
        raise TypeError(f"signals: expected arrays, got a {type(X).__name__}; pass X.to_numpy()")
    return getattr(X, "ndim", 0) == 2 and X.shape[1] > CHANNELS


def lengths_of(rows: Any) -> tuple[int, ...]:
    """The samples of each signal; of files the headers are read."""
    return tuple(read(rows, True).rows.lengths)


def modality_for(lengths: tuple[int, ...], modality: Any, scaling: str, window: Any, overlap: float) -> Any:
    """Windows for signals of some lengths: as long as asked for or usual, and no longer than the longest signal."""
    if not isinstance(modality, str):
        return modality
    longest = max(lengths)
    size = min(WINDOW if window == "auto" else int(window), longest)
    return Sequence(window=size, overlap=overlap, scaling=scaling)


def windows_of(rows: Any, modality: Sequence) -> tuple[tuple[int, int], int]:
    """Samples and channels of a window, and how many windows there are."""
    source = read(rows, True)
    size = modality.window or max(source.rows.lengths)
    cut = Cut(size, step_of(size, modality.overlap), np.array(source.rows.lengths, np.int64))
    return (size, source.channels), cut.count


def restored(model: Autoencoder, X: Any, damage: Any) -> Any:
    """Signals through an autoencoder of windows, in the shape, length and dtype that they came in.

    Long ones go through it stretch by stretch, with what lies around each, so that memory is bounded and the result is
    the same as at once.
    """
    rows = as_series(X)
    source = read(rows, True)
    schema: Any = model.schema_
    source.check(schema.channels, schema.size if schema.step is None else None, schema.rate)
    marks = None if damage is None else _marks(source, damage, X)
    found: list[NDArray[Any]] = []
    for group in _groups(source):
        series = [_damaged(source.series[at], None if marks is None else marks[at]) for at in group]
        made = [_long(model, series[0])] if len(series) == 1 else model.reconstruct(series)
        found += [_like(values, np.dtype(source.rows.dtypes[at])) for values, at in zip(made, group, strict=True)]
    return _back(found, source, X)


def _groups(source: Source) -> Iterator[list[int]]:
    """Numbers of signals that go through the network together."""
    held: list[int] = []
    for at, length in enumerate(source.rows.lengths):
        if held and (sum(source.rows.lengths[k] for k in held) + length) * source.channels > LONG:
            yield held
            held = []
        held.append(at)
    yield held


def _long(model: Autoencoder, values: NDArray[Any]) -> NDArray[Any]:
    """One signal (t, c), stretch by stretch; stretches begin where windows do."""
    schema: Any = model.schema_
    size, step = schema.size, schema.step or schema.size
    stretch = step * max(1, LONG // schema.channels // step)
    margin = step * -(-size // step)
    if len(values) <= stretch + margin or schema.step is None:
        return np.asarray(model.reconstruct([values])[0])
    found = []
    for start in range(0, len(values), stretch):
        first = max(0, start - margin)
        part = model.reconstruct([values[first : start + stretch + margin]])[0]
        found.append(part[start - first : start - first + stretch])
    return np.concatenate(found)


def _damaged(values: NDArray[Any], marks: Any) -> NDArray[Any]:
    """A signal with NaN where it is damaged."""
    values = np.asarray(values)
    if marks is None:
        return values
    kind = values.dtype if values.dtype.kind == "f" else np.float64
    return np.where(marks, np.nan, values).astype(kind)


def _marks(source: Source, damage: Any, X: Any) -> list[NDArray[np.bool_]]:
    """Where each signal is damaged, (t, c)."""
    given = [damage] if source.rows.container == "series" else list(damage)
    marks = [np.asarray(part, dtype=bool) for part in given]
    lengths, wide = source.rows.lengths, _is_wide(X)
    if len(marks) != len(lengths):
        raise ValueError(f"mask: expected one for each of {len(lengths)} signals, got {len(marks)}")
    for at, (part, length) in enumerate(zip(marks, lengths, strict=True)):
        expected = (length,) if source.rows.flat[at] or wide else (length, source.channels)
        if part.shape != expected:
            raise ValueError(f"mask: expected the shape {expected} for {source.name(at)}, got {part.shape}")
    return [part.reshape(-1, source.channels) for part in marks]


def _like(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    if values.dtype == dtype:
        return values
    made = values if dtype.kind == "f" else np.clip(np.rint(values), *limits(dtype))
    return np.asarray(made, dtype)


def _back(found: list[NDArray[Any]], source: Source, X: Any) -> Any:
    """Signals (t, c) in the container that they came in."""
    rows = source.rows
    flat = [values[:, 0] if is_flat else values for values, is_flat in zip(found, rows.flat, strict=True)]
    if rows.container == "array":
        whole: Any = np.stack(found)
        whole = whole[..., 0] if _is_wide(X) else whole
    else:
        whole = flat[0] if rows.container == "series" else flat
    return as_tensors(whole) if rows.tensor else whole


def merged(X: Any, whole: Any, mask: Any) -> Any:
    """The signals as they came, with what is damaged or missing taken from those made whole."""
    if isinstance(X, (str, os.PathLike)):
        source = read(X, True)
        return _back([np.array(source.series[at]) for at in range(len(source.rows.lengths))], source, X)
    if isinstance(X, (list, tuple)) and hasattr(X[0], "ndim"):
        masks = [None] * len(X) if mask is None else mask
        return [merged(*parts) for parts in zip(X, whole, masks, strict=True)]
    values = np.asarray(X)
    damaged = np.zeros(values.shape, bool) if mask is None else np.asarray(mask, dtype=bool)
    if values.dtype.kind == "f":
        damaged = damaged | np.isnan(values)
    found = np.where(damaged, np.asarray(whole), values)
    return as_tensors(found) if hasattr(X, "detach") else found
