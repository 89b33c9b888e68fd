"""What applications share: the autoencoder that they own, and what is said of it."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, cast

from sklearn.base import BaseEstimator, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from azogue.autoencoder import Autoencoder
from azogue.modalities import kind_of, rows_are
from azogue.persistence import Persistent


@dataclass(eq=False, repr=False)
class Application(Persistent, BaseEstimator):  # type: ignore[misc]
    """An estimator that owns an autoencoder.

    Parameters
    ----------
    autoencoder : Autoencoder, FrozenEstimator, ArchitectureSearch or None
        Unfitted (cloned and fitted) or fitted inside `sklearn.frozen.FrozenEstimator` (used as it is). Of a fitted
        search the winner, as unfitted. None: the application's own.
    modality, scaling, random_state, verbose : see `Autoencoder`
        For the autoencoders that are made where none is given.
    """

    autoencoder: Any = None
    _: KW_ONLY
    modality: Any = "auto"
    scaling: str = "auto"
    random_state: Any = None
    verbose: int = 0

    def _kind(self, X: Any) -> str:
        """What the rows are: `"table"`, `"image"`, `"sequence"` or `"text"`, as the autoencoder takes them."""
        owner = getattr(self.autoencoder, "estimator", self.autoencoder)
        modality = getattr(owner, "modality", "auto")
        modality = self.modality if modality == "auto" else modality
        if modality == "auto":
            return kind_of(X)
        return modality if isinstance(modality, str) else rows_are(modality)

    def _shared(self, modality: Any) -> dict[str, Any]:
        """What an autoencoder that is made here is told; a modality made from the user's has the scaling in it."""
        own = isinstance(modality, str) or modality is self.modality
        return {"modality": modality, "scaling": self.scaling if own else "auto", "verbose": self.verbose}


def unfitted(autoencoder: Any) -> Autoencoder | None:
    """An autoencoder to be cloned, or None.

    Raises
    ------
    TypeError
        For anything else.
    """
    if hasattr(autoencoder, "winner"):
        autoencoder = autoencoder.winner()
    if autoencoder is not None and not isinstance(autoencoder, Autoencoder):
        raise TypeError(f"autoencoder: expected an Autoencoder, a FrozenEstimator of one or None, got {autoencoder!r}")
    return autoencoder


def owned(autoencoder: Any, default: Autoencoder, X: Any, random_state: Any = None, y: Any = None) -> Autoencoder:
    """The fitted autoencoder of an application.

    Parameters
    ----------
    autoencoder : Autoencoder, FrozenEstimator or None
        An unfitted one is cloned and fitted on `X`; a fitted one inside `sklearn.frozen.FrozenEstimator` is used as
        it is; None is the application's `default`.
    default : Autoencoder
        Unfitted.
    X : table
    random_state : int, numpy generator or None
        For an unfitted autoencoder that has none of its own, unless it is private: its noise is not to be repeated.
    y : array of numbers, shape (n,), optional
        For an objective that asks for it.

    Raises
    ------
    TypeError
        For anything else.
    sklearn.exceptions.NotFittedError
        If what is frozen was never fitted.
    """
    if isinstance(autoencoder, FrozenEstimator):
        inner = autoencoder.estimator
        if not isinstance(inner, Autoencoder):
            raise TypeError(f"autoencoder: the FrozenEstimator holds {inner!r}, which is no Autoencoder")
        check_is_fitted(inner, "network_")
        return inner
    fresh: Autoencoder = clone(unfitted(autoencoder) or default)
    if fresh.random_state is None and fresh.privacy is None:
        fresh.set_params(random_state=random_state)
    return cast("Autoencoder", fresh.fit(X, y))
