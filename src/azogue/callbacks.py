"""Callbacks that keep what training tells: a line an epoch in a JSONL or CSV file, or curves for TensorBoard.

A callback is any function of an epoch's record; these are three of them. Each line is written at once and whole, so
that a killed run leaves a file that can be read. A run that is resumed from a checkpoint goes on in its file: what the
file holds beyond the checkpoint is cut off and written again, so that each epoch is there once. A new run in the same
file goes below the old one, from epoch 1 on.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from azogue.disk import ModelFileError, atomic_write, check_place

__all__ = ["CSVLog", "JSONLines", "TensorBoard", "log_for"]

Record = Mapping[str, Any]
#: Bytes at the end of a file that are looked at for the epoch before.
_TAIL = 2**12


@dataclass(frozen=True)
class JSONLines:
    """Append each epoch's record to a file, as one JSON object a line.

    Parameters
    ----------
    path : path-like
        Made if it is not there; its folder must be.
    labels : dict, optional
        Said in each line besides, such as `{"run": "small"}`, so that several runs may write to one file at the same
        time, while none of them is being resumed.

    Raises
    ------
    ModelFileError
        When it is called, if the file cannot be written or is no log.

    Examples
    --------
    >>> import azogue as az
    >>> from tempfile import TemporaryDirectory
    >>> X = [[float(n), float(n * n)] for n in range(40)]
    >>> with TemporaryDirectory() as folder:
    ...     log = JSONLines(f"{folder}/run.jsonl")
    ...     ae = az.Autoencoder(1, epochs=3, callbacks=[log], random_state=0).fit(X)
    ...     [record["epoch"] for record in log.read()]
    [1, 2, 3]
    """

    path: Any
    labels: Any = None

    def __call__(self, record: Record) -> None:
        """Write an epoch's record; numbers without end become null."""
        told = {**(self.labels or {}), **{name: _finite(value) for name, value in record.items()}}
        _resume(self, int(record["epoch"]))
        _append(self.path, json.dumps(told) + "\n")

    def read(self) -> list[dict[str, Any]]:
        """The records of the file, those of other runs too. A torn last line is left out."""
        return [record for _, record in self.lines()]

    def lines(self, start: int = 0) -> list[tuple[str, dict[str, Any]]]:
        """Each line of the file, from the first whole one behind a byte on, and what it says."""
        try:
            return [(line, json.loads(line)) for line in _whole_lines(self.path, start)]
        except json.JSONDecodeError as error:
            raise ModelFileError(f"{self.path}: holds a line that is no JSON; choose another file") from error


@dataclass(frozen=True)
class CSVLog:
    """Append each epoch's record to a CSV file, whose first line names the columns.

    A value that the first record did not have is left out, one that is missing later is an empty cell.

    Parameters
    ----------
    path : path-like
        Made if it is not there; its folder must be.
    labels : dict, optional
        Columns in front of the others, the same in each line.

    Raises
    ------
    ModelFileError
        When it is called, if the file cannot be written, or if it is no log: its first line names no epoch, or not the
        labels.

    Examples
    --------
    >>> import azogue as az
    >>> from tempfile import TemporaryDirectory
    >>> X = [[float(n), float(n * n)] for n in range(40)]
    >>> with TemporaryDirectory() as folder:
    ...     log = CSVLog(f"{folder}/run.csv")
    ...     ae = az.Autoencoder(1, epochs=2, callbacks=[log], random_state=0).fit(X)
    ...     [record["loss"] == own["loss"] for record, own in zip(log.read(), ae.history_)]
    [True, True]
    """

    path: Any
    labels: Any = None

    def __call__(self, record: Record) -> None:
        """Write an epoch's record."""
        _resume(self, int(record["epoch"]))
        told = {**(self.labels or {}), **record}
        names = self._names()
        if names is None:
            names = list(told)
            _append(self.path, _row(names))
        _append(self.path, _row([told.get(name, "") for name in names]))

    def _names(self) -> list[str] | None:
        """The columns of the file; None where nothing is in it."""
        lines = _whole_lines(self.path, 0, 2**16)
        if not lines:
            return None
        names = next(csv.reader(lines[:1]))
        if not {"epoch", *(self.labels or {})} <= set(names):
            raise ModelFileError(f"{self.path}: its first line {lines[0]!r} is not this log's; choose another file")
        return names

    def read(self) -> list[dict[str, Any]]:
        """The records of the file, numbers as numbers. A torn last line is left out."""
        return [record for _, record in self.lines() if record]

    def lines(self, start: int = 0) -> list[tuple[str, dict[str, Any]]]:
        """Each line of the file, from the first whole one behind a byte on, and what it says; nothing for names."""
        names, lines = self._names() or [], _whole_lines(self.path, start)
        cells = [dict(zip(names, map(_number, row), strict=False)) for row in csv.reader(lines)]
        return list(zip(lines, [{}, *cells[1:]] if start == 0 and cells else cells, strict=True))


