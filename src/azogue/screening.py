"""Data files from elsewhere, looked at before they are read: what they ask for against what they are and may.

Headers lie: an array of 128 bytes may declare 32 GiB, a packed file may unpack to a thousand times its size. All that
is read here are headers and footers, and streams piece by piece, so that a refusal takes neither time nor memory.
"""

from __future__ import annotations

import io
import math
import os
import re
import stat
import struct
import zipfile
import zlib
from pathlib import Path
from tokenize import TokenError
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from azogue.disk import FaultError
from azogue.limits import DataFileError, current, remedy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    import numpy as np

    from azogue.disk import AnyPath

_PIECE = 1 << 20
#: numpy's own limit for the text of an array's header is 10,000
_NPY_HEADER = 1 << 16
_NPY_DTYPES = "?bBhHiIlLqQefdgFDGSUmM"


def ordinary(path: AnyPath) -> int:
    """The size of an ordinary file.

    Raises
    ------
    DataFileError
        For devices and pipes, which may have no end.
    OSError
        Where there is nothing, or a folder.
    """
    found = os.stat(path)  # noqa: PTH116 (bytes and str paths alike)
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(os.fsdecode(path))
    if not stat.S_ISREG(found.st_mode):
        raise DataFileError(f"{os.fsdecode(path)}: is a device or pipe; give an ordinary file, or - for standard input")
    return found.st_size


