"""Corruptions that know where a cell stands: blind spots, hidden blocks, impulses.

Rows are pictures `(h, w, c)` or sequences `(t, c)`, flat; a *position* is a pixel or a time step, whose channels lie
side by side. What the positional ones are given besides the rows is `shape`, one of the two.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from azogue.corruptions.base import STREAM, Corruption, Shape, check_order
from azogue.recipe import Rng

if TYPE_CHECKING:
    from torch import Tensor


#: How far from an extreme a value may be that is at it, and one that is near it.
EXACT, NEAR = 1e-6, 0.1
#: For how many positions the assumption counts that none is at an extreme by itself.
RARE = 20


def _part(value: object, owner: str, name: str = "p") -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.0 <= value <= 1.0:
        raise ValueError(f"{owner}: {name} must be a part in [0, 1], got {value!r}")


def _whole(value: object, owner: str, name: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{owner}: {name} must be a whole number of at least 1, got {value!r}")


def _plane(width: int, shape: Shape, owner: str) -> tuple[int, int, int]:
    """Height, width and channels of rows of `width` values; a sequence is a picture of height 1."""
    if len(shape) not in (2, 3) or math.prod(shape) != width:
        raise ValueError(
            f"{owner}: needs pictures (h, w, c) or sequences (t, c), got rows of {width} values of the shape "
            f"{tuple(shape)}; tables have no neighbours: use Masking or Swap there"
        )
    return (1, shape[0], shape[1]) if len(shape) == 2 else (shape[0], shape[1], shape[2])


@dataclass(frozen=True, repr=False)
class Positional(Corruption):
    """Base of the corruptions that see positions: subclasses work on rows as (n, h, w, c).

    Examples
    --------
    >>> import torch
    >>> class Mirrored(Positional):
    ...     def change(self, grid, rng):
    ...         return grid.flip(2), torch.ones_like(grid, dtype=torch.bool)
    >>> Mirrored().apply([[[1.0], [2.0], [3.0]]]).ravel()
    array([3., 2., 1.])
    """

    positional: ClassVar[bool] = True

    def change(self, grid: Tensor, rng: Rng) -> tuple[Tensor, Tensor]:
        """Clean rows (n, h, w, c) → what is seen of them, and where they were touched, (n, h, w, 1 or c)."""
        raise NotImplementedError

    def __call__(self, x: Tensor, rng: Rng, columns: Tensor | None = None, shape: Shape = ()) -> tuple[Tensor, Tensor]:
        grid = x.reshape(len(x), *_plane(x.shape[-1], shape, type(self).__name__))
        seen, touched = self.change(grid, rng)
        return seen.reshape(x.shape), touched.expand(grid.shape).reshape(x.shape)


@dataclass(frozen=True, repr=False)
class BlindSpot(Positional):
    """Positions chosen at random show another position nearby, and only they count for the loss (Noise2Void).

    A network that is trained so on noisy rows alone cannot learn a cell's noise, of which its neighbours tell nothing;
    it learns the mean of what the cell shows, given its surroundings.

    Parameters
    ----------
    p : float
        The part of the positions that is chosen.
    radius : int
        How far the position that is shown may lie along each axis; it is never the chosen one.
    together : bool
        Whether all channels of a position are hidden at once, as noise that is common to them asks for; otherwise each
        value is chosen on its own.

    Raises
    ------
    ValueError
        For parts outside [0, 1], and rows without positions or of one position.

    References
    ----------
    Krull, Buchholz & Jug (2019), Noise2Void: learning denoising from single noisy images, CVPR.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.arange(9.0).reshape(1, 3, 3, 1)
    >>> bool((BlindSpot(1.0, radius=1).apply(X) == X).any())
    False
    """

    p: float = 0.1
    radius: int = 2
    together: bool = True

    blind: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _part(self.p, "BlindSpot")
        _whole(self.radius, "BlindSpot", "radius")

    def change(self, grid: Tensor, rng: Rng) -> tuple[Tensor, Tensor]:
        import torch

        n, h, w, c = grid.shape
        if h * w < 2:
            raise ValueError("BlindSpot: rows of one position have no neighbours to show")
        cells = (n, h, w, 1 if self.together else c)
        touched = rng.uniform(STREAM, cells, grid) < self.p
        down, tall = self._near(h, grid)
        right, wide = self._near(w, grid)
        down, right = down.view(h, 1, 1), right.view(1, w, 1)
        rows = torch.arange(h, device=grid.device).view(h, 1, 1)
        columns = torch.arange(w, device=grid.device).view(1, w, 1)
        others = tall * wide - 1
        pick = (rng.uniform("corruption/neighbor", cells, grid) * others).long().clamp(max=others - 1)
        pick = pick + (pick >= (rows - down) * wide + columns - right)  # the position itself is left out
        place = (down + pick // wide) * w + right + pick % wide
        shown = grid.reshape(n, h * w, c).gather(1, place.view(n, h * w, -1).expand(n, h * w, c))
        return torch.where(touched, shown.view(grid.shape), grid), touched

    def _near(self, size: int, like: Tensor) -> tuple[Tensor, int]:
        """The first of the places around each place of an axis, (size,), and how many there are."""
        import torch

        span = min(2 * self.radius + 1, size)
        return (torch.arange(size, device=like.device) - self.radius).clamp(0, size - span), span


@dataclass(frozen=True, repr=False)
class Blocks(Positional):
    """Hides connected blocks of each row, and only they count for the loss: what inpainting learns from.

    A block of a sequence is a span of time steps, one of a picture a rectangle whose sides are at most 2 : 1 to each
    other. Sizes are drawn for the batch, places for each row.

    Parameters
    ----------
    p : float
        The part of a row that is hidden; less where blocks overlap.
    count : int
        Into how many blocks it is cut.
    value : float
        What the hidden cells show. Missing cells show 0.

    Raises
    ------
    ValueError
        For parts outside [0, 1], and rows without positions.

    References
    ----------
    Pathak et al. (2016), Context encoders: feature learning by inpainting, CVPR; Xie, Xu & Chen (2012), Image denoising
    and inpainting with deep neural networks, NeurIPS.

    Examples
    --------
    >>> import numpy as np
    >>> int(Blocks(0.25).apply(np.ones((1, 100, 1))).sum())
    75
    """

    p: float = 0.25
    count: int = 1
    value: float = 0.0

    blind: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _part(self.p, "Blocks")
        _whole(self.count, "Blocks", "count")

    def change(self, grid: Tensor, rng: Rng) -> tuple[Tensor, Tensor]:
        n, h, w, _ = grid.shape
        touched = grid.new_zeros(n, h, w, 1).bool()
        for number in range(self.count):
            stream = f"corruption/block{number}"
            ratio = 2.0 ** (float(rng.uniform(f"{stream}/ratio", (1,), grid)) - 0.5)
            tall = 1 if h == 1 else min(h, max(1, round(ratio * h * math.sqrt(self.p / self.count))))
            wide = min(w, round(self.p / self.count * h * w / tall))
            place = rng.uniform(stream, (n, 2), grid)
            inside = _span(place[:, 0], tall, h)[:, :, None] & _span(place[:, 1], wide, w)[:, None, :]
            touched |= inside[..., None]
        return grid.masked_fill(touched, self.value), touched


def _span(place: Tensor, length: int, size: int) -> Tensor:
    """Where an axis is within a span that starts at a part `place` (n,) of the room that there is, (n, size)."""
    import torch

    first = (place * (size - length + 1)).long().clamp(max=size - length)[:, None]
    axis = torch.arange(size, device=place.device)
    return (axis >= first) & (axis < first + length)


@dataclass(frozen=True, repr=False)
class Impulses(Positional):
    """Salt and pepper: with probability p a position, all of its channels, shows `low` or `high`, at even odds.

    Parameters
    ----------
    p : float
    low, high : float
        In scaled units; pixels of bytes lie in [0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> sorted({*Impulses(0.5).apply(np.full((1, 8, 8, 1), 0.5)).ravel().tolist()})
    [0.0, 0.5, 1.0]
    """

    p: float = 0.1
    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        _part(self.p, "Impulses")
        check_order(self.low, self.high, "Impulses")

    def change(self, grid: Tensor, rng: Rng) -> tuple[Tensor, Tensor]:
        import torch

        draw = rng.uniform(STREAM, (*grid.shape[:3], 1), grid)
        extreme = torch.where(draw < 0.5 * self.p, self.low, self.high).to(grid.dtype)
        touched = draw < self.p
        return torch.where(touched, extreme, grid), touched


@dataclass(frozen=True, repr=False)
class FurtherImpulses(Positional):
    """Salt and pepper once more, on pictures that have it; the loss counts what most likely shows none before.

    So what is learned is to take off salt and pepper, from the positions that are clean: neither clean pictures are
    needed nor another training that finds stand-ins for them.

    A position at an extreme, k of whose neighbours are near it too, shows an impulse with probability `p / 2` divided
    by how often such positions are at that extreme, since its neighbours tell nothing of its impulse (Robbins 1956). It
    is taken for one above 1/2.

    Parameters
    ----------
    p : float
        The part of the positions that show an impulse already, and that get one once more.
    low, high : float
        In scaled units.

    Examples
    --------
    >>> import numpy as np
    >>> noisy = Impulses(0.2).apply(np.full((1, 50, 50, 1), 0.5))
    >>> bool((FurtherImpulses(0.2).apply(noisy, random_state=1) != noisy).any())
    True
    """

    p: float = 0.1
    low: float = 0.0
    high: float = 1.0

    blind: ClassVar[bool] = True

    def __post_init__(self) -> None:
        Impulses(self.p, self.low, self.high)  # which checks them

    def change(self, grid: Tensor, rng: Rng) -> tuple[Tensor, Tensor]:
        seen, _ = Impulses(self.p, self.low, self.high).change(grid, rng)
        return seen, ~self.suspect(grid)

    def suspect(self, grid: Tensor) -> Tensor:
        """Which positions of pictures (n, h, w, c) most likely show an impulse, (n, h, w, 1)."""
        import torch

        found = torch.zeros_like(grid[..., :1], dtype=torch.bool)
        for extreme in (self.low, self.high):
            away = (grid - extreme).abs().amax(-1)
            at, near = away <= EXACT, (away < NEAR).to(grid.dtype)
            around = torch.nn.functional.avg_pool2d(near[:, None], 3, 1, 1, divisor_override=1)[:, 0]
            k = (around - near).round().long()
            hits, places = (torch.bincount(of, minlength=9) for of in (k[at], k.ravel()))
            often = (hits + 0.5 * self.p * RARE) / (places + RARE)  # few positions tell little
            found |= (at & (self.p > often[k]))[..., None]
        return found
