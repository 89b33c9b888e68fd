"""A decoder in whole numbers: what a fitted autoencoder's code says of a record, the same on every machine.

A network of one hidden layer is fitted to the autoencoder's quantised codes and the records, and rounded:

    h = clip((W₁ q + b₁) >> s₁, 0, 2¹⁴ − 1),   out = clip((W₂ h + b₂) >> s₂, 0, 255)

with weights of 8 bits. Products are sums of less than 2⁵³, for which floating point is exact in whatever order it adds.
"""

from __future__ import annotations

import hashlib
import struct
import warnings
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from azogue.compression.ans import DamagedError, Ints

_MAGIC = b"azogue-net\x01"
#: Bits of a hidden unit, and so the largest one.
_HIDDEN = 14
#: Codes are bytes: −128 … 127.
CODE = 128
LIMIT = 1 << 26


@dataclass(frozen=True)
class IntegerDecoder:
    """Weights of the two layers, biases, shifts.

    Parameters
    ----------
    w1, w2 : ndarray of int8, shapes (hidden, code) and (out, hidden)
    b1, b2 : ndarray of int64
    s1, s2 : int
    """

    w1: NDArray[np.int8]
    b1: Ints
    s1: int
    w2: NDArray[np.int8]
    b2: Ints
    s2: int

    def __call__(self, code: NDArray[np.int8]) -> NDArray[np.uint8]:
        """Codes (n, code) → records (n, out) of bytes."""
        h = np.clip((_product(code, self.w1) + self.b1) >> self.s1, 0, (1 << _HIDDEN) - 1)
        out: NDArray[np.uint8] = np.clip((_product(h, self.w2) + self.b2) >> self.s2, 0, 255).astype(np.uint8)
        return out

    @property
    def sha256(self) -> str:
        """Of its bytes."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def to_bytes(self) -> bytes:
        """One spelling."""
        hidden, code = self.w1.shape
        head = struct.pack("<IIIBB", code, hidden, len(self.w2), self.s1, self.s2)
        parts = [self.w1.tobytes(), self.b1.astype("<i8").tobytes(), self.w2.tobytes(), self.b2.astype("<i8").tobytes()]
        return _MAGIC + head + b"".join(parts)

    @classmethod
    def from_bytes(cls, data: bytes) -> IntegerDecoder:
        """The inverse.

        Raises
        ------
        DamagedError
        """
        at = len(_MAGIC) + 14
        if not data.startswith(_MAGIC) or not at <= len(data) <= LIMIT:
            raise DamagedError("a decoder's bytes are damaged")
        code, hidden, out, s1, s2 = struct.unpack("<IIIBB", data[len(_MAGIC) : at])
        sizes = [hidden * code, 8 * hidden, out * hidden, 8 * out]
        if sum(sizes) != len(data) - at or s1 > 40 or s2 > 40:
            raise DamagedError("a decoder's bytes have the wrong size")
        stops = np.cumsum([at, *sizes])
        w1, b1, w2, b2 = (data[a:b] for a, b in pairwise(stops))
        biases = np.frombuffer(b1, "<i8").astype(np.int64), np.frombuffer(b2, "<i8").astype(np.int64)
        if any((abs(bias) > 1 << 40).any() for bias in biases):
            raise DamagedError("a decoder's biases are out of range")
        first, second = np.frombuffer(w1, np.int8), np.frombuffer(w2, np.int8)
        return cls(first.reshape(hidden, code), biases[0], s1, second.reshape(out, hidden), biases[1], s2)


def _product(x: NDArray[Any], weights: NDArray[np.int8]) -> Ints:
    """Exact: every partial sum is a whole number below 2⁵³."""
    return (x.astype(np.float64) @ weights.T.astype(np.float64)).astype(np.int64)


def distilled(
    code: NDArray[np.int8], records: NDArray[np.uint8], hidden: int, seed: int, epochs: int = 30
) -> IntegerDecoder:
    """Fit the decoder to codes (n, k) and the records (n, d) they stand for.

    Parameters
    ----------
    code, records : arrays of int8 and uint8
    hidden : int
    seed : int
    epochs : int
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPRegressor

    x, y = code.astype(np.float32) / 32, records.astype(np.float32) / 255
    model = MLPRegressor(
        hidden_layer_sizes=(hidden,),
        batch_size=int(np.clip(len(x) // 40, min(8, len(x)), 128)),
        learning_rate_init=3e-3,
    )
    model.set_params(random_state=seed % 2**32, max_iter=epochs, n_iter_no_change=epochs, tol=1e-12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # epochs are what was asked for
        model.fit(x, y if y.shape[1] > 1 else y[:, 0])
    (w1, w2), (b1, b2) = (
        [np.asarray(part, np.float64).T for part in parts] for parts in (model.coefs_, model.intercepts_)
    )
    return _rounded(w1, b1, w2, b2, code)


def _rounded(w1: Any, b1: Any, w2: Any, b2: Any, code: NDArray[np.int8]) -> IntegerDecoder:
    """Weights in whole numbers, with shifts in place of scales."""
    w1 = w1 / 32
    # h · a, with a so that the largest hidden unit fits; a = 2^p1
    top = max(float((code @ w1.T + b1).max()), 1e-6)
    p1 = int(np.floor(np.log2(((1 << _HIDDEN) - 1) / top)))
    q1 = int(np.floor(np.log2(127 / max(float(abs(w1).max()), 1e-9))))
    s1 = max(q1 - p1, 0)
    p1 = q1 - s1
    w2, b2 = w2 * 255 / 2.0**p1, b2 * 255
    q2 = int(np.floor(np.log2(127 / max(float(abs(w2).max()), 1e-12))))
    s2 = int(np.clip(q2, 0, 40))
    rounded = [np.clip(np.rint(w), -127, 127).astype(np.int8) for w in (w1 * 2.0**q1, w2 * 2.0**s2)]
    first, last = np.rint(b1 * 2.0**q1).astype(np.int64), np.rint((b2 + 0.5) * 2.0**s2).astype(np.int64)
    return IntegerDecoder(rounded[0], first, s1, rounded[1], last, s2)
