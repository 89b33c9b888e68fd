"""How far a reconstruction is from x, as a weighted mean over the user's columns.

    row's loss = Σ_c w_c m_c ℓ_c / Σ_c w_c m_c

with one weight w_c a *column* (not a one-hot slot) and m_c = 1 where the cell is observed. `HeadLoss` takes each
head's natural loss for ℓ; the terms of `distances` apply one distance to the reconstruction in the units of x.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import nn

from azogue import formulas
from azogue.objectives.algebra import Pulled, Term

if TYPE_CHECKING:
    from torch import Tensor

    from azogue.heads import Head
    from azogue.network import Network
    from azogue.recipe import Rng, Step


class Reconstruction(Term):
    """Base of the distances: subclasses give the loss of each column.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> class Relative(Reconstruction):
    ...     def columns(self, step):
    ...         return ((step.x - step.out) / step.x).abs()
    >>> model = SimpleNamespace(columns=None, column_weights=torch.tensor([3.0, 1.0]))
    >>> step = SimpleNamespace(x=torch.tensor([[2.0, 4.0]]), out=torch.tensor([[1.0, 4.0]]), mask=None, model=model)
    >>> Relative()(step)  # (3 · ½ + 1 · 0) / (3 + 1)
    tensor([0.3750])
    """

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


def summed(cells: Tensor, scale: float) -> Tensor:
    """The sum of each member's cells (…, n, columns), with the scale taken out."""
    total = cells.sum((-2, -1))
    return total if scale == 1.0 else total / scale


def by_column(cells: Tensor, step: Step) -> Tensor:
    """From one distance a slot to one a column."""
    if step.model.columns is None:
        return cells
    return torch.cat([head.per_column(cells[..., head.slots]) for head in step.model.heads], -1)


class HeadLoss(Reconstruction):
    """Each head's natural loss: squared error, cross-entropies and Poisson in nats. The default reconstruction.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from azogue.heads import Bernoulli, Gaussian
    >>> model = SimpleNamespace(heads=(Gaussian(0, 1, (0,), (1.0,)), Bernoulli(1, 2, (1,), (1.0,))))
    >>> step = SimpleNamespace(x=torch.tensor([[2.0, 1.0]]), raw=torch.tensor([[5.0, 0.0]]), model=model)
    >>> HeadLoss().columns(step)  # (2 − 5)², log 2
    tensor([[9.0000, 0.6931]])
    """

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
        return Pulled(summed(cells.mul_(share), scale), {"raw": slopes.mul_(by_slot(share, step))})

    @property
    def analytic(self) -> bool:
        return self.states("gradient", "__call__", "errors", "columns")

    def compiled(self, head: Head) -> tuple[int, int, int, float] | None:
        loss, own, link = head.compiled
        link = formulas.LINEAR if loss in formulas.OF_LOGITS else link
        if loss is None or link is None or not self.states("compiled", "gradient", "slopes"):
            return None
        return loss, own, link, 0.0


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

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from azogue.heads import Gaussian
    >>> model = SimpleNamespace(heads=(Gaussian(0, 1, (0,), (1.0,)),), numeric=torch.tensor([True]))
    >>> step = SimpleNamespace(x=torch.zeros(1, 1), raw=torch.ones(1, 1), model=model)
    >>> Likelihood(1.0).likelihood(step)  # −½ − ½ log 2π
    tensor([[-1.4189]])
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
        found = Pulled(summed(loss * share, scale), {"raw": slopes * by_slot(inverse * share, step)})
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


class BCE(HeadLoss):
    """Binary cross-entropy, −x log p − (1 − x) log(1 − p), in nats; numeric columns are scaled to [0, 1].

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from azogue.heads import Bernoulli
    >>> model = SimpleNamespace(heads=(Bernoulli(0, 1, (0,), (1.0,)),))
    >>> BCE().columns(SimpleNamespace(x=torch.ones(1, 1), raw=torch.zeros(1, 1), model=model))  # log 2
    tensor([[0.6931]])
    """

    name = "bce"
    heads = frozenset({"bernoulli"})
    demand = "bernoulli"


class CrossEntropy(HeadLoss):
    """Cross-entropy of categories and booleans, −Σ x log p, in nats.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from azogue.heads import Categorical
    >>> model = SimpleNamespace(heads=(Categorical(0, 4, (0,), (1.0,)),))
    >>> x = torch.tensor([[0.0, 1.0, 0.0, 0.0]])
    >>> CrossEntropy().columns(SimpleNamespace(x=x, raw=torch.zeros(1, 4), model=model))  # log 4
    tensor([[1.3863]])
    """

    name = "cross_entropy"
    heads = frozenset({"categorical", "bernoulli"})


class Poisson(HeadLoss):
    """Poisson negative log-likelihood, λ − x log λ + log x!, in nats; numeric columns are counts, unscaled.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from azogue.heads import Poisson as Counts
    >>> model = SimpleNamespace(heads=(Counts(0, 1, (0,), (1.0,)),))
    >>> Poisson().columns(SimpleNamespace(x=torch.tensor([[3.0]]), raw=torch.zeros(1, 1), model=model))  # 1 + log 3!
    tensor([[2.7918]])
    """

    name = "poisson"
    heads = frozenset({"poisson"})
    demand = "poisson"
