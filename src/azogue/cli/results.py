"""What verbs made, written by its kind: tables, pictures, sequences, sound and texts, to files, folders and streams."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from azogue.cli import tables
from azogue.cli.data import Given
from azogue.cli.sets import Streamed
from azogue.cli.tables import DataFileError
from azogue.disk import atomic_write, check_place
from azogue.modalities.pictures import SUFFIXES, write_pictures
from azogue.modalities.waves import write_wave

Say = Callable[[str], None]

_ARRAYS = (".npy", ".npz")
_TABLES = (".csv", ".tsv", ".txt", ".parquet")
#: What can be written where: the endings of files, whether a folder, whether a standard stream.
_WAYS: dict[str, tuple[tuple[str, ...], bool, bool]] = {
    "table": ((*_TABLES, *_ARRAYS), False, True),
    "pictures": (_ARRAYS, True, False),
    "picture": ((".png", *_ARRAYS), True, False),
    "stack": (_ARRAYS, False, False),
    "array": (_ARRAYS, False, False),
    "series": ((*_TABLES, *_ARRAYS), False, True),
    "sound": ((".wav", *_TABLES, *_ARRAYS), False, False),
    "sounds": ((), True, False),
    "texts": (_TABLES, False, True),
}
_CALLED = {
    "table": "rows",
    "picture": "a picture",
    "stack": "pictures of other than bytes",
    "array": "sequences",
    "series": "a series",
    "sounds": "a folder of sound",
}
#: What is counted.
NOUNS = {
    "table": "rows",
    "pictures": "pictures",
    "picture": "picture",
    "stack": "pictures",
    "array": "sequences",
    "series": "samples",
    "sound": "samples",
    "sounds": "files",
    "texts": "texts",
}
_BREAKS = re.compile("\r\n|\r|\n")


@dataclass(frozen=True)
class Made:
    """What a verb made.

    Parameters
    ----------
    way : str
        How it can be written: a key of `_WAYS`.
    values : Any
        Arrow table or array of a table, array of pictures, sequences or a series, list of sound, list of texts.
    count : int
        Rows, pictures, sequences, files or texts.
    source : str
        Where it came from, for messages.
    names : sequence of str or None
        What the files of a folder are called; of a table, its column `file`, which arrays of numbers leave out.
    columns : sequence of str or None
        What the columns of a table, the channels of a series, or the column of texts is called.
    rate : int or None
        Samples a second of sound.
    """

    way: str
    values: Any
    count: int
    source: str
    names: Sequence[str] | None = None
    columns: Sequence[str] | None = None
    rate: int | None = None


def way_of(given: Given) -> str:
    """How what the network makes of data can be written."""
    if given.kind == "image":
        if given.form == "picture":
            return "picture"
        return "pictures" if given.form == "folder" else way_of_pictures(str(given.X.dtype), given.X.shape)
    if given.kind == "sequence":
        if given.form in ("folder", "sound"):
            return "sounds" if given.form == "folder" else "sound"
        return "array" if given.X.ndim == 3 else "series"
    return "texts" if given.kind == "text" else "table"


def way_of_pictures(dtype: str, shape: Sequence[int]) -> str:
    """How pictures of a dtype and shape (n, h, w), (n, h, w, c) or (n, c, h, w) can be written."""
    few = len(shape) < 4 or min(shape[1], shape[3]) <= 4
    return "pictures" if dtype in ("uint8", "bool") and few else "stack"


# -- refusing, before the work is done ---------------------------------------------------------------------------------


def check(output: str | None, way: str, source: str, *inputs: str | None, given: Given | None = None) -> None:
    """Refuse an output that could not be written, or that would be read as data the next time.

    Parameters
    ----------
    output : str or None
    way : str
        A key of `_WAYS`.
    source : str
        The data that are read, for messages.
    *inputs : str or None
        All that is read.
    given : Given, optional
        The data, whose files a folder of results will be named after.

    Raises
    ------
    DataFileError
    """
    endings, folder, stream = _WAYS[way]
    if output in (None, "-"):
        if not stream:
            raise DataFileError(f"{source}: {_called(way)} cannot be printed; name {_ways(way)} behind -o")
        return
    target = str(output)
    if folder and is_folder(target):
        _check_folder(target, inputs, given)
        return
    if is_folder(target) and not Path(target).is_dir():
        raise DataFileError(f"{target}: has no ending; {_called(way)} can be written to {_ways(way)}")
    tables.check_output(target, *inputs)
    if Path(target).suffix.lower() not in endings:
        raise DataFileError(f"{target}: {_called(way)} cannot be written there; name {_ways(way)} behind -o")
    check_outside(target, *inputs)


def _called(way: str) -> str:
    return _CALLED.get(way, way)


def _ways(way: str) -> str:
    endings, folder, _ = _WAYS[way]
    said = ["a folder"] * folder + ([f"a file that ends in {', '.join(endings)}"] if endings else [])
    return " or ".join(said)


def is_folder(output: str) -> bool:
    """Whether an output is a folder, or a name that will be one."""
    return Path(output).is_dir() or output.endswith("/") or not Path(output).suffix


def _check_folder(output: str, inputs: Sequence[str | None], given: Given | None) -> None:
    place = Path(output)
    if place.exists() and not place.is_dir():
        raise DataFileError(f"{output}: is a file; name a folder behind -o")
    if not place.absolute().parent.is_dir():
        raise DataFileError(f"{output}: the folder {place.absolute().parent} does not exist")
    check_place(place)
    if any(name not in (None, "-") and place.resolve() == Path(str(name)).resolve() for name in inputs):
        raise DataFileError(f"{output}: is also what is read; name another folder behind -o")
    check_outside(output, *inputs)
    if given is not None and given.files is not None and given.form in ("folder", "picture"):
        taken = {Path(file).resolve() for file in given.X}
        ending = ".png" if given.kind == "image" else ".wav"
        for target in (place / Path(name).with_suffix(ending) for name in given.files):
            if target.resolve() in taken:
                raise DataFileError(f"{target}: would be replaced, but is also what is read; name another folder")


def check_outside(output: str, *inputs: str | None) -> None:
    """Refuse pictures, sound and folders within a folder that is read: they would be data the next time."""
    place = Path(output).resolve()
    if not is_folder(output) and place.suffix.lower() not in {*SUFFIXES, ".wav"}:
        return
    for name in inputs:
        if name not in (None, "-") and Path(str(name)).is_dir() and Path(str(name)).resolve() in place.parents:
            raise DataFileError(
                f"{output}: lies in {name}, which is read, and would be data the next time; choose another place"
            )


# -- writing -----------------------------------------------------------------------------------------------------------


def write(made: Made, output: str | None, say: Say) -> dict[str, Any]:
    """Write what was made to a file, a folder or, for None and `-`, standard output.

    Returns
    -------
    dict
        `output` and `rows`, and `columns` where there are some.
    """
    target = output or "-"
    if target != "-" and _WAYS[made.way][1] and is_folder(target):
        _FOLDERS[made.way](made, Path(target))
        return {"output": target, "rows": made.count}
    ending = Path(target).suffix.lower()
    if isinstance(made.values, Streamed) and (names := made.values.write(target)) is not None:
        return {"output": target, "rows": made.count, "columns": names}
    if ending in _ARRAYS and made.way != "table":
        tables.write_table(np.asarray(made.values), target)
    elif ending == ".wav":
        write_wave(target, made.values, made.rate or 0)
    elif ending == ".png":
        write_pictures(channels_last(made.values), Path(target).parent, [Path(target).name])
    elif made.way == "texts" and ending in (".txt", ""):
        write_lines(made, target, say)
    else:
        table = as_table(made)
        if ending in _ARRAYS and made.names is not None:
            table = table.drop_columns(["file"])
        tables.write_table(table, target)
        return {"output": target, "rows": made.count, "columns": table.column_names}
    return {"output": target, "rows": made.count}


def as_table(made: Made) -> pa.Table:
    """Rows, a series or texts as an Arrow table."""
    if made.way == "texts":
        return pa.table({(made.columns or ("text",))[0]: pa.array(list(texts(made)), pa.string())})
    if isinstance(made.values, Streamed):
        return made.values.whole()
    if made.way == "table":
        return tables.as_arrow(made.values)
    array = np.asarray(made.values)
    array = array[:, None] if array.ndim == 1 else array
    return tables.as_arrow(array, list(made.columns or (f"channel_{at + 1}" for at in range(array.shape[1]))))


def texts(made: Made) -> list[str | None]:
    """The texts, None where one is missing."""
    found = made.values
    return list(found.to_pylist() if hasattr(found, "to_pylist") else found)


def write_lines(made: Made, target: str, say: Say) -> None:
    """Texts as lines."""
    found = [text or "" for text in texts(made)]
    lines = [_BREAKS.sub(" ", text) for text in found]
    if changed := sum(a != b for a, b in zip(found, lines, strict=True)):
        say(f"azogue: line breaks within {changed:,} text{'s' * (changed > 1)} became spaces")
    data = "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")
    if target == "-":
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    else:
        atomic_write(target, data)


def channels_last(pictures: np.ndarray) -> np.ndarray:
    """Pictures as PNG has them."""
    if pictures.ndim == 4 and pictures.shape[3] > 4 >= pictures.shape[1]:
        return np.moveaxis(pictures, 1, -1)
    return pictures


def _write_pictures(made: Made, folder: Path) -> None:
    write_pictures(channels_last(made.values), folder, _names(made))


def _write_sounds(made: Made, folder: Path) -> None:
    for name, samples in zip(_names(made), made.values, strict=True):
        target = folder / name
        target = target if target.suffix.lower() == ".wav" else target.with_name(f"{target.name}.wav")
        target.parent.mkdir(parents=True, exist_ok=True)
        write_wave(target, samples, made.rate or 0)


_FOLDERS: dict[str, Callable[[Made, Path], None]] = {
    "pictures": _write_pictures,
    "picture": _write_pictures,
    "sounds": _write_sounds,
}


def _names(made: Made) -> Sequence[str]:
    """What files are called: as they were, or by their number."""
    digits = len(str(made.count))
    return made.names or [f"{at:0{digits}d}" for at in range(1, made.count + 1)]
