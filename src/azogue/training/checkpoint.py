"""Checkpoints: the whole state of the loop in one file, replaced atomically; the one before and the best are kept.

PATH          the newest state
PATH.1        the one before, from which a run goes on where the newest file is damaged
PATH.best     the newest state whose last epoch had the least held-out loss of all that were saved
PATH.lock     who holds it writes; a killed process leaves it free
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
import warnings
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azogue import files
from azogue.disk import ModelFileError, keeping, sweep
from azogue.recipe import Spec
from azogue.training.data import GROUP_ROWS
from azogue.training.loop import TrainingWarning
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


@dataclass(frozen=True, repr=False)
class Checkpoint(Spec):
    """Where a training keeps its state, and how often: `checkpoint=az.Checkpoint(path, minutes=10)`.

    Whatever is given, the state is also saved when training ends and when the process is asked to (SIGTERM). Besides
    PATH, the state before it stays in `PATH.1`, and the one with the least held-out loss in `PATH.best`.

    Parameters
    ----------
    path : path-like
    minutes : float, optional
        Save once so many minutes have passed, within an epoch too.
    epochs : int, optional
        Save after so many epochs; after each one where neither is given.

    Raises
    ------
    ValueError
        For intervals that are not positive.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import azogue as az
    >>> X = [[float(n), float(-n)] for n in range(20)]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     kept = az.Checkpoint(f"{folder}/run", epochs=2)
    ...     _ = az.Autoencoder(1, epochs=5, checkpoint=kept, random_state=0).fit(X)
    ...     sorted(path.name for path in Path(folder).iterdir())
    ['run', 'run.1', 'run.best', 'run.lock']
    """

    path: Any
    minutes: float | None = None
    epochs: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", os.fsdecode(self.path))
        minutes, epochs = self.minutes, self.epochs
        if minutes is not None and not (isinstance(minutes, (int, float)) and 0 < minutes < math.inf):
            raise ValueError(f"Checkpoint: minutes must be a number above 0, got {minutes!r}")
        if epochs is not None and (isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 1):
            raise ValueError(f"Checkpoint: epochs must be a whole number of at least 1, got {epochs!r}")

    @property
    def previous(self) -> str:
        """The file of the state before the newest."""
        return f"{self.path}.1"

    @property
    def best(self) -> str:
        """The file of the best state."""
        return f"{self.path}.best"


def as_checkpoint(checkpoint: Any) -> Checkpoint:
    """What `checkpoint=` takes, a path or a `Checkpoint`, as a `Checkpoint`."""
    if isinstance(checkpoint, Checkpoint):
        return checkpoint
    if not isinstance(checkpoint, (str, bytes, os.PathLike)):
        raise TypeError(f"checkpoint: expected a path or az.Checkpoint(path, minutes=10), got {checkpoint!r}")
    return Checkpoint(checkpoint)


class Keeper:
    """Keeps a run's state in the files of its checkpoint.

    Parameters
    ----------
    where : Checkpoint
    resume : bool
        Go on from what is there.

    Raises
    ------
    ModelFileError
        If there are files to go on from, and all of them are damaged.

    Warns
    -----
    TrainingWarning
        If the newest file is damaged: then the run goes on from the one before.
    """

    def __init__(self, where: Checkpoint, *, resume: bool) -> None:
        self.where = where
        #: whether the run was asked to end, and whether there is something to save before it does
        self.asked = self.running = False
        self._mark: dict[str, str] = {}
        self._seed, self._least, self._epoch = 0, math.inf, 0
        self._since = time.monotonic()
        for path in (where.path, where.previous, where.best):
            sweep(path)
        self._found = self._newest() if resume else None
        #: whether the file at PATH is this run's and sound
        self._ours = False

    @property
    def seed(self) -> int | None:
        """The seed of the run that is gone on with; None where there is none."""
        return None if self._found is None else int(self._found[1]["seed"])

    def _newest(self) -> tuple[str, dict[str, Any], dict[str, Tensor]] | None:
        """The newest file that can be read, with what it holds."""
        damaged: ModelFileError | None = None
        for path in (self.where.path, self.where.previous, self.where.best):
            if not os.path.lexists(path):
                continue
            try:
                manifest, tensors = files.read(path, KIND)
            except ModelFileError as error:
                damaged = damaged or error
                continue
            if damaged is not None:
                warnings.warn(f"{damaged}; training goes on from the older {path}", TrainingWarning, stacklevel=5)
            return path, manifest, tensors
        if damaged is not None:
            raise damaged
        return None

    def bind(self, session: Session, state: State) -> bool:
        """Take this run's data and parameters as the files'; restore the state that was found, if any was.

        Returns
        -------
        bool
            Whether the run goes on from a file.

        Raises
        ------
        ValueError
            If the file belongs to other data or parameters, naming which.
        """
        self._seed = session.recipe.seed
        schema = json.dumps(session.schema.to_dict(), sort_keys=True)
        settings = [session.recipe, session.spec, session.code, session.pretraining]
        self._mark = {
            "data": digest(session.data, session.validation, schema),
            "parameters": digest(json.dumps(to_json(settings)), str(session.network)),
        }
        if self._found is None:
            return False
        path, manifest, tensors = self._found
        changed = [key for key, value in self._mark.items() if manifest["fingerprint"].get(key) != value]
        if changed:
            raise ValueError(
                f"resume: {path} was written by a run with other {' and '.join(changed)}; use the same, choose "
                "another checkpoint=, or resume=False to start afresh"
            )
        state.restore(from_json(manifest["state"]), tensors)
        self._ours, self._epoch, self._found = path == self.where.path, state.epoch, None
        self._least = self._best_so_far()
        return True

    def begin(self, state: State, pretrained: bool) -> Keeper:
        """Training begins; what a pretraining learned is saved first."""
        if pretrained:
            self.save(state)
        self.running = True
        return self

    def _best_so_far(self) -> float:
        """The held-out loss of the best state that this run saved before."""
        with suppress(ModelFileError, LookupError):
            manifest = files.peek(self.where.best)
            if manifest["fingerprint"] == self._mark:
                return float(manifest["state"]["history"][-1]["val_loss"])
        return math.inf

    def __call__(self, state: State) -> bool:
        """Save the state where it is time to; whether the run is asked to end."""
        asked = self.asked
        if asked or self._due(state):
            self.save(state)
        return asked

    def _due(self, state: State) -> bool:
        """Whether the state is the last one, or the interval is over; time that runs backwards counts anew."""
        now, where = time.monotonic(), self.where
        self._since = min(self._since, now)
        if where.minutes is not None and now - self._since >= 60.0 * where.minutes:
            return True
        if state.within:
            return False
        every = 1 if where.epochs is None and where.minutes is None else where.epochs
        over = every is not None and state.epoch - self._epoch >= every
        return over or bool(state.stopped) or state.epoch >= state.recipe.epochs

    def save(self, state: State) -> None:
        """Make the state of now the newest file.

        Raises
        ------
        ModelFileError
            If it cannot be written; the files that were there are intact.
        """
        counters, tensors = state.snapshot()
        manifest = {"fingerprint": self._mark, "seed": self._seed, "state": to_json(counters)}
        path = self.where.path
        if self._ours:
            with keeping(path, self.where.previous):
                files.write(path, KIND, manifest, tensors)
        else:
            self._begin(manifest, tensors)
        loss = math.inf if state.within or not state.history else state.history[-1].get("val_loss", math.inf)
        if loss < self._least:
            with keeping(path, self.where.best):
                self._least = loss
        self._epoch, self._since = state.epoch, time.monotonic()

    def _begin(self, manifest: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        """The first file of a run takes the place of a damaged one, or of those of another run."""
        files.write(self.where.path, KIND, manifest, tensors)
        self._ours = True
        for path in (self.where.previous, self.where.best):
            try:
                known = files.peek(path)["fingerprint"] == self._mark
            except (ModelFileError, LookupError):
                known = False
            if not known:
                with suppress(OSError):
                    Path(path).unlink()


@contextmanager
def locked(where: Checkpoint) -> Iterator[None]:
    """Hold the checkpoint for one run; a killed process leaves it free.

    Raises
    ------
    RuntimeError
        If another run holds it.
    ModelFileError
        If no file can be made there.
    """
    lock = Path(f"{os.path.realpath(where.path)}.lock")
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        handle = lock.open("a")
    except (OSError, ValueError) as error:
        raise ModelFileError(f"{lock}: cannot be made: {error}; choose another place for checkpoint=") from error
    with handle:
        if fcntl is None:
            yield
            return
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RuntimeError(
                f"checkpoint: another run is writing {where.path}; wait for it or choose another path"
            ) from error
        except OSError as error:
            raise ModelFileError(f"{lock}: cannot be locked: {error}; choose a disk that can") from error
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
