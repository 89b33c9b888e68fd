"""Greedy layer-wise pretraining: each layer learns on the codes of the one before, then the network is unrolled.

Every layer is trained as a small network by the one loop: as a denoising autoencoder (Vincent et al. 2010), or as a
restricted Boltzmann machine by contrastive divergence (Hinton & Salakhutdinov 2006). What it learned becomes the
initial weights of the whole network, on the way in and, mirrored, on the way back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch

from azogue.build import build
from azogue.codes import Point
from azogue.corruptions import Zeros
from azogue.heads import Bernoulli, Gaussian, Head
from azogue.inference import Reader
from azogue.layers import SIZED, BatchNorm, Dense, Dropout, LayerNorm, NetworkSpec, Output
from azogue.modules import DenseModule, TiedModule
from azogue.network import Network
from azogue.objectives import HeadLoss, Objective
from azogue.objectives.energies import HIDDEN_UNITS, ContrastiveDivergence
from azogue.recipe import Batch, Rng, Spec
from azogue.training.backends import backend_for
from azogue.training.data import Rows
from azogue.training.loop import Run, train
from azogue.training.state import start

if TYPE_CHECKING:
    from azogue.layers import Layer
    from azogue.recipe import Recipe
    from azogue.session import Session

#: Layers that go with the dense one in front of them.
PLAIN = (Dropout, LayerNorm, BatchNorm)
Block = tuple[Any, ...]


@dataclass(frozen=True, repr=False)
class Greedy(Spec):
    """Pretrain layer by layer.

    Parameters
    ----------
    kind : {"denoising", "rbm"}
    epochs : int
        Of each layer.
    noise : float
        For `"denoising"`: the probability with which a layer's input is set to 0.
    """

    kind: str = "denoising"
    epochs: int = 10
    noise: float = 0.1

    def __post_init__(self) -> None:
        if self.kind not in ("denoising", "rbm"):
            raise ValueError(f"pretraining: expected 'denoising' or 'rbm', got {self.kind!r}")
        if isinstance(self.epochs, bool) or int(self.epochs) != self.epochs or self.epochs < 1:
            raise ValueError(f"pretraining: epochs must be a whole number of at least 1, got {self.epochs!r}")

    def __call__(self, session: Session) -> list[list[dict[str, float]]]:
        """Put what the layers learn into the session's network; the history of each layer is returned.

        Raises
        ------
        ValueError
            If the network is not made of layers, does not mirror, or has layers that are no Boltzmann machine.
        """
        if session.spec is None:
            raise ValueError("pretraining: a pair of modules has no layers to train one by one; give layers or widths")
        if session.spec.shape and any(not isinstance(layer, (*SIZED, *PLAIN)) for layer in session.spec.encoder):
            raise ValueError("pretraining: layers are trained one by one where they are dense; give widths, as (64, 8)")
        blocks = _blocks(session.spec.encoder)
        ways_back = _ways_back(session.network, blocks)
        data, heads, found = session.data.all(), session.schema.heads, []
        at = 0
        for number, (block, back) in enumerate(zip(blocks, ways_back, strict=True)):
            recipe = self._recipe(session.recipe, number)
            network = self._network(block, data.x.shape[1], heads, recipe).to(data.x.device)
            state = train(Run(start(network, recipe), Rows(data)), backend_for(network, recipe))
            if state.stopped == "interrupted":
                raise KeyboardInterrupt
            found.append(state.history)
            _adopt(session.network.encoder.steps[at : at + len(block)], back, network)
            at += len(block)
            codes = Reader(network, recipe.objective).codes(data)
            data, heads = Batch(codes.to(data.x.device, data.x.dtype)), (_head(block[-1]),)
        return found

    def _recipe(self, whole: Recipe, number: int) -> Recipe:
        rbm = self.kind == "rbm"
        return replace(
            whole,
            corruption=None if rbm else Zeros(self.noise),
            objective=Objective(((1.0, ContrastiveDivergence() if rbm else HeadLoss()),)),
            epochs=int(self.epochs),
            seed=Rng(whole.seed).integer(f"pretraining/{number}"),
        )

    def _network(self, block: Block, width: int, heads: tuple[Head, ...], recipe: Recipe) -> Network:
        rbm = self.kind == "rbm"
        if rbm:
            _check_machine(block, heads)
        spec = NetworkSpec(block, (), Output(tied=rbm))
        network = build(spec, Point(), width, heads, recipe.seed)
        return network.to(dtype=torch.float64 if recipe.precision == "float64" else torch.float32)


def _blocks(layers: tuple[Layer, ...]) -> list[Block]:
    """Each layer with units, behind what precedes it."""
    ends = [at + 1 for at, layer in enumerate(layers) if isinstance(layer, SIZED)]
    return [layers[start:end] for start, end in pairwise([0, *ends])]


def _ways_back(network: Network, blocks: list[Block]) -> list[DenseModule]:
    """For each block, the decoder's layer that undoes it."""
    found = [module for module in network.decoder.steps if isinstance(module, DenseModule)]
    there = [module for module in network.encoder.steps if isinstance(module, DenseModule)]
    widths = [module.weight.shape[1] for module in reversed(there)]
    if [module.weight.shape[0] for module in found] != widths or len(found) != len(blocks):
        raise ValueError(
            f"pretraining: the way back must mirror the way in, with widths {widths} behind the code, got "
            f"{[module.weight.shape[0] for module in found]}"
        )
    return found[::-1]


def _check_machine(block: Block, heads: tuple[Head, ...]) -> None:
    layer = block[-1]
    plain = len(block) == 1 and isinstance(layer, SIZED) and getattr(layer, "normalization", None) is None
    if not plain or layer.activation not in HIDDEN_UNITS:
        raise ValueError(
            f"pretraining='rbm': {' + '.join(map(repr, block))} is no Boltzmann machine; layers must be "
            f"{' or '.join(HIDDEN_UNITS)}, without dropout or normalisation; or use pretraining='denoising'"
        )
    if odd := [head.kind for head in heads if head.link_name not in ("linear", "sigmoid")]:
        raise ValueError(
            f"pretraining='rbm': its visible units are bits or normal, not {odd[0]}; encode such columns as numbers or "
            "booleans, or use pretraining='denoising'"
        )


def _head(layer: Dense) -> Head:
    """What the codes of a layer are: numbers between 0 and 1 with their cross-entropy, or numbers in its range."""
    slots = tuple(range(layer.units))
    weights = (1.0,) * layer.units
    if layer.activation == "sigmoid":
        return Bernoulli(0, layer.units, slots, weights)
    return Gaussian(0, layer.units, slots, weights, layer.activation)


def _adopt(there: Any, back: DenseModule, learned: Network) -> None:
    """Copy a trained layer into the whole network: the way in with its normalisation, the way back without."""
    with torch.no_grad():
        for module, source in zip(there, learned.encoder.steps, strict=True):
            for name, value in source.state_dict().items():
                target = module.state_dict()[name]
                (target[: len(value)] if value.ndim else target).copy_(value)  # a code's further statistics stay
        undo = learned.decoder.steps[-1]
        assert isinstance(undo, DenseModule)
        back.bias.copy_(undo.bias)
        if not isinstance(back, TiedModule):
            back.weight.copy_(undo.weight)
