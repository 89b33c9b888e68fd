"""Encryption, what it costs and how small it is: `python benchmarks/encryption.py [part …]`.

Parts:
- mnist, cifar, adult, digits: bytes of whole containers beside zlib, lzma and PNG, models counted; seconds of one core.
- codes: what an autoencoder's code adds to the contexts, on MNIST and on pictures that a code knows better.
- trips: 10,000 arrays, texts and frames there and back, at random.
- flips: every flipped bit and every cut of a container of 4 KB.
- age: 200 files of 0 to 200,000 bytes each way with the program `age`, where that is installed.
- audit: scores and attacks for each scheme of `NeuralCipher`, on digits.

MNIST, CIFAR and Adult are looked for in ../shared/data, or in AZOGUE_DATA.
"""

from __future__ import annotations

import gzip
import io
import lzma
import os
import shutil
import subprocess
import tempfile
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image
from sklearn.datasets import load_digits

import azogue as az
from azogue import cryptography
from azogue.compression import frame, packing
from azogue.compression.network import distilled
from azogue.cryptography import CipherError
from parts import run

DATA = Path(os.environ.get("AZOGUE_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
KEY = az.Cipher.generate_key()


def png(pictures: np.ndarray) -> int:
    stream = io.BytesIO()
    Image.fromarray(pictures).save(stream, "PNG", optimize=True)
    return len(stream.getvalue())


def sizes(value: Any, raw: bytes, **others: int) -> None:
    cipher = az.Cipher(key=KEY)
    start = time.process_time()
    container = cipher.encrypt(value)
    middle = time.process_time()
    back = cipher.decrypt(container)
    stop = time.process_time()
    same = back.equals(value) if isinstance(value, pd.DataFrame) else back.tobytes() == value.tobytes()
    others |= {"zlib": len(zlib.compress(raw, 9)), "lzma": len(lzma.compress(raw, preset=9 | lzma.PRESET_EXTREME))}
    print(
        f"  {len(raw):,} bytes; ours {len(container):,} in {middle - start:.1f} s, back in {stop - middle:.1f} s",
        end="",
    )
    print(f", every bit: {same}")
    print("  " + ", ".join(f"{name} {size:,} (ours {len(container) / size - 1:+.1%})" for name, size in others.items()))
    print(f"  {cipher.report_}")


def mnist_pictures() -> np.ndarray:
    return np.load(DATA / "mnist" / "mnist.npz")["x_test"].reshape(-1, 28, 28)


def mnist() -> None:
    X = mnist_pictures()
    sizes(X, X.tobytes(), **{"PNG, one": png(X.reshape(-1, 28)), "PNG, each": sum(png(x) for x in X)})


def cifar() -> None:
    held = np.load(DATA / "cifar10_subset" / "cifar10_jpeg_12k.npz")
    ends = zip(held["test_off"][:-1], held["test_off"][1:], strict=True)
    X = np.stack([np.asarray(Image.open(io.BytesIO(held["test_jpeg"][a:b].tobytes()))) for a, b in ends])
    sizes(X, X.tobytes(), **{"PNG, one": png(X.reshape(-1, 32, 3)), "PNG, each": sum(png(x) for x in X)})


def adult() -> None:
    path = DATA / "tables" / "adult-train.csv.gz"
    with gzip.open(path) as stream:
        raw = stream.read()
    sizes(pd.read_csv(path, header=None, skipinitialspace=True, na_values="?"), raw)


def digits() -> None:
    X = load_digits().images.astype(np.uint8)
    sizes(X, X.tobytes(), **{"PNG, one": png(X.reshape(-1, 8))})


def codes() -> None:
    X = mnist_pictures()[:3000]
    for size in (4, 8, 16):
        net = az.Input() + az.Dense(256, "relu") + az.Dense(size) + az.Dense(256, "relu") + az.Output()
        cipher = az.Cipher(az.Autoencoder(net, epochs=15), key=KEY, random_state=0).fit(X)
        learned = packing.Learned(cipher.decoder_, cipher._codes(X))
        alone, joined = packing.compared(X[..., None], learned)
        model = len(cipher.decoder_.to_bytes())
        print(f"  MNIST, {size} units: contexts alone {alone:,}; codes and the rest {joined:,}; model {model:,}")
    rng = np.random.default_rng(0)
    z = rng.integers(-20, 21, (2000, 3)).astype(np.int8)
    X = np.clip(128 + 1.2 * z @ rng.normal(size=(3, 144)), 0, 255).astype(np.uint8)
    learned = packing.Learned(distilled(z, X, 24, 0), z)
    report = frame.write(X.reshape(-1, 12, 12), learned)[1]
    print(f"  mixtures of three patterns of noise: {report}; without {frame.write(X.reshape(-1, 12, 12))[1].size:,}")


def trips() -> None:
    rng, count, start = np.random.default_rng(0), 0, time.process_time()
    kinds = ["u1", "<i2", ">i4", "<i8", "<f4", "<f8", "?", "<U3", "<M8[s]", "<c16"]
    while count < 10_000:
        shape = tuple(rng.integers(0, 9, rng.integers(0, 4)))
        if rng.random() < 0.1:
            shape = (int(rng.integers(64, 200)), int(rng.integers(1, 4)))
        dtype = np.dtype(kinds[rng.integers(len(kinds))])
        value: Any = np.frombuffer(rng.bytes(int(np.prod(shape)) * dtype.itemsize), dtype)
        value = rng.integers(0, 2, shape).astype(dtype) if dtype.kind in "bU" else value.reshape(shape)
        if count % 10 == 0:
            value = pd.DataFrame({"a": rng.normal(size=9).round(1), "b": rng.choice(["x", None, "ñ"], 9)})
        elif count % 10 == 1:
            value = "".join(map(chr, rng.integers(1, 0xD800, rng.integers(0, 200))))
        back = frame.read(frame.write(value)[0])
        same = back.equals(value) if isinstance(value, pd.DataFrame) else isinstance(value, str) and back == value
        if isinstance(value, np.ndarray):
            same = (back.tobytes(), back.dtype, back.shape) == (value.tobytes(), value.dtype, value.shape)
        if not same:
            raise SystemExit(f"trips: {value!r} came back as {back!r}")
        count += 1
    print(f"  {count:,} values came back whole, in {time.process_time() - start:.0f} s")


def flips() -> None:
    cipher = az.Cipher(key=KEY)
    container = cipher.encrypt(np.random.default_rng(0).bytes(3700))
    refused, tries = 0, [container[:size] for size in range(len(container))]
    for bit in range(8 * len(container)):
        wrong = bytearray(container)
        wrong[bit >> 3] ^= 1 << (bit & 7)
        tries.append(bytes(wrong))
    for wrong in tries:
        try:
            cipher.decrypt(wrong)
        except CipherError:
            refused += 1
    print(f"  {len(container):,} bytes: {refused:,} of {len(tries):,} flips and cuts refused")


def age() -> None:
    program = shutil.which("age")
    if program is None:
        print("  the program age is not installed; Debian has it: apt-get install age")
        return
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    rng, recipient = np.random.default_rng(0), str(KEY.recipient)
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder) / "key.txt"
        KEY.save(own)
        for number in range(200):
            data = rng.bytes(int(10 ** rng.uniform(0, 5.3)) - 1)
            theirs = subprocess.run([program, "-r", recipient], input=data, capture_output=True, check=True).stdout
            ours = cryptography.seal(data, recipients=[recipient])
            back = subprocess.run([program, "-d", "-i", str(own)], input=ours, capture_output=True, check=True).stdout
            if cryptography.open(theirs, key=KEY) != data or back != data:
                raise SystemExit(f"age: file {number} of {len(data)} bytes came back as something else")
    print(f"  age {version}: 200 files each way came back whole")


def audit() -> None:
    X = load_digits().data
    for scheme in ("code", "overcomplete", "uniform", "image", "chaotic"):
        print(az.NeuralCipher(scheme=scheme, random_state=0).fit(X[:1200]).audit(X[1200:]))
    print(
        az.NeuralCipher(scheme="symbols", random_state=0).fit(None).audit([__doc__.replace("\n", " ").replace("…", "")])
    )


PARTS = {
    "mnist": mnist,
    "cifar": cifar,
    "adult": adult,
    "digits": digits,
    "codes": codes,
    "trips": trips,
    "flips": flips,
    "age": age,
    "audit": audit,
}

if __name__ == "__main__":
    run(PARTS)
