"""The page of standings names commands that exist, and figures that the pages on each use have too."""

import ast
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "standings.md").read_text(encoding="utf-8")
LINES = [line.strip("| \n").split(" | ") for line in PAGE.splitlines() if line.startswith("| ") and "`" in line]


def commands():
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        from standings import PAGE as place
        from standings import commands as found
    finally:
        sys.path.pop(0)
    return found(place.read_text(encoding="utf-8"))


def parts_of(name):
    """What a benchmark's parts are called: the keys of what it hands to `run`, or of tables that it or its own have."""
    tree = ast.parse((ROOT / "benchmarks" / name).read_text(encoding="utf-8"))
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "run"]
    found += [node for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign)]
    dicts = [node for one in found for node in ast.walk(one) if isinstance(node, ast.Dict)]
    parts = {key.value for one in dicts for key in one.keys if isinstance(key, ast.Constant)}
    imported = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    own = [f"{part}.py" for part in imported if (ROOT / "benchmarks" / f"{part}.py").is_file()]
    return parts.union(*map(parts_of, own))


@pytest.mark.parametrize("command", commands())
def test_commands_exist(command):
    name, *parts = command.split()
    assert (ROOT / "benchmarks" / name).is_file()
    assert set(parts) <= parts_of(name)


def test_every_use_has_a_line_and_losses_are_told():
    uses = {line[0] for line in LINES}
    assert {"reduce", "detect", "denoise", "impute", "anonymise", "encrypt", "hash", "synthesise"} <= uses
    assert any("**behind**" in line[4] for line in LINES)
    assert all(len(line) == 6 for line in LINES)


@pytest.mark.parametrize(
    ("use", "page"),
    [("hash", "hashing"), ("impute", "imputation"), ("detect", "anomalies"), ("reduce", "reduction"), ("map", "maps")],
)
def test_figures_are_those_of_the_pages(use, page):
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    figures = [figure for line in LINES if line[0] == use for figure in re.findall(r"(?<!\d)\.\d{3}\b", line[2])]
    assert figures
    told = {f"{float(number):.3f}"[1:] for number in re.findall(r"(?<![\d])\.\d{3,5}\b", text)}
    assert [figure for figure in figures if figure not in told] == []
