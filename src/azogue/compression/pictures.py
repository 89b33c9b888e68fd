"""Pictures of bytes, pixel by pixel: each is expected by what is left of it and above, and in channels already known.

All pictures go side by side: a step is one channel of one pixel of up to 1,024 pictures. The contexts are those of
lossless picture coders (activity around, errors made nearby, the sign of the error in the channel before: Wu & Memon
1997, CALIC), besides neighbours' values in coarse levels for pictures of few values, and what a network expects, if
there is one.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from azogue.compression.ans import DamagedError, Ints
from azogue.compression.coding import LANES, Step, growing
from azogue.compression.linear import EXPECTED, LEVELS, OTHER, OWN, Predictor
from azogue.compression.mixing import Mixture

Pixels = NDArray[np.uint8]
_UP, _SIDE = 2, 2
_VALUE = np.arange(256)
_THREE = np.searchsorted([1, 128], _VALUE, side="right")
_FIVE = np.searchsorted([1, 64, 192, 250], _VALUE, side="right")
_SIX = np.searchsorted([1, 32, 96, 192, 250], _VALUE, side="right")
_SIZE = np.searchsorted([1, 2, 3, 5, 8, 13, 21, 34, 55], np.arange(256 * 3), side="right")
_SIGN = np.searchsorted([-12, -4, -1, 2, 5, 13], np.arange(-255, 256), side="right")


@dataclass
class Settings:
    """What is sent beside the pixels."""

    few: bool
    expected: bool
    predictors: list[Predictor]
    classes: int

    def to_bytes(self) -> bytes:
        """Two flags, the number of classes, the predictors."""
        head = struct.pack("<BB", self.few | self.expected << 1, self.classes)
        return head + b"".join(one.to_bytes() for one in self.predictors)

    @classmethod
    def from_bytes(cls, data: bytes, channels: int) -> tuple[Settings, bytes]:
        """The inverse, and what follows."""
        if len(data) < 2 or data[0] > 3 or data[1] not in (1, 8):
            raise DamagedError("the settings of pictures are damaged")
        few, expected, classes, at, found = bool(data[0] & 1), bool(data[0] & 2), data[1], 2, []
        for channel in range(channels):
            count = neighbours(channel, expected)
            size = Predictor.size(classes, count)
            found.append(Predictor.from_bytes(data[at : at + size], classes, count))
            at += size
        return cls(few, expected, found, classes), data[at:]

    @classmethod
    def fitted(cls, pixels: Pixels, expected: Pixels | None) -> Settings:
        """Chosen for pictures (n, h, w, c), and for what a network expects of them."""
        n = pixels.shape[0]
        sample = slice(None, None, max(1, n * pixels[0].size // 600_000))
        here = _framed(pixels[sample])
        told = None if expected is None else _framed(expected[sample])
        few = bool(np.bincount(pixels[sample].reshape(-1), minlength=256).max() > 0.2 * pixels[sample].size)
        classes, found = 8 if pixels.size > 250_000 else 1, []
        h, w = pixels.shape[1:3]
        for channel in range(pixels.shape[3]):
            near = [
                part.reshape(-1) for part in _near(here, told, channel, (slice(_UP, _UP + h), slice(_SIDE, _SIDE + w)))
            ]
            target = here[_UP:, _SIDE : _SIDE + w, channel].reshape(-1)
            found.append(Predictor.fitted(near, target, channel, classes))
        return cls(few, expected is not None, found, classes)


def neighbours(channel: int, expected: bool) -> int:
    """How many values a prediction is made of."""
    return len(OWN) + min(channel, 2) * len(OTHER) + expected * len(EXPECTED)


def _framed(pixels: Pixels) -> Ints:
    """(n, h, w, c) → (h + 2, w + 4, c, n) with zeros around."""
    n, h, w, c = pixels.shape
    frame = np.zeros((h + _UP, w + 2 * _SIDE, c, n), np.int64)
    frame[_UP:, _SIDE : _SIDE + w] = pixels.transpose(1, 2, 3, 0)
    return frame


def _moved(place: Any, by: int) -> Any:
    return slice(place.start + by, place.stop + by) if isinstance(place, slice) else place + by


def _near(here: Ints, told: Ints | None, channel: int, place: tuple[slice, slice] | tuple[int, int]) -> list[Ints]:
    """The values that a prediction is made of, at one place or at a block of places."""

    def at(frame: Ints, k: int, dy: int, dx: int) -> Ints:
        part: Ints = frame[_moved(place[0], dy), _moved(place[1], dx), k]
        return part

    near = [at(here, channel, dy, dx) for dy, dx in OWN]
    for k in range(channel - 1, max(channel - 3, -1), -1):
        near += [at(here, k, dy, dx) for dy, dx in OTHER]
    if told is not None:
        near += [at(told, channel, dy, dx) for dy, dx in EXPECTED]
    return near


def lanes_of(n: int) -> int:
    """How many of n pictures go side by side: more are faster, but each lane costs four bytes."""
    return int(np.clip(n // 8, min(n, 96), LANES))


class Pictures:
    """A model of pictures (n, h, w, c) of bytes; encoding reads the pixels, decoding writes them."""

    def __init__(self, pixels: Pixels, settings: Settings, expected: Pixels | None = None) -> None:
        self.pixels, self.settings, self.expected = pixels, settings, expected

    @property
    def symbols(self) -> int:
        """All bytes."""
        return self.pixels.size

    @property
    def lanes(self) -> int:
        """Pictures side by side."""
        return lanes_of(len(self.pixels))

    def steps(self) -> Iterator[Step]:
        """Group by group, row by row, pixel by pixel, channel by channel."""
        h, w, channels = self.pixels.shape[1:]
        mixture = Mixture(self._contexts(h, w, channels), channels)
        for group in growing(len(self.pixels), self.lanes):
            walk = _Walk(self, group, mixture)
            for row in range(h):
                for column in range(w):
                    for channel in range(channels):
                        walk.place = row, column, channel
                        yield walk
            self.pixels[group] = walk.here[_UP:, _SIDE : _SIDE + w].transpose(3, 0, 1, 2)

    def _contexts(self, h: int, w: int, channels: int) -> list[int]:
        k = channels * LEVELS
        found = [k * 10, k * 49]
        if not self.settings.few:
            found += [k * 11, k * 7, k * 44, channels * 64 * 77]
        else:
            found += [k * 128, channels * 6**4, channels * 1024, channels * 3**9, min(h * w * channels * 9, 1 << 14)]
        if self.settings.expected:
            found += [channels * 17 * 125, channels * 256]
        return found


class _Walk:
    """A group of pictures, at one pixel."""

    def __init__(self, model: Pictures, group: slice, mixture: Mixture) -> None:
        self.mixture, self.settings = mixture, model.settings
        self.here = _framed(model.pixels[group])
        self.told = None if model.expected is None else _framed(model.expected[group])
        self.error = np.zeros_like(self.here)
        self.shape = model.pixels.shape[1:]
        self.place = 0, 0, 0

    def take(self) -> Ints:
        row, column, k = self.place
        symbol: Ints = self.here[row + _UP, column + _SIDE, k]
        self._note(symbol)
        return symbol

    def put(self, symbols: Ints) -> None:
        row, column, k = self.place
        self.here[row + _UP, column + _SIDE, k] = symbols
        self._note(symbols)

    def _note(self, symbol: Ints) -> None:
        row, column, k = self.place
        self.error[row + _UP, column + _SIDE, k] = symbol - self._expected

    def look(self) -> int:
        row, column, k = self.place
        place = row + _UP, column + _SIDE
        near = _near(self.here, self.told, k, place)
        predictor = self.settings.predictors[k]
        level = predictor.level(near, k)
        common, own = predictor.predict(near, level)
        self._expected = own
        context, shift = self._natural(level, near, common, own)
        if self.settings.few:
            nothing = np.zeros_like(own)
            for one in self._coarse(near):
                context.append(one)
                shift.append(nothing)
        if self.told is not None:
            there = self.told[place[0], place[1], k]
            w, n, _, ne = near[:4]
            bins = np.where(there == 0, 0, 1 + (there >> 4))
            context += [(((k * 17 + bins) * 5 + _FIVE[w]) * 5 + _FIVE[n]) * 5 + _FIVE[ne], k * 256 + there]
            shift += [np.zeros_like(own)] * 2
        self.mixture.look(np.stack(context), np.stack(shift), k)
        return len(own)

    def _natural(self, level: Ints, near: list[Ints], common: Ints, own: Ints) -> tuple[list[Ints], list[Ints]]:
        """Contexts of errors made nearby, for what differs from a prediction."""
        row, column, k = self.place
        i, j = row + _UP, column + _SIDE
        error = self.error
        w, n = error[i, j - 1, k], error[i - 1, j, k]
        around = 2 * (abs(w) + abs(n)) + abs(error[i - 1, j + 1, k]) + abs(error[i - 1, j - 1, k])
        size = _SIZE[around >> 1]
        base = k * LEVELS + level
        context = [base * 10 + size, (base * 7 + _SIGN[w + 255]) * 7 + _SIGN[n + 255]]
        if self.settings.few:
            context.append(((k * LEVELS + level) * 16 + (own >> 4)) * 8 + np.minimum(abs(w) >> 4, 7))
            return context, [own, own, own]
        if k:
            before = error[i, j, k - 1]
            there, sign = _SIZE[abs(before)] + 1, _SIGN[before + 255]
        else:
            there, sign = np.zeros_like(own), np.full_like(own, 3)
        fine = (base * 11 + there) * 4 + np.minimum(size >> 1, 3)
        exact = ((k * 64 + (own >> 2)) * 11 + there) * 7 + sign
        return [*context, base * 11 + there, base * 7 + sign, fine, exact], [own, own, common, own, own, own]

    def _coarse(self, near: list[Ints]) -> list[Ints]:
        """Contexts of neighbours' values in coarse levels."""
        row, column, k = self.place
        w, n, nw, ne = near[:4]
        many = k + np.zeros_like(w)
        for value in (w, n, ne, nw, near[4], near[5], near[7], near[6], near[9]):
            many = many * 3 + _THREE[value]
        spot = (row * self.shape[1] + column) * self.shape[2] + k
        return [
            ((k * 6 + _SIX[w]) * 6 + _SIX[n]) * 36 + _SIX[nw] * 6 + _SIX[ne],
            k * 1024 + (w >> 3) * 32 + (n >> 3),
            many,
            (spot * 9 + _THREE[w] * 3 + _THREE[n]) % min(9 * self.shape[0] * self.shape[1] * self.shape[2], 1 << 14),
        ]
