"""The Spanish README shows the README's blocks: the same code, comments in Spanish."""

import io
import re
import tokenize
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def blocks(name, language):
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / name).read_text(encoding="utf-8"), flags=re.S)


def code(block):
    """The tokens of a block but its comments."""
    tokens = tokenize.generate_tokens(io.StringIO(block).readline)
    return [token.string for token in tokens if token.type not in (tokenize.COMMENT, tokenize.NL)]


def test_the_same_code():
    ours, theirs = ([code(block) for block in blocks(name, "python")] for name in ("LEEME.md", "README.md"))
    assert ours == theirs
    assert len(ours) > 10


def test_the_same_commands():
    ours, theirs = (
        [line.partition("#")[0].rstrip() for block in blocks(name, "sh") for line in block.splitlines()]
        for name in ("LEEME.md", "README.md")
    )
    assert ours == theirs


def test_pages_that_it_names_are_there():
    text = (ROOT / "LEEME.md").read_text(encoding="utf-8")
    named = re.findall(r"docs/[\w-]+\.md|README\.md", text)
    assert len(named) > 12
    assert [name for name in named if not (ROOT / name).is_file()] == []
