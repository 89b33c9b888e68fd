"""Resuming: the same bits as a run that nothing stopped, whenever and however it was stopped."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

import azogue as az
from azogue import files

#: Trains in a forked process for each line that it reads, so that being killed costs no start of Python.
PROGRAM = """
import os, sys, numpy as np, azogue as az
rng = np.random.default_rng(0)
X = np.tanh(rng.normal(size=(300, 2)) @ rng.normal(size=(2, 6)))
def count(record):
    print("epoch", int(record["epoch"]), flush=True)
def train(checkpoint, model):
    ae = az.DenoisingAutoencoder(2, epochs=24, patience=None, batch_size=32, random_state=0, checkpoint=checkpoint,
        resume=True, callbacks=(count,)).fit(X)
    ae.save(model)
az.DenoisingAutoencoder(2, epochs=1).fit(X)  # what is imported late is there before the first fork
for line in sys.stdin:
    child = os.fork()
    if not child:
        try:
            train(*line.rstrip().split("|"))
        finally:
            os._exit(0)
    print("process", child, flush=True)
    os.waitpid(child, 0)
    print("left", 0, flush=True)
"""


@pytest.fixture
def program():
    if not hasattr(os, "fork"):
        pytest.skip("attempts are forked")
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        yield process
        process.stdin.close()


def run(program, checkpoint: Path, model: Path, kill_after: float | None = None) -> list[int]:
    """Train in a process of its own; kill −9 it some time after its first epoch. The epochs that it completed."""
    program.stdin.write(f"{checkpoint}|{model}\n")
    epochs, process = [], None
    for line in program.stdout:
        told, number = line.split()
        if told == "left":
            return epochs
        if told == "process":
            process = int(number)
        else:
            epochs.append(int(number))
        if kill_after is not None and process is not None and epochs:
            time.sleep(kill_after)
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
            kill_after = None
    raise AssertionError("the program ended")


def weights(path: Path) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in files.read(path, "model")[1].items() if "network" in name}


#: tests/faults and `benchmarks/faults.py kills` have more, at any moment and within epochs
KILLS = 6


def test_killed_again_and_again_and_the_same_bits(tmp_path, program):
    whole = tmp_path / "whole.azogue"
    assert run(program, tmp_path / "whole.ckpt", whole) == list(range(1, 25))
    expected = weights(whole)
    kills, attempt = 0, 0
    rng = np.random.default_rng(0)
    while kills < KILLS:
        checkpoint, model = tmp_path / f"{attempt}.ckpt", tmp_path / f"{attempt}.azogue"
        attempt, complete = attempt + 1, 0
        while not model.exists():
            wait = float(rng.uniform(0.0, 0.06)) if kills < KILLS else None
            epochs = run(program, checkpoint, model, wait)
            kills += wait is not None and not model.exists()
            assert epochs == list(range(complete + 1, complete + 1 + len(epochs))), "not only the missing epochs ran"
            complete = files.peek(checkpoint)["state"]["epoch"] if checkpoint.exists() else 0
        assert_same(weights(model), expected)


def assert_same(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert np.array_equal(found[name], value), f"{name} differs after resuming"


def test_resume_refuses_other_data_or_parameters(tmp_path, rows):
    path = tmp_path / "run.ckpt"
    az.Autoencoder(2, epochs=2, random_state=0, checkpoint=path).fit(rows)
    with pytest.raises(ValueError, match="other data"):
        az.Autoencoder(2, epochs=2, random_state=0, checkpoint=path, resume=True).fit(rows + 1e-3)
    with pytest.raises(ValueError, match="other parameters"):
        az.Autoencoder(3, epochs=2, random_state=0, checkpoint=path, resume=True).fit(rows)
    ae = az.Autoencoder(2, epochs=2, random_state=0, checkpoint=path, resume=True).fit(rows)
    assert len(ae.history_) == 2
    fresh = az.Autoencoder(2, epochs=3, random_state=0, checkpoint=path).fit(rows)
    assert len(fresh.history_) == 3


def test_resume_without_a_seed_takes_the_run_s(tmp_path, rows):
    path = tmp_path / "run.ckpt"

    class Stop(Exception):
        pass

    def stop(record):
        if record["epoch"] == 2:
            raise Stop

    with pytest.raises(Stop):
        az.Autoencoder(2, epochs=4, checkpoint=path, resume=True, callbacks=(stop,)).fit(rows)
    ae = az.Autoencoder(2, epochs=4, checkpoint=path, resume=True).fit(rows)
    assert len(ae.history_) == 4


def test_two_runs_refuse_each_other(tmp_path, rows):
    path = tmp_path / "run.ckpt"

    def second(record):
        with pytest.raises(RuntimeError, match="another run"):
            az.Autoencoder(2, epochs=1, checkpoint=path).fit(rows)

    az.Autoencoder(2, epochs=1, checkpoint=path, callbacks=(second,), random_state=0).fit(rows)
    az.Autoencoder(2, epochs=1, checkpoint=path, random_state=0).fit(rows)


def test_a_damaged_checkpoint_is_refused(tmp_path, rows):
    path = tmp_path / "run.ckpt"
    az.Autoencoder(2, epochs=1, random_state=0, checkpoint=path).fit(rows)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(az.ModelFileError, match=r"run\.ckpt"):
        az.Autoencoder(2, epochs=1, random_state=0, checkpoint=path, resume=True).fit(rows)
    with pytest.raises(az.ModelFileError):
        az.load(path)
    assert not [name for name in os.listdir(tmp_path) if name.endswith(".tmp")]


def test_resumed_in_the_same_process(tmp_path, rows):
    class Stop(Exception):
        pass

    def stop(record):
        if record["epoch"] == 4:
            raise Stop

    common = {"epochs": 8, "random_state": 0, "patience": None, "learning_rate": 1e-2}
    whole = az.Autoencoder(3, **common).fit(rows)
    with pytest.raises(Stop):
        az.Autoencoder(3, **common, checkpoint=tmp_path / "c", callbacks=(stop,)).fit(rows)
    again = az.Autoencoder(3, **common, checkpoint=tmp_path / "c", resume=True).fit(rows)
    assert len(again.history_) == 8
    assert np.array_equal(again.encode(rows), whole.encode(rows))