@dataclass(frozen=True)
class TensorBoard:
    """Write the curves of training for TensorBoard, by torch's own writer; needs `pip install "azogue[tensorboard]"`.

    Each epoch is flushed. A resumed run in the same folder takes back what lies beyond its checkpoint.

    Parameters
    ----------
    folder : path-like
        For `tensorboard --logdir folder`.

    Raises
    ------
    ImportError
        If tensorboard is not installed.

    Examples
    --------
    >>> import azogue as az
    >>> ae = az.Autoencoder(2, callbacks=[TensorBoard("runs/first")])
    """

    folder: Any
    _open: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __call__(self, record: Record) -> None:
        """Write an epoch's record."""
        epoch = int(record["epoch"])
        if self._open.get("epoch", 0) >= epoch:
            self._open.pop("writer").close()
        if "writer" not in self._open:
            self._open["writer"] = _summary_writer()(log_dir=os.fspath(self.folder), purge_step=epoch)
        writer, self._open["epoch"] = self._open["writer"], epoch
        for name, value in record.items():
            if name != "epoch":
                writer.add_scalar(name, float(value), epoch)
        writer.flush()

    def __deepcopy__(self, memo: dict[int, Any]) -> TensorBoard:
        return TensorBoard(self.folder)

    def __reduce__(self) -> tuple[Any, ...]:
        return TensorBoard, (self.folder,)


def _summary_writer() -> Any:
    """Torch's writer.

    Raises
    ------
    ImportError
        If tensorboard is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ImportError(
            'TensorBoard needs tensorboard, which is not installed: pip install "azogue[tensorboard]"'
        ) from error
    return SummaryWriter


def log_for(path: Any) -> JSONLines | CSVLog:
    """The log whose file has this ending: .jsonl or .csv.

    Raises
    ------
    ValueError
        For another ending.
    ModelFileError
        If no file can be made there.

    Examples
    --------
    >>> log_for("run.csv")
    CSVLog(path='run.csv', labels=None)
    """
    kinds: dict[str, type[JSONLines | CSVLog]] = {".jsonl": JSONLines, ".csv": CSVLog}
    kind = kinds.get(Path(path).suffix.lower())
    if kind is None:
        raise ValueError(f"{path}: a log ends in .jsonl or .csv")
    check_place(path)
    return kind(path)


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _number(cell: str) -> Any:
    for kind in (int, float):
        try:
            return kind(cell)
        except ValueError:
            continue
    return cell or None


def _row(cells: list[Any]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerow(cells)
    return stream.getvalue()


def _whole_lines(path: Any, start: int = 0, most: int = -1) -> list[str]:
    """The complete lines of a file, or those that lie between two bytes; none where there is no file."""
    try:
        with Path(path).open("rb") as stream:
            stream.seek(start)
            data = stream.read(most)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ModelFileError(f"{path}: the log cannot be read: {error.strerror}; choose another place") from error
    text = data[: data.rfind(b"\n") + 1].decode(errors="replace")
    return (text.partition("\n")[2] if start else text).splitlines()


def _append(path: Any, line: str) -> None:
    """Add a line in one write."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags, 0o666)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)
    except OSError as error:
        raise ModelFileError(f"{path}: the log cannot be written: {error.strerror}; choose another place") from error


def _resume(log: JSONLines | CSVLog, epoch: int) -> None:
    """Cut off a torn line, and the last run's epochs from this one on, where that run is gone on with."""
    path = Path(log.path)
    size = path.stat().st_size if path.is_file() else 0
    if not size:
        return
    with path.open("rb") as stream:
        stream.seek(-1, os.SEEK_END)
        torn = stream.read(1) != b"\n"
    near = [record for _, record in log.lines(max(0, size - _TAIL)) if _is_own(log, record)]
    if not torn and (epoch == 1 or (near and near[-1]["epoch"] < epoch)):
        return
    lines = log.lines()
    kept = [True] * len(lines)
    for at in reversed(range(len(lines) if epoch > 1 else 0)):
        record = lines[at][1]
        if _is_own(log, record) and record["epoch"] < epoch:
            break
        kept[at] = not _is_own(log, record)
    if torn or not all(kept):
        atomic_write(path, "".join(f"{line}\n" for (line, _), keep in zip(lines, kept, strict=True) if keep).encode())


def _is_own(log: JSONLines | CSVLog, record: Record) -> bool:
    """Whether a line is of a run with the log's labels."""
    labels = log.labels or {}
    return "epoch" in record and all(str(record.get(k)) == str(v) for k, v in labels.items())
