"""Neighbourhoods: codes lie near one another where their rows do."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from azogue.objectives.algebra import Pulled, Term

if TYPE_CHECKING:
    from azogue.network import Network
    from azogue.recipe import Step

#: Rounds of the search for a row's precision, and how far one goes in its logarithm.
ROUNDS, LONGEST = 10, 2.0
#: Logarithms between which the precision lies and where the search starts, where squared distances have a mean of 1.
BRACKET, START = (-12.0, 24.0), 1.0
#: Steps this short may leave the bracket: who has arrived stands on its edge.
ARRIVED = 1e-3


def affinities(x: Tensor, perplexity: float) -> tuple[Tensor, Tensor]:
    """How near its nearest others are to each row: `p(j | i) ∝ exp(−βᵢ ‖xᵢ − xⱼ‖²)`, of the stated perplexity.

    The precision βᵢ makes the entropy of row i's probabilities the logarithm of `perplexity`. Rows beyond the
    `3 · perplexity + 1` nearest count as infinitely far.

    Parameters
    ----------
    x : Tensor, shape (n, width)
        At least two rows.
    perplexity : float
        Brought down to a third of the other rows where there are few.

    Returns
    -------
    neighbors : Tensor of int64, shape (n, k)
        The nearest others of each row, the nearest first.
    probabilities : Tensor, shape (n, k)
        Their probabilities; each row sums to 1.

    References
    ----------
    van der Maaten & Hinton (2008), Visualizing data using t-SNE, JMLR; van der Maaten (2014), JMLR, for the cut.

    Examples
    --------
    >>> neighbors, probabilities = affinities(torch.tensor([[0.0], [1.0], [3.0]]), perplexity=1.5)
    >>> neighbors.tolist()
    [[1, 2], [0, 2], [1, 0]]
    >>> probabilities.sum(1)
    tensor([1., 1., 1.])
    """
    perplexity, count = reach_of(len(x) - 1, perplexity)
    squares = squared_distances(x - x.mean(0)).fill_diagonal_(math.inf)
    near, neighbors = squares.topk(count, largest=False)
    return neighbors, near_probabilities(near, perplexity)


def reach_of(count: int, perplexity: float) -> tuple[float, int]:
    """The perplexity that so many other rows allow, at most a third of them, and how many rows then count."""
    perplexity = min(perplexity, max(count / 3, 1.0))
    return perplexity, min(count, int(3 * perplexity) + 1)


def near_probabilities(squares: Tensor, perplexity: float) -> Tensor:
    """p(j | i) ∝ exp(−βᵢ dᵢⱼ²) of squared distances (n, k), the nearest first, with the perplexity stated."""
    near = squares - squares[:, :1]
    mean = near.mean(1, keepdim=True).clamp(min=torch.finfo(near.dtype).tiny)
    return _probabilities(near / mean, math.log(perplexity))


def _probabilities(near: Tensor, entropy: float) -> Tensor:
    """Of squared distances (n, k), the nearest 0: as far as it can be had, of the entropy wanted.

    Newton's method in the logarithm of the precision; where a step leaves the bracket, that is halved instead.
    """
    low, high = (near.new_full((len(near), 1), bound) for bound in BRACKET)
    at, tiny = torch.full_like(low, START), torch.finfo(near.dtype).tiny
    for _ in range(ROUNDS):
        weights = torch.exp(-at.exp() * near)
        total = weights.sum(1, keepdim=True)
        mean = (weights * near).sum(1, keepdim=True) / total
        beyond = at.exp() * mean + total.log() - entropy  # the entropy falls where the precision rises
        low, high = torch.where(beyond > 0, at, low), torch.where(beyond > 0, high, at)
        variance = (weights * near.square()).sum(1, keepdim=True) / total - mean.square()
        step = at + (beyond / (at.exp().square() * variance).clamp(min=tiny)).clamp(-LONGEST, LONGEST)
        good = ((step > low) & (step < high)) | ((step - at).abs() < ARRIVED)
        at = torch.where(good, step, (low + high) / 2)
    weights = torch.exp(-at.exp() * near)
    return weights / weights.sum(1, keepdim=True)


def squared_distances(x: Tensor) -> Tensor:
    """‖xᵢ − xⱼ‖² between rows, (n, width) → (n, n), by one product of matrices."""
    lengths = x.square().sum(1)
    return torch.addmm(lengths[:, None] + lengths, x, x.T, alpha=-2.0).clamp_(min=0.0)


class _Partition(torch.autograd.Function):
    """log Σ (1 + ‖zᵢ − zⱼ‖²/α)^(−(α+1)/2) over the pairs of different rows: (n, size), α → ().

    The derivative is formed together with the value from one matrix of pairs, so that autograd keeps none.
    """

    @staticmethod
    def forward(ctx: Any, z: Tensor, alpha: float) -> Tensor:
        power = (alpha + 1.0) / 2.0
        near = squared_distances((z - z.mean(0)) / math.sqrt(alpha)).add_(1.0).reciprocal_().fill_diagonal_(0.0)
        total = (near if power == 1.0 else near**power).sum()
        pull = near.square() if power == 1.0 else near ** (power + 1.0)
        apart = pull.sum(1, keepdim=True) * z - pull @ z
        ctx.save_for_backward(apart * (-4.0 * power / alpha / total))
        return total.log()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (derivative,) = ctx.saved_tensors
        return gradient * derivative, None


@dataclass(frozen=True, repr=False)
class Neighbors(Term):
    """KL(P ‖ Q): how far neighbourhoods among the batch's codes are from those among its rows, in nats.

    `P(i, j) = p(j | i)/n` from the distances of rows (`affinities`), and Q from those of codes by Student's kernel,
    `Q(i, j) ∝ (1 + ‖yᵢ − yⱼ‖²/α)^(−(α+1)/2)` over all pairs i ≠ j, with y = scale · z and α = size − 1, at least 1. The
    value of row i is `Σⱼ p(j | i) log(P(i, j)/Q(i, j))`, and their mean is the divergence. Translations, rotations and
    reflections of the codes change nothing.

    Distances are those between rows before corruption, in scaled units; a category counts as one column. Neighbours are
    looked for in the batch, so that it should hold some hundreds of rows; of fewer than three, the value is 0.

    Parameters
    ----------
    perplexity : float
        How many neighbours of each row count, roughly. At most a third of the batch.
    scale : float
        A map of some hundred rows is some tens wide in y; so its codes are near the size 1, which suits decoders.

    References
    ----------
    van der Maaten (2009), Learning a parametric embedding by preserving local structure, AISTATS. NOTE[DIFF] P is not
    made symmetric: as Q is, the gradient is the same; the value is larger by a number that does not depend on the
    codes.

    Examples
    --------
    >>> import azogue as az
    >>> from sklearn.datasets import load_iris
    >>> objective = 0.1 * az.objectives.Neighbors(perplexity=10)
    >>> az.Autoencoder(2, objective=objective, batch_size=128, epochs=5).fit_transform(load_iris().data).shape
    (150, 2)
    """

    perplexity: float = 5.0
    scale: float = 3.0

    mixing: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 1.0 <= self.perplexity < math.inf:
            raise ValueError(f"Neighbors: perplexity must be a number of at least 1, got {self.perplexity!r}")
        if not 0.0 < self.scale < math.inf:
            raise ValueError(f"Neighbors: scale must be a positive number, got {self.scale!r}")

    def __call__(self, step: Step) -> Tensor:
        y = self.scale * step.code.z
        rows = len(y)
        if rows < 3:
            return 0.0 * y.sum(1)
        alpha = float(max(y.shape[1] - 1, 1))
        with torch.no_grad():
            neighbors, p = affinities(step.x * slot_weights(step.model, step.x).sqrt(), self.perplexity)
            constant = torch.special.xlogy(p, p).sum(1) - math.log(rows)
        squares = (y[:, None] - y[neighbors]).square().sum(2)
        near = (alpha + 1.0) / 2.0 * (p * (squares / alpha).log1p()).sum(1)
        partition: Tensor = _Partition.apply(y, alpha)  # type: ignore[no-untyped-call]
        value: Tensor = constant + near + partition
        return value


@dataclass(frozen=True, repr=False)
class Positions(Term):
    """`scale² ‖z − t‖²`: how far a row's code z is from the position t that its row brings as a target, (n,).

    A map that is there already, such as one whose rows were placed freely, is learned by it. It is 0 where rows bring
    no target: held-out rows, and new ones.

    Parameters
    ----------
    scale : float
        As in `Neighbors`: codes are near the size 1, the map three times as wide.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from azogue.recipe import Code
    >>> step = SimpleNamespace(code=Code(torch.tensor([[1.0, 1.0]])), target=torch.tensor([[0.0, 1.0]]))
    >>> Positions()(step)
    tensor([9.])
    """

    scale: float = 3.0

    def __post_init__(self) -> None:
        if not 0.0 < self.scale < math.inf:
            raise ValueError(f"Positions: scale must be a positive number, got {self.scale!r}")

    def __call__(self, step: Step) -> Tensor:
        z = step.code.z
        if step.target is None:
            return 0.0 * z.sum(-1)
        return self.scale**2 * (z - step.target).square().sum(-1)

    def gradient(self, step: Step, scale: float) -> Pulled:
        z = step.code.z
        if step.target is None:
            return Pulled(0.0 * z.sum((-2, -1)), {"z": torch.zeros_like(z)})
        by_z = (2.0 * self.scale**2 * scale / z.shape[-2]) * (z - step.target)
        return Pulled(self(step).mean(-1), {"z": by_z})


def slot_weights(network: Network, like: Tensor) -> Tensor:
    """The weight of each slot, (width,): its column's; half of it in a category, so that two of them lie 1 apart."""
    weights: Tensor = network.column_weights.to(like)
    if network.columns is None:
        return weights
    columns: Tensor = network.columns
    return weights[columns] / columns.bincount()[columns].clamp(max=2)
