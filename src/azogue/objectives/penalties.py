"""Penalties: what the objective asks for besides a faithful reconstruction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from azogue.layers import ACTIVATIONS
from azogue.objectives.algebra import Term

if TYPE_CHECKING:
    from torch import Tensor

    from azogue.recipe import Step


@dataclass(frozen=True, repr=False)
class Sparsity(Term):
    """Keep the mean activation ρ̂ⱼ of each code unit near a small ρ.

    `distance="squared"` is Σⱼ (ρ − ρ̂ⱼ)²; `"kl"` is Σⱼ ρ log(ρ/ρ̂ⱼ) + (1 − ρ) log((1 − ρ)/(1 − ρ̂ⱼ)), for code
    activations of bounded range (sigmoid, tanh, softsign), which is brought to [0, 1] first. Both are 0 where every
    unit meets its target.

    Parameters
    ----------
    rho : float
        The target ρ in (0, 1).
    distance : {"squared", "kl"}

    Raises
    ------
    TypeError
        At the first step, for `"kl"` and a code without bounds.

    References
    ----------
    Ng (2011), Sparse autoencoder, CS294A lecture notes; Charte et al. (2018), Information Fusion 44.
    """

    rho: float = 0.05
    distance: str = "squared"

    def __post_init__(self) -> None:
        if not 0.0 < self.rho < 1.0:
            raise ValueError(f"Sparsity: rho must lie in (0, 1), got {self.rho!r}")
        if self.distance not in ("squared", "kl"):
            raise ValueError(f"Sparsity: distance must be 'squared' or 'kl', got {self.distance!r}")

    def __call__(self, step: Step) -> Tensor:
        if self.distance == "squared":
            return (self.rho - step.h.mean(0)).square().sum()
        low, high = self._range(step)
        mean = ((step.h.mean(0) - low) / (high - low)).clamp(1e-6, 1 - 1e-6)
        target = torch.full_like(mean, self.rho)
        return (target * (target / mean).log() + (1 - target) * ((1 - target) / (1 - mean)).log()).sum()

    def _range(self, step: Step) -> tuple[float, float]:
        name = step.model.code_activation
        low, high = ACTIVATIONS[name] if name is not None else (0.0, float("inf"))
        if high - low == float("inf"):
            raise TypeError(
                f"{self!r} needs a code layer of bounded activation (sigmoid, tanh, softsign), got {name!r}; "
                "use distance='squared' or give the code layer such an activation"
            )
        return low, high


class L1(Term):
    """`Σⱼ |zⱼ|` of each row's code: few units at work at a time."""

    name = "l1"

    def __call__(self, step: Step) -> Tensor:
        return step.code.z.abs().sum(1)


@dataclass(frozen=True, repr=False)
class WeightDecay(Term):
    """Σ w² over weight matrices (biases and normalisation excepted): of all layers, or of the code layer alone.

    Parameters
    ----------
    on : {"all", "code"}
    """

    on: str = "all"

    def __post_init__(self) -> None:
        if self.on not in ("all", "code"):
            raise ValueError(f"WeightDecay: on must be 'all' or 'code', got {self.on!r}")

    def __call__(self, step: Step) -> Tensor:
        module = step.model if self.on == "all" else step.model.encoder.steps[-1]
        squares = [p.square().sum() for p in module.parameters() if p.ndim > 1]
        return torch.stack(squares).sum()


class Contraction(Term):
    """‖∂h/∂x̃‖²_F of each row: the squared Frobenius norm of the encoder's Jacobian.

    For one sigmoid layer that is Σⱼ (hⱼ(1 − hⱼ))² Σᵢ Wⱼᵢ². Here it is the Jacobian itself for any encoder that treats
    rows one by one: a gradient for each code unit, all of them in one batched pass, (k, n, width).

    References
    ----------
    Rifai, Vincent, Muller, Glorot & Bengio (2011), ICML. NOTE[DIFF] ruta takes the gradient of the sum of the codes,
    in which units cancel one another.
    """

    def __call__(self, step: Step) -> Tensor:
        with torch.enable_grad():
            seen = step.seen.detach().requires_grad_()
            h = step.model.encoder(seen, step.rng)
            units = torch.eye(h.shape[1], dtype=h.dtype, device=h.device)
            (jacobian,) = torch.autograd.grad(
                h, seen, units[:, None, :].expand(-1, *h.shape), create_graph=True, is_grads_batched=True
            )
        return jacobian.square().sum((0, 2))
