"""Maps: codes of two units whose neighbourhoods are those of the rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from azogue.autoencoder import Autoencoder
from azogue.corruptions import Gaussian
from azogue.objectives import Neighbors
from azogue.optimizers import Cosine
from azogue.session import Axes


@dataclass(eq=False, repr=False)
class MapAutoencoder(Autoencoder):
    """Keeps neighbours together: adds `neighbors · KL(P ‖ Q)` between neighbourhoods of rows and of codes.

    The encoder reads rows with noise, which is what makes new rows land beside their neighbours. About a thousand steps
    of training make a good map: raise `epochs` for tables of few rows. Nothing is held out, since the noise does
    already what stopping early would.

    Parameters
    ----------
    network, code, corruption, objective, … :
        As in `Autoencoder`, but for other defaults: three hidden layers of 256 units, batches of 256 rows, a learning
        rate that rises to 0.005 and falls to 0, float32. `corruption` replaces the noise.
    neighbors : float
        Weight of the divergence.
    perplexity : float
        How many neighbours of each row count, roughly; see `objectives.Neighbors`.
    noise : float
        Standard deviation of the noise, in scaled units.

    References
    ----------
    van der Maaten (2009), AISTATS; Sainburg, McInnes & Gentner (2021), Parametric UMAP embeddings, Neural Computation.

    Examples
    --------
    >>> import azogue as az
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> codes = az.MapAutoencoder(epochs=100, random_state=0).fit_transform(X)
    >>> az.trustworthiness(X, codes) > 0.95
    True
    """

    network: Any = field(default=(256, 256, 256, 2), kw_only=False)
    epochs: int = field(default=100, kw_only=True)
    batch_size: Any = field(default=256, kw_only=True)
    learning_rate: Any = field(default=Cosine(5e-3, warmup=0.1), kw_only=True)
    validation_fraction: float = field(default=0.0, kw_only=True)
    precision: str = field(default="float32", kw_only=True)
    neighbors: float = 0.1
    perplexity: float = 5.0
    noise: float = 0.2

    def axes(self) -> Axes:
        return Axes(corruption=Gaussian(self.noise), penalties=self.neighbors * Neighbors(self.perplexity))
