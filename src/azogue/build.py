"""From a network spec and a width to torch: encoder, code, decoder, heads.

The modules here differ from torch's own in one thing: whatever draws, draws from the step's counter-based randomness
(`rng`), and `rng=None` means inference. There is no train/eval mode to forget.
"""

from __future__ import annotations

import copy
import itertools
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from azogue.codes import CodeSpec
from azogue.layers import (
    ACTIVATIONS,
    BatchNorm,
    Bottleneck,
    Dense,
    Dropout,
    Layer,
    LayerNorm,
    NetworkSpec,
    Stack,
    activate,
)
from azogue.recipe import Code, Rng

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from azogue.heads import Head


class _DenseModule(nn.Module):
    """`activation(norm(x Wᵀ + b))`."""

    def __init__(self, inputs: int, spec: Dense | Bottleneck, rng: Rng, gain: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(_initial((spec.units, inputs), spec.activation, rng, gain))
        self.bias = nn.Parameter(torch.zeros(spec.units))
        self.activation = spec.activation
        kind = getattr(spec, "normalization", None)
        self.norm = None if kind is None else _NORMS[kind](spec.units)

    def forward(self, x: Tensor, rng: Rng | None) -> Tensor:
        x = functional.linear(x, self.weight, self.bias)
        if self.norm is not None:
            x = self.norm(x, rng)
        return activate(self.activation, x)

    def extra_repr(self) -> str:
        units, inputs = self.weight.shape
        return f"{inputs} → {units}, {self.activation}"


class _TiedModule(_DenseModule):
    """A dense layer whose weight is the transpose of another's; only the bias is its own."""

    def __init__(self, spec: Dense, source: _DenseModule) -> None:
        nn.Module.__init__(self)
        self._source = [source]  # a list keeps the parameter registered once, under its encoder's name
        self.bias = nn.Parameter(torch.zeros(spec.units))
        self.activation = spec.activation
        self.norm = None if spec.normalization is None else _NORMS[spec.normalization](spec.units)

    @property
    def weight(self) -> Tensor:  # type: ignore[override]
        return self._source[0].weight.t()


class _DropoutModule(nn.Module):
    def __init__(self, rate: float, stream: str) -> None:
        super().__init__()
        self.rate, self.stream = rate, stream

    def forward(self, x: Tensor, rng: Rng | None) -> Tensor:
        if rng is None or self.rate == 0.0:
            return x
        keep = torch.rand(x.shape, generator=rng.generator(self.stream, x.device), device=x.device) >= self.rate
        return x * keep / (1.0 - self.rate)


class _LayerNormModule(nn.LayerNorm):
    def forward(self, x: Tensor, rng: Rng | None) -> Tensor:  # type: ignore[override]
        return super().forward(x)


class _BatchNormModule(nn.BatchNorm1d):
    """Batch statistics while training; running ones at inference and for a batch of a single row."""

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


_NORMS: dict[str, Callable[[int], nn.Module]] = {"batch": _BatchNormModule, "layer": _LayerNormModule}


class Foreign(nn.Module):
    """A user's torch module: its own random layers draw from the step's randomness, and nobody else's is touched."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor, rng: Rng | None) -> Tensor:
        self.module.train(rng is not None)
        if rng is None:
            return cast("Tensor", self.module(x))
        devices = [x.device] if x.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.default_generator.manual_seed(rng.integer("module"))
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


class Network(nn.Module):
    """Encoder, code, decoder and heads.

    Parameters
    ----------
    encoder, decoder : Chain
        x (n, width) → h (n, k) and z (n, size) → raw output (n, width).
    code : CodeSpec or Module
        What turns h into the code.
    heads : sequence of Head
        They cover the output's slots in order.
    size : int
        Units of the code.
    """

    column_weights: Tensor
    columns: Tensor | None
    first_slots: Tensor

    def __init__(self, encoder: Chain, code: Any, decoder: Chain, heads: Sequence[Head], size: int) -> None:
        super().__init__()
        self.encoder, self.code, self.decoder = encoder, code, decoder
        self.heads, self.size = tuple(heads), size
        self._identity = all(head.link_name == "linear" for head in self.heads)
        self.register_buffer("column_weights", torch.tensor([w for h in self.heads for w in h.weights]), False)
        cells = [i for i, h in enumerate(self.cells()) for _ in range(h)]
        plain = max(self.cells(), default=1) == 1
        self.register_buffer("columns", None if plain else torch.tensor(cells), False)
        starts = [0, *itertools.accumulate(self.cells())][:-1]
        self.register_buffer("first_slots", torch.tensor(starts, dtype=torch.long), False)

    @property
    def code_activation(self) -> str | None:
        """The activation of the code layer; None where the encoder is a foreign module."""
        return getattr(self.encoder.steps[-1], "activation", None)

    def cells(self) -> list[int]:
        """How many slots each column of the output takes, in the order of the heads."""
        return [
            width for h in self.heads for width in ([h.stop - h.start] if len(h.columns) == 1 else [1] * len(h.columns))
        ]

    def encode(self, x: Tensor, rng: Rng | None = None) -> tuple[Tensor, Code]:
        """Rows (n, width) → encoder's output h and the code."""
        h = self.encoder(x, rng)
        return h, self.code(h, rng)

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


#: The output layer starts at a tenth of the usual size, so that training starts from the centre of the data.
OUTPUT_GAIN = 0.1


def _initial(shape: tuple[int, int], activation: str, rng: Rng, gain: float = 1.0) -> Tensor:
    """Uniform weights of variance gain²/fan-in, twice that before a rectifier (LeCun et al. 1998; He et al. 2015)."""
    variance = (2.0 if activation in ("relu", "elu", "gelu", "silu", "softplus") else 1.0) / shape[1]
    draw = torch.rand(shape, generator=rng.generator("weights"))
    return (2.0 * draw - 1.0) * gain * math.sqrt(3.0 * variance)


def _module(layer: Layer, width: int, at: int, rng: Rng) -> tuple[nn.Module, int]:
    """One layer spec for an input of `width` units → (module, its output's width)."""
    if isinstance(layer, (Dense, Bottleneck)):
        return _DenseModule(width, layer, rng.at(step=at)), int(layer.units)
    if isinstance(layer, Dropout):
        return _DropoutModule(layer.rate, f"dropout/{at}"), width
    if isinstance(layer, LayerNorm):
        return _LayerNormModule(width, eps=layer.epsilon), width
    if isinstance(layer, BatchNorm):
        return _BatchNormModule(width, eps=layer.epsilon, momentum=layer.momentum), width
    raise TypeError(f"network: {layer!r} does not work on a table's rows of {width} values")


def _chain(layers: Sequence[Layer], width: int, first: int, rng: Rng) -> tuple[list[nn.Module], int]:
    modules = []
    for at, layer in enumerate(layers, first):
        module, width = _module(layer, width, at, rng)
        modules.append(module)
    return modules, width


def build(spec: NetworkSpec, code: CodeSpec, width: int, heads: Sequence[Head], seed: int) -> Network:
    """Build the network of `spec` for rows of `width` slots.

    Weights are a function of the seed and the layer's place alone. The code layer produces `code.width(size)` units.

    Raises
    ------
    ValueError
        If tied weights are asked for and the way back is not the mirror of the way in.
    """
    rng = Rng(seed)
    *before, last = spec.encoder
    size = spec.code_size
    assert isinstance(last, (Dense, Bottleneck))
    wide = replace(last, units=code.width(size))
    encoder, _ = _chain((*before, wide), width, 0, rng)
    slots = heads[-1].stop if heads else width
    final = Dense(slots)
    if spec.output.tied:
        decoder = _tied_decoder(spec, encoder, final, size, code)
    else:
        decoder, width = _chain(spec.decoder, size, len(spec.encoder), rng)
        decoder.append(_DenseModule(width, final, rng.at(step=len(spec.encoder) + len(decoder)), OUTPUT_GAIN))
    module = code.build(size) if hasattr(code, "build") else code
    return Network(Chain(encoder), module, Chain(decoder), heads, size)


def matrix_sizes(spec: NetworkSpec, code: CodeSpec, width: int) -> int:
    """How many weights the matrices of `spec` hold, told without making them."""
    *before, last = [layer for layer in spec.encoder if isinstance(layer, (Dense, Bottleneck))]
    there = [width, *(layer.units for layer in before), code.width(last.units)]
    back = [last.units, *(layer.units for layer in spec.decoder if isinstance(layer, (Dense, Bottleneck))), width]
    paths = (there,) if spec.output.tied else (there, back)
    return sum(a * b for path in paths for a, b in itertools.pairwise(path))


def _tied_decoder(
    spec: NetworkSpec, encoder: list[nn.Module], final: Dense, size: int, code: CodeSpec
) -> list[nn.Module]:
    sources = [module for module in encoder if isinstance(module, _DenseModule)]
    layers = [*spec.decoder, final]
    dense = [layer for layer in layers if isinstance(layer, Dense)]
    wanted = [module.weight.shape[1] for module in reversed(sources)]
    if code.width(size) != size or [layer.units for layer in dense] != wanted:
        raise ValueError(
            f"Output(tied=True) needs a way back that mirrors the way in: widths {wanted} after a code of {size}, "
            f"got {Stack((*spec.decoder, spec.output))!r}"
        )
    modules: list[nn.Module] = []
    width, rng = size, Rng(0)
    for at, layer in enumerate(layers, len(spec.encoder)):
        if isinstance(layer, Dense):
            modules.append(_TiedModule(layer, sources.pop()))
            width = layer.units
        else:
            modules.append(_module(layer, width, at, rng)[0])
    return modules


def wrap_modules(pair: tuple[nn.Module, nn.Module], code: CodeSpec, heads: Sequence[Head], width: int) -> Network:
    """An (encoder, decoder) pair of torch modules as a `Network`; one row is sent through to learn the sizes.

    Raises
    ------
    ValueError
        If the encoder does not take `width` values a row, or the decoder does not return as many.
    """
    encoder, decoder = (Chain([Foreign(copy.deepcopy(module))]) for module in pair)
    probe = torch.zeros(2, width)
    try:
        with torch.no_grad():
            h = encoder(probe)
    except RuntimeError as error:
        raise ValueError(f"network: the encoder does not take rows of {width} values: {error}") from error
    size = next((k for k in range(1, h.shape[1] + 1) if code.width(k) == h.shape[1]), 0) if h.ndim == 2 else 0
    if not size:
        raise ValueError(
            f"network: the encoder returned {tuple(h.shape)} for rows {tuple(probe.shape)}; (n, k) is needed"
        )
    try:
        with torch.no_grad():
            out = decoder(code(h, None).z)
    except RuntimeError as error:
        raise ValueError(f"network: the decoder does not take codes of {size} values: {error}") from error
    slots = heads[-1].stop if heads else width
    if tuple(out.shape) != (2, slots):
        raise ValueError(f"network: the decoder returned rows of {tuple(out.shape[1:])} values, expected ({slots},)")
    return Network(encoder, code, decoder, heads, size)


def reach(activation: str) -> tuple[float, float]:
    """The open interval that an output activation can produce."""
    return ACTIVATIONS["linear" if activation == "auto" else activation]
