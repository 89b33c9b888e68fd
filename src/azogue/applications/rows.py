"""What denoising does for the rows of tables that are known with noise alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from azogue.corruptions import Gaussian
from azogue.modalities import as_modality
from azogue.recipe import Batch

#: Noise below this, in scaled units, is none that could be told.
LEAST = 1e-3


def estimated(x: NDArray[Any]) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Noise and signal of numbers (n, d), as probabilistic PCA with independent noise of one variance sees them.

    The noise's variance is the least eigenvalue of the covariance: some direction is taken to hold noise alone. With γ
    = d/n, an eigenvalue λ above `σ²(1 + √γ)²` is that of a signal of the variance l with `λ = (l + σ²)(1 + γσ²/l)`;
    below there is none (Gavish & Donoho 2017, IEEE Transactions on Information Theory 63).

    Returns
    -------
    sd : float
        σ; 0 where there are not more rows than columns.
    variances : ndarray, shape (d,)
        l along each direction.
    directions : ndarray, shape (d, d)
        One a row.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = np.outer(rng.normal(size=2000), [3.0, 4.0, 0.0]) + 0.5 * rng.normal(size=(2000, 3))
    >>> sd, variances, _ = estimated(x)
    >>> round(sd, 1), variances.round(0).tolist()
    (0.5, [25.0, 0.0, 0.0])
    """
    n, d = x.shape
    centred = x - x.mean(0)
    _, sizes, directions = np.linalg.svd(centred, full_matrices=False)
    if n <= d:
        return 0.0, np.zeros(len(sizes)), directions
    values = sizes**2 / n
    noise, share = float(values[-1]), d / n
    middle = values - noise * (1 + share)
    root = np.sqrt(np.maximum(middle**2 - 4 * share * noise**2, 0.0))
    return noise**0.5, np.where(values > noise * (1 + share**0.5) ** 2, (middle + root) / 2, 0.0), directions


def cleaned(X: Any, modality: Any, scaling: str, rng: np.random.Generator) -> tuple[Gaussian, Any] | None:
    """The noise of a table, and rows that stand for clean ones: draws from what each row may have been without it.

    Along a direction with signal of the variance l, the row y was `l y/(l + σ²)`, give or take `√(l σ²/(l + σ²))`. A
    draw, unlike the mean, varies as much as clean rows do.

    Returns
    -------
    noise, rows : Gaussian and a table like X, or None where no noise can be told
    """
    schema: Any = as_modality(modality, scaling, X).fit(X)
    packed = schema.pack(X)
    at = [slot for head in schema.heads if head.kind == "gaussian" for slot in range(head.start, head.stop)]
    x = packed.x.numpy().astype(np.float64)
    if len(at) < 2:
        return None
    sd, variances, directions = estimated(x[:, at])
    if sd < LEAST:
        return None
    mean, noise = x[:, at].mean(0), sd**2
    along = (x[:, at] - mean) @ directions.T
    part = variances / (variances + noise)
    drawn = part * along + np.sqrt(part * noise) * rng.normal(size=along.shape)
    x[:, at] = mean + drawn @ directions
    return Gaussian(round(sd, 4)), schema.unpack(Batch(packed.x.new_tensor(x), packed.mask, packed.rows))
