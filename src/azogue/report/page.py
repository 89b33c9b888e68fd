"""dict → one self-contained HTML page: inline style, SVG and one script, nothing remote, every name and value escaped.

What comes from data reaches the script as JSON in which no tag can end or begin. The page's policy allows that one
script, by its hash, and only on pages that have points to explore.
"""

from __future__ import annotations

import base64
import re
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

from azogue.shades import COLORS, GREY
from azogue.webmaps import SCALE, allowed, inert_json

_PICTURE = re.compile("data:image/png;base64,[A-Za-z0-9+/]*={0,2}")
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


@cache
def _beside(name: str) -> str:
    """A file that stands beside this one: the style, the script."""
    return files("azogue.report").joinpath(name).read_text(encoding="utf-8")


def page(title: str, sections: list[dict[str, Any]], lang: str = "en") -> str:
    """The page of a report.

    Parameters
    ----------
    title : str
    sections : list of dict
        See `report.sections`; `images` holds pairs of a caption and a PNG, as bytes or as a data URI.
    lang : str

    Raises
    ------
    ValueError
        For a picture that is something else.
    """
    body = "".join(_section(section) for section in sections)
    policy = _POLICY
    if '<figure class="map">' in body:
        script = _beside("explore.js")
        policy += f"; script-src {allowed(script)}"
        body += f"<script>{script}</script>"
    return (
        f'<!doctype html><html lang="{escape(lang)}"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_beside('page.css')}</style></head>"
        f"<body><main><h1>{escape(title)}</h1>{body}</main></body></html>"
    )


def data_uri(png: bytes) -> str:
    """A picture as text that a page and a JSON file can hold.

    Examples
    --------
    >>> data_uri(b"PNG")
    'data:image/png;base64,UE5H'
    """
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _section(section: dict[str, Any]) -> str:
    parts = [f"<section><h2>{escape(str(section['title']))}</h2>"]
    if text := section.get("text"):
        parts.append(f"<p>{escape(text)}</p>")
    if facts := section.get("facts"):
        parts.append(
            "<dl>" + "".join(f"<dt>{escape(k)}</dt><dd>{escape(shown(v))}</dd>" for k, v in facts.items()) + "</dl>"
        )
    if chart := section.get("chart"):
        parts.append(_explorable(chart) if "explore" in chart else _chart(chart))
    if table := section.get("table"):
        parts.append(_table(table))
    for caption, picture in section.get("images", ()):
        source = picture if isinstance(picture, str) else data_uri(picture)
        if not _PICTURE.fullmatch(source):
            raise ValueError(f"page: the picture {caption!r} is no PNG in a data URI; pass its bytes")
        parts.append(
            f'<figure><img alt="{escape(caption)}" src="{source}"><figcaption>{escape(caption)}</figcaption></figure>'
        )
    return "".join([*parts, "</section>"])


def shown(value: Any) -> str:
    """A value as people read it.

    Examples
    --------
    >>> shown(1234567), shown(0.123456), shown("a")
    ('1,234,567', '0.1235', 'a')
    """
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _table(table: dict[str, Any]) -> str:
    """A table that scrolls by itself where the screen is narrow; titles stand over numbers as numbers do."""
    columns = [[row[at] for row in table["rows"]] for at in range(len(table["columns"]))]
    head = "".join(
        f'<th scope="col"{" class=n" if any(map(_is_number, cells)) else ""}>{escape(str(name))}</th>'
        for name, cells in zip(table["columns"], columns, strict=True)
    )
    rows = "".join("<tr>" + "".join(_cell(value) for value in row) + "</tr>" for row in table["rows"])
    return f'<div class="t"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _cell(value: Any) -> str:
    return f"<td{' class=n' if _is_number(value) else ''}>{escape(shown(value))}</td>"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _chart(chart: dict[str, Any], width: int = 560, height: int = 300) -> str:
    """Lines or points as SVG, both axes from the smallest to the largest value."""
    points = [point for line in chart["series"].values() for point in line]
    if not points:
        return ""
    low = [min(p[axis] for p in points) for axis in (0, 1)]
    high = [max(p[axis] for p in points) for axis in (0, 1)]
    span = [(b - a) or 1.0 for a, b in zip(low, high, strict=True)]

    def at(point: list[float]) -> tuple[float, float]:
        return 60 + (point[0] - low[0]) / span[0] * (width - 80), height - 40 - (point[1] - low[1]) / span[1] * (
            height - 60
        )

    marks = []
    for number, (name, line) in enumerate(chart["series"].items()):
        color = ("var(--a)", "var(--b)")[number % 2]
        placed = [at(point) for point in line]
        if chart["kind"] == "line":
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
            marks.append(f'<polyline fill="none" stroke="{color}" stroke-width="2" points="{path}"/>')
        else:
            circles = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2"/>' for x, y in placed)
            marks.append(f'<g fill="{color}" fill-opacity=".6">{circles}</g>')
        if "explore" in chart:
            continue
        marks.append(f'<text x="{width - 110}" y="{24 + 16 * number}" style="fill:{color}">{escape(name)}</text>')
    ticks = (
        f'<text x="60" y="{height - 22}">{low[0]:.4g}</text><text x="{width - 20}" y="{height - 22}" text-anchor="end">{high[0]:.4g}</text>'
        f'<text x="54" y="{height - 40}" text-anchor="end">{low[1]:.3g}</text><text x="54" y="28" text-anchor="end">{high[1]:.3g}</text>'
        f'<text x="{width / 2}" y="{height - 6}" text-anchor="middle">{escape(chart["x"])}</text>'
        f'<text x="14" y="{height / 2}" transform="rotate(-90 14 {height / 2})" text-anchor="middle">{escape(chart["y"])}</text>'
    )
    frame = f'<path d="M60 20V{height - 40}H{width - 20}" fill="none" stroke="var(--line)"/>'
    label = f"{chart['y']} against {chart['x']}"
    focus = ' tabindex="0"' if "explore" in chart else ""
    return f'<svg viewBox="0 0 {width} {height}" width="{width}" role="img" aria-label="{escape(label)}"{focus}>{frame}{"".join(marks)}{ticks}</svg>'


def _explorable(chart: dict[str, Any]) -> str:
    """Points with what the script needs to tell their rows and colour them; without it they are a chart like others."""
    known = {**chart["explore"], "palette": COLORS, "scale": SCALE, "none": GREY}
    return (
        '<figure class="map"><div class="tools"><label>Colour by <select></select></label><div class="legend"></div>'
        f"<span>Point at a dot, or step with the arrow keys, to read its row.</span></div>{_chart(chart)}"
        f'<div class="row" role="status"></div><script type="application/json">{inert_json(known)}</script></figure>'
    )
