"""What candidates were found to be worth, kept on disk: a line of JSON each, added as soon as it is known."""

from __future__ import annotations

import json
import os
import warnings
from typing import TYPE_CHECKING, Any

from azogue.limits import current, remedy, too_many_marks

if TYPE_CHECKING:
    from azogue.disk import AnyPath

Record = dict[str, Any]


class Cache:
    """Records by key, in memory and, with a path, in a file that outlives the process.

    A line is `{"key": ..., "record": {...}}`. Lines are appended and synchronised, so that a killed run loses at most
    the line that it was writing; what is no whole line is passed over. Where the file cannot be read or written, that
    is said once, and the search goes on in memory.

    Parameters
    ----------
    path : path-like or None

    Raises
    ------
    ValueError
        For a file that holds something else, which nothing must be added to.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "search.jsonl")
    ...     Cache(path)["a"] = {"error": 0.5}
    ...     _ = path.write_text(path.read_text() + '{"key": "b", "rec')
    ...     again = Cache(path)
    >>> again["a"], "b" in again
    ({'error': 0.5}, False)
    """

    def __init__(self, path: AnyPath | None = None) -> None:
        self.path = None if path is None else os.fspath(path)
        self.warning = ""
        self._records: dict[str, Record] = {}
        if self.path is not None:
            self._read(self.path)

    def __contains__(self, key: str) -> bool:
        return key in self._records

    def __getitem__(self, key: str) -> Record:
        return self._records[key]

    def __len__(self) -> int:
        return len(self._records)

    def __setitem__(self, key: str, record: Record) -> None:
        self._records[key] = record
        if self.path is None or self.warning:
            return
        line = json.dumps({"key": key, "record": record}, allow_nan=False) + "\n"
        try:
            self._append(self.path, line.encode())
        except OSError as error:
            self._warn(error)

    def _read(self, path: str) -> None:
        if os.path.exists(path) and not os.path.isfile(path):  # noqa: PTH110, PTH113 (a device may have no end)
            return
        if os.path.exists(path) and os.path.getsize(path) > (most := current().cache_bytes):  # noqa: PTH110, PTH202
            raise ValueError(
                f"cache {path}: has more than {most:,} bytes; choose another path, or {remedy('cache_bytes', 2 * most)}"
            )
        try:
            with open(path, "rb") as stream:  # noqa: PTH123 (bytes and str paths alike)
                lines = stream.read().split(b"\n")
        except FileNotFoundError:
            return
        except OSError as error:
            self._warn(error)
            return
        for line in lines:
            try:
                found = None if too_many_marks(line) else json.loads(line, parse_constant=_no_number)
            except (ValueError, RecursionError):  # torn, or no JSON at all
                continue
            if isinstance(found, dict) and isinstance(found.get("record"), dict) and isinstance(found.get("key"), str):
                self._records[found["key"]] = found["record"]
        first = next((line for line in lines if line.strip()), b"")
        if first and not self._records and not first.startswith(b'{"key"'[: len(first)]):
            raise ValueError(f"cache {path}: this is no cache of a search; give another name, or remove the file")

    @staticmethod
    def _append(path: str, line: bytes) -> None:
        """Add a line behind whatever is there; behind a torn line, on a new one."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            size = os.fstat(descriptor).st_size
            torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            data = (b"\n" if torn else b"") + line
            while data:
                data = data[os.write(descriptor, data) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _warn(self, error: OSError) -> None:
        self.warning = f"cache {self.path}: {error.strerror or error}; the search goes on without keeping results"
        warnings.warn(self.warning, UserWarning, stacklevel=2)


def _no_number(text: str) -> None:
    """Refuse what JSON has no word for: a line with it was not written here."""
    raise ValueError(f"{text} is no number of JSON")
