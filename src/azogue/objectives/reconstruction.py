"""Distances between x and its reconstruction, as a weighted mean over the user's columns.

    row's loss = Σ_c w_c m_c ℓ_c / Σ_c w_c m_c

with one weight w_c a *column* (not a one-hot slot) and m_c = 1 where the cell is observed. `HeadLoss` takes each
head's natural loss for ℓ; the other terms apply one distance to the reconstruction in the units of x (probabilities
for booleans and categories, whose slots are summed: squared error then is Brier's score).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import nn

from azogue.objectives.algebra import Pulled, Term

if TYPE_CHECKING:
    from torch import Tensor

    from azogue.network import Network
    from azogue.recipe import Rng, Step


class Reconstruction(Term):
    """Base of the distances: subclasses give the loss of each column."""

    reconstructs: ClassVar[bool] = True

    def columns(self, step: Step) -> Tensor:
        """The loss ℓ of each column, shape (n, columns) in the order of the heads; 0 at best."""
        raise NotImplementedError

    def errors(self, step: Step) -> Tensor:
        """The error of each row, (n,); 0 at best."""
        return weighted_mean(self.columns(step), step)

    def __call__(self, step: Step) -> Tensor:
        """The loss of each row: its error, and what may have to be added for the sake of training."""
        return self.errors(step)

    def likelihood(self, step: Step) -> Tensor:
        """The log likelihood of each column given the code, (n, columns), in nats."""
        raise TypeError(f"{self!r} is not a likelihood; leave objective=None, or use Likelihood(variance)")


def shares(step: Step, scale: float) -> Tensor:
    """What each column counts in `scale` times the batch's mean: (columns,), or (…, n, columns) with a mask."""
    weights: Tensor = step.model.column_weights
    factor, mask = scale / step.x.shape[-2], observed(step)
    if mask is None:
        return step.model.column_shares(factor)
    kept = weights.to(step.x.dtype) * mask
    return kept * (factor / kept.sum(-1, keepdim=True).clamp(min=torch.finfo(kept.dtype).tiny))


def by_slot(columns: Tensor, step: Step) -> Tensor:
    """From one value a column to one a slot."""
    return columns if step.model.columns is None else columns[..., step.model.columns]


def observed(step: Step) -> Tensor | None:
    """The mask brought from slots to columns, (n, columns), or None where all cells count."""
    if step.mask is None or step.model.columns is None:
        return step.mask
    return step.mask[..., step.model.first_slots]


def weighted_mean(cells: Tensor, step: Step) -> Tensor:
    """Σ w m ℓ / Σ w m over the columns; 0 for a row without any observed cell."""
    weights: Tensor = step.model.column_weights.to(cells.dtype)
    mask = observed(step)
    if mask is None:
        return cells @ weights / weights.sum()
    kept = weights * mask
    return (cells * kept).sum(1) / kept.sum(1).clamp(min=torch.finfo(cells.dtype).tiny)


def _total(cells: Tensor, scale: float) -> Tensor:
    """The sum of each member's cells (…, n, columns), with the scale taken out."""
    total = cells.sum((-2, -1))
    return total if scale == 1.0 else total / scale


def by_column(cells: Tensor, step: Step) -> Tensor:
    """From one distance a slot to one a column."""
    if step.model.columns is None:
        return cells
    return torch.cat([head.per_column(cells[..., head.slots]) for head in step.model.heads], -1)


class HeadLoss(Reconstruction):
    """Each head's natural loss: squared error, cross-entropies and Poisson in nats. The default reconstruction."""

    name = "reconstruction"

    def columns(self, step: Step) -> Tensor:
        raw = step.out if step.raw is None else step.raw
        parts = [head.loss(raw[:, head.slots], step.x[:, head.slots]) for head in step.model.heads]
        return parts[0] if len(parts) == 1 else torch.cat(parts, 1)

    def likelihood(self, step: Step) -> Tensor:
        return -self.columns(step) - 0.5 * math.log(math.pi) * step.model.numeric.to(step.x.dtype)

    def slopes(self, step: Step) -> tuple[Tensor, Tensor]:
        """The loss of each column (…, n, columns), and its derivative by each slot of the raw output; fresh tensors."""
        raw = step.out if step.raw is None else step.raw
        heads = step.model.heads
        if len(heads) == 1:
            return heads[0].gradient(raw, step.x)
        parts = [head.gradient(raw[..., head.slots], step.x[..., head.slots]) for head in heads]
        return torch.cat([cells for cells, _ in parts], -1), torch.cat([slope for _, slope in parts], -1)

    def gradient(self, step: Step, scale: float) -> Pulled:
        share = shares(step, scale)
        cells, slopes = self.slopes(step)  # both are fresh
        return Pulled(_total(cells.mul_(share), scale), {"raw": slopes.mul_(by_slot(share, step))})

    @property
    def analytic(self) -> bool:
        return self.states("gradient", "__call__", "errors", "columns")


#: Bounds of a learned variance, in scaled units.
SMALLEST_VARIANCE, LARGEST_VARIANCE = 1e-6, 1e2
LOG_VARIANCES = math.log(SMALLEST_VARIANCE), math.log(LARGEST_VARIANCE)
#: log σ² is so many times its parameter: an optimiser that moves parameters by its rate a step would need all of a
#: short training to bring σ² down to the errors.
PACE = 10.0


