"""Use 2, anomalies: rows that an autoencoder of the usual rows cannot reproduce."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from numbers import Real
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils.validation import check_is_fitted

from azogue.applications.owner import owned
from azogue.autoencoder import Autoencoder
from azogue.inference import column_scale, column_weights, observed_mean
from azogue.modalities.frames import frame_like
from azogue.persistence import Persistent
from azogue.validation import remember_columns


@dataclass(eq=False, repr=False)
class AnomalyDetector(Persistent, OutlierMixin, BaseEstimator):  # type: ignore[misc]
    """Scores rows by how much worse than usual each of their columns is reconstructed.

    A row's score is the mean (by the columns' weights), over its observed columns, of the column's error divided by
    that column's mean error on the training rows: 1 is usual, higher is worse.

    Parameters
    ----------
    autoencoder : Autoencoder, FrozenEstimator or None
        Unfitted (cloned and fitted) or fitted inside `sklearn.frozen.FrozenEstimator` (used as it is).
    contamination : float or "auto"
        Part of the training rows, in (0, 0.5], that lies beyond the threshold. `"auto"` puts the threshold 2.5
        robust standard deviations above the median of the cube roots of the training rows' scores: the cube root of a
        mean of squared errors is close to normal (Wilson & Hilferty 1931).
    modality, scaling : see `Autoencoder`
        For the autoencoder that is made where none is given; so are `random_state` and `verbose`.

    Attributes
    ----------
    autoencoder_ : Autoencoder
        The fitted autoencoder.
    offset_ : float
        `decision_function` is `score_samples` minus this.
    column_scale_, column_weights_ : ndarray, shape (columns,)
        Each column's mean error on the training rows, and its weight in a row's score.

    Examples
    --------
    >>> import azogue as az
    >>> from sklearn.datasets import load_breast_cancer
    >>> X = load_breast_cancer().data
    >>> detector = az.AnomalyDetector(random_state=0).fit(X)
    >>> detector.anomaly_score(X).shape
    (569,)
    """

    autoencoder: Any = None
    _: KW_ONLY
    contamination: Any = "auto"
    modality: Any = "auto"
    scaling: str = "auto"
    random_state: Any = None
    verbose: int = 0

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn what is usual.

        Parameters
        ----------
        X : table, shape (n, columns)
        y : ignored
        """
        _check_contamination(self.contamination)
        remember_columns(self, X, reset=True)
        default = Autoencoder(modality=self.modality, scaling=self.scaling, verbose=self.verbose)
        self.autoencoder_ = owned(self.autoencoder, default, X, self.random_state)
        parts = [part.astype(np.float32) for part in self.autoencoder_.cell_errors(X)]  # as they come from the network
        self.column_weights_ = _weights(self.autoencoder_)
        self.column_scale_ = column_scale(parts)
        scores = [observed_mean(part / self.column_scale_, self.column_weights_) for part in parts]
        self.offset_ = -_threshold(np.concatenate(scores), self.contamination)
        return self

    @classmethod
    def from_fitted(cls, autoencoder: Autoencoder, contamination: Any = "auto") -> Self:
        """A detector from a fitted autoencoder alone: calibrated by the training errors that it remembers.

        Parameters
        ----------
        autoencoder : Autoencoder
            Fitted, or loaded from a file.
        contamination : float or "auto"

        Examples
        --------
        >>> import azogue as az
        >>> from sklearn.datasets import load_iris
        >>> ae = az.Autoencoder(2, epochs=5, random_state=0).fit(load_iris().data)
        >>> bool(az.AnomalyDetector.from_fitted(ae).offset_ < -1)
        True
        """
        check_is_fitted(autoencoder, "network_")
        _check_contamination(contamination)
        detector = cls(contamination=contamination)
        detector.autoencoder_ = autoencoder
        detector.n_features_in_ = autoencoder.n_features_in_
        if hasattr(autoencoder, "feature_names_in_"):
            detector.feature_names_in_ = autoencoder.feature_names_in_
        detector.column_weights_ = _weights(autoencoder)
        detector.column_scale_ = autoencoder.error_profile_["column_scale"]
        detector.offset_ = -_threshold(autoencoder.error_profile_["quantiles"], contamination)
        return detector

    def _relative(self, X: Any) -> Iterator[np.ndarray]:
        """Each cell's error over its column's usual error, some rows at a time; NaN where the cell is missing."""
        check_is_fitted(self, "autoencoder_")
        remember_columns(self, X, reset=False)
        return (part / self.column_scale_ for part in self.autoencoder_.cell_errors(X))

    def anomaly_score(self, X: Any) -> np.ndarray:
        """How unusual each row is: 1 is usual, higher is worse.

        Parameters
        ----------
        X : table, shape (n, columns)

        Returns
        -------
        ndarray of float64, shape (n,)
        """
        return np.concatenate([observed_mean(part, self.column_weights_) for part in self._relative(X)])

    def score_samples(self, X: Any) -> np.ndarray:
        """Minus the anomaly score: higher is more usual, scikit-learn's sign."""
        return -self.anomaly_score(X)

    def decision_function(self, X: Any) -> np.ndarray:
        """`score_samples` minus `offset_`: negative for anomalies."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> np.ndarray:
        """1 for usual rows, −1 for anomalies."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def explain(self, X: Any) -> Any:
        """What each column adds to a row's score: the columns of a row sum to `anomaly_score`.

        Parameters
        ----------
        X : table, shape (n, columns)

        Returns
        -------
        ndarray of float64, shape (n, columns); for a frame, a frame with the same columns and row labels
        """
        return frame_like(X, np.concatenate([_shares(part, self.column_weights_) for part in self._relative(X)]))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.string = tags.input_tags.categorical = True
        return tags


def _shares(relative: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """What each cell adds to its row's score."""
    share = ~np.isnan(relative) * weights
    whole = np.maximum(share.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    return np.asarray(np.where(share > 0, relative, 0.0) * share / whole)


def _weights(autoencoder: Autoencoder) -> np.ndarray:
    return column_weights(autoencoder.schema_.heads, autoencoder.n_features_in_)


def _check_contamination(contamination: Any) -> None:
    if contamination == "auto":
        return
    number = isinstance(contamination, Real) and not isinstance(contamination, bool)
    if not number or not 0.0 < float(contamination) <= 0.5:
        raise ValueError(f"contamination: expected 'auto' or a part in (0, 0.5], got {contamination!r}")


def _threshold(scores: np.ndarray, contamination: Any) -> float:
    """The score above which a row is an anomaly, from scores (or their quantiles) of the training rows."""
    if contamination != "auto":
        return float(np.quantile(scores, 1.0 - float(contamination)))
    roots = np.cbrt(scores)
    centre = float(np.median(roots))
    return float((centre + 2.5 * 1.4826 * float(np.median(np.abs(roots - centre)))) ** 3)
