"""Terms and their sum: `HeadLoss() + 0.1 * Sparsity()`.

A term is a frozen value and a function of one `Step`: a value per row (n,), or () for a property of the batch. `+`
and `*` build an `Objective`, a flat tuple of (weight, term), so that sums are associative by construction. The loop
reduces each term once, by its mean, and never learns a term's name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from numbers import Real
from typing import TYPE_CHECKING, ClassVar

from azogue.recipe import Spec, Step

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor, nn

    from azogue.codes import CodeSpec
    from azogue.heads import Head
    from azogue.network import Network
    from azogue.recipe import Rng


@dataclass(frozen=True)
class Pulled:
    """A term's mean and its derivatives.

    Parameters
    ----------
    value : Tensor, shape (members,)
        The mean over the batch, not scaled.
    by : dict of str to Tensor
        Derivatives by what the step has: `"raw"`, `"out"`, `"z"`, `"h"`, or a statistic of the code.
    parameters : list of pairs of Tensor
        Trained tensors that the term reads itself, and the derivatives by them.
    """

    value: Tensor
    by: dict[str, Tensor] = field(default_factory=dict)
    parameters: list[tuple[Tensor, Tensor]] = field(default_factory=list)


class Term(Spec):
    """Base of the terms.

    `needs` names the statistics of the code that the term reads (`"prior"`: a prior to compare with), `heads` the
    kinds of heads that it can work on (empty: any), `demand` the head that it wants for numeric columns.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import torch
    >>> from azogue.recipe import Code
    >>> class Norm(Term):
    ...     def __call__(self, step):
    ...         return step.code.z.square().sum(1)
    >>> Norm()(SimpleNamespace(code=Code(torch.tensor([[3.0, 4.0]])))), 0.1 * Norm()
    (tensor([25.]), 0.1 * Norm())
    """

    needs: ClassVar[frozenset[str]] = frozenset()
    heads: ClassVar[frozenset[str]] = frozenset()
    demand: ClassVar[str | None] = None
    #: whether the term measures the distance between x and its reconstruction
    reconstructs: ClassVar[bool] = False
    #: whether it reads the reconstruction in the units of x, rather than the decoder's raw output or the code
    reads_out: ClassVar[bool] = False
    #: whether its value on held-out rows tells one epoch from another; an adversary's does not
    judges: ClassVar[bool] = True
    #: whether it reads `step.target`, what `fit(X, y)` is told of each row
    supervised: ClassVar[bool] = False
    #: whether a row's value depends on the other rows of its batch; see `mixes`
    mixing: ClassVar[bool] = False
    #: whether `gradient` draws from `step.rng`
    draws: ClassVar[bool] = False

    def build(self, network: Network, rng: Rng) -> nn.Module | None:
        """What the term has to train itself, as a module that `step.model.part(self)` gives back; None: nothing."""
        return None

    def count(self, size: int) -> int:
        """How many numbers the part holds for a code of `size` units, told without making it; 0 where it is small."""
        return 0

    @property
    def opponent(self) -> Term | None:
        """The term that the part minimises where it is a player of its own; None: it moves with the autoencoder."""
        return None

    @property
    def name(self) -> str:
        """The term's name in histories: the class name in snake case."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(self).__name__).lower()

    def __call__(self, step: Step) -> Tensor:
        """The value of each row (n,), or of the batch ()."""
        raise NotImplementedError

    def gradient(self, step: Step, scale: float) -> Pulled:
        """The batch's mean of the term, and what `scale` times it is by what the term reads.

        The step's tensors have a leading dimension of members, (members, n, …), and each member's mean is its own.
        """
        raise NotImplementedError

    def mean(self, step: Step, scale: float) -> Tensor:
        """The value of `gradient(step, scale)`, (members,), for terms that have it cheaper alone."""
        return self.gradient(step, scale).value

    def compiled(self, head: Head) -> tuple[int, int, int, float] | None:
        """What compiled steps know of the term over a head: loss, slots that count, link, a detail of the loss.

        The first and third are numbers of `formulas`; None: the term has no compiled formula for such a head.
        """
        return None

    @property
    def mixes(self) -> bool:
        """Whether a row's value depends on the other rows of its batch, so that no gradient is a single row's."""
        return self.mixing

    @property
    def analytic(self) -> bool:
        """Whether `gradient` belongs to the formula, for any network of layers that state derivatives."""
        return self.states("gradient", "__call__")

    def derives(self, network: Network) -> bool:
        """Whether `gradient` belongs to the formula for this network."""
        return self.analytic

    def __add__(self, other: object) -> Objective:
        return Objective(((1.0, self),)) + other

    def __mul__(self, weight: object) -> Objective:
        return Objective(((1.0, self),)) * weight

    __rmul__ = __mul__


