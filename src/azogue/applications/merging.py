"""Filled cells into the user's own object: what was observed is taken from there, and never touched."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from azogue.modalities.reading import read


def gaps(X: Any) -> np.ndarray:
    """Where a table's cells are missing, (n, columns)."""
    source = read(X)
    found = np.zeros(source.shape, bool)
    for at in range(source.shape[1]):
        cells = source.column(at).cells
        if isinstance(cells, np.ndarray):
            found[:, at] = np.isnan(cells) if cells.dtype.kind == "f" else False
        else:
            found[:, at] = pc.is_null(cells, nan_is_null=True).to_numpy(zero_copy_only=False)
    return found


def merge(X: Any, filled: Any, holes: np.ndarray) -> Any:
    """The user's object with its holes filled.

    Parameters
    ----------
    X : table
    filled : table
        The same kind of object, of the same rows.
    holes : ndarray of bool, shape (n, columns)
    """
    frame = nw.from_native(X, pass_through=True)
    if isinstance(frame, nw.LazyFrame):
        return _polars(frame.collect().to_native(), filled, holes)
    if not isinstance(frame, nw.DataFrame):
        return _array(X, filled, holes)
    kind = frame.implementation.name.lower()
    return {"pandas": _pandas, "polars": _polars}.get(kind, _pyarrow)(X, filled, holes)


def _array(X: Any, filled: Any, holes: np.ndarray) -> Any:
    if hasattr(X, "detach"):
        import torch

        where = torch.from_numpy(holes).to(X.device)
        return torch.where(where, filled.to(X.device, X.dtype), X)
    own = np.asarray(X)
    if own.dtype.kind in "US" and not hasattr(X, "dtype"):
        own = np.asarray(X, dtype=object)
    result = own.copy()
    result[holes] = np.asarray(filled)[holes]
    return result


def _pandas(X: Any, filled: Any, holes: np.ndarray) -> Any:
    import pandas as pd

    result = X.copy()
    for at in np.flatnonzero(holes.any(axis=0)):
        own, other, where = X.iloc[:, at], filled.iloc[:, at], holes[:, at]
        if isinstance(own.dtype, pd.CategoricalDtype):
            wanted = [value for value in other[where].dropna().unique() if value not in own.cat.categories]
            own = own.cat.add_categories(wanted) if wanted else own
        values = own.copy()
        values.iloc[np.flatnonzero(where)] = _as_dtype(other.iloc[np.flatnonzero(where)], own.dtype)
        result.isetitem(int(at), values)
    return result


def _as_dtype(values: Any, dtype: Any) -> Any:
    """Values as an array of another column's dtype, where they can be."""
    return (values if values.dtype == dtype else values.astype(object).astype(dtype)).array


def _polars(X: Any, filled: Any, holes: np.ndarray) -> Any:
    import polars as pl

    columns = []
    for at, (own, other) in enumerate(zip(X.get_columns(), filled.get_columns(), strict=True)):
        if holes[:, at].any():
            made = other if own.dtype == other.dtype else other.cast(own.dtype)
            columns.append(made.zip_with(pl.Series(holes[:, at]), own).alias(own.name))
        else:
            columns.append(own)
    return pl.DataFrame(columns)


def _pyarrow(X: Any, filled: Any, holes: np.ndarray) -> pa.Table:
    columns = []
    for at, field in enumerate(X.schema):
        own = X.column(at)
        if holes[:, at].any():
            plain = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
            other = pc.if_else(pa.array(holes[:, at]), filled.column(at).cast(plain), own.cast(plain))
            own = other.dictionary_encode().cast(field.type) if pa.types.is_dictionary(field.type) else other
        columns.append(own)
    return pa.table(columns, schema=X.schema)
