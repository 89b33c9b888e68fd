"""Series as they come; long ones cut into overlapping windows, and windows put together as series again."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from azogue.modalities.channels import Channels, Range
from azogue.modalities.scaling import LEVELS, Affine, Policy, is_exact
from azogue.recipe import Rows

Floats: TypeAlias = NDArray[np.float64]
#: A slice of rows → their values, shape (rows, samples, channels), NaN where one is missing.
Part: TypeAlias = Callable[[slice], Floats]
#: Values (…, samples, channels) of a sequence and its number → its cells.
Finish: TypeAlias = Callable[[Floats, int], NDArray[Any]]

#: Cells that are held as float64 at once, about.
CELLS = 2**18
#: Scaled values are kept within float32's range.
HUGE = 3e38


@dataclass(frozen=True)
class SequenceRows(Rows):
    """What is remembered of sequences besides their values.

    Parameters
    ----------
    container : {"array", "list", "series"}
        One array of shape (n, t, c), a list of sequences, or a single long series.
    index : None
    lengths : tuple of int
        Samples of each sequence, or of each long series.
    dtypes : tuple of str
    flat : tuple of bool
        Whether each was of shape (t,), without an axis of channels.
    rates : tuple of int or None
        Samples a second of each WAV file; None for what did not come from files.
    tensor : bool
        Whether it came as torch tensors.
    """

    lengths: tuple[int, ...] = ()
    dtypes: tuple[str, ...] = ()
    flat: tuple[bool, ...] = ()
    rates: tuple[int, ...] | None = None
    tensor: bool = False


@dataclass(frozen=True, eq=False)
class Source:
    """Series as they were read: views of the user's arrays, or files that are read when it is their turn.

    Parameters
    ----------
    rows : SequenceRows
    series : sequence of ndarray, shape (samples, channels)
        One array of shape (n, t, c) where they came so.
    channels : int
    files : sequence of str or None
        The names of the files that they come from.
    """

    rows: SequenceRows
    series: Any
    channels: int
    files: Sequence[str] | None = None

    def name(self, at: int) -> str:
        """What to call a sequence in messages."""
        if self.files is not None:
            return self.files[at]
        return "the series" if self.rows.container == "series" else f"sequence {at}"

    def check(self, channels: int, longest: int | None, rate: int | None) -> None:
        """Refuse other channels, longer sequences and another sampling rate than fitted; None allows any."""
        if self.channels != channels:
            raise ValueError(
                f"X has {self.channels} channels, but the model was fitted on {channels}; pass the same channels"
            )
        if rate and self.rows.rates and self.rows.rates[0] != rate:
            raise ValueError(
                f"{self.name(0)} has {self.rows.rates[0]} samples a second, but the model was fitted on {rate}; "
                "resample it"
            )
        length = max(self.rows.lengths)
        if longest is not None and length > longest:
            raise ValueError(
                f"{self.name(self.rows.lengths.index(length))} has {length} samples, but the model takes {longest} at "
                f"most; fit with Sequence(length={length}), or cut it"
            )

    @property
    def dtype(self) -> np.dtype[Any]:
        """One dtype for all of them."""
        found = set(self.rows.dtypes)
        return np.dtype(found.pop()) if len(found) == 1 else np.result_type(*found)

    def parts(self) -> Iterator[NDArray[Any]]:
        """All samples (samples, channels) in their order, many at a time.

        Raises
        ------
        ValueError
            For infinity; the message names the sequence.
        """
        held: list[NDArray[Any]] = []
        count, most = 0, max(1, CELLS // self.channels)
        for at in range(len(self.rows.lengths)):
            values = self.series[at]
            for start in range(0, len(values), most):
                held.append(values[start : start + most])
                count += len(held[-1])
                if count >= most or (start + most >= len(values) and at + 1 == len(self.rows.lengths)):
                    together = np.concatenate(held, dtype=self.dtype)
                    if self.dtype.kind == "f" and np.isinf(together).any():
                        raise self._infinity(at)
                    yield together
                    held, count = [], 0

    def _infinity(self, last: int) -> ValueError:
        """The error for infinity in one of the sequences up to a certain one."""
        at = next(at for at in range(last + 1) if np.isinf(self.series[at]).any())
        return infinity(self.name(at), int(np.argwhere(np.isinf(self.series[at]))[0, 1]))

    def held(self) -> Source:
        """The same with all files in memory, in their own dtypes."""
        if self.files is None:
            return self
        return replace(self, series=[self.series[at] for at in range(len(self.rows.lengths))])

    def scale(self, scaling: str, policy: Policy) -> Channels:
        """The map of each channel.

        Raises
        ------
        ValueError
            For values that the policy or float32 does not allow.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            ranges = tuple(map(_sound, Range.of(self.parts())))
            found = Channels.fit(scaling, ranges, policy)
            if self.dtype.kind in "iu":
                found = _keep_whole(scaling, found, self, ranges)
            ends = (np.array([(known.low, known.high) for known in ranges]).T - found.center) / found.scale
        if not (np.isfinite([found.center, found.scale]).all() and (np.abs(ends) <= HUGE).all()):
            raise ValueError("Sequence: the values of X are too large or too far apart for float32; divide them first")
        return found

    def units(self) -> list[int]:
        """For whole numbers: the largest power of two that divides all values of a channel."""
        bits = [0] * self.channels
        for part in self.parts():
            found = np.bitwise_or.reduce(part, axis=0).tolist()
            bits = [a | b for a, b in zip(bits, found, strict=True)]
        return [bit & -bit or 1 for bit in bits]


