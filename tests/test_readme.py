"""The README stays true: each Python block runs, each command of its shell blocks exists and works."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_diabetes, load_wine

from azogue.modalities.waves import write_wave
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
    frame.to_csv(tmp_path / "usual.csv", index=False)
    frame.assign(kind=load_wine().target).to_csv(tmp_path / "labelled.csv", index=False)
    for at, name in enumerate(("train", "held-out", "synthetic")):
        frame.assign(kind=load_wine().target_names[load_wine().target]).iloc[at::3].to_csv(
            tmp_path / f"{name}.csv", index=False
        )
    pictures = np.random.default_rng(0).integers(0, 255, (2, 6, 8, 8), dtype=np.uint8)
    for site, frames in zip("ab", pictures, strict=True):
        (tmp_path / "traps" / site).mkdir(parents=True)
        for at, picture in enumerate(frames):
            Image.fromarray(picture).save(tmp_path / "traps" / site / f"{at}.png")
    frame.mask(np.random.default_rng(1).random(frame.shape) < 0.2).to_csv(tmp_path / "holed.csv", index=False)
    load_diabetes(as_frame=True, scaled=False).frame.to_csv(tmp_path / "people.csv", index=False)
    tone = 8000 * np.sin(np.arange(4000) / 9) + np.random.default_rng(2).normal(0, 1500, 4000)
    write_wave(tmp_path / "noisy.wav", tone.astype(np.int16), 8000)
    news = "\n".join(["text", *("the price of crude oil rose", "oil exports fell", "wheat and grain prices") * 4])
    (tmp_path / "news.csv").write_text(news)
    commands = [shlex.split(line, comments=True)[1:] for line in SHELL if line.startswith("azogue")]
    assert len(commands) >= 4
    for command in commands:
        azogue(*command, cwd=tmp_path)
    for made in (
        "scores.csv",
        "kinds.csv",
        "odd.csv",
        "map.html",
        "report.html",
        "cleaned.wav",
        "before-after.png",
        "whole.csv",
        "filled.html",
        "released.csv",
        "found.html",
        "judged.html",
        "news.azogue",
    ):
        assert (tmp_path / made).stat().st_size > 100


def test_a_picture_for_each_use_and_small_ones():
    root = Path(__file__).resolve().parents[1]
    named = re.findall(r"!\[[^\]]{20,}\]\((docs/figures/use-\w+\.png)\)", README)
    assert len(named) == len(set(named)) == 8
    assert re.findall(r"\]\((docs/figures/\S+)\)", (root / "LEEME.md").read_text(encoding="utf-8")) == named
    assert sum((root / name).stat().st_size for name in named) < 400_000
    examples = {path.stem.split("_", 2)[2] for path in (root / "examples" / "gallery").glob("plot_0[1-8]*.py")}
    assert {Path(name).stem.removeprefix("use-") for name in named} == examples


def test_make_targets_exist():
    makefile = (Path(__file__).resolve().parents[1] / "Makefile").read_text()
    for line in SHELL:
        if line.startswith("make"):
            assert re.search(rf"^{line.split()[1]}:", makefile, flags=re.M), line
