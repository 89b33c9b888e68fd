"""From what a network makes of rows to rows that can be released: noise, drawn categories, the usual values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from azogue.modalities.base import Schema
from azogue.recipe import Batch

#: Quantiles that are kept of each number, and the share of one value from which a column keeps to values it had.
LEVELS, ATOM = 1001, 0.05

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Draws:
    """Random numbers that are a function of a row and a seed: the same wherever the row stands, and each time.

    So nobody can average the noise away by asking again.

    Parameters
    ----------
    generators : list of numpy generators
        One a row; see `of_rows`.
    """

    generators: list[np.random.Generator]

    @classmethod
    def of_rows(cls, x: NDArray[Any], seed: int) -> Draws:
        """Of packed rows x (n, width)."""
        key = seed.to_bytes(8, "little")
        digests = (blake2b(row.tobytes(), digest_size=16, key=key).digest() for row in np.ascontiguousarray(x))
        return cls([np.random.Generator(np.random.Philox(key=int.from_bytes(one, "little"))) for one in digests])

    def take(self, rows: Any) -> Draws:
        """Those of some rows, by their positions."""
        return Draws([self.generators[row] for row in rows])

    def normal(self, size: tuple[int, ...]) -> NDArray[np.float64]:
        """Normal numbers, of shape (n, …)."""
        return np.stack([one.normal(size=size[1:]) for one in self.generators]) if self.generators else np.zeros(size)

    def random(self, size: tuple[int, ...]) -> NDArray[np.float64]:
        """Numbers in [0, 1), of shape (n, …)."""
        return np.stack([one.random(size[1:]) for one in self.generators]) if self.generators else np.zeros(size)

    def integers(self, high: int) -> NDArray[np.int64]:
        """A whole number below `high` a row, (n,)."""
        return np.array([one.integers(high) for one in self.generators], dtype=np.int64)


def drawn(out: Floats, schema: Schema, noise: float, rng: Draws | np.random.Generator) -> Floats:
    """Numbers with noise added, categories and booleans drawn by their probabilities.

    Parameters
    ----------
    out : ndarray, shape (n, width)
        The reconstruction in scaled units, probabilities for categories.
    noise : float
        Standard deviation, in scaled units.
    """
    out = out.copy()
    for head in schema.heads:
        part = out[:, head.slots]
        if head.kind == "gaussian":
            out[:, head.slots] = part + noise * rng.normal(size=part.shape)
        elif head.kind == "bernoulli":
            out[:, head.slots] = rng.random(part.shape) < part
        elif head.kind == "categorical":
            below = part.cumsum(1)
            chosen = (below < rng.random((len(part), 1)) * below[:, -1:]).sum(1)
            out[:, head.slots] = np.eye(part.shape[1], dtype=np.float32)[chosen.clip(max=part.shape[1] - 1)]
    return out


def numeric_slots(schema: Schema) -> NDArray[np.intp]:
    """The slots that hold numbers."""
    places = [np.arange(h.slots.start, h.slots.stop) for h in schema.heads if h.kind == "gaussian"]
    return np.concatenate(places).astype(np.intp) if places else np.zeros(0, dtype=np.intp)


def usual(made: Floats, batch: Batch, schema: Schema) -> dict[str, NDArray[Any]]:
    """Quantiles of each number as the network makes it and as it is in the training rows; see `mapped`.

    Parameters
    ----------
    made : ndarray, shape (n, width)
    batch : Batch
        The training rows.
    """
    slots, levels = numeric_slots(schema), np.linspace(0, 1, LEVELS)
    x, known = batch.x.numpy(), seen(batch)
    there = [slot for slot in slots.tolist() if known[:, slot].sum() > 1]
    atoms = [np.unique(x[known[:, s], s], return_counts=True)[1].max() >= ATOM * known[:, s].sum() for s in there]
    return {
        "slots": np.array(there, dtype=np.int64),
        "made": np.array([np.quantile(made[known[:, s], s], levels) for s in there]).reshape(-1, LEVELS),
        "real": np.array([np.quantile(x[known[:, s], s], levels) for s in there]).reshape(-1, LEVELS),
        "atoms": np.array(atoms, dtype=bool),
    }


def mapped(out: Floats, kept: dict[str, NDArray[Any]]) -> Floats:
    """Numbers at the same quantile of the training rows as they have among what the network makes of these.

    So columns keep their distribution: whole numbers, heaps at one value, bounds.
    """
    out = out.copy()
    for slot, made, real, atom in zip(*(kept[name] for name in ("slots", "made", "real", "atoms")), strict=True):
        rank = np.interp(out[:, slot], made + np.arange(LEVELS) * 1e-9, np.arange(LEVELS))
        out[:, slot] = real[np.rint(rank).astype(int)] if atom else np.interp(rank, np.arange(LEVELS), real)
    return out


def seen(batch: Batch) -> NDArray[np.bool_]:
    """Where cells were observed, (n, width)."""
    return np.ones(tuple(batch.x.shape), dtype=bool) if batch.mask is None else batch.mask.numpy()


def assembled(
    made: Batch,
    rest: Batch,
    schema: Any,
    apart: list[int],
    redrawn: list[int],
    pool: dict[str, NDArray[Any]],
    rng: Draws,
) -> Batch:
    """Packed rows of a whole table: most columns as they were made, some drawn from other rows, the rest as they came.

    Parameters
    ----------
    made : Batch
        The columns but those of `apart`.
    rest : Batch
        The columns but those of `redrawn`, as they came.
    schema : TableSchema
        Of the whole table.
    apart, redrawn : list of int
        Columns that were not made, and those of them that are drawn.
    pool : dict of ndarray
        `x` and `mask` of the latter's slots in training rows.
    """
    own, other = ~np.isin(schema.slot_columns, apart), np.isin(schema.slot_columns, redrawn)
    chosen = rng.integers(len(pool["x"]))
    x = np.zeros((len(rest), schema.width), dtype=np.float32)
    mask = np.ones(x.shape, dtype=bool)
    x[:, ~other], mask[:, ~other] = rest.x.numpy(), seen(rest)
    x[:, own], mask[:, own] = made.x.numpy(), seen(made)
    x[:, other], mask[:, other] = pool["x"][chosen], pool["mask"][chosen]
    rows: Any = rest.rows
    return Batch(torch.from_numpy(x), torch.from_numpy(mask), None if rows is None else replace(rows, axis=None))
