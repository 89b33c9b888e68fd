"""The layers of a network as they are drawn: from whatever describes it to one `Stage` a layer."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from azogue.build import module_of
from azogue.layers import (
    HIDDEN,
    SIZED,
    Dense,
    Dropout,
    Input,
    Layer,
    NetworkSpec,
    Shape,
    Stack,
    as_network,
    from_stack,
    shapes,
)
from azogue.recipe import Rng

if TYPE_CHECKING:
    from collections.abc import Iterator

_ACCEPTED = "an autoencoder, a NetworkSpec, a stack of layers, a tuple of widths, or a pair of modules"
#: Characters of the longest note below a column.
LONGEST_NOTE = 16
#: Layers whose class is written in one word.
_NAMES = {"BatchNorm": "batch norm", "LayerNorm": "layer norm"}


@dataclass(frozen=True)
class Stage:
    """A layer as it is drawn.

    Parameters
    ----------
    part : str
        A key of `PARTS`.
    kind, activation : str
    inputs, outputs, parameters : int or None
        Units and trained numbers; None where they depend on data.
    note : str
        What is said of it below a column of units.
    column : bool
        Whether it is a column of units; otherwise it belongs to the one before.
    """

    part: str
    kind: str
    activation: str
    inputs: int | None
    outputs: int | None
    parameters: int | None
    note: str = ""
    column: bool = True


@dataclass(frozen=True)
class Known:
    """What is known of a network: its spec or else its modules, its width, its code, the activation of its output."""

    spec: NetworkSpec | None
    width: int | None = None
    code: Any = None
    output: str = ""
    modules: tuple[Any, ...] = ()
    size: int | None = None


def resolve(network: Any) -> Known:
    """What is known of a network, from whatever describes it."""
    owner = getattr(network, "autoencoder_", network)
    if hasattr(owner, "network_"):
        links = dict.fromkeys(head.link_name for head in owner.schema_.heads)
        spec, width, output = owner.network_spec_, owner.schema_.width, ", ".join(links)
        parts = (owner.network_.encoder, owner.network_.decoder) if spec is None else ()
        return Known(spec, width, owner.code_, output, parts, owner.code_size_)
    axes, activation, hidden = None, "linear", HIDDEN
    if hasattr(owner, "axes") and hasattr(owner, "network"):
        axes, network = owner.axes(), owner.network
        activation, hidden = axes.code_activation, axes.hidden_activation
    code = None if axes is None else (owner.code if owner.code is not None else axes.code)
    if isinstance(network, NetworkSpec):
        return Known(network, None, code, _output(network))
    if isinstance(network, (Layer, Stack)):
        first = network.layers[0] if isinstance(network, Stack) else network
        width = first.units if isinstance(first, Input) else None
        spec = from_stack(network, width or 0)
        return Known(spec, width, code, _output(spec))
    if isinstance(network, (tuple, list)):
        if len(network) == 2 and all(callable(module) for module in network):
            return Known(None, None, code, modules=(network[0], network[1]))
        if not any(isinstance(item, float) for item in network):
            spec = as_network(tuple(network), 0, 0, code=activation, hidden=hidden)
            return Known(spec, None, code, _output(spec))
    if axes is None and not isinstance(network, (int, str, tuple, list)):
        raise TypeError(f"plot_network: expected {_ACCEPTED}, got {type(network).__name__}")
    raise ValueError(
        f"plot_network: the layers of network={network!r} depend on the data; fit the autoencoder first, or state "
        "widths or layers"
    )


def stages_of(known: Known) -> Iterator[Stage]:
    """The layers in order; of modules, two blocks and the code between them."""
    return _module_stages(known) if known.spec is None else _stages(known, known.spec)


def _output(spec: NetworkSpec) -> str:
    """The activation of the output as far as the spec tells it: the data's heads settle the rest."""
    return "" if spec.output.activation == "auto" else spec.output.activation


def _stages(known: Known, spec: NetworkSpec) -> Iterator[Stage]:
    """The layers in order, with the shapes and parameters that `build` gives them."""
    if spec.shape:
        yield from _positional_stages(known, spec)
        return
    size = spec.code_size
    wide = size if known.code is None else known.code.width(size)
    yield Stage("input", "Input", "", known.width, known.width, 0)
    width = known.width
    for layer in spec.encoder[:-1]:
        yield (stage := _stage("encoder", layer, width))
        width = stage.outputs
    yield _stage("code", replace(spec.encoder[-1], units=wide), width)  # type: ignore[call-arg]
    yield from _code_stage(known, wide, size)
    width = size
    for layer in spec.decoder:
        yield (stage := _stage("decoder", layer, width, tied=spec.output.tied))
        width = stage.outputs
    yield Stage("output", "Output", known.output, width, known.width, _dense(width, known.width, spec.output.tied))


