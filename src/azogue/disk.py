"""Ordinary files: errors that name them, and writes of which either all or nothing is seen."""

from __future__ import annotations

import errno
import hashlib
import os
import platform
import secrets
import stat
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from io import BufferedReader

    Bytes = bytes | bytearray | memoryview
    AnyPath = str | os.PathLike[str]


class ModelFileError(ValueError):
    """A file cannot be read or written. The message names the file, what is wrong, and the remedy.

    Examples
    --------
    >>> import azogue as az
    >>> az.load(az.__file__)
    Traceback (most recent call last):
        ...
    azogue.disk.ModelFileError: ...__init__.py: it ... no file that Azogue wrote; give one made by save()
    """


class FaultError(Exception):
    """What is wrong with a file and the remedy, raised where the file's name is not at hand; `naming` adds it."""


@contextmanager
def naming(path: AnyPath) -> Iterator[None]:
    """Turn faults into errors that name the file."""
    try:
        yield
    except FaultError as fault:
        raise ModelFileError(f"{os.fsdecode(path)}: {fault}") from fault.__cause__ or fault
    except MemoryError as error:
        raise ModelFileError(f"{os.fsdecode(path)}: there is not enough memory for it; free some") from error


#: what the operating system's errors mean, and what helps
_CAUSES = {
    errno.ENOSPC: "the disk is full; free some space and try again",
    errno.EDQUOT: "the quota of disk space is used up; free some space and try again",
    errno.EROFS: "the disk is read-only; choose another place",
    errno.EACCES: "permission is missing; choose another place or change the permissions",
    errno.EPERM: "permission is missing; choose another place or change the permissions",
    errno.ENOENT: "it does not exist; check the path",
    errno.ENOTDIR: "a part of the path is no folder; check the path",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
}


def _explain(error: OSError) -> str:
    return _CAUSES.get(error.errno or 0, f"{error.strerror or error}; check the disk and try again")


@contextmanager
def opened(path: AnyPath) -> Iterator[tuple[BufferedReader, int]]:
    """An ordinary file, open for reading, and its size."""
    try:
        place = _as_path(path)
        mode = place.stat().st_mode
        if not stat.S_ISREG(mode):
            raise FaultError(f"it is a {'folder' if stat.S_ISDIR(mode) else 'device or pipe'}; give an ordinary file")
        with place.open("rb") as stream:
            yield stream, os.fstat(stream.fileno()).st_size
    except OSError as error:
        raise FaultError(f"cannot be read: {_explain(error)}") from error


def atomic_write(path: AnyPath, data: Bytes | Iterable[Bytes]) -> None:
    """Write a file so that, whatever happens, either the old content or all of the new one is there.

    A temporary file in the same folder is written, flushed, synchronised and renamed. Temporary files of this target
    that killed runs on this machine left behind are removed.

    Parameters
    ----------
    path : path-like
        A symbolic link is followed. The file's mode is what the umask leaves of 0o666.
    data : bytes-like, or iterable of bytes-likes

    Raises
    ------
    ModelFileError
        If the operating system refuses. The old file is untouched and no temporary file stays.
    """
    chunks = [data] if isinstance(data, (bytes, bytearray, memoryview)) else data
    with naming(path):
        try:
            target = _writable_target(path)
            _sweep(target)
            _replace(target, chunks)
        except OSError as error:
            raise FaultError(f"cannot be written: {_explain(error)}; what stood there before is intact") from error


def check_place(path: AnyPath) -> None:
    """Refuse a place where no file can be made, before the work is done.

    Parameters
    ----------
    path : path-like
        A file or folder that is to be written, in a folder that exists.

    Raises
    ------
    ModelFileError
    """
    with naming(path):
        try:
            target = Path(os.path.realpath(_as_path(path)))
            with tempfile.TemporaryFile(dir=target if target.is_dir() else target.parent):
                pass
        except OSError as error:
            raise FaultError(f"cannot be written: {_explain(error)}") from error


def _as_path(path: AnyPath) -> Path:
    text = os.fsdecode(path)
    if "\0" in text:
        raise FaultError("its name contains a null character; choose another")
    return Path(text)


def _writable_target(path: AnyPath) -> Path:
    """Where the file really goes: behind symbolic links, and never in the place of a folder or device."""
    target = Path(os.path.realpath(_as_path(path)))
    if target.is_dir():
        raise FaultError("cannot be written: it is a folder; give the name of a file in it")
    if target.exists() and not target.is_file():
        raise FaultError("cannot be written: it is a device or pipe, which no file must replace; give another name")
    if not target.parent.is_dir():
        raise FaultError(f"cannot be written: the folder {target.parent} does not exist; create it first")
    return target


@contextmanager
def keeping(path: AnyPath, other: AnyPath) -> Iterator[None]:
    """What stands at `path` before the context has the name `other` after it, unless the context fails.

    At `other` there is always a whole file: the old one until then. Nothing happens where nothing is at `path`.

    Parameters
    ----------
    path, other : path-like
        In one folder.

    Raises
    ------
    ModelFileError
        If the operating system refuses; what had either name before is intact.
    """
    try:
        source, target = Path(os.path.realpath(_as_path(path))), _writable_target(other)
        held = _held(source, target)
    except OSError as error:
        raise ModelFileError(f"{os.fsdecode(other)}: cannot be written: {_explain(error)}") from error
    try:
        yield
        if held is not None:
            with naming(other):
                try:
                    held.replace(target)
                except OSError as error:
                    raise FaultError(f"cannot be written: {_explain(error)}") from error
    finally:
        if held is not None:
            with suppress(OSError):  # renaming one name of a file to another of the same removes none
                held.unlink()


def _held(source: Path, target: Path) -> Path | None:
    """A further name of a file beside the target; a copy where the disk knows no further names."""
    held = _temporary(target)
    try:
        os.link(source, held)
    except FileNotFoundError:
        return None
    except OSError:
        _replace(held, [source.read_bytes()])
    return held


def _temporary(target: Path) -> Path:
    return target.with_name(f"{_prefix(target)}{os.getpid()}-{secrets.token_hex(4)}.tmp")


def _replace(target: Path, chunks: Iterable[Bytes]) -> None:
    """Write beside the target, then rename; leave nothing behind on failure."""
    temporary = _temporary(target)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = os.open(temporary, flags, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            for chunk in chunks:
                stream.write(chunk)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """Make the renaming durable. Where a folder cannot be synchronised, the file is complete all the same."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _prefix(target: Path) -> str:
    """How temporary files of a target begin: alike for all processes of this machine, and never too long."""
    owner = os.fsencode(f"{platform.node()}/{target.name}")
    return f".azogue-{hashlib.sha256(owner).hexdigest()[:16]}-"


def sweep(path: AnyPath) -> None:
    """Remove the temporary files of a target, whoever wrote them: for who alone may write there. Some may stay."""
    target = Path(os.path.realpath(_as_path(path)))
    for stale in target.parent.glob(f"{_prefix(target)}*.tmp"):
        with suppress(OSError):
            stale.unlink()


def _sweep(target: Path) -> None:
    """Remove the temporary files of this target whose process is gone."""
    prefix = _prefix(target)
    for stale in target.parent.glob(f"{prefix}*.tmp"):
        process = stale.name.removeprefix(prefix).split("-")[0]
        if process.isdecimal() and not _alive(int(process)):
            with suppress(OSError):
                stale.unlink()


def _alive(process: int) -> bool:
    """Whether a process of this number runs; yes in doubt."""
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
