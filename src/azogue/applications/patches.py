"""Pictures as numbers in which pictures alike are near: what small patches of them show, and in which quarter."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from azogue.applications.topics import to_length

Floats = NDArray[np.float32]
#: What `learned` found, by names, for model files.
Learned = dict[str, Any]

#: Sides of a patch, steps between patches, patterns, and patches that they are learned from.
SIDE, STRIDE, PATTERNS, PATCHES = 6, 2, 200, 60_000
#: Rounds of the clustering, and how much of a pattern stays where few patches are like it.
ROUNDS, STAYS = 12, 0.1
#: What counts as nothing: variances of patches, as a part of the pixels'; of their directions; and likenesses.
FLAT, WEAK, SILENT = 0.0025, 0.1, 0.25
#: What is not divided by; values of patches that are held at once, about; pictures from which all is learned, at most.
TINY, HELD, MANY = 1e-6, 1 << 24, 10_000
#: Pictures that are looked at together, at most.
MOST = 64
#: Directions of what patches show, and of pixels, which tell what the picture is to look like that is decoded.
SHOWN, PIXELS = 128, 48
#: Channels, pixels a side and rows from which on pictures count as photographs.
COLOURS, SIDES, SEVERAL = 3, 12, 200


def are_photographs(shape: tuple[int, ...], rows: int) -> bool:
    """Whether pictures are taken for photographs, whose patches are looked at: in colour, not too small, not few.

    Examples
    --------
    >>> are_photographs((32, 32, 3), 10_000), are_photographs((28, 28, 1), 10_000)
    (True, False)
    """
    return shape[2] >= COLOURS and min(shape[:2]) >= SIDES and rows >= SEVERAL


def learned(schema: Any, X: Any, seed: int) -> Learned:
    """What tells pictures by their patches: patterns, and the leading directions of how much there is of each.

    Patches of 6 × 6 pixels are brought to a mean of 0 and a variance of 1, and whitened. Patterns are what spherical
    k-means finds among 60,000 of them.

    Parameters
    ----------
    schema : ImageSchema
        Of pictures of at least 6 pixels a side.
    X : pictures
    seed : int

    References
    ----------
    Coates, Lee & Ng (2011), An analysis of single-layer networks in unsupervised feature learning, AISTATS; Coates & Ng
    (2012), Learning feature representations with k-means. NOTE[DIFF] a patch's likeness to a pattern and to its reverse
    counts from ¼ on, as a mean over each quarter of the picture.

    Examples
    --------
    >>> from azogue.modalities import Image
    >>> pictures = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)
    >>> schema = Image().fit(pictures)
    >>> found = learned(schema, pictures, seed=0)
    >>> seen(schema, pictures[:5], found).shape, pixels(np.zeros((1, 38), np.float32), found).shape
    ((5, 38), (1, 192))
    """
    import torch

    rng, store = np.random.default_rng(seed), schema.store(X)
    chosen = torch.from_numpy(np.sort(rng.permutation(len(store))[:MANY]))
    pictures = store.take(chosen).x.numpy().reshape(-1, *schema.shape)
    flat = FLAT * float(pictures.var()) + TINY**2
    by, less = _patterns(pictures, flat, rng)
    found: Learned = {"by": by, "less": less, "flat": np.array([flat], np.float32)}
    size = _block(schema.shape)
    there = np.concatenate([_shown(pictures[at : at + size], found) for at in range(0, len(pictures), size)])
    found["mean"], found["axes"] = _axes(there, SHOWN, seed, even=True)
    found["pixel_mean"], found["pixel_axes"] = _axes(pictures.reshape(len(pictures), -1), PIXELS, seed, even=False)
    return found


def seen(schema: Any, X: Any, found: Learned) -> Floats:
    """Pictures along the directions of what their patches show, of length √size, and along those of pixels."""
    store, size = schema.store(X), _block(schema.shape)
    parts = []
    for start in range(0, len(store), size):  # blocks of one size, so that who comes together changes no bit
        taken = store.take(slice(start, start + size)).x.numpy()
        flat = np.zeros((size, taken.shape[1]), np.float32)
        flat[: len(taken)] = taken
        shown = _along(_shown(flat.reshape(size, *schema.shape), found) - found["mean"], found["axes"])
        along = _along(flat - found["pixel_mean"], found["pixel_axes"])
        parts.append(np.hstack([to_length(shown), along])[: len(taken)])
    width = found["axes"].shape[1] + found["pixel_axes"].shape[1]
    return np.concatenate(parts) if parts else np.empty((0, width), np.float32)


def _along(rows: Floats, axes: Floats) -> Floats:
    """`rows @ axes` by torch: where a row lies in a block may change its bits with numpy, on some processors."""
    import torch

    return np.asarray((torch.from_numpy(rows) @ torch.from_numpy(axes)).numpy())


def pixels(rows: Floats, found: Learned) -> Floats:
    """The pictures, (n, h · w · c), that rows of `seen` say."""
    axes = found["pixel_axes"]
    back = axes / np.maximum(np.square(axes).sum(0), TINY**2)
    return np.asarray(found["pixel_mean"] + rows[:, found["axes"].shape[1] :] @ back.T, np.float32)


def _block(shape: tuple[int, ...]) -> int:
    """How many pictures of a shape are looked at together."""
    h, w = ((size - SIDE) // STRIDE + 1 for size in shape[:2])
    return max(1, min(MOST, HELD // (h * w * 2 * PATTERNS)))


def _shown(pictures: Floats, found: Learned) -> Floats:
    """How much of each pattern there is in each quarter: (n, h, w, c) → (n, 8 · patterns)."""
    import torch

    windows = np.lib.stride_tricks.sliding_window_view(pictures, (SIDE, SIDE), axis=(1, 2))[:, ::STRIDE, ::STRIDE]
    n, h, w = windows.shape[:3]
    rows = _even(np.ascontiguousarray(windows).reshape(n * h * w, -1), float(found["flat"][0]))
    with torch.no_grad():
        like = torch.from_numpy(rows) @ torch.from_numpy(found["by"]) - torch.from_numpy(found["less"])
        like = torch.cat([(like - SILENT).clamp_(min=0), (-like - SILENT).clamp_(min=0)], 1)
        planes = like.reshape(n, h, w, -1).permute(0, 3, 1, 2)
        return np.asarray(torch.nn.functional.adaptive_avg_pool2d(planes, 2).flatten(1).numpy())


def _even(patches: Floats, flat: float) -> Floats:
    """Patches (n, size) of mean 0 and variance 1; flat ones stay so."""
    centred = patches - patches.mean(1, keepdims=True)
    return np.asarray(centred / np.sqrt(np.square(centred).mean(1, keepdims=True) + flat), np.float32)


def _patterns(pictures: Floats, flat: float, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """By what patches (n, size) are multiplied, (size, k), and what is taken off, (k,): how like they are to each."""
    from scipy.sparse import csr_array

    n, h, w, _ = pictures.shape
    row, down, across = (rng.integers(0, size, PATCHES) for size in (n, h - SIDE + 1, w - SIDE + 1))
    windows = np.lib.stride_tricks.sliding_window_view(pictures, (SIDE, SIDE), axis=(1, 2))
    patches = _even(windows[row, down, across].reshape(PATCHES, -1), flat)
    mean = patches.mean(0)
    variance, axes = np.linalg.eigh(np.cov(patches.T))
    white = ((axes / np.sqrt(np.maximum(variance, 0.0) + WEAK)) @ axes.T).astype(np.float32)
    patches = (patches - mean) @ white
    patterns = _of_length_1(rng.normal(size=(PATTERNS, patches.shape[1])).astype(np.float32))
    for _ in range(ROUNDS):
        like = patches @ patterns.T
        best = np.abs(like).argmax(1)
        shares = csr_array((like[np.arange(PATCHES), best], (best, np.arange(PATCHES))), (PATTERNS, PATCHES))
        patterns = _of_length_1(np.asarray(shares @ patches) + STAYS * patterns)
    by = np.ascontiguousarray(white @ patterns.T, np.float32)
    return by, np.asarray(mean @ by, np.float32)


def _of_length_1(rows: Floats) -> Floats:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), TINY), np.float32)


def _axes(rows: Floats, most: int, seed: int, even: bool) -> tuple[Floats, Floats]:
    """Mean (size,) and leading directions (size, k): columns in units of their spread, each by the root of its own.

    Without `even`, columns as they are, and all directions by the spread of the first.
    """
    from sklearn.decomposition import PCA

    mean = rows.mean(0)
    scale = rows.std(0) + TINY if even else np.ones_like(mean)
    count = max(1, min(most, len(rows) - 1, rows.shape[1]))
    fitted = PCA(count, svd_solver="randomized", random_state=seed % 2**32).fit((rows - mean) / scale)
    spread = np.sqrt(np.maximum(fitted.explained_variance_, 0.0)) + TINY
    units = np.sqrt(spread) if even else spread[0]
    return mean, np.ascontiguousarray(fitted.components_.T / scale[:, None] / units, np.float32)
