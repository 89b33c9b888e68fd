"""Optimisers and learning-rate schedules as frozen values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from azogue.recipe import Spec

if TYPE_CHECKING:
    from collections.abc import Iterable

    import torch


class Schedule(Spec):
    """Base of the schedules: progress of the run in [0, 1] → learning rate."""

    def __call__(self, progress: float) -> float:
        raise NotImplementedError


@dataclass(frozen=True, repr=False)
class Constant(Schedule):
    """The same rate from beginning to end."""

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
    """
    if isinstance(rate, Schedule):
        return rate
    if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0.0 < float(rate) < math.inf:
        raise ValueError(f"learning_rate: expected a positive number or a schedule, got {rate!r}")
    return Cosine(float(rate), warmup=0.0, hold=0.5)


@dataclass(frozen=True, repr=False)
class Optimizer(Spec):
    """Base of the optimisers.

    Parameters
    ----------
    clip : float or None
        Largest norm of the gradient over all parameters; longer gradients are scaled down to it.
    """

    clip: float | None = None

    def make(self, groups: Iterable[dict[str, Any]], rate: float) -> torch.optim.Optimizer:
        """The torch optimiser over parameter groups."""
        raise NotImplementedError


@dataclass(frozen=True, repr=False)
class Adam(Optimizer):
    """Adam with decoupled weight decay (Kingma & Ba 2015; Loshchilov & Hutter 2019)."""

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def make(self, groups: Iterable[dict[str, Any]], rate: float) -> torch.optim.Optimizer:
        import torch

        return torch.optim.AdamW(list(groups), lr=rate, betas=(self.beta1, self.beta2), eps=self.epsilon, fused=True)


@dataclass(frozen=True, repr=False)
class SGD(Optimizer):
    """Stochastic gradient descent with momentum."""

    momentum: float = 0.9
    nesterov: bool = False

    def make(self, groups: Iterable[dict[str, Any]], rate: float) -> torch.optim.Optimizer:
        import torch

        return torch.optim.SGD(list(groups), lr=rate, momentum=self.momentum, nesterov=self.nesterov, fused=True)


@dataclass(frozen=True, repr=False)
class RMSprop(Optimizer):
    """RMSprop (Hinton 2012), Keras' and ruta's default."""

    rho: float = 0.9
    epsilon: float = 1e-7

    def make(self, groups: Iterable[dict[str, Any]], rate: float) -> torch.optim.Optimizer:
        import torch

        return torch.optim.RMSprop(list(groups), lr=rate, alpha=self.rho, eps=self.epsilon)


NAMED: dict[str, Optimizer] = {"adam": Adam(), "adamw": Adam(), "sgd": SGD(), "rmsprop": RMSprop()}


def as_optimizer(optimizer: Any) -> Optimizer:
    """Text or an optimiser → an optimiser."""
    if isinstance(optimizer, Optimizer):
        return optimizer
    if isinstance(optimizer, str) and optimizer in NAMED:
        return NAMED[optimizer]
    raise ValueError(
        f"optimizer: expected one of {', '.join(NAMED)} or an optimiser such as Adam(clip=1.0), got {optimizer!r}"
    )
