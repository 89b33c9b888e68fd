"""Where usual ends: thresholds on scores, and what their p-values allow to be said."""

from __future__ import annotations

import re
from numbers import Real
from typing import Any

import numpy as np

#: Robust standard deviations above the median of the cube roots, for "auto".
AUTO = 2.5
_DEVIATIONS = re.compile(r"mean\+(\d+(?:\.\d+)?)sd")
_QUANTILE = re.compile(r"q(0\.\d+)")


def check_threshold(contamination: Any, threshold: Any) -> None:
    """Refuse what `threshold_of` does not understand.

    Raises
    ------
    ValueError
        Naming the parameter, and what it takes.
    """
    number = isinstance(contamination, Real) and not isinstance(contamination, bool)
    if contamination != "auto" and not (number and 0.0 < float(contamination) <= 0.5):
        raise ValueError(f"contamination: expected 'auto' or a part in (0, 0.5], got {contamination!r}")
    if threshold is None:
        return
    if not isinstance(threshold, str) or not (_DEVIATIONS.fullmatch(threshold) or _QUANTILE.fullmatch(threshold)):
        raise ValueError(f"threshold: expected 'mean+6sd' or a quantile such as 'q0.99', got {threshold!r}")
    if contamination != "auto":
        raise ValueError("contamination and threshold: give one of them, not both")


def threshold_of(scores: np.ndarray, contamination: Any = "auto", threshold: str | None = None) -> float:
    """The score above which a row is an anomaly.

    Parameters
    ----------
    scores : ndarray, shape (n,)
        Of the training rows, or their quantiles.
    contamination : float or "auto"
        A part of them; auto: 2.5 robust standard deviations above the median of their cube roots, since the cube root
        of a mean of squares is close to normal (Wilson & Hilferty 1931).
    threshold : str, optional
        Instead: `"mean+6sd"`, or a quantile such as `"q0.99"`.

    Examples
    --------
    >>> threshold_of(np.arange(101.0), threshold="q0.95")
    95.0
    """
    scores = scores[np.isfinite(scores)]
    if not len(scores):
        return float("inf")
    if threshold is not None:
        found = _DEVIATIONS.fullmatch(threshold)
        if found:
            return float(scores.mean() + float(found[1]) * scores.std())
        return float(np.quantile(scores, float(threshold[1:])))
    if contamination != "auto":
        return float(np.quantile(scores, 1.0 - float(contamination)))
    roots = np.cbrt(scores)
    centre = float(np.median(roots))
    return float((centre + AUTO * 1.4826 * float(np.median(np.abs(roots - centre)))) ** 3)


def conformal(scores: np.ndarray, calibration: np.ndarray) -> np.ndarray:
    """Split-conformal p-values: `(1 + #{calibration scores ≥ score}) / (1 + m)`.

    If a row comes from where the m calibration rows come from, and none of these was seen in training, then
    `P(p ≤ t) ≤ t` for every t, whatever the score is (Vovk et al. 2005; Bates et al. 2023). Ties count against the row.

    Parameters
    ----------
    scores : ndarray, shape (n,)
    calibration : ndarray, shape (m,)
        Sorted.

    Examples
    --------
    >>> conformal(np.array([0.5, 9.0]), np.array([1.0, 2.0, 3.0])).tolist()
    [1.0, 0.25]
    """
    above = len(calibration) - np.searchsorted(calibration, scores, side="left")
    return np.asarray((1.0 + above) / (1.0 + len(calibration)))


def benjamini_hochberg(p: np.ndarray, fdr: float) -> np.ndarray:
    """Which rows to call anomalies so that the expected part of false ones among them is at most `fdr`.

    The rows with the k smallest p-values, for the largest k such that the k-th is at most `k · fdr / n` (Benjamini &
    Hochberg 1995); conformal p-values with common calibration rows allow it (Bates et al. 2023).

    Parameters
    ----------
    p : ndarray, shape (n,)
    fdr : float

    Examples
    --------
    >>> benjamini_hochberg(np.array([0.01, 0.02, 0.04, 0.9]), 0.05).tolist()
    [True, True, False, False]
    """
    if not 0.0 < fdr < 1.0:
        raise ValueError(f"fdr: expected a part in (0, 1), got {fdr!r}")
    ordered = np.sort(p)
    kept = np.flatnonzero(ordered <= fdr * np.arange(1, len(p) + 1) / len(p))
    return np.asarray(p <= ordered[kept[-1]]) if len(kept) else np.zeros(len(p), bool)
