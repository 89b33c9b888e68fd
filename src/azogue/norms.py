"""Normalisations of rows: torch modules, and each one's derivative beside its formula.

The back end for dense layers has columns of members at once, feature by row, (members, units, n), in buffers that are
made once; `stage` gives the same formula there, and how a gradient passes back through it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from azogue.recipe import Rng, Rngs, belongs

if TYPE_CHECKING:
    from azogue.modules import RowFunction


class Norm(nn.Module):
    """What normalisations tell the back end for dense layers."""

    #: whether it does something else while training than at inference
    differs: ClassVar[bool] = False

    @property
    def analytic(self) -> bool:
        """Whether `stage` belongs to the formula."""
        return belongs(type(self), "stage", "forward")

    def stage(self, x: Tensor, kept: Tensor, y: Tensor, rows: int, gradients: tuple[Tensor, Tensor]) -> Any:
        """The formula for columns of several members, whose parameters are stacked, with `forward` and `backward`.

        Parameters
        ----------
        x, kept, y : Tensor, shape (members, units, n)
            What comes in, x̂, what goes out; x and `kept` may be one.
        rows : int
            Of the n; those behind fill up the lanes.
        gradients : tuple of Tensor, shape (members, units)
            Where those of weight and bias go.
        """
        raise NotImplementedError


class LayerNormModule(nn.LayerNorm, Norm):
    """Layer normalisation: a row's own statistics."""

    def forward(self, x: Tensor, rng: Rng | None) -> Tensor:  # type: ignore[override]
        return super().forward(x)

    def stage(self, x: Tensor, kept: Tensor, y: Tensor, rows: int, gradients: tuple[Tensor, Tensor]) -> LayerStage:
        return LayerStage(self, x, kept, y, gradients)


class BatchNormModule(nn.BatchNorm1d, Norm):
    """Batch statistics while training; running ones at inference and for a batch of a single row."""

    differs = True

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

    def stage(self, x: Tensor, kept: Tensor, y: Tensor, rows: int, gradients: tuple[Tensor, Tensor]) -> BatchStage:
        return BatchStage(self, x, kept, y, rows, gradients)


NORMS: dict[str, Callable[..., Norm]] = {"batch": BatchNormModule, "layer": LayerNormModule}


class LayerStage:
    """Layer normalisation by hand, column by column.

    With mean μ and variance s² of a column over its k units, r = 1/√(s² + ε), x̂ = (x − μ) r, y = w x̂ + b, δ = ∂ℓ/∂y
    and g = w δ,

        ∂ℓ/∂w = Σ δ x̂        ∂ℓ/∂b = Σ δ        ∂ℓ/∂x = r (g − mean(g) − x̂ mean(g x̂))

    sums over columns, means over units: μ and s move with each x, which is what the two means take away. Columns that
    fill up the lanes have δ = 0, so they add nothing and get nothing.
    """

    def __init__(
        self, norm: LayerNormModule, x: Tensor, kept: Tensor, y: Tensor, gradients: tuple[Tensor, Tensor]
    ) -> None:
        self.x, self.kept, self.y = x, kept, y
        self.weight, self.bias = norm.weight[:, :, None], norm.bias[:, :, None]
        self.by_weight, self.by_bias = gradients
        self.work, self.share = torch.empty_like(kept), 1.0 / x.shape[1]
        self.total, self.scale = (x.new_empty(len(x), 1, x.shape[2]) for _ in range(2))
        self.each, self.eps = x.new_tensor(self.share), x.new_tensor(norm.eps)  # numbers of Python take twice as long

    def forward(self, rngs: Rngs | None) -> None:
        kept, work, scale = self.kept, self.work, self.scale
        torch.sum(self.x, 1, keepdim=True, out=self.total)
        torch.sub(self.x, self.total, alpha=self.share, out=kept)
        torch.mul(kept, kept, out=work)
        torch.sum(work, 1, keepdim=True, out=scale)
        scale.mul_(self.each).add_(self.eps).rsqrt_()
        kept.mul_(scale)
        torch.mul(kept, self.weight, out=self.y)
        self.y.add_(self.bias)

    def backward(self, delta: Tensor) -> Tensor:
        """∂ℓ/∂y → ∂ℓ/∂x, in place."""
        work, total = self.work, self.total
        torch.mul(delta, self.kept, out=work)
        torch.sum(work, 2, out=self.by_weight)
        torch.sum(delta, 2, out=self.by_bias)
        delta.mul_(self.weight)
        torch.sum(delta, 1, keepdim=True, out=total)
        delta.sub_(total, alpha=self.share)
        work.mul_(self.weight)
        torch.sum(work, 1, keepdim=True, out=total)
        delta.addcmul_(self.kept, total, value=-self.share)
        return delta.mul_(self.scale)