def infinity(name: str, channel: int) -> ValueError:
    """The error for infinite values."""
    return ValueError(
        f"{name} contains infinity in channel {channel + 1}; replace it by a number, or by NaN if it is unknown"
    )


def _sound(known: Range) -> Range:
    """The range with a mean and deviation within reason, where float64 cannot hold sums of squares."""
    middle, half = known.low / 2 + known.high / 2, known.high / 2 - known.low / 2
    if half == 0:
        return Range(known.low, known.high, known.low, 0.0)
    mean = min(max(known.mean, known.low), known.high) if math.isfinite(known.mean) else middle
    return Range(known.low, known.high, mean, min(known.deviation, half) if known.deviation > 0 else half)


def _keep_whole(scaling: str, scale: Channels, source: Source, ranges: tuple[Range, ...]) -> Channels:
    """The scale of whole numbers, or one near it that brings fewer than 2²⁴ levels through float32 without loss.

    Its center is a whole number of units and its scale a power of two, large enough for what was asked of the range.
    """
    largest = max(max(-known.low, known.high) for known in ranges)
    if largest > 2**53:
        raise ValueError(f"Sequence: whole numbers up to {largest:g} lose digits in float64; subtract an offset first")
    if scaling == "none" or all(map(_exact, scale.center, scale.scale, ranges)):
        return scale
    pairs = []
    for center, size, known, unit in zip(scale.center, scale.scale, ranges, source.units(), strict=True):
        if _exact(center, size, known) or (known.high - known.low) / unit >= LEVELS:
            pairs.append((center, size))
            continue
        near = round(center / unit) * float(unit)
        reach = size if scaling == "standard" else max(known.high - near, near - known.low)
        pairs.append((near, 2.0 ** (round if scaling == "standard" else math.ceil)(math.log2(reach))))
    return Channels(tuple(center for center, _ in pairs), tuple(size for _, size in pairs))


def _exact(center: float, size: float, known: Range) -> bool:
    return is_exact(Affine(center, size), known.low, known.high)


def step_of(window: int, overlap: float) -> int:
    """The samples from the start of a window to that of the next one.

    Examples
    --------
    >>> step_of(1024, 0.5), step_of(10, 0.0), step_of(2, 0.9)
    (512, 10, 1)
    """
    return max(1, round(window * (1 - overlap)))


def weights(size: int) -> Floats:
    """How much each sample of a window counts where windows overlap: a triangle, positive everywhere.

    Examples
    --------
    >>> weights(5)
    array([1., 2., 3., 2., 1.])
    """
    up: Floats = np.arange(1.0, size + 1)
    return np.asarray(np.minimum(up, up[::-1]))


