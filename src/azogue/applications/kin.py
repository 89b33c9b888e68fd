"""Who is like whom among training rows: what a code learns that is to bring like rows together."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array, eye_array, issparse

from azogue.applications.topics import to_length

#: Directions of what varies most, in which neighbours are looked for.
DIRECTIONS = 48
#: Rows among which neighbours are looked for, at most; rows that are packed, and distances that are held, at once.
MANY, PART, CELLS = 65_536, 4096, 1 << 24


def kin(spaces: list[Any], n_neighbors: int, seed: int, twice: bool = False) -> NDArray[np.int64]:
    """Each row's nearest rows in each of several spaces: positions (n, k), -1 where one is named twice.

    Of more than `MANY` rows, neighbours are looked for among that many, drawn once.

    Parameters
    ----------
    spaces : list of array or sparse matrix, each (n, size)
    n_neighbors : int
        In each space; fewer where there are not as many other rows.
    seed : int
    twice : bool
        As many more that are nearest in two steps (see `second`); who is named again is there again, and is so drawn
        more often.

    Examples
    --------
    >>> kin([np.array([[0.0], [1.0], [3.0]]), np.array([[0.0], [9.0], [1.0]])], 1, seed=0).tolist()
    [[1, 2], [0, 2], [0, 1]]
    """
    count = spaces[0].shape[0]
    chosen = np.arange(count)
    if count > MANY:
        chosen = np.sort(np.random.default_rng(seed).choice(count, MANY, replace=False))
    tables = [nearest(space, chosen, n_neighbors) for space in spaces]
    return np.hstack([*tables, second(tables, n_neighbors)]) if twice else joined(tables)


def second(tables: list[NDArray[np.int64]], count: int) -> NDArray[np.int64]:
    """The rows that are nearest in two steps along a graph of neighbours: positions (n, count), -1 where they are few.

    With `A = Σ_s (G_s + G_sᵀ) + I`, G_s the graph of a table of neighbours, and D the sums of its rows, near is who has
    a large part in `(D^−½ A D^−½)²`: who is named often, by both, and by those who are near to both. A row that is near
    to everybody counts less. Of texts, more of these are about the same thing than of the nearest.

    Parameters
    ----------
    tables : list of ndarray of int64, each (n, k)
        Positions, or -1.
    count : int

    References
    ----------
    Zhou, Bousquet, Lal, Weston & Schölkopf (2004), Learning with local and global consistency, NeurIPS, for the graph.

    Examples
    --------
    >>> second([np.array([[1], [2], [1], [4], [3]])], 2).tolist()
    [[1, 2], [2, 0], [1, 0], [4, -1], [3, -1]]
    """
    near = np.hstack(tables)
    rows, (first, at) = len(near), np.nonzero(near >= 0)
    graph = csr_array((np.ones(len(first), np.float32), (first, near[first, at])), (rows, rows))  # adds up those twice
    graph = csr_array(graph + graph.T + eye_array(rows, dtype=np.float32))
    root = diags_array((1.0 / np.sqrt(np.asarray(graph.sum(1)).ravel())).astype(np.float32))
    step = csr_array(root @ graph @ root)
    found = np.full((rows, count), -1, np.int64)
    for start in range(0, rows, PART):
        both = csr_array(step[start : start + PART] @ step)
        for number in range(both.shape[0]):
            inside = slice(*both.indptr[number : number + 2])
            others, parts = both.indices[inside], both.data[inside]
            parts[others == start + number] = 0.0
            best = np.lexsort((others, -parts))[:count]
            found[start + number, : len(best)] = np.where(parts[best] > 0, others[best], -1)
    return found


def spaces_of_words(weights: Any, vectors: NDArray[np.float32]) -> list[Any]:
    """Where texts are compared: by TF-IDF, and along its leading directions, in rows of one length."""
    return [weights, to_length(vectors)]


def space_of(schema: Any, X: Any, seed: int) -> NDArray[np.float32]:
    """Rows in scaled units, each column by the root of its weight, along what varies most: (n, size)."""
    from sklearn.decomposition import PCA

    x = packed(schema, X)
    size = min(DIRECTIONS, *x.shape)
    if size == x.shape[1] or len(x) < 3:
        return np.asarray(x - x.mean(0))
    made = PCA(size, svd_solver="randomized", random_state=seed % 2**32).fit_transform(x)
    return np.asarray(made, np.float32)


def packed(schema: Any, X: Any) -> NDArray[np.float32]:
    """Rows as the network sees them (n, width), each column by the root of its weight; half of it in a category."""
    store = getattr(schema, "store", schema.pack)(X)
    weights = [weight for head in schema.heads for weight in head.weights]
    widths = [width for head in schema.heads for width in head.cells]
    each = [weight / min(width, 2) for weight, width in zip(weights, widths, strict=True) for _ in range(width)]
    scale = np.sqrt(np.array(each, np.float32))
    parts = (store.take(slice(start, start + PART)).x.numpy() for start in range(0, len(store), PART))
    return np.concatenate([part.reshape(len(part), -1).astype(np.float32) * scale for part in parts])


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
