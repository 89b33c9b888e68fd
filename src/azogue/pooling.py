"""Rubin's rules: one answer, and how sure it is, from analyses of several completed tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Pooled:
    """What `pool` gives: numbers for one quantity, arrays of shape (k,) for k of them.

    Parameters
    ----------
    estimate : float or ndarray
        Mean of the estimates.
    within : float or ndarray
        Mean of the estimates' own variances.
    between : float or ndarray
        Variance of the estimates among the completed tables.
    variance : float or ndarray
        In total: within + (1 + 1/m) · between.
    dof : float or ndarray
        Degrees of freedom of the t distribution behind the interval.
    low, high : float or ndarray
        Ends of the confidence interval.
    relative_increase : float or ndarray
        What the missing cells add to the variance, as a part of `within`.
    missing_information : float or ndarray
        Fraction of missing information.
    confidence : float
    m : int
        Completed tables.
    names : tuple of str
        What the quantities are called.
    """

    estimate: Any
    within: Any
    between: Any
    variance: Any
    dof: Any
    low: Any
    high: Any
    relative_increase: Any
    missing_information: Any
    confidence: float
    m: int
    names: tuple[str, ...]

    @property
    def std_error(self) -> Any:
        """Root of the variance."""
        return np.sqrt(self.variance)

    @property
    def p_value(self) -> Any:
        """Two-sided, against 0: P(|t| ≥ |estimate| / std_error)."""
        from scipy.stats import t

        with np.errstate(divide="ignore", invalid="ignore"):
            found = 2.0 * t.sf(np.abs(np.divide(self.estimate, self.std_error)), self.dof)
        return found[()]

    def to_dict(self) -> dict[str, Any]:
        """Columns of a table with a line for each quantity, as `pandas.DataFrame` or `pyarrow.table` takes them."""
        columns = {
            "estimate": self.estimate,
            "std_error": self.std_error,
            "dof": self.dof,
            "low": self.low,
            "high": self.high,
            "p_value": self.p_value,
            "relative_increase": self.relative_increase,
            "missing_information": self.missing_information,
        }
        return {"name": list(self.names), **{name: np.atleast_1d(values) for name, values in columns.items()}}

    def __repr__(self) -> str:
        columns = self.to_dict()
        shown = ("estimate", "std_error", "dof", "low", "high", "missing_information")
        ends = [f"{end} {100 * self.confidence:g}%" for end in ("low", "high")]
        heads = ["estimate", "std. error", "dof", *ends, "fmi"]
        width = max(2, *(len(name) for name in self.names)) if self.names else 2
        lines = [" " * width + "".join(f"{head:>12}" for head in heads)]
        for at, name in enumerate(self.names):
            lines.append(f"{name:<{width}}" + "".join(f"{columns[one][at]:>12.4g}" for one in shown))
        return "\n".join([f"pooled over {self.m} completed tables", *lines])


def pool(
    estimates: Any,
    variances: Any,
    *,
    dof_complete: float | None = None,
    confidence: float = 0.95,
    names: Sequence[str] | None = None,
) -> Pooled:
    """Join the analyses of m completed tables by Rubin's rules.

    Each completed table is analysed by itself, with any method that gives an estimate Q_i and its variance U_i
    (a standard error, squared). With Q̄ and Ū their means and B = Σ(Q_i − Q̄)² / (m − 1):

    - total variance T = Ū + (1 + 1/m) B, relative increase r = (1 + 1/m) B / Ū, and λ = (1 + 1/m) B / T;
    - degrees of freedom ν = (m − 1) / λ² (Rubin 1987); with `dof_complete` ν_c, those of the analysis of a table
      without missing cells, ν ν_o / (ν + ν_o), where ν_o = ν_c (1 − λ) (ν_c + 1) / (ν_c + 3) (Barnard & Rubin 1999);
    - interval Q̄ ± t_ν √T; fraction of missing information (r + 2 / (ν + 3)) / (r + 1).

    Quantities should be near normal: pool the logarithm of an odds ratio, Fisher's z of a correlation.

    Parameters
    ----------
    estimates : array-like, shape (m,) or (m, k)
        One estimate a table, or k of them; a list of pandas Series keeps their labels.
    variances : array-like of the same shape
        Squared standard errors; the diagonal of a covariance matrix.
    dof_complete : float, optional
        n − k of a regression of n rows and k coefficients, say. Give it for small tables, whose intervals would be
        too narrow without it.
    confidence : float
        In (0, 1).
    names : sequence of str, optional
        What the quantities are called.

    Returns
    -------
    Pooled

    Raises
    ------
    ValueError
        For fewer than two tables, shapes that do not agree, numbers that are not finite, negative variances,
        or a parameter out of range.

    References
    ----------
    D. B. Rubin, *Multiple Imputation for Nonresponse in Surveys*, Wiley 1987, ch. 3.
    J. Barnard, D. B. Rubin, "Small-sample degrees of freedom with multiple imputation", Biometrika 86, 1999.

    Examples
    --------
    >>> found = pool([1.0, 2.0, 3.0], [0.5, 0.5, 0.5])
    >>> float(found.estimate), round(float(found.variance), 4), round(float(found.dof), 4)
    (2.0, 1.8333, 3.7812)
    """
    if not (isinstance(confidence, Real) and 0.0 < confidence < 1.0):
        raise ValueError(f"pool: confidence: expected a part in (0, 1), got {confidence!r}")
    if dof_complete is not None and not (isinstance(dof_complete, Real) and dof_complete > 0):
        raise ValueError(f"pool: dof_complete: expected a number above 0, got {dof_complete!r}")
    q, u = _matrix(estimates, "estimates"), _matrix(variances, "variances")
    _check(q, u)
    m = len(q)
    estimate, within, between = q.mean(0), u.mean(0), q.var(0, ddof=1)
    extra = (1.0 + 1.0 / m) * between
    total = within + extra
    share = np.divide(extra, total, out=np.zeros_like(total), where=total > 0)
    increase = np.divide(extra, within, out=np.where(extra > 0, math.inf, 0.0), where=within > 0)
    dof = _degrees(share, m, dof_complete)
    missing = share + (1.0 - share) * 2.0 / (dof + 3.0)  # (r + 2/(ν + 3)) / (r + 1), which holds for any r
    low, high = _interval(estimate, total, dof, confidence)
    found = (estimate, within, between, total, dof, low, high, increase, missing)
    return Pooled(*(one[()] for one in found), float(confidence), m, _names(estimates, names, q))


def _matrix(values: Any, name: str) -> Numbers:
    """One line a table.

    Raises
    ------
    ValueError
    """
    rows = list(values) if isinstance(values, Sequence) else values
    try:
        found = np.asarray([np.asarray(row) for row in rows] if isinstance(rows, list) else rows, dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise ValueError(f"pool: {name}: expected as many numbers for each table: {error}") from error
    if found.ndim not in (1, 2):
        remedy = "; take the diagonal of each covariance matrix" if found.ndim == 3 else ""
        raise ValueError(f"pool: {name}: expected the shape (m,) or (m, k), got {found.shape}{remedy}")
    return found


def _check(q: Numbers, u: Numbers) -> None:
    if q.shape != u.shape:
        raise ValueError(f"pool: estimates have the shape {q.shape} and variances {u.shape}; give a variance for each")
    if len(q) < 2:
        raise ValueError(
            f"pool: got {len(q)} completed table{'s' * (len(q) != 1)}; how unsure the imputed cells are shows only "
            "between tables, and an interval from one would be too narrow; impute with m=20"
        )
    for name, values in (("estimates", q), ("variances", u)):
        if not np.isfinite(values).all():
            table = int(np.flatnonzero(~np.isfinite(values).reshape(len(values), -1).all(1))[0])
            raise ValueError(f"pool: {name} of table {table} are not finite; mend that analysis or leave it out")
    if (u < 0).any():
        raise ValueError("pool: variances below 0; give squared standard errors")


def _degrees(share: Numbers, m: int, complete: float | None) -> Numbers:
    with np.errstate(divide="ignore"):
        dof = np.where(share > 0, (m - 1) / np.square(share), math.inf)
    if complete is None or math.isinf(complete):
        return dof
    observed = complete * (1.0 - share) * (complete + 1.0) / (complete + 3.0)
    return np.where(np.isinf(dof), observed, 1.0 / (1.0 / dof + 1.0 / np.maximum(observed, 1e-300)))


def _interval(estimate: Numbers, total: Numbers, dof: Numbers, confidence: float) -> tuple[Numbers, Numbers]:
    from scipy.stats import t

    half = t.ppf(0.5 + confidence / 2.0, dof) * np.sqrt(total)
    return estimate - half, estimate + half


def _names(estimates: Any, names: Sequence[str] | None, q: Numbers) -> tuple[str, ...]:
    """The names that were given, the labels of Series or the columns of a frame, or numbers."""
    count = 1 if q.ndim == 1 else q.shape[1]
    if names is None:
        labels = getattr(estimates, "columns", None)
        if labels is None and isinstance(estimates, Sequence) and q.ndim == 2:
            labels = getattr(estimates[0], "index", None)
        known = labels is not None and not callable(labels)  # list.index is a method
        names = [str(name) for name in labels] if known and labels is not None else []
        names = names or [f"q{at + 1}" for at in range(count)]
    if len(names) != count:
        raise ValueError(f"pool: {len(names)} names for {count} quantit{'y' if count == 1 else 'ies'}")
    return tuple(map(str, names))
