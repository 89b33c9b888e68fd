"""What applications share: the autoencoder that they own."""

from __future__ import annotations

from typing import Any, cast

from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from azogue.autoencoder import Autoencoder


def unfitted(autoencoder: Any) -> Autoencoder | None:
    """An autoencoder to be cloned, or None.

    Raises
    ------
    TypeError
        For anything else.
    """
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
        For an unfitted autoencoder that has none of its own.
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
    if fresh.random_state is None:
        fresh.set_params(random_state=random_state)
    return cast("Autoencoder", fresh.fit(X, y))
