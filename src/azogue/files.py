"""The container of everything that Azogue stores: one safetensors file, no byte of which is unprotected.

    8 bytes     length of the header, little-endian
    header      JSON: `__metadata__`, and dtype, shape and place of every tensor; padded with spaces to 8 bytes
    data        the tensors one after the other, widest items first, then by name, without holes

The metadata hold two texts: `azogue`, a JSON *record* of format, kind, manifest and the SHA-256 of every tensor (of its
dtype and shape as in `F32[2,3]`, then its bytes), and `sha256`, the SHA-256 of that text. Everything has one spelling
(sorted keys, no spaces, ASCII, no doubled keys): a reader who spells the header anew must get the file's own bytes.

Nothing in a file is ever executed. This module does not import torch before it meets a tensor.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
import sys
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from azogue.disk import FaultError, ModelFileError, atomic_write, naming, opened
from azogue.limits import LIMITS, Limits, current, remedy, too_many_marks

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from io import BufferedReader

    from torch import Tensor

    from azogue.disk import AnyPath

__all__ = ["FORMAT", "LIMITS", "Limits", "ModelFileError", "atomic_write", "peek", "read", "write"]

FORMAT = 1


#: dtype in files → torch's name and bytes an item
_DTYPES = {
    "F64": ("float64", 8),
    "F32": ("float32", 4),
    "F16": ("float16", 2),
    "BF16": ("bfloat16", 2),
    "I64": ("int64", 8),
    "I32": ("int32", 4),
    "I16": ("int16", 2),
    "I8": ("int8", 1),
    "U8": ("uint8", 1),
    "BOOL": ("bool", 1),
}
_METADATA = "__metadata__"
_DAMAGED = "it is damaged; take it from a backup, or save it again"


@dataclass(frozen=True)
class _Slot:
    """A tensor's dtype, shape and place `start:stop` in the data."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int


