"""Who is like whom among training rows, without labels: what a code learns that is to bring like rows together."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse, vstack

#: Directions of what varies most, of numbers and of words, in which neighbours are looked for.
DIRECTIONS, TOPICS = 48, 128
#: Rows among which neighbours are looked for, at most; rows that are packed, and distances that are held, at once.
MANY, PART, CELLS = 65_536, 4096, 1 << 24
#: Part of a block's cells that may be set for it to be kept as a sparse one.
SPARSE = 0.1


def kin(schema: Any, X: Any, n_neighbors: int, seed: int) -> NDArray[np.int64]:
    """Each row's neighbours, positions (n, k), -1 where there are fewer.

    Of bags of words, the nearest rows by the cosine of TF-IDF and by that of its `TOPICS` leading directions (latent
    semantic analysis), both; of other rows the nearest ones along their `DIRECTIONS` leading directions, in scaled
    units. Of more than `MANY` rows, they are looked for among that many, drawn once.

    Parameters
    ----------
    schema : Schema
        How the rows are packed.
    X : rows
    n_neighbors : int
        Of each kind; fewer where there are not as many other rows.
    seed : int

    References
    ----------
    Deerwester, Dumais, Furnas, Landauer & Harshman (1990), Indexing by latent semantic analysis.
    """
    x = packed(schema, X)
    rng = np.random.default_rng(seed)
    count = x.shape[0]
    chosen = np.sort(rng.choice(count, MANY, replace=False)) if count > MANY else np.arange(count)
    spaces = spaces_of(schema, x, seed)
    return joined([nearest(space, chosen, n_neighbors) for space in spaces])


def packed(schema: Any, X: Any) -> Any:
    """Rows as numbers in scaled units (n, width), each column by the root of its weight; sparse where few are not 0."""
    store = getattr(schema, "store", schema.pack)(X)
    weights = np.array([weight for head in schema.heads for weight in head.weights])
    columns = [cell for cell, width in enumerate(w for head in schema.heads for w in head.cells) for _ in range(width)]
    scale = np.sqrt(weights[columns]).astype(np.float32)
    parts = []
    for start in range(0, len(store), PART):
        block = store.take(slice(start, start + PART)).x.numpy().reshape(-1, schema.width).astype(np.float32) * scale
        parts.append(csr_array(block) if np.count_nonzero(block) < SPARSE * block.size else block)
    if all(issparse(part) for part in parts):
        return csr_array(vstack(parts, "csr"))
    return np.concatenate([part.toarray() if issparse(part) else part for part in parts])


def spaces_of(schema: Any, x: Any, seed: int) -> list[Any]:
    """The spaces in which rows are compared, each (n, size); of words, rows of length 1."""
    from sklearn.decomposition import PCA, TruncatedSVD
    from sklearn.feature_extraction.text import TfidfTransformer
    from sklearn.preprocessing import normalize

    if getattr(schema, "unit", None) == "word":
        x = csr_array(x)
        words = x if schema.weighting == "tfidf" else TfidfTransformer(sublinear_tf=True).fit_transform(x)
        size = min(TOPICS, min(words.shape) - 1)
        if size < 1:
            return [words]
        topics = normalize(TruncatedSVD(size, random_state=seed % 2**32).fit_transform(words))
        return [words, topics.astype(np.float32)]
    dense = x.toarray() if issparse(x) else x
    size = min(DIRECTIONS, *dense.shape)
    if size == dense.shape[1]:
        return [dense - dense.mean(0)]
    return [PCA(size, svd_solver="randomized", random_state=seed % 2**32).fit_transform(dense).astype(np.float32)]


def nearest(space: Any, chosen: NDArray[Any], count: int) -> NDArray[np.int64]:
    """For each row of a space (n, size), the `count` nearest of the `chosen` rows but itself; equals by position."""
    rows = space.shape[0]
    count = min(count, len(chosen) - 1)
    if count < 1:
        return np.full((rows, 1), -1, np.int64)
    others = space[chosen]
    lengths = np.asarray(others.multiply(others).sum(1) if issparse(others) else np.square(others).sum(1)).ravel()
    found = np.empty((rows, count), np.int64)
    step = max(1, CELLS // len(chosen))
    for start in range(0, rows, step):
        products = space[start : start + step] @ others.T
        far = lengths - 2.0 * (products.toarray() if issparse(products) else products)
        own = np.searchsorted(chosen, np.arange(start, start + len(far)))
        inside = (own < len(chosen)) & (chosen[np.minimum(own, len(chosen) - 1)] == np.arange(start, start + len(far)))
        far[np.flatnonzero(inside), own[inside]] = np.inf
        least = np.argpartition(far, count - 1, axis=1)[:, :count]
        found[start : start + step] = chosen[np.sort(least, axis=1)]
    return found


def joined(tables: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    """The union of each row's neighbours, in order of position, -1 in place of those named twice."""
    together = np.sort(np.hstack(tables), axis=1)
    together[:, 1:][together[:, 1:] == together[:, :-1]] = -1
    return together
