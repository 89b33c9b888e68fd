"""What each tab has: its data, its model, and what it trains."""

from __future__ import annotations

import re
import secrets
import shutil
import threading
import time
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azogue.cli.models import LISTENING, spelled
from azogue.cli.options import Reading
from azogue.studio.uploading import megabytes
from azogue.training.callbacks import watching

if TYPE_CHECKING:
    from collections.abc import Callable

    from azogue.cli.data import Given
    from azogue.studio.commands import Done
    from azogue.studio.exploring import Explorer
    from azogue.studio.uses import Outcome

#: Tabs at once, points of the curve that are sent, and seconds that a stop waits for the last epoch at the end.
TABS, POINTS, PATIENCE = 16, 2000, 5.0
#: What verbs say of the file that is offered for download anyway.
_SAVED = re.compile(r"the \w+ is in model\.azogue")
#: Who hears the warnings of a thread.
HEARD: ContextVar[Callable[[str], None] | None] = ContextVar("azogue_studio_heard", default=None)


class Busy(ValueError):  # noqa: N818  (not an error of the program)
    """Something is trained already."""


def hear(message: Warning | str, *_: Any, **__: Any) -> None:
    """A warning, in place of `warnings.showwarning`: for the tab whose thread it comes from."""
    told = HEARD.get()
    if told is not None:
        told(spelled(message))


