"""Picture files moved or copied to a folder: nothing is replaced, and nothing is lost if the work is broken off."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from azogue.cli.tables import DataFileError


@dataclass(frozen=True)
class Carry:
    """Files, and where they are to go.

    Parameters
    ----------
    files : sequence of (Path, Path)
        Each file and its target.
    folder : str
        The folder that all targets lie in, as the user wrote it.
    moving : bool
        Whether the files leave their place.
    """

    files: Sequence[tuple[Path, Path]]
    folder: str
    moving: bool

    @property
    def done(self) -> str:
        """What is said when it is done."""
        return "moved" if self.moving else "copied"

    def __call__(self, say: Callable[[str], None]) -> None:
        """Do it, file by file.

        Raises
        ------
        DataFileError
            Naming the file that could not be carried, and how many were before it.
        """
        for count, (file, target) in enumerate(self.files):
            try:
                _carry(file, target, self.moving)
            except OSError as error:
                reason = error.strerror or str(error)
                rest = f"{count} of {len(self.files)} pictures are {self.done}, the others are where they were"
                raise DataFileError(f"{target}: cannot be written: {reason}; {rest}") from error
        say(f"azogue: {len(self.files):,} picture{'s' * (len(self.files) != 1)} {self.done} to {self.folder}")


def check_folder(folder: str, *read: str | None) -> None:
    """Refuse a folder within one that is read: its pictures would be data the next time.

    Raises
    ------
    DataFileError
    """
    place = Path(folder)
    if place.exists() and not place.is_dir():
        raise DataFileError(f"{folder}: is a file; name a folder")
    for name in read:
        if name is None or not Path(name).is_dir():
            continue
        if Path(name).resolve() in (place.resolve(), *place.resolve().parents):
            raise DataFileError(f"{folder}: lies in {name}, which is read; name a folder outside it")


def planned(files: Sequence[tuple[Path, str]], folder: str, moving: bool, *read: str | None) -> Carry:
    """What is to be carried, once it is known that no target is there yet.

    Parameters
    ----------
    files : sequence of (Path, str)
        Each file, and its name within the folder.
    folder : str
    moving : bool
    *read : str or None
        The folders that are read.

    Raises
    ------
    DataFileError
        If anything is where a file is to go; no file was touched.
    """
    links_first = sorted(files, key=lambda pair: not pair[0].is_symlink())  # they may point to one that is to move
    pairs = [(file, Path(folder, name)) for file, name in links_first]
    taken = [target for file, target in pairs if os.path.lexists(target) and not (moving and _same(file, target))]
    done = "moved" if moving else "copied"
    if taken:
        more = f", and {len(taken) - 1:,} more" if len(taken) > 1 else ""
        raise DataFileError(f"{taken[0]}: is there already{more}; nothing was {done}; name another folder")
    roots = [Path(name).resolve() for name in read if name is not None]
    for _, target in pairs:
        if inside := [root for root in roots if root in target.resolve().parents]:
            raise DataFileError(f"{target}: would lie in {inside[0]}, which is read; nothing was {done}")
    return Carry(pairs, folder, moving)


def _same(file: Path, target: Path) -> bool:
    """Whether both names are one file: a move was broken off between its two steps."""
    return not file.is_symlink() and not target.is_symlink() and target.exists() and file.samefile(target)


def _carry(file: Path, target: Path, moving: bool) -> None:
    """One file; its own name goes last, when the target is whole."""
    target.parent.mkdir(parents=True, exist_ok=True)
    there = moving and (_same(file, target) or _link(file, target))
    if not there:
        _copy(file, target)
    if moving:
        file.unlink()


def _link(file: Path, target: Path) -> bool:
    """A second name for a file, which is never given to what has a name; False where that is not to be had."""
    if file.is_symlink():  # the link may be relative: its contents go
        return False
    try:
        os.link(file, target)
    except OSError:  # another file system, one without second names, or a target that is there
        return False
    return True


def _copy(file: Path, target: Path) -> None:
    """A copy under a hidden name, which is then given the target's if nothing else has it."""
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as made, file.open("rb") as source:
            shutil.copyfileobj(source, made)
            made.flush()
            os.fsync(made.fileno())
        shutil.copystat(file, part)
        if not _link(part, target):
            if os.path.lexists(target):
                raise FileExistsError(17, "it is there already", str(target))
            part.rename(target)
    finally:
        part.unlink(missing_ok=True)
