"""Labels that a reconstruction is to give away, and labels that it is to keep to itself.

Both are read by judges: networks that look at the reconstruction as it will be released, probabilities of categories
and numbers with a little noise, so that nothing hides in their last digits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from azogue.objectives.algebra import Term
from azogue.objectives.judges import Judge, check_units
from azogue.recipe import Rng

if TYPE_CHECKING:
    from azogue.network import Network
    from azogue.recipe import Step

#: What a row of a rare class counts at most, before all are divided by their mean.
HEAVIEST = 5.0


class Reader(nn.Module):
    """A judge of reconstructions: (n, width) → logits (n, classes)."""

    noisy: Tensor

    def __init__(self, network: Network, term: Labelled, rng: Rng) -> None:
        super().__init__()
        width = max(head.slots.stop for head in network.heads)
        noisy = torch.zeros(width)
        for head in network.heads:
            noisy[head.slots] = term.noise * (head.kind == "gaussian")
        self.register_buffer("noisy", noisy, False)
        self.judge = Judge((width, *term.units, len(term.shares)), rng)

    def forward(self, out: Tensor, rng: Rng | None) -> Tensor:
        shown = out if rng is None else out + self.noisy * rng.normal("judge", out.shape, out)
        logits: Tensor = self.judge(shown)
        return logits


@dataclass(frozen=True, repr=False)
class Labelled(Term):
    """Base of the terms about a label of each row.

    Rows may have several labels, in one number: `target = Σ base · class`, each `base` the product of the numbers of
    classes before it.

    Parameters
    ----------
    shares : tuple of float
        How frequent each class is; as many as there are classes. Classes count alike, but for very rare ones: see
        `weights`.
    base : int
        Where the label stands in the target.
    units : tuple of int
        Widths of the judge's hidden layers.
    noise : float
        Standard deviation of what is added to numbers before a judge sees them, in scaled units.
    """

    shares: tuple[float, ...] = (0.5, 0.5)
    base: int = 1
    units: tuple[int, ...] = (128, 128)
    noise: float = 0.05

    supervised: ClassVar[bool] = True
    reads_out: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if len(self.shares) < 2 or any(not share > 0 for share in self.shares):
            raise ValueError(f"{type(self).__name__}: shares are those of at least 2 classes, above 0: {self.shares!r}")
        if self.base < 1 or not self.noise >= 0:
            raise ValueError(f"{type(self).__name__}: base is at least 1 and noise at least 0, got {self!r}")
        object.__setattr__(self, "shares", tuple(self.shares))
        object.__setattr__(self, "units", check_units(self.units, type(self).__name__))

    def build(self, network: Network, rng: Rng) -> nn.Module | None:
        return Reader(network, self, rng)

    @property
    def weights(self) -> tuple[float, ...]:
        """What a row of each class counts: inversely to its share, but not too much; 1 on the mean over rows."""
        raw = [min(HEAVIEST, 1.0 / (len(self.shares) * share)) for share in self.shares]
        total = sum(weight * share for weight, share in zip(raw, self.shares, strict=True))
        return tuple(weight / total for weight in raw)

    @property
    def guess(self) -> float:
        """The surprise of whoever knows the weights and shares alone, in nats; log classes where all count alike."""
        parts = [weight * share for weight, share in zip(self.weights, self.shares, strict=True)]
        return -sum(part * math.log(part) for part in parts)

    def surprise(self, step: Step, judge: nn.Module, out: Tensor) -> Tensor:
        """The judge's weighted cross-entropy `−weight · log p(class)` of each row, (n,)."""
        if step.target is None or step.target.is_floating_point():
            raise TypeError(f"{self!r} needs the classes of each row, numbered from 0: fit(X, y)")
        label = step.target // self.base % len(self.shares)
        weights = torch.tensor(self.weights, dtype=step.out.dtype, device=step.out.device)
        values: Tensor = cross_entropy(judge(out, step.rng), label, reduction="none") * weights[label]
        return values


@dataclass(frozen=True, repr=False)
class Informative(Labelled):
    """How little the reconstruction tells of a label that it should tell: the surprise of a judge that helps, (n,).

    `−weight · log p(class | out)`, in nats. The judge is trained along, by the same loss. Parameters as in
    `Labelled`.

    Examples
    --------
    >>> import azogue as az
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> kept = az.objectives.Informative(shares=(1 / 3, 1 / 3, 1 / 3))
    >>> objective = az.objectives.HeadLoss() + kept
    >>> model = az.Autoencoder(1, objective=objective, epochs=20, random_state=0).fit(X, y)
    >>> model.history_[-1]["informative"] < model.history_[0]["informative"]
    True
    """

    def __call__(self, step: Step) -> Tensor:
        return self.surprise(step, step.model.part(self), step.out)


@dataclass(frozen=True, repr=False)
class Censored(Labelled):
    """How much the reconstruction gives away of a label that it should not, in nats; a property of the batch, ().

    `max(0, guess − mean surprise)` of a judge that is a second player of the same loop: it minimises
    `CensoredLoss`. At 0 it is no better than guessing; beyond, nothing is gained by misleading it.

    Parameters
    ----------
    shares, base, units, noise :
        As in `Labelled`.
    rise : int
        Epochs over which the term comes to its full weight, so that there is something to censor.

    References
    ----------
    Edwards & Storkey (2016), Censoring representations with an adversary, ICLR; Hajihassani, Ardakanian & Khazaei
    (2020), Latent representation learning and manipulation for privacy-preserving sensor data analytics; Malekzadeh,
    Clegg, Cavallaro & Haddadi (2019), Mobile sensor data anonymization. NOTE[DIFF] the judge reads what is released,
    not the code, and is stopped at guessing.

    Examples
    --------
    >>> import azogue as az
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(60, 3))
    >>> objective = az.objectives.HeadLoss() + 2.0 * az.objectives.Censored()
    >>> model = az.Autoencoder(2, objective=objective, epochs=1, random_state=0).fit(X, (X[:, 0] > 0).astype(int))
    >>> [name for name in model.history_[0] if "censored" in name]
    ['censored', 'censored_censored_loss', 'censored_loss']
    """

    rise: int = 5

    judges: ClassVar[bool] = False
    mixing: ClassVar[bool] = True

    @property
    def opponent(self) -> Term:
        return CensoredLoss(self)

    def __call__(self, step: Step) -> Tensor:
        found = self.surprise(step, step.model.part(self), step.out).mean()
        weight = 1.0 if step.rng is None else min(1.0, step.rng.epoch / max(self.rise, 1))
        return weight * (self.guess - found).clamp(min=0.0)


@dataclass(frozen=True, repr=False)
class CensoredLoss(Term):
    """What the judge of `Censored` minimises: its weighted cross-entropy, (n,).

    Examples
    --------
    >>> Censored(shares=(0.2, 0.8)).opponent
    CensoredLoss(of=Censored(shares=(0.2, 0.8)))
    """

    of: Censored = Censored()

    supervised: ClassVar[bool] = True

    def __call__(self, step: Step) -> Tensor:
        return self.of.surprise(step, step.model.part(self.of), step.out.detach())
