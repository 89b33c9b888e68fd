"""How codes of rows are spread, learned after the network: a mixture of normal distributions, to draw new codes from.

References
----------
Ghosh, Sajjadi, Vergari, Black & Schölkopf (2020), From variational to deterministic autoencoders, ICLR, for the density
that is fitted afterwards; Dempster, Laird & Rubin (1977) for the fit.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.special import logsumexp
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

#: Codes for each component where nobody says how many there are, and components at most.
EACH, MOST = 400, 50
#: Codes that the fit looks at, and what is added to variances, as a part of the codes' mean variance.
LOOKED_AT, FLOOR = 20_000, 1e-3
STEPS = 60


def fitted(codes: NDArray[np.float32], components: int | None, seed: int) -> dict[str, NDArray[np.float64]]:
    """A mixture of normal distributions with covariances of their own, by expectation and maximisation.

    Parameters
    ----------
    codes : ndarray, shape (n, size)
    components : int or None
        None: one for 400 codes, at most 50.
    seed : int

    Returns
    -------
    dict of ndarray
        `weights` (components,), `means` (components, size), and `factors` (components, size, size), of which each times
        its own transpose is a covariance.

    Examples
    --------
    >>> codes = np.repeat([[0.0, 0.0], [9.0, 9.0]], 50, 0) + np.random.default_rng(0).normal(size=(100, 2))
    >>> fitted(codes, 2, 0)["means"].round().sum(1).tolist() in ([0.0, 18.0], [18.0, 0.0])
    True
    """
    rng = np.random.default_rng(seed)
    held = codes.astype(np.float64)
    if len(held) > LOOKED_AT:
        held = held[np.sort(rng.permutation(len(held))[:LOOKED_AT])]
    many = int(np.clip(len(held) // EACH, 1, MOST)) if components is None else min(components, len(held))
    floor = FLOOR * float(held.var(0).mean()) + 1e-9
    state = np.random.RandomState(rng.integers(2**31))
    model = GaussianMixture(many, reg_covar=floor, max_iter=STEPS, init_params="k-means++", random_state=state)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # not settled after so many steps is good enough
        model.fit(held)
    return {"weights": model.weights_, "means": model.means_, "factors": np.linalg.cholesky(model.covariances_)}


def drawn(mixture: Mapping[str, NDArray[np.float64]], n: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """New codes (n, size).

    Examples
    --------
    >>> alone = {"weights": np.ones(1), "means": np.full((1, 2), 5.0), "factors": np.zeros((1, 2, 2))}
    >>> drawn(alone, 1, np.random.default_rng(0))
    array([[5., 5.]], dtype=float32)
    """
    share = mixture["weights"] / mixture["weights"].sum()
    chosen = rng.choice(len(share), n, p=share)
    noise = rng.standard_normal((n, mixture["means"].shape[1]))
    moved = np.einsum("nij,nj->ni", mixture["factors"][chosen], noise)
    return np.asarray(mixture["means"][chosen] + moved, np.float32)


def log_density(mixture: Mapping[str, NDArray[np.float64]], codes: NDArray[np.float32]) -> NDArray[np.float64]:
    """The log density of codes (n, size) in nats, (n,).

    Examples
    --------
    >>> alone = {"weights": np.ones(1), "means": np.zeros((1, 2)), "factors": np.eye(2)[None]}
    >>> log_density(alone, np.zeros((1, 2))).round(3)  # −log 2π
    array([-1.838])
    """
    parts = []
    for weight, mean, factor in zip(mixture["weights"], mixture["means"], mixture["factors"], strict=True):
        away = solve_triangular(factor, (codes - mean).T, lower=True)
        parts.append(np.log(weight) - np.log(np.diag(factor)).sum() - 0.5 * np.square(away).sum(0))
    size = mixture["means"].shape[1]
    return np.asarray(logsumexp(parts, axis=0) - 0.5 * size * np.log(2 * np.pi))