def write(path: AnyPath, kind: str, manifest: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Write manifest and tensors into one file, atomically.

    Parameters
    ----------
    path : path-like
        The file; what stood there is replaced once the new one is complete.
    kind : str
        What the file is, such as `"model"` or `"checkpoint"`; `read` asks for it again.
    manifest : mapping
        JSON: None, booleans, finite numbers, text, lists, mappings with text for keys.
    tensors : mapping of str to Tensor
        Of any shape and device; float16/32/64, bfloat16, int8/16/32/64, uint8 or bool.

    Raises
    ------
    ModelFileError
        If something cannot be stored or the file cannot be written. What stood there before is untouched.

    Examples
    --------
    >>> import tempfile, torch
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(f"{folder}/tiny.azogue", "model", {"answer": 42}, {"w": torch.ones(2)})
    ...     read(f"{folder}/tiny.azogue", "model")
    ({'answer': 42}, {'w': tensor([1., 1.])})
    """
    with naming(path):
        slots = _layout({name: _describe(name, tensor) for name, tensor in tensors.items()})
        hashes = {name: _tensor_hash(slot, _bytes_of(tensors[name])) for name, slot in slots.items()}
        record = {"format": FORMAT, "kind": kind, "manifest": dict(manifest), "tensors": hashes}
        header = _header(_spell(record), slots)
        _check_size(len(header), len(header) + _end(slots))
        _check_marks(header)
        atomic_write(path, chain([header], (_bytes_of(tensors[name]) for name in slots)))


def read(path: AnyPath, kind: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read what `write` wrote, and refuse everything else.

    Parameters
    ----------
    path : path-like
    kind : str
        What the file must be.

    Returns
    -------
    manifest : dict
    tensors : dict of str to Tensor
        In the order of their names, on the CPU, writable, each with memory of its own.

    Raises
    ------
    ModelFileError
        If the file is something else, of another kind, of a newer format, damaged, or altered in any byte.
    """
    with naming(path), opened(path) as (stream, size):
        record, slots = _read_header(stream, size)
        if record["kind"] != kind:
            raise FaultError(f"it holds a {record['kind']}, not a {kind}; give a {kind} file")
        tensors = {name: _read_tensor(stream, name, slot, record["tensors"][name]) for name, slot in slots.items()}
        return record["manifest"], {name: tensors[name] for name in sorted(tensors)}


def mapped(path: AnyPath, kind: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """As `read`, but tensors stay in the file: read-only arrays of numpy that are mapped into memory.

    All is checked but the tensors' values: nothing of them is read before it is used.

    Raises
    ------
    ModelFileError
        As `read`; and for bfloat16, which numpy does not have.
    """
    import numpy as np

    with naming(path), opened(path) as (stream, size):
        record, slots = _read_header(stream, size)
        if record["kind"] != kind:
            raise FaultError(f"it holds a {record['kind']}, not a {kind}; give a {kind} file")
        start, arrays = stream.tell(), {}
        for name, slot in slots.items():
            if slot.dtype == "BF16":
                raise FaultError(f"its tensor {name!r} is bfloat16, which cannot be mapped; read the file whole")
            dtype = np.dtype(_DTYPES[slot.dtype][0])
            whole = slot.stop > slot.start
            arrays[name] = (
                np.memmap(stream, dtype, "r", start + slot.start, slot.shape) if whole else np.empty(slot.shape, dtype)
            )
        return record["manifest"], arrays


def peek(path: AnyPath) -> dict[str, Any]:
    """The manifest of a file of any kind, after all checks but those of the tensors' values.

    Raises
    ------
    ModelFileError
        As `read`.
    """
    with naming(path), opened(path) as (stream, size):
        manifest: dict[str, Any] = _read_header(stream, size)[0]["manifest"]
        return manifest


def _spell(value: Any) -> str:
    """Values → the one spelling of their JSON."""
    try:
        text = json.dumps(value, allow_nan=False, sort_keys=True, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise FaultError(f"its manifest is no JSON ({error}); pass the values through azogue.values.to_json") from error
    _check_tree(value)
    return text


def _parse(text: str) -> Any:
    """JSON → values. Whoever calls spells them again, which refuses doubled keys, NaN and infinity."""
    _check_marks(text.encode("utf-8", "surrogatepass"))
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FaultError(f"its header is no valid JSON ({error}): {_DAMAGED}") from error
    _check_tree(value)
    return value


def _check_tree(value: Any) -> None:
    """Go down level by level; refuse keys that are no text, and too many levels."""
    level = [value]
    for _ in range(current().json_depth):
        level = [child for node in level for child in _children(node)]
        if not level:
            return
    raise FaultError(f"its JSON is nested deeper than {current().json_depth} levels; store something flatter")


def _children(node: Any) -> Iterable[Any]:
    if isinstance(node, dict):
        if wrong := [key for key in node if not isinstance(key, str)]:
            raise FaultError(f"its manifest has the key {wrong[0]!r}, which is no text; use text")
        return node.values()
    return node if isinstance(node, (list, tuple)) else ()


def _check_size(header: int, size: int) -> None:
    limits = current()
    if header > limits.header_bytes or size > limits.file_bytes:
        raise FaultError(
            f"it has {size} bytes, {header} of them header, where {limits.file_bytes} and {limits.header_bytes} are "
            "allowed; store less in one file, or raise file_bytes and header_bytes (azogue.limits)"
        )


def _check_marks(text: bytes) -> None:
    if too_many_marks(text):
        most = current().json_marks
        raise FaultError(
            f"its header has more than {most:,} values; store less in one file, or {remedy('json_marks', most + 1)}"
        )


def _text_hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _tensor_hash(slot: _Slot, content: memoryview) -> str:
    digest = hashlib.sha256(f"{slot.dtype}{_spell(slot.shape)}".encode())
    digest.update(content)
    return digest.hexdigest()


def _layout(tensors: Mapping[str, tuple[str, tuple[int, ...]]]) -> dict[str, _Slot]:
    """Dtypes and shapes by name → the one order of the tensors: each aligned to its items, no holes."""
    if len(tensors) > current().tensors:
        raise FaultError(f"it has {len(tensors)} tensors, more than the {current().tensors} allowed; join some")
    slots, start = {}, 0
    for name in sorted(tensors, key=lambda name: (-_DTYPES[tensors[name][0]][1], name)):
        dtype, shape = tensors[name]
        item = _DTYPES[dtype][1]
        if len(shape) > current().dimensions or math.prod(max(size, 1) for size in shape) * item > sys.maxsize:
            raise FaultError(f"its tensor {name!r} has an impossible shape: {_DAMAGED}")
        slots[name] = _Slot(dtype, shape, start, start + math.prod(shape) * item)
        start = slots[name].stop
    return slots


def _end(slots: Mapping[str, _Slot]) -> int:
    return max((slot.stop for slot in slots.values()), default=0)


def _header(record: str, slots: Mapping[str, _Slot]) -> bytes:
    """The file's bytes before the data."""
    header: dict[str, Any] = {_METADATA: {"azogue": record, "sha256": _text_hash(record)}}
    for name, slot in slots.items():
        header[name] = {"dtype": slot.dtype, "shape": slot.shape, "data_offsets": [slot.start, slot.stop]}
    text = _spell(header)
    padded = text + " " * (-len(text) % 8)
    return struct.pack("<Q", len(padded)) + padded.encode("ascii")


def _describe(name: Any, tensor: Any) -> tuple[str, tuple[int, ...]]:
    """A tensor's dtype and shape, if a file can hold it."""
    import torch

    if not isinstance(name, str) or name == _METADATA or any("\ud800" <= letter <= "\udfff" for letter in name):
        raise FaultError(f"{name!r} cannot be the name of a tensor; use plain text")
    if not isinstance(tensor, torch.Tensor) or tensor.layout != torch.strided or tensor.is_meta:
        raise FaultError(f"{name!r} is no dense tensor with values but {type(tensor).__name__}; convert it")
    for dtype, (known, _) in _DTYPES.items():
        if tensor.dtype == getattr(torch, known):
            return dtype, tuple(tensor.shape)
    raise FaultError(f"tensor {name!r} has the dtype {tensor.dtype}, which no file holds; convert it to another")


def _bytes_of(tensor: Tensor) -> memoryview:
    """The tensor's memory; a copy only where it lies scattered or on another device."""
    import torch

    dense = tensor.detach().cpu().resolve_neg().contiguous()
    items = dense.as_strided((dense.numel(),), (1,))  # a single item may be contiguous and yet have another stride
    return items.view(torch.uint8).numpy().data


def _read_tensor(stream: BufferedReader, name: str, slot: _Slot, expected: str) -> Tensor:
    """Read the next tensor straight into memory of its own and verify it."""
    import torch

    try:
        tensor = torch.empty(slot.shape, dtype=getattr(torch, _DTYPES[slot.dtype][0]), device="cpu")
    except RuntimeError as error:
        raise MemoryError from error
    content = _bytes_of(tensor)  # the tensor's own memory
    if stream.readinto(content) != len(content) or _tensor_hash(slot, content) != expected:
        raise FaultError(f"its tensor {name!r} does not match its SHA-256: {_DAMAGED}")
    if tensor.dtype == torch.bool and (tensor.view(torch.uint8) > 1).any():
        raise FaultError(f"its tensor {name!r} has values that are neither true nor false: {_DAMAGED}")
    return tensor


def _read_header(stream: BufferedReader, size: int) -> tuple[dict[str, Any], dict[str, _Slot]]:
    """The record and the tensors' places, all checked; the stream then stands at the data."""
    start = stream.read(512)
    length = int.from_bytes(start[:8], "little")
    if what := _what_it_seems(start, length):
        raise FaultError(f"it {what}, no file that Azogue wrote; give one made by save()")
    _check_size(length, size)
    if 8 + length > size:
        raise FaultError(f"it is cut short: {size} bytes of at least {8 + length}; copy or download it again")
    stream.seek(8)
    raw = stream.read(length)
    header = _parse(raw.decode("latin-1"))
    text, record = _record(header)
    slots = _layout({name: _stated(name, entry) for name, entry in header.items() if name != _METADATA})
    if _header(text, slots)[8:] != raw:
        raise FaultError(f"its header is not spelled as Azogue does (order, spaces, offsets, doubled keys): {_DAMAGED}")
    if set(slots) != set(record["tensors"]):
        raise FaultError(f"its record names other tensors than it has: {_DAMAGED}")
    if size != 8 + length + _end(slots):
        raise FaultError(f"it has {size} bytes instead of {8 + length + _end(slots)}; copy or download it again")
    return record, slots


def _record(header: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The record's text and content, once format, hash and spelling are right."""
    metadata = header.get(_METADATA)
    if not isinstance(metadata, dict) or not isinstance(text := metadata.get("azogue"), str):
        raise FaultError("it is a safetensors file of another program; give one made by save()")
    if metadata.get("sha256") != _text_hash(text):
        raise FaultError(f"its manifest does not match its SHA-256: {_DAMAGED}")
    record = _parse(text)
    number = record.get("format") if isinstance(record, dict) else None
    if type(number) is int and number > FORMAT:
        raise FaultError(f"it was written by a newer Azogue (format {number}, this one reads {FORMAT}); upgrade Azogue")
    match record:
        case {"format": _, "kind": str(), "manifest": dict(), "tensors": dict(), **others} if not others:
            if type(number) is int and number == FORMAT and _spell(record) == text:
                return text, record
    raise FaultError(f"its record is not what Azogue writes: {_DAMAGED}")


def _stated(name: str, entry: Any) -> tuple[str, tuple[int, ...]]:
    """Dtype and shape of a tensor as the header states them."""
    match entry:
        case {"dtype": str(dtype), "shape": list(shape), "data_offsets": list(), **others} if not others:
            if dtype in _DTYPES and all(type(size) is int and size >= 0 for size in shape):
                return dtype, tuple(shape)
    raise FaultError(f"its header describes tensor {name!r} in an unknown way: {_DAMAGED}")


#: first bytes of files that are none of ours, and what they are
_SIGNATURES: tuple[tuple[bytes | tuple[bytes, ...], str], ...] = (
    (b"PK\x03\x04", "is a zip archive, as torch.save, numpy.savez, Keras and Excel make them"),
    ((b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"), "is a pickle, which can run any code when it is loaded"),
    (b"\x89HDF\r\n\x1a\n", "is an HDF5 file, as Keras makes them"),
    ((b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd"), "is a compressed file (gzip, bzip2, xz, zstd)"),
    (b"\x93NUMPY", "is a NumPy array (.npy)"),
    ((b"PAR1", b"ARROW1"), "is a Parquet or Arrow table"),
    (b"SQLite format 3", "is an SQLite database"),
    ((b"\x89PNG", b"\xff\xd8\xff", b"GIF8"), "is a picture (PNG, JPEG, GIF)"),
    (b"RIFF", "is a sound or a picture (WAV, WebP)"),
    (b"%PDF", "is a PDF document"),
    (b"age-encryption.org/", "is encrypted by age"),
    (b"version https://git-lfs", "is a mere pointer of Git LFS (fetch the file with `git lfs pull`)"),
    ((b"\x08\x07\x12", b"\x08\x08\x12", b"\x08\x09\x12", b"\x08\x0a\x12"), "seems to be an ONNX model"),
)


def _what_it_seems(start: bytes, length: int) -> str:
    """What a file is by its first bytes, to follow "it"; nothing if it may be ours."""
    if start[8:9] == b"{" and length <= current().header_bytes:
        return ""
    for magic, what in _SIGNATURES:
        if start.startswith(magic):
            return what
    if start.lstrip()[:1] == b"<":
        return "is HTML or XML, perhaps the web page of a download"
    if start[:2] in (b"\xff\xfe", b"\xfe\xff") or (start and all(byte >= 32 or byte in b"\t\n\r" for byte in start)):
        return "is text, such as CSV or JSON"
    if start[8:9] == b"{":
        return f"has a header of {length} bytes, more than the {current().header_bytes} allowed"
    return "is of unknown or damaged content" if start else "is empty"
