"""Whole steps of a population, and its losses on rows that are held out."""

from __future__ import annotations

from typing import Any

from azogue.compiled.losses import losses, shares_of
from azogue.compiled.moves import advance
from azogue.compiled.numbers import compiled
from azogue.compiled.passes import backward, forward, load
from azogue.formulas import BACK, INPUT, UNITS


@compiled
def through(begin: int, n: int, member: int, tables: Any, parameters: Any, x: Any, seen: Any, mask: Any) -> Any:
    """One pass of a member over n rows, up to the derivative by the raw output; its mean loss."""
    plan, layers, details, weights, work = tables.plan, tables.layers, tables.details, tables.weights, tables.work
    width, columns, slots, number = x.shape[2], len(weights), layers[-2, UNITS], work.dtype.type
    at, last = layers[0, INPUT], layers[-1]
    start = work[at : at + width * n].reshape(width, n)
    target = work[plan[0] : plan[0] + width * n].reshape(width, n) if len(seen) else start
    shares = work[plan[1] : plan[1] + columns * n].reshape(columns, n)
    rows, aside = work[plan[2] : plan[2] + n], work[plan[3] : plan[3] + 3 * n].reshape(3, n)
    raw = work[last[INPUT] : last[INPUT] + slots * n].reshape(slots, n)
    delta = work[last[BACK] : last[BACK] + slots * n].reshape(slots, n)
    load(x[member, begin : begin + n], target)
    if len(seen):
        load(seen[member, begin : begin + n], start)
    if len(mask):
        shares_of(mask[member, begin : begin + n], weights, tables.firsts, number(details[-1] / n), shares)
    else:
        for c in range(columns):
            shares[c] = weights[c] * number(details[-2] / n)
    forward(layers, member, parameters, work, n)
    losses(tables.heads, details, target, raw, delta, aside, shares, rows)
    total = 0.0
    for r in range(n):
        total += float(rows[r])
    return total / details[-1]


@compiled
def steps(size: int, rates: Any, kind: int, tables: Any, buffers: Any, x: Any, seen: Any, mask: Any, told: Any) -> None:
    """Move every member by one batch after the other, and tell each one's mean loss before each move.

    Parameters
    ----------
    size : int
        Rows of a batch; the last one has those that are left.
    rates : array, shape (steps, members)
        Learning rates.
    kind : int
        The optimiser.
    tables, buffers : formulas.Tables, formulas.Buffers
    x, seen, mask : arrays, shape (members, rows of all steps, width)
        What is to be reproduced, what the encoder sees, what counts; the last two may be empty.
    told : array, shape (steps, members)
    """
    for at in range(len(rates)):
        begin = at * size
        n = min(size, x.shape[1] - begin)
        for member in range(len(x)):
            told[at, member] = through(begin, n, member, tables, buffers.parameters, x, seen, mask)
            backward(tables.layers, member, buffers.parameters, buffers.gradients, tables.work, tables.spare, n)
            advance(kind, rates[at, member], member, at, tables.blocks, buffers)


@compiled
def judge(size: int, tables: Any, parameters: Any, x: Any, mask: Any, told: Any) -> None:
    """Each member's mean loss over rows (members, n, width), at most `size` at a time."""
    for member in range(len(x)):
        total = 0.0
        for begin in range(0, x.shape[1], size):
            n = min(size, x.shape[1] - begin)
            total += n * through(begin, n, member, tables, parameters, x, x[0:0], mask)
        told[member] = total / x.shape[1]
