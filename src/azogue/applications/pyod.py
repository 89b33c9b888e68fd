"""A fitted detector as one of PyOD's: outliers are 1, higher scores are more abnormal."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted

try:
    from pyod.models.base import BaseDetector as _Base  # type: ignore[import-untyped,import-not-found,unused-ignore]
except ImportError:  # without PyOD the interface is the same, the base is scikit-learn's
    _Base = BaseEstimator

#: The contamination that PyOD takes for valid.
_LEAST, _MOST = 1e-9, 0.5


def as_pyod(detector: Any, X_train: Any = None) -> PyODDetector:
    """A fitted `AnomalyDetector` with PyOD's interface.

    Parameters
    ----------
    detector : AnomalyDetector
        Fitted, without `by`.
    X_train : table, shape (n, columns), pictures, sequences or texts, optional
        The training rows, for their scores: the detector remembers quantiles of these only. None: the quantiles are
        taken for the training scores, so that `decision_scores_` and `labels_` are not in the order of the rows.

    Raises
    ------
    ValueError
        For a detector with one threshold a group.
    sklearn.exceptions.NotFittedError
        If the detector was never fitted.

    Examples
    --------
    >>> import azogue as az
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> known = as_pyod(az.AnomalyDetector(random_state=0).fit(X), X)
    >>> known.decision_scores_.shape, sorted(set(known.predict(X).tolist()))
    ((150,), [0, 1])
    """
    made = PyODDetector(detector)
    check_is_fitted(detector, "offset_")
    return made._settle(detector, X_train)


class PyODDetector(_Base):  # type: ignore[misc]
    """An `AnomalyDetector` behind PyOD's methods.

    Parameters
    ----------
    detector : AnomalyDetector
        Cloned by `fit`.

    Attributes
    ----------
    decision_scores_ : ndarray, shape (n,)
        Anomaly scores of the training rows: higher is more abnormal.
    labels_ : ndarray of int, shape (n,)
        1 for those beyond the threshold, else 0.
    threshold_ : float
    contamination : float
        The part of the training rows beyond the threshold, brought into (0, 0.5], where PyOD expects it.
    detector_ : AnomalyDetector
        The fitted one.
    """

    def __init__(self, detector: Any) -> None:
        self.detector = detector

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit a clone of the detector.

        Parameters
        ----------
        X : table, shape (n, columns), pictures, sequences or texts
        y : ignored
        """
        if self.detector.by is None:
            return self._settle(clone(self.detector).fit(X), X)
        return self._settle(self.detector, X)

    def _settle(self, fitted: Any, X: Any) -> Self:
        """What PyOD's detectors know after `fit`."""
        if fitted.by is not None:
            raise ValueError(
                f"PyOD knows one threshold, but by={fitted.by!r} makes one a group; pass one of detectors_"
            )
        self.detector_ = fitted
        self.decision_scores_ = np.asarray(fitted.quantiles_ if X is None else fitted.anomaly_score(X), dtype=float)
        self.threshold_ = -float(fitted.offset_)
        self.labels_ = (self.decision_scores_ > self.threshold_).astype(int)
        self.contamination = min(max(float(self.labels_.mean()), _LEAST), _MOST)
        self._classes = 2
        self._mu, self._sigma = float(self.decision_scores_.mean()), float(self.decision_scores_.std())
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """Anomaly scores, (n,): higher is more abnormal."""
        check_is_fitted(self, "detector_")
        return np.asarray(self.detector_.anomaly_score(X))

    def predict(self, X: Any, return_confidence: bool = False) -> Any:
        """1 for outliers, else 0, (n,).

        Parameters
        ----------
        X : table, shape (n, columns), pictures, sequences or texts
        return_confidence : bool
            Also PyOD's confidence (Perini et al. 2020); needs PyOD.
        """
        labels = (self.decision_function(X) > self.threshold_).astype(int)
        return (labels, self.predict_confidence(X)) if return_confidence else labels

    def predict_proba(self, X: Any, method: str | None = None, return_confidence: bool = False) -> Any:
        """Probabilities of the classes 0 and 1, (n, 2): the second column is that of outliers.

        Parameters
        ----------
        X : table, shape (n, columns), pictures, sequences or texts
        method : {"linear", "unify"}, optional
            PyOD's own ways; needs PyOD. None: the detector's, which unifies the logarithms of the scores.
        return_confidence : bool
            Also PyOD's confidence; needs PyOD.
        """
        check_is_fitted(self, "detector_")
        if method is None:
            shares = self.detector_.predict_proba(X)[:, ::-1]
        elif _Base is BaseEstimator:
            raise ImportError(f"predict_proba(method={method!r}) is PyOD's: pip install pyod, or leave method out")
        else:
            shares = super().predict_proba(X, method)
        return (shares, self.predict_confidence(X)) if return_confidence else shares
