"""Torch modules of a network: layers, code, encoder–code–decoder.

They differ from torch's own in one thing: whatever draws, draws from the step's counter-based randomness (`rng`), and
`rng=None` means inference. There is no train/eval mode to forget.
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from azogue.codes import CodeSpec
from azogue.layers import Bottleneck, Dense, activate
from azogue.recipe import Code, Rng

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from azogue.heads import Head


def initial_weights(shape: tuple[int, int], activation: str, rng: Rng, gain: float = 1.0) -> Tensor:
    """Uniform weights of variance gain²/fan-in, twice that before a rectifier (LeCun et al. 1998; He et al. 2015)."""
    variance = (2.0 if activation in ("relu", "elu", "gelu", "silu", "softplus") else 1.0) / shape[1]
    draw = torch.rand(shape, generator=rng.generator("weights"))
    return (2.0 * draw - 1.0) * gain * math.sqrt(3.0 * variance)


#: A function of rows that treats each on its own.
RowFunction = Callable[[Tensor], Tensor]


class DenseModule(nn.Module):
    """`activation(norm(x Wᵀ + b))`."""

    #: how many units the activation applies to; a code's further statistics, behind them, are left as they are
    active: int | None = None

    def __init__(self, inputs: int, spec: Dense | Bottleneck, rng: Rng, gain: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(initial_weights((spec.units, inputs), spec.activation, rng, gain))
        self.bias = nn.Parameter(torch.zeros(spec.units))
        self.activation = spec.activation
        kind = getattr(spec, "normalization", None)
        self.norm = None if kind is None else _NORMS[kind](spec.units)

    def forward(self, x: Tensor, rng: Rng | None) -> Tensor:
        x = self.affine(x)
        if self.norm is not None:
            x = self.norm(x, rng)
        return self.activated(x)

    def affine(self, x: Tensor) -> Tensor:
        """`x Wᵀ + b`, with units as the rows of the product that the machine computes.

        So rows of x run along the vector lanes, all of which do the same: a row's bits do not depend on its place in
        the block. The other way round they do, with some libraries and shapes (MKL on AMD, 41 → 11 units).
        """
        return torch.addmm(self.bias[:, None], self.weight, x.t()).t()

    def activated(self, x: Tensor) -> Tensor:
        """What the layer makes of what its activation gets."""
        if self.active is None or self.activation == "linear":
            return activate(self.activation, x)
        return torch.cat([activate(self.activation, x[:, : self.active]), x[:, self.active :]], 1)

    def rowwise(self, x: Tensor, rng: Rng | None) -> RowFunction:
        """The layer as a function of single rows, with the normalisation's statistics as they are for `x`."""
        if self.norm is None:
            return lambda row: self(row, rng)
        norm = rowwise(self.norm, self.affine(x), rng)
        return lambda row: self.activated(norm(self.affine(row)))

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
        self.norm = None if spec.normalization is None else _NORMS[spec.normalization](spec.units)

    @property
    def weight(self) -> Tensor:  # type: ignore[override]
        return self._source[0].weight.t()


class DropoutModule(nn.Module):
    """Dropout from the step's randomness."""

    def __init__(self, rate: float, stream: str) -> None:
        super().__init__()
        self.rate, self.stream = rate, stream

    def forward(self, x: Tensor, rng: Rng | None) -> Tensor:
        if rng is None or self.rate == 0.0:
            return x
        keep = torch.rand(x.shape, generator=rng.generator(self.stream, x.device), device=x.device) >= self.rate
        return x * keep / (1.0 - self.rate)


class LayerNormModule(nn.LayerNorm):
    """Layer normalisation: a row's own statistics."""

    def forward(self, x: Tensor, rng: Rng | None) -> Tensor:  # type: ignore[override]
        return super().forward(x)


class BatchNormModule(nn.BatchNorm1d):
    """Batch statistics while training; running ones at inference and for a batch of a single row."""

    def rowwise(self, x: Tensor, rng: Rng | None) -> RowFunction:
        """Centre and scale by the statistics that `forward(x, rng)` uses, without moving the running ones."""
        if rng is None or len(x) < 2:
            return lambda row: self(row, None)
        variance, mean = torch.var_mean(x, 0, correction=0)
        scale = self.weight / (variance + self.eps).sqrt()
        return lambda row: (row - mean) * scale + self.bias

    def forward(self, x: Tensor, rng: Rng | None) -> Tensor:  # type: ignore[override]
        training = rng is not None and len(x) > 1
        return functional.batch_norm(
            x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            training,
            float(self.momentum or 0.0),
            self.eps,
        )


_NORMS: dict[str, Callable[[int], nn.Module]] = {"batch": BatchNormModule, "layer": LayerNormModule}


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


class Chain(nn.Module):
    """Modules one after the other, each told where randomness comes from."""

    def __init__(self, modules: Iterable[nn.Module]) -> None:
        super().__init__()
        self.steps = nn.ModuleList(modules)

    def forward(self, x: Tensor, rng: Rng | None = None) -> Tensor:
        for step in self.steps:
            x = step(x, rng)
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