def _code_stage(known: Known, wide: int, size: int) -> Iterator[Stage]:
    """What the code layer does, where that is anything."""
    if known.code is not None and type(known.code).__name__ != "Point":
        own = sum(initial.numel() for initial in known.code.parameters(size, Rng(0)).values())
        text = repr(known.code)
        name = text.removesuffix("()") if len(text) <= LONGEST_NOTE else type(known.code).__name__
        yield Stage("code", name, "", wide, size, own, name, column=False)


def _positional_stages(known: Known, spec: NetworkSpec) -> Iterator[Stage]:
    """The layers of a network for pictures or sequences, a column each, with what `build` makes of them."""
    size = spec.code_size
    wide = size if known.code is None else known.code.width(size)
    last = spec.encoder[-1]
    last = replace(last, units=wide) if isinstance(last, SIZED) else last
    start, width = spec.shape, math.prod(spec.shape)
    yield Stage("input", "Input", "", width, width, 0, _times(start))
    code = list(shapes(spec.encoder, start))[-1]
    for part, layers, shape in (("encoder", spec.encoder[:-1], start), ("decoder", spec.decoder, code)):
        told = list(shapes(layers, shape))
        for layer, seen, made in zip(layers, told, told[1:], strict=False):
            yield _positional_stage(part, layer, seen, made)
        if part == "encoder":
            yield _positional_stage("code", last, told[-1], (wide,) if isinstance(last, SIZED) else code)
            yield from _code_stage(known, wide, size)
        else:
            final = Dense(width) if spec.final is None else spec.final
            found = _positional_stage("output", final, told[-1], start)
            yield replace(found, kind="Output", activation=known.output)


def _positional_stage(part: str, layer: Layer, seen: Shape, made: Shape) -> Stage:
    module = module_of(layer, seen)
    count = sum(parameter.numel() for parameter in module.parameters())
    note = _times(made) if len(made) > 1 else ""
    kind, activation = type(layer).__name__, getattr(layer, "activation", "")
    column = layer.sized or layer.mirrored or layer.leads_back
    note = note if column else _NAMES.get(kind, kind.lower())
    return Stage(part, kind, activation, math.prod(seen), math.prod(made), count, note, column=column)


def _times(shape: Shape) -> str:
    return " × ".join(map(str, shape))


def _dense(inputs: int | None, units: int | None, tied: bool = False) -> int | None:
    """Weights and biases of a dense layer; with tied weights only the biases are its own."""
    if tied or units is None:
        return units
    return None if inputs is None else (inputs + 1) * units


def _stage(part: str, layer: Layer, inputs: int | None, *, tied: bool = False) -> Stage:
    if isinstance(layer, SIZED):
        count = _dense(inputs, layer.units, tied)
        normalization = layer.normalization if isinstance(layer, Dense) else None
        if normalization is not None and count is not None:
            count += 2 * layer.units
        note = "" if normalization is None else f"{normalization} norm"
        return Stage(part, type(layer).__name__, layer.activation, inputs, layer.units, count, note)
    kind = type(layer).__name__
    if isinstance(layer, Dropout):
        return Stage(part, f"{kind} {layer.rate:g}", "", inputs, inputs, 0, f"dropout {layer.rate:g}", column=False)
    count = None if inputs is None else 2 * inputs
    return Stage(part, kind, "", inputs, inputs, count, _NAMES.get(kind, kind.lower()), column=False)


def _module_stages(known: Known) -> Iterator[Stage]:
    """Two modules as they are, with a code between them; sizes are known once they are fitted."""
    for part, module, sizes in zip(
        ("encoder", "decoder"), known.modules, ((known.width, known.size), (known.size, known.width)), strict=True
    ):
        step = module.steps[0] if hasattr(module, "steps") else None
        count = None if step is None else sum(weight.numel() for weight in step.parameters())
        own = module if step is None else getattr(step, "module", getattr(step, "model", step))
        yield Stage(part, type(own).__name__, "", *sizes, count)
        if part == "encoder":
            yield Stage("code", "Code", "", known.size, known.size, 0)