@dataclass(frozen=True, repr=False)
class Objective(Spec):
    """A weighted sum of terms, in the order in which they were added.

    Examples
    --------
    >>> from azogue.objectives import L1, MSE, Sparsity
    >>> objective = 2.0 * (MSE() + 0.1 * L1()) + Sparsity(0.1)
    >>> objective
    2 * MSE() + 0.2 * L1() + Sparsity(rho=0.1)
    >>> objective.penalties
    0.2 * L1() + Sparsity(rho=0.1)
    """

    terms: tuple[tuple[float, Term], ...]

    def __add__(self, other: object) -> Objective:
        if isinstance(other, Objective):
            return Objective(self.terms + other.terms)
        if isinstance(other, Term):
            return Objective((*self.terms, (1.0, other)))
        raise TypeError(f"+ adds terms to terms, got {type(other).__name__} ({other!r}); layers go into network=")

    def __mul__(self, weight: object) -> Objective:
        if isinstance(weight, bool) or not isinstance(weight, Real):
            raise TypeError(f"a term is multiplied by a number, got {type(weight).__name__} ({weight!r})")
        return Objective(tuple((float(weight) * own, term) for own, term in self.terms))

    __rmul__ = __mul__

    def __repr__(self) -> str:
        return " + ".join(repr(term) if weight == 1.0 else f"{weight:g} * {term!r}" for weight, term in self.terms)

    @property
    def reconstruction(self) -> Objective:
        """The part that measures the distance between x and its reconstruction."""
        return Objective(tuple(pair for pair in self.terms if pair[1].reconstructs))

    @property
    def penalties(self) -> Objective:
        """The other part."""
        return Objective(tuple(pair for pair in self.terms if not pair[1].reconstructs))

    @property
    def judged(self) -> Objective:
        """The part that is compared between epochs."""
        return Objective(tuple(pair for pair in self.terms if pair[1].judges))

    @property
    def supervised(self) -> bool:
        """Whether a term asks for what `fit(X, y)` is told of each row."""
        return any(term.supervised for _, term in self.terms)

    @property
    def demand(self) -> str | None:
        """The head that the reconstruction wants for numeric columns; two different wishes are an error."""
        wishes = {term.demand for _, term in self.terms} - {None}
        if len(wishes) > 1:
            raise TypeError(
                f"objective {self!r}: its terms want different heads for the same columns: {sorted(map(str, wishes))}"
            )
        return next(iter(wishes), None)

    def names(self) -> list[str]:
        """Names of the terms, told apart by a number where two are equal."""
        names = [term.name for _, term in self.terms]
        return [
            name if names.count(name) == 1 else f"{name}_{names[:i].count(name) + 1}" for i, name in enumerate(names)
        ]

    def check(self, code: CodeSpec, heads: Iterable[Head]) -> None:
        """Refuse, before training, terms whose code or heads are missing.

        Raises
        ------
        TypeError
            Naming the term, what it needs and what there is.
        """
        kinds = {head.kind for head in heads}
        for _, term in self.terms:
            if missing := term.needs - code.offers:
                raise TypeError(f"{term!r} needs a code with {sorted(missing)}, but {code!r} has {sorted(code.offers)}")
            if term.heads and (wrong := kinds - term.heads):
                raise TypeError(
                    f"{term!r} works on {' and '.join(sorted(term.heads))} heads, but the data have "
                    f"{' and '.join(sorted(wrong))} ones too; leave objective=None for each head's own loss"
                )


def evaluate(objective: Objective, step: Step) -> tuple[Tensor, list[Tensor]]:
    """The objective at a step: Σ weight · mean(term), and the unweighted means in the order of the terms.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import torch
    >>> from azogue.objectives import L1
    >>> from azogue.recipe import Code
    >>> evaluate(0.5 * L1(), SimpleNamespace(code=Code(torch.tensor([[1.0, -2.0], [0.0, 1.0]]))))
    (tensor(1.), [tensor(2.)])
    """
    means = [value.mean() if value.ndim else value for value in (term(step) for _, term in objective.terms)]
    total = means[0] * objective.terms[0][0]
    for (weight, _), mean in zip(objective.terms[1:], means[1:], strict=True):
        total = total + weight * mean
    return total, means
