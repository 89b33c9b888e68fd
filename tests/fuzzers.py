"""Fuzzers: good files, changed by chance from a seed, and readers that must answer with their own errors or a value.

    make fuzz SECONDS=600 SEED=7

A finding is an error of another kind than the reader's own, a file that is accepted with altered content where its
format protects every byte, or a reader that takes longer than `SLOW` seconds.
"""

from __future__ import annotations

import io
import json
import random
import struct
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import azogue as az
import hostile_files
from azogue import files
from azogue.cli import tables
from azogue.compression import frame
from azogue.cryptography import CipherError
from azogue.disk import ModelFileError
from azogue.limits import DataFileError, allowing
from azogue.search.cache import Cache

SLOW = 20.0
#: numbers and texts that readers stumble over
ODD: list[Any] = [
    *(None, True, False, 0, -1, 1, 2, 255, 65_536, 2**31, 2**63, -(2**63), 10**30, 0.5, -1.5, 1e308, "", "a", "\0"),
    *("NaN", "$value", "../../x", "é" * 9, [], [[]], {}, {"$value": 1}, {"$spec": "layers.Dense"}, {"$tuple": []}),
    *({"$float": "inf"}, {"$estimator": "Autoencoder", "parameters": {}, "fitted": {}}, [1, 2, 3], [None], [-1, 1]),
]
TOKENS = [
    b"\0",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b'"',
    b",",
    b"\n",
    b"\r",
    b"[",
    b"{",
    b"}",
    b"PK",
    b"'",
    b"1e999",
]


@dataclass(frozen=True)
class Target:
    """Good content, how it is changed and read, and what a reader may raise."""

    seeds: Callable[[Path], list[bytes]]
    read: Callable[[Path], Any]
    errors: tuple[type[Exception], ...]
    mutate: Callable[[bytes, random.Random], bytes]
    sealed: bool = False
    ending: str = ""


