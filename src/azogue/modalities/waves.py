"""Signals as they come and go: arrays, lists of arrays, and WAV files in and out.

WAV files hold PCM of 8 (unsigned), 16, 24 or 32 bits, or floats of 32 or 64 bits.
"""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from azogue import screening
from azogue.disk import FaultError, atomic_write, naming, opened
from azogue.modalities.folders import walk
from azogue.modalities.integers import from_offset
from azogue.modalities.reading import torch_array
from azogue.modalities.windows import Floats, SequenceRows, Source
from azogue.recipe import Batch

if TYPE_CHECKING:
    from collections.abc import Callable

AnyPath: TypeAlias = "str | os.PathLike[str]"

#: The dtypes that sequences may have.
DTYPES = {np.dtype(order + code).str for code in "?bBhHiIlLqQefdg" for order in "<>"}
#: What can be written, by dtype.
WRITABLE = ("uint8", "int16", "int32", "float32", "float64")


def is_whole(value: Any) -> bool:
    """Whether a value is a whole number."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def as_array(values: Any) -> NDArray[Any]:
    """An array, or a tensor as one."""
    return torch_array(values) if hasattr(values, "detach") else np.asarray(values)


def is_path(value: Any) -> bool:
    """Whether a value is the name of a file or folder."""
    return isinstance(value, str | os.PathLike)


def is_wave(path: AnyPath) -> bool:
    """Whether a name is that of a WAV file.

    Examples
    --------
    >>> is_wave("bird.WAV"), is_wave("bird.mp3")
    (True, False)
    """
    return Path(os.fsdecode(path)).suffix.lower() == ".wav"


def wave_files(folder: AnyPath) -> list[Path]:
    """The WAV files of a folder and its subfolders, sorted by path, hidden ones left out; none is an empty list.

    Raises
    ------
    ValueError
        Where there is no such folder.
    """
    place = Path(os.fsdecode(folder))
    if not place.is_dir():
        raise ValueError(f"{place}: it is neither a WAV file (.wav) nor a folder; check the path")
    with naming(place):
        try:
            found = [Path(folder, name) for folder, names in walk(place) for name in names if is_wave(name)]
        except OSError as error:
            raise FaultError(f"{error.filename} cannot be read: {error.strerror}; check the permissions") from error
    return sorted(path for path in found if path.is_file())


def read_wave(path: AnyPath) -> tuple[int, NDArray[Any]]:
    """The sampling rate of a WAV file, and its samples.

    Samples of 24 bits come as int32 whose lowest byte is 0, so that full scale is the same as with 32 bits.

    Returns
    -------
    rate : int
        Samples a second.
    samples : ndarray, shape (t,), or (t, c) for several channels
        uint8, int16, int32, float32 or float64, as the file has them.

    Raises
    ------
    ValueError
        Where the file is missing, damaged, cut short, empty or compressed. The message names it.
    """
    return _read(path, np.array)


def _read(path: AnyPath, look: Callable[[NDArray[Any]], Any]) -> tuple[int, Any]:
    """The rate, and what `look` says of the samples while they are mapped into memory."""
    with naming(path):
        with opened(path) as (stream, size):  # says it well if the file is missing or may not be read
            screening.wave(stream, size)
        try:
            rate, samples = _scipy(os.fsdecode(path))
        except MemoryError:
            raise
        except Exception as error:  # on damaged files SciPy's reader fails in every way there is
            raise FaultError(
                f"it cannot be read as a WAV file ({error}); it is damaged or compressed, write it again as PCM"
            ) from error
        if samples.size == 0:
            raise FaultError("the WAV file holds no samples; leave it out")
        return int(rate), look(samples)


def _scipy(path: str) -> tuple[int, NDArray[Any]]:
    """Map the samples, or read them where they take 3 bytes each, which cannot be mapped."""
    from scipy.io import wavfile

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            rate, samples = wavfile.read(path, mmap=True)
        except ValueError as error:
            if "mmap=True" not in str(error):
                raise
            rate, samples = wavfile.read(path)
            # a map refuses a file that is too short, this reader gives what there is and warns
            if short := [item.message for item in told if "prematurely" in str(item.message)]:
                raise ValueError(str(short[0])) from None
    return rate, samples


def write_wave(path: AnyPath, array: Any, rate: int) -> None:
    """Write samples as a WAV file, atomically.

    Parameters
    ----------
    path : path-like
    array : array, shape (t,) or (t, c)
        uint8 is written as 8 bits, int16 and int32 as 16 and 32 bits, float32 and float64 as floats, whose full scale
        is [−1, 1] by convention.
    rate : int
        Samples a second.

    Raises
    ------
    ValueError
        For another dtype or shape, and where the file cannot be written; what stood there before is untouched.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_wave(f"{folder}/beep.wav", np.array([0, 100, 0, -100], np.int16), 8000)
    ...     read_wave(f"{folder}/beep.wav")
    (8000, array([   0,  100,    0, -100], dtype=int16))
    """
    samples = np.asarray(array)
    name = os.fsdecode(path)
    if samples.dtype.name not in WRITABLE:
        raise ValueError(
            f"write_wave: {name}: a WAV file holds {', '.join(WRITABLE)}, got {samples.dtype}; convert with astype"
        )
    if samples.ndim not in (1, 2) or not samples.size:
        raise ValueError(f"write_wave: {name}: expected samples of shape (t,) or (t, c), got {samples.shape}")
    # each header field has its width: 16 bits for channels, 32 for bytes a second
    channels = samples.shape[1] if samples.ndim == 2 else 1
    if not (is_whole(rate) and rate >= 1 and rate * channels * samples.itemsize < 2**32 and channels < 2**15):
        raise ValueError(f"write_wave: {name}: no WAV file has the rate {rate!r} with {channels} channels")
    from scipy.io import wavfile

    buffer = io.BytesIO()
    wavfile.write(buffer, int(rate), samples)
    atomic_write(path, buffer.getbuffer())


class Waves(Sequence[NDArray[Any]]):
    """WAV files as series of shape (samples, channels), each read when it is asked for; the last one is kept.

    Parameters
    ----------
    paths : sequence of path-like

    Attributes
    ----------
    lengths, dtypes, flat, rates : tuple
        Of each file: samples, dtype, whether it has one channel, samples a second.
    channels : int

    Raises
    ------
    ValueError
        For a file that cannot be read, and for one of another rate or number of channels than the first; it names it.
    """

    def __init__(self, paths: Sequence[AnyPath]) -> None:
        self.names = [os.fsdecode(path) for path in paths]
        found = [_read(path, lambda samples: (samples.shape, samples.dtype.str)) for path in self.names]
        self.rates = tuple(rate for rate, _ in found)
        self.lengths = tuple(shape[0] for _, (shape, _) in found)
        self.dtypes = tuple(dtype for _, (_, dtype) in found)
        self.flat = tuple(len(shape) == 1 for _, (shape, _) in found)
        channels = [shape[1] if len(shape) == 2 else 1 for _, (shape, _) in found]
        self.channels = channels[0]
        for what, values, remedy in (
            ("samples a second", self.rates, "resample it"),
            ("channels", channels, "mix it down, or leave it out"),
        ):
            for name, value in zip(self.names, values, strict=True):
                if value != values[0]:
                    raise ValueError(f"{name} has {value} {what}, but {self.names[0]} has {values[0]}; {remedy}")
        self._last: tuple[int, NDArray[Any]] | None = None

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, at: Any) -> Any:
        if self._last is None or self._last[0] != at:
            self._last = None  # one file at a time
            self._last = int(at), self._load(int(at))
        return self._last[1]

    def _load(self, at: int) -> NDArray[Any]:
        _, samples = read_wave(self.names[at])
        if samples.shape != (self.lengths[at], *(() if self.flat[at] else (self.channels,))):
            raise ValueError(f"{self.names[at]} has changed while it was being read; try again")
        return samples.reshape(len(samples), -1)


def read(X: Any, windowed: bool) -> Source:
    """Any sequences that a model can take; `windowed` says that they are cut, so that one long series may come alone.

    Raises
    ------
    TypeError, ValueError
        For what are no sequences of numbers. The message names the sequence or the file.
    """
    if is_path(X):
        alone = is_wave(X) and not Path(X).is_dir()
        found = [X] if alone else wave_files(X)
        if not found:
            raise ValueError(f"{os.fsdecode(X)}: there is no WAV file (.wav) in this folder or below it")
        return _files(found, "series" if alone else "list")
    if hasattr(X, "iloc") or hasattr(X, "columns"):
        raise TypeError(f"Sequence: expected arrays, got a {type(X).__name__}; pass X.to_numpy()")
    if isinstance(X, list | tuple) or (isinstance(X, np.ndarray) and X.dtype.kind in "OU" and X.ndim == 1):
        if len(X) == 0:
            raise ValueError("Sequence: X holds no sequence; give one at least")
        if any(map(is_path, X)):
            return _files(X, "list")
        if not isinstance(X[0], int | float | np.number):
            return _listed(X)
    array = _numbers(X, "X")
    if array.ndim == 3:
        return _array(array, hasattr(X, "detach"))
    if array.ndim not in (1, 2):
        raise ValueError(f"Sequence: expected sequences of shape (n, t, c), got {array.shape}; {_SHAPES}")
    if not windowed:
        what = "one series" if array.ndim == 1 else "a table"
        channels = 1 if array.ndim == 1 else array.shape[1]
        raise ValueError(
            f"Sequence: X has the shape {array.shape}, which is {what}; give window= for one long series of "
            f"{channels} channels, or reshape to (n, t, c) for n sequences"
        )
    lengths, dtypes, flat = (len(array),), (array.dtype.str,), (array.ndim == 1,)
    series = [_two_axes(array, "the series")]
    rows = SequenceRows("series", None, lengths, dtypes, flat, None, hasattr(X, "detach"))
    return Source(rows, series, series[0].shape[1])


_SHAPES = "an array (n, t, c), or a list of arrays (t, c) or (t,)"


def _array(array: NDArray[Any], tensor: bool) -> Source:
    count, length, channels = array.shape
    if not array.size:
        raise ValueError(
            f"Sequence: X has the shape {array.shape}; it needs a sequence, a sample and a channel at least"
        )
    rows = SequenceRows("array", None, (length,) * count, (array.dtype.str,) * count, (False,) * count, None, tensor)
    return Source(rows, array, channels)


def _listed(X: Any) -> Source:
    arrays = [_numbers(values, f"sequence {at}") for at, values in enumerate(X)]
    series = [_two_axes(values, f"sequence {at}") for at, values in enumerate(arrays)]
    for at, values in enumerate(series):
        if values.shape[1] != series[0].shape[1]:
            raise ValueError(
                f"Sequence: sequence {at} has {values.shape[1]} channels, but sequence 0 has {series[0].shape[1]}; "
                "all need the same channels"
            )
    rows = SequenceRows(
        "list",
        None,
        tuple(map(len, arrays)),
        tuple(values.dtype.str for values in arrays),
        tuple(values.ndim == 1 for values in arrays),
        None,
        all(hasattr(values, "detach") for values in X),
    )
    return Source(rows, series, series[0].shape[1])


def _files(paths: Any, container: str) -> Source:
    for at, path in enumerate(paths):
        if not is_path(path):
            raise TypeError(f"Sequence: entry {at} of X is no path, but others are; give all paths or all arrays")
        if not is_wave(path):
            raise ValueError(f"Sequence: {path} is no WAV file: its name does not end in .wav; text is modality='text'")
    waves = Waves(paths)
    rows = SequenceRows(container, None, waves.lengths, waves.dtypes, waves.flat, waves.rates)
    return Source(rows, waves, waves.channels, waves.names)


def _numbers(values: Any, name: str) -> NDArray[Any]:
    """An array of real numbers, as it is."""
    if isinstance(values, np.ma.MaskedArray):
        raise TypeError(f"Sequence: {name} is a masked array; write NaN for what is missing: .filled(np.nan)")
    try:
        array = as_array(values)
    except ValueError as error:
        raise ValueError(f"Sequence: {name} is no array: its parts have different shapes; {_SHAPES}") from error
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"Sequence: {name} has the dtype {array.dtype}, but sequences are real numbers; "
            f"convert it with astype(float), or give {_SHAPES}"
        )
    return array


def _two_axes(values: NDArray[Any], name: str) -> NDArray[Any]:
    """(t,) or (t, c) → (t, c), without a copy."""
    if values.ndim not in (1, 2) or 0 in values.shape[1:]:
        raise ValueError(f"Sequence: {name} has the shape {values.shape}; expected (t, c) or (t,)")
    if not len(values):
        raise ValueError(f"Sequence: {name} has the length 0; leave it out")
    return values[:, None] if values.ndim == 1 else values


def as_dtype(values: Floats, dtype: np.dtype[Any], name: str) -> NDArray[Any]:
    """Numbers of a dtype: whole ones rounded, all clipped to what it can hold.

    Raises
    ------
    ValueError
        For NaN, where the dtype has none.
    """
    if dtype.kind == "f":
        most = float(np.finfo(dtype).max)
        return np.clip(values, -most, most).astype(dtype)
    if np.isnan(values).any():
        raise ValueError(f"unpack: {name} has missing samples, which {dtype} cannot hold; fill them, or fit on floats")
    if dtype.itemsize < 8:
        low, high = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        return np.clip(np.rint(values), low, high).astype(dtype)
    limits = np.iinfo(dtype)
    return from_offset(values, 0, 1, (int(limits.min), int(limits.max)), dtype)


def as_tensors(found: Any) -> Any:
    """An array, or each of a list, as torch tensors."""
    import torch

    return list(map(torch.from_numpy, found)) if isinstance(found, list) else torch.from_numpy(found)


def as_batch(x: NDArray[Any], hidden: NDArray[np.bool_], holes: Any, rows: SequenceRows | None = None) -> Batch:
    """Rows as tensors, under a mask if there are holes."""
    import torch

    return Batch(torch.from_numpy(x), torch.from_numpy(~hidden) if holes else None, rows)
