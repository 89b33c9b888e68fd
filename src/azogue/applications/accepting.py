"""Codes drawn from a model of a coded table until enough rows are as they were asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from azogue import autoregression
from azogue.applications.conditioning import Condition
from azogue.applications.constraining import Cells, Constraint
from azogue.modalities.coded import CodedSchema
from azogue.network import Network
from azogue.recipe import Rng

Codes = NDArray[np.int64]
Weights = Mapping[int, NDArray[np.float64]]
#: How many rows are drawn → their codes (n, columns).
Draw = Callable[[int], Codes]

#: Rows that are tried before a condition is given up.
TRIED = 20_000
#: Rows of conditioned columns for each row that is wanted, from which it is drawn; and these rows at least and at most.
PILOTS, LEAST, MOST = 8, 4_000, 400_000
#: Draws from a prior that are decoded at once.
BLOCK = 4096


def chained(
    network: Network,
    schema: CodedSchema,
    n: int,
    weights: Weights,
    rng: np.random.Generator,
    tilt: Mapping[int, torch.Tensor] | None = None,
) -> Codes:
    """Codes drawn column by column, those with weights first.

    Where several columns have weights, rows of these columns alone are drawn first, each counting by the probability
    that its later columns left it with the weights, and taken with probabilities in proportion (Rubin 1987).
    """
    empty = np.full((n, schema.n_columns), -1, np.int64)
    if len(weights) > 1 and n:
        many = int(np.clip(PILOTS * n, LEAST, max(MOST, n)))
        pilots = np.full((many, schema.n_columns), -1, np.int64)
        pilots, mass = autoregression.draw(network, schema, pilots, rng, weights=weights, only=list(weights), tilt=tilt)
        empty = pilots[resampled(mass, n, rng)]
    return autoregression.draw(network, schema, empty, rng, weights=weights, tilt=tilt)[0]


@torch.inference_mode()
def decoded(network: Network, schema: CodedSchema, n: int, weights: Weights, rng: np.random.Generator) -> Codes:
    """Codes drawn each by itself from what the decoder makes of draws from the prior.

    With weights, draws from the prior count by the probability that they leave for what is asked for.
    """
    many = int(np.clip(PILOTS * n, LEAST, max(MOST, n))) if weights and n else n
    made = np.full((many, schema.n_columns), -1, np.int64)
    mass, seed = np.zeros(many), int(rng.integers(2**62))
    for start in range(0, many, BLOCK):
        z = network.code.draw(min(BLOCK, many - start), Rng(seed, step=start))
        rows = slice(start, start + len(z))
        raw = network.decode(z.to(next(network.parameters()).dtype))[1].float()
        for head in network.heads:
            at = head.columns[0]
            bound = None if at not in weights else autoregression.bound(weights[at])
            uniform = torch.from_numpy(rng.random(len(z), np.float32))
            codes, left = autoregression.drawn(raw[:, head.start : head.start + schema.books[at].size], bound, uniform)
            made[rows, at] = codes.numpy()
            if left is not None:
                mass[rows] += left.numpy()
    return made[resampled(mass, n, rng)] if weights and n else made


def resampled(mass: NDArray[np.float64], n: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """`n` places, each in proportion to its probability, given as logs; systematically, so with the least scatter."""
    share = np.exp(mass - mass.max())
    total = np.cumsum(share)
    places = (np.arange(n) + rng.random()) / n * total[-1]
    return rng.permutation(np.minimum(np.searchsorted(total, places, "right"), len(mass) - 1))


def accepted(
    draw: Draw,
    schema: CodedSchema,
    n: int,
    asked: Sequence[Condition],
    constraints: Sequence[Constraint],
    rng: np.random.Generator,
) -> Cells:
    """Values of `n` rows of which all conditions and constraints hold.

    Raises
    ------
    ValueError
        If next to no row is as asked for; it names what fails.
    """
    within = {one.column: one.within(schema) for one in asked}
    found: list[Cells] = []
    kept = tried = 0
    failed = np.zeros(len(asked) + len(constraints), np.int64)
    while kept < n or not found:
        rate = (kept + 1) / (tried + 1) if tried else 1.0
        size = int(min((n - kept) / max(rate, 1e-3) * 1.1 + 8, max(2 * n, TRIED))) if tried else n
        cells = schema.drawn(draw(size), rng, within)
        cells = [schema.settled(at, u) for at, u in enumerate(cells)]
        for constraint in constraints:
            constraint.settle(schema, cells)
        tests = [one.holds(cells[one.column]) for one in asked] + [one.holds(schema, cells) for one in constraints]
        fine = np.logical_and.reduce(tests) if tests else np.ones(size, bool)
        failed += np.array([int((~test).sum()) for test in tests], np.int64) if tests else 0
        places = np.flatnonzero(fine)[: n - kept]
        found.append([u[places] for u in cells])
        kept, tried = kept + len(places), tried + size
        if tried >= TRIED and kept < tried * 1e-3 and kept < n:
            raise ValueError(_given_up(asked, constraints, failed, kept, tried))
    return [np.concatenate([part[at] for part in found]) for at in range(schema.n_columns)]


def _given_up(
    asked: Sequence[Condition], constraints: Sequence[Constraint], failed: NDArray[np.int64], kept: int, tried: int
) -> str:
    worst = int(failed.argmax())
    names = [f"where {one.text}" for one in asked] + [f"constraint {one.text!r}" for one in constraints]
    others = [name for place, name in enumerate(names) if place != worst]
    beside = f", beside {'; '.join(others)}" if others else ""
    return (
        f"sample: {kept} of {tried:,} drawn rows satisfy {names[worst]}{beside}: no row, or next to none, can be as "
        "asked for; widen what is asked"
    )
