"""Cells hidden on purpose: how an imputer does is known only where the truth is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any, Literal

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from azogue.modalities.reading import is_missing
from azogue.session import as_seed

Mask = NDArray[np.bool_]
Numbers = NDArray[np.float64]


def simulate_missing(
    X: Any,
    mechanism: Literal["mcar", "mar", "mnar"] = "mcar",
    p: float = 0.2,
    *,
    columns: Sequence[Any] | None = None,
    strength: float = 1.5,
    return_mask: bool = False,
    random_state: Any = None,
) -> Any:
    """Hide cells of a table.

    Each observed cell x_ij of the chosen columns is hidden with a probability of its own (Rubin 1976):

    - `"mcar"`, completely at random: p.
    - `"mar"`, at random: σ(a_j + strength · s_ij), where s_ij is a sum of the *other* columns of the row, which stay
      whole, with weights drawn from a normal distribution; standardised. It depends on what is still seen.
    - `"mnar"`, not at random: σ(a_j + strength · s_ij), where s_ij is the cell itself, standardised: high values are
      hidden more often. It depends on what is no longer seen.

    The intercept a_j is solved for, so that the expected part of a column's observed cells that is hidden is p.
    Texts, categories and booleans count by a number drawn for each value.

    Parameters
    ----------
    X : table, shape (n, columns)
        An array, or a frame of pandas, polars or pyarrow; it may lack cells already.
    mechanism : {"mcar", "mar", "mnar"}
    p : float
        In [0, 1): part of the observed cells of each chosen column.
    columns : sequence of str or int, optional
        Where to hide: names of a frame, numbers of an array. All of them by default; for `"mar"`, which needs some
        that stay whole, a random half.
    strength : float
        Steepness of the logistic curve: 0 is completely at random.
    return_mask : bool
        Give the mask as well.
    random_state : int, numpy generator or None

    Returns
    -------
    table, or (table, mask)
        A copy of the same kind. Whole numbers and booleans become those that can be missing: of pandas the nullable
        types (`Int64`, `boolean`), of NumPy float64; arrays of texts become object arrays. The mask is an array of
        bool, shape (n, columns): True where a cell was hidden.

    Raises
    ------
    ValueError, TypeError
        For a parameter out of range, a column that is not there, and what is no table.

    References
    ----------
    D. B. Rubin, "Inference and missing data", Biometrika 63, 1976.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(1000, 3))
    >>> holed, mask = simulate_missing(X, "mnar", 0.3, columns=[0], return_mask=True, random_state=0)
    >>> mask.mean(axis=0).round(1).tolist(), bool(X[mask[:, 0], 0].mean() > X[~mask[:, 0], 0].mean())
    ([0.3, 0.0, 0.0], True)
    """
    if mechanism not in ("mcar", "mar", "mnar"):
        raise ValueError(f"simulate_missing: mechanism: expected 'mcar', 'mar' or 'mnar', got {mechanism!r}")
    if isinstance(p, bool) or not isinstance(p, Real) or not 0.0 <= p < 1.0:
        raise ValueError(f"simulate_missing: p: expected a part in [0, 1), got {p!r}")
    if not isinstance(strength, Real) or not math.isfinite(strength):
        raise ValueError(f"simulate_missing: strength: expected a number, got {strength!r}")
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    table = frame if isinstance(frame, nw.DataFrame) else _array(X)
    rng = np.random.default_rng(as_seed(random_state))
    chosen = _chosen(table, columns, mechanism, rng)
    mask = np.zeros(table.shape, bool)
    values = [_numbers(table, at, rng) for at in range(table.shape[1])] if mechanism != "mcar" else []
    whole = [at for at in range(table.shape[1]) if at not in chosen]
    for at in chosen:
        seen = _observed(table, at)
        drive = np.zeros(len(seen))
        if mechanism == "mnar":
            drive = values[at]
        elif mechanism == "mar":
            drive = _standard(sum(rng.normal() * values[other] for other in whole))
        mask[:, at] = seen & (rng.random(len(seen)) < _chances(strength * drive, seen, float(p)))
    hidden = hide(X, mask)
    return (hidden, mask) if return_mask else hidden


# -- what is asked for -------------------------------------------------------------------------------------------------


def _array(X: Any) -> NDArray[Any]:
    """What is no frame as an array of two dimensions.

    Raises
    ------
    TypeError, ValueError
    """
    if isinstance(X, (list, tuple)):
        X = np.asarray(X)
    if not isinstance(X, np.ndarray):
        kind = type(X).__name__
        raise TypeError(f"simulate_missing: expected an array or a frame of pandas, polars or pyarrow, got {kind}")
    if X.ndim != 2:
        raise ValueError(f"simulate_missing: expected rows and columns, got an array of shape {X.shape}")
    return X


def _chosen(table: Any, columns: Sequence[Any] | None, mechanism: str, rng: np.random.Generator) -> list[int]:
    """The numbers of the columns to hide cells of."""
    names = list(table.columns) if isinstance(table, nw.DataFrame) else list(range(table.shape[1]))
    if columns is None:
        if mechanism != "mar":
            return list(range(len(names)))
        if len(names) < 2:
            raise ValueError("simulate_missing: 'mar' needs a second column, which the holes of the first depend on")
        return sorted(rng.permutation(len(names))[: len(names) // 2].tolist())
    if isinstance(columns, str) or not isinstance(columns, Sequence):
        columns = [columns]
    found = []
    for column in columns:
        if column not in names:
            shown = ", ".join(map(str, names[:20]))
            raise ValueError(f"simulate_missing: columns: there is no {column!r}; there are {shown}")
        found.append(names.index(column))
    if mechanism == "mar" and len(set(found)) == len(names):
        raise ValueError("simulate_missing: 'mar' needs columns that stay whole; leave at least one out of columns=")
    return sorted(set(found))


# -- chances -----------------------------------------------------------------------------------------------------------


def _observed(table: Any, at: int) -> Mask:
    if isinstance(table, nw.DataFrame):
        column = table[:, at]
        missing = column.is_null()
        if column.dtype.is_float():
            missing = missing | column.is_nan().fill_null(True)
        return ~np.asarray(missing.to_numpy(), bool)
    if table.dtype.kind in "mM":
        known: Mask = ~np.isnat(table[:, at])
        return known
    return np.array([not is_missing(value) for value in table[:, at].tolist()], bool)


def _numbers(table: Any, at: int, rng: np.random.Generator) -> Numbers:
    """A column as standardised numbers, 0 where it is missing; other than numbers by one drawn for each value."""
    seen = _observed(table, at)
    column = table[:, at].to_list() if isinstance(table, nw.DataFrame) else table[:, at].tolist()
    known = [value for value, here in zip(column, seen, strict=True) if here]
    found = np.zeros(len(seen))
    if not known:
        return found
    if all(isinstance(value, Real) and not isinstance(value, (bool, np.bool_)) for value in known):
        found[seen] = np.asarray(known, np.float64)
    elif all(hasattr(value, "timestamp") for value in known):
        found[seen] = [value.timestamp() for value in known]
    else:
        drawn = {value: rng.normal() for value in sorted({str(value) for value in known})}
        found[seen] = [drawn[str(value)] for value in known]
    found[seen] = _standard(found[seen])
    return found


def _standard(values: Any) -> Numbers:
    values = np.asarray(values, np.float64)
    middle = np.nan_to_num(values - values.mean())
    spread = middle.std()
    return middle / spread if spread > 0 else np.zeros_like(middle)


def _chances(slopes: Numbers, seen: Mask, p: float) -> Numbers:
    """σ(a + slopes), with a such that the mean over the observed cells is p."""
    from scipy.optimize import brentq
    from scipy.special import expit

    if p == 0.0 or not seen.any():
        return np.zeros(len(slopes))
    known = slopes[seen]
    reach = 40.0 + float(np.abs(known).max())
    intercept = brentq(lambda a: float(expit(a + known).mean()) - p, -reach, reach, xtol=1e-10)
    chances: Numbers = expit(intercept + slopes)
    return chances


# -- hiding ------------------------------------------------------------------------------------------------------------


def hide(X: Any, mask: Mask) -> Any:
    """A copy of a table without some cells.

    Parameters
    ----------
    X : table, shape (n, columns)
    mask : ndarray of bool, shape (n, columns)
        True where a cell is to be missing.

    Raises
    ------
    TypeError
        For frames and arrays that cannot lack cells.
    """
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    if not isinstance(frame, nw.DataFrame):
        return _hide_array(_array(X), mask)
    if frame.implementation.is_pandas():
        return _hide_pandas(X, mask)
    if frame.implementation.is_polars():
        import polars as pl

        hidden = [
            X.select(pl.when(pl.Series(~mask[:, at])).then(pl.col(name)).alias(name)).to_series()
            for at, name in enumerate(X.columns)
        ]
        return X.with_columns(hidden)
    if frame.implementation.is_pyarrow():
        import pyarrow as pa

        rows = np.arange(len(mask))
        columns = [X.column(at).take(pa.array(rows, mask=mask[:, at])) for at in range(mask.shape[1])]
        return pa.table(columns, schema=pa.schema([field.with_nullable(True) for field in X.schema], X.schema.metadata))
    raise TypeError(f"simulate_missing: cannot hide cells of a frame of {frame.implementation}; convert it to pandas")


def _hide_array(X: NDArray[Any], mask: Mask) -> NDArray[Any]:
    if X.dtype.kind in "biu":
        X = X.astype(np.float64)
    elif X.dtype.kind in "USO":
        made = X.astype(object)
        made[mask] = np.nan if X.dtype.kind == "O" and not _texts(X) else None
        return made
    elif X.dtype.kind not in "fcmM":
        raise TypeError(f"simulate_missing: an array of {X.dtype} cannot lack cells; convert it")
    made = X.copy()
    made[mask] = np.array("NaT", X.dtype) if X.dtype.kind in "mM" else np.nan
    return made


def _texts(X: NDArray[Any]) -> bool:
    return any(isinstance(value, str) for value in X.ravel().tolist())


def _hide_pandas(X: Any, mask: Mask) -> Any:
    import pandas as pd

    columns = []
    for at in range(mask.shape[1]):
        column = X.iloc[:, at]
        kind = column.dtype
        if isinstance(kind, np.dtype) and kind.kind in "biu":
            nullable = "boolean" if kind.kind == "b" else str(kind).replace("uint", "UInt").replace("int", "Int")
            column = column.astype(nullable)
        columns.append(column.mask(mask[:, at]))
    made = pd.concat(columns, axis=1) if columns else X.copy()
    made.columns = X.columns
    return made
