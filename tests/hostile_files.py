"""Files that mean harm, made by code: what they are called, who reads them, and what the error has to say."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import pickle
import struct
import wave
import zipfile
import zlib
from pathlib import Path

import numpy as np

#: How files are read: by the ending behind the last dot of their name.
READERS = ("model", "index", "cache", "table", "lines", "sound", "pictures", "folder", "container")
MIB = 1 << 20


class Bomb:
    """What a pickle runs when it is loaded: it makes a file `owned`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self):
        return os.system, (f"touch {self.folder}/owned",)


def spelled(value) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def framed(text: bytes, data: bytes = b"") -> bytes:
    """A header in front of data, as safetensors has it."""
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def model(manifest="{}", *, kind="model", tensors=None, data=b"", hashes=None, extra="") -> bytes:
    """A file whose hashes are right, whatever the rest is; `manifest` is JSON text."""
    tensors = tensors or {}
    hashes = dict.fromkeys(tensors, "0" * 64) | (hashes or {})
    record = f'{{"format":1,"kind":"{kind}","manifest":{manifest},"tensors":{spelled(hashes)}}}'
    told = {"azogue": record, "sha256": hashlib.sha256(record.encode()).hexdigest()}
    return framed((spelled({"__metadata__": told} | tensors)[:-1] + extra + "}").encode(), data)


def slot(dtype, shape, start, stop):
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, stop]}


def digest(dtype, shape, data) -> str:
    return hashlib.sha256(f"{dtype}{spelled(shape)}".encode() + data).hexdigest()


def estimator(name, **parameters) -> str:
    told = {key: {"$value": value} for key, value in parameters.items()}
    libraries = {"azogue": "0"}
    return spelled({"estimator": {"$estimator": name, "parameters": told, "fitted": {}}, "libraries": libraries})


def zipped(entries, **how) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=9, **how) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return stream.getvalue()


def locked(archive: bytes) -> bytes:
    """Its first entry is said to be encrypted."""
    at = archive.index(b"PK\x01\x02") + 8
    return archive[:at] + b"\x01" + archive[at + 1 :]


def npy(text: str, data=b"", version=1) -> bytes:
    raw = text.encode("latin1") + b"\n"
    size = struct.pack("<H", len(raw)) if version == 1 else struct.pack("<I", len(raw))
    return b"\x93NUMPY" + bytes([version, 0]) + size + raw + data


def declared(shape, descr="'<f8'") -> str:
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"


def riff(*chunks, size=None) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body


def chunk(name: bytes, data: bytes, size=None) -> bytes:
    return name + struct.pack("<I", len(data) if size is None else size) + data


def sound_format(bits=16, channels=1) -> bytes:
    width = channels * bits // 8
    return chunk(b"fmt ", struct.pack("<HHIIHH", 1, channels, 8000, 8000 * width, width, bits))


def png(width, height, body=b"") -> bytes:
    def part(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", zlib.compress(body)) + part(b"IEND", b"")


def parquet(columns, **how) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet as files

    stream = io.BytesIO()
    files.write_table(pa.table(columns), stream, **how)
    return stream.getvalue()


def repeated(length: int, rows: int) -> bytes:
    """A column that says a long text again and again."""
    import pyarrow as pa

    texts = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), ["x" * length])
    return parquet({"a": texts}, store_schema=False, compression="zstd")


def with_footer(size: int) -> bytes:
    good = parquet({"a": [1, 2, 3]})
    return good[:-8] + struct.pack("<I", size) + b"PAR1"


def sealed(folder: Path, payload: bytes) -> bytes:
    from azogue import cryptography
    from azogue.keys import Key

    path = folder / "key"
    if not path.exists():
        Key.generate().save(path)
    return cryptography.seal(payload, recipients=[Key.load(path)])


def frame(header: bytes, *, size=None, body=b"") -> bytes:
    small = zlib.compress(header, 9)
    head = struct.pack("<7sBII", b"azogue\0", 1, len(small), len(header) if size is None else size)
    return head + small + body + bytes(32)


def age(*lines: bytes) -> bytes:
    return b"\n".join([b"age-encryption.org/v1", *lines, b"--- " + b"A" * 43, b""]) + bytes(100)


def _evil(folder):
    return pickle.dumps(Bomb(folder))


def _sparse(path, head, size):
    with path.open("wb") as stream:
        stream.write(head)
        stream.truncate(size)


def _huge(path, piece, count, head=b""):
    with path.open("wb") as stream:
        stream.write(head)
        for _ in range(count):
            stream.write(piece)


