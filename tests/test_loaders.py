"""No loader runs what it reads: pickles, evaluated text and imports by name are kept out of the whole package."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src" / "azogue"
FILES = sorted(SOURCE.rglob("*.py"))

#: modules that turn bytes into objects, or text into code
MODULES = {"pickle", "_pickle", "cPickle", "joblib", "dill", "cloudpickle", "marshal", "shelve", "jsonpickle", "runpy"}
MODULES |= {"code", "codeop", "imp", "yaml"}
#: calls, by the end of their name
CALLS = {"eval", "exec", "__import__", "execfile", "input"}
METHODS = {
    *("torch.load", "torch.jit.load", "torch.hub.load", "torch.package.PackageImporter", "torch.export.load"),
    *("read_pickle", "to_pickle", "os.system", "os.popen", "os.startfile", "loads_pickle", "load_model", "unsafe_load"),
    *("importlib.util.spec_from_file_location", "spec_from_file_location", "ctypes.CDLL", "cdll.LoadLibrary"),
}
#: what is known to be no loader: the library that torch itself has loaded, asked for its number of threads
KNOWN = {("training/threads.py", "ctypes.CDLL")}
#: what `import_module` may be given: a text, or an entry of a table that the same file spells out
TABLES = {("__init__.py", "_HOMES[name]"), ("__init__.py", "f'azogue.{name}'")}


def faults(text: str, name: str = "some.py") -> list[str]:
    """What a file does that no loader should."""
    tree, found = ast.parse(text), []
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] in MODULES]
        elif isinstance(node, ast.ImportFrom):
            full = [f"{node.module}.{alias.name}" for alias in node.names]
            found += [one for one in full if one.split(".")[0] in MODULES or one in METHODS]
        elif isinstance(node, ast.Name) and node.id in CALLS and isinstance(node.ctx, ast.Load):
            found.append(node.id)
        elif isinstance(node, ast.Attribute):
            said = ast.unparse(node)
            if any(said == method or said.endswith(f".{method}") for method in METHODS):
                found.append(said)
            if node.attr == "import_module" and id(node) not in called:
                found.append(said)
        elif isinstance(node, ast.Call):
            found += _of_call(node, name)
    return found


def _of_call(node: ast.Call, name: str) -> list[str]:
    said = ast.unparse(node.func)
    words = {keyword.arg: keyword.value for keyword in node.keywords}
    if said.split(".")[-1] == "import_module":
        given = ast.unparse(node.args[0]) if node.args else ""
        constant = bool(node.args) and isinstance(node.args[0], ast.Constant)
        return [] if constant or (name, given) in TABLES else [f"{said}({given})"]
    if said in ("np.load", "numpy.load") or said.endswith(("npy.read_array", "format.read_array")):
        closed = isinstance(words.get("allow_pickle"), ast.Constant) and words["allow_pickle"].value is False
        return [] if closed else [f"{said} without allow_pickle=False"]
    pickles = words.get("allow_pickle")
    if pickles is not None and not (isinstance(pickles, ast.Constant) and pickles.value is False):
        return [f"{said}(allow_pickle={ast.unparse(pickles)})"]
    shell = words.get("shell")
    return [f"{said}(shell=...)"] if shell is not None and ast.unparse(shell) != "False" else []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_loader_runs_what_it_reads(path):
    name = path.relative_to(SOURCE).as_posix()
    assert [one for one in faults(path.read_text(encoding="utf-8"), name) if (name, one) not in KNOWN] == []


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "import joblib as safe",
        "from pickle import loads",
        "from torch import load",
        "import torch; torch.load('x')",
        "import torch; read = torch.load",
        "torch.jit.load(path)",
        "eval(text)",
        "run = exec",
        "__import__(name)",
        "from importlib import import_module; import_module(name)",
        "import importlib; importlib.import_module(f'azogue.{kind}')",
        "import importlib; find = importlib.import_module",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "np.load(path, allow_pickle=trusted)",
        "np.save(path, array, allow_pickle=True)",
        "npy.read_array(stream)",
        "pd.read_pickle(path)",
        "os.system('ls')",
        "run('ls', shell=True)",
    ],
)
def test_the_check_sees(text):
    assert faults(text)


def test_the_check_lets_pass():
    assert faults("np.load(path, allow_pickle=False); import_module('torch'); model.eval(); json.load(file)") == []
