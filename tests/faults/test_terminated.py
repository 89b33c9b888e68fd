"""SIGTERM on the command line: one line, the status that a shell expects, and the same command goes on."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from azogue import files
from azogue.cli import main
from test_cli import azogue

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
ARGS = ("--network", "4", "--epochs", "12", "--seed", "0")


def command(*args):
    return [sys.executable, "-m", "azogue", *map(str, args)]


def weights(path):
    return {name: value for name, value in files.read(path, "model")[1].items() if "network" in name}


def test_the_same_command_goes_on(tmp_path):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "x.npy", np.tanh(rng.normal(size=(20_000, 2)) @ rng.normal(size=(2, 8))))
    fit = command("fit", "x.npy", "-o", "m.azogue", "--checkpoint", "c", "--checkpoint-epochs", "2", *ARGS)
    child = subprocess.Popen(fit, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "c").exists() and child.poll() is None:
        time.sleep(0.01)
    child.send_signal(signal.SIGTERM)
    out, err = child.communicate()
    assert child.returncode == -signal.SIGTERM
    assert out == ""
    assert not (tmp_path / "m.azogue").exists()
    assert (
        err == "azogue: training was asked to end (SIGTERM); its state is in c, from which the same command goes on\n"
    )
    assert 2 <= files.peek(tmp_path / "c")["state"]["epoch"] < 12
    subprocess.run(fit, cwd=tmp_path, check=True, capture_output=True)
    azogue("fit", "x.npy", "-o", "whole.azogue", *ARGS, cwd=tmp_path)
    found, expected = weights(tmp_path / "m.azogue"), weights(tmp_path / "whole.azogue")
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_options(tmp_path, monkeypatch, capsys):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(50, 3)))
    monkeypatch.chdir(tmp_path)

    def run(*args):
        monkeypatch.setattr(sys, "argv", ["azogue", "fit", "x.npy", "-o", "m.azogue", "--network", "1", *args])
        with pytest.raises(SystemExit) as left:
            main()
        return left.value.code or 0, capsys.readouterr().err

    for args, said in (
        (["--checkpoint-minutes", "5"], "--checkpoint-minutes and --checkpoint-epochs need --checkpoint"),
        (["--checkpoint", "c", "--checkpoint-minutes", "-1"], "--checkpoint-minutes must be a number above 0"),
    ):
        code, told = run(*args)
        assert (code, said in told) == (1, True), told
    assert run("--checkpoint", "c", "--checkpoint-epochs", "2", "--epochs", "3")[0] == 0
    code, told = run("--checkpoint", "c", "--epochs", "4")
    assert (code, "other parameters" in told) == (1, True), told
    assert run("--checkpoint", "c", "--epochs", "4", "--no-resume")[0] == 0
    assert files.peek(tmp_path / "c")["state"]["epoch"] == 4
