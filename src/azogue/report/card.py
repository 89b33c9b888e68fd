"""The model card: what was asked, of which data, with which versions, and what a model is not for."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa

Section = dict[str, Any]

#: What is read of a file at once.
PIECE = 1 << 20
#: Whose versions decide what a model computes.
LIBRARIES = ("azogue", "torch", "numpy", "scikit-learn")
#: What a model is not for, by the name of its class or of one that it inherits from.
LIMITS = {
    "Autoencoder": "It reproduces rows of the kind that it learned from; of others it makes the nearest that it knows. "
    "Errors compare rows of one model, not models of different data.",
    "AnomalyDetector": "A score tells how unlike the training rows a row is, not whether it does harm. The threshold "
    "and the p-values hold for rows that come as the training rows came; where these drift, fit anew.",
    "Denoiser": "It takes off noise such as it was trained against. Fine detail that looks like this noise goes too.",
    "Imputer": "Filled cells are expectations: they vary less than observed ones. Standard errors want several drawn "
    "tables (impute, pool). What is missing because of its own value is not told by the other columns.",
    "AEkNNClassifier": "It votes among training rows: classes that these lack are never told.",
    "AEkNNRegressor": "It averages training rows: values beyond theirs are never told.",
    "SemanticHasher": "Codes that are alike make rows candidates, no more: compare the rows themselves before acting. "
    "A code is pseudonymised data, not anonymous data.",
    "Anonymizer": "Released rows are pseudonymised, not anonymous: what attacks find that were not tried is not known.",
    "Synthesizer": "Drawn rows are not anonymous because they are drawn. What they give away, and what they teach, is "
    "measured by evaluating them beside rows that were held out.",
    "ArchitectureSearch": "The winner won on one split of these rows; of rows that no decision saw is its test error "
    "alone.",
}


def card_section(model: Any, X: Any) -> Section:
    """What was asked for, the data's fingerprint, versions, and limits."""
    inner = getattr(model, "autoencoder_", None) or getattr(model, "best_estimator_", model)
    seed = getattr(getattr(inner, "recipe_", None), "seed", None)
    facts = {
        "asked for": " ".join(repr(model).split()),
        **({} if seed is None else {"seed": seed}),
        "data, SHA-256": fingerprint(X),
        **versions(),
    }
    return {"title": "Model card", "text": limits_of(model), "facts": facts}


def versions() -> dict[str, str]:
    """What is installed here of all that decides what a model computes."""
    python = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return {**{name: version(name) for name in LIBRARIES}, "python": python}


def limits_of(model: Any) -> str:
    """What is said of the nearest class that something is said of."""
    return next((LIMITS[kind.__name__] for kind in type(model).__mro__ if kind.__name__ in LIMITS), "")


def fingerprint(X: Any) -> str:
    """SHA-256 of data: of names, types and cells of a table, of an array's type, shape and bytes, of files' bytes.

    Equal data have equal fingerprints in one library; a table that another one read may differ, where its types do.

    Parameters
    ----------
    X : table, array, list of arrays or texts, path or list of paths

    Returns
    -------
    str
        64 hexadecimal digits.

    Examples
    --------
    >>> fingerprint(np.zeros((2, 2)))[:16]
    '9d49e898759a8ee1'
    >>> fingerprint({"a": [1]}) == fingerprint({"b": [1]})
    False
    """
    total = hashlib.sha256()
    _add(total, X)
    return total.hexdigest()


def _add(total: Any, X: Any) -> None:
    """Take data into a hash."""
    if isinstance(X, (str, os.PathLike)) and (files := list(_files(Path(os.fsdecode(X))))):
        for path in files:
            total.update(f"file {path.name}\n".encode("utf-8", "surrogateescape"))
            with path.open("rb") as stream:
                while piece := stream.read(PIECE):
                    total.update(piece)
        return
    frame = nw.from_native(X, eager_only=True, allow_series=True, pass_through=True)
    if isinstance(frame, (nw.DataFrame, nw.Series)):
        made = frame.to_arrow()
        table = made if isinstance(made, pa.Table) else pa.table({"": made})
        table = table.replace_schema_metadata(None).combine_chunks()
        with pa.ipc.new_stream(pa.PythonFile(_Hashed(total), "w"), table.schema) as writer:
            writer.write_table(table)
    elif isinstance(X, np.ndarray) and X.dtype != object:
        total.update(f"{X.dtype.str} {X.shape}\n".encode())
        total.update(np.ascontiguousarray(X).tobytes())
    elif isinstance(X, (list, tuple, np.ndarray)):
        total.update(f"list {len(X)}\n".encode())
        for part in X:
            _add(total, part)
    else:
        text = repr(X).encode("utf-8", "surrogatepass")
        total.update(f"{type(X).__name__} {len(text)}\n".encode() + text)


def _files(path: Path) -> Iterator[Path]:
    """A file itself, the files of a folder in order; nothing for a text that names none."""
    try:
        if path.is_dir():
            yield from (item for item in sorted(path.rglob("*")) if item.is_file())
        elif path.is_file():
            yield path
    except (OSError, ValueError):  # texts too long for a path, or with NUL in them
        return


class _Hashed:
    """A file that keeps nothing of what is written to it but its hash."""

    closed = False

    def __init__(self, total: Any) -> None:
        self._total = total

    def write(self, data: Any) -> int:
        self._total.update(data)
        return len(data)

    def flush(self) -> None: ...

    def close(self) -> None: ...
