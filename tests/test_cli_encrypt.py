"""`azogue encrypt` and `azogue decrypt`: files there and back, secrets from files, and faults in one line."""

import json
import stat
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from sklearn.datasets import load_digits

import azogue as az
from azogue.cryptography import Key
from test_cli import azogue


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.delenv("AZOGUE_PASSPHRASE", raising=False)
    np.save(tmp_path / "digits.npy", load_digits().images[:300].astype(np.uint8))
    (tmp_path / "letter.txt").write_bytes(b"dear \xff\r\n" * 50)
    az.Cipher.generate_key().save(tmp_path / "key")
    az.Cipher.generate_key().save(tmp_path / "other")
    return tmp_path


def test_files_come_back_byte_by_byte(place):
    told = json.loads(azogue("encrypt", "letter.txt", "-o", "l.age", "--key-file", "key", "--json", cwd=place).stdout)
    assert told["container"] == (place / "l.age").stat().st_size
    azogue("decrypt", "l.age", "-o", "back.txt", "--key-file", "key", cwd=place)
    assert (place / "back.txt").read_bytes() == (place / "letter.txt").read_bytes()


def test_arrays_are_compressed_as_such(place):
    azogue("encrypt", "digits.npy", "-o", "d.age", "--new-key", "mine", "--key-file", "key", cwd=place)
    assert stat.S_IMODE((place / "mine").stat().st_mode) == 0o600
    assert (place / "d.age").stat().st_size < 0.45 * (place / "digits.npy").stat().st_size
    for key in ("mine", "key"):
        azogue("decrypt", "d.age", "-o", f"{key}.npy", "--key-file", key, cwd=place)
        assert (np.load(place / f"{key}.npy") == np.load(place / "digits.npy")).all()


def test_tables_and_texts_of_python(place):
    cipher = az.Cipher(key=Key.load(place / "key"))
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    for name, value in (("frame", frame), ("text", "ñ"), ("lines", ["a", "b"]), ("objects", np.array([None, 1]))):
        (place / f"{name}.age").write_bytes(cipher.encrypt(value))
    for out in ("f.csv", "f.parquet"):
        azogue("decrypt", "frame.age", "-o", out, "--key-file", "key", cwd=place)
    assert_frame_equal(pd.read_csv(place / "f.csv"), frame)
    assert_frame_equal(pd.read_parquet(place / "f.parquet"), frame)
    assert azogue("decrypt", "text.age", "--key-file", "key", cwd=place).stdout == "ñ"
    assert azogue("decrypt", "lines.age", "-o", "-", "--key-file", "key", cwd=place).stdout == "a\nb\n"
    for args in (("frame.age", "-o", "f.xls"), ("objects.age", "-o", "o.npy")):
        assert azogue("decrypt", *args, "--key-file", "key", cwd=place, ok=False).returncode == 1
        assert not (place / args[-1]).exists()


def test_standard_streams(place):
    command = [sys.executable, "-m", "azogue"]
    made = subprocess.run(
        [*command, "encrypt", "-", "--key-file", "key"], input=b"a\0b", capture_output=True, check=True, cwd=place
    ).stdout
    assert made.startswith(b"age-encryption.org/v1\n")
    assert az.Cipher(key=Key.load(place / "key")).decrypt(made) == b"a\0b"


def test_passphrases_from_files_and_the_environment(place, monkeypatch):
    (place / "word").write_text("correct horse\n")
    azogue("encrypt", "letter.txt", "-o", "p.age", "--passphrase-file", "word", cwd=place)
    monkeypatch.setenv("AZOGUE_PASSPHRASE", "correct horse")
    azogue("decrypt", "p.age", "-o", "p.txt", cwd=place)
    assert (place / "p.txt").read_bytes() == (place / "letter.txt").read_bytes()
    monkeypatch.delenv("AZOGUE_PASSPHRASE")
    done = azogue("decrypt", "p.age", "-o", "q.txt", cwd=place, ok=False)
    assert done.returncode == 1
    assert "AZOGUE_PASSPHRASE" in done.stderr


@pytest.mark.parametrize(
    "args",
    [
        ("encrypt", "absent", "-o", "x", "--key-file", "key"),
        ("encrypt", "letter.txt", "-o", "letter.txt", "--key-file", "key"),
        ("encrypt", "letter.txt", "-o", "no/x", "--key-file", "key"),
        ("encrypt", "letter.txt", "-o", "x"),
        ("encrypt", "letter.txt", "-o", "x", "--recipient", "age1wrong"),
        ("encrypt", "letter.txt", "-o", "x", "--new-key", "key"),
        ("encrypt", "letter.txt", "-o", "x", "--key-file", "letter.txt"),
        ("encrypt", "bad.npy", "-o", "x", "--key-file", "key"),
        ("decrypt", "l.age", "-o", "x"),
        ("decrypt", "l.age", "-o", "x", "--key-file", "other"),
        ("decrypt", "cut.age", "-o", "x", "--key-file", "key"),
        ("decrypt", "letter.txt", "-o", "x", "--key-file", "key"),
        ("decrypt", "l.age", "-o", "x", "--key-file", "key", "--max-bytes", "10"),
    ],
)
def test_faults_are_one_line_and_leave_no_file(place, args):
    azogue("encrypt", "letter.txt", "-o", "l.age", "--key-file", "key", cwd=place)
    (place / "cut.age").write_bytes((place / "l.age").read_bytes()[:-5])
    (place / "bad.npy").write_bytes(b"\x93NUMPY")
    before = sorted(path.name for path in place.iterdir())
    done = azogue(*args, cwd=place, ok=False)
    assert done.returncode == 1
    assert done.stderr.startswith("azogue: ")
    assert len(done.stderr.strip().splitlines()) == 1
    assert "AGE-SECRET-KEY-1Q" not in done.stderr
    assert sorted(path.name for path in place.iterdir()) == before


def test_no_secret_is_an_argument():
    for verb in ("encrypt", "decrypt"):
        told = azogue(verb, "--help").stdout
        assert "--passphrase-file FILE" in told
        assert "--passphrase TEXT" not in told
        assert azogue(verb, "x", "--passphrase=word", ok=False).returncode == 2
