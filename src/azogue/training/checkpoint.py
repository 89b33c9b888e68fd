"""Checkpoints: the whole state of the loop in one file, replaced atomically after each epoch."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from azogue import files
from azogue.training.data import GROUP_ROWS
from azogue.values import from_json, to_json

try:
    import fcntl
except ImportError:  # Windows has no flock: there two runs on one file do not notice each other
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from azogue.recipe import Batch
    from azogue.session import Session
    from azogue.training.data import Rows
    from azogue.training.state import State

KIND = "checkpoint"


class Checkpoint:
    """The file of a run.

    Parameters
    ----------
    path : path-like
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._mark: dict[str, str] = {}
        self._seed = 0

    def seed(self) -> int | None:
        """The seed of the run that wrote the file; None where there is no file."""
        return int(files.read(self.path, KIND)[0]["seed"]) if self.path.exists() else None

    def bind(self, session: Session, state: State, *, resume: bool) -> None:
        """Take this run's data and parameters as the file's; where it resumes, restore the state.

        Raises
        ------
        ModelFileError
            If the file is damaged.
        ValueError
            If it belongs to other data or parameters, naming which.
        """
        self._seed = session.recipe.seed
        schema = json.dumps(session.schema.to_dict(), sort_keys=True)
        settings = [session.recipe, session.spec, session.code, session.pretraining]
        self._mark = {
            "data": digest(session.data, session.validation, schema),
            "parameters": digest(json.dumps(to_json(settings)), str(session.network)),
        }
        if not resume or not self.path.exists():
            return
        manifest, tensors = files.read(self.path, KIND)
        changed = [key for key, value in self._mark.items() if manifest["fingerprint"].get(key) != value]
        if changed:
            raise ValueError(
                f"resume: {self.path} was written by a run with other {' and '.join(changed)}; use the same, choose "
                "another checkpoint=, or resume=False to start afresh"
            )
        state.restore(from_json(manifest["state"]), tensors)

    def save(self, state: State) -> None:
        """Replace the file by the state of now."""
        counters, tensors = state.snapshot()
        files.write(
            self.path, KIND, {"fingerprint": self._mark, "seed": self._seed, "state": to_json(counters)}, tensors
        )


@contextmanager
def locked(path: str | os.PathLike[str]) -> Iterator[None]:
    """Hold the checkpoint for one run; a killed process leaves it free.

    Raises
    ------
    RuntimeError
        If another run holds it.
    """
    lock = Path(f"{os.fspath(path)}.lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as handle:
        if fcntl is None:
            yield
            return
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RuntimeError(
                f"checkpoint: another run is writing {path}; wait for it or choose another path"
            ) from error
        try:
            yield
        finally:
            fcntl.flock(handle, fcntl.LOCK_UN)


def digest(*parts: str | Batch | Rows | None) -> str:
    """SHA-256 of texts and rows; of rows, some at a time."""
    total = hashlib.sha256()
    for part in parts:
        if part is None or isinstance(part, str):
            total.update((part or "-").encode())
            continue
        for start in range(0, len(part), GROUP_ROWS):
            rows = part.take(slice(start, start + GROUP_ROWS))
            for tensor in (rows.x, rows.mask, *(part for part in (rows.target, rows.neighbors) if part is not None)):
                total.update(b"-" if tensor is None else _bytes(tensor))
    return total.hexdigest()


def _bytes(tensor: Tensor) -> bytes:
    return bytes(str(tuple(tensor.shape)), "ascii") + tensor.cpu().contiguous().numpy().tobytes()
