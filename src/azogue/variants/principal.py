"""Principal: a network that starts where principal components end."""

from __future__ import annotations

from dataclasses import dataclass

from azogue.autoencoder import Autoencoder
from azogue.components import Components
from azogue.session import Axes


@dataclass(eq=False, repr=False)
class PrincipalAutoencoder(Autoencoder):
    """Starts as a principal component analysis of its code's size, and learns from there.

    A linear autoencoder reaches the floor of principal components and no more (Baldi & Hornik 1989), after hundreds of
    epochs; this one begins there. It is for tables whose structure is mostly linear, and for few rows.

    Parameters
    ----------
    network, code, corruption, objective, … :
        As in `Autoencoder`. Networks with convolutions, normalisation or modules of one's own start as usual.

    References
    ----------
    Baldi & Hornik (1989), Neural networks and principal component analysis, Neural Networks 2.

    Examples
    --------
    >>> import azogue as az
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> ae = az.PrincipalAutoencoder((16, 2), epochs=5, random_state=0).fit(X)
    >>> round(ae.evaluate(X)["r2"], 1)
    1.0
    """

    def axes(self) -> Axes:
        return Axes(pretraining=Components())
