"""dict → Markdown: for model cards, pull requests and whoever reads in a terminal."""

from __future__ import annotations

import re
from typing import Any

#: Points of a chart that are told.
_POINTS = 8


def markdown(title: str, sections: list[dict[str, Any]]) -> str:
    r"""A report as Markdown. Names and values are escaped; pictures are named and left out.

    Parameters
    ----------
    title : str
    sections : list of dict
        See `report.sections`.

    Examples
    --------
    >>> print(markdown("Iris", [{"title": "Data", "facts": {"rows": 150, "of": "a|b"}}]))
    # Iris
    <BLANKLINE>
    ## Data
    <BLANKLINE>
    | | |
    |---|---|
    | rows | 150 |
    | of | a\|b |
    <BLANKLINE>
    """
    return "\n\n".join([f"# {_escaped(title)}", *(part for section in sections for part in _section(section))]) + "\n"


def _section(section: dict[str, Any]) -> list[str]:
    parts = [f"## {_escaped(section['title'])}"]
    if text := section.get("text"):
        parts.append(_escaped(text))
    if facts := section.get("facts"):
        parts.append(_table(["", ""], [list(pair) for pair in facts.items()]))
    if code := section.get("code"):
        parts.append(f"```python\n{code}\n```")
    if chart := section.get("chart"):
        parts += [_series(name, line, chart) for name, line in chart["series"].items() if chart["kind"] == "line"]
    if table := section.get("table"):
        parts.append(_table(table["columns"], table["rows"]))
    parts += [f"*{_escaped(caption)}: a picture, in the page (.html).*" for caption, _ in section.get("images", ())]
    return parts


def _series(name: str, points: list[list[float]], chart: dict[str, Any]) -> str:
    """A line as a few of its points, the last among them."""
    step = max(1, -(-len(points) // _POINTS))
    chosen = points[::-1][::step][::-1]
    told = ", ".join(f"{_shown(x)}: {_shown(y)}" for x, y in chosen)
    return f"{_escaped(name)}, {_escaped(chart.get('y', ''))} by {_escaped(chart.get('x', ''))}: {told}"


def _table(columns: list[Any], rows: list[list[Any]]) -> str:
    def line(cells: list[Any]) -> str:
        return f"| {' | '.join(_escaped(_shown(cell)) for cell in cells)} |".replace("|  |", "| |").replace(
            "|  |", "| |"
        )

    return "\n".join([line(columns), "|" + "---|" * len(columns), *map(line, rows)])


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _escaped(value: Any) -> str:
    """Text on one line in which nothing is markup: neither Markdown's nor HTML's."""
    text = " ".join(str(value).split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|#])", r"\\\1", text)
