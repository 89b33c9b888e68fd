"""What is said of the package in several places is said alike: dependencies, extras, versions, commands."""

import os
import re
import subprocess
import sys
import time
import tomllib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import azogue as az
from test_cli import azogue

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
yaml = pytest.importorskip("yaml")


def bounds(requirements):
    """Name → least version of lines such as `numpy>=2.0`."""
    found = (re.match(r"([\w-]+)(?:\[[\w,]+\])?\s*>=\s*([\d.]+)$", line) for line in requirements)
    return {match[1]: match[2] for match in found}


def test_the_conda_recipe_asks_for_the_same():
    recipe = yaml.safe_load((ROOT / "conda" / "recipe.yaml").read_text())
    theirs = bounds(recipe["requirements"]["run"])
    names = {"pytorch": "torch", "matplotlib-base": "matplotlib"}
    assert theirs.pop("python") == PROJECT["requires-python"].removeprefix(">=")
    assert {names.get(name, name): least for name, least in theirs.items()} == bounds(PROJECT["dependencies"])
    assert recipe["context"]["version"] == PROJECT["version"] == az.__version__
    assert recipe["about"]["license"] == PROJECT["license"]
    assert recipe["build"]["python"]["entry_points"] == [" = ".join(pair) for pair in PROJECT["scripts"].items()]


def test_the_workflow_runs_the_same_commands():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text())
    job = workflow["jobs"]["test"]
    assert [step["run"] for step in job["steps"] if str(step.get("run", "")).startswith("make")] == [
        "make run",
        "make test",
    ]
    matrix = job["strategy"]["matrix"]
    assert {name.partition("-")[0] for name in matrix["os"]} == {"ubuntu", "macos", "windows"}
    torch = {row["python"]: row["torch"] for row in matrix["include"]}
    assert set(torch) == set(matrix["python"])
    oldest, newest = matrix["python"]
    assert f">={oldest}" == PROJECT["requires-python"]
    assert f"Programming Language :: Python :: {newest}" == max(
        (line for line in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", line)),
        key=lambda line: int(line.rpartition(".")[2]),
    )
    assert torch[oldest] == bounds(PROJECT["dependencies"])["torch"] + ".0"
    assert f"torch=={torch[newest]}\n" in (ROOT / "constraints.txt").read_text()
    wanted = [step["run"] for step in workflow["jobs"]["wheel"]["steps"] if "run" in step]
    makefile = (ROOT / "Makefile").read_text()
    for line in (*wanted, "make run", "make test"):
        assert re.search(rf"^{line.split()[-1]}:", makefile, flags=re.M), line


EXTRAS = PROJECT["optional-dependencies"]
#: What asks for an extra where it is not there; a module that it is imported as.
ASKING = {
    "search": ("pymoo", "az.ArchitectureSearch('ga', budget=4, random_state=0).fit(X)"),
    "faiss": ("faiss", "az.HammingIndex(engine='faiss').add(codes).query(codes, k=1)"),
    "privacy": ("opacus", "az.Autoencoder(2, epochs=1, privacy=az.Privacy(2.0)).fit(X)"),
    "onnx": ("onnx", "ae.to_onnx()"),
    "keras": ("keras", "ae.to_keras()"),
    "speed": ("numba", "az.Autoencoder(2, epochs=1, engine='native').fit(X)"),
    "tensorboard": ("torch.utils.tensorboard", "az.callbacks.TensorBoard('runs')({'epoch': 1, 'loss': 0.5})"),
}  # fmt: skip
#: Extras of what is tested elsewhere, by the package that asks for them.
ELSEWHERE = {"ray": "azogue.distributed", "studio": "azogue.studio"}


def test_every_extra_is_asked_for():
    assert set(EXTRAS) == {*ASKING, *ELSEWHERE, "all"}
    assert EXTRAS["all"] == [f"azogue[{','.join(name for name in EXTRAS if name != 'all')}]"]
    sources = "".join(path.read_text() for path in (ROOT / "src").rglob("*.py")).replace('\\"', '"')
    for extra, package in ELSEWHERE.items():
        if find_spec(package) is not None:
            assert f'pip install "azogue[{extra}]"' in sources, extra
    assert not re.search(r"pip install '?azogue\[", sources), "shells take bare brackets for a pattern: quote them"


@pytest.mark.parametrize("extra", ASKING)
def test_what_is_missing_is_named_with_the_command(extra, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    module, asking = ASKING[extra]
    X = np.random.default_rng(0).normal(size=(40, 3))
    codes = np.zeros((4, 1), np.uint8)
    space = {"az": az, "codes": codes, "X": X, "ae": az.Autoencoder(2, epochs=1, random_state=0).fit(X)}
    for name in [name for name in sys.modules if name == module or name.startswith(f"{module}.")]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=re.escape(f'pip install "azogue[{extra}]"')):
        eval(asking, space)


def test_the_command_line_says_so_in_one_line(tmp_path, monkeypatch):
    X = np.random.default_rng(0).normal(size=(40, 3))
    az.Autoencoder(2, epochs=1, random_state=0).fit(X).save(tmp_path / "m.azogue")
    monkeypatch.setitem(sys.modules, "onnx", None)
    done = azogue("export", "m.azogue", "-o", "m.onnx", cwd=tmp_path, ok=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == 'azogue: ONNX files need onnx, which is not installed: pip install "azogue[onnx]"\n'


def complete(words, shell="bash"):
    """What a shell is offered for the last word, and how long it takes."""
    told = {"_AZOGUE_COMPLETE": f"complete_{shell}", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    begun = time.perf_counter()
    command = [sys.executable, "-c", "from azogue.cli import main; main()"]
    done = subprocess.run(command, env={**os.environ, **told}, capture_output=True, text=True, check=True)
    return done.stdout.split(), time.perf_counter() - begun


def test_shells_complete_verbs_and_options():
    verbs, _ = complete("azogue e")
    assert verbs == ["encode", "evolve", "evaluate", "encrypt", "export"]
    options, _ = complete("azogue fit --lo")
    assert options == ["--log"]
    formats, _ = complete("azogue export m.azogue --to ")
    assert {"onnx", "torch", "keras"} <= set(formats)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_shown_and_installed(shell, tmp_path):
    # which shell it is is told, not looked for: make runs these tests under sh, which completes nothing
    told = {"HOME": str(tmp_path), "SHELL": f"/bin/{shell}", "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "True"}

    def run(option):
        command = [sys.executable, "-m", "azogue", option, shell]
        return subprocess.run(command, env=os.environ | told, capture_output=True, text=True, check=True).stdout

    assert "_AZOGUE_COMPLETE=complete_" in run("--show-completion")
    assert "installed" in run("--install-completion")
    written = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    assert any("_AZOGUE_COMPLETE" in text for text in written)


def test_python_m_is_the_command():
    done = subprocess.run([sys.executable, "-m", "azogue", "--help"], capture_output=True, text=True, check=True)
    assert done.stdout.lstrip().startswith("Usage: azogue ")
    assert done.stdout == azogue("--help").stdout


def test_examples_run(tmp_path):
    for path in sorted((ROOT / "examples").glob("*.py")):
        done = subprocess.run([sys.executable, path], cwd=tmp_path, capture_output=True, text=True, check=True)
        assert "mlflow ui" in done.stdout or "pip install mlflow" in done.stdout
