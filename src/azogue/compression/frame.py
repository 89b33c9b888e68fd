r"""A value as one run of bytes, and back: the payload of an encrypted container. Nothing in it is ever executed.

    8 bytes     "azogue\0" and the format's number
    4 + 4 bytes length of the header, packed and as it is, little-endian
    header      JSON packed by zlib: what the value is, its leaves, the parts that code them, the model
    parts       the bytes of each, one after the other; the model's, if it travels along
    32 bytes    SHA-256 of the leaves as they are

A reader checks every length against the bytes that there are, and what is to be made against a limit, before it takes
memory.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from azogue.compression import library, packing, unpacking
from azogue.compression.ans import DamagedError
from azogue.compression.leaves import Leaves
from azogue.compression.network import LIMIT, IntegerDecoder
from azogue.compression.packing import Learned, Part
from azogue.compression.values import put_together, take_apart
from azogue.limits import current, too_many_marks

MAGIC = b"azogue\0"
FORMAT = 1
_HEAD = struct.Struct("<7sBII")


class ModelError(DamagedError):
    """A container asks for a model that is not there."""


@dataclass
class Report:
    """How a value was compressed.

    Parameters
    ----------
    raw, size, model_bytes : int
        Bytes of the value, of the frame, and of the model in it.
    parts : list of dict
        `way`, `raw`, `size`, and what other ways took (`others`).
    model : str or None
        SHA-256 of the model that is needed.
    lossy : dict or None
        What is lost: `mse`, `psnr`, `largest` in units of the data.
    """

    raw: int
    size: int
    model_bytes: int = 0
    parts: list[dict[str, Any]] = field(default_factory=list)
    model: str | None = None
    lossy: dict[str, float] | None = None

    def __str__(self) -> str:
        ways = ", ".join(f"{part['way']} {part['raw']:,} → {part['size']:,}" for part in self.parts)
        text = f"{self.raw:,} bytes → {self.size:,} ({ways or 'nothing'})"
        if self.model:
            text += f", model of {self.model_bytes:,} bytes" + (" inside" if self.model_bytes else ", kept outside")
        if self.parts and all(part["way"] in library.WAYS for part in self.parts):
            text += "; learned compression did not pay, the standard library's was shorter"
        for part in self.parts:
            if part["way"] != "network" and "network" in part["others"]:
                text += f"; with the autoencoder's codes it would take about {part['others']['network']:,}"
        if self.lossy:
            text += f"; LOSSY: mean squared error {self.lossy['mse']:.4g}, largest {self.lossy['largest']:.4g}"
        return text


def write(
    value: Any, learned: Learned | None = None, *, model: str = "auto", lossy: Any = None
) -> tuple[bytes, Report]:
    """A value as bytes.

    Parameters
    ----------
    value : see `values.take_apart`
    learned : Learned, optional
        For pictures.
    model : {"auto", "inside", "outside"}
        Whether the decoder travels with the data: `"auto"` puts it in if data and decoder together are shorter than
        without them.
    lossy : (kind, ndarray), optional
        What is told of a lossy value, and its shape-giving array; only the codes of `learned` are stored.
    """
    leaves = Leaves()
    packed_model = b"" if learned is None else library.compress(learned.decoder.to_bytes())[1]
    if lossy is None:
        told = take_apart(value, leaves)
        parts = packing.pack(leaves, learned, 0 if model == "outside" else len(packed_model))
    else:
        told, shape = lossy
        leaves.add(learned.decoder(learned.code).reshape(shape))  # type: ignore[union-attr]
        parts = [packing.lossy_part(shape, 0, learned)]  # type: ignore[arg-type]
    used = learned is not None and any(part.way in ("network", "code") for part in parts)
    header: dict[str, Any] = {
        "value": told,
        "leaves": [packing.spec_of(item) for item in leaves.items],
        "parts": [[part.way, part.leaves, part.facts, [len(one) for one in part.data]] for part in parts],
    }
    body = [one for part in parts for one in part.data]
    if used and learned is not None:
        raw_model = learned.decoder.to_bytes()
        way, packed_model = library.compress(raw_model)
        inside = model != "outside"
        header["model"] = [learned.decoder.sha256, way, len(raw_model), len(packed_model) if inside else 0]
        body += [packed_model] if inside else []
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=True).encode()
    small = zlib.compress(text, 9)
    head = _HEAD.pack(MAGIC, FORMAT, len(small), len(text))
    data = b"".join([head, small, *body, _digest(leaves)])
    report = Report(sum(part.raw for part in parts), len(data), parts=[_told(part) for part in parts])
    if used and learned is not None:
        report.model, report.model_bytes = learned.decoder.sha256, len(packed_model) if model != "outside" else 0
    return data, report


def _told(part: Part) -> dict[str, Any]:
    return {"way": part.way, "raw": part.raw, "size": part.size, "others": part.beaten}


def _digest(leaves: Leaves) -> bytes:
    digest = hashlib.sha256()
    for item in leaves.items:
        digest.update(item if isinstance(item, bytes) else np.ascontiguousarray(item).tobytes())
    return digest.digest()


def describe(data: bytes) -> dict[str, Any]:
    """What bytes that `write` made hold, without unpacking them.

    Raises
    ------
    DamagedError
    """
    header, _ = _header(data)
    parts = [{"way": way, "size": sum(sizes)} for way, _, _, sizes in header["parts"]]
    model = header.get("model")
    told: dict[str, Any] = {"kind": header["value"].get("kind"), "bytes": len(data), "parts": parts}
    told["learned"] = any(part["way"] not in library.WAYS for part in parts)
    told["lossy"] = any(part["way"] == "code" for part in parts)
    return told | {"model": model and model[0], "model_inside": bool(model and model[3])}


def read(data: bytes, model: IntegerDecoder | None = None, max_bytes: int = packing.MAX_BYTES) -> Any:
    """The inverse of `write`.

    Parameters
    ----------
    data : bytes
    model : IntegerDecoder, optional
        For data whose model was kept outside.
    max_bytes : int
        The most memory that the value may take.

    Raises
    ------
    ModelError
        If the data need another model.
    DamagedError
        For bytes that `write` did not make.
    """
    header, at = _header(data)
    specs = unpacking.check_specs(header["leaves"], max_bytes)
    parts = [{"way": way, "leaves": leaves, "facts": facts} for way, leaves, facts, _ in header["parts"]]
    body: list[list[bytes]] = []
    for *_, sizes in header["parts"]:
        own = []
        for size in sizes:
            own.append(data[at : at + size])
            at += size
        body.append(own)
    if "model" in header:
        model, at = _model(header["model"], data, at, model)
    if len(data) != at + 32:
        raise DamagedError("the data have another length than was said")
    try:
        leaves = unpacking.unpack(parts, specs, body, model)
    except DamagedError:
        raise
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, OverflowError) as error:
        raise DamagedError("the description of the data is inconsistent") from error
    if _digest(leaves) != data[-32:]:
        raise DamagedError("what came out is not what went in")
    return put_together(header["value"], leaves)


def _header(data: bytes) -> tuple[dict[str, Any], int]:
    if len(data) < _HEAD.size + 32 or not data.startswith(MAGIC):
        raise DamagedError("it holds no data of Azogue")
    _, number, small, size = _HEAD.unpack_from(data)
    if number != FORMAT:
        raise DamagedError(f"it has the format {number}, this Azogue reads {FORMAT}; use the version that wrote it")
    if size > current().header_bytes or small > len(data) - _HEAD.size - 32:
        raise DamagedError("its header has an impossible size")
    text = library.decompress("zlib", data[_HEAD.size : _HEAD.size + small], size)
    if too_many_marks(text):
        raise DamagedError("its header has more values than are allowed (json_marks of azogue.limits)")
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DamagedError("its header is damaged") from error
    match header:
        case {"value": dict(), "leaves": list(), "parts": list(parts), **others} if set(others) <= {"model"}:
            for part in parts:
                match part:
                    case [str(), list(), dict(), list(sizes)] if all(type(k) is int and k >= 0 for k in sizes):
                        continue
                raise DamagedError("a part is described in an unknown way")
            return header, _HEAD.size + small
    raise DamagedError("its header is not what Azogue writes")


def _model(told: Any, data: bytes, at: int, given: IntegerDecoder | None) -> tuple[IntegerDecoder, int]:
    match told:
        case [str(digest), str(way), int(size), int(packed)] if 0 < size <= LIMIT and 0 <= packed <= len(data):
            pass
        case _:
            raise DamagedError("the model is described in an unknown way")
    if packed:
        given = IntegerDecoder.from_bytes(library.decompress(way, data[at : at + packed], size))
    elif given is None:
        raise ModelError(
            f"it needs the model {digest[:16]}…, which was kept outside; fit or load the cipher that wrote it"
        )
    if given.sha256 != digest:
        raise ModelError(f"it needs the model {digest[:16]}…, this one is {given.sha256[:16]}…; load the right one")
    return given, at + packed


__all__ = ["FORMAT", "DamagedError", "ModelError", "Report", "describe", "read", "write"]
