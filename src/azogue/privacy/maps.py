"""Maps from known pairs: what an attacker learns from a few (record, released row) pairs, and how it would have done.

Each map predicts new rows, and keeps `.left_out`: its predictions of the pairs themselves by all other pairs. The
attacker chooses by these, so that what is measured on other rows is not the best of several tries.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from azogue.privacy.space import Numbers, nearest, pieces

#: Ridge penalties, in units of the mean squared singular value.
PENALTIES = np.logspace(-6, 4, 21)
#: Widths of kernels, in parts of the median squared distance, and pairs from which a kernel takes too long.
WIDTHS, MOST = (0.3, 1.0, 3.0), 1000
#: Numbers of neighbours that are tried.
NEIGHBORS = 1, 3, 5, 10, 20
#: Parts of the pairs, each of which the network is trained without, and components that it predicts.
FOLDS, COMPONENTS = 3, 64


@dataclass(frozen=True, eq=False)
class Learned:
    """A map that was learned from pairs.

    Parameters
    ----------
    predict : callable
        Rows → what they map to.
    left_out : ndarray, shape (pairs, d)
        Each pair as predicted without it.
    """

    predict: Callable[[Numbers], Numbers]
    left_out: Numbers


def mean(a: Numbers, b: Numbers) -> Learned:
    """The mean of the known rows, whatever is asked."""
    middle = b.mean(axis=0)
    others = (b.sum(axis=0) - b) / max(len(b) - 1, 1)
    return Learned(lambda new: np.tile(middle, (len(new), 1)), others)


def ridge(a: Numbers, b: Numbers) -> Learned:
    r"""Ridge regression `b ≈ a W + c`; its penalty has the least error when each pair is left out.

    Leaving a pair out takes no second fit: its residual is `r_i / (1 − h_i)`, with the leverage `h_i`.
    """
    middle, target = a.mean(axis=0), b.mean(axis=0)
    u, s, vt = np.linalg.svd(a - middle, full_matrices=False)
    inside = u.T @ (b - target)
    unit = max(float(np.square(s).mean()), 1e-12)
    best: tuple[float, Any, Any] | None = None
    for penalty in unit * PENALTIES:
        shrink = s**2 / (s**2 + penalty)
        lever = 1.0 / len(a) + np.square(u) @ shrink
        residuals = (b - target - u @ (shrink[:, None] * inside)) / np.maximum(1.0 - lever, 1e-6)[:, None]
        error = float(np.square(residuals).sum())
        if best is None or error < best[0]:
            best = error, s / (s**2 + penalty), b - residuals
    assert best is not None
    weights = vt.T @ (best[1][:, None] * inside)
    return Learned(lambda new: (new - middle) @ weights + target, best[2])


def kernel(a: Numbers, b: Numbers) -> Learned:
    r"""Ridge regression with a Gaussian kernel of standardised rows, `exp(−d² / 2wm)`, m the median squared distance.

    Width w and penalty have the least error when each pair is left out, by the leverages as in `ridge`.
    """
    center, scale, middle = a.mean(axis=0), a.std(axis=0), b.mean(axis=0)
    scale = np.where(scale > 1e-9, scale, 1.0)
    known = (a - center) / scale

    def squares(new: Numbers) -> Numbers:
        return np.concatenate([found for _, found in pieces((new - center) / scale, known)])

    apart = squares(a)
    unit = float(np.median(apart)) or 1.0
    best: tuple[float, float, Any, Any] | None = None
    for width in WIDTHS:
        values, vectors = np.linalg.eigh(np.exp(-apart / (2 * width * unit)))
        values = np.maximum(values, 0.0)
        inside = vectors.T @ (b - middle)
        for penalty in max(float(values.mean()), 1e-12) * PENALTIES:
            shrink = values / (values + penalty)
            lever = 1.0 / len(a) + np.square(vectors) @ shrink
            residuals = (b - middle - vectors @ (shrink[:, None] * inside)) / np.maximum(1.0 - lever, 1e-6)[:, None]
            error = float(np.square(residuals).sum())
            if best is None or error < best[0]:
                best = error, width, vectors @ (inside / (values + penalty)[:, None]), b - residuals
    assert best is not None
    _, width, weights, left_out = best
    return Learned(lambda new: np.exp(-squares(new) / (2 * width * unit)) @ weights + middle, left_out)


def neighbors(a: Numbers, b: Numbers) -> Learned:
    """The mean of the nearest known pairs, weighed by 1/distance; their number has the least error left out."""
    most = min(max(NEIGHBORS), len(a) - 1)
    distances, places = nearest(a, a, most + 1)
    own = places == np.arange(len(a))[:, None]
    own[~own.any(axis=1), -1] = True
    distances, places = distances[~own].reshape(len(a), most), places[~own].reshape(len(a), most)
    tries = {k: _weighed(b, distances[:, :k], places[:, :k]) for k in NEIGHBORS if k <= most}
    k = min(tries, key=lambda k: float(np.square(b - tries[k]).sum()))

    def predict(new: Numbers) -> Numbers:
        return _weighed(b, *nearest(new, a, k))

    return Learned(predict, tries[k])


def _weighed(b: Numbers, distances: Numbers, places: Any) -> Numbers:
    weights = 1.0 / (distances + 1e-9)
    weights /= weights.sum(axis=1, keepdims=True)
    return np.asarray(np.einsum("nk,nkd->nd", weights, b[places]))


def perceptron(a: Numbers, b: Numbers, seed: int = 0) -> Learned:
    """A network of one hidden layer, on standardised rows; a pair is left out with a third of the others.

    It predicts the first 64 principal components of the known rows.
    """
    center, scale = a.mean(axis=0), a.std(axis=0)
    scale[scale < 1e-9] = 1.0
    middle = b.mean(axis=0)
    axes = np.linalg.svd(b - middle, full_matrices=False)[2][:COMPONENTS]
    goal = (b - middle) @ axes.T

    def fit(rows: Any) -> Callable[[Numbers], Numbers]:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.neural_network import MLPRegressor

        options = {"alpha": 1e-2, "learning_rate_init": 3e-3, "max_iter": 250, "random_state": seed}
        model = MLPRegressor(hidden_layer_sizes=(128,), **options)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit((a[rows] - center) / scale, goal[rows] if goal.shape[1] > 1 else goal[rows, 0])
        return lambda new: model.predict((new - center) / scale).reshape(len(new), -1) @ axes + middle

    fold = np.random.default_rng(seed).permutation(len(a)) % FOLDS
    left_out = np.empty_like(b)
    for at in range(FOLDS):
        left_out[fold == at] = fit(fold != at)(a[fold == at])
    return Learned(fit(slice(None)), left_out)


def chosen(maps: dict[str, Learned], b: Numbers) -> str:
    """The map with the least error on left-out pairs; `"mean"` unless that one is clearly better than the mean.

    Clearly: by two standard errors of the difference over the pairs.
    """
    errors = {name: np.square(b - learned.left_out).sum(axis=1) for name, learned in maps.items()}
    best = min(errors, key=lambda name: float(errors[name].mean()))
    gain = errors["mean"] - errors[best]
    return best if gain.mean() > 2.0 * gain.std(ddof=1) / np.sqrt(len(gain)) else "mean"