@dataclass(frozen=True, eq=False)
class Cut:
    """Which samples of some series each packed row holds.

    Window `k` of a series starts at sample `k · step`, but the last one ends where the series ends, so that every
    sample is in a window and no window reaches beyond. A series of at most `size` samples is one row, padded.

    Parameters
    ----------
    size : int
        Samples of a row.
    step : int
        Samples from the start of a window to that of the next one.
    lengths : ndarray of int64, shape (series,)
        Samples of each series.

    Examples
    --------
    >>> cut = Cut(4, 2, np.array([7, 3]))
    >>> cut.count
    4
    >>> cut.places(np.arange(4))
    (array([0, 0, 0, 1]), array([0, 2, 3, 0]))
    """

    size: int
    step: int
    lengths: NDArray[np.int64]

    @cached_property
    def first(self) -> NDArray[np.int64]:
        """The first row of each series, and behind them the number of rows."""
        counts = 1 - (-np.maximum(self.lengths - self.size, 0) // self.step)
        return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)

    @property
    def count(self) -> int:
        """Rows of all series together."""
        return int(self.first[-1])

    @property
    def whole(self) -> bool:
        """Whether each series is one row."""
        return self.count == len(self.lengths)

    def places(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The series of each row, and its first sample there."""
        series = np.searchsorted(self.first[1:], rows, side="right")
        start = (rows - self.first[series]) * self.step
        return series, np.minimum(start, np.maximum(self.lengths[series] - self.size, 0))

    def gather(self, series: Sequence[NDArray[Any]] | NDArray[Any], rows: NDArray[np.int64]) -> Floats:
        """The values of some rows.

        Parameters
        ----------
        series : sequence of ndarray, shape (samples, channels)
            All of them; one array of shape (series, samples, channels) is the fastest.
        rows : ndarray of int64, shape (k,)
            In any order.

        Returns
        -------
        ndarray of float64, shape (k, size, channels)
            NaN behind the end of a series that is shorter.
        """
        which, starts = self.places(rows)
        if isinstance(series, np.ndarray) and self.whole:
            out = np.full((len(rows), self.size, series.shape[2]), np.nan)
            out[:, : series.shape[1]] = series[which]
            return out
        channels = series[which[0]].shape[1] if len(rows) else series[0].shape[1]
        out = np.full((len(rows), self.size, channels), np.nan)
        order = np.argsort(which, kind="stable")
        groups = np.split(order, np.flatnonzero(np.diff(which[order])) + 1) if len(rows) else []
        for at in groups:
            values = series[which[at[0]]]
            if len(values) <= self.size:
                out[at, : len(values)] = values
            else:
                windows = np.lib.stride_tricks.sliding_window_view(values, self.size, axis=0)
                out[at] = windows[starts[at]].transpose(0, 2, 1)
        return out

    def blocks(self, channels: int) -> Iterator[slice]:
        """All rows in their order, a few at a time."""
        size = max(1, CELLS // (self.size * channels))
        return (slice(start, min(start + size, self.count)) for start in range(0, self.count, size))

    def join(self, part: Part, channels: int) -> Iterator[Floats]:
        """The series again, one after the other; samples of several windows are averaged.

        A sample is `Σ w v / Σ w` over the windows that have a value for it, where `w` are `weights`.

        Parameters
        ----------
        part : callable
            The values of a slice of rows.
        channels : int

        Yields
        ------
        ndarray of float64, shape (samples, channels)
            NaN where no window has a value.
        """
        if self.whole:
            for rows in self.blocks(channels):
                for values, length in zip(part(rows), self.lengths[rows], strict=True):
                    yield values[:length]
            return
        for number, length in enumerate(self.lengths):
            rows = slice(int(self.first[number]), int(self.first[number + 1]))
            yield part(rows)[0, :length] if rows.stop - rows.start == 1 else self._averaged(part, rows, channels)

    def _averaged(self, part: Part, rows: slice, channels: int) -> Floats:
        """One series from several windows."""
        which, starts = self.places(np.arange(rows.start, rows.stop))
        length = int(self.lengths[which[0]])
        total, weight = np.zeros((length, channels)), np.zeros((length, channels))
        factors = weights(self.size)[:, None]
        block = max(1, CELLS // (self.size * channels))
        for start in range(0, len(starts), block):
            at = starts[start : start + block]
            values = part(slice(rows.start + start, rows.start + start + len(at)))
            seen = ~np.isnan(values)
            _add(total, at, np.where(seen, values, 0.0) * factors)
            _add(weight, at, seen * factors)
        return np.divide(total, weight, out=np.full_like(total, np.nan), where=weight > 0)


def _add(target: Floats, starts: NDArray[np.int64], values: Floats) -> None:
    """Add windows where they belong, by the shorter of two loops; all starts differ."""
    count, size = values.shape[:2]
    if count <= size:
        for start, window in zip(starts.tolist(), values, strict=True):
            target[start : start + size] += window
    else:
        for offset in range(size):
            target[starts + offset] += values[:, offset]


def stored_scale(data: Any) -> Channels:
    """A scale from JSON values, if they make one."""
    known = (
        isinstance(data, dict)
        and set(data) == {"center", "scale"}
        and all(type(part) is list for part in data.values())
    )
    numbers = [*data["center"], *data["scale"]] if known else []
    if not numbers or not all(type(value) in (int, float) and abs(value) < 1e308 for value in numbers):
        raise ValueError(f"not the schema of sequences: the scale is {data!r}")
    return Channels.from_dict(data)


def lay_out(cut: Cut, rows: SequenceRows, part: Part, channels: int, finish: Finish) -> Any:
    """Rows → one array, a list, or one series, each sequence brought to its dtype by `finish`."""
    none = finish(part(slice(0, 0)), 0)
    if not rows.lengths:
        return {"array": none, "list": [], "series": none[:, 0, 0] if rows.flat[0] else none[:, 0]}[rows.container]
    if rows.container == "array" and cut.whole:  # many at once
        out = np.empty((cut.count, rows.lengths[0], channels), none.dtype)
        for at in cut.blocks(channels):
            out[at] = finish(part(at)[:, : rows.lengths[0]], at.start)
        return out
    found = [finish(values, at) for at, values in enumerate(cut.join(part, channels))]
    found = [values[:, 0] if flat else values for values, flat in zip(found, rows.flat, strict=True)]
    if rows.container == "array":
        return np.stack(found).astype(none.dtype, copy=False)  # in the fitted order of bytes
    return found[0] if rows.container == "series" else found