class Job:
    """A training in a thread.

    Epochs come from one autoencoder after another, or from many in step with one another: records of the same epoch
    that follow one another are one point, their mean. An epoch before the last one starts a new curve.

    Parameters
    ----------
    work : callable
        Takes `say` and returns what was made.
    clean : callable
        A message → the same without this machine's folders.
    folder : Path
        Where it writes.
    """

    def __init__(
        self, work: Callable[[Callable[[str], None]], None], clean: Callable[[str], str], folder: Path
    ) -> None:
        self.work, self.clean, self.folder = work, clean, folder
        self.lock, self.stopping, self.done = threading.Lock(), threading.Event(), threading.Event()
        self.state, self.error = "running", ""
        self.lines: list[str] = []
        self.curves: list[list[dict[str, float]]] = []
        self.heard = 0
        self.begun = time.monotonic()
        self.seconds = 0.0
        self.thread = threading.Thread(target=self._run, name="azogue-studio-job", daemon=True)

    def start(self) -> None:
        """Begin."""
        self.thread.start()

    def stop(self) -> None:
        """Have every training end with its epoch; what is made of them then works."""
        self.stopping.set()

    def _run(self) -> None:
        LISTENING.set(True)
        HEARD.set(self.say)
        state, self.error = "failed", "something went wrong that is no fault of the data; the terminal says more"
        try:
            with watching(self._hear):
                self.work(self.say)
            state, self.error = "stopped" if self.stopping.is_set() else "done", ""
        except (ValueError, TypeError, FloatingPointError, OSError, RuntimeError, MemoryError, ImportError) as error:
            self.error = self.clean(" ".join(str(error).split()) or type(error).__name__)
        finally:
            with self.lock:
                self.state, self.seconds = state, time.monotonic() - self.begun
            self.done.set()

    def say(self, text: str) -> None:
        """Take in a line for people, once."""
        line = self.clean(text.removeprefix("azogue: "))
        if _SAVED.fullmatch(line):
            return
        with self.lock:
            if line not in self.lines and len(self.lines) < 100:
                self.lines.append(line)

    def _hear(self, record: dict[str, float]) -> bool:
        with self.lock:
            last = self.curves[-1][-1] if self.curves else None
            epoch = record["epoch"]
            if last is None or epoch < last["epoch"]:
                self.curves.append([])
                last = None
            if last is not None and epoch == last["epoch"]:
                self.heard += 1
                for name in ("loss", "val_loss"):
                    if name in record and name in last:
                        last[name] += (record[name] - last[name]) / self.heard
                last["epochs"] = max(last["epochs"], record["epochs"])
            else:
                self.heard = 1
                kept = ("epoch", "epochs", "loss", "val_loss")
                self.curves[-1].append({name: float(record[name]) for name in kept if name in record})
        return self.stopping.is_set()

    def snapshot(self) -> dict[str, Any]:
        """What the page is told: state, lines, and the curve of what is trained now."""
        with self.lock:
            curve = self.curves[-1] if self.curves else []
            step = -(-len(curve) // POINTS) or 1
            last = dict(curve[-1]) if curve else {}
            return {
                "state": self.state,
                "stopping": self.stopping.is_set(),
                "error": self.error,
                "lines": list(self.lines),
                "network": len(self.curves),
                "epoch": last.get("epoch", 0),
                "epochs": last.get("epochs", 0),
                "seconds": round(self.seconds or time.monotonic() - self.begun, 1),
                "points": [[p["epoch"], p.get("loss"), p.get("val_loss")] for p in [*curve[:-1][::step], *curve[-1:]]],
            }


@dataclass
class Session:
    """A tab.

    Parameters
    ----------
    key : str
    folder : Path
        Its own, removed with it.
    """

    key: str
    folder: Path
    path: str | None = None
    given: Given | None = None
    reading: Reading = field(default_factory=Reading)
    size: str = ""
    model_path: str | None = None
    model: Any = None
    use: str = ""
    job: Job | None = None
    outcome: Outcome | None = None
    explorer: Explorer | None = None
    done: Done | None = None
    drawn: tuple[Path, str] | None = None
    used: float = 0.0
    uploaded: int = 0
    runs: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def busy(self) -> bool:
        """Whether something is trained."""
        return self.job is not None and not self.job.done.is_set()

    def place(self, name: str) -> Path:
        """A new empty folder of its own."""
        self.runs += 1
        made = self.folder / f"{name}-{self.runs}"
        made.mkdir(mode=0o700)
        return made

    def clean(self, text: str) -> str:
        """A message without the folders of the session."""
        for folder in sorted((p for p in self.folder.glob("*") if p.is_dir()), key=lambda p: -len(str(p))):
            text = text.replace(f"{folder}/", "")
        return text.replace(f"{self.folder}/", "").replace(str(self.folder), "the studio")

    def forget(self) -> None:
        """Drop what was made; data and model stay."""
        self.job = self.outcome = self.explorer = self.done = self.drawn = None
        self.use = ""


class Sessions:
    """All tabs, in a folder that is gone when they are closed.

    Parameters
    ----------
    folder : Path
        An empty folder of the studio's own.
    limit : int
        Bytes that a tab may upload.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder, self.limit = folder, limit
        self.tabs: dict[str, Session] = {}
        self.lock = threading.Lock()

    def open(self) -> Session:
        """A new tab; of too many, the one that waits longest is closed.

        Raises
        ------
        Busy
            If all of them train.
        """
        with self.lock:
            if len(self.tabs) >= TABS:
                idle = [tab for tab in self.tabs.values() if not tab.busy]
                if not idle:
                    raise Busy(f"{TABS} tabs train already; wait for one, or close it")
                self._close(min(idle, key=lambda tab: tab.used))
            key = secrets.token_urlsafe(16)
            session = Session(key, self.folder / key)
            session.folder.mkdir(mode=0o700)
            session.used = time.monotonic()
            self.tabs[key] = session
            return session

    def get(self, key: str) -> Session | None:
        """A tab by its key."""
        session = self.tabs.get(key)
        if session is not None:
            session.used = time.monotonic()
        return session

    def close(self, session: Session) -> None:
        """Stop a tab's training and remove what it has."""
        with self.lock:
            self._close(session)

    def _close(self, session: Session) -> None:
        self.tabs.pop(session.key, None)
        if session.job is not None:
            session.job.stop()
        shutil.rmtree(session.folder, ignore_errors=True)

    def end(self) -> None:
        """Close all tabs and remove the folder, after the trainings that still run, if they end soon."""
        jobs = [tab.job for tab in self.tabs.values() if tab.job is not None]
        for job in jobs:
            job.stop()
        deadline = time.monotonic() + PATIENCE
        for job in jobs:
            job.done.wait(max(0.0, deadline - time.monotonic()))
        for session in list(self.tabs.values()):
            self.close(session)
        shutil.rmtree(self.folder, ignore_errors=True)

    def described(self) -> str:
        """The limit as text."""
        return megabytes(self.limit)
