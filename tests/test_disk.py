"""Files on a real disk: foreign ones are named, failures and kills leave the old file, nothing stays behind."""

from __future__ import annotations

import errno
import gzip
import io
import json
import os
import pickle
import re
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import torch
from PIL import Image
from safetensors.torch import save as safetensors_save

from azogue import disk
from azogue.disk import ModelFileError, atomic_write
from azogue.files import peek, read, write

posix = pytest.mark.skipif(os.name != "posix", reason="about POSIX files and processes")
OLD, NEW = {"version": "old"}, {"version": "new"}


@pytest.fixture
def path(tmp_path):
    """A file that the tests try to replace."""
    write(tmp_path / "m.azogue", "model", OLD, {"w": torch.ones(1000)})
    return tmp_path / "m.azogue"


def left(folder):
    """Names of all files in a folder, hidden ones included."""
    return sorted(item.name for item in folder.iterdir())


def assert_old_and_alone(path):
    """The old file loads, and no temporary file lies beside it."""
    assert read(path, "model")[0] == OLD
    assert left(path.parent) == [path.name]


def made(save):
    """The bytes that a function writes into a stream."""
    stream = io.BytesIO()
    save(stream)
    return stream.getvalue()


ARRAY = np.arange(6.0)
TABLE = pa.table({"x": [1, 2]})
FOREIGN = {
    "torch": (made(lambda stream: torch.save({"w": torch.ones(2)}, stream)), "zip archive, as torch.save"),
    "old torch": (
        made(lambda stream: torch.save([1], stream, _use_new_zipfile_serialization=False)),
        "pickle, which can run any code",
    ),
    **{f"pickle {i}": (pickle.dumps({"w": [1]}, protocol=i), "pickle") for i in range(2, 6)},
    "npz": (made(lambda stream: np.savez(stream, ARRAY)), "zip archive"),
    "npy": (made(lambda stream: np.save(stream, ARRAY)), "NumPy array"),
    "parquet": (made(lambda stream: pyarrow.parquet.write_table(TABLE, stream)), "Parquet"),
    "png": (made(lambda stream: Image.new("L", (4, 4)).save(stream, "PNG")), "picture"),
    "jpeg": (made(lambda stream: Image.new("L", (4, 4)).save(stream, "JPEG")), "picture"),
    "gzip": (gzip.compress(b"hello"), "compressed"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(600), "HDF5"),
    "wav": (b"RIFF\x24\0\0\0WAVEfmt ", "sound"),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3", "PDF"),
    "sqlite": (b"SQLite format 3\0" + bytes(100), "SQLite"),
    "age": (b"age-encryption.org/v1\n-> scrypt", "encrypted by age"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    "onnx": (b"\x08\x08\x12\x07pytorch", "ONNX"),
    "html": (b"\n<!DOCTYPE html><html>404</html>", "web page"),
    "csv": (b"age,height\n31,1.74\n", "text, such as CSV"),
    "latin-1 csv": ("año,niño\n1,2\n".encode("latin-1"), "text, such as CSV"),
    "excel's text": ("a\tb\n".encode("utf-16"), "text"),
    "json": (json.dumps({"a": {"b": [1, 2]}}).encode(), "text, such as CSV or JSON"),
    "json with a brace at byte 8": (b'[{"a":1,{"b":2}]', "text"),
    "empty": (b"", "empty"),
    "one byte": (b"\0", "unknown or damaged"),
    "zeros": (bytes(5000), "unknown or damaged"),
    "noise": (np.random.default_rng(0).bytes(5000), "unknown or damaged"),
    "safetensors": (safetensors_save({"w": torch.ones(2)}, {"format": "pt"}), "safetensors file of another program"),
    "safetensors without metadata": (safetensors_save({"w": torch.ones(2)}), "another program"),
}


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("reader", [lambda path: read(path, "model"), peek])
def test_foreign_files_are_named(tmp_path, name, reader):
    content, what = FOREIGN[name]
    (tmp_path / "given").write_bytes(content)
    with pytest.raises(ModelFileError, match=rf"given: it .*{what}.*; give"):
        reader(tmp_path / "given")


def test_what_is_no_file_is_named(tmp_path):
    with pytest.raises(ModelFileError, match="it is a folder; give"):
        read(tmp_path, "model")
    with pytest.raises(ModelFileError, match=r"nothing\.azogue: cannot be read: it does not exist; check the path"):
        read(tmp_path / "nothing.azogue", "model")
    with pytest.raises(ModelFileError, match="null character"):
        read(str(tmp_path / "nu\0ll"), "model")
    with pytest.raises(ModelFileError, match="too long"):
        read(tmp_path / ("n" * 300), "model")


@posix
def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ModelFileError, match="device or pipe"):
        read(tmp_path / "pipe", "model")
    with pytest.raises(ModelFileError, match="device or pipe"):
        atomic_write(tmp_path / "pipe", b"x")
    assert (tmp_path / "pipe").is_fifo()


