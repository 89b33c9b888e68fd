"""What denoising does for pictures: the network, what noise is like, and learning from noisy pictures alone.

Blind learning takes three steps. A network is trained to tell each position from its surroundings (`BlindSpot`): its
noise has no part in that. What the position itself shows is brought in by Bayes' rule (`Posterior`). The pictures that
come out take the place of clean ones, in the training that clean pictures get. Of salt and pepper most positions are
clean, and one can tell which: `FurtherImpulses` learns from them, in one step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from azogue.autoencoder import Autoencoder
from azogue.corruptions import BlindSpot, Blocks, Clipped, Corruption, Gaussian, Impulses
from azogue.layers import Conv, Dense, Input, Output, Stack
from azogue.modalities.pixels import as_numbers
from azogue.optimizers import Adam, Cosine
from azogue.recipe import Batch

Floats = NDArray[np.float64]

#: Positions that are shown to a network in all, about: rows × positions × epochs. Fewest and most epochs.
SHOWN, EPOCHS = 80_000_000, (2, 60)
#: Sides below which convolutions have nothing to share.
SMALLEST = 8


def picture_network(shape: tuple[int, ...], corruption: Corruption | None = None) -> Stack:
    """Convolutions of 3 × 3 pixels with skip connections, most of them at a part of the resolution.

    Noise that is added needs wide layers. Where values are replaced, which ones has to be told first, pixel by pixel:
    two layers at full resolution, normalised over the batch, learn that in fewer steps. What is hidden in whole blocks
    is told from afar: from a quarter of the resolution.

    Parameters
    ----------
    shape : tuple of int
        Height, width and channels. Below 8 pixels a side the network is dense.
    corruption : Corruption, optional
        What is to be taken off.
    """

    def conv(filters: int, stride: int = 1, normalization: str | None = "batch") -> Conv:
        return Conv(filters, 3, "silu", stride=stride, normalization=normalization)

    if min(shape[:2]) < SMALLEST:
        units = 4 * int(np.prod(shape))
        return Input() + Dense(units, "silu") + Dense(units, "silu") + Output(skips=True)
    if isinstance(corruption, Blocks):
        return Input() + conv(32) + conv(64, 2) + conv(128, 2) + conv(128) + Output(skips=True)
    if corruption is not None and (corruption.positional or corruption.whole_cells):
        return Input() + conv(32) + conv(32) + conv(64, 2) + conv(64) + Output(skips=True)
    return Input() + conv(48, 1, None) + conv(96, 2, None) + conv(96, 1, None) + Output(skips=True)


def picture_autoencoder(
    shape: tuple[int, ...], corruption: Corruption | None = None, rows: int | None = None, **shared: Any
) -> Autoencoder:
    """The autoencoder that denoises pictures where nobody gives one.

    Parameters
    ----------
    shape : tuple of int
        Height, width and channels of the pictures, or of the patches that they are cut into.
    corruption : Corruption, optional
    rows : int, optional
        How many of them there are to learn from: many are shown fewer times. Without it, 10 epochs.
    **shared
        Further parameters of `Autoencoder`, in place of these.

    Examples
    --------
    >>> picture_autoencoder((32, 32, 3), rows=10_000).epochs
    8
    """
    epochs = 10
    if rows is not None:
        epochs = int(np.clip(round(SHOWN / (max(rows, 1) * shape[0] * shape[1])), *EPOCHS))
    settings: dict[str, Any] = {
        "corruption": corruption,
        "epochs": epochs,
        "batch_size": 64,
        "optimizer": Adam(clip=0.1),  # a step that goes far astray costs a network without normalisation 2 dB
        "learning_rate": Cosine(3e-3, warmup=0.05),
        "validation_fraction": 0.0,
        "patience": None,
    }
    return Autoencoder(picture_network(shape, corruption), **(settings | shared))


# -- what noise is like -----------------------------------------------------------------------------------------------

#: Of a normal variable's absolute value the quartiles, in standard deviations.
QUARTILES = {0.25: 0.31864, 0.5: 0.67449, 0.75: 1.15035}
#: How far values may lie apart that agree.
NEAR = 0.1
#: How many positions must tell of noise before it is believed.
FEWEST = 100


def estimated(noisy: Any) -> Corruption:
    """The noise of pictures, told from themselves: normal noise that was clipped, or salt and pepper.

    - Salt and pepper: positions at an extreme whose neighbours agree on something else, all of them if there are enough
      such places.
    - Black or white grounds: noise of a black ground is cut off below, so that as many values lie just above 0 as at 0.
      Their quartiles are those of half a normal distribution; the lowest tells its standard deviation if they agree.
    - Otherwise the diagonal differences of 2 × 2 pixels, `(a − b − c + d)/2`, whose standard deviation is the noise's
      where a picture is smooth: the median of their absolute values in each picture, of blocks in the middle of the
      range, and of the pictures the quieter quarter's (Donoho & Johnstone 1994).

    Parameters
    ----------
    noisy : array, shape (n, h, w, c)
        Bytes, or other numbers, whose extremes then are black and white unless all lie in [0, 1].

    Returns
    -------
    Corruption
        In scaled units.

    Raises
    ------
    ValueError
        For pictures without any noise that could be told.

    Examples
    --------
    >>> noisy = Clipped(Gaussian(0.1)).apply(np.full((2, 40_000), 0.5)).reshape(2, 200, 200, 1)
    >>> round(estimated(noisy).noise.sd, 2)
    0.1
    """
    y = in_range(noisy)
    share, sd = _impulses(y), _smooth(y)
    if share >= max(0.01, 0.1 * sd):  # far out, normal noise makes a few extremes too
        return Impulses(round(share, 4))
    sd = _grounds(y) or sd
    if not sd:
        raise ValueError("noise: the pictures show none that could be told; say what it is, as Clipped(Gaussian(0.1))")
    return Clipped(Gaussian(round(sd, 4)))


def in_range(pictures: Any) -> Floats:
    """Pictures with black at 0 and white at 1."""
    array = as_numbers(pictures)
    if array.dtype.kind in "bu":
        top = 1.0 if array.dtype.kind == "b" else float(np.iinfo(array.dtype).max)
        return np.asarray(array / top, np.float64)
    values = np.nan_to_num(np.asarray(array, np.float64), nan=0.5)
    low, high = float(values.min()), float(values.max())
    return values if low >= 0.0 and high <= 1.0 else (values - low) / max(high - low, np.finfo(float).tiny)


def _impulses(y: Floats) -> float:
    """The part of the positions that are salt or pepper."""
    h, w = y.shape[1:3]
    if min(h, w) < 3:
        return 0.0
    sides = [(i, j) for i in (0, 1, 2) for j in (0, 1, 2) if (i, j) != (1, 1)]
    near = np.stack([y[:, i : h - 2 + i, j : w - 2 + j] for i, j in sides])
    middle = np.median(near, 0)
    alike, center = (np.abs(near - middle) < NEAR).sum(0), y[:, 1:-1, 1:-1]
    dark, bright = middle < 0.6, middle > 0.4
    for agreeing in (8, 7, 6):  # all neighbours, if there are such places: a thin stroke goes on to one of them
        level = alike >= agreeing
        told = np.concatenate([(center == 1.0)[level & dark], (center == 0.0)[level & bright]])
        if len(told) >= FEWEST:
            return 2.0 * float(told.mean())
    return 0.0


def _grounds(y: Floats) -> float:
    """The standard deviation of noise over a black or white ground; 0 where there is none."""
    for values in (y, 1.0 - y):
        at = int((values <= 0.0).sum())
        above = np.sort(values[values > 0.0])
        if at < max(FEWEST, 0.05 * y.size) or at > len(above):
            continue
        told = [above[int(part * at)] / quartile for part, quartile in QUARTILES.items()]
        if max(told) < 1.2 * min(told):
            return float(told[0])  # the lowest: what is grey by itself falls among the higher ones
    return 0.0


def _smooth(y: Floats) -> float:
    """The standard deviation of noise by diagonal differences; 0 where half of the blocks are flat."""
    h, w = (2 * (side // 2) for side in y.shape[1:3])
    a, b, c, d = (y[:, i:h:2, j:w:2] for i in (0, 1) for j in (0, 1))
    detail, mean = np.abs(a - b - c + d) / 2, (a + b + c + d) / 4
    if not detail.size or np.median(detail) == 0.0:
        return 0.0
    inside = np.abs(mean - 0.5) < 0.2
    told = [np.median(detail[at][inside[at]]) for at in range(len(y)) if inside[at].sum() >= 20]
    return float(np.quantile(told, 0.25)) / QUARTILES[0.5] if told else 0.0


# -- learning from noisy pictures alone -------------------------------------------------------------------------------

#: Values that a clean cell is told apart by, classes of noisy ones (their extremes apart), classes of surroundings.
VALUES, CLASSES, SURROUNDINGS = 129, 128, 32
#: The part of the epochs that finding stand-ins takes.
BEFORE = 1 / 3
#: How often noise is drawn to learn what it does to a value, rounds of expectation and maximisation, cells looked at.
DRAWS, ROUNDS, CELLS = 4000, 300, 4_000_000


@dataclass(frozen=True, eq=False)
class Posterior:
    """The mean of a clean cell given its surroundings and what it shows itself, `E[x | μ, y]`.

    `μ` is what a blind network makes of the surroundings. For each of several classes of μ, the distribution of clean
    values that explains the noisy ones best under the noise `p(y | x)` is found by expectation and maximisation; then
    `E[x | μ, y] = Σ x p(x | μ) p(y | x) / Σ p(x | μ) p(y | x)`. What the noise does to a value is learned by drawing
    it, so that it may be anything that treats cells alike; clipping at black and white is undone too.

    Parameters
    ----------
    edges : ndarray, shape (k,)
        Between the classes of surroundings.
    low, high : float
        The least and the greatest noisy value; either is a class of its own.
    table : ndarray, shape (k + 1, classes + 2)
        The posterior means.

    References
    ----------
    Laine, Karras, Lehtinen & Aila (2019), High-quality self-supervised deep image denoising, NeurIPS; Robbins (1956),
    An empirical Bayes approach to statistics. NOTE[DIFF] p(x | μ) is any distribution, not a normal one of learned
    moments.
    """

    edges: Floats
    low: float
    high: float
    table: Floats

    @classmethod
    def fit(cls, context: NDArray[Any], noisy: NDArray[Any], noise: Corruption) -> Posterior:
        """Learn it from cells.

        Parameters
        ----------
        context, noisy : ndarray of one shape
            In scaled units.
        noise : Corruption
        """
        step = -(-noisy.size // CELLS)
        mean, y = context.ravel()[::step].astype(np.float64), noisy.ravel()[::step].astype(np.float64)
        low, high = float(y.min()), float(y.max())
        even = np.linspace(mean.min(), mean.max(), SURROUNDINGS + 1)[1:-1]
        edges = np.unique([*even, *np.quantile(mean, np.linspace(0, 1, SURROUNDINGS + 1)[1:-1])])
        empty = cls(edges, low, high, np.zeros((len(edges) + 1, CLASSES + 2)))
        values = np.linspace(low, high, VALUES)
        given = empty._channel(values, noise)
        cell = empty._surroundings(mean) * given.shape[0] + empty._shown(y)
        counts = np.bincount(cell, minlength=empty.table.size).reshape(empty.table.shape).astype(np.float64)
        counts += 1e-3 * (counts.sum(0) + 1) / counts.sum()  # classes that nothing fell in
        prior = np.full((len(counts), VALUES), 1.0 / VALUES)
        for _ in range(ROUNDS):
            prior *= (counts / (prior @ given.T)) @ given
            prior /= prior.sum(1, keepdims=True)
        return cls(edges, low, high, (prior @ (given * values).T) / (prior @ given.T))

    def __call__(self, context: NDArray[Any], noisy: NDArray[Any]) -> NDArray[np.float32]:
        """Clean cells, in the shape of `noisy`."""
        return self.table[self._surroundings(context), self._shown(noisy)].astype(np.float32)

    def _channel(self, values: Floats, noise: Corruption) -> Floats:
        """The probability of each class of noisy values (classes + 2) given each clean value."""
        shape = (1, 1) if noise.positional else ()
        clean = np.broadcast_to(values, (DRAWS, VALUES)).reshape(DRAWS, VALUES, *shape)
        seen = self._shown(noise.apply(clean).reshape(DRAWS, VALUES))
        counts = 1e-2 + np.stack([np.bincount(column, minlength=CLASSES + 2) for column in seen.T], 1)
        return np.asarray(counts / counts.sum(0), np.float64)

    def _surroundings(self, context: NDArray[Any]) -> NDArray[np.int64]:
        return np.asarray(np.digitize(context, self.edges), np.int64)

    def _shown(self, noisy: NDArray[Any]) -> NDArray[np.int64]:
        part = (np.asarray(noisy, np.float64) - self.low) / max(self.high - self.low, np.finfo(float).tiny)
        inner = 1 + np.clip((part * CLASSES).astype(np.int64), 0, CLASSES - 1)
        return np.where(part <= 0.0, 0, np.where(part >= 1.0, CLASSES + 1, inner))


def cleaned(noisy: Any, noise: Corruption, autoencoder: Autoencoder) -> Any:
    """Noisy pictures as clean as they alone can tell: what stands for clean ones in blind learning.

    Parameters
    ----------
    noisy : array, shape (n, h, w, c)
    noise : Corruption
        What their noise is; see `estimated`.
    autoencoder : Autoencoder
        Unfitted; a copy of it learns to tell positions from their surroundings, in a third of its epochs.

    Returns
    -------
    array like `noisy`
    """
    epochs = max(1, round(BEFORE * autoencoder.epochs))  # stand-ins gain less by more of them than what follows
    blind = clone(autoencoder).set_params(corruption=BlindSpot(0.2), epochs=epochs).fit(noisy)
    schema: Any = blind.schema_
    seen = schema.pack(noisy)
    y, context = seen.x.numpy(), schema.pack(blind.reconstruct(noisy)).x.numpy()
    known = slice(None) if seen.mask is None else seen.mask.numpy()
    posterior = Posterior.fit(context[known], y[known], noise)
    clean = context.copy()
    clean[known] = posterior(context[known], y[known])
    return schema.unpack(Batch(seen.x.new_tensor(clean), None, seen.rows))
