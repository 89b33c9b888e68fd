"""The README stays true: each Python block runs, each command of its shell blocks exists and works."""

import re
import shlex
from pathlib import Path

import pytest
from sklearn.datasets import load_wine

from test_cli import azogue

README = (Path(__file__).resolve().parents[1] / "README.md").read_text()
PYTHON = re.findall(r"```python\n(.*?)```", README, flags=re.S)
SHELL = [line for block in re.findall(r"```sh\n(.*?)```", README, flags=re.S) for line in block.splitlines()]


@pytest.mark.parametrize("block", PYTHON, ids=range(len(PYTHON)))
def test_python_blocks_run(block, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "README.md", "exec"), {})


def test_shell_blocks_run(tmp_path):
    frame = load_wine(as_frame=True).data
    frame.to_csv(tmp_path / "wine.csv", index=False)
    frame.iloc[:20].to_csv(tmp_path / "new.csv", index=False)
    commands = [shlex.split(line, comments=True)[1:] for line in SHELL if line.startswith("azogue")]
    assert len(commands) >= 4
    for command in commands:
        azogue(*command, cwd=tmp_path)
    assert (tmp_path / "scores.csv").exists()


def test_make_targets_exist():
    makefile = (Path(__file__).resolve().parents[1] / "Makefile").read_text()
    for line in SHELL:
        if line.startswith("make"):
            assert re.search(rf"^{line.split()[1]}:", makefile, flags=re.M), line
