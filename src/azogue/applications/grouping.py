"""One estimator a group: rows are told apart by a column, read by their group's own, and results put in order."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import narwhals as nw
import numpy as np

from azogue.modalities.dataset import Dataset
from azogue.modalities.frames import frame_like
from azogue.modalities.pictures import list_files

F = TypeVar("F", bound=Callable[..., Any])


def grouped(method: F) -> F:
    """A method that, of an estimator with `by`, is asked of each group's estimator, and gives all rows in order."""

    @wraps(method)
    def asked(self: Any, X: Any, *args: Any, **kwargs: Any) -> Any:
        if self.by is None:
            return method(self, X, *args, **kwargs)
        parts = [
            (where, getattr(self._of(group), method.__name__)(part, *args, **kwargs))
            for group, where, part in split(X, self.by)
        ]
        return joined(parts, X, self.by)

    return asked  # type: ignore[return-value]


def split(X: Any, by: Any) -> list[tuple[Any, np.ndarray, Any]]:
    """(group, positions of its rows, its rows without the column) for each group, in the order of their first rows.

    Raises
    ------
    ValueError
        If there is no such column, or a row without a group.
    """
    groups, rest = groups_of(X, by)
    found: dict[Any, list[int]] = {}
    for at, group in enumerate(groups):
        if group is None or (isinstance(group, float) and math.isnan(group)):
            raise ValueError(f"by={by!r}: row {at} has no group")
        found.setdefault(group, []).append(at)
    places = {group: np.array(where) for group, where in found.items()}
    return [(group, where, take(rest, where)) for group, where in places.items()]


def groups_of(X: Any, by: Any) -> tuple[list[Any], Any]:
    """Each row's group, and the rows without the column that says so."""
    if isinstance(X, Dataset):
        raise TypeError(f"by={by!r}: groups are told apart in memory; take rows: dataset.sample(100_000) or read()")
    if callable(by):
        groups, count = list(by(X)), len(list_files(X)[0] if isinstance(X, (str, os.PathLike)) else X)
        if len(groups) != count:
            raise ValueError(f"by: the function gave {len(groups)} groups for {count} rows")
        return groups, X
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        if by not in frame.columns:
            raise ValueError(f"by={by!r}: there is no such column; the table has {', '.join(map(str, frame.columns))}")
        return frame[by].to_list(), frame.drop(by).to_native()
    array = np.asarray(X)
    if array.ndim != 2 or isinstance(by, bool) or not isinstance(by, (int, np.integer)) or not 0 <= by < array.shape[1]:
        raise ValueError(
            f"by={by!r}: of an array, expected the number of a column, from 0; of what is no table, a callable that "
            "gives each row's group"
        )
    return array[:, by].tolist(), np.delete(array, by, axis=1)


def take(X: Any, where: np.ndarray) -> Any:
    """Some rows, by their positions, as the same kind of object."""
    if isinstance(X, Dataset):
        return X.take(where)
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        return frame[where.tolist()].to_native()
    X = list_files(X)[0] if isinstance(X, (str, os.PathLike)) else X
    return X[where] if hasattr(X, "shape") else [X[at] for at in where.tolist()]


def joined(parts: list[tuple[np.ndarray, Any]], X: Any, by: Any) -> Any:
    """Each group's rows of a result, back in the order of all rows."""
    arrays = [(where, _array(part)) for where, part in parts]
    count = sum(len(where) for where, _ in arrays)
    whole = np.zeros((count, *arrays[0][1].shape[1:]), np.result_type(*(part.dtype for _, part in arrays)))
    for where, part in arrays:
        whole[where] = part
    if whole.ndim < 2 or callable(by):
        return whole
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame) and frame.shape[1] - 1 == whole.shape[1]:
        return frame_like(_without(X, by), whole)
    return whole


def _without(X: Any, by: Any) -> Any:
    return nw.from_native(X, eager_only=True).drop(by).to_native()


def _array(part: Any) -> np.ndarray:
    frame = nw.from_native(part, eager_only=True, pass_through=True)
    return frame.to_numpy() if isinstance(frame, nw.DataFrame) else np.asarray(part)
