"""Heads: which slots of the output belong together, their link and their natural loss.

A head binds a slice of the decoder's output to the columns it stands for. So a sigmoid never meets the wrong loss:
whoever prepares the data names the head, and the head owns both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from azogue.recipe import Spec

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, repr=False)
class Head(Spec):
    """A slice `start:stop` of the output and the columns it stands for.

    Parameters
    ----------
    start, stop : int
        The slots of the output.
    columns : tuple of int
        The user's columns, in the order of the slots: one a slot, or a single one for a categorical head.
    weights : tuple of float
        The weight of each of these columns in the reconstruction.
    activation : str
        An output activation that the user asked for; `"auto"` leaves the link to the head.
    """

    start: int
    stop: int
    columns: tuple[int, ...]
    weights: tuple[float, ...]
    activation: str = "auto"

    kind: ClassVar[str] = ""
    #: the link of the head where no activation was asked for: a name of `layers.ACTIVATIONS`, "exp" or "softmax"
    default_link: ClassVar[str] = "linear"

    @property
    def slots(self) -> slice:
        """The head's slice of the output."""
        return slice(self.start, self.stop)

    @property
    def link_name(self) -> str:
        """The link in force."""
        return self.default_link if self.activation == "auto" else self.activation

    def link(self, raw: Tensor) -> Tensor:
        """Decoder's output `raw` (n, slots) → values in the units of `x` (n, slots)."""
        import torch

        from azogue.layers import activate

        name = self.link_name
        return torch.exp(raw.clamp(max=30.0)) if name == "exp" else activate(name, raw)

    def loss(self, raw: Tensor, x: Tensor) -> Tensor:
        """The natural loss of each column, (n, columns), from the decoder's output before the link."""
        raise NotImplementedError

    def per_column(self, cells: Tensor) -> Tensor:
        """Bring a distance per slot (n, slots) to one per column (n, columns)."""
        return cells


class Gaussian(Head):
    """Numeric columns, one slot each: identity link, squared error `(x − out)²` (a normal of variance ½)."""

    kind = "gaussian"

    def loss(self, raw: Tensor, x: Tensor) -> Tensor:
        return (x - self.link(raw)).square()


class Bernoulli(Head):
    """Booleans and fractions in [0, 1], one slot each: sigmoid link, binary cross-entropy in nats.

    A value beyond [0, 1] costs what its nearest end does and its squared distance to it besides: there the formula of
    the cross-entropy would reward it.
    """

    kind = "bernoulli"
    default_link = "sigmoid"

    def loss(self, raw: Tensor, x: Tensor) -> Tensor:
        from torch.nn.functional import binary_cross_entropy, binary_cross_entropy_with_logits

        inside = x.clamp(0.0, 1.0)
        beyond = (x - inside).square()
        if self.link_name == "sigmoid":
            return binary_cross_entropy_with_logits(raw, inside, reduction="none") + beyond
        eps = 1e-7
        return binary_cross_entropy(self.link(raw).clamp(eps, 1 - eps), inside, reduction="none") + beyond


class Categorical(Head):
    """One column, a slot for each category: softmax link, cross-entropy in nats."""

    kind = "categorical"
    default_link = "softmax"

    def link(self, raw: Tensor) -> Tensor:
        return raw.softmax(1)

    def loss(self, raw: Tensor, x: Tensor) -> Tensor:
        return -(x * raw.log_softmax(1)).sum(1, keepdim=True)

    def per_column(self, cells: Tensor) -> Tensor:
        return cells.sum(1, keepdim=True)


class Poisson(Head):
    """Counts, one slot each: exponential link, `λ − x log λ + log x!` in nats."""

    kind = "poisson"
    default_link = "exp"

    def loss(self, raw: Tensor, x: Tensor) -> Tensor:
        import torch

        constant = torch.lgamma(x + 1)
        if self.link_name == "exp":
            log_rate = raw.clamp(max=30.0)
            return torch.exp(log_rate) - x * log_rate + constant
        rate = self.link(raw).clamp(min=1e-7)
        return rate - x * rate.log() + constant
