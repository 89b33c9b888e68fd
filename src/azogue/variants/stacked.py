"""Stacked: a deep network that starts from layers trained one by one."""

from __future__ import annotations

from dataclasses import dataclass, field

from azogue.autoencoder import Autoencoder
from azogue.layers import HIDDEN
from azogue.pretraining import Greedy
from azogue.session import Axes


@dataclass(eq=False, repr=False)
class StackedAutoencoder(Autoencoder):
    """Trains its layers one by one, each on the codes of the one before, then unrolls and fine-tunes them together.

    Parameters
    ----------
    network, code, corruption, objective, … :
        As in `Autoencoder`. With `"rbm"`, layers that are spelled out must be sigmoid or linear.
    pretraining : {"denoising", "rbm"}
        Each layer as a denoising autoencoder, or as a restricted Boltzmann machine by contrastive divergence.
    pretraining_epochs : int
        Of each layer.
    noise : float
        For `"denoising"`: the probability with which a value of a layer's input is set to 0.

    Attributes
    ----------
    pretraining_ : list of list of dict
        Each layer's history; empty after `resume`, where the pretraining is in the checkpoint.

    References
    ----------
    Hinton & Salakhutdinov (2006), Science 313; Vincent, Larochelle, Lajoie, Bengio & Manzagol (2010), JMLR 11.

    Examples
    --------
    >>> import azogue as az
    >>> from sklearn.datasets import load_iris
    >>> stack = az.StackedAutoencoder((8, 2), pretraining="rbm", epochs=5, random_state=0).fit(load_iris().data)
    >>> len(stack.pretraining_)
    2
    """

    pretraining: str = field(default="denoising", metadata={"try": "rbm"})
    pretraining_epochs: int = 10
    noise: float = 0.1

    def axes(self) -> Axes:
        greedy = Greedy(self.pretraining, self.pretraining_epochs, self.noise)
        return Axes(hidden_activation="sigmoid" if self.pretraining == "rbm" else HIDDEN, pretraining=greedy)
