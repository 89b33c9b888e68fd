"""The contraction's gradient by hand, for encoders of dense layers and dropout.

Layers a_l = W_l h_{l−1} + b_l, h_l = f_l φ_l(a_l), f_l what dropout drew, D_l = diag(f_l φ_l′(a_l)). For directions V
of the code (all of its units, or random signs) the rows of the Jacobian are a product, in which scales and matrices
take turns:

    P_L = V D_L        P_{l−1} = (P_l W_l) D_{l−1}        J = P_1 W_1

or, where the input is narrower than the code, its columns are, from the other end: T_0 = I, T_l = D_l W_l T_{l−1},
J = T_L. With ℓ = ‖J‖² and ∂J = 2J, each part of the product gives back, with a what came into it and δ = ∂ℓ by what
went out,

    matrix A:  ∂ℓ/∂A = δ aᵀ,  ∂ℓ/∂a = Aᵀ δ        scale D:  ∂ℓ/∂D = Σ δ ⊙ a over directions,  ∂ℓ/∂a = D δ

A scale moves with its layer's pre-activations, δ_l = ∂ℓ/∂D_l ⊙ f_l φ_l″(a_l), and these with all weights and biases
before: one more pass back through the encoder, δ_l += (W_{l+1}ᵀ δ_{l+1}) ⊙ f_l φ_l′(a_l), ∂ℓ/∂W_l += δ_l h_{l−1}ᵀ,
∂ℓ/∂b_l = Σ δ_l over rows. Layers without φ″ (linear, rectified) send nothing.

Everything lies feature by row, (members, units, n), or (members, units, directions, n), filled up to whole lanes with
rows that count for nothing; so each member has the bits that it has alone. What is the same for all rows has n = 1: the
directions, and what linear layers make of them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from azogue.activations import FORMULAS, LANES
from azogue.modules import DenseModule, DropoutModule
from azogue.objectives.algebra import Pulled
from azogue.recipe import Rng

if TYPE_CHECKING:
    from azogue.network import Network
    from azogue.recipe import Step


def plain(network: Network) -> bool:
    """Whether the encoder is what the formula is for."""
    steps = list(getattr(network.encoder, "steps", ()))
    dense = [step for step in steps if type(step) is DenseModule and step.norm is None]
    return bool(dense) and len(dense) + sum(type(step) is DropoutModule for step in steps) == len(steps)


def contraction(step: Step, exact: int, probes: int, scale: float | None = None) -> Pulled:
    """The mean of `objectives.Contraction` over the batch, and `scale` times its derivatives by weights and biases.

    `scale=None` asks for no derivatives.
    """
    rows = step.seen.shape[1]
    layers, front = _passed(step)
    share = _share(rows, layers[0].x.shape[2], step.seen.dtype)
    if len(step.model.encoder.steps) == 1:
        value = _one_layer(layers[0], share, scale)
    else:
        value = _layers(step, layers, front, share, exact, probes, scale)
    return Pulled(value, {}, [] if scale is None else _pulled(layers))


class Passed:
    """A dense layer that rows went through, with the dropout behind it.

    Attributes
    ----------
    x, y : Tensor, shape (members, width or units, n)
    slope : Tensor, shape (members, units, n), or None
        f φ′(a); None: 1.
    by_weight : Tensor, shape (members, width, units), or None
        The derivative by the transposed weight; None: 0.
    delta : Tensor, shape (members, units, n), or None
        The derivative by a; None: 0.
    """

    def __init__(self, module: Any, x: Tensor) -> None:
        self.module, self.x = module, x
        self.weight: Tensor = module.weight
        self.formula = formula = FORMULAS.get(module.activation)
        self.slope: Tensor | None = None
        self.factor: Tensor | None = None
        self.by_weight: Tensor | None = None
        self.delta: Tensor | None = None
        self.y = before = torch.baddbmm(module.bias[:, :, None], module.weight, x)
        if formula is not None:
            if formula.keeps == "input":
                self.y = torch.empty_like(before) if module.active is None else before.clone()
            self.kept = self._active(before)  # where the output is kept, it is written here
            formula.apply(self.kept, self._active(self.y))
            self.slope = torch.ones_like(before)
            formula.pull(self._active(self.slope), self.kept)

    def _active(self, values: Tensor) -> Tensor:
        """The units that the activation applies to."""
        return values if self.module.active is None else values[:, : self.module.active]

    def drop(self, factor: Tensor) -> None:
        """Told what dropout drew behind the layer."""
        self.y = self.y * factor
        self.slope = factor if self.slope is None else self.slope * factor
        self.factor = factor if self.factor is None else self.factor * factor

    @property
    def bends(self) -> bool:
        """Whether the slope moves with what comes in."""
        return self.formula is not None and self.formula.bend is not None

    def bend(self, by_slope: Tensor) -> None:
        """Told the derivative by the slope, (members, units, n), which is overwritten by the one by a."""
        if self.formula is not None and self.formula.bend is not None:
            if self.factor is not None:
                by_slope.mul_(self.factor)
            self.formula.bend(self._active(by_slope), self.kept)
            if self.module.active is not None:
                by_slope[:, self.module.active :] = 0.0
            self.delta = by_slope


class Turn:
    """A layer's matrix in the product: W, or Wᵀ from the code's side."""

    def __init__(self, layer: Passed, *, back: bool) -> None:
        self.layer, self.back = layer, back
        self.matrix = layer.weight.mT if back else layer.weight

    def forward(self, along: Tensor) -> Tensor:
        self.along = along
        return _times(self.matrix, along)

    def backward(self, delta: Tensor, *, last: bool) -> Tensor:
        one, other = (delta, self.along) if self.back else (self.along, delta)
        self.layer.by_weight = _outer(one.flatten(2), other.flatten(2))
        return delta if last else _times(self.matrix.mT, delta)


class Scale:
    """A layer's slope in the product, or dropout before the first layer (`layer=None`)."""

    def __init__(self, factor: Tensor, layer: Passed | None) -> None:
        self.factor, self.layer = factor[:, :, None], layer

    def forward(self, along: Tensor) -> Tensor:
        self.along = along
        return along * self.factor

    def backward(self, delta: Tensor, *, last: bool) -> Tensor:
        if self.layer is not None and self.layer.bends:
            self.layer.bend((delta * self.along).sum(2))
        if last:
            return delta
        delta = delta.mul_(self.factor)
        return delta.sum(3, keepdim=True) if self.along.shape[3] == 1 else delta


