"""An adversary for sequences: a judge tells those of the rows from what the decoder makes of draws of the prior."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from azogue.layers import Recurrent
from azogue.objectives.algebra import Term
from azogue.objectives.judges import Judge, check_units
from azogue.positional import RecurrentModule
from azogue.recipe import Rng
from azogue.telling import AutoregressiveModule

if TYPE_CHECKING:
    from azogue.network import Network
    from azogue.recipe import Step


class Listener(nn.Module):
    """A judge of sequences: a recurrent layer over (n, steps · symbols), and layers over its last state → (n,)."""

    def __init__(self, shape: tuple[int, ...], units: tuple[int, ...], rng: Rng) -> None:
        super().__init__()
        self.memory = RecurrentModule(shape, Recurrent(units[0]), rng.at(step=900))
        self.judge = Judge((units[0], *units[1:], 1), rng)

    def forward(self, x: Tensor) -> Tensor:
        told: Tensor = self.judge(self.memory(x, None))
        return told


@dataclass(frozen=True, repr=False)
class SequenceAdversary(Term):
    """−log D(g(z)): how surely a judge D tells sequences g(z), z drawn from the prior, from those of the rows; ().

    The decoder has to end in `layers.Autoregressive`: it draws symbol after symbol, and gradients pass straight
    through the draws (Jang, Gu & Poole 2017). The judge is a second player of the same loop; it minimises
    `SequenceAdversaryLoss`. At a perfect match both are log 2. Together with `Adversary`, which sees the codes, this is
    a dual adversarial autoencoder.

    Parameters
    ----------
    units : tuple of int
        Units of the judge's recurrent layer, and widths of its hidden layers.
    rise : int
        Epochs over which the term comes to its full weight, so that there is something to judge.

    References
    ----------
    Lee, Yu, Jiang, Gupta, Kim, Park, Choi & Ghassemi (2020), Generating sequential electronic health records using dual
    adversarial autoencoder, JAMIA. NOTE[DIFF] codes are matched with a fixed prior, not with a second generator's.

    Examples
    --------
    >>> import azogue as az
    >>> X = [["a", "b"], ["b", "a", "b"]] * 10
    >>> network = az.Recurrent(8) + az.Bottleneck(2) + az.layers.Autoregressive(8, 4, 3)
    >>> objective = az.objectives.HeadLoss() + 0.1 * SequenceAdversary((8,))
    >>> ae = az.AdversarialAutoencoder(network, objective=objective, modality="events", epochs=1, random_state=0).fit(X)
    >>> sorted(name for name in ae.history_[0] if "sequence" in name)
    ['sequence_adversary', 'sequence_adversary_loss', 'sequence_adversary_sequence_adversary_loss']
    """

    units: tuple[int, ...] = (64, 64)
    rise: int = 3

    needs: ClassVar[frozenset[str]] = frozenset({"prior"})
    judges: ClassVar[bool] = False
    mixing: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "units", check_units(self.units, "SequenceAdversary"))
        if isinstance(self.rise, bool) or not isinstance(self.rise, int) or self.rise < 0:
            raise ValueError(f"SequenceAdversary: rise must be a whole number of at least 0, got {self.rise!r}")

    def build(self, network: Network, rng: Rng) -> nn.Module:
        _decoder(network)
        return Listener(network.shape, self.units, rng)

    @property
    def opponent(self) -> Term:
        return SequenceAdversaryLoss(self)

    def __call__(self, step: Step) -> Tensor:
        found: Tensor = softplus(-step.model.part(self)(told(step))).mean()
        return found if step.rng is None else found * min(1.0, (step.rng.epoch + 1) / (self.rise + 1))


@dataclass(frozen=True, repr=False)
class SequenceAdversaryLoss(Term):
    """½ (−log D(x) − log(1 − D(g(z)))): the cross-entropy of telling rows from what is made of the prior, (n,).

    Examples
    --------
    >>> SequenceAdversary((8,)).opponent
    SequenceAdversaryLoss(of=SequenceAdversary(units=(8,)))
    """

    of: SequenceAdversary = SequenceAdversary()

    needs: ClassVar[frozenset[str]] = frozenset({"prior"})
    mixing: ClassVar[bool] = True

    def __call__(self, step: Step) -> Tensor:
        judge = step.model.part(self.of)
        with torch.no_grad():
            made = told(step)
        return 0.5 * (softplus(-judge(step.x)) + softplus(judge(made)))


def told(step: Step) -> Tensor:
    """As many sequences as the batch has rows, made of draws from the prior; always the same ones at inference."""
    rng = Rng(0) if step.rng is None else step.rng
    z = step.model.code.draw(len(step.x), rng).to(step.code.z)
    return _decoder(step.model).soft(z, rng)


def _decoder(network: Any) -> AutoregressiveModule:
    last = network.decoder.steps[-1]
    if not isinstance(last, AutoregressiveModule):
        raise TypeError(
            "SequenceAdversary judges sequences that are told symbol by symbol: let the network end in "
            "layers.Autoregressive(units, steps, symbols)"
        )
    return last