class BatchStage:
    """Batch normalisation by hand, unit by unit; every member has its own running statistics.

    With mean μ and variance s² of a unit over the n rows, r = 1/√(s² + ε), x̂ = (x − μ) r, y = w x̂ + b and δ = ∂ℓ/∂y,

        ∂ℓ/∂w = Σ δ x̂        ∂ℓ/∂b = Σ δ        ∂ℓ/∂x = w r (δ − mean(δ) − x̂ mean(δ x̂))

    over rows, and the means are 1/n of the sums. Running statistics are constants: by them ∂ℓ/∂x = w r δ. They move by
    their momentum m to (1 − m) · running + m · (μ or s² n/(n − 1)), in steps of one rounding each: a fused one rounds
    otherwise where a vector is not full, and where a member's vectors end depends on its companions.

    Rows that fill up the lanes are left out everywhere.
    """

    def __init__(
        self, norm: BatchNormModule, x: Tensor, kept: Tensor, y: Tensor, rows: int, gradients: tuple[Tensor, Tensor]
    ) -> None:
        self.rows, self.whole, self.share = rows, rows == x.shape[2], 1.0 / rows
        self.x, self.kept, self.y = (part[:, :, :rows] for part in (x, kept, y))
        self.work = torch.empty_like(kept)[:, :, :rows]
        self.weight, self.bias = norm.weight[:, :, None], norm.bias[:, :, None]
        self.by_weight, self.by_bias = gradients
        self.sums = [part[:, :, None] for part in gradients]
        self.running = [part[:, :, None] for part in (norm.running_mean, norm.running_var) if part is not None]
        self.found = x.new_empty(2, *self.weight.shape)  # sums of x and of (x − μ)²
        self.totals = self.found.unbind()
        self.moved, self.scale = torch.empty_like(self.found), torch.empty_like(self.found[0])
        momentum = float(norm.momentum or 0.0)
        moves = [momentum / rows, momentum / max(1, rows - 1)]
        self.stays, self.moves = x.new_tensor(1.0 - momentum), x.new_tensor(moves)[:, None, None, None]
        self.pairs = list(zip(self.running, self.moved.unbind(), strict=True))
        self.each, self.eps = x.new_tensor(self.share), x.new_tensor(norm.eps)  # numbers of Python take twice as long
        self.of_batch = False

    def forward(self, rngs: Rngs | None) -> None:
        kept, scale = self.kept, self.scale
        self.of_batch = rngs is not None and self.rows > 1
        if self.of_batch:
            self._centre()
        else:
            mean, variance = self.running
            torch.sub(self.x, mean, out=kept)
            torch.add(variance, self.eps, out=scale).rsqrt_()
        kept.mul_(scale)
        torch.mul(kept, self.weight, out=self.y)
        self.y.add_(self.bias)

    def _centre(self) -> None:
        """By the batch's statistics, which move the running ones."""
        total, squares = self.totals
        torch.sum(self.x, 2, keepdim=True, out=total)
        torch.sub(self.x, total, alpha=self.share, out=self.kept)
        torch.mul(self.kept, self.kept, out=self.work)
        torch.sum(self.work, 2, keepdim=True, out=squares)
        torch.mul(squares, self.each, out=self.scale).add_(self.eps).rsqrt_()
        torch.mul(self.found, self.moves, out=self.moved)
        for running, moved in self.pairs:
            running.mul_(self.stays).add_(moved)

    def backward(self, delta: Tensor) -> Tensor:
        """∂ℓ/∂y → ∂ℓ/∂x, in place."""
        part = delta if self.whole else delta[:, :, : self.rows]
        torch.mul(part, self.kept, out=self.work)
        torch.sum(self.work, 2, out=self.by_weight)
        torch.sum(part, 2, out=self.by_bias)
        if self.of_batch:
            along, level = self.sums
            part.sub_(level, alpha=self.share)
            part.addcmul_(self.kept, along, value=-self.share)
        part.mul_(self.scale.mul_(self.weight))
        return delta
