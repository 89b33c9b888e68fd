"""From what a network makes of rows to rows that can be released: noise, drawn categories, the usual values."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from azogue.modalities import schema_from_dict
from azogue.modalities.base import Schema
from azogue.recipe import Batch

#: Quantiles that are kept of each number, and the share of one value from which a column keeps to values it had.
LEVELS, ATOM = 1001, 0.05

Floats = NDArray[np.float32]


def drawn(out: Floats, schema: Schema, noise: float, rng: np.random.Generator) -> Floats:
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
    x = batch.x.numpy()
    seen = np.ones(x.shape, dtype=bool) if batch.mask is None else batch.mask.numpy()
    there = [slot for slot in slots.tolist() if seen[:, slot].sum() > 1]
    atoms = [np.unique(x[seen[:, s], s], return_counts=True)[1].max() >= ATOM * seen[:, s].sum() for s in there]
    return {
        "slots": np.array(there, dtype=np.int64),
        "made": np.array([np.quantile(made[seen[:, s], s], levels) for s in there]).reshape(-1, LEVELS),
        "real": np.array([np.quantile(x[seen[:, s], s], levels) for s in there]).reshape(-1, LEVELS),
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


def assembled(
    out: Floats, batch: Batch, part: Schema, whole: dict[str, Any], columns: list[int], pool: dict[str, NDArray[Any]],
    rng: np.random.Generator,
) -> tuple[Schema, Batch]:  # fmt: skip
    """Packed rows of the whole table: columns of `part` as they were made, the others drawn from the pool.

    Parameters
    ----------
    out : ndarray, shape (n, width of part)
    batch : Batch
        The rows as they came, packed by `part`.
    whole : dict
        The whole table's schema.
    columns : list of int
        The columns that `part` does not have.
    pool : dict of ndarray
        `x` and `mask` of these columns' slots in training rows.
    """
    schema: Any = schema_from_dict(whole)
    own = ~np.isin(schema.slot_columns, columns)
    rows = rng.integers(len(pool["x"]), size=len(out))
    x = np.zeros((len(out), schema.width), dtype=np.float32)
    mask = np.ones(x.shape, dtype=bool)
    x[:, own], x[:, ~own] = out, pool["x"][rows]
    if batch.mask is not None:
        mask[:, own] = batch.mask.numpy()
    mask[:, ~own] = pool["mask"][rows]
    return schema, Batch(torch.from_numpy(x), torch.from_numpy(mask), batch.rows)
