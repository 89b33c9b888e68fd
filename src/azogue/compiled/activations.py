"""Activations: the value and the derivative φ′ in one go."""

from __future__ import annotations

import math
from typing import Any

from azogue.activations import ALPHA, SCALE
from azogue.compiled.numbers import compiled, exponential, log1p, normal
from azogue.formulas import ELU, GELU, HARD_SIGMOID, RELU, SELU, SIGMOID, SILU, SOFTPLUS, SOFTSIGN, TANH


@compiled
def activate(kind: int, x: Any, y: Any, count: int) -> None:
    """Put φ(x) into `y` and φ′ where `x` was, element by element; `y` may not be `x`."""
    one = x.dtype.type(1)
    zero = x.dtype.type(0)
    if kind == RELU:
        for i in range(count):
            v = x[i]
            y[i] = zero if v <= zero else v
            x[i] = zero if v <= zero else one
    elif kind == SILU:
        for i in range(count):
            v = x[i]
            s = one / (one + exponential(-v))
            y[i] = v * s
            x[i] = s + v * s * (one - s)
    elif kind == TANH:
        for i in range(count):
            v = one - (one + one) / (exponential(x[i] + x[i]) + one)
            y[i] = v
            x[i] = one - v * v
    elif kind == SIGMOID:
        for i in range(count):
            v = one / (one + exponential(-x[i]))
            y[i] = v
            x[i] = v * (one - v)
    elif kind in (ELU, SELU):
        _exponential_units(kind, x, y, count)
    else:
        _rarer(kind, x, y, count)


@compiled
def _exponential_units(kind: int, x: Any, y: Any, count: int) -> None:
    zero, one = x.dtype.type(0), x.dtype.type(1)
    scale = x.dtype.type(SCALE) if kind == SELU else one
    below = x.dtype.type(SCALE * ALPHA) if kind == SELU else one
    for i in range(count):
        v = x[i]
        e = below * exponential(zero if v > zero else v)
        y[i] = scale * v if v > zero else e - below
        x[i] = scale if v > zero else e


@compiled
def _rarer(kind: int, x: Any, y: Any, count: int) -> None:
    zero, one, half = x.dtype.type(0), x.dtype.type(1), x.dtype.type(0.5)
    if kind == SOFTPLUS:
        far = x.dtype.type(20)
        for i in range(count):
            v = x[i]
            e = exponential(v if v < zero else -v)
            s = one / (one + e)
            positive = (v if v > zero else zero) + log1p(e)
            y[i] = v if v > far else positive
            x[i] = one if v > far else (s if v > zero else one - s)
    elif kind == SOFTSIGN:
        for i in range(count):
            v = x[i]
            near = one / (one + (v if v > zero else -v))
            y[i] = v * near
            x[i] = near * near
    elif kind == GELU:
        peak = x.dtype.type(1 / math.sqrt(2 * math.pi))
        for i in range(count):
            v = x[i]
            e = exponential(-half * v * v)
            below = normal(v, e)
            y[i] = v * below
            x[i] = below + v * peak * e
    elif kind == HARD_SIGMOID:
        six = x.dtype.type(6)
        for i in range(count):
            v = x[i] / six + half
            x[i] = one / six if zero < v < one else zero
            y[i] = zero if v < zero else (one if v > one else v)