def bytes_changed(data: bytes, rng: random.Random) -> bytes:
    """One to four changes: bits, cuts, insertions, repetitions, numbers, tokens."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        at, length = rng.randrange(len(data) + 1), rng.randrange(1, 17)
        changes = (
            lambda: data[:at] + bytes([(data[at : at + 1] or b"\0")[0] ^ 1 << rng.randrange(8)]) + data[at + 1 :],
            lambda: data[:at],
            lambda: data[:at] + rng.randbytes(length) + data[at:],
            lambda: data[:at] + rng.randbytes(length) + data[at + length :],
            lambda: data[:at] + data[at + length :],
            lambda: data[:at] + data[at : at + length] * rng.randrange(2, 50) + data[at + length :],
            lambda: data[:at] + struct.pack("<I", rng.choice((0, 1, 2**31 - 1, 2**32 - 1, at))) + data[at + 4 :],
            lambda: data[:at] + rng.choice(TOKENS) + data[at + rng.randrange(2) :],
        )
        data = rng.choice(changes)()
    return data


def tree_changed(value: Any, rng: random.Random) -> Any:
    """JSON with a node replaced, removed, doubled, or swapped for another one."""
    value = json.loads(json.dumps(value))
    places = list(_places(value))
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        holder, key = rng.choice(places)
        if (isinstance(holder, list) and key >= len(holder)) or (isinstance(holder, dict) and key not in holder):
            continue
        other, name = rng.choice(places)
        what = rng.randrange(6)
        if what < 3:
            holder[key] = json.loads(json.dumps(rng.choice(ODD)))
        elif what == 3:
            del holder[key]
        elif what == 4 and isinstance(holder, list):
            holder.append(json.loads(json.dumps(holder[key])))
        elif (isinstance(other, list) and name < len(other)) or (isinstance(other, dict) and name in other):
            holder[key] = json.loads(json.dumps(other[name]))
        if isinstance(holder, dict) and key in holder and rng.random() < 0.1:
            holder[str(rng.choice(ODD))] = holder.pop(key)
        if isinstance(holder.get(key) if isinstance(holder, dict) else None, int) and rng.random() < 0.5:
            holder[key] += rng.choice((-1, 1, 1000, 10**9))
    return value


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield value, key
        yield from _places(item)


def manifest_changed(data: bytes, rng: random.Random) -> bytes:
    """A file of the container with another manifest, whose hashes are right all the same."""
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + length])
    record = json.loads(header["__metadata__"]["azogue"])
    record["manifest"] = tree_changed(record["manifest"], rng)
    text = files._spell(record)
    header["__metadata__"] = {"azogue": text, "sha256": files._text_hash(text)}
    return hostile_files.framed(files._spell(header).encode(), data[8 + length :])


def frame_changed(data: bytes, rng: random.Random) -> bytes:
    """What an encrypted container holds, with another header or other parts."""
    import zlib

    if rng.random() < 0.4:
        return bytes_changed(data, rng)
    magic, number, small, _ = frame._HEAD.unpack_from(data)
    header = json.loads(zlib.decompress(data[frame._HEAD.size : frame._HEAD.size + small]))
    text = json.dumps(tree_changed(header, rng)).encode()
    packed = zlib.compress(text)
    return frame._HEAD.pack(magic, number, len(packed), len(text)) + packed + data[frame._HEAD.size + small :]


def lines_changed(data: bytes, rng: random.Random) -> bytes:
    """CSV or JSON lines with cells moved about."""
    if rng.random() < 0.5:
        return bytes_changed(data, rng)
    lines = data.split(b"\n")
    at, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[at] = rng.choice(
        (lines[other], lines[at] + b"," + lines[other], b'"' + lines[at], b"", lines[at] * 3, b"\xff")
    )
    return b"\n".join(lines)


# -- good content ----------------------------------------------------------------------------------------------------


def _frame_of_all_kinds() -> Any:
    import pandas as pd

    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "n": rng.normal(size=40),
            "k": rng.integers(0, 9, 40),
            "c": rng.choice(list("xyz"), 40),
            "b": rng.random(40) < 0.5,
            "t": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 900, 40), unit="D"),
        }
    )


def models(folder: Path) -> list[bytes]:
    """Small models of several kinds."""
    table = _frame_of_all_kinds()
    rng, quick = np.random.default_rng(0), {"epochs": 1, "random_state": 0}
    conv = az.Input() + az.Conv(2, 3, stride=2) + az.Dense(2) + az.Output()
    made = [
        az.SparseAutoencoder(2, corruption=az.corruptions.Swap(0.2), **quick).fit(table),
        az.VariationalAutoencoder(2, learning_rate=az.optimizers.Cosine(1e-2), **quick).fit(table[["n", "k"]]),
        az.VectorQuantizedAutoencoder(2, **quick).fit(rng.normal(size=(30, 3))),
        az.Autoencoder(conv, **quick).fit(rng.integers(0, 255, (20, 8, 8)).astype("uint8")),
        az.Autoencoder(2, modality=az.modalities.Sequence(8), **quick).fit(rng.normal(size=100)),
        az.Autoencoder(2, modality="text", **quick).fit(["one two", "two three", "three one four"] * 5),
        az.AnomalyDetector(az.Autoencoder(2, epochs=1), random_state=0).fit(table),
        az.Imputer(az.Autoencoder(2, epochs=1), random_state=0).fit(table),
    ]
    found = []
    for number, one in enumerate(made):
        one.save(folder / f"seed{number}")
        found.append((folder / f"seed{number}").read_bytes())
    return found


def _saved(save: Callable[[Path], Any]) -> Callable[[Path], list[bytes]]:
    def make(folder: Path) -> list[bytes]:
        save(folder / "seed")
        return [(folder / "seed").read_bytes()]

    return make


def _containers(folder: Path) -> list[bytes]:
    return [hostile_files.sealed(folder, b"a word")]


def _payloads(folder: Path) -> list[bytes]:
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 9, (6, 8, 8)).astype("uint8")
    columns = np.repeat(rng.normal(size=(10, 2)).round(1), 10, axis=0)
    values = [b"bytes" * 9, "text", ["a", None, "b"], pictures, columns, _frame_of_all_kinds(), np.array(["x", "yy"])]
    return [frame.write(value)[0] for value in values]


def _arrays(folder: Path) -> list[bytes]:
    plain = hostile_files.npy(hostile_files.declared("(2, 2)"), bytes(32))
    return [plain, hostile_files.zipped({"X.npy": plain, "y.npy": plain})]


def _tables(folder: Path) -> list[bytes]:
    text = _frame_of_all_kinds().to_csv(index=False)
    return [text.encode(), b'a;b\n"x;y";1\n"z ""q""";2\n', "único,ñ\n1,ü\n".encode()]


def _parquets(folder: Path) -> list[bytes]:
    columns = {"a": list(range(50)), "b": ["x", "y"] * 25, "c": [0.5, None] * 25}
    return [hostile_files.parquet(columns), hostile_files.parquet(columns, compression="zstd", row_group_size=10)]


