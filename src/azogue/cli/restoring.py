"""Pictures, sound and arrays through a denoiser, a part of a folder at a time, and how near they come to clean ones."""

from __future__ import annotations

import math
import shutil
import tempfile
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from azogue import quality
from azogue.cli import tables
from azogue.cli.data import Given
from azogue.cli.options import parse_size
from azogue.disk import atomic_write
from azogue.modalities.pictures import Files, survey, write_pictures
from azogue.modalities.waves import Waves, read_wave, write_wave

#: Values of files that are held at once, about.
CELLS = 2**24


@dataclass(frozen=True, eq=False)
class Items:
    """Pictures or signals in files, or an array of them, each taken when it is its turn.

    Parameters
    ----------
    given : Given
    shapes : list of tuple of int
        (h, w, c) of each picture, (t,) or (t, c) of each signal.
    load : callable
        The number of one → its values.
    rate : int or None
        Samples a second.
    """

    given: Given
    shapes: list[tuple[int, ...]]
    load: Callable[[int], np.ndarray]
    rate: int | None = None

    @property
    def names(self) -> list[str]:
        """What they are called."""
        return list(self.given.files or (self.given.path,))

    def groups(self) -> Iterator[list[int]]:
        """Numbers of items that are held at once."""
        held: list[int] = []
        for at in range(len(self.shapes)):
            if held and sum(math.prod(self.shapes[k]) for k in (*held, at)) > CELLS:
                yield held
                held = []
            held.append(at)
        yield held


def in_files(given: Given) -> bool:
    """Whether the data are pictures or sound in files of their own."""
    return given.files is not None and given.kind in ("image", "sequence")


def items_of(given: Given, size: str | None = None) -> Items:
    """The pictures or WAV files that a path holds; all are looked at, and the headers of all are sound.

    Raises
    ------
    ValueError
        For a file that cannot be read.
    """
    if given.kind == "sequence":
        paths = [given.path] if given.form == "sound" else list(given.X)
        waves = Waves(paths)
        lengths: list[tuple[int, ...]] = [
            (n,) if flat else (n, waves.channels) for n, flat in zip(waves.lengths, waves.flat, strict=True)
        ]
        return Items(given, lengths, lambda at: read_wave(paths[at])[1], waves.rates[0])
    target = None if size is None else parse_size(size)
    shapes = [survey([path], target) for path in given.X]

    def picture(at: int) -> np.ndarray:
        name = list(given.files or ())[at : at + 1]
        return np.asarray(Files((given.X[at],), name, shapes[at], size is not None).take(slice(0, 1))[0])

    return Items(given, list(shapes), picture)


def with_channels(picture: np.ndarray, channels: int | None, name: str) -> np.ndarray:
    """A picture (h, w, c) as one of so many channels, (h, w) for one of them.

    Raises
    ------
    ValueError
        For a picture in colour where grey is known.
    """
    if channels in (None, picture.shape[2]):
        return picture[..., 0] if picture.shape[2] == 1 else picture
    if picture.shape[2] != 1:
        raise ValueError(f"{name}: is in colour, but the denoiser learned from grey pictures; convert it, or fit anew")
    return np.repeat(picture, channels or 1, axis=2)


def as_before(restored: np.ndarray, before: np.ndarray) -> np.ndarray:
    """A restored picture with the channels that it had: grey ones come back grey."""
    if before.ndim == 3 and before.shape[2] == 1 and restored.ndim == 3:
        return np.asarray(np.rint(restored.mean(axis=2, keepdims=True)), restored.dtype)
    return restored if restored.ndim == before.ndim else restored.reshape(before.shape)


# -- what is near to what ----------------------------------------------------------------------------------------------


class Measures:
    """Means of measures before and after, over all that was measured."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.found: list[dict[str, tuple[float, float]]] = []

    def add(self, clean: Any, noisy: Any, restored: Any) -> None:
        """Measure a picture, a signal or a table."""
        if self.kind == "table":
            self.found.append({"rmse": (spread_error(clean, noisy), spread_error(clean, restored))})
            return
        one: dict[str, tuple[float, float]] = {}
        functions: dict[str, Callable[..., float]] = {"psnr": quality.psnr, "ssim": quality.ssim}
        if self.kind == "sequence":
            functions = {"snr": quality.snr, "si_sdr": quality.si_sdr}
        for name, function in functions.items():
            one[name] = (function(clean, whole(noisy)), function(clean, whole(restored)))
        self.found.append(one)

    def means(self) -> dict[str, dict[str, float | None]]:
        """Of each measure the mean before and after; None where it is not finite."""
        told: dict[str, dict[str, float | None]] = {}
        for name in self.found[0] if self.found else ():
            pairs = np.array([one[name] for one in self.found], float)
            means = [float(np.mean(column)) for column in pairs.T]
            told[name] = {
                when: value if math.isfinite(value) else None
                for when, value in zip(("before", "after"), means, strict=True)
            }
        return told


def whole(values: Any) -> np.ndarray:
    """Values of which those that are missing are the mean of the others."""
    array = np.asarray(values, dtype=np.float64)
    hidden = np.isnan(array)
    return np.where(hidden, np.nanmean(array) if not hidden.all() else 0.0, array) if hidden.any() else array


def spread_error(clean: Any, other: Any) -> float:
    """The root mean square error of a table's columns of numbers, in standard deviations of the clean ones."""
    errors = []
    for x, y in zip(_numbers(clean), _numbers(other), strict=True):
        known = ~np.isnan(x)
        sd = float(x[known].std()) if known.any() else 0.0
        errors.append(np.mean(np.square((x[known] - whole(y)[known]) / sd)) if sd else np.nan)
    return float(np.sqrt(np.nanmean(errors))) if np.isfinite(errors).any() else math.nan


