"""Codes that match a prior as a whole: by a distance between samples, or by an adversary that cannot tell them."""

from __future__ import annotations

from dataclasses import dataclass, field

from azogue.autoencoder import Autoencoder
from azogue.codes import Point
from azogue.objectives import MMD, Adversary
from azogue.priors import Mixture, Prior, as_prior
from azogue.session import Axes


@dataclass(eq=False, repr=False)
class WassersteinAutoencoder(Autoencoder):
    """Adds `divergence · MMD²(codes, draws of the prior)`: codes stay points, together they look like the prior.

    Parameters
    ----------
    network, code, corruption, objective, … :
        As in `Autoencoder`.
    divergence : float
        Weight of the discrepancy.
    kernel : {"imq", "rbf"}
        See `objectives.mmd`.
    prior : Prior or None
        None: `priors.StandardNormal()`.

    References
    ----------
    Tolstikhin, Bousquet, Gelly & Schölkopf (2018), Wasserstein auto-encoders, ICLR.

    Examples
    --------
    >>> import azogue as az
    >>> from sklearn.datasets import load_iris
    >>> az.WassersteinAutoencoder(2, epochs=5, random_state=0).fit(load_iris().data).sample(3).shape
    (3, 4)
    """

    divergence: float = 1.0
    kernel: str = field(default="imq", metadata={"try": "rbf"})
    prior: Prior | None = field(default=None, metadata={"try": Mixture(3)})

    def axes(self) -> Axes:
        return Axes(code=Point(as_prior(self.prior)), penalties=self.divergence * MMD(self.kernel))


@dataclass(eq=False, repr=False)
class AdversarialAutoencoder(Autoencoder):
    """Adds `adversary · (−log D(z))`: a judge D learns to tell codes from draws of the prior, the encoder to fool it.

    The judge is a second player of the same loop; its loss is in `history_` as `adversary_loss`. Held-out rows stop
    training by the reconstruction alone, since the judge's verdict does not compare between epochs.

    Parameters
    ----------
    network, code, corruption, objective, … :
        As in `Autoencoder`.
    adversary : float
        Weight of fooling the judge.
    judge : tuple of int
        Widths of the judge's hidden layers.
    prior : Prior or None
        None: `priors.StandardNormal()`.

    References
    ----------
    Makhzani, Shlens, Jaitly, Goodfellow & Frey (2016), Adversarial autoencoders, ICLR workshop.

    Examples
    --------
    >>> import azogue as az
    >>> from sklearn.datasets import load_iris
    >>> az.AdversarialAutoencoder(2, epochs=5, random_state=0).fit(load_iris().data).sample(3).shape
    (3, 4)
    """

    adversary: float = 0.1
    judge: tuple[int, ...] = field(default=(64, 64), metadata={"try": (8,)})
    prior: Prior | None = field(default=None, metadata={"try": Mixture(3)})

    def axes(self) -> Axes:
        return Axes(code=Point(as_prior(self.prior)), penalties=self.adversary * Adversary(self.judge))