def _times(matrix: Tensor, along: Tensor) -> Tensor:
    """(members, a, b) · (members, b, directions, n)."""
    return _product(matrix, along.flatten(2)).reshape(len(along), -1, *along.shape[2:])


def _product(a: Tensor, b: Tensor) -> Tensor:
    """(members, p, q) · (members, q, r), with b filled up to whole lanes.

    What is left over of a vector is computed otherwise for one member than for several, on some processors.
    """
    return torch.bmm(a, _filled(b))[:, :, : b.shape[2]]


def _outer(a: Tensor, b: Tensor) -> Tensor:
    """(members, p, n) · (members, r, n)ᵀ, over whole lanes; see `_product`."""
    return torch.bmm(_filled(a), _filled(b).mT)


def _filled(values: Tensor) -> Tensor:
    """(members, p, n) with zeros up to whole lanes."""
    n = values.shape[2]
    if n % LANES == 0:
        return values
    filled = values.new_zeros(*values.shape[:2], -(-n // LANES) * LANES)
    filled[:, :, :n] = values
    return filled


def _passed(step: Step) -> tuple[list[Passed], Tensor | None]:
    """The encoder's layers with the step's rows, and what dropout before the first of them drew."""
    members, rows, _ = step.seen.shape
    x = _filled(step.seen.mT)
    layers: list[Passed] = []
    front: Tensor | None = None
    for module in step.model.encoder.steps:
        if isinstance(module, DenseModule):
            layers.append(Passed(module, x))
        elif isinstance(module, DropoutModule) and step.rng is not None and module.rate > 0.0:
            drawn, _ = module.traced(x.new_ones(members, rows, x.shape[1]), step.rng)
            factor = x.new_zeros(x.shape)
            factor[:, :, :rows] = drawn.mT
            if layers:
                layers[-1].drop(factor)
            else:
                x, front = x * factor, factor if front is None else front * factor
        x = layers[-1].y if layers else x
    return layers, front


def _one_layer(layer: Passed, share: Tensor, scale: float | None) -> Tensor:
    """Σⱼ φ′(aⱼ)² Σᵢ Wⱼᵢ², and what it is by W directly and by a."""
    squares: Tensor = layer.weight.square().sum(2)
    if layer.slope is None:
        if scale is not None:
            layer.by_weight = 2.0 * scale * layer.weight.mT
        return squares.sum(1)
    counted = layer.slope * share
    weights: Tensor = (counted * layer.slope).sum(2)
    if scale is not None:
        layer.by_weight = layer.weight.mT * (2.0 * scale * weights[:, None])
        layer.bend(counted.mul_(2.0 * scale * squares[:, :, None]))
    return (weights * squares).sum(1)


def _layers(
    step: Step, layers: list[Passed], front: Tensor | None, share: Tensor, exact: int, probes: int, scale: float | None
) -> Tensor:
    """‖J‖², and what it is by the matrices in the product and by a in its scales."""
    width, units = step.seen.shape[2], step.h.shape[2]
    back = units <= min(width, exact) or width > exact
    path: list[Turn | Scale] = [] if front is None else [Scale(front, None)]
    for layer in layers:
        path.append(Turn(layer, back=back))
        if layer.slope is not None:
            path.append(Scale(layer.slope, layer))
    if back:
        path.reverse()
    if back and units > exact:
        along, share = _signs(step, probes), share / probes
    else:
        along = _identity(units if back else width, share.dtype).expand(len(step.seen), -1, -1, -1)
    gram = back and front is None and _cheaper(layers[0], directions=along.shape[2])
    if gram:
        path.pop()
    for part in path:
        along = part.forward(along)
    share = share if along.shape[3] > 1 else share.sum()
    first = layers[0].weight
    counted = (_times(_outer(first, first), along) if gram else along) * share
    value = (along * counted).sum((1, 2, 3))
    if scale is not None:
        delta = counted.mul_(2.0 * scale)
        if gram:
            pairs = _outer((along * share).flatten(2), along.flatten(2))
            layers[0].by_weight = _product(first.mT, pairs.mul_(2.0 * scale))
        for part in reversed(path):
            delta = part.backward(delta, last=part is path[0])
    return value


def _cheaper(layer: Passed, directions: int) -> bool:
    """Whether the last product is better left out, as ‖P W‖² = Σ P ⊙ (P W Wᵀ): by counting multiplications."""
    _, units, width = layer.weight.shape
    columns = directions * layer.x.shape[2]
    return 2 * units * (width + columns) < 3 * width * columns


@lru_cache(64)
def _share(rows: int, filled: int, dtype: torch.dtype) -> Tensor:
    """What each row counts for, (filled,)."""
    with torch.inference_mode(False):
        return torch.tensor([1.0 / rows] * rows + [0.0] * (filled - rows), dtype=dtype)


@lru_cache(64)
def _identity(size: int, dtype: torch.dtype) -> Tensor:
    """All units as directions, (size, size, 1)."""
    with torch.inference_mode(False):
        return torch.eye(size, dtype=dtype)[..., None]


def _signs(step: Step, probes: int) -> Tensor:
    """Random signs for each unit of the code, of each member its own, (members, units, probes, 1)."""
    members, _, units = step.h.shape
    rngs = [Rng(0)] * members if step.rng is None else step.rng.members  # type: ignore[attr-defined]
    coins = [torch.randint(2, (probes, units), generator=rng.generator("contraction")) for rng in rngs]
    return (2 * torch.stack(coins) - 1).to(step.h.dtype).mT[..., None]


def _pulled(layers: list[Passed]) -> list[tuple[Tensor, Tensor]]:
    """Derivatives by weights and biases: those that the layers were told, and those by a, passed back."""
    found: list[tuple[Tensor, Tensor]] = []
    delta: Tensor | None = None
    for number in reversed(range(len(layers))):
        layer = layers[number]
        if layer.delta is not None:
            delta = layer.delta if delta is None else delta + layer.delta
        if delta is not None:
            found.append((layer.module.bias, delta.sum(2)))
            ours = layer.by_weight
            way = _outer(layer.x, delta)
            layer.by_weight = way if ours is None else way.add_(ours)
        if layer.by_weight is not None:
            found.append((layer.weight, layer.by_weight.mT))
        if delta is not None and number:
            delta = torch.bmm(layer.weight.mT, delta)
            slope = layers[number - 1].slope
            delta = delta if slope is None else delta.mul_(slope)
    return found
