"""What all compiled functions share: how they are compiled, and functions of one number that become vector code.

Exponentials in float32 are polynomials without branches, right to a few units in the last place; float64 takes those
of the mathematical library.
"""

from __future__ import annotations

import hashlib
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
from numba import config, njit, types
from numba.extending import intrinsic, overload


def _place() -> Path:
    """Where compiled code is kept: a folder for each state of these files, since they are compiled into one another."""
    here = Path(__file__).parent
    sources = [*sorted(here.glob("*.py")), here.parent / "formulas.py"]
    stamp = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    if config.CACHE_DIR:
        return Path(config.CACHE_DIR) / f"azogue-{stamp}"
    local = os.environ.get("LOCALAPPDATA") if sys.platform == "win32" else os.environ.get("XDG_CACHE_HOME")
    return Path(local or Path.home() / ".cache") / "azogue" / f"compiled-{stamp}"


_PLACE = str(_place())


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function where it is called first, and keep the code for other processes.

    Contracting a · b + c is all that the compiler may change; sums keep their order.
    """
    before, config.CACHE_DIR = config.CACHE_DIR, _PLACE
    try:
        made = njit(cache=True, nogil=True, fastmath={"contract"}, error_model="numpy")(function)
    finally:
        config.CACHE_DIR = before
    return cast("Callable[..., Any]", made)


def _recast(context: Any, builder: Any, signature: Any, values: Any) -> Any:
    return builder.bitcast(values[0], context.get_value_type(signature.return_type))


@intrinsic  # type: ignore[untyped-decorator, unused-ignore]
def bits_of(_context: Any, value: Any) -> Any:
    """The bits of a float32, as an int32."""
    return types.int32(types.float32), _recast


@intrinsic  # type: ignore[untyped-decorator, unused-ignore]
def real_of(_context: Any, value: Any) -> Any:
    """The float32 with the bits of an int32."""
    return types.float32(types.int32), _recast


def exponential(x: Any) -> Any:
    """eˣ within compiled functions."""
    raise NotImplementedError


#: log₂ e; what rounds a float32 to a whole number when added; log 2 as a short number and the rest; a polynomial for
#: (eʳ − 1 − r)/r², |r| ≤ log 2 / 2, of least relative error.
_LOG2E, _ROUND, _LOG2, _REST = (np.float32(v) for v in (1.44269504089, 12582912.0, 0.693359375, -2.12194440e-4))
_P5, _P4, _P3, _P2, _P1, _P0 = (
    np.float32(v) for v in (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 0.5)
)
_NONE, _ONE, _HIGH, _LOW = (np.float32(v) for v in (0.0, 1.0, 88.0, -87.0))
_SHIFT, _BIAS = np.int32(23), np.int32(127 << 23)


@overload(exponential, strict=False)  # type: ignore[untyped-decorator, unused-ignore]
def _exponential(x: Any) -> Any:
    if x == types.float64:
        return lambda x: math.exp(x)

    def impl(x: Any) -> Any:
        x = _HIGH if x > _HIGH else x  # NaN stays
        x = _LOW if x < _LOW else x
        shifted = x * _LOG2E + _ROUND
        whole = shifted - _ROUND
        r = x - whole * _LOG2
        r = r - whole * _REST
        p = ((((_P5 * r + _P4) * r + _P3) * r + _P2) * r + _P1) * r + _P0
        return (p * (r * r) + r + _ONE) * real_of((bits_of(shifted) << _SHIFT) + _BIAS)

    return impl


def normal(x: Any, e: Any) -> Any:
    """The share of the normal distribution below x, beside e = exp(−x²/2), within compiled functions."""
    raise NotImplementedError


#: Of the approximation of erfc by Hastings, Approximations for Digital Computers (1955), sheet 45; error below 1.5e-7.
_P, *_A = (
    np.float32(v)
    for v in (0.3275911 / math.sqrt(2), 0.127414796, -0.142248368, 0.7107068705, -0.7265760135, 0.5307027145)
)
_A1, _A2, _A3, _A4, _A5 = _A


@overload(normal, strict=False)  # type: ignore[untyped-decorator, unused-ignore]
def _normal(x: Any, e: Any) -> Any:
    if x == types.float64:
        return lambda x, e: 0.5 * math.erfc(-x * math.sqrt(0.5))  # noqa: ARG005

    def impl(x: Any, e: Any) -> Any:
        t = _ONE / (_ONE + _P * (x if x > _NONE else -x))
        tail = t * (_A1 + t * (_A2 + t * (_A3 + t * (_A4 + t * _A5)))) * e
        return _ONE - tail if x > _NONE else tail

    return impl


@compiled
def log1p(e: Any) -> Any:
    """log(1 + e) for 0 ≤ e ≤ 1, by the series of 2 artanh(e/(2 + e))."""
    kind = type(e)
    s = e / (kind(2) + e)
    q = s * s
    total = kind(0)
    for term in range(17, 0, -1):
        total = total * q + kind(1) / kind(2 * term - 1)
    return kind(2) * s * total
