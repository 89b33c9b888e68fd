"""Folders of files, walked without following links to folders, and not for ever."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from azogue.disk import FaultError
from azogue.limits import current, remedy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def walk(root: Path) -> Iterator[tuple[str, list[str]]]:
    """Each folder below a root and the names of its files, without hidden ones; links to folders are not followed.

    Raises
    ------
    OSError
        For a folder that cannot be read.
    FaultError
        For folders nested deeper than is allowed.
    """
    left: list[tuple[str, int]] = [(os.fspath(root), 0)]
    while left:
        place, depth = left.pop()
        if depth > (most := current().folder_depth):
            raise FaultError(f"its folders are nested deeper than {most} levels; {remedy('folder_depth', most + 1)}")
        files: list[str] = []
        with os.scandir(place) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    left.append((entry.path, depth + 1))
                elif not os.path.isdir(entry.path):  # noqa: PTH112 (False for links that lead nowhere)
                    files.append(entry.name)
        yield place, files