def test_too_little_memory_is_said(path, monkeypatch):
    def full(*_args, **_kwargs):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(torch, "empty", full)
    with pytest.raises(ModelFileError, match=r"m\.azogue: there is not enough memory for it; free some"):
        read(path, "model")


# Writing


@pytest.mark.parametrize("data", [b"abc", bytearray(b"abc"), memoryview(b"abc"), [b"a", memoryview(b"bc")], (b"abc",)])
@pytest.mark.parametrize("kind", [str, Path, os.fsencode])
def test_bytes_are_written(tmp_path, data, kind):
    atomic_write(kind(tmp_path / "out"), data)
    assert (tmp_path / "out").read_bytes() == b"abc"
    assert left(tmp_path) == ["out"]


@posix
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_the_umask_is_honoured(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        atomic_write(tmp_path / "out", b"x")
    finally:
        os.umask(before)
    assert (tmp_path / "out").stat().st_mode & 0o777 == mode


@posix
def test_links_are_followed(tmp_path, path):
    (tmp_path / "links").mkdir()
    link = tmp_path / "links" / "latest.azogue"
    link.symlink_to(path)
    write(link, "model", NEW, {})
    assert link.is_symlink()
    assert read(path, "model")[0] == NEW
    assert left(tmp_path / "links") == ["latest.azogue"]


@posix
def test_nobody_can_set_a_trap_with_a_link_in_the_temporary_file_s_place(path, monkeypatch):
    monkeypatch.setattr(disk.secrets, "token_hex", lambda _: "guessed")
    victim = path.with_name("victim")
    victim.write_text("precious")
    path.with_name(f"{disk._prefix(path)}{os.getpid()}-guessed.tmp").symlink_to(victim)
    with pytest.raises(ModelFileError, match="File exists"):
        write(path, "model", NEW, {})
    assert victim.read_text() == "precious"
    assert read(path, "model")[0] == OLD


def test_the_longest_names_can_be_written(tmp_path):
    atomic_write(tmp_path / ("n" * 255), b"x")
    with pytest.raises(ModelFileError, match="the name is too long; choose a shorter one"):
        atomic_write(tmp_path / ("n" * 256), b"x")
    assert left(tmp_path) == ["n" * 255]


def test_folders_and_missing_folders_are_refused(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(ModelFileError, match="folder: cannot be written: it is a folder"):
        write(tmp_path / "folder", "model", {}, {})
    with pytest.raises(ModelFileError, match=r"the folder .*nowhere does not exist; create it first"):
        write(tmp_path / "nowhere" / "m.azogue", "model", {}, {})
    assert left(tmp_path) == ["folder"]


def fail(code):
    """A stand-in for a function of the operating system that fails."""

    def function(*_args, **_kwargs):
        raise OSError(code, os.strerror(code))

    return function


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (errno.ENOSPC, "the disk is full; free some space and try again; what stood there before is intact"),
        (errno.EACCES, "permission is missing; choose another place"),
        (errno.EROFS, "the disk is read-only"),
        (errno.EIO, re.escape(os.strerror(errno.EIO))),
    ],
)
@pytest.mark.parametrize("function", ["open", "fdopen", "fsync", "replace"])
def test_a_failing_disk_leaves_the_old_file(path, monkeypatch, function, code, message):
    with monkeypatch.context() as patch:
        patch.setattr(os, function, fail(code))
        with pytest.raises(ModelFileError, match=rf"m\.azogue: cannot be written: {message}") as caught:
            write(path, "model", NEW, {"w": torch.zeros(1000)})
    assert caught.value.__cause__.errno == code
    assert_old_and_alone(path)


