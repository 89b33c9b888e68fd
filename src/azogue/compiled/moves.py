"""Moves of parameters; see `optimizers` for the formulas."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from azogue.compiled.gates import meet
from azogue.compiled.numbers import compiled
from azogue.formulas import ADAM, CLIP, DECAY, ONE, SGD, THREE, TWO


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
def own(blocks: Any, b: int, member: int, rank: int, ranks: int) -> Any:
    """Where a thread's share of a member's part of a block begins and ends."""
    start, size = blocks[b, 0] + member * blocks[b, 1], blocks[b, 1]
    middle = size if ranks == 1 else size // 32 * 16
    return (start, start + middle) if rank == 0 else (start + middle, start + size)


@compiled
def factor(g: Any, blocks: Any, member: int, clip: float) -> float:
    """What scales a member's gradient down to a norm of `clip`; 1 where it is shorter."""
    total = 0.0
    for b in range(len(blocks)):
        start, stop = own(blocks, b, member, 0, 1)
        for i in range(start, stop):
            total += float(g[i]) * float(g[i])
    return min(1.0, clip / (math.sqrt(total) + 1e-6))


@compiled
def advance(
    kind: int, pace: float, member: int, at: int, rank: int, ranks: int, blocks: Any, buffers: Any, gate: Any
) -> None:
    """Move a member block by block, the `at`-th time behind those that were before, at the rate `pace`.

    Its gradient is the sum of those of all parts of the batch. Several threads take a share of each block.
    """
    how, count, g = buffers.hows[member], buffers.counts[member] + at + 1.0, buffers.gradients[0]
    for part in range(1, len(buffers.gradients)):
        for b in range(len(blocks)):
            start, stop = own(blocks, b, member, rank, ranks)
            for i in range(start, stop):
                g[i] += buffers.gradients[part, i]
    if how[CLIP] > 0.0:
        if ranks > 1:
            meet(gate, rank)
        scale = factor(g, blocks, member, how[CLIP])
        if ranks > 1:
            meet(gate, rank)
        if scale < 1.0:
            for b in range(len(blocks)):
                start, stop = own(blocks, b, member, rank, ranks)
                for i in range(start, stop):
                    g[i] *= g.dtype.type(scale)
    for b in range(len(blocks)):
        start, stop = own(blocks, b, member, rank, ranks)
        p, first, second = buffers.parameters[start:stop], buffers.first[start:stop], buffers.second[start:stop]
        optimize(kind, how, pace, count, p, g[start:stop], first, second, buffers.decayed[start:stop])
