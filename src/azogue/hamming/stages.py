"""The second stage of a search: candidates by the distance of what stands behind their codes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Pairs of a query and a candidate that are compared at once: few enough to stay near the processor.
PAIRS = 256


def by_vectors(queries: Any, vectors: Any, near: NDArray[np.int64], k: int) -> tuple[Any, NDArray[np.int64]]:
    """The k nearest of each query's candidates (m, c), in order of position, by Euclidean distance: (m, k) each.

    Examples
    --------
    >>> vectors = np.array([[0.0, 0.0], [3.0, 4.0], [1.0, 0.0]])
    >>> by_vectors(np.zeros((1, 2)), vectors, np.array([[1, 2]]), 1)
    (array([[1.]], dtype=float32), array([[2]]))
    """
    from scipy.sparse import issparse

    far = _of_sparse(queries, vectors, near) if issparse(vectors) else _of_dense(queries, vectors, near)
    order = np.argsort(far, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(far, order, 1), np.take_along_axis(near, order, 1)


def _of_sparse(queries: Any, vectors: Any, near: NDArray[np.int64]) -> NDArray[np.float32]:
    lengths = np.asarray(vectors.multiply(vectors).sum(1)).ravel()
    far = np.empty(near.shape, np.float32)
    for number, places in enumerate(near):
        query = queries[[number]]
        products = np.asarray((vectors[places] @ query.T).toarray()).ravel()
        squares = lengths[places] + float(query.multiply(query).sum()) - 2.0 * products
        far[number] = np.sqrt(np.maximum(squares, 0.0))
    return far


def _of_dense(queries: Any, vectors: Any, near: NDArray[np.int64]) -> NDArray[np.float32]:
    """Pairs in the order of candidates: those of many queries are read from memory once, one after the other."""
    asked, known = np.asarray(queries, np.float32), np.asarray(vectors)
    places = near.ravel()
    order = np.argsort(places, kind="stable")
    far = np.empty(len(places), np.float32)
    for start in range(0, len(order), PAIRS):
        pairs = order[start : start + PAIRS]
        gaps = known.take(places[pairs], axis=0).astype(np.float32, copy=False)
        gaps -= asked.take(pairs // near.shape[1], axis=0)
        far[pairs] = np.vecdot(gaps, gaps)
    return np.sqrt(far, out=far).reshape(near.shape)
