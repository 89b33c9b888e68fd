"""From a network spec and a width to torch: mirroring is settled, sizes become modules, weights are drawn."""

from __future__ import annotations

import copy
import itertools
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import nn

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
)
from azogue.modules import BatchNormModule, Chain, DenseModule, DropoutModule, Foreign, LayerNormModule, TiedModule
from azogue.network import CodeLayer, Network
from azogue.recipe import Rng

if TYPE_CHECKING:
    from collections.abc import Sequence

    from azogue.heads import Head

#: The output layer starts at a tenth of the usual size, so that training starts from the centre of the data.
OUTPUT_GAIN = 0.1


def _module(layer: Layer, width: int, at: int, rng: Rng) -> tuple[nn.Module, int]:
    """One layer spec for an input of `width` units → (module, its output's width)."""
    if isinstance(layer, (Dense, Bottleneck)):
        return DenseModule(width, layer, rng.at(step=at)), int(layer.units)
    if isinstance(layer, Dropout):
        return DropoutModule(layer.rate, f"dropout/{at}"), width
    if isinstance(layer, LayerNorm):
        return LayerNormModule(width, eps=layer.epsilon), width
    if isinstance(layer, BatchNorm):
        return BatchNormModule(width, eps=layer.epsilon, momentum=layer.momentum), width
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
    if wide.units != size:
        encoder[-1].active = size  # type: ignore[assignment]
    slots = heads[-1].stop if heads else width
    final = Dense(slots)
    if spec.output.tied:
        decoder = _tied_decoder(spec, encoder, final, size, code)
    else:
        decoder, width = _chain(spec.decoder, size, len(spec.encoder), rng)
        decoder.append(DenseModule(width, final, rng.at(step=len(spec.encoder) + len(decoder)), OUTPUT_GAIN))
    return Network(Chain(encoder), CodeLayer(code, size, rng), Chain(decoder), heads)


def matrix_sizes(spec: NetworkSpec, code: CodeSpec, width: int) -> tuple[int, int]:
    """How many weights the matrices of `spec` hold on the way in and on the way back, told without making them."""
    *before, last = [layer for layer in spec.encoder if isinstance(layer, (Dense, Bottleneck))]
    there = [width, *(layer.units for layer in before), code.width(last.units)]
    back = [last.units, *(layer.units for layer in spec.decoder if isinstance(layer, (Dense, Bottleneck))), width]
    ways = [sum(a * b for a, b in itertools.pairwise(path)) for path in (there, back)]
    return ways[0], 0 if spec.output.tied else ways[1]


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
            modules.append(_module(layer, width, at, rng)[0])
    return modules


def wrap_modules(
    pair: tuple[nn.Module, nn.Module], code: CodeSpec, heads: Sequence[Head], width: int, seed: int = 0
) -> Network:
    """An (encoder, decoder) pair of torch modules or Keras models as a `Network`; rows are sent through to learn sizes.

    Initial weights are the pair's own; those of a Keras model that is not built yet depend on the seed.

    Raises
    ------
    ValueError
        If the encoder does not take `width` values a row, or the decoder does not return as many.
    """
    from azogue.keras_module import KerasModule, is_keras, reason

    encoder, decoder = (
        Chain([KerasModule(module, stream, seed) if is_keras(module) else Foreign(copy.deepcopy(module), stream)])
        for module, stream in zip(pair, ("encoder", "decoder"), strict=True)
    )
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
    return Network(encoder, layer, decoder, heads)


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
