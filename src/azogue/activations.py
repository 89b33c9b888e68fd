"""Activations: each formula φ beside its derivatives φ′ and φ″, element by element.

`layers.ACTIVATIONS` has their names and ranges, for whoever describes a network without torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional

from azogue import formulas

aten = torch.ops.aten

#: Self-normalising networks' α and λ (Klambauer et al. 2017).
ALPHA, SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946

#: Numbers that the widest processors take at a time, in their loops over two vectors.
LANES = 32


@dataclass(frozen=True)
class Activation:
    """An activation and how a gradient passes back through it, both in place.

    Parameters
    ----------
    apply : callable
        (x, out): out ← φ(x).
    pull : callable
        (delta, kept): delta ← delta · φ′, told from what was kept.
    keeps : {"input", "output"}
        Whether φ′ is told from x or from φ(x); x may be overwritten by the latter.
    number : int
        The formula's number in `formulas`, by which compiled steps know it; 0: they do not.
    bend : callable or None
        (delta, kept): delta ← delta · φ″, told from what was kept; None: φ″ = 0, but at corners.
    """

    apply: Callable[[Tensor, Tensor], Any]
    pull: Callable[[Tensor, Tensor], Any]
    keeps: str
    number: int = 0
    bend: Callable[[Tensor, Tensor], Any] | None = None


def _bend_elu(delta: Tensor, x: Tensor, scale: float = 1.0) -> Tensor:
    return delta.mul_(x.clamp_max(0.0).exp_().mul_(x < 0.0).mul_(scale))


def _bend_gelu(delta: Tensor, x: Tensor) -> Tensor:
    square = x * x
    density = (square * -0.5).exp_().mul_(1.0 / math.sqrt(2.0 * math.pi))
    return delta.mul_(density).mul_(square.neg_().add_(2.0))


def _bend_silu(delta: Tensor, x: Tensor) -> Tensor:
    s = torch.sigmoid(x)
    aten.sigmoid_backward.grad_input(delta, s, grad_input=delta)
    return delta.mul_((x + 2.0).sub_(s.mul_(x), alpha=2.0))


def _bend_softplus(delta: Tensor, x: Tensor) -> Tensor:
    aten.sigmoid_backward.grad_input(delta, torch.sigmoid(x), grad_input=delta)
    return delta.mul_(x <= 20.0)


FORMULAS: dict[str, Activation] = {
    # max(0, x); φ′ = 1 where φ > 0; φ″ = 0
    "relu": Activation(
        lambda x, out: torch.clamp_min(x, 0, out=out),
        lambda delta, y: aten.threshold_backward.grad_input(delta, y, 0, grad_input=delta),
        "output",
        formulas.RELU,
    ),
    # x, or eˣ − 1 below 0; φ′ = 1, or eˣ below 0; φ″ = 0, or eˣ
    "elu": Activation(
        lambda x, out: aten.elu.out(x, out=out),
        lambda delta, x: aten.elu_backward.grad_input(delta, 1.0, 1.0, 1.0, False, x, grad_input=delta),
        "input",
        formulas.ELU,
        _bend_elu,
    ),
    # λx, or λα(eˣ − 1) below 0; φ′ = λ, or λαeˣ below 0; φ″ = 0, or λαeˣ
    "selu": Activation(
        lambda x, out: aten.elu.out(x, ALPHA, SCALE, out=out),
        lambda delta, x: aten.elu_backward.grad_input(delta, ALPHA, SCALE, 1.0, False, x, grad_input=delta),
        "input",
        formulas.SELU,
        lambda delta, x: _bend_elu(delta, x, SCALE * ALPHA),
    ),
    # xΦ(x), Φ the normal distribution; φ′ = Φ(x) + x·N(x; 0, 1); φ″ = (2 − x²)·N(x; 0, 1)
    "gelu": Activation(
        lambda x, out: out.copy_(aten.gelu(x.contiguous())),  # oneDNN's writes into a view with gaps as if it had none
        lambda delta, x: aten.gelu_backward.grad_input(delta, x.contiguous(), grad_input=delta),
        "input",
        formulas.GELU,
        _bend_gelu,
    ),
    # xσ(x); φ′ = σ(1 + x(1 − σ)), σ = σ(x); φ″ = σ(1 − σ)(2 + x(1 − 2σ))
    "silu": Activation(
        lambda x, out: aten.silu.out(x, out=out),
        lambda delta, x: aten.silu_backward.grad_input(delta, x, grad_input=delta),
        "input",
        formulas.SILU,
        _bend_silu,
    ),
    # φ′ = 1 − φ²; φ″ = −2φφ′
    "tanh": Activation(
        lambda x, out: torch.tanh(x, out=out),
        lambda delta, y: aten.tanh_backward.grad_input(delta, y, grad_input=delta),
        "output",
        formulas.TANH,
        lambda delta, y: aten.tanh_backward.grad_input(delta, y, grad_input=delta).mul_(y).mul_(-2.0),
    ),
    # 1/(1 + e⁻ˣ); φ′ = φ(1 − φ); φ″ = φ′(1 − 2φ)
    "sigmoid": Activation(
        lambda x, out: torch.sigmoid(x, out=out),
        lambda delta, y: aten.sigmoid_backward.grad_input(delta, y, grad_input=delta),
        "output",
        formulas.SIGMOID,
        lambda delta, y: aten.sigmoid_backward.grad_input(delta, y, grad_input=delta).mul_(1.0 - 2.0 * y),
    ),
    # log(1 + eˣ), and x itself beyond 20; φ′ = σ(x), and 1 there; φ″ = σ(x)(1 − σ(x)), and 0
    "softplus": Activation(
        lambda x, out: aten.softplus.out(x, out=out),
        lambda delta, x: aten.softplus_backward.grad_input(delta, x, 1.0, 20.0, grad_input=delta),
        "input",
        formulas.SOFTPLUS,
        _bend_softplus,
    ),
    # x/(1 + |x|); φ′ = (1 − |φ|)²; φ″ = −2 sign(φ)(1 − |φ|)³
    "softsign": Activation(
        lambda x, out: torch.div(x, x.abs() + 1.0, out=out),
        lambda delta, y: delta.mul_((1.0 - y.abs()).square_()),
        "output",
        formulas.SOFTSIGN,
        lambda delta, y: delta.mul_((1.0 - y.abs()).pow_(3).mul_(y.sign()).mul_(-2.0)),
    ),
    # min(max(x/6 + 1/2, 0), 1); φ′ = 1/6 between -3 and 3, else 0
    "hard_sigmoid": Activation(
        lambda x, out: torch.div(x, 6.0, out=out).add_(0.5).clamp_(0.0, 1.0),
        lambda delta, y: delta.mul_(((y > 0.0) & (y < 1.0)).to(delta.dtype) / 6.0),
        "output",
        formulas.HARD_SIGMOID,
    ),
}


def activate(name: str, x: Tensor) -> Tensor:
    """Apply the activation called `name`, element by element, leaving a trace for autograd."""
    if name == "hard_sigmoid":  # torch's own has no second derivative
        return functional.hardtanh(x / 6.0 + 0.5, 0.0, 1.0)
    return x if name == "linear" else cast("Tensor", getattr(functional, name)(x))
