"""Terms for codes by which rows are found again: neighbours agree, units are even and say different things."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor

from azogue.objectives.algebra import Term

if TYPE_CHECKING:
    from azogue.recipe import Step

#: Keeps the correlation with a unit that never changes finite.
SMALL = 1e-6


@dataclass(frozen=True, repr=False)
class Agreement(Term):
    """How badly the code of what was seen of a row tells the row's own code from those of the other rows.

    With z_i the code of what the encoder was shown of row i and z'_j the code of row j itself, row i chooses row j with
    `p_ij ∝ exp(−‖z_i − z'_j‖² / (temperature · size))`; the value is `−½ log p_ii`, and the same the other way
    round, (n,), in nats. Beside `corruptions.Neighbor` neighbours come to agree and strangers to differ; beside noise,
    codes become robust.

    Parameters
    ----------
    temperature : float
        In mean squared differences of a unit; of bits, the part of them that differ.

    References
    ----------
    van den Oord, Li & Vinyals (2018), Representation learning with contrastive predictive coding; Qiu, Su, Ou, Yu &
    Chen (2021), Unsupervised hashing with contrastive information bottleneck, IJCAI. NOTE[DIFF] distances take the
    place of cosines, of which for bits they are a linear function, and pairs are neighbours.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import torch
    >>> from azogue.recipe import Code
    >>> z = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    >>> model = SimpleNamespace(encode=lambda x, rng: (x, Code(x)))
    >>> step = SimpleNamespace(x=z, code=Code(z), model=model, rng=None)
    >>> Agreement(1.0)(step)  # log(1 + 1/e)
    tensor([0.3133, 0.3133])
    """

    temperature: float = 0.15

    mixing: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0.0 < self.temperature < math.inf:
            raise ValueError(f"Agreement: temperature must be a positive number, got {self.temperature!r}")

    def __call__(self, step: Step) -> Tensor:
        rng = None if step.rng is None else step.rng.at(member=step.rng.member + 1)
        z, own = step.code.z, step.model.encode(step.x, rng)[1].z.to(step.code.z.dtype)
        squares = z.square().sum(1)[:, None] + own.square().sum(1) - 2.0 * z @ own.T
        logits = squares / (-self.temperature * z.shape[1])
        told = logits.diagonal()
        return 0.5 * (logits.logsumexp(1) + logits.logsumexp(0)) - told


@dataclass(frozen=True, repr=False)
class Balance(Term):
    """`mean_j (2 m_j − 1)²`, m_j the mean of bit j over the batch: 0 where each bit is set for half of the rows.

    A property of the batch, (), in [0, 1].

    References
    ----------
    Weiss, Torralba & Fergus (2008), Spectral hashing, NeurIPS.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import torch
    >>> from azogue.recipe import Code
    >>> Balance()(SimpleNamespace(code=Code(torch.tensor([[1.0, 1.0], [0.0, 1.0]]))))  # ½ (0 + 1)
    tensor(0.5000)
    """

    needs: ClassVar[frozenset[str]] = frozenset({"mean"})
    mixing: ClassVar[bool] = True

    def __call__(self, step: Step) -> Tensor:
        return (2.0 * step.code.z.mean(0) - 1.0).square().mean()


@dataclass(frozen=True, repr=False)
class Decorrelation(Term):
    """The mean square of the correlations between different units over the batch: 0 where no unit tells another.

    A property of the batch, (), in [0, 1]; 0 of a code of one unit.

    References
    ----------
    Weiss, Torralba & Fergus (2008), Spectral hashing, NeurIPS; Zbontar, Jing, Misra, LeCun & Deny (2021), Barlow twins,
    ICML.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import torch
    >>> from azogue.recipe import Code
    >>> z = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    >>> Decorrelation()(SimpleNamespace(code=Code(z))).round(decimals=3)
    tensor(1.)
    """

    mixing: ClassVar[bool] = True

    def __call__(self, step: Step) -> Tensor:
        z = step.code.z
        if z.shape[1] < 2:
            return 0.0 * z.sum()
        centred = z - z.mean(0)
        unit = centred / (centred.square().sum(0) + SMALL).sqrt()
        between = (unit.T @ unit).square()
        return (between.sum() - between.diagonal().sum()) / (z.shape[1] * (z.shape[1] - 1))