class CodeLayer(nn.Module):
    """A code spec with its parameters.

    Parameters
    ----------
    spec : CodeSpec
    size : int
        Units of the code.
    """

    def __init__(self, spec: CodeSpec, size: int, rng: Rng) -> None:
        super().__init__()
        self.spec, self.size = spec, size
        for name, value in spec.parameters(size, rng).items():
            self.register_parameter(name, nn.Parameter(value))

    @property
    def prior(self) -> Any:
        """The spec's prior."""
        return getattr(self.spec, "prior", None)

    def values(self) -> dict[str, Tensor]:
        """The code's own parameters by name."""
        return dict(self.named_parameters())

    def forward(self, h: Tensor, rng: Rng | None) -> Code:
        exact = h.float() if h.dtype in (torch.bfloat16, torch.float16) else h
        return self.spec(exact, rng, **self.values())

    def draw(self, n: int, rng: Rng) -> Tensor:
        """Draw n codes from the prior, (n, size)."""
        return self.spec.draw(n, self.size, rng, **self.values()).detach()

    def snapped(self, z: Tensor) -> Tensor:
        """The codes nearest to z (n, size) that the code layer can produce."""
        return self.spec.snapped(z, **self.values()).detach()

    def extra_repr(self) -> str:
        return repr(self.spec)


class Absent(nn.Module):
    """Stands where a model file left a half of the network out."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def forward(self, *_: Any) -> Any:
        raise ValueError(f"this model was saved without its {self.name}; load the whole model for that")

    rowwise = forward


class Network(nn.Module):
    """Encoder, code, decoder and heads.

    Parameters
    ----------
    encoder, decoder : Chain
        x (n, width) → h (n, k) and z (n, size) → raw output (n, width).
    code : CodeLayer
        What turns h into the code.
    heads : sequence of Head
        They cover the output's slots in order.
    size : int
        Units of the code.
    """

    column_weights: Tensor
    numeric: Tensor
    columns: Tensor | None
    first_slots: Tensor

    def __init__(self, encoder: Chain, code: CodeLayer, decoder: Chain, heads: Sequence[Head]) -> None:
        super().__init__()
        self.encoder, self.code, self.decoder = encoder, code, decoder
        self.heads, self.size = tuple(heads), code.size
        self.parts = nn.ModuleDict()
        self._owners: dict[Any, str] = {}
        self._identity = all(head.link_name == "linear" for head in self.heads)
        self.register_buffer("column_weights", torch.tensor([w for h in self.heads for w in h.weights]), False)
        numeric = [h.kind == "gaussian" for h in self.heads for _ in h.columns]
        self.register_buffer("numeric", torch.tensor(numeric, dtype=torch.bool), False)
        cells = [i for i, h in enumerate(self.cells()) for _ in range(h)]
        plain = max(self.cells(), default=1) == 1
        self.register_buffer("columns", None if plain else torch.tensor(cells), False)
        starts = [0, *itertools.accumulate(self.cells())][:-1]
        self.register_buffer("first_slots", torch.tensor(starts, dtype=torch.long), False)

    @property
    def held(self) -> str:
        """What there is of the network: `"all"`, `"encoder"` or `"decoder"`."""
        if isinstance(self.encoder, Absent):
            return "decoder"
        return "encoder" if isinstance(self.decoder, Absent) else "all"

    def only(self, part: str) -> Network:
        """A copy that shares the weights of the `part` asked for and lacks the other.

        Raises
        ------
        ValueError
            If the part is not there, or both share their matrices.
        """
        if any(isinstance(module, TiedModule) for module in self.decoder.modules()):
            raise ValueError("the network's weights are tied: either half holds both; train it with tied=False")
        if self.held != "all":
            raise ValueError(f"of this network there is only its {self.held}")
        other = copy.copy(self)
        other._modules = dict(self._modules)
        other.add_module(
            "decoder" if part == "encoder" else "encoder", Absent("decoder" if part == "encoder" else "encoder")
        )
        return other

    @property
    def code_activation(self) -> str | None:
        """The activation of the code layer; None where the encoder is a foreign module."""
        return getattr(self.encoder.steps[-1], "activation", None)

    def cells(self) -> list[int]:
        """How many slots each column of the output takes, in the order of the heads."""
        return [
            width for h in self.heads for width in ([h.stop - h.start] if len(h.columns) == 1 else [1] * len(h.columns))
        ]

    def attach(self, objective: Any, seed: int = 0) -> None:
        """Make the parts that terms of the objective bring: learned variances, adversaries. Equal terms share one."""
        for name, (_, term) in zip(objective.names(), objective.terms, strict=True):
            if term not in self._owners and (part := term.build(self, Rng(seed).at(shard=1))) is not None:
                self.parts[name], self._owners[term] = part, name

    def part(self, term: Any) -> nn.Module:
        """The part that a term brought."""
        return self.parts[self._owners[term]]

    def encode(self, x: Tensor, rng: Rng | None = None, code_rng: Rng | None = None) -> tuple[Tensor, Code]:
        """Rows (n, width) → encoder's output h and the code, which draws from `code_rng` where that is given."""
        h = self.encoder(x, rng)
        return h, self.code(h, rng if code_rng is None else code_rng)

    def decode(self, z: Tensor, rng: Rng | None = None) -> tuple[Tensor, Tensor]:
        """Code z (n, size) → (out, raw): in the units of x, and before the links."""
        raw = self.decoder(z, rng)
        return self.link(raw), raw

    def link(self, raw: Tensor) -> Tensor:
        """The heads' links over the decoder's raw output."""
        if self._identity:
            return raw
        if len(self.heads) == 1:
            return self.heads[0].link(raw)
        return torch.cat([head.link(raw[:, head.slots]) for head in self.heads], 1)

    def forward(self, x: Tensor, rng: Rng | None = None) -> Tensor:
        """Rows → their reconstruction."""
        return self.decode(self.encode(x, rng)[1].z, rng)[0]
