"""Numbers about cells, given back in the shape of the user's table."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import numpy as np

from azogue.modalities.dataset import Dataset


def frame_like(X: Any, values: np.ndarray) -> Any:
    """An array of one number a cell → a frame with the columns and row labels of `X`, where X is a frame.

    Parameters
    ----------
    X : table, shape (n, columns)
    values : ndarray, shape (n, columns)

    Returns
    -------
    a frame of X's own kind, or `values` itself where X is no frame
    """
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    if not isinstance(frame, nw.DataFrame):
        return values
    columns = {name: values[:, at] for at, name in enumerate(frame.columns)}
    made = nw.from_dict(columns, backend=frame.implementation)
    native = made.to_native()
    return native.set_axis(X.index) if hasattr(X, "index") else native


def column_names(X: Any, count: int) -> list[str]:
    """The columns' names, or `column 1`, `column 2`, … where they have none."""
    if isinstance(X, Dataset):
        return X.columns
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        return [str(name) for name in frame.columns]
    return [f"column {at + 1}" for at in range(count)]
