"""Threads and processes at once for some seconds; `benchmarks/faults.py together` is five minutes of it."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import azogue as az
from faults.together import resident

PROGRAM = Path(__file__).with_name("together.py")


def test_eight_threads_and_two_processes():
    command = [sys.executable, PROGRAM, "--seconds", "3", "--threads", "8", "--processes", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["wrong"] == []
    assert found["temporary files left"] == 0
    assert set(found["done"]) == {"score", "find", "save", "load", "fit"}


@pytest.mark.skipif(not resident(), reason="memory as Linux tells it")
def test_nothing_leaks(tmp_path, rows):
    """Four threads that load, score and save: after 20 rounds each, 60 more take at most 5 % of memory."""
    az.Autoencoder((64, 2), epochs=1, random_state=0).fit(rows).save(tmp_path / "m.azogue")

    def rounds(count):
        for _ in range(count):
            model = az.load(tmp_path / "m.azogue")
            model.errors(rows)
            model.reconstruct(rows)
            model.save(tmp_path / f"{threading.get_ident()}.azogue")

    def all_at_once(count):
        threads = [threading.Thread(target=rounds, args=(count,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return resident()

    before = all_at_once(20)
    assert all_at_once(60) < 1.05 * before


def test_deterministic_algorithms_are_wished_for_by_several(rows):
    """Who is done first leaves the setting to who is still training, and the last one gives it back."""
    import torch

    inside, others = threading.Event(), []

    def first(record):
        inside.set()
        other.join()
        others.append(torch.are_deterministic_algorithms_enabled())

    def second():
        inside.wait()
        az.Autoencoder(2, epochs=1, deterministic=True, random_state=0).fit(rows)

    other = threading.Thread(target=second)
    other.start()
    az.Autoencoder(2, epochs=1, deterministic=True, random_state=0, callbacks=first).fit(rows)
    assert others == [True]
    assert not torch.are_deterministic_algorithms_enabled()


def test_training_after_scoring_in_another_thread(tmp_path, rows):
    """What is kept of a first use, in inference, serves training as well."""
    for make in (az.SparseAutoencoder, az.ContractiveAutoencoder, az.VariationalAutoencoder, az.WassersteinAutoencoder):
        fitted = make(2, epochs=1, random_state=0).fit(rows)
        fitted.save(tmp_path / "m.azogue")
        one, other = az.load(tmp_path / "m.azogue"), az.load(tmp_path / "m.azogue")
        scoring = threading.Thread(target=lambda one=one: one.errors(rows))
        scoring.start()
        scoring.join()
        one.partial_fit(rows)
        other.partial_fit(rows)
        assert np.array_equal(one.encode(rows), other.encode(rows))
