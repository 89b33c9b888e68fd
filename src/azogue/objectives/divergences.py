"""Divergences: how far codes are from a prior, from one another's independence, or from a codebook."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from azogue.codes.spherical import divergence
from azogue.modules import initial_weights
from azogue.objectives.algebra import Pulled, Term
from azogue.objectives.reconstruction import observed
from azogue.recipe import Rng

if TYPE_CHECKING:
    from azogue.network import Network
    from azogue.recipe import Step


@dataclass(frozen=True, repr=False)
class KL(Term):
    """KL(q(z|x) ‖ p(z)) of a gaussian code, divided by the number of columns that count in the row's reconstruction.

    Divided so, `Likelihood() + KL()` is minus the evidence lower bound divided by the number of columns.

    Parameters
    ----------
    free_bits : float
        Nats that each unit may use for free: its mean over the batch counts only beyond them (Kingma et al. 2016).
        Under a prior whose units are not independent, nats of the whole code.

    References
    ----------
    Kingma & Welling (2014), Auto-encoding variational Bayes. NOTE[DIFF] ruta averages over the units of the code, and
    so weighs the prior by 1/size; the bound sums over them.
    """

    free_bits: float = 0.0

    needs: ClassVar[frozenset[str]] = frozenset({"mean", "log_var", "prior"})
    name = "kl"

    def __post_init__(self) -> None:
        if not self.free_bits >= 0.0:
            raise ValueError(f"KL: free_bits must be at least 0, got {self.free_bits!r}")

    @property
    def mixes(self) -> bool:
        return self.free_bits > 0

    def __call__(self, step: Step) -> Tensor:
        units = step.model.code.prior.divergence(step.code.stats["mean"], step.code.stats["log_var"])
        if self.free_bits > 0:
            share = 1.0 / _columns(step)
            free = self.free_bits * share.mean()
            return torch.maximum((units * share[:, None]).mean(0), free).sum()
        total: Tensor = units.sum(1)
        return total / _columns(step)

    def gradient(self, step: Step, scale: float) -> Pulled:
        units, by_mean, by_log_var = step.model.code.prior.gradient(step.code.stats["mean"], step.code.stats["log_var"])
        rows, share = units.shape[-2], (1.0 / _columns(step))[..., None]
        if self.free_bits > 0:
            means, free = (units * share).mean(-2), self.free_bits * share.mean(-2)
            share = share * (means > free).unsqueeze(-2)  # NOTE[TIE] at equality autograd halves; it has measure 0
            value = torch.maximum(means, free).sum(-1)
        else:
            value = (units * share).sum((-2, -1)) / rows
        share = share * (scale / rows)
        return Pulled(value, {"mean": by_mean * share, "log_var": by_log_var * share})


@dataclass(frozen=True, repr=False)
class SphericalKL(Term):
    """KL(vMF(μ, κ) ‖ uniform) of a von Mises–Fisher code, divided like `KL`.

    `κ A(κ) − log ∫ exp(κ cos θ) dU`, A(κ) the mean of cos θ; for 3 units `κ coth κ − 1 − log (sinh κ / κ)`.

    References
    ----------
    Davidson, Falorsi, De Cao, Kipf & Tomczak (2018), Hyperspherical variational auto-encoders, UAI.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"concentration"})
    name = "kl"

    def __call__(self, step: Step) -> Tensor:
        return divergence(step.code.stats["concentration"], step.code.z.shape[-1])[..., 0] / _columns(step)


def _columns(step: Step) -> Tensor:
    """The weight of each row's observed columns, (n,); of all columns where none is."""
    weights: Tensor = step.model.column_weights.to(step.x.dtype)
    mask = observed(step)
    if mask is None:
        return weights.sum().expand(step.x.shape[:-1])
    kept = (weights * mask).sum(-1)
    return torch.where(kept > 0, kept, weights.sum())


