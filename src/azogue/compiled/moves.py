"""Moves of parameters; see `optimizers` for the formulas."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from azogue.compiled.numbers import compiled
from azogue.formulas import ADAM, CLIP, DECAY, ONE, SGD, THREE, TWO


@compiled
def limit(g: Any, blocks: Any, member: int, clip: float) -> None:
    """Scale a member's gradient down to a norm of `clip`."""
    total = 0.0
    for b in range(len(blocks)):
        start = blocks[b, 0] + member * blocks[b, 1]
        for i in range(start, start + blocks[b, 1]):
            total += float(g[i]) * float(g[i])
    factor = clip / (math.sqrt(total) + 1e-6)
    if factor < 1.0:
        for b in range(len(blocks)):
            start = blocks[b, 0] + member * blocks[b, 1]
            for i in range(start, start + blocks[b, 1]):
                g[i] *= g.dtype.type(factor)


@compiled
def optimize(kind: int, how: Any, pace: float, count: float, p: Any, g: Any, m: Any, v: Any, decayed: Any) -> None:
    """Move number `count` of a block's parameters, at the rate `pace`; see `optimizers` for the formulas."""
    number = p.dtype.type
    rate, zero = number(pace), number(0)
    if how[DECAY] != 0.0:
        decay = number(pace * how[DECAY])
        for i in range(len(p)):
            p[i] *= number(1) - decay * decayed[i]
    if kind == ADAM:
        _adam(how, pace, count, p, g, m, v)
    elif kind == SGD:
        momentum = number(how[ONE])
        own, rest = (rate, rate * momentum) if how[TWO] else (zero, rate)
        for i in range(len(p)):
            m[i] = momentum * m[i] + g[i]
            p[i] -= own * g[i] + rest * m[i]
    else:
        rho, new, epsilon = number(how[ONE]), number(1.0 - how[ONE]), number(how[TWO])
        for i in range(len(p)):
            m[i] = rho * m[i] + new * g[i] * g[i]
            p[i] -= rate * g[i] / (np.sqrt(m[i]) + epsilon)


@compiled
def _adam(how: Any, pace: float, count: float, p: Any, g: Any, m: Any, v: Any) -> None:
    number = p.dtype.type
    one, two, epsilon = number(how[ONE]), number(how[TWO]), number(how[THREE])
    size = number(pace / (1.0 - how[ONE] ** count))
    root = number(1.0 / math.sqrt(1.0 - how[TWO] ** count))
    fresh, new = number(1.0 - how[ONE]), number(1.0 - how[TWO])
    for i in range(len(p)):
        d = g[i]
        m[i] = one * m[i] + fresh * d
        v[i] = two * v[i] + new * d * d
        p[i] -= size * m[i] / (np.sqrt(v[i]) * root + epsilon)


@compiled
def advance(kind: int, pace: float, member: int, at: int, blocks: Any, buffers: Any) -> None:
    """Move a member block by block, the `at`-th time behind those that were before, at the rate `pace`."""
    how, count = buffers.hows[member], buffers.counts[member] + at + 1.0
    if how[CLIP] > 0.0:
        limit(buffers.gradients, blocks, member, how[CLIP])
    for b in range(len(blocks)):
        start = blocks[b, 0] + member * blocks[b, 1]
        stop = start + blocks[b, 1]
        p, g = buffers.parameters[start:stop], buffers.gradients[start:stop]
        first, second, decayed = buffers.first[start:stop], buffers.second[start:stop], buffers.decayed[start:stop]
        optimize(kind, how, pace, count, p, g, first, second, decayed)
