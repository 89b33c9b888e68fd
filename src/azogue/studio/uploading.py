"""Uploads: raw bytes to a file of the session's folder, counted while they come."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from azogue.cli.models import ENDING
from azogue.modalities.pictures import SUFFIXES

if TYPE_CHECKING:
    from starlette.requests import Request

#: Endings of what is taken: tables, arrays, models; pictures.
ENDINGS = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz", ".parquet", ".npy", ".npz", ENDING)
#: Bytes that are read and thrown away of an upload that is too large, so that the answer reaches who sends them.
DRAINED = 2**30
#: The folder of uploaded pictures.
PICTURES = "pictures"


class TooLarge(ValueError):  # noqa: N818  (not an error of the program)
    """An upload has more bytes than are taken."""


def megabytes(count: int) -> str:
    """Bytes as people read them.

    Examples
    --------
    >>> megabytes(200 * 2**20), megabytes(1500)
    ('200 MB', '0.0014 MB')
    """
    size = count / 2**20
    return f"{size:,.0f} MB" if size >= 10 else f"{size:.2g} MB"


def safe_name(name: str) -> str:
    """The last part of a file's name, of letters, digits and few signs, so that it harms neither disk nor shell.

    Raises
    ------
    ValueError
        For endings that are not known.

    Examples
    --------
    >>> safe_name("../../etc/-rf wine quality.csv"), safe_name("<script>.png")
    ('rf_wine_quality.csv', 'script.png')
    """
    plain = unicodedata.normalize("NFC", PurePosixPath(name.replace("\\", "/")).name)[-120:]
    plain = re.sub(r"[^\w.]+", "_", plain).strip("._-")
    stem, ending = plain, ""
    for known in sorted((*ENDINGS, *SUFFIXES), key=len, reverse=True):
        if plain.lower().endswith(known):
            stem, ending = plain[: -len(known)].strip("._"), known
            break
    else:
        shown = re.sub(r"[^\w.]+", "_", name)[-40:]
        raise ValueError(
            f"{shown}: unknown kind of file; give .csv, .tsv, .parquet, .npy, pictures, or a model {ENDING}"
        )
    return f"{stem or 'data'}{ending}"


def is_picture(name: str) -> bool:
    """Whether a file is a picture, by its ending."""
    return Path(name).suffix.lower() in SUFFIXES


async def receive(request: Request, target: Path, limit: int, told: str) -> int:
    """Write the body of a request to a new file.

    Parameters
    ----------
    request : Request
    target : path
        Left absent where the upload fails.
    limit : int
        Bytes, at most.
    told : str
        How the limit is called.

    Returns
    -------
    int
        How many bytes came.

    Raises
    ------
    TooLarge
        At once where the length is announced and its sender waits for leave, else as soon as bytes are too many; what
        still comes is thrown away, up to `DRAINED` bytes.
    """
    message = f"{target.name}: is larger than {told}; take fewer rows, or give the file itself: azogue studio FILE"
    length = request.headers.get("content-length", "")
    announced = int(length) if length.isdecimal() else 0
    if announced > limit and "expect" in request.headers:
        raise TooLarge(message)
    count = 0
    fits = announced <= limit
    try:
        with target.open("xb") as file:
            async for part in request.stream():
                count += len(part)
                fits = fits and count <= limit
                if fits:
                    file.write(part)
                elif count > DRAINED:
                    break
        if not fits:
            raise TooLarge(message)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return count
