"""From a network spec and a width to torch: mirroring is settled, sizes become modules, weights are drawn."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import nn

from azogue.codes import CodeSpec
from azogue.layers import (
    ACTIVATIONS,
    Autoregressive,
    BatchNorm,
    Bottleneck,
    Conv,
    ConvTranspose,
    Dense,
    Dropout,
    Layer,
    LayerNorm,
    NetworkSpec,
    Pool,
    Recurrent,
    Repeat,
    Residual,
    Restore,
    Shape,
    Stack,
    Upsample,
    shapes,
    work_of,
)
from azogue.modules import Chain, DenseModule, DropoutModule, Foreign, ResidualModule, Skip, TiedModule
from azogue.network import CodeLayer, Network
from azogue.norms import NORMS
from azogue.positional import (
    CHANNEL_NORMS,
    ConvModule,
    ConvTransposeModule,
    PoolModule,
    RecurrentModule,
    RepeatModule,
    UpsampleModule,
)
from azogue.recipe import Rng
from azogue.telling import AutoregressiveModule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from azogue.heads import Head

#: The output layer starts at a tenth of the usual size, so that training starts from the centre of the data.
OUTPUT_GAIN = 0.1
_FIRST = Rng(0)
#: Places of layers that each autoencoder of a cascade has to itself.
_PLACES = 1000


def _norm(kind: str, shape: Shape, **options: float) -> nn.Module:
    if len(shape) > 1:
        return CHANNEL_NORMS[kind](shape[-1], **options)
    return NORMS[kind](shape[0], **options)


#: What a layer spec becomes: (spec, shape of a row, randomness, gain of the initial weights, place) → module.
_MODULES: dict[type[Layer], Callable[..., nn.Module]] = {
    Dense: lambda layer, shape, rng, gain, _: DenseModule(math.prod(shape), layer, rng, gain),
    Bottleneck: lambda layer, shape, rng, gain, _: DenseModule(math.prod(shape), layer, rng, gain),
    Residual: lambda layer, shape, rng, _, at: ResidualModule(shape[0], layer, rng, f"residual/{at}"),
    Restore: lambda layer, shape, rng, gain, _: DenseModule(math.prod(shape), layer, rng, gain),
    Conv: lambda layer, shape, rng, gain, _: ConvModule(shape, layer, rng, gain),
    ConvTranspose: lambda layer, shape, rng, gain, _: ConvTransposeModule(shape, layer, rng, gain),
    Recurrent: lambda layer, shape, rng, *_: RecurrentModule(shape, layer, rng),
    Autoregressive: lambda layer, shape, rng, *_: AutoregressiveModule(math.prod(shape), layer, rng),
    Pool: lambda layer, shape, *_: PoolModule(shape, layer),
    Upsample: lambda layer, shape, *_: UpsampleModule(shape, layer),
    Repeat: lambda layer, *_: RepeatModule(layer.steps),
    Dropout: lambda layer, *others: DropoutModule(layer.rate, f"dropout/{others[-1]}"),
    LayerNorm: lambda layer, shape, *_: _norm("layer", shape, eps=layer.epsilon),
    BatchNorm: lambda layer, shape, *_: _norm("batch", shape, eps=layer.epsilon, momentum=layer.momentum),
}


def module_of(layer: Layer, shape: Shape, at: int = 0, rng: Rng = _FIRST, gain: float = 1.0) -> nn.Module:
    """One layer spec for rows of `shape`; its weights depend on the seed and its place `at` alone."""
    make = _MODULES.get(type(layer))
    if make is None:
        raise TypeError(f"network: {layer!r} is no layer of which a network can be built")
    return make(layer, shape, rng.at(step=at), gain, at)


def _chain(layers: Sequence[Layer], shape: Shape, first: int, rng: Rng) -> list[nn.Module]:
    told = zip(layers, shapes(layers, shape), strict=False)
    return [module_of(layer, seen, at, rng) for at, (layer, seen) in enumerate(told, first)]


def build(spec: NetworkSpec, code: CodeSpec, width: int, heads: Sequence[Head], seed: int) -> Network:
    """Build the network of `spec` for rows of `width` slots.

    Weights are a function of the seed and the layer's place alone. The code layer produces `code.width(size)` units.

    Raises
    ------
    ValueError
        If tied weights are asked for and the way back is not the mirror of the way in; likewise skip connections; for a
        code of several statistics behind a layer that is not dense.
    """
    rng, shape = Rng(seed), spec.shape or (width,)
    *before, last = spec.encoder
    size = spec.code_size
    if code.width(size) != size:
        if not isinstance(last, (Dense, Bottleneck)):
            raise ValueError(
                f"network: {code!r} needs {code.width(size)} values for a code of {size}, which a Dense layer makes; "
                f"add one behind {last!r}"
            )
        last = replace(last, units=code.width(size))
    encoder = _chain((*before, last), shape, 0, rng)
    if code.width(size) != size:
        encoder[-1].active = size  # type: ignore[assignment]
    final = Dense(heads[-1].stop if heads else width) if spec.final is None else spec.final
    if spec.output.tied:
        decoder = _tied_decoder(spec, encoder, Dense(heads[-1].stop if heads else width), size, code)
    else:
        code_shape = list(shapes(spec.encoder, shape))[-1]
        decoder = _chain(spec.decoder, code_shape, len(spec.encoder), rng)
        reached = list(shapes(spec.decoder, code_shape))[-1]
        decoder.append(module_of(final, reached, len(spec.encoder) + len(decoder), rng, OUTPUT_GAIN))
    marks: list[int] = []
    if spec.output.skips:
        marks, decoder = _skipping(spec, final, shape, decoder)
    elif isinstance(decoder[-1], AutoregressiveModule):
        marks = [0]
    work = work_of(spec, width, code.width(size))
    network = Network(Chain(encoder, marks), CodeLayer(code, size, rng), Chain(decoder), heads, work, shape)
    network.further.extend(_further(spec, final, width, stage, rng) for stage in range(1, spec.output.cascade))
    return network


def _further(spec: NetworkSpec, final: Layer, width: int, stage: int, rng: Rng) -> Chain:
    """A further autoencoder of a cascade: the row and what has been made of it → what is to be added."""
    layers = (*spec.encoder, *spec.decoder)
    modules = _chain(layers, (2 * width,), _PLACES * stage, rng)
    reached = list(shapes(layers, (2 * width,)))[-1]
    return Chain([*modules, module_of(final, reached, _PLACES * stage + len(layers), rng, OUTPUT_GAIN)])


def _skipping(
    spec: NetworkSpec, final: Layer, shape: Shape, decoder: list[nn.Module]
) -> tuple[list[int], list[nn.Module]]:
    """Which layers of the way in are kept, and the way back with what they got added behind their mirrors."""
    back = (*spec.decoder, final)
    seen = [part for part, layer in zip(shapes(spec.encoder, shape), spec.encoder, strict=False) if layer.sized]
    made = list(shapes(back, list(shapes(spec.encoder, shape))[-1]))[1:]
    behind = [part for part, layer in zip(made, back, strict=True) if layer.sized]
    if [math.prod(part) for part in behind] != [math.prod(part) for part in reversed(seen)]:
        raise ValueError(
            f"Output(skips=True) needs a way back that mirrors the way in: rows of {seen[::-1]} after the code, "
            f"got {behind}; leave the way back out to have it mirrored, and recurrent layers out"
        )
    modules: list[nn.Module] = []
    for module, layer in zip(decoder, back, strict=True):
        modules += [module, Skip()] if layer.sized else [module]
    return [at for at, layer in enumerate(spec.encoder) if layer.sized], modules


def _tied_decoder(
    spec: NetworkSpec, encoder: list[nn.Module], final: Dense, size: int, code: CodeSpec
) -> list[nn.Module]:
    sources = [module for module in encoder if isinstance(module, DenseModule)]
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
            modules.append(TiedModule(layer, sources.pop()))
            width = layer.units
        else:
            modules.append(module_of(layer, (width,), at, rng))
    return modules


def wrap_modules(
    pair: tuple[nn.Module, nn.Module],
    code: CodeSpec,
    heads: Sequence[Head],
    shape: Sequence[int],
    seed: int = 0,
) -> Network:
    """An (encoder, decoder) pair of torch modules or Keras models as a `Network`; rows are sent through to learn sizes.

    Initial weights are the pair's own; those of a Keras model that is not built yet depend on the seed.

    Raises
    ------
    ValueError
        If the encoder does not take rows of `shape`, flat, or the decoder does not return as many.
    """
    from azogue.keras_module import KerasModule, is_keras, reason

    encoder, decoder = (
        Chain([KerasModule(module, stream, seed) if is_keras(module) else Foreign(copy.deepcopy(module), stream)])
        for module, stream in zip(pair, ("encoder", "decoder"), strict=True)
    )
    width = math.prod(shape)
    probe = torch.zeros(2, width)
    try:
        with torch.no_grad():
            h = encoder(probe)
    except (RuntimeError, ValueError) as error:
        where = _blame(encoder, probe)
        raise ValueError(
            f"network: the encoder does not take rows of {width} values{where}: {reason(error)}"
        ) from error
    size = _code_size(code, h.shape[1]) if h.ndim == 2 else 0
    if not size:
        raise ValueError(
            f"network: the encoder returned {tuple(h.shape)} for rows {tuple(probe.shape)}; expected (n, k) with a k "
            f"that {code!r} can use" + (f", such as {code.width(2)}" if h.ndim == 2 else "")
        )
    layer = CodeLayer(code, size, Rng(seed))
    try:
        with torch.no_grad():
            out = decoder(layer(h, None).z)
    except (RuntimeError, ValueError) as error:
        where = _blame(decoder, torch.zeros(2, size))
        raise ValueError(
            f"network: the decoder does not take codes of {size} values{where}: {reason(error)}"
        ) from error
    slots = heads[-1].stop if heads else width
    if tuple(out.shape) != (2, slots):
        raise ValueError(f"network: the decoder returned rows of {tuple(out.shape[1:])} values, expected ({slots},)")
    return Network(encoder, layer, decoder, heads, shape=tuple(shape))


def _blame(chain: Chain, x: torch.Tensor) -> str:
    """Which layer of a user's sequence does not take what the one before it gives; "" where that cannot be told."""
    module = getattr(chain.steps[0], "module", None)
    for name, layer in module.named_children() if isinstance(module, nn.Sequential) else ():
        shape = tuple(x.shape[1:])
        try:
            with torch.no_grad():
                x = layer(x)
        except (RuntimeError, ValueError):
            return f" (layer {name}, {layer!r}, got {shape})"
    return ""


def _code_size(code: CodeSpec, width: int) -> int:
    """The size of a code for which the encoder must produce `width` units; 0 where there is none."""
    for size in range(width, 0, -1):
        with suppress(ValueError):
            if code.width(size) == width:
                return size
    return 0


def reach(activation: str) -> tuple[float, float]:
    """The open interval that an output activation can produce."""
    return ACTIVATIONS["linear" if activation == "auto" else activation]
