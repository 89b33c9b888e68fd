"""The schemes of neural cryptography that `NeuralCipher` teaches: what makes codes look like noise."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: The printable characters of ASCII.
SYMBOLS = "".join(map(chr, range(32, 127)))


def logistic_bytes(key: int, n: int) -> NDArray[np.uint8]:
    """Bytes of the logistic map `x ← r x (1 − x)`, r = 3.99 …, after 1,000 steps that are thrown away.

    Parameters
    ----------
    key : int
        64 bits: the first half says where x starts, the second one what r is.
    n : int

    Examples
    --------
    >>> stream = logistic_bytes(1, 4)
    >>> stream.tolist() != logistic_bytes(2, 4).tolist()
    True
    """
    x = 0.1 + 0.8 * ((key >> 32 & 0xFFFFFFFF) + 0.5) / 2**32
    r = 3.99 + 0.0099 * ((key & 0xFFFFFFFF) + 0.5) / 2**32
    found = np.empty(n, np.uint8)
    for at in range(-1000, n):
        x = r * x * (1.0 - x)
        if at >= 0:
            found[at] = int(x * 1e6) & 255
    return found


def permutation(key: int, n: int) -> NDArray[np.intp]:
    """The order of n cells that belongs to a key."""
    return np.random.default_rng(key).permutation(n)


class Ranks:
    """The probability transform of each unit: numbers ↔ bytes that are uniform over the codes it was made of.

    Parameters
    ----------
    codes : ndarray, shape (n, k)
    """

    def __init__(self, codes: NDArray[Any]) -> None:
        self._knots = np.quantile(codes.astype(np.float64), np.linspace(0, 1, 257), axis=0).T

    def to_bytes(self, codes: NDArray[Any]) -> NDArray[np.uint8]:
        """Which of 256 equally frequent intervals each number lies in."""
        found = [np.searchsorted(k[1:-1], z, side="right") for k, z in zip(self._knots, codes.T, strict=True)]
        return np.stack(found, axis=1).astype(np.uint8)

    def to_codes(self, levels: NDArray[np.uint8]) -> NDArray[np.float64]:
        """The middle of each interval."""
        middle = (self._knots[:, 1:] + self._knots[:, :-1]) / 2
        return np.stack([k[z] for k, z in zip(middle, levels.T, strict=True)], axis=1)


class Levels:
    """Numbers ↔ bytes, evenly between the least and the largest number of each unit."""

    def __init__(self, codes: NDArray[Any]) -> None:
        self._low, high = codes.min(axis=0).astype(float), codes.max(axis=0).astype(float)
        self._step = np.maximum(high - self._low, 1e-9) / 255

    def to_bytes(self, codes: NDArray[Any]) -> NDArray[np.uint8]:
        """The nearest level."""
        levels: NDArray[np.uint8] = np.clip(np.rint((codes - self._low) / self._step), 0, 255).astype(np.uint8)
        return levels

    def to_codes(self, levels: NDArray[np.uint8]) -> NDArray[np.float64]:
        """The inverse, within half a step."""
        codes: NDArray[np.float64] = levels * self._step + self._low
        return codes


def one_hot(texts: list[str]) -> NDArray[np.float32]:
    """Characters as rows of 95 numbers, one of them 1.

    Raises
    ------
    ValueError
        For characters that are not printable ASCII.
    """
    joined = "".join(texts)
    if wrong := sorted(set(joined) - set(SYMBOLS)):
        raise ValueError(f"NeuralCipher: the scheme 'symbols' takes printable ASCII, got {wrong[0]!r}")
    places = np.frombuffer(joined.encode("ascii"), np.uint8).astype(np.int64) - 32
    return np.eye(len(SYMBOLS), dtype=np.float32)[places]