def _pictures(folder: Path) -> list[bytes]:
    import PIL.Image

    found = []
    for kind in ("PNG", "GIF", "BMP", "JPEG", "TIFF", "WEBP"):
        stream = io.BytesIO()
        PIL.Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(stream, kind)
        found.append(stream.getvalue())
    return found


def _read_picture(path: Path) -> Any:
    from azogue.modalities.pictures import Files, survey

    return Files((path,), [path.name], survey([path], None)).take(slice(None))


def _read_wave(path: Path) -> Any:
    from azogue.modalities.waves import read_wave

    return read_wave(path)


def _open(path: Path) -> Any:
    from azogue import cryptography
    from azogue.keys import Key

    return cryptography.open(path.read_bytes(), key=Key.load(path.parent / "key"))


TARGETS = {
    "model": Target(models, az.load, (ModelFileError,), bytes_changed, sealed=True),
    "schema": Target(models, az.load, (ModelFileError,), manifest_changed),
    "index": Target(
        _saved(lambda path: az.HammingIndex().add(np.arange(24, dtype=np.uint8).reshape(3, 8)).save(path)),
        az.HammingIndex.load,
        (ModelFileError,),
        lambda data, rng: manifest_changed(data, rng) if rng.random() < 0.5 else bytes_changed(data, rng),
    ),
    "csv": Target(_tables, lambda path: tables.read_table(str(path)), (DataFileError,), lines_changed, ending=".csv"),
    "lines": Target(_tables, lambda path: tables.read_lines(str(path)), (DataFileError,), lines_changed, ending=".txt"),
    "array": Target(_arrays, lambda path: tables.read_table(str(path)), (DataFileError,), bytes_changed, ending=".npz"),
    "parquet": Target(
        _parquets, lambda path: tables.read_table(str(path)), (DataFileError,), bytes_changed, ending=".parquet"
    ),
    "sound": Target(lambda folder: [hostile_files.good_sound()], _read_wave, (ModelFileError,), bytes_changed),
    "picture": Target(_pictures, _read_picture, (ModelFileError,), bytes_changed, ending=".png"),
    "container": Target(_containers, _open, (CipherError,), bytes_changed, sealed=True),
    "payload": Target(
        _payloads,
        lambda path: frame.read(path.read_bytes(), max_bytes=1 << 26),
        (frame.DamagedError,),
        frame_changed,
    ),
    "cache": Target(
        _saved(lambda path: [Cache(path).__setitem__(str(at), {"error": at / 7}) for at in range(3)]),
        Cache,
        (ValueError,),
        lines_changed,
    ),
}


def fuzzed(
    name: str, folder: Path, seed: int, tries: int | None = None, seconds: float | None = None
) -> dict[str, Any]:
    """Change good files of a kind and read them, a number of times or for some seconds.

    Returns
    -------
    dict
        `tries`, `accepted`, `slowest` and `findings`: texts, each with the seed that makes it again.
    """
    target, begun = TARGETS[name], time.monotonic()
    folder.mkdir(exist_ok=True)
    seeds = target.seeds(folder)
    told: dict[str, Any] = {"tries": 0, "accepted": 0, "slowest": 0.0, "findings": []}
    path = folder / f"fuzzed{target.ending}"
    with warnings.catch_warnings(), allowing(json_marks=200_000):
        warnings.simplefilter("ignore")
        while told["tries"] != tries and (seconds is None or time.monotonic() - begun < seconds):
            rng = random.Random(f"{name} {seed} {told['tries']}")
            good = rng.choice(seeds)
            bad = target.mutate(good, rng)
            told["tries"] += 1
            path.write_bytes(bad)
            if fault := _look(target, path, bad == good, told):
                told["findings"].append(f"{name}, seed {seed}, try {told['tries'] - 1}: {fault}")
    return told


def _look(target: Target, path: Path, same: bool, told: dict[str, Any]) -> str:
    started = time.perf_counter()
    fault = ""
    try:
        target.read(path)
        told["accepted"] += 1
        if target.sealed and not same:
            fault = "accepted with altered content"
    except target.errors as error:
        if len(str(error)) > 20_000:
            fault = f"a message of {len(str(error)):,} letters"
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        fault = f"{type(error).__name__}: {str(error)[:200]} ({Path(where.filename).name}:{where.lineno})"
    took = time.perf_counter() - started
    told["slowest"] = max(told["slowest"], took)
    return fault or (f"took {took:.1f} s" if took > SLOW else "")
