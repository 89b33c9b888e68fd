"""Maps: codes of two units whose neighbourhoods are those of the rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from azogue.autoencoder import Autoencoder
from azogue.corruptions import Gaussian
from azogue.objectives.neighborhoods import Neighbors, Positions
from azogue.optimizers import Cosine
from azogue.placing import Kept, PlacedReader, Placement, lay_out
from azogue.session import Axes

if TYPE_CHECKING:
    from azogue.inference import Reader
    from azogue.session import Session
    from azogue.training.state import State

#: Who says where rows lie, and the perplexity that suits it.
PLACEMENTS = {"network": 5.0, "neighbors": 20.0}


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
    placement : {"network", "neighbors"}
        Who says where rows lie. `"network"`: the encoder. `"neighbors"`: training rows are placed freely, all at once
        (t-SNE, `azogue.layouts.layout`), and the network learns their places; a new row lies where its nearest training
        rows say, and the way back is corrected by those near on the map (`azogue.placing.Placement`). It keeps
        neighbourhoods better and needs little training (20 epochs of two hidden layers of 128 units), but the model and
        its file hold the training rows, at most 10,000 of them; `errors`, `score` and exports are the network's own.
    neighbors : float
        Weight of the divergence; with `"neighbors"` of the distance to the places.
    perplexity : float or "auto"
        How many neighbours of each row count, roughly: of those in its batch (`objectives.Neighbors`), by default 5;
        with `"neighbors"` of those among all rows, by default 20.
    noise : float
        Standard deviation of the noise, in scaled units.

    Attributes
    ----------
    placement_ : dict of ndarray
        With `placement="neighbors"`: the remembered `rows` in scaled units, their `places` and the `reach` of a place.

    References
    ----------
    van der Maaten (2009), AISTATS; Sainburg, McInnes & Gentner (2021), Parametric UMAP embeddings, Neural Computation;
    van der Maaten & Hinton (2008), Visualizing data using t-SNE, JMLR, for places that are free.

    Examples
    --------
    >>> import azogue as az
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> codes = az.MapAutoencoder(epochs=100, random_state=0).fit_transform(X)
    >>> az.trustworthiness(X, codes) > 0.95
    True
    >>> ae = az.MapAutoencoder(placement="neighbors", epochs=10, random_state=0).fit(X)
    >>> az.trustworthiness(X, ae.transform(X)) > 0.95
    True
    """

    network: Any = field(default=(256, 256, 256, 2), kw_only=False)
    epochs: int = field(default=100, kw_only=True)
    batch_size: Any = field(default=256, kw_only=True)
    learning_rate: Any = field(default=Cosine(5e-3, warmup=0.1), kw_only=True)
    validation_fraction: float = field(default=0.0, kw_only=True)
    precision: str = field(default="float32", kw_only=True)
    placement: str = field(default="network", metadata={"try": "neighbors"})
    neighbors: float = 0.1
    perplexity: float | str = field(default="auto", metadata={"try": 3.0})
    noise: float = 0.2

    def axes(self) -> Axes:
        term = Neighbors(self._perplexity())
        kept = term if self.placement == "network" else Positions()
        return Axes(corruption=Gaussian(self.noise), penalties=self.neighbors * kept)

    def _perplexity(self) -> float:
        if self.placement not in PLACEMENTS:
            raise ValueError(f"placement: expected one of {', '.join(PLACEMENTS)}, got {self.placement!r}")
        found = PLACEMENTS[self.placement] if self.perplexity == "auto" else self.perplexity
        if isinstance(found, str):
            raise ValueError(f"perplexity: expected a number of at least 1 or 'auto', got {found!r}")
        return Neighbors(found).perplexity  # which refuses what makes no sense

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """As `Autoencoder.partial_fit`; places are of all rows at once, so that `placement="neighbors"` refuses."""
        if self.placement == "neighbors" or hasattr(self, "placement_"):
            raise ValueError("partial_fit: placement='neighbors' places all rows at once; use fit")
        return super().partial_fit(X, y)

    def _pretrain(self, session: Session, fresh: bool) -> None:
        super()._pretrain(session, fresh)
        self._placed = lay_out(session, self._perplexity()) if self.placement == "neighbors" else None

    def _adopt(self, session: Session, state: State) -> None:
        super()._adopt(session, state)
        placed: Kept | None = self.__dict__.pop("_placed")
        self.__dict__.pop("placement_", None)
        if placed is not None:
            self.placement_ = placed

    @property
    def _reader(self) -> Reader:
        plain, kept = super()._reader, getattr(self, "placement_", None)
        if kept is None:
            return plain
        return PlacedReader(plain.network, plain.objective, Placement.of(plain.network, kept))
