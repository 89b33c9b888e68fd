"""Noise that is added to every cell, and noise kept within a range."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from azogue.corruptions.base import STREAM, Corruption, Shape, check_order, uniform
from azogue.recipe import Rng

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, repr=False)
class Gaussian(Corruption):
    """Add normal noise of standard deviation `sd`.

    Examples
    --------
    >>> Gaussian(0.2).apply([[5.0] * 10_000]).std().round(2)
    np.float64(0.2)
    """

    sd: float = 0.1

    def __post_init__(self) -> None:
        if self.sd < 0:
            raise ValueError(f"Gaussian: sd must be at least 0, got {self.sd!r}")

    def __call__(self, x: Tensor, rng: Rng, columns: Tensor | None = None) -> tuple[Tensor, Tensor]:
        import torch

        return x + self.sd * rng.normal(STREAM, x.shape, x), torch.ones_like(x, dtype=torch.bool)


@dataclass(frozen=True, repr=False)
class Cauchy(Corruption):
    """Add Cauchy noise of scale `scale`: mostly small, now and then enormous.

    Examples
    --------
    >>> import numpy as np
    >>> np.median(np.abs(Cauchy(0.2).apply([[0.0] * 10_000]))).round(2)
    np.float64(0.2)
    """

    scale: float = 0.005

    def __post_init__(self) -> None:
        if self.scale < 0:
            raise ValueError(f"Cauchy: scale must be at least 0, got {self.scale!r}")

    def __call__(self, x: Tensor, rng: Rng, columns: Tensor | None = None) -> tuple[Tensor, Tensor]:
        import torch

        noise = torch.tan(torch.pi * (uniform(x, rng) - 0.5))
        return x + self.scale * noise, torch.ones_like(x, dtype=torch.bool)


@dataclass(frozen=True, repr=False)
class Levels(Corruption):
    """Add normal noise whose standard deviation is drawn for each row, evenly between `low` and `high`.

    What a denoiser is trained with that is to work at any level in between.

    Examples
    --------
    >>> Levels(0.2, 0.2).apply([[0.0] * 1000]).std().round(1)
    np.float64(0.2)
    """

    low: float = 0.02
    high: float = 0.2

    def __post_init__(self) -> None:
        if not 0.0 <= self.low <= self.high < math.inf:
            raise ValueError(f"Levels: needs 0 ≤ low ≤ high, got low={self.low!r}, high={self.high!r}")

    def __call__(self, x: Tensor, rng: Rng, columns: Tensor | None = None) -> tuple[Tensor, Tensor]:
        import torch

        sd = self.low + (self.high - self.low) * rng.uniform("corruption/level", (len(x), 1), x)
        return x + sd * rng.normal(STREAM, x.shape, x), torch.ones_like(x, dtype=torch.bool)


@dataclass(frozen=True, repr=False)
class Clipped(Corruption):
    """Another corruption, kept within a range: noisy pictures of bytes have no values below black or above white.

    Parameters
    ----------
    noise : Corruption
    low, high : float
        In scaled units.

    Examples
    --------
    >>> seen = Clipped(Gaussian(5.0)).apply([[0.0, 0.5, 1.0]])
    >>> bool((0 <= seen).all() and (seen <= 1).all())
    True
    """

    noise: Corruption
    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.noise, Corruption):
            raise TypeError(f"Clipped: expected a corruption such as Gaussian(0.1), got {self.noise!r}")
        check_order(self.low, self.high, "Clipped")

    @property
    def positional(self) -> bool:  # type: ignore[override]
        """As the noise inside."""
        return self.noise.positional

    @property
    def blind(self) -> bool:  # type: ignore[override]
        """As the noise inside."""
        return self.noise.blind

    @property
    def whole_cells(self) -> bool:  # type: ignore[override]
        """As the noise inside."""
        return self.noise.whole_cells

    def __call__(self, x: Tensor, rng: Rng, columns: Tensor | None = None, shape: Shape = ()) -> tuple[Tensor, Tensor]:
        told = {"shape": shape} if self.positional else {}
        if self.whole_cells and columns is not None:
            told["columns"] = columns  # type: ignore[assignment]
        seen, touched = self.noise(x, rng, **told)  # type: ignore[arg-type]
        return seen.clamp(self.low, self.high), touched
