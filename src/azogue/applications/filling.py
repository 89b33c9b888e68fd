"""What networks that see which cells are missing say of the others: expectations, and honest errors of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from sklearn.base import clone

from azogue.autoencoder import Autoencoder
from azogue.corruptions import Hiding
from azogue.layers import Dense, Input, Output
from azogue.modalities import Table, TableSchema, hats
from azogue.optimizers import Cosine
from azogue.populations import Packed, fit_together, reflected, without
from azogue.recipe import Batch

#: Knots of a number's hats, and the largest part of a row's cells that training hides.
KNOTS, MOST = 12, 0.8
#: Rows of a step, and steps of training, about.
BATCH, STEPS = 128, 3000
#: Rows that tell how far networks differ.
SOME = 500
#: How the warning begins that tells columns which stay empty.
EMPTY = "columns without any value stay empty"


def default_member(rows: int, scaling: str, weights: Any = None, cascade: int = 1) -> Autoencoder:
    """A network that sees which cells are missing, and learns to tell hidden cells from the others.

    Parameters
    ----------
    rows : int
        That it trains on.
    scaling : str
    weights : see `Table`
    cascade : see `Output`
    """
    return Autoencoder(
        Input() + Dense(256, "silu") + Dense(64, "silu") + Dense(256, "silu") + Output(cascade=cascade),
        corruption=Hiding(0.0, MOST),
        modality=Table(scaling, weights, knots=KNOTS),
        epochs=max(20, STEPS // math.ceil(0.9 * rows / BATCH)),
        batch_size=BATCH,
        learning_rate=Cosine(2e-3, warmup=0.1),
        weight_decay=1e-4,
        patience=20,
        precision="float32",
    )


def folds_of(rows: int, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Disjoint sets of as many rows each; a few rows may be in none."""
    order, size = rng.permutation(rows), rows // count
    return [np.sort(order[at * size : (at + 1) * size]) for at in range(count)]


def fit_members(
    member: Autoencoder, packed: Packed, folds: Sequence[np.ndarray], rng: np.random.Generator
) -> list[Autoencoder]:
    """A clone of the autoencoder for each fold, fitted on all rows but those of the fold; one on all without folds."""
    members = [
        clone(member).set_params(random_state=int(rng.integers(2**31 - 1)), callbacks=())
        for _ in range(len(folds) or 1)
    ]
    every = np.arange(len(packed))
    fit_together(members, packed, rows=[np.setdiff1d(every, fold) for fold in folds] or [every])
    return [made for made in members if hasattr(made, "network_")]


def slots_of(schema: TableSchema) -> dict[int, np.ndarray]:
    """For each column with values, the slots of the output that say something of it."""
    owner, values = schema.slot_columns, set(schema.value_slots.tolist())
    found = {column: np.flatnonzero(owner == column) for column in range(schema.n_columns)}
    return {column: slots[:1] if slots[0] in values else slots for column, slots in found.items() if len(slots)}


def spelled(batch: Batch) -> Batch:
    """The same rows, the mask spelled out."""
    mask = torch.ones_like(batch.x, dtype=torch.bool) if batch.mask is None else batch.mask
    return Batch(batch.x, mask, batch.rows)


def completed(batch: Batch, out: np.ndarray) -> np.ndarray:
    """What was observed, and what is expected where nothing was."""
    return batch.x.numpy() if batch.mask is None else np.where(batch.mask.numpy(), batch.x.numpy(), out)


def honest(
    members: Sequence[Autoencoder], folds: Sequence[np.ndarray], batch: Batch, schema: TableSchema, column: int
) -> tuple[np.ndarray, np.ndarray]:
    """What is expected of rows whose column is hidden, each by the network that never saw the row.

    Returns
    -------
    out, filled : ndarray, shape (n, width)
        NaN for rows of no fold; the other cells as they were observed, or as they are expected without the column.
    """
    hidden = without(batch, schema, column)
    if not folds:
        out = reflected(members, hidden)
        return out, completed(hidden, out)
    out = np.full(tuple(batch.x.shape), np.nan, np.float32)
    for member, fold in zip(members, folds, strict=True):
        out[fold] = reflected([member], hidden.take(torch.from_numpy(fold)))
    return out, completed(hidden, out)


def scatter(
    members: Sequence[Autoencoder], batch: Batch, schema: TableSchema, column: int, rng: np.random.Generator
) -> np.ndarray:
    """By how much the variance of one network's expectation is above that of the mean over all, for each slot."""
    own, count = slots_of(schema)[column], len(members)
    if count == 1:
        return np.zeros(len(own))
    some = batch.take(torch.from_numpy(np.sort(rng.permutation(len(batch))[:SOME])))
    hidden = without(some, schema, column)
    told = np.stack([reflected([member], hidden)[:, own] for member in members])
    return np.asarray((1.0 - 1.0 / count) * told.var(axis=0, ddof=1).mean(axis=0))


def put(schema: TableSchema, x: np.ndarray, rows: np.ndarray, column: int, values: np.ndarray) -> None:
    """Write cells into packed rows as if they had been observed.

    Parameters
    ----------
    x : ndarray of float32, shape (n, width)
        Changed in place.
    rows : ndarray of int, shape (k,)
    column : int
    values : ndarray, shape (k, slots)
        A scaled value, or a one-hot block.
    """
    slots = np.flatnonzero(schema.slot_columns == column)
    x[np.ix_(rows, slots)] = 0.0
    x[np.ix_(rows, slots[: values.shape[1]])] = values
    dense = schema.value_slots.tolist()
    if schema.knots is None or slots[0] not in dense:
        return
    at = dense.index(slots[0])
    if at >= len(schema.knots):
        x[rows, slots[1]] = 1.0
        return
    spread = np.zeros((len(rows), len(slots) - 1), np.float32)
    hats.fill(values[:, 0].astype(np.float64), schema.knots[at], spread)
    x[np.ix_(rows, slots[1:])] = spread