def _check_unpacked(name: str, size: int, packed: int | None) -> None:
    """Refuse more bytes than are allowed, at all or for so many packed ones."""
    limits = current()
    if size > limits.data_bytes:
        raise DataFileError(
            f"{name}: takes more than the {limits.data_bytes:,} bytes allowed in memory; read it in parts, or "
            f"{remedy('data_bytes', size)}"
        )
    if packed is not None and size > max(limits.free_bytes, limits.expansion * packed):
        ratio = -(-size // max(packed, 1))
        raise DataFileError(
            f"{name}: unpacks to more than {limits.expansion} times its {packed:,} bytes, as files made to fill a "
            f"memory do; unpack it yourself, or {remedy('expansion', ratio + 1)}"
        )


# -- text ------------------------------------------------------------------------------------------------------------


def text(stream: Any, name: str, packed: int | None = None) -> bytes:
    """A stream of text to its end, which must come.

    Parameters
    ----------
    stream : binary stream
        Unpacked already.
    name : str
        For messages.
    packed : int, optional
        Bytes of the file, if it is a packed one.

    Raises
    ------
    DataFileError
        For more bytes than are allowed, longer lines, NUL bytes, and UTF-16.
    """
    limits, total, line = current(), 0, 0
    parts: list[bytes] = []
    while piece := stream.read(_PIECE):
        if not parts and piece[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise DataFileError(f"{name}: is UTF-16 text; convert it, for example with iconv -f utf-16 -t utf-8")
        if b"\0" in piece:
            raise DataFileError(f"{name}: holds binary data, not text; is the file's ending right?")
        total += len(piece)
        _check_unpacked(name, total, packed)
        ends = [at for at in (piece.find(b"\n"), piece.find(b"\r")) if at >= 0]
        if line + (min(ends) if ends else len(piece)) > limits.line_bytes:
            raise DataFileError(
                f"{name}: has a line of more than {limits.line_bytes:,} bytes; is it text, with one row a line? If so, "
                f"{remedy('line_bytes', limits.line_bytes + 1)}"
            )
        last = max(piece.rfind(b"\n"), piece.rfind(b"\r"))
        line = len(piece) - last - 1 if ends else line + len(piece)
        parts.append(piece)
    return b"".join(parts)


#: Fields of a CSV file that are numbers with a comma, and with a point, between signs that separate fields.
_COMMA, _POINT = (re.compile(rb'(?<=[;\t|\n"])[+-]?\d+' + mark + rb'(\d+)(?=["\r\n;\t|])') for mark in (b",", rb"\."))


def decimal_point(data: bytes, delimiter: str) -> str:
    r"""What stands before the decimals of a CSV file: a comma, where numbers are written so and none has a point.

    Where all of them have three digits behind it, commas may part thousands, and nothing is taken for granted.

    Examples
    --------
    >>> decimal_point(b"a;b\n1,5;2\n", ";"), decimal_point(b"a;b\n1,500;2\n", ";")
    (',', '.')
    """
    head = data[: 1 << 20]
    if delimiter == "," or _POINT.search(head):
        return "."
    return "," if any(len(found[1]) != 3 for found in _COMMA.finditer(head)) else "."


def first_line(data: bytes) -> bytes:
    """The first line that is not empty, without its end."""
    found = re.search(rb"[^\r\n]+", data)
    return found[0] if found else b""


def check_columns(name: str, count: int) -> None:
    """Refuse more columns than are allowed.

    Raises
    ------
    DataFileError
    """
    if count > (most := current().columns):
        raise DataFileError(
            f"{name}: has {count:,} columns, more than the {most:,} allowed; {remedy('columns', count)}"
        )


# -- arrays of NumPy -------------------------------------------------------------------------------------------------


def array(path: AnyPath) -> np.ndarray:
    """The array of an `.npy` file, or of an `.npz` file that holds a single one or one named X.

    Raises
    ------
    DataFileError
        For what is no array, holds Python objects, declares more than the file has, or is beyond the limits.
    OSError
        Where the file cannot be opened.
    """
    name, size = os.fsdecode(path), ordinary(path)
    with Path(name).open("rb") as stream:
        packed = stream.read(2) == b"PK"
        stream.seek(0)
        return _from_archive(stream, name) if packed else _one_array(stream, name, size, None)


def array_of(content: bytes, name: str) -> np.ndarray:
    """The same of the bytes of an `.npy` file.

    Raises
    ------
    DataFileError
    """
    return _one_array(io.BytesIO(content), name, len(content), None)


def _one_array(stream: Any, name: str, size: int, packed: int | None) -> np.ndarray:
    """An array whose header was checked against the bytes that there are."""
    from numpy.lib import format as npy

    head = stream.read(_NPY_HEADER)
    if head[:6] != b"\x93NUMPY" or len(head) < 12 or head[6:8] not in (b"\x01\x00", b"\x02\x00"):
        raise DataFileError(f"{name}: is no array of numbers: it has no header of NumPy")
    wide = head[6] == 2
    begin = 12 if wide else 10
    stop = begin + (struct.unpack_from("<I", head, 8)[0] if wide else struct.unpack_from("<H", head, 8)[0])
    if stop > len(head):
        raise DataFileError(f"{name}: is no array of numbers: its header has {stop:,} bytes")
    try:
        read = npy.read_array_header_2_0 if wide else npy.read_array_header_1_0
        shape, _, dtype = read(io.BytesIO(head[8:stop]))
    except (ValueError, TypeError, SyntaxError, TokenError, RecursionError, MemoryError, OverflowError) as error:
        raise DataFileError(f"{name}: is no array of numbers: its header is damaged") from error
    _check_array(name, dtype, shape, size - stop, size if packed is None else None, packed)
    stream.seek(0)
    made: np.ndarray = npy.read_array(stream, allow_pickle=False)
    return made


def _check_array(
    name: str, dtype: Any, shape: tuple[int, ...], held: int, plain: int | None, packed: int | None
) -> None:
    if dtype.hasobject:
        raise DataFileError(
            f"{name}: is no array of numbers: it holds Python objects, which only a pickle brings back, and pickles "
            "can run any code; save it with another dtype"
        )
    if dtype.char not in _NPY_DTYPES:
        raise DataFileError(f"{name}: is no array of numbers: its dtype is {str(dtype)[:80]}; save columns one by one")
    if len(shape) > current().dimensions or any(type(length) is not int or length < 0 for length in shape):
        raise DataFileError(f"{name}: is no array of numbers: its shape is {str(shape)[:80]}")
    needed = math.prod(max(length, 1) for length in shape) * max(dtype.itemsize, 1)
    if (needed if 0 not in shape else 0) > held or needed > 1 << 62:
        raise DataFileError(
            f"{name}: declares an array of {needed:,} bytes ({str(shape)[:80]} of {dtype}), but holds {max(held, 0):,}"
            "; it is cut short or damaged"
        )
    _check_unpacked(name, needed, plain if packed is None else packed)
    if len(shape) == 2:
        check_columns(name, shape[1])


class _Careful(io.RawIOBase):
    """A file of which at most a piece is read at once: an archive's directory must not ask for more."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream

    def read(self, size: int = -1) -> bytes:
        most = _PIECE + 1 if size < 0 else size
        found = self.stream.read(most) if most <= _PIECE + 1 else b""
        if most > _PIECE + 1 or len(found) > _PIECE:
            raise zipfile.BadZipFile("its directory asks for too much at once")
        return found

    def seek(self, place: int, whence: int = 0) -> int:
        return self.stream.seek(place, whence)

    def tell(self) -> int:
        return self.stream.tell()

    def seekable(self) -> bool:
        return True


def _from_archive(stream: BinaryIO, name: str) -> np.ndarray:
    """The one array of an archive."""
    try:
        with zipfile.ZipFile(_Careful(stream)) as archive:
            infos = archive.infolist()
            if len(infos) > (most := current().members):
                raise DataFileError(f"{name}: holds {len(infos):,} arrays, more than the {most:,} allowed")
            chosen = [info for info in infos if info.filename in ("X", "X.npy")] or infos
            if len(chosen) != 1:
                shown = ", ".join(info.filename.removesuffix(".npy")[:80] for info in infos[:20])
                raise DataFileError(f"{name}: holds {shown or 'nothing'}; keep one array, or name the one to read X")
            info = chosen[0]
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or info.flag_bits & 1:
                raise DataFileError(f"{name}: is packed or locked in a way that NumPy does not write; save it again")
            _check_unpacked(name, info.file_size, info.compress_size)
            with archive.open(info) as member:
                return _one_array(member, name, info.file_size, info.compress_size)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, ValueError, NotImplementedError) as error:
        if isinstance(error, DataFileError):
            raise
        first = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise DataFileError(f"{name}: is no array of numbers: {first}") from error


# -- Parquet ---------------------------------------------------------------------------------------------------------


def parquet(path: AnyPath) -> pa.Table:
    """The table of a Parquet file, once its footer was looked at.

    Columns of texts whose dictionaries may repeat a long text are read as dictionaries, and counted before they are
    written out.

    Raises
    ------
    DataFileError
        For a footer beyond the limits, and for more rows, columns or bytes than are allowed.
    OSError, pyarrow.ArrowException
        For what is no Parquet file.
    """
    from pyarrow import parquet as files

    name, size = os.fsdecode(path), ordinary(path)
    told = _footer(name, size)
    packed = [column for column in told.schema.names if column in _repeating(told, size)]
    table = files.read_table(name, read_dictionary=packed)
    plain = told.schema.to_arrow_schema()
    for at, column in enumerate(table.columns):
        kind = plain.field(at).type if table.num_columns == len(plain) else column.type
        if column.type != kind and pa.types.is_dictionary(column.type):
            _check_unpacked(name, sum(map(_written_out, column.chunks)), size)
            table = table.set_column(at, table.field(at).with_type(kind), column.cast(kind))
    return table


def _repeating(told: Any, size: int) -> set[str]:
    """Columns of texts that may take more than is allowed if each cell holds the longest text that there can be."""
    limits = current()
    allowed = max(limits.free_bytes, limits.expansion * size)
    texts = [at for at in range(told.num_columns) if told.schema.column(at).physical_type == "BYTE_ARRAY"]
    groups = (told.row_group(at) for at in range(told.num_row_groups))
    found = ((at, group.num_rows * group.column(at).total_uncompressed_size) for group in groups for at in texts)
    return {told.schema.column(at).name for at, most in found if most > allowed}


def _written_out(chunk: Any) -> int:
    """Bytes of the texts of a dictionary column, each as often as it stands there."""
    lengths = pc.binary_length(chunk.dictionary).cast("int64")
    return pc.sum(lengths.take(chunk.indices)).as_py() or 0


def _footer(name: str, size: int) -> Any:
    """What the footer says, held against the limits and the file."""
    from pyarrow import parquet as files

    limits = current()
    with Path(name).open("rb") as stream:
        stream.seek(max(size - 8, 0))
        tail = stream.read(8)
        if len(tail) == 8 and tail[4:] == b"PAR1":
            footer = struct.unpack("<I", tail[:4])[0]
            if footer > min(limits.header_bytes, size - 8):
                raise DataFileError(
                    f"{name}: its footer has {footer:,} bytes, where {min(limits.header_bytes, size - 8):,} are "
                    "allowed or there; it is damaged"
                )
        stream.seek(0)
        told = files.read_metadata(stream)
    check_columns(name, told.num_columns)
    groups = [told.row_group(at) for at in range(told.num_row_groups)]
    if told.num_rows < 0 or any(group.num_rows < 0 or group.total_byte_size < 0 for group in groups):
        raise DataFileError(f"{name}: its footer has negative counts; it is damaged")
    if sum(group.num_rows for group in groups) != told.num_rows:
        raise DataFileError(
            f"{name}: its footer states {told.num_rows:,} rows, but its parts have others; it is damaged"
        )
    widths = sum(_width(told.schema.column(at)) for at in range(told.num_columns))
    needed = max(told.num_rows * widths, sum(group.total_byte_size for group in groups))
    _check_unpacked(name, needed, size)
    return told


def _width(column: Any) -> int:
    """Bytes that a value of a column takes at least."""
    kinds = {"BOOLEAN": 1, "INT32": 4, "FLOAT": 4, "INT64": 8, "DOUBLE": 8, "INT96": 8, "BYTE_ARRAY": 4}
    return int(kinds.get(column.physical_type, max(column.length, 1)))


# -- sound -----------------------------------------------------------------------------------------------------------


def wave(stream: BinaryIO, size: int) -> None:
    """Walk over the chunks of a WAV file up to its samples.

    Raises
    ------
    FaultError
        Where the samples are said to take more bytes than there are, or are behind more chunks than are allowed.
    """
    stream.seek(0)
    head = stream.read(12)
    if head[:4] not in (b"RIFF", b"RIFX") or head[8:12] != b"WAVE":
        return  # another kind, which the reader knows or refuses
    for identity, length, begin in _chunks(stream, ">I" if head[:4] == b"RIFX" else "<I"):
        if identity == b"data":
            if length > size - begin:
                raise FaultError(
                    f"it cannot be read as a WAV file: its samples take {length:,} bytes, it says, but it holds "
                    f"{size - begin:,}; it is cut short or damaged"
                )
            return


def _chunks(stream: BinaryIO, order: str) -> Iterator[tuple[bytes, int, int]]:
    """The name, length and place of each chunk, as many as are allowed."""
    for _ in range(most := current().members):
        head = stream.read(8)
        if len(head) < 8:
            return
        length, begin = struct.unpack(order, head[4:])[0], stream.tell()
        yield head[:4], length, begin
        stream.seek(begin + length + length % 2)
    raise FaultError(
        f"it cannot be read as a WAV file: more than {most:,} chunks before its samples; write it again as PCM"
    )
