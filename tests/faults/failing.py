"""A disk whose operations fail one after the other: opening, writing, synchronising, naming and renaming of files."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from unittest import mock

#: what a failing operation does: an error of the operating system, or it writes the first half of what it is given
FAULTS = {"EIO": errno.EIO, "ENOSPC": errno.ENOSPC, "short write": None, "torn write": errno.ENOSPC}


class Raw(io.RawIOBase):
    """A file descriptor whose every write is an operation of the disk."""

    def __init__(self, descriptor: int, disk: Disk) -> None:
        self.descriptor, self.disk = descriptor, disk

    def fileno(self) -> int:
        return self.descriptor

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return self.disk.write(self.descriptor, data)

    def close(self) -> None:
        if not self.closed:
            super().close()
            self.disk.does("close", REAL["close"], self.descriptor)


REAL = {name: getattr(os, name) for name in ("open", "fdopen", "fsync", "write", "replace", "link", "close")}


class Disk:
    """Within this context, the operation of number `at` (from 0) fails.

    Parameters
    ----------
    at : int
    fault : str
        A key of `FAULTS`.

    Attributes
    ----------
    operations : list of str
        What was done so far, by the names of `os`.
    failed : str
        The operation that failed; empty if there were fewer.
    """

    def __init__(self, at: int, fault: str) -> None:
        self.at, self.fault, self.operations, self.failed, self.full = at, fault, list[str](), "", False

    def does(self, name: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        number = len(self.operations)
        self.operations.append(name)
        whole = self.fault in ("EIO", "ENOSPC")
        if number == self.at and whole:
            self.failed = name
            if name == "close":
                function(*args, **kwargs)
            raise OSError(FAULTS[self.fault], os.strerror(FAULTS[self.fault] or 0))
        return function(*args, **kwargs)

    def write(self, descriptor: int, data: Any) -> int:
        """A part of the data may be written, and then nothing more: a disk that is full."""
        if self.full:
            self.full = False
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if len(self.operations) == self.at and self.fault.endswith("write"):
            self.operations.append("write")
            self.failed, self.full = "write", self.fault == "torn write"
            return int(REAL["write"](descriptor, bytes(data)[: max(1, len(data) // 2)]))
        return int(self.does("write", REAL["write"], descriptor, data))

    def __enter__(self) -> Disk:
        def opened(descriptor: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
            if "w" not in mode or not isinstance(descriptor, int):
                return REAL["fdopen"](descriptor, mode, *args, **kwargs)
            raw = io.BufferedWriter(Raw(self.does("fdopen", lambda: descriptor), self))
            return raw if "b" in mode else io.TextIOWrapper(raw, encoding=kwargs.get("encoding"))

        def wrapped(name: str) -> Callable[..., Any]:
            return lambda *args, **kwargs: self.does(name, REAL[name], *args, **kwargs)

        patches = {name: wrapped(name) for name in ("open", "fsync", "replace", "link")}
        patches |= {"fdopen": opened, "write": self.write}
        self.patch = mock.patch.multiple(os, **patches)
        self.patch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.patch.stop()


def every_fault(
    action: Callable[[], Any], *, restore: Callable[[], Any], faults: Iterable[str] = FAULTS
) -> Iterator[tuple[str, Exception | None]]:
    """Do something once for each of its operations and each fault, in turn.

    Parameters
    ----------
    action : callable
    restore : callable
        Called before each time: puts the old state of things back.
    faults : iterable of str
        Keys of `FAULTS`.

    Yields
    ------
    (str, Exception or None)
        Which operation failed how, and what the action raised.
    """
    for fault in faults:
        at = 0
        while True:
            restore()
            error: Exception | None = None
            with Disk(at, fault) as disk:
                try:
                    action()
                except Exception as raised:
                    error = raised
            if not disk.failed:
                if at >= len(disk.operations):
                    break
            else:
                yield f"{fault} in operation {at + 1}, {disk.failed}", error
            at += 1
