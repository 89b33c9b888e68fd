"""Layer specs, their `+`, and `as_network`: a network is a value until it sees data.

    Input() + Dense(256, "relu") + Dense(32) + Output()

`+` only joins layers in order: it is associative, it changes neither side, and it refuses anything but layers. What a
network means (its code layer, its way back) is decided in one place, `as_network`, by rules stated there.
"""

from azogue.layers.base import ACTIVATIONS, Input, Layer, Output, Shape, Stack, check_activation
from azogue.layers.dense import SIZED, BatchNorm, Bottleneck, Dense, Dropout, Flatten, LayerNorm, Residual, Restore
from azogue.layers.networks import (
    HIDDEN,
    NetworkSpec,
    as_network,
    auto_hidden,
    auto_layers,
    from_stack,
    shapes,
    weight_counts,
    work_of,
)
from azogue.layers.spatial import Autoregressive, Conv, ConvTranspose, Pool, Recurrent, Repeat, Upsample

__all__ = [
    "ACTIVATIONS",
    "HIDDEN",
    "SIZED",
    "Autoregressive",
    "BatchNorm",
    "Bottleneck",
    "Conv",
    "ConvTranspose",
    "Dense",
    "Dropout",
    "Flatten",
    "Input",
    "Layer",
    "LayerNorm",
    "NetworkSpec",
    "Output",
    "Pool",
    "Recurrent",
    "Repeat",
    "Residual",
    "Restore",
    "Shape",
    "Stack",
    "Upsample",
    "as_network",
    "auto_hidden",
    "auto_layers",
    "check_activation",
    "from_stack",
    "shapes",
    "weight_counts",
    "work_of",
]
