"""Who infers a label from rows: gradient boosting, a linear classifier, and of windows a random forest."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from azogue.privacy.space import Numbers

#: What a learner says of new rows: a label, and of two classes a score for the second.
Told: TypeAlias = tuple[NDArray[Any], NDArray[np.float64] | None]
Learner: TypeAlias = Callable[[Numbers], Told]

#: Fourier magnitudes of each channel of a window.
MAGNITUDES = 20
#: Of the forest.
TREES = 60
#: Columns that boosting reads at most, those that differ most between the classes.
WIDE = 128
#: Products of rows, columns, classes and rounds that boosting may cost.
WORK = 1e8
#: Classes that boosting tells apart at most; it has a tree a class a round.
MOST_BOOSTED = 40


def summaries(windows: NDArray[Any]) -> Numbers:
    """What a window's channels are like.

    Mean, standard deviation, least and greatest value, and the magnitudes of the first 20 frequencies above 0.

    Parameters
    ----------
    windows : ndarray, shape (n, t, c)

    Returns
    -------
    ndarray, shape (n, c · (4 + min(20, t // 2)))

    Examples
    --------
    >>> wave = np.sin(2 * np.pi * 3 * np.arange(60) / 60).reshape(1, 60, 1)
    >>> int(summaries(wave)[0, 4:].argmax()) + 1
    3
    """
    x = np.nan_to_num(np.asarray(windows, dtype=np.float64))
    magnitudes = np.abs(np.fft.rfft(x, axis=1))[:, 1 : MAGNITUDES + 1]
    parts = [x.mean(axis=1), x.std(axis=1), x.min(axis=1), x.max(axis=1), magnitudes.reshape(len(x), -1)]
    return np.concatenate(parts, axis=1)


def learners(windows: bool, classes: int | None) -> dict[str, Callable[[Numbers, NDArray[Any], int], Learner]]:
    """The learners for such rows, by name; `classes` is None for a quantity."""
    if classes is None:
        return {"mean": _mean_quantity, "boosting": _boosted_quantity, "ridge": _ridge_quantity}
    found: dict[str, Callable[[Numbers, NDArray[Any], int], Learner]] = {"linear": _linear}
    if classes <= MOST_BOOSTED:
        found["boosting"] = _boosted
    if windows or classes > MOST_BOOSTED:
        found["forest"] = _forest
    return found


def _boosted(x: Numbers, y: NDArray[Any], seed: int) -> Learner:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.feature_selection import f_classif

    kept = np.arange(x.shape[1])
    if len(kept) > WIDE:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kept = np.sort(np.argsort(-np.nan_to_num(f_classif(x, y)[0]))[:WIDE])
    classes = len(np.unique(y))
    trees = 1 if classes == 2 else classes
    rounds = int(np.clip(WORK / (len(x) * len(kept) * trees), 20, 60))
    model = HistGradientBoostingClassifier(
        max_iter=rounds, learning_rate=0.15, max_leaf_nodes=15, max_bins=64, early_stopping=False, random_state=seed
    ).fit(x[:, kept], y)
    return lambda new: _told(model, model.predict_proba(new[:, kept]))


def _linear(x: Numbers, y: NDArray[Any], seed: int) -> Learner:
    from sklearn.linear_model import RidgeClassifierCV

    center, scale = x.mean(axis=0), x.std(axis=0)
    scale[scale < 1e-9] = 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = RidgeClassifierCV(np.logspace(-1, 4, 6), class_weight="balanced").fit((x - center) / scale, y)
    return lambda new: _told(model, model.decision_function((new - center) / scale))


def _forest(x: Numbers, y: NDArray[Any], seed: int) -> Learner:
    from sklearn.ensemble import RandomForestClassifier

    options = {"class_weight": "balanced", "random_state": seed}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # many classes are meant
        model = RandomForestClassifier(TREES, **options).fit(x, y)
    return lambda new: _told(model, model.predict_proba(new))


def _told(model: Any, scores: NDArray[Any]) -> Told:
    if scores.ndim == 1:
        return model.classes_[(scores > 0).astype(int)], scores
    return model.classes_[scores.argmax(axis=1)], scores[:, 1] if scores.shape[1] == 2 else None


def _boosted_quantity(x: Numbers, y: NDArray[Any], seed: int) -> Learner:
    from sklearn.ensemble import HistGradientBoostingRegressor

    model = HistGradientBoostingRegressor(
        max_leaf_nodes=15, max_bins=64, early_stopping=False, random_state=seed, max_iter=50, learning_rate=0.1
    ).fit(x, y)
    return lambda new: (model.predict(new), None)


def _mean_quantity(x: Numbers, y: NDArray[Any], seed: int) -> Learner:
    return lambda new: (np.full(len(new), y.mean()), None)


def _ridge_quantity(x: Numbers, y: NDArray[Any], seed: int) -> Learner:
    from azogue.privacy.maps import ridge

    learned = ridge(x, y[:, None])
    return lambda new: (learned.predict(new)[:, 0], None)
