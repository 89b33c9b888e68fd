"""Dense layers forward and backward by hand, in buffers that are made once.

For one layer z = W x + b, y = φ(z) and a loss ℓ, with δ = ∂ℓ/∂z = ∂ℓ/∂y · φ′(z),

    ∂ℓ/∂W = δ xᵀ        ∂ℓ/∂b = δ 1        ∂ℓ/∂x = Wᵀ δ

where the columns of x are the rows of the batch. With `[W | b]` as one matrix and a row of ones below x, each is one
product, and the first two are the same one, `[∂ℓ/∂W | ∂ℓ/∂b]ᵀ = [x; 1] δᵀ`. A leading dimension of members makes every
product a batch of products, so a population costs as many calls as a network; each member's numbers are those it has
on its own.

Everything lies feature by row, (members, width, n), so that rows run along the vector lanes. Rows are filled up to
whole lanes: some activations end in other bits where a vector is not full, and a member's vectors must not depend on
who comes behind it. The rows that fill up are zeros on the way in and have no derivative, so they add nothing.

A normalisation stands between product and activation, y = φ(norm(W x + b)), and has its derivative in `norms`.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from azogue.activations import FORMULAS, LANES
from azogue.modules import DenseModule, TiedModule
from azogue.training.flat import Flat, padded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from azogue.network import Network
    from azogue.recipe import Rngs


def flip(tensor: Tensor) -> Tensor:
    """Features by rows ↔ rows by features, a view."""
    return tensor.transpose(1, 2)


class Layer:
    """A dense layer: forward `y = φ([W | b] [x; 1])`, backward as in the module's first lines.

    Parameters
    ----------
    matrix, gradient : Tensor, shape (members, columns, units)
        `[W | b]ᵀ` and where its gradient goes.
    x : Tensor, shape (members, columns, n)
        The input with its row of ones.
    y : Tensor, shape (members, units, n)
    width : int
        Rows of x that are input.
    activation : str
    active : int or None
        Units that the activation applies to; the others stay as they are.
    first : bool
        Whether nothing before it learns, so that ∂ℓ/∂x is not asked for.
    adds : bool
        Whether the gradient is added to what a tied layer left there.
    """

    coming: Tensor | None = None
    turned: Tensor | None = None
    norm: Any = None

    def __init__(
        self, matrix: Tensor, gradient: Tensor, x: Tensor, y: Tensor, module: DenseModule, *, first: bool, adds: bool
    ) -> None:
        width = module.weight.shape[-1]
        self.matrix, self.gradient, self.x, self.y, self.adds = flip(matrix), gradient, x, y, adds
        self.across = matrix[:, :width]
        self.into = None if first else x.new_empty(len(x), width, x.shape[2])
        self._activation(module)

    def follow(self, delta: Tensor | None) -> None:
        """Told the buffer in which ∂ℓ/∂y will come: its view is made once."""
        self.coming, self.turned = delta, None if delta is None else flip(delta)

    def _turned(self, delta: Tensor) -> Tensor:
        return self.turned if delta is self.coming and self.turned is not None else flip(delta)

    def _activation(self, module: DenseModule) -> None:
        formula = FORMULAS.get(module.activation)
        units = self.y.shape[1] if module.active is None else module.active
        self.formula, self.units = formula, units
        apart = (formula is not None and formula.keeps == "input") or not self.y.is_contiguous()
        self.z = self.product = torch.zeros(self.y.shape, dtype=self.y.dtype) if apart else self.y
        self.before, self.active = self.z[:, :units], self.y[:, :units]
        self.kept = self.before if formula is not None and formula.keeps == "input" else self.active
        self.whole = units == self.y.shape[1]
        plain = 0 if formula is None else units
        copied = apart and plain < self.y.shape[1]
        self.others = (self.y[:, plain:], self.z[:, plain:]) if copied else None

    def normalise(self, norm: Any, rows: int, gradients: tuple[Tensor, Tensor]) -> None:
        """Have a normalisation stand between product and activation; see its `stage`."""
        self.product = torch.zeros(self.z.shape, dtype=self.z.dtype)
        self.norm = norm.stage(self.product, self.product, self.z, rows, gradients)

    def forward(self, rngs: Rngs | None) -> None:
        torch.bmm(self.matrix, self.x, out=self.product)
        self._activate(rngs)

    def _activate(self, rngs: Rngs | None) -> None:
        if self.norm is not None:
            self.norm.forward(rngs)
        if self.formula is not None:
            self.formula.apply(self.before, self.active)
        if self.others is not None:
            self.others[0].copy_(self.others[1])

    def backward(self, delta: Tensor) -> Tensor | None:
        """∂ℓ/∂y, which may be overwritten → ∂ℓ/∂x."""
        self._pull(delta)
        if self.adds:
            torch.baddbmm(self.gradient, self.x, self._turned(delta), out=self.gradient)
        else:
            torch.bmm(self.x, self._turned(delta), out=self.gradient)
        return None if self.into is None else torch.bmm(self.across, delta, out=self.into)

    def _pull(self, delta: Tensor) -> None:
        """∂ℓ/∂y → ∂ℓ by the product, in place."""
        if self.formula is not None:
            self.formula.pull(delta if self.whole else delta[:, : self.units], self.kept)
        if self.norm is not None:
            self.norm.backward(delta)


class TiedLayer(Layer):
    """A dense layer with the transposed weight of another: `y = φ(Wᵀx + b)`, so `∂ℓ/∂Wᵀ = δ xᵀ`."""

    def __init__(
        self, source: tuple[Tensor, Tensor], bias: tuple[Tensor, Tensor], x: Tensor, y: Tensor, module: DenseModule
    ) -> None:
        width = y.shape[1]
        self.matrix, self.gradient, self.rest = source[0][:, :width], source[1][:, :width], source[1][:, width:]
        self.across, self.bias, self.bias_gradient = flip(self.matrix), bias[0][:, :, None], bias[1]
        self.x, self.y, self.into = x, y, torch.empty_like(x)
        self._activation(module)

    def forward(self, rngs: Rngs | None) -> None:
        torch.baddbmm(self.bias, self.matrix, self.x, out=self.product)
        self._activate(rngs)

    def backward(self, delta: Tensor) -> Tensor | None:
        self._pull(delta)
        torch.bmm(delta, flip(self.x), out=self.gradient)
        self.rest.zero_()
        torch.sum(delta, 2, out=self.bias_gradient)
        return torch.bmm(self.across, delta, out=self.into)


class Between:
    """What stands between layers and states its own derivative, such as dropout."""

    def __init__(self, module: Any, x: Tensor, y: Tensor, rows: int, *, first: bool) -> None:
        self.module, self.x, self.y, self.first = module, flip(x)[:, :rows], flip(y)[:, :rows], first
        self.into = Filled(x, rows)
        self.pull: Callable[[Tensor], Tensor] = lambda delta: delta

    def forward(self, rngs: Rngs | None) -> None:
        out, self.pull = self.module.traced(self.x, rngs)
        self.y.copy_(out)

    def backward(self, delta: Tensor) -> Tensor | None:
        return None if self.first else self.into(self.pull(self.into.rows(delta)))


class Filled:
    """Derivatives of rows (members, n, width) → feature by row, with zeros for the rows that fill up the lanes."""

    def __init__(self, like: Tensor, rows: int) -> None:
        self.count, self.buffer = rows, None if like.shape[2] == rows else torch.zeros_like(like)

    def __call__(self, delta: Tensor) -> Tensor:
        if self.buffer is None:
            return flip(delta)
        self.buffer[:, :, : self.count] = flip(delta)
        return self.buffer

    def rows(self, delta: Tensor) -> Tensor:
        """The way back: a view of the rows that are there."""
        return flip(delta)[:, : self.count]


class Rows(NamedTuple):
    """A pass's buffers as the parts see them, rows by features: (members, n, …)."""

    target: Tensor
    seen: Tensor
    h: Tensor
    z: Tensor
    raw: Tensor


