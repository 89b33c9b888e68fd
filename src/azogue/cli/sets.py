"""Tables of many files, or larger than memory: folders, globs and large files, as verbs take them."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from azogue.cli.tables import DataFileError
from azogue.modalities.dataset import Dataset
from azogue.modalities.parts import CSV, PARQUET, DatasetError
from azogue.modalities.pictures import SUFFIXES
from azogue.modalities.written import ENDINGS, as_table, csv_parts, write_parts

if TYPE_CHECKING:
    from azogue.cli.options import Cells

#: Bytes of a file's table from which it is not read at once, and the part of the machine's memory that a table may take
#: where a verb needs all of its rows.
LARGE, SHARE = 2**30, 0.25
#: Files of a folder that are looked at to see what it holds.
LOOKED = 10_000


def is_set(path: str) -> bool:
    """Whether a path is a folder of tables, a glob, a URI, or a file too large to be read at once."""
    if path == "-":
        return False
    if "://" in path:
        return True
    place = Path(path)
    if place.is_dir():
        return _holds_tables(place)
    if not place.is_file():
        return re.search(r"[*?\[]", path) is not None
    name = place.name.lower()
    return name.endswith((*PARQUET, *CSV)) and _size(place) > LARGE


def _holds_tables(folder: Path) -> bool:
    """Whether there are tables in a folder, and neither pictures nor sound; a text beside other files is no table."""
    tables = (*PARQUET, *(ending for ending in CSV if not ending.startswith(".txt")))
    found, looked = False, 0
    for _, _, names in os.walk(folder):
        for name in map(str.lower, names):
            if name.endswith((*SUFFIXES, ".wav")):
                return False
            found, looked = found or name.endswith(tables), looked + 1
            if looked > LOOKED:
                return found
    return found


def _size(place: Path) -> int:
    """Bytes of a file's table, about."""
    size: int = place.stat().st_size
    if not place.name.lower().endswith(PARQUET) or size > LARGE:
        return size
    from pyarrow import parquet

    try:
        meta = parquet.read_metadata(place)
    except (pa.ArrowException, OSError):
        return size  # whoever reads it says what is wrong
    return max(size, sum(int(meta.row_group(at).total_byte_size) for at in range(meta.num_row_groups)))


def opened(path: str, reading: Cells, texts: list[str] | None = None) -> Dataset:
    """The rows of a set of files, without the dropped columns.

    Raises
    ------
    DataFileError
        For what cannot be read; the message names the file.
    """
    try:
        found = Dataset(path, header=reading.header, missing=reading.missing, texts=texts or ())
    except DatasetError as error:
        raise DataFileError(str(error)) from error
    dropped = reading.drop or []
    for name in dropped:
        if name not in found.columns:
            raise DataFileError(f"{path}: has no column {name!r} to drop; it has {', '.join(found.columns[:20])}")
    return found.select([name for name in found.columns if name not in dropped]) if dropped else found


def in_memory(data: Dataset, path: str) -> pa.Table:
    """All rows, where they fit.

    Raises
    ------
    DataFileError
        Where they take more than a quarter of the machine's memory.
    """
    try:
        first = next(data.blocks())
        size = first.nbytes / len(first) * len(data)
        if size > (most := SHARE * _memory()):
            raise DataFileError(
                f"{path}: {len(data):,} rows take about {size / 2**30:,.1f} GiB, and this needs all of them in memory, "
                f"of which it takes {most / 2**30:,.1f} GiB at most; give a part of the files, or a model (azogue fit, "
                "detect --save, impute --save) with these data behind it"
            )
        return data.read()
    except DatasetError as error:
        raise DataFileError(str(error)) from error


def _memory() -> float:
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return 8.0 * 2**30
    return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))


@dataclass(frozen=True)
class Streamed:
    """A result that is made some rows at a time, when it is written.

    Parameters
    ----------
    data : Dataset
    make : callable
        Some rows, a `pyarrow.Table` → the result for them.
    """

    data: Dataset
    make: Callable[[Any], Any]

    def __iter__(self) -> Iterator[pa.Table]:
        return (as_table(part) for part in self.data.map(self.make))

    def whole(self) -> pa.Table:
        """All of it, in memory."""
        return pa.concat_tables(list(self))

    def write(self, target: str) -> list[str] | None:
        """Write it in parts, and say its columns; None for endings that need all of it at once."""
        if target != "-" and Path(target).suffix.lower() not in ENDINGS:
            return None
        names: list[str] = []

        def noted() -> Iterator[pa.Table]:
            for part in self:
                names[:] = part.column_names
                yield part

        if target == "-":
            for data in csv_parts(noted()):
                sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        else:
            write_parts(target, noted())
        return names
