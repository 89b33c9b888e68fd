"""Restricted Boltzmann machines as tied networks of one layer: `p(v, h) ∝ exp(a·v + b·h + hᵀWv)`.

The encoder's weight and bias are W and b, the decoder's bias is a. Hidden units are bits (a sigmoid layer) or normal
with variance 1 (a linear layer); visible units are bits, or normal with variance 1 around a + Wᵀh.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import linear, softplus

from azogue.modules import DenseModule, TiedModule
from azogue.objectives.algebra import Term
from azogue.recipe import Rng

if TYPE_CHECKING:
    from azogue.network import Network
    from azogue.recipe import Step

HIDDEN_UNITS = ("sigmoid", "linear")


def _machine(network: Network) -> tuple[DenseModule, TiedModule]:
    """The one layer of a Boltzmann machine, in and back."""
    layers = [*network.encoder.steps, *network.decoder.steps]
    if len(layers) == 2:
        layer, back = layers
        if isinstance(layer, DenseModule) and layer.activation in HIDDEN_UNITS and isinstance(back, TiedModule):
            return layer, back
    raise TypeError(
        "a Boltzmann machine is one sigmoid or linear layer with tied weights, such as "
        f"Input() + Dense(8, 'sigmoid') + Output(tied=True), got {layers!r}"
    )


def free_energy(network: Network, v: Tensor) -> Tensor:
    """−log Σ_h exp(a·v + b·h + hᵀWv) of visible rows v (n, width), up to a constant, (n,).

    `−a·v − Σⱼ log(1 + exp(bⱼ + Wⱼv))` for hidden bits, `−a·v − ½ Σⱼ (bⱼ + Wⱼv)²` for normal ones; normal visible units
    add ½ ‖v‖².

    Examples
    --------
    >>> from azogue.build import build
    >>> from azogue.codes import Point
    >>> from azogue.heads import Bernoulli
    >>> from azogue.layers import Dense, Output, as_network
    >>> spec = as_network(Dense(3, "sigmoid") + Output(tied=True), rows=10, width=2)
    >>> machine = build(spec, Point(), 2, [Bernoulli(0, 2, (0, 1), (1.0, 1.0))], seed=0)
    >>> free_energy(machine, torch.zeros(1, 2)).detach()  # −3 log 2, as biases are 0 at first
    tensor([-2.0794])
    """
    layer, back = _machine(network)
    field = linear(v, layer.weight, layer.bias)
    hidden = softplus(field) if layer.activation == "sigmoid" else 0.5 * field.square()
    numeric = [head.slots for head in network.heads if head.kind == "gaussian" and head.link_name == "linear"]
    energy = -(v @ back.bias) - hidden.sum(1)
    for slots in numeric:
        energy = energy + 0.5 * v[:, slots].square().sum(1)
    return energy


@dataclass(frozen=True, repr=False)
class ContrastiveDivergence(Term):
    """F(x) − F(v), v what `steps` steps of Gibbs sampling make of x: its gradient is that of CD-k.

    Hidden units are drawn; visible ones take their mean in the last step and are drawn in those before.

    Parameters
    ----------
    steps : int

    References
    ----------
    Hinton (2002), Training products of experts by minimizing contrastive divergence; Hinton (2010), A practical guide
    to training restricted Boltzmann machines.

    Examples
    --------
    >>> import azogue as az
    >>> X = [[True, False], [False, True]] * 10
    >>> network = az.Dense(3, "sigmoid") + az.Output(tied=True)
    >>> ae = az.Autoencoder(network, objective=ContrastiveDivergence(), epochs=1, random_state=0).fit(X)
    >>> list(ae.history_[0])[:3]
    ['epoch', 'reconstruction', 'contrastive_divergence']
    """

    steps: int = 1

    def __post_init__(self) -> None:
        if isinstance(self.steps, bool) or int(self.steps) != self.steps or self.steps < 1:
            raise ValueError(f"ContrastiveDivergence: steps must be a whole number of at least 1, got {self.steps!r}")

    def __call__(self, step: Step) -> Tensor:
        rng = Rng(0) if step.rng is None else step.rng
        model = step.model
        layer, _ = _machine(model)
        with torch.no_grad():
            v = step.x
            for number in range(self.steps):
                generator = rng.generator(f"gibbs/{number}", v.device)
                h = layer(v, None)
                if layer.activation == "sigmoid":
                    h = (torch.rand(h.shape, generator=generator, device=h.device) < h).to(v.dtype)
                else:
                    h = h + torch.randn(h.shape, generator=generator, device=h.device, dtype=h.dtype)
                v = model.decode(h)[0]
                if number < self.steps - 1:
                    v = _drawn(model, v, generator)
                if step.mask is not None:  # a missing cell is held at 0 in both phases, and so learns nothing
                    v = torch.where(step.mask, v, step.x)
        return free_energy(model, step.x) - free_energy(model, v)


def _drawn(model: Network, mean: Tensor, generator: torch.Generator) -> Tensor:
    """Visible units drawn around their mean: bits, or normal ones."""
    bits = (torch.rand(mean.shape, generator=generator, device=mean.device) < mean).to(mean.dtype)
    noisy = mean + torch.randn(mean.shape, generator=generator, device=mean.device, dtype=mean.dtype)
    numeric = torch.cat([torch.full((h.stop - h.start,), h.link_name == "linear") for h in model.heads])
    return torch.where(numeric.to(mean.device), noisy, bits)
