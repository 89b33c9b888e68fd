"""Torch modules of a network: layers, code, encoder–code–decoder.

They differ from torch's own in one thing: whatever draws, draws from the step's counter-based randomness (`rng`), and
`rng=None` means inference. There is no train/eval mode to forget.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, cast

import torch
from torch import Tensor, nn

from azogue.activations import activate
from azogue.layers import Bottleneck, Dense, Residual, Restore
from azogue.norms import NORMS, LayerNormModule
from azogue.recipe import Rng, Rngs

if TYPE_CHECKING:
    from collections.abc import Iterable


def initial_weights(
    shape: tuple[int, int], activation: str, rng: Rng, gain: float = 1.0, fan_in: int | None = None
) -> Tensor:
    """Uniform weights of variance gain²/fan-in, twice that before a rectifier (LeCun et al. 1998; He et al. 2015)."""
    rectified = activation in ("relu", "elu", "gelu", "silu", "softplus")
    variance = (2.0 if rectified else 1.0) / (shape[1] if fan_in is None else fan_in)
    draw = torch.rand(shape, generator=rng.generator("weights"))
    return (2.0 * draw - 1.0) * gain * math.sqrt(3.0 * variance)


#: A function of rows that treats each on its own.
RowFunction = Callable[[Tensor], Tensor]


class AffineModule(nn.Module):
    """`activation(norm(affine(x)))`, for whatever is affine in x."""

    #: how many units the activation applies to; a code's further statistics, behind them, are left as they are
    active: int | None = None
    activation: str
    norm: nn.Module | None

    def affine(self, x: Tensor) -> Tensor:
        """What normalisation and activation get."""
        raise NotImplementedError

    def forward(self, x: Tensor, rng: Rng | None) -> Tensor:
        x = self.affine(x)
        if self.norm is not None:
            x = self.norm(x, rng)
        return self.activated(x)

    def activated(self, x: Tensor) -> Tensor:
        """What the layer makes of what its activation gets."""
        if self.active is None or self.activation == "linear":
            return activate(self.activation, x)
        return torch.cat([activate(self.activation, x[:, : self.active]), x[:, self.active :]], 1)

    def rowwise(self, x: Tensor, rng: Rng | None) -> RowFunction:
        """The layer as a function of single rows, with the normalisation's statistics as they are for `x`."""
        if self.norm is None:
            return lambda row: cast("Tensor", self(row, rng))
        norm = rowwise(self.norm, self.affine(x), rng)
        return lambda row: self.activated(norm(self.affine(row)))


