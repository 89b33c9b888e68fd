"""One distance for all columns, in the units of x: probabilities for booleans and categories, whose slots are summed.

Squared error then is Brier's score.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch

from azogue import formulas
from azogue.objectives.algebra import Pulled
from azogue.objectives.reconstruction import Reconstruction, by_column, by_slot, shares, summed

if TYPE_CHECKING:
    from torch import Tensor

    from azogue.heads import Head
    from azogue.recipe import Step


class Distance(Reconstruction):
    """One distance for all heads, slot by slot in the units of x."""

    reads_out: ClassVar[bool] = True

    def distance(self, error: Tensor) -> Tensor:
        """From x − out, shape (n, width), the distance of each slot."""
        raise NotImplementedError

    def slope(self, error: Tensor) -> Tensor:
        """The derivative of `distance` by the error."""
        raise NotImplementedError

    def columns(self, step: Step) -> Tensor:
        return by_column(self.distance(step.x - step.out), step)

    def gradient(self, step: Step, scale: float) -> Pulled:
        share, error = shares(step, scale), step.out - step.x  # distances are even, slopes odd
        cells = by_column(self.distance(error), step)
        return Pulled(summed(cells * share, scale), {"out": self.slope(error) * by_slot(share, step)})

    @property
    def analytic(self) -> bool:
        return self.states("gradient", "__call__", "errors", "columns") and self.states("slope", "distance")

    #: the distance's number in `formulas`, if it has one
    formula: ClassVar[int | None] = None

    @property
    def detail(self) -> float:
        """The number that the formula needs besides, if any."""
        return 0.0

    def compiled(self, head: Head) -> tuple[int, int, int, float] | None:
        link, known = head.compiled.link, self.states("formula", "distance", "slope", "gradient")
        if self.formula is None or not known or link is None or head.compiled.own != 1:
            return None
        return self.formula, 1, link, self.detail


class MSE(Distance):
    """Squared error, (x − out)².

    Examples
    --------
    >>> MSE().distance(torch.tensor([0.0, 0.5, -2.0]))
    tensor([0.0000, 0.2500, 4.0000])
    """

    formula: ClassVar[int | None] = formulas.SQUARED

    def distance(self, error: Tensor) -> Tensor:
        return error.square()

    def slope(self, error: Tensor) -> Tensor:
        return error + error


class RMSE(MSE):
    """Root of a row's mean squared error; its columns are squared errors.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> model = SimpleNamespace(columns=None, column_weights=torch.ones(2))
    >>> step = SimpleNamespace(x=torch.zeros(1, 2), out=torch.tensor([[1.0, 7.0]]), mask=None, model=model)
    >>> MSE()(step), RMSE()(step)
    (tensor([25.]), tensor([5.]))
    """

    def errors(self, step: Step) -> Tensor:
        return (super().errors(step) + torch.finfo(step.x.dtype).eps ** 2).sqrt()

    def gradient(self, step: Step, scale: float) -> Pulled:
        rows = step.x.shape[-2]
        share, error = shares(step, rows), step.out - step.x
        mean = (by_column(self.distance(error), step) * share).sum(-1)
        root = (mean + torch.finfo(mean.dtype).eps ** 2).sqrt()
        outer = (0.5 * scale / rows / root)[..., None]
        return Pulled(root.mean(-1), {"out": self.slope(error) * by_slot(share, step) * outer})


class MAE(Distance):
    """Absolute error, `|x − out|`.

    Examples
    --------
    >>> MAE().distance(torch.tensor([0.0, 0.5, -2.0]))
    tensor([0.0000, 0.5000, 2.0000])
    """

    formula: ClassVar[int | None] = formulas.ABSOLUTE

    def distance(self, error: Tensor) -> Tensor:
        return error.abs()

    def slope(self, error: Tensor) -> Tensor:
        return error.sign()


@dataclass(frozen=True, repr=False)
class Huber(Distance):
    """Squared near zero, absolute far away: `e²/2` for `|e| ≤ δ`, else `δ(|e| − δ/2)` (Huber 1964).

    Examples
    --------
    >>> Huber(1.0).distance(torch.tensor([0.5, -3.0]))
    tensor([0.1250, 2.5000])
    """

    formula: ClassVar[int | None] = formulas.HUBER
    delta: float = 1.0

    def __post_init__(self) -> None:
        if self.delta <= 0:
            raise ValueError(f"Huber: delta must be positive, got {self.delta!r}")

    @property
    def detail(self) -> float:
        return self.delta

    def distance(self, error: Tensor) -> Tensor:
        return torch.nn.functional.huber_loss(error, torch.zeros_like(error), reduction="none", delta=self.delta)

    def slope(self, error: Tensor) -> Tensor:
        return error.clamp(-self.delta, self.delta)


@dataclass(frozen=True, repr=False)
class Correntropy(Distance):
    """Correntropy-induced loss, 2σ²(1 − exp(−e²/2σ²)): squared error for small e, bounded by 2σ² for large.

    Parameters
    ----------
    sigma : float
        Width σ of the kernel, in scaled units. As σ grows the loss tends to squared error.

    References
    ----------
    Liu, Pokharel & Príncipe (2007), Correntropy. NOTE[DIFF] scaled by 2σ² and shifted so that it is a distance; a
    mean over the batch, so that it does not depend on the batch's size as ruta's does.

    Examples
    --------
    >>> Correntropy(0.5).distance(torch.tensor([0.0, 0.5, 100.0]))
    tensor([0.0000, 0.1967, 0.5000])
    """

    sigma: float = 0.5

    def __post_init__(self) -> None:
        if self.sigma <= 0:
            raise ValueError(f"Correntropy: sigma must be positive, got {self.sigma!r}")

    def distance(self, error: Tensor) -> Tensor:
        width = 2.0 * self.sigma**2
        return -width * torch.expm1(-error.square() / width)

    def slope(self, error: Tensor) -> Tensor:
        return 2 * error * (-error.square() / (2.0 * self.sigma**2)).exp()
