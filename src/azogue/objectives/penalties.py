"""Penalties: what the objective asks for besides a faithful reconstruction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch

from azogue.layers import ACTIVATIONS
from azogue.modules import DenseModule
from azogue.objectives.algebra import Pulled, Term
from azogue.objectives.contraction import contraction, plain
from azogue.recipe import Rng

if TYPE_CHECKING:
    from torch import Tensor

    from azogue.modules import RowFunction
    from azogue.network import Network
    from azogue.recipe import Step


#: Mean activations are kept so far from 0 and 1.
INSIDE = (1e-6, 1 - 1e-6)


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

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from azogue.recipe import Code
    >>> h = torch.tensor([[0.0, 0.25], [0.1, 0.05]])
    >>> Sparsity(0.05)(SimpleNamespace(h=h, code=Code(h)))
    tensor(0.0100)
    """

    rho: float = 0.05
    distance: str = "squared"

    mixing: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0.0 < self.rho < 1.0:
            raise ValueError(f"Sparsity: rho must lie in (0, 1), got {self.rho!r}")
        if self.distance not in ("squared", "kl"):
            raise ValueError(f"Sparsity: distance must be 'squared' or 'kl', got {self.distance!r}")

    def __call__(self, step: Step) -> Tensor:
        if self.distance == "squared":
            return (self.rho - _activations(step).mean(0)).square().sum()
        low, high = self._range(step)
        mean = ((_activations(step).mean(0) - low) / (high - low)).clamp(*INSIDE)
        return self._divergence(mean).sum()

    def gradient(self, step: Step, scale: float) -> Pulled:
        name = "mean" if "mean" in step.code.stats else "h"
        found = _activations(step)
        mean, rows = found.mean(-2), found.shape[-2]
        if self.distance == "squared":
            value, slope = (self.rho - mean).square(), 2 * (mean - self.rho)
        else:
            low, high = self._range(step)
            share = (mean - low) / (high - low)
            part = share.clamp(*INSIDE)
            value = self._divergence(part)
            slope = ((1 - self.rho) / (1 - part) - self.rho / part) / (high - low) * (part == share)
        return Pulled(value.sum(-1), {name: (slope * (scale / rows)).unsqueeze(-2).expand_as(found)})

    @property
    def analytic(self) -> bool:
        return self.states("gradient", "__call__", "_divergence", "_range")

    def _divergence(self, mean: Tensor) -> Tensor:
        """Of each unit, from the target."""
        target = torch.full_like(mean, self.rho)
        return target * (target / mean).log() + (1 - target) * ((1 - target) / (1 - mean)).log()

    def _range(self, step: Step) -> tuple[float, float]:
        if "mean" in step.code.stats and "log_var" not in step.code.stats:
            return 0.0, 1.0  # the probability of a bit
        name = step.model.code_activation
        low, high = ACTIVATIONS[name] if name is not None else (0.0, float("inf"))
        if high - low == float("inf"):
            raise TypeError(
                f"{self!r} needs a code layer of bounded activation (sigmoid, tanh, softsign), got {name!r}; "
                "use distance='squared' or give the code layer such an activation"
            )
        return low, high


def _activations(step: Step) -> Tensor:
    """What the code's units do: the mean of a code that is a distribution, else the encoder's output, (n, size)."""
    return step.code.stats.get("mean", step.h)


class L1(Term):
    """`Σⱼ |zⱼ|` of each row's code: few units at work at a time.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from azogue.recipe import Code
    >>> L1()(SimpleNamespace(code=Code(torch.tensor([[1.0, -2.0], [0.0, 0.5]]))))
    tensor([3.0000, 0.5000])
    """

    name = "l1"

    def __call__(self, step: Step) -> Tensor:
        return step.code.z.abs().sum(1)

    def gradient(self, step: Step, scale: float) -> Pulled:
        z = step.code.z
        return Pulled(z.abs().sum((-2, -1)) / z.shape[-2], {"z": z.sign() * (scale / z.shape[-2])})


@dataclass(frozen=True, repr=False)
class WeightDecay(Term):
    """Σ w² over weight matrices (biases and normalisation excepted): of all layers, or of the code layer alone.

    Parameters
    ----------
    on : {"all", "code"}

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> model = SimpleNamespace(matrices=lambda on: [torch.ones(2, 3), 2 * torch.ones(3, 2)])
    >>> WeightDecay()(SimpleNamespace(model=model))
    tensor(30.)
    """

    on: str = "all"

    def __post_init__(self) -> None:
        if self.on not in ("all", "code"):
            raise ValueError(f"WeightDecay: on must be 'all' or 'code', got {self.on!r}")

    def __call__(self, step: Step) -> Tensor:
        return torch.stack([w.square().sum() for w in step.model.matrices(self.on)]).sum()

    def gradient(self, step: Step, scale: float) -> Pulled:
        matrices = step.model.matrices(self.on)
        value = torch.stack([w.square().sum((-2, -1)) for w in matrices]).sum(0)
        return Pulled(value, {}, [(w, 2 * scale * w) for w in matrices])


