"""Whole steps of a population, and its losses on rows that are held out, by one thread or two.

Whoever comes back leaves nothing undone: threads meet at the end.

A batch is one part or two, as `Tables.parts` says, whatever computes them: the gradient is the sum of the parts', so
that bits do not depend on threads. Two threads share out members where there are several, else the parts of the batch.
"""

from __future__ import annotations

from typing import Any

from azogue.compiled.gates import meet
from azogue.compiled.losses import losses, shares_of
from azogue.compiled.moves import advance
from azogue.compiled.numbers import compiled
from azogue.compiled.passes import backward, forward, load
from azogue.formulas import BACK, INPUT, UNITS


@compiled
def through(
    where: Any, of: int, member: int, tables: Any, work: Any, parameters: Any, x: Any, seen: Any, mask: Any
) -> Any:
    """One pass of a member over rows of a batch `of` so many, up to the derivative by the raw output; its loss."""
    plan, layers, details, weights, n = tables.plan, tables.layers, tables.details, tables.weights, len(where)
    width, columns, slots, number = x.shape[2], len(weights), layers[-2, UNITS], work.dtype.type
    at, last = layers[0, INPUT], layers[-1]
    start = work[at : at + width * n].reshape(width, n)
    target = work[plan[0] : plan[0] + width * n].reshape(width, n) if len(seen) else start
    shares = work[plan[1] : plan[1] + columns * n].reshape(columns, n)
    rows, aside = work[plan[2] : plan[2] + n], work[plan[3] : plan[3] + 3 * n].reshape(3, n)
    raw = work[last[INPUT] : last[INPUT] + slots * n].reshape(slots, n)
    delta = work[last[BACK] : last[BACK] + slots * n].reshape(slots, n)
    load(x[min(member, len(x) - 1)], where, target)
    if len(seen):
        load(seen[min(member, len(seen) - 1)], where, start)
    if len(mask):
        counted = mask[min(member, len(mask) - 1)]
        shares_of(counted, where, weights, tables.firsts, number(details[-1] / of), shares)
    else:
        for c in range(columns):
            shares[c] = weights[c] * number(details[-2] / of)
    forward(layers, member, parameters, work, n)
    losses(tables.heads, details, target, raw, delta, aside, shares, rows)
    total = 0.0
    for r in range(n):
        total += float(rows[r])
    return total / details[-1]


@compiled
def pulled(
    part: int, size: int, at: int, member: int, tables: Any, work: Any, spare: Any, buffers: Any, x: Any, where: Any,
    seen: Any, mask: Any,
) -> Any:  # fmt: skip
    """A member's gradient over a part of batch number `at`, and its loss there."""
    begin, own = at * size, where[min(member, len(where) - 1)]
    n = min(size, len(own) - begin)
    middle = n if tables.parts == 1 else min(n, (n + 63) // 64 * 32)
    first, last = (begin, begin + middle) if part == 0 else (begin + middle, begin + n)
    gradients = buffers.gradients[part]
    if first == last:
        for b in range(len(tables.blocks)):
            start = tables.blocks[b, 0] + member * tables.blocks[b, 1]
            gradients[start : start + tables.blocks[b, 1]] = gradients.dtype.type(0)
        return 0.0
    loss = through(own[first:last], n, member, tables, work, buffers.parameters, x, seen, mask)
    backward(tables.layers, member, buffers.parameters, gradients, work, spare, last - first)
    return loss


@compiled
def steps(
    rank: int, ranks: int, gate: Any, size: int, rates: Any, kind: int, tables: Any, buffers: Any, x: Any, where: Any,
    seen: Any, mask: Any, told: Any,
) -> None:  # fmt: skip
    """Move members by one batch after the other, and tell each one's mean loss before each move, as sum of parts.

    Parameters
    ----------
    rank, ranks : int
        Which of how many threads this is.
    gate : array
        See `gates`.
    size : int
        Rows of a batch; the last one has those that are left.
    rates : array, shape (steps, members)
        Learning rates.
    kind : int
        The optimiser.
    tables, buffers : formulas.Tables, formulas.Buffers
    x : array, shape (members or 1, rows, width)
        What is to be reproduced.
    where : array of int, shape (members or 1, rows of all steps)
        Which rows a member takes one after the other.
    seen, mask : arrays
        What the encoder sees, and what counts, like x, or empty.
    told : array, shape (parts, steps, members)
    """
    work, spare, blocks = tables.work[rank], tables.spare[rank], tables.blocks
    if rates.shape[1] > 1 or tables.parts == 1 or ranks == 1:
        for member in range(rank, rates.shape[1], ranks):
            for at in range(len(rates)):
                for part in range(tables.parts):
                    loss = pulled(part, size, at, member, tables, work, spare, buffers, x, where, seen, mask)
                    told[part, at, member] = loss
                advance(kind, rates[at, member], member, at, 0, 1, blocks, buffers, gate)
        if ranks > 1:
            meet(gate, rank)
        return
    for at in range(len(rates)):
        told[rank, at, 0] = pulled(rank, size, at, 0, tables, work, spare, buffers, x, where, seen, mask)
        if not meet(gate, rank):
            return
        advance(kind, rates[at, 0], 0, at, rank, ranks, blocks, buffers, gate)
        if not meet(gate, rank):
            return


@compiled
def judge(
    rank: int, ranks: int, gate: Any, size: int, tables: Any, parameters: Any, x: Any, where: Any, mask: Any, told: Any
) -> None:
    """The summed losses of each member's blocks of at most `size` rows, (members, blocks); see `steps`."""
    members, blocks = told.shape
    for number in range(rank, members * blocks, ranks):
        member, block = number // blocks, number % blocks
        own = where[min(member, len(where) - 1)][block * size : (block + 1) * size]
        loss = through(own, len(own), member, tables, tables.work[rank], parameters, x, x[0:0], mask)
        told[member, block] = len(own) * loss
    if ranks > 1:
        meet(gate, rank)
