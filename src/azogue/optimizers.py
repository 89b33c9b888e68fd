"""Optimisers and learning-rate schedules as frozen values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from azogue import formulas
from azogue.recipe import Spec

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "SGD",
    "Adam",
    "Constant",
    "Cosine",
    "Optimizer",
    "RMSprop",
    "Schedule",
    "as_optimizer",
    "as_schedule",
]


class Schedule(Spec):
    """Base of the schedules: progress of the run in [0, 1] → learning rate.

    Examples
    --------
    >>> class Halving(Schedule):
    ...     def __call__(self, progress):
    ...         return 0.1 * 0.5 ** (4 * progress)
    >>> Halving()(0.0), Halving()(0.5)
    (0.1, 0.025)
    """

    def __call__(self, progress: float) -> float:
        raise NotImplementedError


@dataclass(frozen=True, repr=False)
class Constant(Schedule):
    """The same rate from beginning to end.

    Examples
    --------
    >>> Constant(0.01)(0.0), Constant(0.01)(1.0)
    (0.01, 0.01)
    """

    rate: float = 1e-3

    def __call__(self, progress: float) -> float:
        return self.rate


@dataclass(frozen=True, repr=False)
class Cosine(Schedule):
    """Linear warm-up over the first part of the run, then half a cosine down to `final · rate`.

    Parameters
    ----------
    rate : float
        The highest learning rate.
    warmup : float
        Part of the run in [0, 1) spent rising.
    hold : float
        Part of the run in [0, 1) spent at the highest rate afterwards.
    final : float
        Last rate as a part of the highest.

    Examples
    --------
    >>> round(Cosine(1.0, warmup=0.0)(0.5), 3)
    0.5
    """

    rate: float = 1e-3
    warmup: float = 0.05
    hold: float = 0.0
    final: float = 0.0

    def __post_init__(self) -> None:
        if self.warmup < 0.0 or self.hold < 0.0 or self.warmup + self.hold >= 1.0:
            raise ValueError(f"Cosine: warmup and hold are parts of the run, together below 1, got {self!r}")

    def __call__(self, progress: float) -> float:
        if progress < self.warmup:
            return self.rate * (progress / self.warmup * 0.99 + 0.01)
        start = self.warmup + self.hold
        fall = max(progress - start, 0.0) / (1.0 - start)
        return self.rate * (self.final + (1.0 - self.final) * 0.5 * (1.0 + math.cos(math.pi * min(fall, 1.0))))


def as_schedule(rate: Any) -> Schedule:
    """A number → the default schedule at that rate; a schedule as it is.

    The default holds the rate over the first half of the run and lets it fall to 0 over the second (a cosine).

    Examples
    --------
    >>> rate = as_schedule(0.1)
    >>> rate(0.0), rate(0.5), round(rate(0.75), 3), rate(1.0)
    (0.1, 0.1, 0.05, 0.0)
    """
    if isinstance(rate, Schedule):
        return rate
    if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0.0 < float(rate) < math.inf:
        raise ValueError(f"learning_rate: expected a positive number or a schedule, got {rate!r}")
    return Cosine(float(rate), warmup=0.0, hold=0.5)


@dataclass(frozen=True, repr=False)
class Optimizer(Spec):
    """Base of the optimisers: what moves parameters, given their gradients, in place.

    Parameters
    ----------
    clip : float or None
        Largest norm of the gradient over all parameters; longer gradients are scaled down to it.

    Examples
    --------
    >>> import torch
    >>> gradient = torch.tensor([3.0, 4.0])
    >>> Optimizer(clip=1.0).limit([gradient])
    >>> gradient
    tensor([0.6000, 0.8000])
    """

    clip: float | None = None

    #: what is remembered of each parameter from one move to the next, zeros at first
    memory: ClassVar[tuple[str, ...]] = ()

    def move(
        self,
        parameters: list[Tensor],
        gradients: list[Tensor],
        memory: dict[str, list[Tensor]],
        count: Tensor,
        rate: float,
    ) -> None:
        """Move the parameters once.

        Parameters
        ----------
        parameters, gradients : list of Tensor
        memory : dict of lists of Tensor
            For each name in `memory`, a tensor like each parameter.
        count : Tensor of float32, shape ()
            Moves so far, this one included.
        rate : float
            Learning rate.
        """
        raise NotImplementedError

    @property
    def compiled(self) -> tuple[int, tuple[float, ...]] | None:
        """The formula's number in `formulas` and its constants, for compiled steps; None where there is none."""
        return None

    def limit(self, gradients: list[Tensor]) -> None:
        """Scale gradients down to a norm of `clip`, in place."""
        if self.clip is not None:
            import torch

            norm = torch.stack([torch.linalg.vector_norm(gradient) for gradient in gradients]).norm()
            torch._foreach_mul_(gradients, (self.clip / (norm + 1e-6)).clamp(max=1.0))


