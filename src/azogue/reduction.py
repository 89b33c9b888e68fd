"""How good a reduction is: neighbourhoods that it keeps, and the error that each size of the code leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn import manifold
from sklearn.base import clone
from sklearn.utils.validation import _num_samples

from azogue.autoencoder import Autoencoder
from azogue.populations import fit_together
from azogue.session import as_seed

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def trustworthiness(X: ArrayLike, Z: ArrayLike, n_neighbors: int = 5) -> float:
    """How far neighbours on a map are neighbours in the data: 1 where all are.

    `1 − 2/(n k (2n − 3k − 1)) Σᵢ Σⱼ max(0, r(i, j) − k)` over the k nearest codes j of each row i, r(i, j) the rank of
    row j among the rows by their distance from row i. What a map shows as near and is not costs by how far it is.

    Parameters
    ----------
    X : array, shape (n, columns)
        The rows, in the units in which distances are meant.
    Z : array, shape (n, size)
        Their codes.
    n_neighbors : int
        k; below n/2.

    Raises
    ------
    ValueError
        For unequal numbers of rows, or too few of them.

    References
    ----------
    Venna & Kaski (2001), Neighborhood preservation in nonlinear projection methods, ICANN. Computed by
    `sklearn.manifold.trustworthiness`.

    Examples
    --------
    >>> trustworthiness([[0.0], [1.0], [2.0], [4.0]], [[0.0], [2.0], [4.0], [8.0]], n_neighbors=1)
    1.0
    """
    rows, codes = np.asarray(X), np.asarray(Z)
    if rows.ndim != 2 or codes.ndim != 2 or len(rows) != len(codes):
        raise ValueError(
            f"a map is measured by rows (n, columns) and codes (n, size), got the shapes {rows.shape} and {codes.shape}"
        )
    if not isinstance(n_neighbors, Integral) or not 1 <= n_neighbors < len(rows) / 2:
        raise ValueError(
            f"n_neighbors: expected a whole number from 1 to below half of the {len(rows)} rows, got {n_neighbors!r}"
        )
    return float(manifold.trustworthiness(rows, codes, n_neighbors=int(n_neighbors)))


def continuity(X: ArrayLike, Z: ArrayLike, n_neighbors: int = 5) -> float:
    """How far neighbours in the data are neighbours on a map: 1 where all are.

    `trustworthiness` with the roles of rows and codes exchanged: what is near and is torn apart by the map costs by how
    far it is there.

    Parameters
    ----------
    X : array, shape (n, columns)
    Z : array, shape (n, size)
    n_neighbors : int

    Raises
    ------
    ValueError
        For unequal numbers of rows, or too few of them.

    References
    ----------
    Venna & Kaski (2001), as above.

    Examples
    --------
    >>> continuity([[0.0], [1.0], [2.0], [4.0]], [[0.0], [2.0], [4.0], [8.0]], n_neighbors=1)
    1.0
    """
    return trustworthiness(Z, X, n_neighbors)


@dataclass(frozen=True)
class CodeSizes:
    """Sizes of the code, the mean error of held-out rows with each, and the size that the rule chose."""

    sizes: tuple[int, ...]
    errors: tuple[float, ...]
    chosen: int


def choose_code_size(
    X: Any,
    sizes: Sequence[int] = (1, 2, 4, 8, 16, 32),
    *,
    autoencoder: Autoencoder | None = None,
    rule: str = "tolerance",
    tolerance: float = 0.05,
    held_out: float = 0.2,
    repeats: int = 1,
    random_state: Any = None,
) -> CodeSizes:
    """The curve of held-out error against the size of the code, and the size at its elbow.

    An autoencoder of each size is fitted on the same part of the rows (`fit_together`) and judged on the others. With
    E(k) the mean of their errors and E* the smallest of all:

    - `"tolerance"`: the smallest size with `E(k) ≤ E* + tolerance · (E(smallest size) − E*)`, so that at least
      1 − tolerance of what larger codes can gain is gained;
    - `"chord"`: the size farthest below the line through both ends of the curve, both axes brought to [0, 1]
      (Satopää et al. 2011); the best size where none lies below it.

    Parameters
    ----------
    X : table, pictures, sequences or texts
    sizes : sequence of int
    autoencoder : Autoencoder, optional
        What is fitted, with its `network` changed: a size, or widths down to the code, whose last one is replaced.
        `Autoencoder()` if none.
    rule : {"tolerance", "chord"}
    tolerance : float
        Of the first rule, in [0, 1].
    held_out : float
        Part of the rows that judge, in (0, 1). Scaling is that of all rows.
    repeats : int
        Fits of each size, with seeds of their own; errors are their means.
    random_state : int, numpy generator or None
        Chooses the rows and the seeds of the fits.

    Returns
    -------
    CodeSizes
        `sizes` in rising order, `errors`, `chosen`.

    Raises
    ------
    ValueError, TypeError
        For parameters that make no sense, naming them.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(300, 2)) @ rng.normal(size=(2, 8))  # two numbers, seen through eight columns
    >>> choose_code_size(X, (1, 2, 3, 4), autoencoder=Autoencoder(epochs=50), random_state=0).chosen
    2
    """
    prototype = Autoencoder() if autoencoder is None else autoencoder
    ordered = _ordered(sizes)
    _check(rule, tolerance, held_out, repeats)
    seed = as_seed(random_state)
    count = _num_samples(X)
    order = np.random.default_rng(seed).permutation(count)
    apart = round(held_out * count)
    if not 1 <= apart < count:
        raise ValueError(f"held_out: {held_out:g} of {count} rows leaves none to train on or to judge by")
    members = [
        clone(prototype).set_params(network=_network(prototype.network, size), random_state=(seed + at) % 2**31)
        for size in ordered
        for at in range(repeats)
    ]
    fit_together(members, X, rows=[np.sort(order[apart:])] * len(members))
    errors = np.array([member.errors(X)[order[:apart]].mean() for member in members])
    means = errors.reshape(len(ordered), repeats).mean(1)
    return CodeSizes(ordered, tuple(means.tolist()), ordered[_elbow(ordered, means, rule, tolerance)])


def _ordered(sizes: Sequence[int]) -> tuple[int, ...]:
    if any(isinstance(size, bool) or not isinstance(size, Integral) or size < 1 for size in sizes):
        raise ValueError(f"sizes: expected whole numbers of at least 1, got {sizes!r}")
    ordered = tuple(sorted({int(size) for size in sizes}))
    if len(ordered) < 2:
        raise ValueError(f"sizes: expected at least two different ones to choose from, got {sizes!r}")
    return ordered


def _check(rule: str, tolerance: float, held_out: float, repeats: int) -> None:
    if rule not in ("tolerance", "chord"):
        raise ValueError(f"rule: expected 'tolerance' or 'chord', got {rule!r}")
    if not 0.0 <= tolerance <= 1.0:
        raise ValueError(f"tolerance: expected a part in [0, 1], got {tolerance!r}")
    if not 0.0 < held_out < 1.0:
        raise ValueError(f"held_out: expected a part in (0, 1), got {held_out!r}")
    if isinstance(repeats, bool) or not isinstance(repeats, Integral) or repeats < 1:
        raise ValueError(f"repeats: expected a whole number of at least 1, got {repeats!r}")


def _network(network: Any, size: int) -> Any:
    """The network with another size of the code."""
    if isinstance(network, str) or (isinstance(network, Integral) and not isinstance(network, bool)):
        return size
    if isinstance(network, (tuple, list)) and all(isinstance(width, Integral) for width in network):
        return (*network[:-1], size)
    raise TypeError(
        f"autoencoder: the size of the code can be changed in a network given by a size or by widths down to the code, "
        f"such as (64, 8); got {network!r}"
    )


def _elbow(sizes: Sequence[int], errors: np.ndarray, rule: str, tolerance: float) -> int:
    """The place of the chosen size."""
    best = int(errors.argmin())
    if rule == "tolerance":
        bound = errors[best] + tolerance * (errors[0] - errors[best])
        return int((errors <= bound).argmax())
    across = (np.array(sizes, float) - sizes[0]) / (sizes[-1] - sizes[0])
    fall = errors[0] - errors[-1]
    if not fall > 0:
        return best
    below = 1.0 - across - (errors - errors[-1]) / fall
    return int(below.argmax()) if below.max() > 1e-9 else best
