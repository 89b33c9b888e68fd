"""Divergences: how far codes are from a prior, from one another's independence, or from a codebook."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from azogue.objectives.algebra import Pulled, Term
from azogue.objectives.judges import Judge, check_units
from azogue.objectives.reconstruction import observed
from azogue.recipe import Rng

if TYPE_CHECKING:
    from azogue.network import Network
    from azogue.recipe import Step


@dataclass(frozen=True, repr=False)
class KL(Term):
    """KL(q(z|x) ‖ p(z)) of a code that is a distribution a row, divided by the columns that count in the row.

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

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from azogue.codes import Gaussian
    >>> from azogue.recipe import Code
    >>> model = SimpleNamespace(code=SimpleNamespace(spec=Gaussian()), columns=None, column_weights=torch.ones(2))
    >>> code = Code(torch.zeros(1, 1), {"mean": torch.ones(1, 1), "log_var": torch.zeros(1, 1)})
    >>> KL()(SimpleNamespace(x=torch.zeros(1, 2), mask=None, code=code, model=model))  # ½ nat, two columns
    tensor([0.2500])
    """

    free_bits: float = 0.0

    needs: ClassVar[frozenset[str]] = frozenset({"divergence"})
    name = "kl"

    def __post_init__(self) -> None:
        if not self.free_bits >= 0.0:
            raise ValueError(f"KL: free_bits must be at least 0, got {self.free_bits!r}")

    @property
    def mixes(self) -> bool:
        return self.free_bits > 0

    def __call__(self, step: Step) -> Tensor:
        units = step.model.code.spec.divergence(step.code.stats)
        if self.free_bits > 0:
            share = 1.0 / columns_counted(step)
            free = self.free_bits * share.mean()
            return torch.maximum((units * share[:, None]).mean(0), free).sum()
        total: Tensor = units.sum(1)
        return total / columns_counted(step)

    def gradient(self, step: Step, scale: float) -> Pulled:
        units, slopes = step.model.code.spec.gradient(step.code.stats)
        rows, share = units.shape[-2], (1.0 / columns_counted(step))[..., None]
        if self.free_bits > 0:
            means, free = (units * share).mean(-2), self.free_bits * share.mean(-2)
            share = share * (means > free).unsqueeze(-2)  # NOTE[TIE] at equality autograd halves; it has measure 0
            value = torch.maximum(means, free).sum(-1)
        else:
            value = (units * share).sum((-2, -1)) / rows
        share = share * (scale / rows)
        return Pulled(value, {name: slope * share for name, slope in slopes.items()})


def columns_counted(step: Step) -> Tensor:
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

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from azogue.recipe import Code
    >>> z = torch.tensor([[-9.0, -9.0], [9.0, 9.0]])
    >>> TotalCorrelation()(SimpleNamespace(code=Code(z, {"mean": z, "log_var": torch.zeros(2, 2)})))  # log 2
    tensor(0.6931)
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

    Examples
    --------
    >>> x = torch.zeros(1, 2)
    >>> mmd(x, x).item(), round(mmd(x, x + 1e6).item(), 3)  # far apart, each of the six kernels gives 2
    (0.0, 12.0)
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

    Examples
    --------
    >>> import azogue as az
    >>> X = [[float(n), float(n * n)] for n in range(20)]
    >>> code = az.codes.Point(az.priors.StandardNormal())
    >>> ae = az.Autoencoder(1, code=code, objective=MMD(), epochs=1, random_state=0)
    >>> list(ae.fit(X).history_[0])[:3]
    ['epoch', 'reconstruction', 'mmd']
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

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from azogue.codes import VectorQuantized
    >>> h = torch.tensor([[1.0], [9.0]])
    >>> code = VectorQuantized(2)(h, None, codebook=torch.tensor([[[0.0], [10.0]]]))
    >>> Commitment(beta=0.25, revival=0.0)(SimpleNamespace(h=h, code=code))  # 1 + ¼ · 1
    tensor([1.2500, 1.2500])
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

    Examples
    --------
    >>> import azogue as az
    >>> X = [[float(n), float(n * n)] for n in range(20)]
    >>> ae = az.AdversarialAutoencoder(1, epochs=1, random_state=0).fit(X)
    >>> list(ae.history_[0])[:3]
    ['epoch', 'reconstruction', 'adversary']
    """

    units: tuple[int, ...] = (64, 64)

    needs: ClassVar[frozenset[str]] = frozenset({"prior"})
    judges: ClassVar[bool] = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "units", check_units(self.units, "Adversary"))

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
    """½ (−log D(draw) − log(1 − D(z))): the cross-entropy of telling draws of the prior from codes, (n,).

    Examples
    --------
    >>> Adversary((8,)).opponent
    AdversaryLoss(of=Adversary(units=(8,)))
    """

    of: Adversary = Adversary()

    needs: ClassVar[frozenset[str]] = frozenset({"prior"})

    def __call__(self, step: Step) -> Tensor:
        judge = step.model.part(self.of)
        return 0.5 * (softplus(-judge(_draws(step))) + softplus(judge(step.code.z.detach())))
