"""Encryption, what it costs and how small it is: `python benchmarks/encryption.py [part …]`.

Parts:
- mnist, cifar, adult, digits: bytes of whole containers beside zlib, lzma and PNG, models counted; seconds of one core.
- codes: what an autoencoder's code adds to the contexts, on MNIST and on pictures that a code knows better.
- trips: 10,000 arrays, frames, texts and bytes that hypothesis draws, there and back, with one thread and with two.
- flips: every flipped bit and every cut of a container of 4 KB.
- age: 200 files of 0 to 200,000 bytes each way with the program `age`, where that is installed.
- dear: the published vector of age with work factor 23, and how soon it is refused.
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


def _values() -> dict[str, Any]:
    """What hypothesis draws: arrays of every dtype and shape, long ones, frames, and texts, bytes and lists."""
    from hypothesis import strategies as st
    from hypothesis.extra import numpy as hnp
    from hypothesis.extra import pandas as hpd

    columns = [
        hpd.column("a", dtype=np.int64),
        hpd.column("b", dtype=np.float64),
        hpd.column("c", elements=st.none() | st.text(max_size=4), dtype=object),
        hpd.column("d", dtype=np.bool_),
        hpd.column("e", dtype="datetime64[ns]"),
    ]
    dtypes = hnp.scalar_dtypes() | hnp.unicode_string_dtypes(max_len=3) | hnp.byte_string_dtypes(max_len=3)
    long_shapes = st.tuples(st.integers(64, 100), st.integers(1, 4))
    cells = {"min_value": 0, "max_value": 1}
    return {
        "arrays": hnp.arrays(dtypes, hnp.array_shapes(min_dims=0, max_side=8, min_side=0)),
        "long arrays": hnp.arrays(st.sampled_from([np.uint8, np.int32, np.float64]), long_shapes, elements=cells),
        "frames": hpd.data_frames(columns, index=hpd.range_indexes(max_size=12)),
        "texts": st.binary(max_size=300) | st.text(max_size=300) | st.lists(st.none() | st.text(max_size=9)),
    }


def _same(back: Any, value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return (back.tobytes(), back.dtype, back.shape) == (value.tobytes(), value.dtype, value.shape)
    if isinstance(value, pd.DataFrame):
        pd.testing.assert_frame_equal(back, value, check_exact=True)
        return back["b"].to_numpy().tobytes() == value["b"].to_numpy().tobytes()
    return type(back) is type(value) and back == value


def trips() -> None:
    import torch
    from hypothesis import HealthCheck, given, settings
    from hypothesis import strategies as st
    from threadpoolctl import ThreadpoolController

    cipher, pools, counts = az.Cipher(key=KEY), ThreadpoolController(), dict.fromkeys(_values(), 0)
    many = settings(max_examples=2_500, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
    start = time.process_time()

    def trip(name: str, value: Any) -> None:
        threads = counts[name] % 2 + 1
        torch.set_num_threads(threads)
        with pools.limit(limits=threads):
            container = cipher.encrypt(value)
        torch.set_num_threads(3 - threads)
        with pools.limit(limits=3 - threads):
            assert _same(cipher.decrypt(container), value), name
        counts[name] += 1

    for name, strategy in _values().items():
        many(given(st.just(name), strategy)(trip))()
    told = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    print(f"  {sum(counts.values()):,} values of hypothesis came back whole ({told}), encrypted with one thread and")
    print(f"  opened with two or the other way round, in {time.process_time() - start:.0f} s")


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


def dear() -> None:
    """A container whose passphrase asks for 2²³ units of work (8 GiB): how long it takes to be refused."""
    words = b"-> scrypt rF0/NwblUHHTpgQgRpe5CQ 23\nqW9eVsT0NVb/Vswtw8kPIxUnaYmm9Px1dYmq2+4+qZA\n"
    data = b"age-encryption.org/v1\n" + words + b"--- 38TpQMxQRRNMfmYYpBX6DDrPx4/QY5UmJnhPyVoX/cw\n" + bytes(64)
    took = []
    for _ in range(101):
        start = time.perf_counter()
        try:
            cryptography.open(data, passphrase="password")
        except CipherError as error:
            told = str(error)
        took.append(time.perf_counter() - start)
    print(f"  {told}: refused in {1e3 * float(np.median(took)):.3f} ms, at most {1e3 * max(took):.3f}, of 101 times")


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
    "dear": dear,
    "audit": audit,
}

if __name__ == "__main__":
    run(PARTS)
