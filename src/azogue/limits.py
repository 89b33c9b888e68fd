"""What files from elsewhere may ask of their reader. The numbers are here and nowhere else.

A file beyond a limit is refused before memory is taken for it, with an error that names the limit. Whoever trusts a
file raises the limit for it: `with limits.allowing(columns=200_000):` in Python, and on the command line by the
environment, `AZOGUE_LIMITS="columns=200000"`.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The variable of the environment that changes limits: `name=number,name=number`.
VARIABLE = "AZOGUE_LIMITS"


class DataFileError(ValueError):
    """A data file cannot be read or written; the message names the file, the reason and the remedy."""


def _limit(default: int, what: str) -> Any:
    return field(default=default, metadata={"what": what})


@dataclass(frozen=True)
class Limits:
    """What a file may ask of its reader. Writing model files obeys the same limits, so that they can be read.

    Examples
    --------
    >>> Limits().columns
    65536
    """

    header_bytes: int = _limit(32 << 20, "bytes of the header of a model file or container, or of a Parquet footer")
    json_marks: int = _limit(2_000_000, "commas, colons and opening brackets of a JSON text")
    json_depth: int = _limit(100, "levels of nested JSON")
    file_bytes: int = _limit(64 << 30, "bytes of a model file")
    tensors: int = _limit(100_000, "tensors of a model file")
    dimensions: int = _limit(64, "dimensions of a tensor or array")
    cache_bytes: int = _limit(256 << 20, "bytes of the file of results of an architecture search")
    data_bytes: int = _limit(16 << 30, "bytes of a table, text or array that is read whole, once it is unpacked")
    expansion: int = _limit(250, "bytes that a byte of a compressed file may become, beyond `free_bytes`")
    free_bytes: int = _limit(64 << 20, "bytes that a compressed file may become whatever it is packed to")
    columns: int = _limit(65_536, "columns of a table")
    line_bytes: int = _limit(16 << 20, "bytes of a line of CSV or text")
    members: int = _limit(1_000, "arrays of an .npz file, and chunks of a WAV file before its samples")
    pixels: int = _limit(89_478_485, "pixels of a picture (where Pillow begins to warn)")
    folder_depth: int = _limit(100, "levels of folders within a folder of pictures or sound")


LIMITS = Limits()
_CHOSEN: ContextVar[Limits | None] = ContextVar("azogue_limits", default=None)


def current() -> Limits:
    """The limits in force: those of `allowing`, else the defaults with what `AZOGUE_LIMITS` changes.

    Raises
    ------
    ValueError
        For a variable `AZOGUE_LIMITS` that says something else than `name=number,...`.
    """
    return _CHOSEN.get() or _told(os.environ.get(VARIABLE, ""))


@lru_cache(maxsize=8)
def _told(text: str) -> Limits:
    changes: dict[str, int] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, number = (word.strip() for word in part.partition("="))
        if not number.isdecimal():
            raise ValueError(f"{VARIABLE}: expected name=number, got {part[:80]!r}; for example columns=200000")
        changes[name] = int(number[:18])
    return _changed(LIMITS, changes)


def _changed(limits: Limits, changes: dict[str, int]) -> Limits:
    known = {item.name for item in fields(Limits)}
    for name, value in changes.items():
        if name not in known or type(value) is not int or value < 1:
            raise ValueError(
                f"limits: {name}={value!r} is no limit and a whole number of at least 1; there are "
                f"{', '.join(sorted(known))}"
            )
    return replace(limits, **changes)


@contextmanager
def allowing(**changes: int) -> Iterator[Limits]:
    """Other limits within a block, for files that are trusted.

    Parameters
    ----------
    **changes : int
        Fields of `Limits`.

    Raises
    ------
    ValueError
        For names that are no limits, and numbers below 1.

    Examples
    --------
    >>> with allowing(columns=200_000) as limits:
    ...     limits.columns, current().columns
    (200000, 200000)
    >>> current().columns
    65536
    """
    limits = _changed(current(), changes)
    token = _CHOSEN.set(limits)
    try:
        yield limits
    finally:
        _CHOSEN.reset(token)


def remedy(name: str, value: int) -> str:
    """How to raise a limit, for messages: to the power of two that holds a value.

    Examples
    --------
    >>> remedy("columns", 70_000)
    "if you trust it, set AZOGUE_LIMITS='columns=131072', or read it within azogue.limits.allowing(columns=131072)"
    """
    enough = 1 << max(value - 1, 1).bit_length()
    return (
        f"if you trust it, set {VARIABLE}='{name}={enough}', or read it within azogue.limits.allowing({name}={enough})"
    )


#: What a byte of JSON text that opens, ends or names a value looks like.
_MARKS = (b",", b":", b"[", b"{")


def too_many_marks(text: bytes) -> bool:
    """Whether JSON has more values than may be made of it: 3 bytes of text can become 64 of memory."""
    return sum(map(text.count, _MARKS)) > current().json_marks