class Pass:
    """The buffers and layers of a network, or of a population, for batches of `n` rows.

    Parameters
    ----------
    model : Network
        With the members' parameters stacked.
    flat : Flat
        Where they and their gradients are.
    width, n : int
        Of a packed row, and rows.

    Attributes
    ----------
    target, seen, h, z, raw : Tensor, shape (members, …, n)
        What is to be reproduced; the encoder's input and output; the decoder's input and output. h and z are one where
        the code is transparent.
    rows : Rows
        The same, rows by features, without those that fill up the lanes.
    by_raw, by_h : Filled
        What brings derivatives of rows into the layers' order.
    encoder, decoder : list
        Layers, each with `forward(rngs)` and `backward(delta)`.
    """

    def __init__(self, model: Network, flat: Flat, width: int, n: int) -> None:
        self.flat, self.n, self.filled = flat, n, -(-n // LANES) * LANES
        self.names = {id(module): name for name, module in model.named_modules()}
        here, back = list(model.encoder.steps), list(model.decoder.steps)
        self.tied = any(isinstance(module, TiedModule) for module in back)
        self.raw = self._plain(sum(head.stop - head.start for head in model.heads))
        start, self.z = self._input(back[0], model.size)
        self.decoder = self._chain(back, start, model.size, self.raw, first=False)
        spec = model.code.spec
        self.h = self.z if spec.transparent else self._plain(spec.width(model.size))
        start, self.seen = self._input(here[0], width)
        self.encoder = self._chain(here, start, width, self.h, first=True)
        self.target = torch.empty_like(self.seen)
        self.rows = Rows(*(flip(part)[:, :n] for part in (self.target, self.seen, self.h, self.z, self.raw)))
        self.by_raw, self.by_h = Filled(self.raw, n), Filled(self.h, n)

    def _plain(self, width: int) -> Tensor:
        return self.flat.parameters.new_zeros(self.flat.members, width, self.filled)

    def _input(self, module: Any, width: int) -> tuple[Tensor, Tensor]:
        """The buffer that a module reads, with a row of ones where it wants one, and its part for values."""
        if not isinstance(module, DenseModule) or isinstance(module, TiedModule):
            buffer = self._plain(width)
            return buffer, buffer
        buffer = self.flat.parameters.new_zeros(self.flat.members, padded(width), self.filled)
        buffer[:, width] = 1.0
        return buffer, buffer[:, :width]

    def _chain(self, modules: Sequence[Any], x: Tensor, width: int, end: Tensor, *, first: bool) -> list[Any]:
        found = []
        for number, module in enumerate(modules):
            width = module.bias.shape[-1] if isinstance(module, DenseModule) else width
            following = modules[number + 1] if number + 1 < len(modules) else None
            start, y = (end, end) if following is None else self._input(following, width)
            found.append(self._stage(module, x, y, first=first and number == 0))
            x = start
        for layer, following in pairwise(found):
            if isinstance(layer, Layer) and isinstance(following, Layer):
                layer.follow(following.into)
        return found

    def _stage(self, module: Any, x: Tensor, y: Tensor, *, first: bool) -> Any:
        if not isinstance(module, DenseModule):
            if hasattr(module, "stage"):
                return module.stage(x, torch.zeros_like(x), y, self.n, self._gradients(module))
            return Between(module, x, y, self.n, first=first)
        layer = self._layer(module, x, y, first=first)
        if module.norm is not None:
            layer.normalise(module.norm, self.n, self._gradients(module.norm))
        return layer

    def _gradients(self, norm: Any) -> tuple[Tensor, Tensor]:
        """Where those of a normalisation's weight and bias go."""
        name = self.names[id(norm)]
        return self.flat.pair(f"{name}.weight")[1], self.flat.pair(f"{name}.bias")[1]

    def _layer(self, module: DenseModule, x: Tensor, y: Tensor, *, first: bool) -> Layer:
        name = self.names[id(module)]
        if isinstance(module, TiedModule):
            source = self.flat.matrix(f"{self.names[id(module.source)]}.weight")
            return TiedLayer(source, self.flat.pair(f"{name}.bias"), x, y, module)
        matrix, gradient = self.flat.matrix(f"{name}.weight")
        return Layer(matrix, gradient, x, y, module, first=first, adds=self.tied)