@dataclass(frozen=True, repr=False)
class Likelihood(HeadLoss):
    """Minus the log likelihood: numeric columns are normal around the reconstruction, with a variance of their own.

    `½ (x − out)²/σ² + ½ log 2πσ²` for numeric columns, each other head's natural loss, all in nats. That is the loss;
    the *error* of a row or cell is its head's natural loss, so that models with different σ² compare.

    Parameters
    ----------
    variance : float, "shared" or "column"
        σ² in scaled units, or learned: one for all numeric columns, or one for each.

    References
    ----------
    Rybkin, Daniilidis & Levine (2021), Simple and effective VAE training with calibrated decoders, ICML.
    """

    variance: float | str = "shared"

    name = "reconstruction"

    def __post_init__(self) -> None:
        if isinstance(self.variance, str):
            if self.variance not in ("shared", "column"):
                raise ValueError(f"Likelihood: variance must be a number, 'shared' or 'column', got {self.variance!r}")
        elif isinstance(self.variance, bool) or not 0.0 < self.variance < math.inf:
            raise ValueError(f"Likelihood: variance must be positive, got {self.variance!r}")

    def build(self, network: Network, rng: Rng) -> nn.Module | None:
        numeric = sum(len(head.columns) for head in network.heads if head.kind == "gaussian")
        if not isinstance(self.variance, str) or not numeric:
            return None
        size = 1 if self.variance == "shared" else numeric
        return nn.ParameterDict({"log_variance": nn.Parameter(torch.zeros(size))})

    def log_variance(self, step: Step) -> Tensor:
        """Log σ² of each numeric column, (columns,), and 0 for the others."""
        numeric = step.model.numeric
        if not isinstance(self.variance, str):
            return numeric.to(step.x.dtype) * math.log(self.variance)
        weights = step.model.column_weights
        if not bool(numeric.any()):
            return torch.zeros_like(weights)
        (own,) = step.model.part(self).parameters()
        result = weights.new_zeros(*own.shape[:-1], len(weights))
        result[..., numeric] = (PACE * own).to(result.dtype).clamp(*LOG_VARIANCES)
        return result

    def __call__(self, step: Step) -> Tensor:
        return weighted_mean(-self.likelihood(step), step)

    def likelihood(self, step: Step) -> Tensor:
        numeric, log_variance = step.model.numeric, self.log_variance(step)
        scaled = self.columns(step) * torch.where(numeric, 0.5 * (-log_variance).exp(), 1.0)
        return -scaled - 0.5 * numeric * (math.log(2 * math.pi) + log_variance)

    def gradient(self, step: Step, scale: float) -> Pulled:
        share, numeric = shares(step, scale), step.model.numeric
        cells, slopes = self.slopes(step)
        log_variance = self.log_variance(step).unsqueeze(-2)  # one for all rows
        inverse = torch.where(numeric, 0.5 * (-log_variance).exp(), 1.0)
        scaled = cells * inverse
        loss = scaled + 0.5 * numeric * (math.log(2 * math.pi) + log_variance)
        found = Pulled(_total(loss * share, scale), {"raw": slopes * by_slot(inverse * share, step)})
        if isinstance(self.variance, str) and bool(numeric.any()):
            (own,) = step.model.part(self).parameters()
            each = ((0.5 - scaled) * share).sum(-2)[..., numeric]
            each = each.sum(-1, keepdim=True) if own.shape[-1] == 1 else each
            low, high = LOG_VARIANCES
            found.parameters.append((own, PACE * each * (PACE * own).ge(low) * (PACE * own).le(high)))
        return found

    @property
    def analytic(self) -> bool:
        return self.states("gradient", "__call__", "likelihood", "errors", "columns", "log_variance")


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
        return Pulled(_total(cells * share, scale), {"out": self.slope(error) * by_slot(share, step)})

    @property
    def analytic(self) -> bool:
        return self.states("gradient", "__call__", "errors", "columns") and self.states("slope", "distance")


class MSE(Distance):
    """Squared error, (x − out)²."""

    def distance(self, error: Tensor) -> Tensor:
        return error.square()

    def slope(self, error: Tensor) -> Tensor:
        return error + error


class RMSE(MSE):
    """Root of a row's mean squared error; its columns are squared errors."""

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
    """Absolute error, `|x − out|`."""

    def distance(self, error: Tensor) -> Tensor:
        return error.abs()

    def slope(self, error: Tensor) -> Tensor:
        return error.sign()


@dataclass(frozen=True, repr=False)
class Huber(Distance):
    """Squared near zero, absolute far away: `e²/2` for `|e| ≤ δ`, else `δ(|e| − δ/2)` (Huber 1964)."""

    delta: float = 1.0

    def __post_init__(self) -> None:
        if self.delta <= 0:
            raise ValueError(f"Huber: delta must be positive, got {self.delta!r}")

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


class BCE(HeadLoss):
    """Binary cross-entropy, −x log p − (1 − x) log(1 − p), in nats; numeric columns are scaled to [0, 1]."""

    name = "bce"
    heads = frozenset({"bernoulli"})
    demand = "bernoulli"


class CrossEntropy(HeadLoss):
    """Cross-entropy of categories and booleans, −Σ x log p, in nats."""

    name = "cross_entropy"
    heads = frozenset({"categorical", "bernoulli"})


class Poisson(HeadLoss):
    """Poisson negative log-likelihood, λ − x log λ + log x!, in nats; numeric columns are counts, unscaled."""

    name = "poisson"
    heads = frozenset({"poisson"})
    demand = "poisson"


#: Names that `objective=` takes as text.
NAMED: dict[str, Term] = {
    "mse": MSE(),
    "mean_squared_error": MSE(),
    "mean_absolute_error": MAE(),
    "rmse": RMSE(),
    "mae": MAE(),
    "huber": Huber(),
    "correntropy": Correntropy(),
    "bce": BCE(),
    "binary_crossentropy": BCE(),
    "cross-entropy": CrossEntropy(),
    "categorical_crossentropy": CrossEntropy(),
    "poisson": Poisson(),
}