@dataclass(frozen=True, repr=False)
class Contraction(Term):
    """‖∂h/∂x̃‖²_F of each row: the squared Frobenius norm of the Jacobian of the encoder's output h.

    - One dense layer: `Σⱼ φ'(aⱼ)² Σᵢ Wⱼᵢ²`, where a is what the activation φ gets; for a sigmoid φ' = h(1 − h).
    - Other encoders, exactly: one backward pass a unit of h, or one forward pass a value of x̃ where those are fewer,
      all of them together.
    - More than `exact` of both: Hutchinson's estimate, the mean of `‖vᵀ ∂h/∂x̃‖²` over random signs v, unbiased; the
      default of 16 costs a fraction of more and trains as well.

    Batch statistics of normalisation layers count as constants of the function that is differentiated, since a row at
    inference does not move them; dropout's pattern likewise. A user's own module is differentiated as at inference.

    Encoders of dense layers and dropout have its gradient by hand, see `objectives.contraction`; others by autograd.

    Parameters
    ----------
    exact : int
        The most passes that the exact Jacobian may take.
    probes : int
        Random vectors of the estimate.

    References
    ----------
    Rifai, Vincent, Muller, Glorot & Bengio (2011), ICML; Hutchinson (1990), Communications in Statistics 19.
    NOTE[DIFF] ruta takes the gradient of the sum of the codes, in which units cancel one another.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from azogue.layers import Dense
    >>> from azogue.modules import Chain
    >>> layer = DenseModule(2, Dense(3), Rng(0))
    >>> step = SimpleNamespace(seen=torch.ones(1, 2), model=SimpleNamespace(encoder=Chain([layer])))
    >>> torch.allclose(Contraction()(step), layer.weight.square().sum())
    True
    """

    exact: int = 16
    probes: int = 4

    draws: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.exact < 0 or self.probes < 1:
            raise ValueError(f"Contraction: exact must be at least 0 and probes at least 1, got {self!r}")

    def __call__(self, step: Step) -> Tensor:
        chain = step.model.encoder
        with torch.enable_grad():
            seen = step.seen.detach().clone()
            last = chain.steps[-1]
            if len(chain.steps) == 1 and isinstance(last, DenseModule) and last.norm is None:
                return _one_layer(last, seen)
            encode = chain.rowwise(seen, step.rng)
            seen = seen.clone().requires_grad_()
            h = encode(seen)
            width, units = seen.shape[1], h.shape[1]
            if units <= min(width, self.exact):
                return _backward(seen, h, torch.eye(units, dtype=h.dtype, device=h.device)).sum(0)
            if width <= self.exact:
                return _forward(encode, seen).sum(0)
            rng = Rng(0) if step.rng is None else step.rng
            coin = torch.randint(2, (self.probes, units), generator=rng.generator("contraction"))
            signs = (2 * coin - 1).to(h.device, h.dtype)
            return _backward(seen, h, signs).mean(0)

    def gradient(self, step: Step, scale: float) -> Pulled:
        return contraction(step, self.exact, self.probes, scale)

    def mean(self, step: Step, scale: float) -> Tensor:
        return contraction(step, self.exact, self.probes).value

    @property
    def analytic(self) -> bool:
        return False  # not for any network

    def derives(self, network: Network) -> bool:
        return self.states("gradient", "__call__") and plain(network)


def _one_layer(layer: DenseModule, seen: Tensor) -> Tensor:
    """Σⱼ φ'(aⱼ)² Σᵢ Wⱼᵢ² of each row."""
    before = torch.nn.functional.linear(seen, layer.weight, layer.bias)
    with_leaf = before if before.requires_grad else before.requires_grad_()
    (slope,) = torch.autograd.grad(layer.activated(with_leaf).sum(), with_leaf, create_graph=True)
    return slope.square() @ layer.weight.square().sum(1)


def _backward(seen: Tensor, h: Tensor, directions: Tensor) -> Tensor:
    """‖vᵀ ∂h/∂x̃‖² for each direction v of the code (m, units) and each row, (m, n)."""
    along = directions[:, None, :].expand(-1, *h.shape)
    (rows,) = torch.autograd.grad(h, seen, along, create_graph=True, is_grads_batched=True)
    return rows.square().sum(2)


def _forward(encode: RowFunction, seen: Tensor) -> Tensor:
    """‖∂h/∂x̃ᵢ‖² for each value i of the input and each row, (width, n)."""

    def column(direction: Tensor) -> Tensor:
        moved: Tensor = torch.func.jvp(encode, (seen,), (direction.expand_as(seen),))[1]
        return moved.square().sum(1)

    directions = torch.eye(seen.shape[1], dtype=seen.dtype, device=seen.device)
    return torch.as_tensor(torch.func.vmap(column, randomness="same")(directions))
