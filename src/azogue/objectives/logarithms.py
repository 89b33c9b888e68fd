"""Distances on a logarithmic scale: what matters then is by which factor an error falls, not by how much."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from azogue.objectives.algebra import Pulled
from azogue.objectives.distances import MSE
from azogue.objectives.reconstruction import by_column, by_slot, shares

if TYPE_CHECKING:
    from torch import Tensor

    from azogue.recipe import Step


@dataclass(frozen=True, repr=False)
class LogError(MSE):
    """Logarithm of a row's mean squared error, `½ log(1 + mean (x − out)² / floor)`; its errors are squared errors.

    A row's signal-to-noise ratio in dB is `10 log₁₀ mean x² / mean (x − out)²`, so that its mean over rows improves by
    exactly what this falls, as long as errors are well above the floor. Squared error would leave rows of little noise
    to themselves: theirs is a small part of the sum.

    Parameters
    ----------
    floor : float
        Mean squared error in scaled units below which a row counts as good enough.

    References
    ----------
    Le Roux, Wisdom, Erdogan & Hershey (2019), SDR – half-baked or well done?, ICASSP. NOTE[DIFF] not invariant to the
    scale of the output, and bounded by the floor.

    Examples
    --------
    >>> LogError()
    LogError()
    """

    floor: float = 1e-4

    def __post_init__(self) -> None:
        if not 0.0 < self.floor < math.inf:
            raise ValueError(f"LogError: floor must be positive, got {self.floor!r}")

    def __call__(self, step: Step) -> Tensor:
        return 0.5 * (self.errors(step) / self.floor).log1p()

    def gradient(self, step: Step, scale: float) -> Pulled:
        rows = step.x.shape[-2]
        share, error = shares(step, rows), step.out - step.x
        mean = (by_column(self.distance(error), step) * share).sum(-1)
        outer = (0.5 * scale / rows / (mean + self.floor))[..., None]
        value = 0.5 * (mean / self.floor).log1p().mean(-1)
        return Pulled(value, {"out": self.slope(error) * by_slot(share, step) * outer})
