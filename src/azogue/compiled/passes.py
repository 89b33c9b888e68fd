"""Forward and backward through a stack of dense layers; see `training.layerwise` for the derivation."""

from __future__ import annotations

from typing import Any

import numpy as np

from azogue.compiled.activations import activate
from azogue.compiled.numbers import compiled
from azogue.formulas import (
    ACTIVE,
    ADDS,
    BACK,
    BIAS,
    BIAS_STEP,
    COLUMNS,
    INPUT,
    KIND,
    MATRIX,
    SLOPES,
    STEP,
    UNITS,
    WIDTH,
)


@compiled
def load(rows: Any, where: Any, buffer: Any) -> None:
    """Some of the rows (…, width) → features by rows (width, n), eight rows at a time."""
    n, width = len(where), rows.shape[1]
    full = n // 8 * 8
    for r in range(0, full, 8):
        a, b, c, d = rows[where[r]], rows[where[r + 1]], rows[where[r + 2]], rows[where[r + 3]]
        e, f, g, h = rows[where[r + 4]], rows[where[r + 5]], rows[where[r + 6]], rows[where[r + 7]]
        for i in range(width):
            buffer[i, r], buffer[i, r + 1], buffer[i, r + 2], buffer[i, r + 3] = a[i], b[i], c[i], d[i]
            buffer[i, r + 4], buffer[i, r + 5], buffer[i, r + 6], buffer[i, r + 7] = e[i], f[i], g[i], h[i]
    for r in range(full, n):
        row = rows[where[r]]
        for i in range(width):
            buffer[i, r] = row[i]


@compiled
def forward(layers: Any, member: int, weights: Any, work: Any, n: int) -> None:
    """From the first layer's input to the last one's output, which is where a further layer's input would be."""
    for number in range(len(layers) - 1):
        layer = layers[number]
        columns, units, width, kind = layer[COLUMNS], layer[UNITS], layer[WIDTH], layer[KIND]
        at = layer[MATRIX] + member * layer[STEP]
        x = work[layer[INPUT] : layer[INPUT] + columns * n].reshape(columns, n)
        for row in range(width, columns):  # ones, and zeros that fill up
            x[row] = work.dtype.type(1 if row == width else 0)
        start = layers[number + 1, INPUT] if kind == 0 else layer[SLOPES]
        z = work[start : start + units * n].reshape(units, n)
        if layer[BIAS]:
            np.dot(weights[at : at + units * width].reshape(units, width), x, z)
            bias = layer[BIAS] - 1 + member * layer[BIAS_STEP]
            for unit in range(units):
                b = weights[bias + unit]
                for r in range(n):
                    z[unit, r] += b
        else:
            np.dot(weights[at : at + columns * units].reshape(columns, units).T, x, z)
        if kind != 0:
            active = layer[ACTIVE] * n
            y = work[layers[number + 1, INPUT] : layers[number + 1, INPUT] + units * n]
            slopes = work[start : start + units * n]
            activate(kind, slopes, y, active)
            y[active:] = slopes[active:]
            slopes[active:] = work.dtype.type(1)


@compiled
def backward(layers: Any, member: int, weights: Any, gradients: Any, work: Any, spare: Any, n: int) -> None:
    """From the derivative by the last output to the gradients of all layers."""
    for number in range(len(layers) - 2, -1, -1):
        layer = layers[number]
        columns, units, width = layer[COLUMNS], layer[UNITS], layer[WIDTH]
        at, coming = layer[MATRIX] + member * layer[STEP], layers[number + 1, BACK]
        flat = work[coming : coming + units * n]
        if layer[KIND] != 0:
            slopes = work[layer[SLOPES] : layer[SLOPES] + units * n]
            for i in range(units * n):
                flat[i] *= slopes[i]
        delta = flat.reshape(units, n)
        x = work[layer[INPUT] : layer[INPUT] + columns * n].reshape(columns, n)
        into = work[layer[BACK] : layer[BACK] + width * n].reshape(width, n)
        if layer[BIAS]:
            np.dot(delta, x.T, gradients[at : at + units * width].reshape(units, width))
            bias = layer[BIAS] - 1 + member * layer[BIAS_STEP]
            for unit in range(units):
                gradients[bias + unit] = delta[unit].sum()
            np.dot(weights[at : at + units * width].reshape(units, width).T, delta, into)
            continue
        if layer[ADDS]:
            found = spare[: columns * units]
            np.dot(x, delta.T, found.reshape(columns, units))
            for i in range(width * units):
                gradients[at + i] += found[i]
            for i in range(width * units, columns * units):
                gradients[at + i] = found[i]
        else:
            np.dot(x, delta.T, gradients[at : at + columns * units].reshape(columns, units))
        if number:
            np.dot(weights[at : at + width * units].reshape(width, units), delta, into)