@dataclass(frozen=True, repr=False)
class TotalCorrelation(Term):
    """KL(q(z) ‖ Πⱼ q(zⱼ)) in nats: how far the code's units are from being independent of one another.

    q(z) is the batch's mixture of codes, so the value is a property of the batch, estimated at its own draws.

    References
    ----------
    Chen, Li, Grosse & Duvenaud (2018), Isolating sources of disentanglement in VAEs (β-TCVAE). NOTE[DIFF] the mixture
    is over the batch alone: the size of the data set only adds a constant.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"mean", "log_var"})
    mixing: ClassVar[bool] = True

    def __call__(self, step: Step) -> Tensor:
        mean, log_var = step.code.stats["mean"], step.code.stats["log_var"]
        squares = (step.code.z[:, None, :] - mean[None]).square() * (-log_var).exp()[None]
        density = -0.5 * (squares + log_var[None] + math.log(2 * math.pi))
        rows = math.log(len(mean))
        joint = density.sum(2).logsumexp(1) - rows
        apart = (density.logsumexp(1) - rows).sum(1)
        return (joint - apart).mean()


def mmd(x: Tensor, y: Tensor, kernel: str = "imq") -> Tensor:
    """The squared maximum mean discrepancy between two samples, 0 where they are the same (Gretton et al. 2012).

    `mean k(x, x′) + mean k(y, y′) − 2 mean k(x, y)`, pairs of a point with itself included, with a sum of kernels of
    several widths `C = s · size`, s from 0.2 to 10: `"imq"` C/(C + d²), `"rbf"` exp(−d²/C), d² the squared distance.

    Parameters
    ----------
    x, y : Tensor, shapes (n, size) and (m, size)
    kernel : {"imq", "rbf"}
    """
    both = torch.cat([x, y])
    lengths = both.square().sum(1)
    squares = (lengths[:, None] + lengths - 2 * both @ both.T).clamp(min=0.0)
    total = torch.zeros_like(squares)
    for scale in (0.2, 0.5, 1.0, 2.0, 5.0, 10.0):
        width = scale * x.shape[1]
        total = total + (width / (width + squares) if kernel == "imq" else (-squares / width).exp())
    n = len(x)
    return total[:n, :n].mean() + total[n:, n:].mean() - 2 * total[:n, n:].mean()


@dataclass(frozen=True, repr=False)
class MMD(Term):
    """The squared maximum mean discrepancy between the batch's codes and as many draws from the prior; see `mmd`.

    Parameters
    ----------
    kernel : {"imq", "rbf"}

    References
    ----------
    Tolstikhin, Bousquet, Gelly & Schölkopf (2018), Wasserstein auto-encoders, ICLR. NOTE[DIFF] pairs of a point with
    itself are kept, so that equal samples give exactly 0 and the value is never negative.
    """

    kernel: str = "imq"

    needs: ClassVar[frozenset[str]] = frozenset({"prior"})
    mixing: ClassVar[bool] = True
    name = "mmd"

    def __post_init__(self) -> None:
        if self.kernel not in ("imq", "rbf"):
            raise ValueError(f"MMD: kernel must be 'imq' or 'rbf', got {self.kernel!r}")

    def __call__(self, step: Step) -> Tensor:
        return mmd(step.code.z, _draws(step), self.kernel)


def _draws(step: Step) -> Tensor:
    """As many draws from the prior as the batch has rows; always the same ones at inference."""
    rng = Rng(0) if step.rng is None else step.rng
    return step.model.code.draw(len(step.code.z), rng).to(step.code.z)


@dataclass(frozen=True, repr=False)
class Commitment(Term):
    """What moves a codebook and keeps the encoder near it, in squared distance per unit of the code.

    `‖sg(h) − e‖² + beta ‖h − sg(e)‖² + revival · mean over entries of min over rows ‖sg(h) − e‖²`, e the entry that h
    was replaced by and sg an operation without gradient.

    Parameters
    ----------
    beta : float
        Weight of what keeps the encoder near its entries.
    revival : float
        Weight of what draws entries to their nearest row, so that none is left behind unused.

    References
    ----------
    van den Oord, Vinyals & Kavukcuoglu (2017), Neural discrete representation learning. NOTE[DIFF] the revival of
    unused entries is ours; without it most entries of a codebook never move.
    """

    beta: float = 0.25
    revival: float = 0.1

    needs: ClassVar[frozenset[str]] = frozenset({"quantized", "distances", "codebook"})
    judges: ClassVar[bool] = False  # it grows while the code learns to say more

    @property
    def mixes(self) -> bool:
        return self.revival > 0

    def __post_init__(self) -> None:
        if not (self.beta >= 0 and self.revival >= 0):
            raise ValueError(f"Commitment: beta and revival must be at least 0, got {self!r}")

    def __call__(self, step: Step) -> Tensor:
        entries = step.code.stats["quantized"]
        h, codebook = step.h.to(entries).reshape(entries.shape), step.code.stats["codebook"]
        rows = (h.detach() - entries).square().mean((1, 2)) + self.beta * (h - entries.detach()).square().mean((1, 2))
        nearest = step.code.stats["distances"].argmin(0)
        groups = torch.arange(len(codebook), device=h.device)[:, None]
        away = (h.detach()[nearest, groups] - codebook).square().mean()
        return rows + self.revival * away


class Judge(nn.Module):
    """A network that tells draws of the prior (positive) from codes (negative): (n, size) → logits (n,)."""

    def __init__(self, widths: tuple[int, ...], rng: Rng) -> None:
        super().__init__()
        for at, (inputs, units) in enumerate(itertools.pairwise(widths)):
            weight = initial_weights((units, inputs), "relu", rng.at(step=1000 + at))
            self.register_parameter(f"weight_{at}", nn.Parameter(weight))
            self.register_parameter(f"bias_{at}", nn.Parameter(torch.zeros(units)))
        self.depth = len(widths) - 1

    def forward(self, z: Tensor) -> Tensor:
        for at in range(self.depth):
            z = nn.functional.linear(z, getattr(self, f"weight_{at}"), getattr(self, f"bias_{at}"))
            z = nn.functional.leaky_relu(z, 0.2) if at < self.depth - 1 else z
        return z[:, 0]


@dataclass(frozen=True, repr=False)
class Adversary(Term):
    """−log D(z): how surely a judge D, trained against the autoencoder, tells its codes from draws of the prior.

    The judge is a second player of the same loop: it minimises `AdversaryLoss`, the cross-entropy of telling them
    apart. At a perfect match both are log 2.

    Parameters
    ----------
    units : tuple of int
        Widths of the judge's hidden layers.

    References
    ----------
    Makhzani, Shlens, Jaitly, Goodfellow & Frey (2016), Adversarial autoencoders; Goodfellow et al. (2014) for the
    non-saturating form.
    """

    units: tuple[int, ...] = (64, 64)

    needs: ClassVar[frozenset[str]] = frozenset({"prior"})
    judges: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not self.units or any(isinstance(width, bool) or int(width) < 1 for width in self.units):
            raise ValueError(f"Adversary: units must be widths of at least 1, got {self.units!r}")
        object.__setattr__(self, "units", tuple(self.units))

    def build(self, network: Network, rng: Rng) -> nn.Module:
        return Judge((network.size, *self.units, 1), rng)

    def count(self, size: int) -> int:
        return sum(inputs * units for inputs, units in itertools.pairwise((size, *self.units, 1)))

    @property
    def opponent(self) -> Term:
        return AdversaryLoss(self)

    def __call__(self, step: Step) -> Tensor:
        return softplus(-step.model.part(self)(step.code.z))


@dataclass(frozen=True, repr=False)
class AdversaryLoss(Term):
    """½ (−log D(draw) − log(1 − D(z))): the cross-entropy of telling draws of the prior from codes, (n,)."""

    of: Adversary = Adversary()

    needs: ClassVar[frozenset[str]] = frozenset({"prior"})

    def __call__(self, step: Step) -> Tensor:
        judge = step.model.part(self.of)
        return 0.5 * (softplus(-judge(_draws(step))) + softplus(judge(step.code.z.detach())))
