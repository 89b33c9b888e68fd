"""Rows of a fitted model spread over a Ray cluster: the same numbers for any way of cutting them."""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
from pyarrow.parquet import ParquetFile

from azogue import persistence, shortcuts
from azogue.distributed.cluster import cluster

#: Rows of a part, unless the caller says otherwise.
ROWS = 65_536


def score(
    model: Any,
    X: Any,
    *,
    method: str | None = None,
    rows: int = ROWS,
    workers: int = 2,
    address: str | None = None,
) -> np.ndarray:
    """What a fitted model says of rows, by the workers of a Ray cluster (extra `ray`), in the order of the rows.

    Rows are cut into parts, whose numbers are part of the work: Ray Data decides who reads and scores a part, and
    when, and the results are put in order by these numbers. A model reads rows in blocks of its own, so that a row's
    result does not depend on the part that it is in.

    Parameters
    ----------
    model : Autoencoder or application
        Fitted.
    X : array or table in memory, path, or paths
        Paths are of Parquet files, or folders of them, that all machines can read; columns are those of the model.
    method : str or None
        A method that takes rows: `"errors"`, `"anomaly_score"`, `"score_samples"`, `"p_values"`, `"predict"`,
        `"encode"`, … None: `anomaly_score` where there is one, else `errors`.
    rows : int
        Of a part. Parts of Parquet are row groups.
    workers : int
        Processes that score.
    address : str or None
        Of a Ray cluster; see `fit`.

    Returns
    -------
    ndarray, shape (n,) or (n, …)

    Raises
    ------
    ValueError, TypeError
        For a method that the model lacks, or rows of no use.
    FileNotFoundError
        For paths without Parquet files.
    ImportError
        If Ray is absent.

    Examples
    --------
    >>> import azogue as az
    >>> from sklearn.datasets import load_iris
    >>> ae = az.Autoencoder(2, epochs=2, random_state=0).fit(load_iris().data)
    >>> scores = az.distributed.score(ae, load_iris().data, rows=40)  # doctest: +SKIP
    >>> bool((scores == ae.errors(load_iris().data)).all())  # doctest: +SKIP
    True
    """
    name = method or ("anomaly_score" if hasattr(model, "anomaly_score") else "errors")
    if not callable(getattr(model, name, None)) or name.startswith("_"):
        raise ValueError(f"method: {type(model).__name__} has no method {name!r}")
    for what, value in (("rows", rows), ("workers", workers)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{what}: expected a whole number of at least 1, got {value!r}")
    paths = parquet(X) if is_path(X) else []
    work = groups(paths) if paths else cuts(len_of(X), rows)
    with cluster(address, workers) as ray:
        from ray.data import ActorPoolStrategy, DataContext, from_items

        DataContext.get_current().enable_progress_bars = False
        shared = [ray.put((packed(model), name, None if paths else X))]
        told = from_items(work, override_num_blocks=len(work)).map_batches(
            Scorer,
            fn_constructor_kwargs={"shared": shared},
            batch_size=1,
            compute=ActorPoolStrategy(min_size=1, max_size=workers),
            num_cpus=1,
        )
        found = {int(row["part"]): row["told"] for row in told.iter_rows()}
    return np.concatenate([np.load(io.BytesIO(found[part["part"]]), allow_pickle=False) for part in work])


class Scorer:
    """A worker: the model, and what it says of one part at a time.

    Parameters
    ----------
    shared : list of one reference
        To a model file's bytes, the method's name, and the rows where they are in memory.
    """

    def __init__(self, shared: list[Any]) -> None:
        import ray

        held, self.name, self.rows = ray.get(shared[0])
        with tempfile.TemporaryDirectory(prefix="azogue-") as folder:
            path = Path(folder, "model.azogue")
            path.write_bytes(held)
            self.model = shortcuts.load(path)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        (part,), (path,), (start,), (stop,) = (batch[key] for key in ("part", "path", "start", "stop"))
        rows = group_of(str(path), int(start)) if path else cut(self.rows, int(start), int(stop))
        return {"part": [part], "told": [as_bytes(getattr(self.model, self.name)(rows), self.name)]}


def as_bytes(found: Any, name: str) -> bytes:
    """An array as the bytes of an `.npy` file."""
    array, held = np.asarray(found), io.BytesIO()
    if array.dtype == object:
        raise TypeError(f"method: {name!r} returns no array of numbers or texts, which is what can be joined")
    np.save(held, array, allow_pickle=False)
    return held.getvalue()


def packed(model: Any) -> bytes:
    """A fitted model as the bytes of its file."""
    with tempfile.TemporaryDirectory(prefix="azogue-") as folder:
        path = Path(folder, "model.azogue")
        persistence.save(model, path)
        return path.read_bytes()


# -- parts ------------------------------------------------------------------------------------------------------------


def is_path(X: Any) -> bool:
    """Whether rows are named by paths."""
    several = isinstance(X, (list, tuple)) and bool(X) and all(isinstance(item, os.PathLike) for item in X)
    return isinstance(X, (str, os.PathLike)) or several


def parquet(X: Any) -> list[str]:
    """The Parquet files that are meant, those of a folder in the order of their names."""
    files: list[str] = []
    for path in map(Path, X if isinstance(X, (list, tuple)) else [X]):
        found = sorted(map(str, path.rglob("*.parquet"))) if path.is_dir() else [str(path)] * path.is_file()
        if not found:
            raise FileNotFoundError(f"distributed.score: there is no Parquet file at {path}")
        files += found
    return files


def groups(paths: list[str]) -> list[dict[str, Any]]:
    """The row groups of files, in order."""
    where = [(path, group) for path in paths for group in range(ParquetFile(path).num_row_groups)]
    return [{"part": n, "path": path, "start": group, "stop": 0} for n, (path, group) in enumerate(where)]


def group_of(path: str, number: int) -> Any:
    """One row group, as a pyarrow table."""
    return ParquetFile(path).read_row_group(number)


def len_of(X: Any) -> int:
    """How many rows there are.

    Raises
    ------
    TypeError
        For what has no rows.
    """
    if not hasattr(X, "__len__"):
        raise TypeError(
            f"distributed.score: expected rows in memory, or paths of Parquet files, got {type(X).__name__}"
        )
    return len(X)


def cuts(count: int, rows: int) -> list[dict[str, Any]]:
    """So many rows in parts; no rows are one part."""
    starts = range(0, max(count, 1), rows)
    return [{"part": n, "path": "", "start": at, "stop": min(at + rows, count)} for n, at in enumerate(starts)]


def cut(X: Any, start: int, stop: int) -> Any:
    """Some rows of the user's object, as the same kind of object."""
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    return frame[start:stop].to_native() if isinstance(frame, nw.DataFrame) else X[start:stop]