class DenseModule(AffineModule):
    """`activation(norm(x Wᵀ + b))`."""

    def __init__(self, inputs: int, spec: Dense | Bottleneck | Restore, rng: Rng, gain: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(initial_weights((spec.units, inputs), spec.activation, rng, gain))
        self.bias = nn.Parameter(torch.zeros(spec.units))
        self.activation = spec.activation
        kind = getattr(spec, "normalization", None)
        self.norm = None if kind is None else NORMS[kind](spec.units)

    def affine(self, x: Tensor) -> Tensor:
        """`x Wᵀ + b`, with units as the rows of the product that the machine computes.

        So rows of x run along the vector lanes, all of which do the same: a row's bits do not depend on its place in
        the block. The other way round they do, with some libraries and shapes (MKL on AMD, 41 → 11 units).
        """
        return torch.addmm(self.bias[:, None], self.weight, x.t()).t()

    def extra_repr(self) -> str:
        units, inputs = self.weight.shape
        return f"{inputs} → {units}, {self.activation}"


class TiedModule(DenseModule):
    """A dense layer whose weight is the transpose of another's; only the bias is its own."""

    def __init__(self, spec: Dense, source: DenseModule) -> None:
        nn.Module.__init__(self)
        self._source = [source]  # a list keeps the parameter registered once, under its encoder's name
        self.bias = nn.Parameter(torch.zeros(spec.units))
        self.activation = spec.activation
        self.norm = None if spec.normalization is None else NORMS[spec.normalization](spec.units)

    @property
    def source(self) -> DenseModule:
        """The layer whose weight it is."""
        return self._source[0]

    @property
    def weight(self) -> Tensor:  # type: ignore[override]
        return self.source.weight.t()


class DropoutModule(nn.Module):
    """Dropout from the step's randomness."""

    #: whether it does something else while training than at inference
    differs: ClassVar[bool] = True

    def __init__(self, rate: float, stream: str) -> None:
        super().__init__()
        self.rate, self.stream = rate, stream

    def forward(self, x: Tensor, rng: Rng | None) -> Tensor:
        if rng is None or self.rate == 0.0:
            return x
        return x * self._factor(x, rng)

    def traced(self, x: Tensor, rng: Rng | Rngs | None) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        """The same for x (…, n, width), and how a gradient passes back through it."""
        if rng is None or self.rate == 0.0:
            return x, lambda delta: delta
        factor = self._factor(x, rng)
        return x * factor, lambda delta: delta * factor

    def _factor(self, x: Tensor, rng: Rng | Rngs) -> Tensor:
        """0 or 1/(1 − rate) for each value."""
        return (rng.uniform(self.stream, x.shape, x) >= self.rate).to(x.dtype) / (1.0 - self.rate)


class ResidualModule(nn.Module):
    """`x + dropout(activation(W norm(x) + b))`."""

    def __init__(self, width: int, spec: Residual, rng: Rng, stream: str) -> None:
        super().__init__()
        self.norm = LayerNormModule(width)
        self.dense = DenseModule(width, Dense(width, spec.activation), rng)
        self.dropout = DropoutModule(spec.rate, stream)

    def forward(self, x: Tensor, rng: Rng | None) -> Tensor:
        return cast("Tensor", x + self.dropout(self.dense(self.norm(x, rng), rng), rng))


def rowwise(module: nn.Module, x: Tensor, rng: Rng | None) -> RowFunction:
    """`module(x, rng)` as a function of single rows: what it takes from the other rows of `x` stays as it is."""
    own: Any = getattr(module, "rowwise", None)
    if own is None:
        return lambda row: cast("Tensor", module(row, rng))
    return cast("RowFunction", own(x, rng))


class Foreign(nn.Module):
    """A user's torch module: its own random layers draw from the step's randomness, and nobody else's is touched."""

    def __init__(self, module: nn.Module, stream: str) -> None:
        super().__init__()
        self.module, self.stream = module, stream

    def rowwise(self, x: Tensor, rng: Rng | None) -> RowFunction:
        """As at inference, where any module treats rows one by one."""
        return lambda row: self(row, None)

    def forward(self, x: Tensor, rng: Rng | None) -> Tensor:
        self.module.train(rng is not None and len(x) > 1)  # batch statistics need more than one row
        if rng is None:
            return cast("Tensor", self.module(x))
        kind, index = x.device.type, x.device.index or 0
        devices = [index] if kind in ("cuda", "mps") else []
        with torch.random.fork_rng(devices, device_type=kind if devices else "cuda"):
            seed = rng.integer(self.stream)
            torch.default_generator.manual_seed(seed)
            if kind == "cuda":
                torch.cuda.default_generators[index].manual_seed(seed)
            elif kind == "mps":
                torch.mps.manual_seed(seed)
            return cast("Tensor", self.module(x))


class Skip(nn.Module):
    """Adds what a layer of the way in got to what its mirror on the way back made."""

    def forward(self, x: Tensor, rng: Rng | None) -> Tensor:
        raise ValueError(
            "this network has skip connections: its way back needs the row itself, not only its code; use reconstruct"
        )

    def joined(self, x: Tensor, kept: Tensor, rng: Rng | None) -> Tensor:
        """What came back and what its mirror got, as one."""
        return x + kept


class Chain(nn.Module):
    """Modules one after the other, each told where randomness comes from.

    Parameters
    ----------
    modules : iterable of Module
    marks : collection of int
        Places of modules whose input is kept for skip connections.
    """

    def __init__(self, modules: Iterable[nn.Module], marks: Iterable[int] = ()) -> None:
        super().__init__()
        self.steps = nn.ModuleList(modules)
        self.marks = frozenset(marks)

    def forward(self, x: Tensor, rng: Rng | None = None, kept: list[Tensor] | None = None) -> Tensor:
        """Rows through all modules; `kept` takes what skip connections bring to the way back, the last first."""
        for place, step in enumerate(self.steps):
            if kept is not None and place in self.marks:
                kept.append(x)
            x = step.joined(x, kept.pop(), rng) if kept and isinstance(step, Skip) else step(x, rng)
        return x

    def rowwise(self, x: Tensor, rng: Rng | None = None) -> RowFunction:
        """The chain as a function of single rows, for derivatives: batch statistics stay those of `x`."""
        functions = []
        for step in self.steps:
            functions.append(rowwise(step, x, rng))
            x = functions[-1](x)

        def run(row: Tensor) -> Tensor:
            for function in functions:
                row = function(row)
            return row

        return run
