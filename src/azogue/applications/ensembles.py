"""Ensembles of small autoencoders, each of its own rows, and the two things that they say of a row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter
from sklearn.base import clone

from azogue.autoencoder import Autoencoder
from azogue.inference import column_weights, kept, observed_mean
from azogue.layers import Dense, Input, Output
from azogue.populations import Packed, fit_together, seen
from azogue.recipe import Batch

#: Rows of a batch, and the remembered codes that a row is compared with, the nearest ones.
BATCH, NEAREST = 64, 2
#: Steps of a linear network of signals, about.
SLOW = 3000


@dataclass(frozen=True)
class Size:
    """How many members, the random rows and steps of each, and how many of its rows' codes it remembers."""

    members: int
    rows: int
    steps: int
    remembered: int


#: For training rows with anomalies among them, which reach few members of few rows; for rows that are all usual.
CONTAMINATED, NOVELTY = Size(32, 256, 120, 32), Size(12, 1024, 2000, 1024)


def default_member(width: int, rows: int, steps: int, **settings: Any) -> Autoencoder:
    """One layer each way, with a code of half the packed width, at least 16 and at most 64 units.

    Parameters
    ----------
    width : int
        Numbers of a packed row.
    rows, steps : int
        That a member trains on, and for, about.
    settings : parameters of `Autoencoder`
    """
    return Autoencoder(
        Input() + Dense(min(max(width // 2, 16), 64), "tanh") + Output(),
        epochs=math.ceil(steps / math.ceil(rows / BATCH)),
        batch_size=BATCH,
        learning_rate=1e-2,
        validation_fraction=0.0,
        patience=None,
        precision="float32",
        **settings,
    )


def linear_member(units: int, epochs: int, rate: float, **settings: Any) -> Autoencoder:
    """A linear code: for pictures of one scene and windows of a signal, whose usual ones differ in few directions."""
    return Autoencoder(
        Input() + Dense(units) + Output(),
        epochs=epochs,
        batch_size=BATCH,
        learning_rate=rate,
        validation_fraction=0.0,
        patience=None,
        precision="float32",
        **settings,
    )


def spanning(packed: Packed, share: float = 0.95, most: int = 2000) -> int:
    """How many directions hold this share of the variance of packed rows, or of `most` evenly spaced ones."""
    x = packed.take(np.unique(np.linspace(0, len(packed) - 1, min(len(packed), most)).astype(int))).x.double().numpy()
    powers = np.square(np.linalg.svd(x - x.mean(axis=0), compute_uv=False))
    if powers.sum() == 0:
        return 1
    return int(np.searchsorted(np.cumsum(powers) / powers.sum(), share)) + 1


def heat(residuals: np.ndarray) -> np.ndarray:
    """How unlike its reconstruction a picture is around each pixel, (n, h, w).

    Light that changes slowly over the picture is taken off: the residual less its own blur (σ a sixteenth of the
    shorter side), squared, the mean over the channels, and blurred (σ a thirty-second).

    Parameters
    ----------
    residuals : ndarray, shape (n, h, w, c)
        NaN where nothing was observed.
    """
    filled = np.nan_to_num(residuals, posinf=np.inf, neginf=-np.inf)
    side = min(residuals.shape[1:3])
    slow = gaussian_filter(filled, sigma=(0, side / 16, side / 16, 0))
    return np.asarray(gaussian_filter(np.square(filled - slow).mean(axis=-1), sigma=(0, side / 32, side / 32)))


def fit_members(
    member: Autoencoder, packed: Packed, rows: np.ndarray, size: Size, rng: np.random.Generator
) -> tuple[list[Autoencoder], dict[str, np.ndarray]]:
    """Clones of one autoencoder, each fitted on random ones of the rows, and what it remembers of them.

    Parameters
    ----------
    member : Autoencoder
        Unfitted.
    packed : Packed
    rows : ndarray of int
        Which rows of the packed ones may be drawn.
    size : Size
    rng : numpy generator
    """
    chosen = [rng.permutation(rows)[: size.rows] for _ in range(size.members)]
    members = [clone(member).set_params(random_state=int(rng.integers(2**31 - 1))) for _ in chosen]
    fit_together(members, packed, rows=chosen)
    pairs = [pair for pair in zip(members, chosen, strict=True) if hasattr(pair[0], "network_")]
    known = [packed.codes(made, own[: size.remembered]) for made, own in pairs]
    return [made for made, _ in pairs], remembered(np.stack(known))


def remembered(codes: np.ndarray) -> dict[str, np.ndarray]:
    """What is kept of the members' own codes (members, k, units): each over its unit's spread, and that spread."""
    spread = codes.std(axis=1, keepdims=True)
    spread = np.where(spread > 0, spread, 1.0)
    return {"codes": codes / spread, "spread": spread}


def distances(codes: np.ndarray, held: np.ndarray) -> np.ndarray:
    """Mean distance (n,) of codes (n, units) to the nearest ones of those held (k, units) but for the very nearest.

    A row that is itself remembered would find itself; so nobody counts the nearest, and the rows of the training data
    have no advantage over others.
    """
    square = np.square(codes).sum(1)[:, None] - 2 * codes @ held.T + np.square(held).sum(1)
    first = min(1, len(held) - 1)
    last = min(first + NEAREST, len(held))
    near = np.partition(square, list(range(last)), axis=1)[:, first:last]
    return np.asarray(np.sqrt(np.maximum(near, 0.0)).mean(axis=1))


def usual(autoencoder: Autoencoder, by_column: bool) -> np.ndarray:
    """What each column's error is divided by: its own usual error, or the mean of all columns'."""
    scale: np.ndarray = kept(autoencoder, "error_profile_")["column_scale"]
    if by_column:
        return scale
    return np.full(len(scale), float(np.average(scale, weights=weights_of(autoencoder))))


def weights_of(autoencoder: Autoencoder) -> np.ndarray:
    """Each column's weight in a row's error."""
    return column_weights(autoencoder.schema_.heads, autoencoder.n_features_in_)


@dataclass(frozen=True)
class Look:
    """What an ensemble says of some rows.

    Parameters
    ----------
    cells : ndarray, shape (k, columns)
        Each cell's error over what is usual, the members' mean; NaN where it is missing.
    errors : ndarray, shape (members, k)
    distances : ndarray, shape (members, k), or None
    """

    cells: np.ndarray
    errors: np.ndarray
    distances: np.ndarray | None


def look(members: Sequence[Autoencoder], piece: Batch, by_column: bool, memories: dict[str, np.ndarray]) -> Look:
    """What an ensemble says of packed rows; no distances without memories."""
    found = seen(members, piece)
    scales = [usual(member, by_column) for member in members]
    cells = [part / scale for (part, _), scale in zip(found, scales, strict=True)]
    errors = np.stack([observed_mean(part, weights_of(members[0])) for part in cells])
    if not memories:
        return Look(np.mean(cells, axis=0), errors, None)
    known = zip(found, memories["codes"], memories["spread"], strict=True)
    far = np.stack([distances(codes / spread, held) for (_, codes), held, spread in known])
    return Look(np.mean(cells, axis=0), errors, far)