@dataclass(frozen=True, repr=False)
class Adam(Optimizer):
    """Adam (Kingma & Ba 2015), with the weight decay decoupled (Loshchilov & Hutter 2019).

    `m ← β₁m + (1 − β₁)g`, `v ← β₂v + (1 − β₂)g²`, `p ← p − rate · m̂ / (√v̂ + ε)`, where m̂ = m/(1 − β₁ᵗ) and
    v̂ = v/(1 − β₂ᵗ) at move t.

    Examples
    --------
    >>> import torch
    >>> p, m, v = torch.ones(2), torch.zeros(2), torch.zeros(2)
    >>> Adam().move([p], [torch.tensor([2.0, -50.0])], {"exp_avg": [m], "exp_avg_sq": [v]}, torch.tensor(1.0), rate=0.1)
    >>> p
    tensor([0.9000, 1.1000])
    """

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    memory: ClassVar[tuple[str, ...]] = ("exp_avg", "exp_avg_sq")

    @property
    def compiled(self) -> tuple[int, tuple[float, ...]] | None:
        return (formulas.ADAM, (self.beta1, self.beta2, self.epsilon)) if self.states("compiled", "move") else None

    def move(
        self,
        parameters: list[Tensor],
        gradients: list[Tensor],
        memory: dict[str, list[Tensor]],
        count: Tensor,
        rate: float,
    ) -> None:
        import torch

        torch._fused_adamw_(
            parameters,
            gradients,
            memory["exp_avg"],
            memory["exp_avg_sq"],
            [],
            [count] * len(parameters),
            lr=rate,
            beta1=self.beta1,
            beta2=self.beta2,
            weight_decay=0.0,
            eps=self.epsilon,
            amsgrad=False,
            maximize=False,
        )


@dataclass(frozen=True, repr=False)
class SGD(Optimizer):
    """Stochastic gradient descent with momentum: `b ← momentum · b + g`, `p ← p − rate · b`.

    Examples
    --------
    >>> import torch
    >>> p, b = torch.ones(1), torch.zeros(1)
    >>> for count in (1.0, 2.0):
    ...     SGD().move([p], [torch.tensor([2.0])], {"momentum_buffer": [b]}, torch.tensor(count), rate=0.1)
    ...     print(p)
    tensor([0.8000])
    tensor([0.4200])
    """

    momentum: float = 0.9
    nesterov: bool = False

    memory: ClassVar[tuple[str, ...]] = ("momentum_buffer",)

    @property
    def compiled(self) -> tuple[int, tuple[float, ...]] | None:
        return (formulas.SGD, (self.momentum, float(self.nesterov), 0.0)) if self.states("compiled", "move") else None

    def move(
        self,
        parameters: list[Tensor],
        gradients: list[Tensor],
        memory: dict[str, list[Tensor]],
        count: Tensor,
        rate: float,
    ) -> None:
        import torch

        buffers = memory["momentum_buffer"]
        torch._foreach_mul_(buffers, self.momentum)
        torch._foreach_add_(buffers, gradients)
        if self.nesterov:
            torch._foreach_add_(parameters, gradients, alpha=-rate)
        torch._foreach_add_(parameters, buffers, alpha=-rate * (self.momentum if self.nesterov else 1.0))


@dataclass(frozen=True, repr=False)
class RMSprop(Optimizer):
    """RMSprop (Hinton 2012), Keras' and ruta's default: `v ← ρv + (1 − ρ)g²`, `p ← p − rate · g / (√v + ε)`.

    Examples
    --------
    >>> import torch
    >>> p, v = torch.ones(1), torch.zeros(1)
    >>> RMSprop(rho=0.75).move([p], [torch.tensor([2.0])], {"square_avg": [v]}, torch.tensor(1.0), rate=0.1)
    >>> p
    tensor([0.8000])
    """

    rho: float = 0.9
    epsilon: float = 1e-7

    memory: ClassVar[tuple[str, ...]] = ("square_avg",)

    @property
    def compiled(self) -> tuple[int, tuple[float, ...]] | None:
        return (formulas.RMSPROP, (self.rho, self.epsilon, 0.0)) if self.states("compiled", "move") else None

    def move(
        self,
        parameters: list[Tensor],
        gradients: list[Tensor],
        memory: dict[str, list[Tensor]],
        count: Tensor,
        rate: float,
    ) -> None:
        import torch

        squares = memory["square_avg"]
        torch._foreach_mul_(squares, self.rho)
        torch._foreach_addcmul_(squares, gradients, gradients, value=1.0 - self.rho)
        roots = torch._foreach_sqrt(squares)
        torch._foreach_add_(roots, self.epsilon)
        torch._foreach_addcdiv_(parameters, gradients, roots, value=-rate)


NAMED: dict[str, Optimizer] = {"adam": Adam(), "adamw": Adam(), "sgd": SGD(), "rmsprop": RMSprop()}


def as_optimizer(optimizer: Any) -> Optimizer:
    """Text or an optimiser → an optimiser.

    Examples
    --------
    >>> as_optimizer("sgd"), as_optimizer(Adam(clip=1.0))
    (SGD(), Adam(clip=1.0))
    """
    if isinstance(optimizer, Optimizer):
        return optimizer
    if isinstance(optimizer, str) and optimizer in NAMED:
        return NAMED[optimizer]
    raise ValueError(
        f"optimizer: expected one of {', '.join(NAMED)} or an optimiser such as Adam(clip=1.0), got {optimizer!r}"
    )