@posix
def test_a_disk_that_fails_while_writing_leaves_the_old_file(path):
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(ModelFileError, match="cannot be written: File too large"):
            write(path, "model", NEW, {"w": torch.zeros(100_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert_old_and_alone(path)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, RuntimeError, TypeError])
def test_any_interruption_leaves_the_old_file(path, kind):
    def chunks():
        yield b"x" * 100_000
        raise kind

    with pytest.raises(kind):
        atomic_write(path, chunks())
    assert_old_and_alone(path)


def test_a_folder_that_cannot_be_synchronised_does_no_harm(path, monkeypatch):
    def for_files_only(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not here")

    monkeypatch.setattr(os, "fsync", for_files_only)
    write(path, "model", NEW, {})
    assert read(path, "model")[0] == NEW


@posix
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write anywhere")
def test_missing_permission_is_named(path):
    path.parent.chmod(0o500)
    try:
        with pytest.raises(ModelFileError, match="permission is missing"):
            write(path, "model", NEW, {})
    finally:
        path.parent.chmod(0o700)
    assert_old_and_alone(path)


# Killed processes

HALF = """
import sys, time
from azogue.disk import atomic_write
def chunks():
    yield b"half" * 1_000_000
    print("writing", flush=True)
    time.sleep(60)
atomic_write(sys.argv[1], chunks())
"""
OVER_AND_OVER = """
import sys
from azogue.disk import atomic_write
print("writing", flush=True)
while True:
    for letter in (b"a", b"b"):
        atomic_write(sys.argv[1], [letter * 100_000] * 10)
"""


def killed_while_writing(script, path, after=0.0):
    """Run a script in another process and kill it without warning once it is writing."""
    with subprocess.Popen([sys.executable, "-c", script, path], stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"writing\n"
        time.sleep(after)
        child.send_signal(signal.SIGKILL)


@posix
def test_a_killed_writer_leaves_the_old_file_and_the_next_one_tidies_up(path):
    killed_while_writing(HALF, path)
    assert read(path, "model")[0] == OLD
    assert len(left(path.parent)) == 2, "the killed process could not tidy up"
    write(path, "model", NEW, {})
    assert read(path, "model")[0] == NEW
    assert left(path.parent) == ["m.azogue"]


@posix
@pytest.mark.parametrize("after", [0.05, 0.08, 0.11])
def test_at_any_moment_one_whole_file_is_there(tmp_path, after):
    atomic_write(tmp_path / "out", b"a" * 1_000_000)
    killed_while_writing(OVER_AND_OVER, tmp_path / "out", after)
    assert (tmp_path / "out").read_bytes() in (b"a" * 1_000_000, b"b" * 1_000_000)


@posix
def test_only_leftovers_of_the_same_target_and_of_dead_processes_go(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    mine, others = disk._prefix(tmp_path / "mine"), disk._prefix(tmp_path / "other")
    kept = [f"{mine}{os.getpid()}-1.tmp", f"{mine}{os.getppid()}-1.tmp", f"{others}{dead.pid}-1.tmp", f"{mine}x-1.tmp"]
    kept += [f"{mine}{10**30}-1.tmp", f".{dead.pid}-1.tmp", f"{mine}{dead.pid}-1.txt"]
    for name in [*kept, f"{mine}{dead.pid}-1.tmp"]:
        (tmp_path / name).touch()
    atomic_write(tmp_path / "mine", b"x")
    assert left(tmp_path) == sorted([*kept, "mine"])


def test_writers_at_the_same_time_do_not_disturb_one_another(tmp_path):
    contents = [bytes([65 + i]) * 50_000 for i in range(4)]
    failures = []

    def repeat(content):
        try:
            for _ in range(20):
                atomic_write(tmp_path / "out", content)
        except ModelFileError as error:
            failures.append(error)

    threads = [threading.Thread(target=repeat, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert (tmp_path / "out").read_bytes() in contents
    assert left(tmp_path) == ["out"]


def test_files_cost_no_torch_until_a_tensor_is_met(path):
    script = "import sys; from azogue import files, values; files.peek(sys.argv[1]); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", script, path], check=True)
