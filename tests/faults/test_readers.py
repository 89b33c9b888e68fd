"""Readers beside writers, and beside writers that are killed: nobody ever sees half a file."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import torch

import azogue as az
from azogue import files

pytestmark = pytest.mark.skipif(os.name != "posix", reason="about POSIX files and processes")

WRITER = """
import sys, itertools, torch
from azogue import files
for number in itertools.count():
    files.write(sys.argv[1], "model", {"number": number}, {"w": torch.full((50_000,), float(number))})
    if number == 0:
        print("begun", flush=True)
"""


def test_readers_see_one_version_or_another(tmp_path):
    path, found, faults, over = tmp_path / "m.azogue", [], [], threading.Event()
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE) for _ in range(2)]
    for writer in writers:
        assert writer.stdout is not None
        writer.stdout.readline()

    def read():
        while not over.is_set():
            try:
                manifest, tensors = files.read(path, "model")
                assert bool((tensors["w"] == manifest["number"]).all())
                found.append(manifest["number"])
            except Exception as error:
                faults.append(error)
                return

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    time.sleep(2)
    for writer in writers:
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
    over.set()
    for reader in readers:
        reader.join()
    assert faults == []
    assert len(set(found)) > 3
    files.read(path, "model")
    files.write(path, "model", {}, {"w": torch.zeros(1)})
    assert [item.name for item in tmp_path.iterdir()] == [path.name], "the next writer removes what the killed left"


def test_an_index_that_is_read_from_its_file_outlives_its_replacement(tmp_path):
    rng = np.random.default_rng(0)
    old, new = (rng.integers(0, 256, (500, 8), dtype=np.uint8) for _ in "ab")
    az.HammingIndex(64).add(old).save(tmp_path / "index.azogue")
    index = az.HammingIndex.load(tmp_path / "index.azogue", mmap=True)
    expected = index.query(old[:5], 3)
    az.HammingIndex(64).add(new).save(tmp_path / "index.azogue")
    again = index.query(old[:5], 3)
    assert all(np.array_equal(a, b) for a, b in zip(again, expected, strict=True))
    assert np.array_equal(az.HammingIndex.load(tmp_path / "index.azogue").query(new[:5], 1)[1].ravel(), np.arange(5))