def _numbers(table: Any) -> list[np.ndarray]:
    if not isinstance(table, pa.Table):
        return list(np.asarray(table, np.float64).T)
    numeric = [c for c in table.columns if pa.types.is_integer(c.type) or pa.types.is_floating(c.type)]
    return [np.asarray(column.to_numpy(zero_copy_only=False), np.float64) for column in numeric]


# -- writing -----------------------------------------------------------------------------------------------------------


def is_packed(path: str) -> bool:
    """Whether a WAV file has 24 bits a sample."""
    try:
        with wave.open(path, "rb") as file:
            return file.getsampwidth() == 3
    except (wave.Error, EOFError, OSError):
        return False


def write_sound(target: Path, samples: np.ndarray, rate: int, packed: bool) -> None:
    """A WAV file as deep as the one that it came from: samples of 24 bits lie in the upper bytes of 32."""
    if not packed:
        write_wave(target, samples, rate)
        return
    import io

    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(samples.shape[1] if samples.ndim == 2 else 1)
        file.setsampwidth(3)
        file.setframerate(rate)
        levels = np.clip(samples.astype(np.int64) + 128, None, 2**31 - 1).astype("<i4")  # rounded to 24 bits
        file.writeframes(levels.reshape(-1, 1).view(np.uint8)[:, 1:].tobytes())
    atomic_write(target, buffer.getvalue())


class Place:
    """Where restored files go: one file, or a folder that is filled beside its place and put there whole."""

    def __init__(self, output: str, items: Items, folder: bool) -> None:
        self.target, self.items, self.folder = Path(output), items, folder
        self.kind = items.given.kind
        self.beside: Path | None = None
        if folder and self.kind == "image":
            seen: dict[str, str] = {}
            for name in items.names:
                other = seen.setdefault(str(Path(name).with_suffix("")), name)
                if other != name:
                    raise ValueError(f"{items.given.path}: {other} and {name} would both become one .png; rename one")

    def __enter__(self) -> Place:
        if self.folder:
            parent = self.target.absolute().parent
            self.beside = Path(tempfile.mkdtemp(prefix=".azogue-", dir=parent))
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        if self.beside is None:
            return
        try:
            if kind is None:
                for made in sorted(path for path in self.beside.rglob("*") if path.is_file()):
                    goal = self.target / made.relative_to(self.beside)
                    goal.parent.mkdir(parents=True, exist_ok=True)
                    made.replace(goal)
        finally:
            shutil.rmtree(self.beside, ignore_errors=True)

    def write(self, at: int, values: np.ndarray) -> None:
        """Put one picture or sound in its place."""
        name = self.items.names[at]
        if self.kind == "image":
            root, name = (self.beside, name) if self.beside is not None else (self.target.parent, self.target.name)
            write_pictures(values[None], root, [name])
            return
        goal = self.target if self.beside is None else self.beside / name
        goal.parent.mkdir(parents=True, exist_ok=True)
        given = self.items.given
        source = given.path if given.form == "sound" else str(given.X[at])
        write_sound(goal, values, self.items.rate or 1, is_packed(source))


# -- series in the columns of a table ----------------------------------------------------------------------------------


def around(table: pa.Table, columns: tuple[str, ...], series: np.ndarray) -> pa.Table:
    """The table with restored channels in the place of theirs, as the types that they had."""
    values = series.reshape(len(series), -1)
    for at, name in enumerate(columns):
        place, kind = table.column_names.index(name), table.column(name).type
        column = values[:, at]
        if pa.types.is_boolean(kind):
            made = pa.array(column > 0.5)
        elif pa.types.is_integer(kind):
            made = pa.array(np.rint(column.astype(np.float64)).astype(np.int64)).cast(kind, safe=False)
        else:
            made = pa.array(column.astype(np.float64)).cast(kind)
        table = table.set_column(place, name, made)
    return table


def kept_out(given: Given, names: list[str]) -> Given:
    """The table of some data without the columns that are copied.

    Raises
    ------
    ValueError
    """
    if not names:
        return given
    if not isinstance(given.X, pa.Table):
        raise ValueError(f"{given.path}: has no column names to keep")
    for name in names:
        if name not in given.X.column_names:
            shown = ", ".join(given.X.column_names[:20])
            raise ValueError(f"{given.path}: has no column {name!r} to keep; it has {shown}")
    rest = given.X.drop_columns(names)
    if not rest.num_columns:
        raise ValueError(f"{given.path}: no column is left to learn from")
    return replace(given, X=rest)


def put_back(table: Any, restored: Any) -> Any:
    """A table with the restored columns in their places; the others are as they were."""
    if not isinstance(table, pa.Table):
        return restored
    made = tables.as_arrow(restored)
    for name in made.column_names:
        table = table.set_column(table.column_names.index(name), name, made.column(name))
    return table
