"""The pages of docs/ stay true: their Python runs, prints what they say it prints, and their links lead somewhere."""

import ast
import re
from importlib import import_module
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from itertools import zip_longest
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

import pytest

DOCS = Path(__file__).resolve().parents[1] / "docs"
#: notes.md tells what was tried, in code that may be gone
PAGES = sorted(path for path in DOCS.glob("*.md") if path.name != "notes.md")
#: Pages of which figures need default networks that are trained to the end.
TRAINED = {"anonymization.md"}
FENCE = re.compile(r"^```(?P<language>\S*)[^\n]*\n(?P<body>.*?)^```\s*?$", flags=re.S | re.M)
LINK = re.compile(r"\]\(([^)\s]+)\)")


class Block(NamedTuple):
    line: int
    code: str
    printed: str | None

    @property
    def needs(self) -> str | None:
        """What a first line `# needs: keras` asks for."""
        found = re.match(r"# needs: (\S+)", self.code)
        return found[1] if found else None


def blocks(text: str) -> list[Block]:
    """The ```python blocks; a ```text block right behind one is what it prints."""
    fences = list(FENCE.finditer(text))
    found = []
    for fence, after in zip_longest(fences, fences[1:]):
        if fence["language"] == "python":
            close = after is not None and after["language"] == "text" and not text[fence.end() : after.start()].strip()
            line = text.count("\n", 0, fence.start("body"))
            found.append(Block(line, fence["body"], after["body"] if close else None))
    return found


def read(path: Path) -> list[Block]:
    return blocks(path.read_text(encoding="utf-8"))


def run(page: str, found: list[Block], capsys) -> None:
    """Run a page's blocks one after the other in one namespace, and hold what each prints against the page."""
    space = {"__name__": "page"}
    for block in found:
        if block.needs and find_spec(block.needs) is None:
            continue
        exec(compile("\n" * block.line + block.code, page, "exec"), space)
        printed = capsys.readouterr().out
        assert printed == (block.printed or ""), f"{page}, line {block.line + 1}: prints\n{printed}"


def marked(path: Path):
    return pytest.param(path, marks=pytest.mark.trained) if path.name in TRAINED else path


@pytest.mark.parametrize("path", [marked(path) for path in PAGES if read(path)], ids=lambda path: path.name)
def test_python_blocks_run(path, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    run(str(path), read(path), capsys)


@pytest.mark.parametrize("path", [*PAGES, DOCS / "notes.md"], ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    for target in LINK.findall(text):
        if not re.match(r"[a-z]+:", target):
            file, _, anchor = target.partition("#")
            assert not anchor, f"{target}: these pages have no anchors; link the page"
            assert (path.parent / file).is_file(), f"{path.name} links {target}, which does not exist"


def test_every_page_is_listed():
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    tree = re.search(r"```\{toctree\}\n(.*?)```", index, flags=re.S)
    listed = [line for line in tree[1].splitlines() if line and not line.startswith(":")]
    assert sorted(listed) == sorted({path.stem for path in DOCS.glob("*.md")} - {"index"} | {"gallery/index"})
    assert listed[0] == "talk"


def test_both_guides_run_the_same_code():
    english, spanish = (read(DOCS / name) for name in ("guide.md", "guia.md"))
    for ours, theirs in zip(english, spanish, strict=True):
        assert ast.dump(ast.parse(ours.code)) == ast.dump(ast.parse(theirs.code)), f"guia.md, line {theirs.line + 1}"
        assert ours.printed == theirs.printed


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_names_in_the_text_exist(path):
    import azogue as az

    fitted = {"recipe_", "network_", "code_", "history_"}
    for code in re.findall(r"`([^`\n]+)`", FENCE.sub("", path.read_text(encoding="utf-8"))):
        for name in re.findall(r"\baz((?:\.[A-Za-z_]\w*)+)", code):
            attrgetter(name[1:])(az)
        for owner, method in re.findall(r"\b(ae|vae)\.(\w+)", code):
            kind = az.Autoencoder if owner == "ae" else az.VariationalAutoencoder
            assert method in fitted or hasattr(kind, method), f"{path.name}: {code}"
        for module, name in re.findall(r"\bazogue\.(\w+)\.(\w+)", code):
            assert hasattr(import_module(f"azogue.{module}"), name), f"{path.name}: {code}"


#: What the NAMESPACE of ruta 1.2.0 exports.
RUTA = re.findall(
    r"\w+",
    """
    add_weight_decay apply_filter as_loss as_network autoencode autoencoder autoencoder_contractive
    autoencoder_denoising autoencoder_robust autoencoder_sparse autoencoder_variational configure contraction conv
    correntropy decode dense dropout encode evaluate_binary_accuracy evaluate_binary_crossentropy
    evaluate_kullback_leibler_divergence evaluate_mean_absolute_error evaluate_mean_squared_error evaluation_metric
    generate input is_contractive is_denoising is_robust is_sparse is_trained is_variational layer_keras load_from
    loss_variational make_contractive make_denoising make_robust make_sparse new_autoencoder new_layer new_network
    noise noise_cauchy noise_gaussian noise_ones noise_saltpepper noise_zeros output reconstruct save_as sparsity
    to_keras train variational_block print plot predict c
    """,
)


def test_ruta_is_covered():
    lines = (DOCS / "ruta.md").read_text(encoding="utf-8").splitlines()
    rows = [line.strip("|").split("|") for line in lines if line.startswith("| ")]
    assert all(len(row) == 3 for row in rows)
    ours = {name: row[1] for row in rows for name in re.findall(r"`(\w+)\(", row[0])}
    assert set(RUTA) <= set(ours)
    assert {name for name in RUTA if "`" not in ours[name]} == {"layer_keras"}


def test_the_check_itself(capsys):
    page = "```python\nx = 2\n```\n\n```python\n# needs: no_such_module\nx = 0\n```\n\n```python\nprint(x)\n```\n\n"
    run("right", blocks(page + "```text\n2\n```\n"), capsys)
    for wrong in ("```text\n3\n```\n", "Words come first.\n\n```text\n2\n```\n", ""):
        with pytest.raises(AssertionError, match="line 11: prints"):
            run("wrong", blocks(page + wrong), capsys)
    with pytest.raises(ZeroDivisionError):
        run("raises", blocks("```python\n1 / 0\n```\n"), capsys)


def test_the_list_of_variants_is_what_the_code_says():
    spec = spec_from_file_location("variants", DOCS.parent / "tools" / "variants.py")
    tool = module_from_spec(spec)
    spec.loader.exec_module(tool)
    written = (DOCS / "variant-list.md").read_text(encoding="utf-8")
    assert written == tool.page(), "python tools/variants.py writes it again"
    for preset in tool.presets():
        assert f"\n## {preset.__name__}\n" in written
        assert preset in (tool.az.Autoencoder, tool.az.MapAutoencoder) or tool.section(preset, "References"), preset
