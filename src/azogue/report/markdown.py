"""dict → Markdown: the words and numbers of a report as a model card; pictures are named, not shown."""

from __future__ import annotations

import re
from typing import Any

from azogue.report.page import shown

#: What Markdown would take for a sign of its own, anywhere in a text.
_SIGNS = re.compile(r"([\\`*_{}\[\]<>#|~&])")


def markdown(title: str, sections: list[dict[str, Any]]) -> str:
    r"""The Markdown of a report.

    Parameters
    ----------
    title : str
    sections : list of dict
        See `report.sections`.

    Examples
    --------
    >>> print(markdown("Iris", [{"title": "Data", "facts": {"rows": 150, "a|b": 0.5}}]))
    # Iris
    <BLANKLINE>
    ## Data
    <BLANKLINE>
    - rows: 150
    - a\|b: 0.5
    <BLANKLINE>
    """
    return "\n".join([f"# {plain(title)}", "", *(line for section in sections for line in _section(section))])


def plain(value: Any) -> str:
    r"""A value on one line, in which nothing is a sign of Markdown or HTML.

    Examples
    --------
    >>> print(plain("<b>*two*\nlines"))
    \<b\>\*two\* lines
    """
    return _SIGNS.sub(r"\\\1", " ".join(shown(value).split()))


def _section(section: dict[str, Any]) -> list[str]:
    lines = [f"## {plain(section['title'])}", ""]
    if text := section.get("text"):
        lines += [plain(text), ""]
    if facts := section.get("facts"):
        lines += [*(f"- {plain(name)}: {plain(value)}" for name, value in facts.items()), ""]
    if chart := section.get("chart"):
        lines += [f"(A picture on the HTML page: {plain(chart['y'])} against {plain(chart['x'])}.)", ""]
    if (table := section.get("table")) and table["columns"]:
        lines += [_row(table["columns"]), _row(["---"] * len(table["columns"])), *map(_row, table["rows"]), ""]
    lines += [f"(A picture on the HTML page: {plain(caption)}.)\n" for caption, _ in section.get("images", ())]
    return lines


def _row(cells: list[Any]) -> str:
    return "| " + " | ".join("---" if cell == "---" else plain(cell) for cell in cells) + " |"
