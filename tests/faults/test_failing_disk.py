"""Every write, flush, fsync, rename and open failing in turn: the old file stays loadable, the error names it."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import azogue as az
from azogue import files, keys
from azogue.cli import main, tables
from azogue.modalities.pictures import write_pictures
from azogue.modalities.waves import write_wave
from azogue.search.cache import Cache
from faults.failing import Disk, every_fault

posix = pytest.mark.skipif(os.name != "posix", reason="about POSIX files")
ROWS = np.random.default_rng(0).normal(size=(60, 4))
OLD, NEW = ROWS[:20], ROWS[20:]
SEED = {"epochs": 2, "random_state": 0, "patience": None}


@pytest.fixture(scope="module")
def models():
    """An old and a new one: their codes tell them apart."""
    return az.Autoencoder(2, **SEED).fit(OLD), az.Autoencoder(2, **SEED).fit(NEW)


def table(rows):
    return pa.table({f"c{number}": rows[:, number] for number in range(4)})


def csv_rows(path):
    return tables.as_array(tables.read_table(str(path)))


def index_of(rows):
    return az.HammingIndex(64).add(np.ascontiguousarray(rows).view(np.uint8).reshape(-1, 8)[: len(rows)])


def codes_of(path):
    return az.HammingIndex.load(path).codes


#: name of the file → (write rows there, read what is comparable from there)
WRITERS = {
    "result.csv": (lambda rows, path: tables.write_table(table(rows), str(path)), csv_rows),
    "result.parquet": (
        lambda rows, path: tables.write_table(table(rows), str(path)),
        lambda path: tables.as_array(tables.read_table(str(path))),
    ),
    "result.npy": (lambda rows, path: tables.write_table(rows, str(path)), np.load),
    "index.azogue": (lambda rows, path: index_of(rows).save(path), codes_of),
    "sound.wav": (
        lambda rows, path: write_wave(str(path), rows[:, 0].astype(np.float32), 8000),
        lambda path: path.read_bytes(),
    ),
    "picture.png": (
        lambda rows, path: write_pictures((rows[None] * 20 + 128).astype(np.uint8), path.parent, [path.name]),
        lambda path: path.read_bytes(),
    ),
    "tensors.azogue": (
        lambda rows, path: files.write(path, "model", {"rows": len(rows)}, {}),
        lambda path: files.read(path, "model"),
    ),
}


def same(a, b):
    return np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b


def left(folder):
    return sorted(item.name for item in folder.iterdir())


def check(write, read, path, expected_error=az.ModelFileError):
    """Old rows are at `path`; writing new ones either works or leaves the old ones and names the file."""
    write(OLD, path)
    old = read(path)
    content = path.read_bytes()
    write(NEW, path)
    new = read(path)
    assert not same(old, new)
    outcomes = []
    for what, error in every_fault(lambda: write(NEW, path), restore=lambda: path.write_bytes(content)):
        if error is None:
            assert same(read(path), new), what
        else:
            assert type(error) is expected_error, f"{what}: {error!r}"
            assert str(path) in str(error), what
            assert same(read(path), old), what
        assert left(path.parent) == [path.name], what
        outcomes.append((what, error is None))
    failed = {what.split(", ")[-1] for what, fine in outcomes if not fine}
    assert failed >= {"open", "fdopen", "write", "fsync", "replace", "close"}, failed
    assert any(what.startswith("short write") and fine for what, fine in outcomes)
    assert any(what.startswith("torn write") and not fine for what, fine in outcomes)


@posix
@pytest.mark.parametrize("name", WRITERS)
def test_results(tmp_path, name):
    write, read = WRITERS[name]
    check(write, read, tmp_path / name)


@posix
def test_models(tmp_path, models):
    old, new = models
    check(
        lambda rows, path: (old if rows is OLD else new).save(path),
        lambda path: az.load(path).encode(ROWS),
        tmp_path / "m.azogue",
    )


@posix
def test_a_cipher_s_output(tmp_path, models, capsys):
    """As the command line writes it: exit status 1 and one line that names the file."""
    key = tmp_path / "key.txt"
    keys.Key.generate().save(key)
    for name, rows in (("old", OLD), ("new", NEW)):
        tables.write_table(table(rows), str(tmp_path / f"{name}.csv"))
    out = tmp_path / "out.age"

    def encrypt(name):
        with pytest.raises(SystemExit) as left:
            _cli("encrypt", tmp_path / f"{name}.csv", "--key-file", key, "-o", out)
        return left.value.code or 0

    def decrypted():
        with pytest.raises(SystemExit):
            _cli("decrypt", out, "--key-file", key, "-o", tmp_path / "again.csv")
        return csv_rows(tmp_path / "again.csv")

    assert encrypt("old") == 0
    content = out.read_bytes()
    failures = 0
    capsys.readouterr()
    codes = []
    for what, error in every_fault(lambda: codes.append(encrypt("new")), restore=lambda: out.write_bytes(content)):
        told = capsys.readouterr().err
        assert error is None, what
        assert len(decrypted()) in (20, 40), what
        capsys.readouterr()
        if codes[-1]:
            failures += 1
            assert codes[-1] == 1, what
            assert len(told.splitlines()) == 1, told
            assert str(out) in told
            assert "Traceback" not in told
            assert out.read_bytes() == content, what
    assert failures >= 8


def _cli(*args):
    import sys
    from unittest import mock

    with mock.patch.object(sys, "argv", ["azogue", *map(str, args)]):
        main()
        raise SystemExit(0)


@posix
def test_keys(tmp_path):
    """A key file is new or there is none: half a key locks its owner out."""
    path = tmp_path / "key.txt"
    for what, error in every_fault(
        lambda: keys.Key.generate().save(path), restore=lambda: path.unlink(missing_ok=True)
    ):
        if error is None:
            keys.Key.load(path)
        else:
            assert type(error) is az.CipherError, f"{what}: {error!r}"
            assert str(path) in str(error), what
            assert not path.exists(), what


@posix
def test_a_search_s_cache(tmp_path):
    """It warns, naming the file, and the search goes on; what was kept before is still read."""
    path = tmp_path / "search.jsonl"
    Cache(path)["a"] = {"error": 0.5}
    content, told = path.read_bytes(), []

    def add():
        cache = Cache(path)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            cache["b"] = {"error": 0.25}
        told.append([str(warning.message) for warning in caught])
        assert cache["b"] == {"error": 0.25}

    for what, error in every_fault(add, restore=lambda: path.write_bytes(content)):
        assert error is None, what
        again = Cache(path)
        assert again["a"] == {"error": 0.5}, what
        assert told[-1] or again["b"] == {"error": 0.25}, what
        assert all(str(path) in text for text in told[-1]), what
        again["c"] = {"error": 0.125}  # behind a torn line, too
        assert Cache(path)["c"] == {"error": 0.125}, what
    assert any(told)


@posix
def test_checkpoints(tmp_path):
    """Wherever writing fails, there is a state to go on from, to the same bits."""
    whole = az.Autoencoder(2, **{**SEED, "epochs": 3}).fit(ROWS).network_.state_dict()
    folder, failures = tmp_path / "run", 0
    kept = az.Checkpoint(folder / "c")

    def fit(resume):
        made = az.Autoencoder(2, **{**SEED, "epochs": 3}, checkpoint=kept, resume=resume)
        return made.fit(ROWS).network_.state_dict()

    def restore():
        folder.mkdir(exist_ok=True)
        for path in folder.iterdir():
            path.unlink()

    for what, error in every_fault(lambda: fit(False), restore=restore, faults=("EIO", "torn write")):
        there = [path for path in folder.iterdir() if path.name in ("c", "c.1", "c.best")]
        for path in there:
            files.read(path, "checkpoint")
        assert not [name for name in left(folder) if name.endswith(".tmp")], what
        if error is not None:
            failures += 1
            assert type(error) is az.ModelFileError, f"{what}: {error!r}"
            assert str(folder / "c") in str(error), what
        again = fit(True)
        assert all(np.array_equal(again[name], value) for name, value in whole.items()), what
    assert failures > 15


def test_the_disk_fails_where_it_is_told(tmp_path):
    """Else the checks above see nothing."""
    with Disk(10**9, "EIO") as disk:
        files.write(tmp_path / "m", "model", {}, {})
    assert disk.operations == ["open", "fdopen", "write", "fsync", "close", "replace", "open", "fsync"]
    assert not disk.failed
    assert Path(os.devnull).exists()
