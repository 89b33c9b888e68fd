"""Heads: which slots of the output belong together, their link and their natural loss.

A head binds a slice of the decoder's output to the columns it stands for. So a sigmoid never meets the wrong loss:
whoever prepares the data names the head, and the head owns both.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from azogue import formulas
from azogue.recipe import Spec

if TYPE_CHECKING:
    from torch import Tensor


#: Logarithms of rates beyond this are cut off.
LARGEST_LOG = 30.0
#: Probabilities and rates of links that reach 0 are kept so far from it.
EPS = 1e-7


class Compiled(NamedTuple):
    """A head to compiled steps: its loss' number in `formulas`, the slots of a column that it reads, its link's number.

    A loss or a link without a formula there is None.
    """

    loss: int | None
    own: int
    link: int | None


@dataclass(frozen=True, repr=False)
class Head(Spec):
    """A slice `start:stop` of the output and the columns it stands for.

    Parameters
    ----------
    start, stop : int
        The slots of the output.
    columns : tuple of int
        The user's columns, in the order of the slots: one a slot, or one for equally many slots of a categorical head.
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

        from azogue.activations import activate

        name = self.link_name
        return torch.exp(raw.clamp(max=LARGEST_LOG)) if name == "exp" else activate(name, raw)

    def loss(self, raw: Tensor, x: Tensor) -> Tensor:
        """The natural loss of each column, (n, columns), from the decoder's output before the link."""
        raise NotImplementedError

    def gradient(self, raw: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """The loss of each column (…, n, columns), and its derivative by each slot of `raw`, (…, n, slots); fresh."""
        raise NotImplementedError

    def pull(self, delta: Tensor, raw: Tensor, out: Tensor) -> Tensor:
        """A derivative by `out = link(raw)` → the derivative by `raw`; `delta` may be overwritten."""
        from azogue.activations import FORMULAS

        name = self.link_name
        if name == "linear":
            return delta
        if name == "exp":
            return delta * out * (raw <= LARGEST_LOG)
        formula = FORMULAS[name]
        formula.pull(delta, raw if formula.keeps == "input" else out)
        return delta

    @property
    def analytic(self) -> bool:
        """Whether the derivatives belong to the loss and the link."""
        return self.states("gradient", "loss", "link") and self.states("pull", "link")

    @property
    def compiled(self) -> Compiled:
        """What compiled steps know of the head."""
        return Compiled(None, 1, None)

    def _compiled(self, loss: int | None, own: int = 1) -> Compiled:
        from azogue.activations import FORMULAS

        name = self.link_name
        known = self.states("compiled", "gradient", "loss") and self.states("compiled", "pull", "link", "per_column")
        link = formulas.LINEAR if name == "linear" else FORMULAS[name].number if name in FORMULAS else None
        return Compiled(loss, own, link) if known else Compiled(None, own, None)

    def per_column(self, cells: Tensor) -> Tensor:
        """Bring a distance per slot (…, n, slots) to one per column (…, n, columns)."""
        return cells

    @property
    def cells(self) -> list[int]:
        """How many slots each column takes."""
        return [(self.stop - self.start) // len(self.columns)] * len(self.columns)


class Gaussian(Head):
    """Numeric columns, one slot each: identity link, squared error `(x − out)²` (a normal of variance ½)."""

    kind = "gaussian"

    @property
    def compiled(self) -> Compiled:
        return self._compiled(formulas.SQUARED)

    def loss(self, raw: Tensor, x: Tensor) -> Tensor:
        return (x - self.link(raw)).square()

    def gradient(self, raw: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        out = raw if self.link_name == "linear" else self.link(raw)
        error = out - x
        return error.square(), self.pull(error.add_(error), raw, out)


class Bernoulli(Head):
    """Booleans and fractions in [0, 1], one slot each: sigmoid link, binary cross-entropy in nats.

    A value beyond [0, 1] costs what its nearest end does and its squared distance to it besides: there the formula of
    the cross-entropy would reward it.
    """

    kind = "bernoulli"
    default_link = "sigmoid"

    @property
    def compiled(self) -> Compiled:
        return self._compiled(formulas.BERNOULLI if self.link_name == "sigmoid" else None)

    def loss(self, raw: Tensor, x: Tensor) -> Tensor:
        from torch.nn.functional import binary_cross_entropy, binary_cross_entropy_with_logits

        inside = x.clamp(0.0, 1.0)
        beyond = (x - inside).square()
        if self.link_name == "sigmoid":
            return binary_cross_entropy_with_logits(raw, inside, reduction="none") + beyond
        return binary_cross_entropy(self.link(raw).clamp(EPS, 1 - EPS), inside, reduction="none") + beyond

    def gradient(self, raw: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        inside = x.clamp(0.0, 1.0)
        if self.link_name == "sigmoid":
            return self.loss(raw, x), raw.sigmoid() - inside
        out = self.link(raw)
        p = out.clamp(EPS, 1 - EPS)
        return self.loss(raw, x), self.pull((p - inside) / (p * (1 - p)) * (p == out), raw, out)


class Categorical(Head):
    """Columns of categories, a slot for each category of each: softmax link, cross-entropy in nats.

    Several columns share one set of categories: the places of a text, for instance. Their slots lie one behind the
    other, as many for each.
    """

    kind = "categorical"
    default_link = "softmax"

    def _each(self, slots: Tensor) -> Tensor:
        """Slots (…, columns · categories) → (…, columns, categories)."""
        return slots.reshape(*slots.shape[:-1], len(self.columns), -1)

    def link(self, raw: Tensor) -> Tensor:
        return self._each(raw).softmax(-1).flatten(-2)

    @property
    def compiled(self) -> Compiled:
        return self._compiled(formulas.CATEGORICAL, self.cells[0])

    def loss(self, raw: Tensor, x: Tensor) -> Tensor:
        return -(self._each(x) * self._each(raw).log_softmax(-1)).sum(-1)

    def gradient(self, raw: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        logs, wanted = self._each(raw).log_softmax(-1), self._each(x)
        return -(wanted * logs).sum(-1), (logs.exp() * wanted.sum(-1, keepdim=True) - wanted).flatten(-2)

    def pull(self, delta: Tensor, raw: Tensor, out: Tensor) -> Tensor:
        by, p = self._each(delta), self._each(out)
        return (p * (by - (by * p).sum(-1, keepdim=True))).flatten(-2)

    def per_column(self, cells: Tensor) -> Tensor:
        return self._each(cells).sum(-1)


@dataclass(frozen=True, repr=False)
class SpreadCategorical(Categorical):
    """A column of categories whose last `read` slots are for the encoder alone, at no cost.

    Parameters
    ----------
    read : int
    """

    read: int = 0

    def _own(self, slots: Tensor) -> Tensor:
        return slots[..., : slots.shape[-1] - self.read]

    def _back(self, own: Tensor) -> Tensor:
        """Slots of the categories → all slots, 0 where the encoder alone reads."""
        return own if not self.read else _pad(own, self.read)

    def link(self, raw: Tensor) -> Tensor:
        return self._back(super().link(self._own(raw)))

    @property
    def compiled(self) -> Compiled:
        return self._compiled(formulas.CATEGORICAL, self.cells[0] - self.read)

    def loss(self, raw: Tensor, x: Tensor) -> Tensor:
        return super().loss(self._own(raw), self._own(x))

    def gradient(self, raw: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        cells, slope = super().gradient(self._own(raw), self._own(x))
        return cells, self._back(slope)

    def pull(self, delta: Tensor, raw: Tensor, out: Tensor) -> Tensor:
        return self._back(super().pull(self._own(delta), self._own(raw), self._own(out)))

    def per_column(self, cells: Tensor) -> Tensor:
        return super().per_column(self._own(cells))


def _pad(slots: Tensor, count: int) -> Tensor:
    from torch.nn.functional import pad

    return pad(slots, (0, count))


class Poisson(Head):
    """Counts, one slot each: exponential link, `λ − x log λ + log x!` in nats."""

    kind = "poisson"
    default_link = "exp"

    def loss(self, raw: Tensor, x: Tensor) -> Tensor:
        import torch

        constant = torch.lgamma(x + 1)
        if self.link_name == "exp":
            log_rate = raw.clamp(max=LARGEST_LOG)
            return torch.exp(log_rate) - x * log_rate + constant
        rate = self.link(raw).clamp(min=EPS)
        return rate - x * rate.log() + constant

    def gradient(self, raw: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        out = self.link(raw)
        if self.link_name == "exp":
            return self.loss(raw, x), (out - x) * (raw <= LARGEST_LOG)
        return self.loss(raw, x), self.pull((1 - x / out.clamp(min=EPS)) * (out >= EPS), raw, out)


@dataclass(frozen=True, repr=False)
class Spread(Head):
    """Base of heads whose columns take several slots each: the value, and what the encoder alone reads, at no cost."""

    #: the head of the values alone
    single: ClassVar[type[Head]] = Head

    @cached_property
    def _single(self) -> Head:
        return self.single(0, len(self.columns), self.columns, self.weights, self.activation)

    @property
    def compiled(self) -> Compiled:
        return self._compiled(self._single.compiled.loss)

    def _values(self, slots: Tensor) -> Tensor:
        """Slots (…, columns · k) → the values, (…, columns)."""
        return slots[..., :: self.cells[0]]

    def _back(self, values: Tensor, like: Tensor) -> Tensor:
        """Values (…, columns) → slots (…, columns · k), 0 where the encoder alone reads."""
        slots = like.new_zeros(like.shape)
        slots[..., :: self.cells[0]] = values
        return slots

    def link(self, raw: Tensor) -> Tensor:
        return raw if self.link_name == "linear" else self._back(self._single.link(self._values(raw)), raw)

    def loss(self, raw: Tensor, x: Tensor) -> Tensor:
        return self._single.loss(self._values(raw), self._values(x))

    def gradient(self, raw: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        cells, slope = self._single.gradient(self._values(raw), self._values(x))
        return cells, self._back(slope, raw)

    def pull(self, delta: Tensor, raw: Tensor, out: Tensor) -> Tensor:
        inner = self._single.pull(self._values(delta).clone(), self._values(raw), self._values(out))
        return self._back(inner, raw)

    def per_column(self, cells: Tensor) -> Tensor:
        return self._values(cells)


class SpreadGaussian(Spread):
    """Numeric columns of several slots each: the value, and its hats (`modalities.hats`) for the encoder."""

    kind = "gaussian"
    single = Gaussian


class SpreadBernoulli(Spread):
    """Booleans of two slots each: the value, and 1 where it is there."""

    kind = "bernoulli"
    default_link = "sigmoid"
    single = Bernoulli
