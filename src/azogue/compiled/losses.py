"""Losses of rows and their derivatives by the decoder's raw output, column by column."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from azogue.compiled.activations import activate
from azogue.compiled.numbers import compiled, exponential, log1p
from azogue.formulas import ABSOLUTE, BERNOULLI, CATEGORICAL, CELLS, COUNT, FIRST, HUBER, LINK, LOSS, OWN, SQUARED


@compiled
def shares_of(mask: Any, where: Any, weights: Any, firsts: Any, scale: Any, shares: Any) -> None:
    """What each column counts for some rows (columns, rows): its weight, where it is observed, of all that are."""
    columns, rows = shares.shape
    zero, tiny = weights.dtype.type(0), np.finfo(weights.dtype).tiny
    for r in range(rows):
        total = zero
        for c in range(columns):
            kept = weights[c] if mask[where[r], firsts[c]] else zero
            shares[c, r] = kept
            total += kept
        factor = scale / (total if total > tiny else tiny)
        for c in range(columns):
            shares[c, r] *= factor


@compiled
def losses(heads: Any, details: Any, x: Any, raw: Any, delta: Any, spare: Any, shares: Any, rows: Any) -> None:
    """`delta` ← the derivatives by `raw`, and `rows` ← each row's loss; all (slots or columns, rows)."""
    slopes = spare[0]
    rows[:] = rows.dtype.type(0)
    column = 0
    for h in range(len(heads)):
        first, count, cells, own = heads[h, FIRST], heads[h, COUNT], heads[h, CELLS], heads[h, OWN]
        kind, link = heads[h, LOSS], heads[h, LINK]
        detail = x.dtype.type(details[h])
        for c in range(count):
            slot = first + c * cells
            share = shares[column]
            column += 1
            if kind == CATEGORICAL:
                _categorical(x[slot : slot + own], raw[slot : slot + own], delta[slot : slot + own], share, rows, spare)
            elif kind == BERNOULLI:
                _bernoulli(x[slot], raw[slot], delta[slot], share, rows)
            else:
                out = raw[slot]
                if link:
                    slopes[:] = raw[slot]
                    out = delta[slot]
                    activate(link, slopes, out, len(out))
                _distance(kind, detail, x[slot], out, delta[slot], share, rows)
                if link:
                    for r in range(len(slopes)):
                        delta[slot, r] *= slopes[r]
            for s in range(slot + own, slot + cells):
                delta[s] = x.dtype.type(0)


@compiled
def _distance(kind: int, detail: Any, x: Any, out: Any, delta: Any, share: Any, rows: Any) -> None:
    """Distances of one slot; `delta` may be `out`."""
    zero, one, half = x.dtype.type(0), x.dtype.type(1), x.dtype.type(0.5)
    if kind == SQUARED:
        for r in range(len(rows)):
            d = out[r] - x[r]
            part = share[r] * d
            rows[r] += part * d
            delta[r] = part + part
    elif kind == ABSOLUTE:
        for r in range(len(rows)):
            d = out[r] - x[r]
            sign = one if d > zero else (-one if d < zero else d)
            rows[r] += share[r] * (d * sign)
            delta[r] = share[r] * sign
    elif kind == HUBER:
        for r in range(len(rows)):
            d = out[r] - x[r]
            near = detail if d > detail else (-detail if d < -detail else d)
            rows[r] += share[r] * near * (d - half * near)
            delta[r] = share[r] * near


@compiled
def _bernoulli(x: Any, raw: Any, delta: Any, share: Any, rows: Any) -> None:
    """Cross-entropy of a fraction, from its logit; see `heads.Bernoulli` for values beyond [0, 1]."""
    zero, one = x.dtype.type(0), x.dtype.type(1)
    for r in range(len(rows)):
        v, target = raw[r], x[r]
        inside = zero if target < zero else (one if target > one else target)
        beyond = target - inside
        e = exponential(v if v < zero else -v)
        s = one / (one + e)
        rows[r] += share[r] * ((v if v > zero else zero) + log1p(e) - v * inside + beyond * beyond)
        delta[r] = share[r] * ((s if v > zero else one - s) - inside)


@compiled
def _categorical(x: Any, raw: Any, delta: Any, share: Any, rows: Any, spare: Any) -> None:
    """Cross-entropy of one column's categories, (categories, rows), from their logits; `spare` is (3, rows)."""
    top, total, wanted = spare[0], spare[1], spare[2]
    top[:] = raw[0]
    total[:] = x.dtype.type(0)
    wanted[:] = x.dtype.type(0)
    for s in range(1, len(x)):
        for r in range(len(rows)):
            top[r] = raw[s, r] if raw[s, r] > top[r] else top[r]
    for s in range(len(x)):
        for r in range(len(rows)):
            far = raw[s, r] - top[r]
            e = exponential(far)
            delta[s, r] = e
            total[r] += e
            wanted[r] += x[s, r]
            rows[r] -= share[r] * x[s, r] * far
    for r in range(len(rows)):
        rows[r] += share[r] * wanted[r] * x.dtype.type(math.log(total[r]))
        top[r] = wanted[r] / total[r]
    for s in range(len(x)):
        for r in range(len(rows)):
            delta[s, r] = share[r] * (delta[s, r] * top[r] - x[s, r])