W = slot("F32", [2], 0, 8)
#: name.reader → (bytes, or a function of folder and path; what the error says)
FILES = {
    # model files
    "pickle.model": (lambda f, p: p.write_bytes(_evil(f)), "pickle"),
    "old pickle.model": (lambda f, p: p.write_bytes(pickle.dumps(Bomb(f), 0)), "no file that Azogue wrote|text"),
    "torch.model": (lambda f, p: p.write_bytes(zipped({"archive/data.pkl": _evil(f)})), "zip archive"),
    "joblib.model": (lambda f, p: p.write_bytes(zlib.compress(_evil(f))), "no file that Azogue wrote"),
    "keras.model": (b"\x89HDF\r\n\x1a\n" + bytes(2048), "HDF5"),
    "gzip.model": (lambda f, p: p.write_bytes(gzip.compress(bytes(70 * MIB), 1)), "compressed"),
    "model and zip.model": (lambda f, p: p.write_bytes(model() + zipped({"data.pkl": _evil(f)})), "bytes instead of"),
    "zip and model.model": (lambda f, p: p.write_bytes(zipped({"data.pkl": _evil(f)}) + model()), "zip archive"),
    "script and model.model": (b"#!/bin/sh\ntouch owned\n" + model(), "no file that Azogue wrote"),
    "endless.model": (lambda f, p: p.symlink_to("/dev/zero"), "device or pipe"),
    "pipe.model": (lambda f, p: os.mkfifo(p), "device or pipe"),
    "circle.model": (lambda f, p: p.symlink_to(p), "cannot be read"),
    "folder.model": (lambda f, p: p.mkdir(), "folder"),
    "header of 2^63.model": (struct.pack("<Q", 1 << 63) + b"{" + bytes(100), "header|no file"),
    "header beyond.model": (lambda f, p: _sparse(p, struct.pack("<Q", 40 * MIB) + b"{", 41 * MIB), "header"),
    "header of holes.model": (lambda f, p: _sparse(p, struct.pack("<Q", 31 * MIB) + b"{", 32 * MIB), "JSON"),
    "many lists.model": (
        lambda f, p: _huge(p, b"[]," * MIB, 8, struct.pack("<Q", 24 * MIB) + b'{"a":[ '),
        "values",
    ),
    "many keys.model": (
        lambda f, p: p.write_bytes(framed(spelled({str(at): {} for at in range(400_000)}).encode())),
        "another program",
    ),
    "deep.model": (lambda f, p: p.write_bytes(model("[" * 50_000 + "]" * 50_000)), "JSON"),
    "deep header.model": (lambda f, p: p.write_bytes(framed(b'{"a":' * 100_000)), "JSON"),
    "two keys.model": (model('{"a":1,"a":2}'), "record"),
    "two tensors.model": (model(tensors={"w": W}, data=bytes(8), extra=',"w":' + spelled(W)), "spelled"),
    "NaN.model": (model('{"a":NaN}'), "JSON"),
    "Infinity.model": (model('{"a":-Infinity}'), "JSON"),
    "digits.model": (model('{"a":' + "9" * 100_000 + "}"), "JSON"),
    "overlap.model": (model(tensors={"a": W, "b": W}, data=bytes(16)), "spelled"),
    "out of range.model": (model(tensors={"w": slot("F32", [1 << 40], 0, 1 << 42)}, data=bytes(8)), "bytes instead of"),
    "backwards.model": (model(tensors={"w": slot("F32", [2], 8, 0)}, data=bytes(8)), "spelled"),
    "impossible.model": (model(tensors={"w": slot("F32", [1 << 62, 1 << 62], 0, 8)}, data=bytes(8)), "impossible"),
    "wrong hash.model": (model(tensors={"w": W}, data=bytes(8)), "SHA-256"),
    "terabyte.model": (lambda f, p: _sparse(p, model(), 1 << 40), "bytes"),
    "checkpoint.model": (model(kind="checkpoint"), "not a model"),
    "os.system.model": (model(estimator("os.system", command="touch owned")), "not defined"),
    "eval.model": (model(estimator("builtins:eval", source="1")), "not defined"),
    "spec of subprocess.model": (
        model(estimator("Autoencoder", network={"$spec": "subprocess.Popen", "args": "touch owned"})),
        "not defined",
    ),
    "dunder.model": (
        model(
            spelled(
                {
                    "estimator": {
                        "$estimator": "Autoencoder",
                        "parameters": {},
                        "fitted": {"__class__": {"$value": 1}},
                    },
                    "libraries": {},
                }
            )
        ),
        "fitted attribute",
    ),
    "billion units.model": (
        model(estimator("Autoencoder", network={"$tuple": [10**9, 10**9]})[:-1] + ',"more":1}'),
        "parts",
    ),
    # indices and caches
    "wide.index": (
        model(
            spelled({"n_bits": 4096, "codes": 1}),
            kind="index",
            tensors={"codes": slot("U8", [1, 512], 0, 512)},
            hashes={"codes": digest("U8", [1, 512], bytes(512))},
            data=bytes(512),
        ),
        "bits",
    ),
    "narrow.index": (
        model(
            spelled({"n_bits": 0, "codes": 9}),
            kind="index",
            tensors={"codes": slot("U8", [9, 0], 0, 0)},
            hashes={"codes": digest("U8", [9, 0], b"")},
        ),
        "bits",
    ),
    "other.cache": (lambda f, p: p.write_bytes(_evil(f)), "no cache"),
    "endless.cache": (lambda f, p: _sparse(p, b"{", 1 << 40), "more than"),
    # arrays
    "32 GiB.npy.table": (npy(declared("(4294967296,)"))[:128], "declares an array of 34,359,738,368 bytes"),
    "32 GiB, wide.npy.table": (npy(declared("(65536, 65536)")), "declares"),
    "objects.npy.table": (lambda f, p: p.write_bytes(npy(declared("(1,)", "'|O'"), _evil(f))), "Python objects"),
    "hidden objects.npy.table": (
        lambda f, p: p.write_bytes(npy(declared("(1,)", "[('a', '<f8'), ('b', '|O')]"), _evil(f))),
        "Python objects",
    ),
    "structured.npy.table": (npy(declared("(1,)", "[('a', '<f8')]"), bytes(8)), "dtype"),
    "header of 4 GiB.npy.table": (
        lambda f, p: _sparse(p, b"\x93NUMPY\x02\x00" + struct.pack("<I", (1 << 32) - 20), 1 << 32),
        "header has",
    ),
    "nested header.npy.table": (npy("(" * 9000), "header is damaged"),
    "code in the header.npy.table": (npy("__import__('os').system('touch owned')"), "header is damaged"),
    "nothing wide.npy.table": (npy(declared("(1000000000000,)", "'|S0'")), "declares|takes more"),
    "negative.npy.table": (npy(declared("(-1,)"), bytes(80)), "shape"),
    "text.npy.table": (b"a,b\n1,2\n", "no array"),
    "empty.npy.table": (b"", "no array"),
    "bomb.npz.table": (
        lambda f, p: p.write_bytes(zipped({"X.npy": npy(declared("(9175040,)"), bytes(70 * MIB))})),
        "unpacks to more than",
    ),
    "objects.npz.table": (
        lambda f, p: p.write_bytes(zipped({"X.npy": npy(declared("(1,)", "'|O'"), _evil(f))})),
        "Python",
    ),
    "lying.npz.table": (zipped({"X.npy": npy(declared("(4294967296,)"))}), "declares"),
    "crowd.npz.table": (lambda f, p: p.write_bytes(zipped({f"{at}.npy": b"" for at in range(2000)})), "2,000 arrays"),
    "directory.npz.table": (
        lambda f, p: p.write_bytes(bytes(2 * MIB) + b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 9, 9, 2 * MIB, 0, 0)),
        "no array",
    ),
    "locked.npz.table": (
        locked(zipped({"X.npy": npy(declared("(1,)"), bytes(8))})),
        "locked",
    ),
    # text
    "bomb.csv.gz.table": (
        lambda f, p: p.write_bytes(gzip.compress(b"1,2\n" * (18 * MIB), 9)),
        "unpacks to more than|binary",
    ),
    "zeros.csv.gz.table": (lambda f, p: p.write_bytes(gzip.compress(bytes(70 * MIB), 1)), "binary"),
    "torn.csv.gz.table": (gzip.compress(b"a,b\n1,2\n" * 1000)[:-9], "cannot be read"),
    "million columns.csv.table": (
        lambda f, p: p.write_bytes((",".join(["a"] * 1_000_000) + "\n").encode() * 2),
        "1,000,000 columns",
    ),
    "long field.csv.table": (lambda f, p: _huge(p, b"x" * MIB, 40, b"a,b\n1,"), "line of more"),
    "long quoted field.csv.table": (lambda f, p: _huge(p, b"x" * MIB, 40, b'a,b\n1,"'), "line of more"),
    "open quote.csv.table": (lambda f, p: _huge(p, b"x\n" * MIB, 20, b'a,b\n1,"'), "broken CSV"),
    "NUL.csv.table": (b"a,b\n" + b"1,2\n" * 5000 + b"3,\0\n", "binary"),
    "UTF-16.csv.table": ("a,b\n1,2\n".encode("utf-16"), "UTF-16"),
    "Latin-1.csv.table": ("a,b\nñandú,1\n".encode("latin1"), "not UTF-8"),
    "Latin-1 names.csv.table": ("año,b\n1,2\n".encode("latin1"), "not UTF-8"),
    "ragged.csv.table": (b"a,b\n1,2\n1,2,3\n", "broken CSV"),
    "endless.csv.table": (lambda f, p: p.symlink_to("/dev/zero"), "device or pipe"),
    "pipe.csv.table": (lambda f, p: os.mkfifo(p), "device or pipe"),
    "endless.txt.lines": (lambda f, p: p.symlink_to("/dev/urandom"), "device or pipe"),
    "Latin-1.txt.lines": ("ñandú\n".encode("latin1"), "not UTF-8"),
    # Parquet
    "footer beyond.parquet.table": (lambda f, p: p.write_bytes(with_footer(1 << 30)), "footer"),
    "footer within.parquet.table": (lambda f, p: p.write_bytes(with_footer(20)), "cannot be read"),
    "garbage footer.parquet.table": (
        b"PAR1" + bytes(range(256)) * 4 + struct.pack("<I", 1000) + b"PAR1",
        "cannot be read",
    ),
    "cut.parquet.table": (lambda f, p: p.write_bytes(parquet({"a": list(range(1000))})[:-20]), "cannot be read"),
    "bomb.parquet.table": (
        lambda f, p: p.write_bytes(parquet({"a": np.zeros(12_000_000)}, compression="zstd")),
        "unpacks to more than",
    ),
    "one long text.parquet.table": (lambda f, p: p.write_bytes(repeated(10 * MIB, 10_000)), "takes more than|unpacks"),
    "pickle.parquet.table": (lambda f, p: p.write_bytes(_evil(f)), "cannot be read"),
    # sound
    "4 GiB.wav.sound": (riff(sound_format(), chunk(b"data", bytes(64), (1 << 32) - 2)), "samples take 4,294,967,294"),
    "4 GiB of 24 bits.wav.sound": (riff(sound_format(24), chunk(b"data", bytes(64), (1 << 32) - 2)), "samples take"),
    "crowd.wav.sound": (
        lambda f, p: p.write_bytes(riff(sound_format(), chunk(b"junk", b"") * 500_000)),
        "1,000 chunks",
    ),
    "no channels.wav.sound": (riff(sound_format(16, 0), chunk(b"data", bytes(64))), "cannot be read"),
    "no samples.wav.sound": (riff(sound_format(), chunk(b"data", b"")), "no samples"),
    "text.wav.sound": (b"<html>", "cannot be read"),
    "endless.wav.sound": (lambda f, p: p.symlink_to("/dev/zero"), "device or pipe"),
    # pictures
    "60,000 squared.png.pictures": (png(60_000, 60_000), "pixels"),
    "9,500 squared.png.pictures": (png(9_500, 9_500), "pixels"),
    "torn.png.pictures": (png(64, 64, bytes(100)), "broken"),
    "script.png.pictures": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(owned) (w) file\n", "no picture"),
    "endless.png.pictures": (lambda f, p: p.symlink_to("/dev/zero"), "device or pipe"),
    "deep.folder": (lambda f, p: (p / "/".join(["a"] * 150)).mkdir(parents=True), "nested deeper"),
    # containers
    "work.container": (age(b"-> scrypt AAAAAAAAAAAAAAAAAAAAAA 30", b"A" * 43), "work"),
    "garbage.container": (b"age-encryption.org/v1\n" + bytes(range(256)), "header"),
    "endless header.container": (
        lambda f, p: p.write_bytes(b"age-encryption.org/v1\n" + b"-> X25519 A\n" * 500_000),
        "header",
    ),
    "header bomb.container": (lambda f, p: p.write_bytes(sealed(f, frame(bytes(30 * MIB)))), "header"),
    "header lies.container": (lambda f, p: p.write_bytes(sealed(f, frame(bytes(30 * MIB), size=8))), "size"),
    "many lists.container": (lambda f, p: p.write_bytes(sealed(f, frame(b"[" + b"[]," * (8 * MIB) + b"1]"))), "values"),
    "terabyte.container": (
        lambda f, p: p.write_bytes(
            sealed(f, frame(spelled({"value": {}, "leaves": [["<f8", [1 << 37]]], "parts": []}).encode()))
        ),
        "asks for more",
    ),
    "objects.container": (
        lambda f, p: p.write_bytes(
            sealed(f, frame(spelled({"value": {}, "leaves": [["|O", [1]]], "parts": []}).encode()))
        ),
        "decrypt",
    ),
}


def make(folder: Path, names=FILES) -> dict[str, Path]:
    """Make the files in a folder that exists.

    The reader is the last part of a name; the file is called by what stands before it.
    """
    made = {}
    for number, name in enumerate(names):
        content, _ = FILES[name]
        place = folder / f"{number:03d}"
        place.mkdir()
        path = place / name.rpartition(".")[0]
        path.write_bytes(content) if isinstance(content, bytes) else content(folder, path)
        made[name] = path
    return made


def good_sound() -> bytes:
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(200))
    return stream.getvalue()
