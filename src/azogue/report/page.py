"""dict → one self-contained HTML page: inline style and SVG, nothing remote, every name and value escaped."""

from __future__ import annotations

import base64
import re
from html import escape
from typing import Any

_STYLE = """
:root{color-scheme:light dark;--ink:#1d2430;--faint:#667085;--line:#d9dee7;--paper:#fff;--a:#2563a8;--b:#c2571a}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ef;--faint:#98a2b3;--line:#344054;--paper:#14181f;--a:#6cb1ff;--b:#f4a261}}
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2.2rem;border-bottom:1px solid var(--line)}
table{border-collapse:collapse;margin:.8rem 0;font-size:.92rem}th,td{text-align:left;padding:.2rem .9rem .2rem 0;border-bottom:1px solid var(--line);overflow-wrap:break-word}
.t{overflow-x:auto}.n{text-align:right;font-variant-numeric:tabular-nums}td.n{white-space:nowrap}dt{color:var(--faint)}dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem}dd{margin:0;overflow-wrap:anywhere}
svg{max-width:100%;height:auto}svg text{fill:var(--faint);font-size:12px}figure{margin:.8rem 0}img{max-width:100%;background:#fff}p{max-width:46rem}
@media print{body{margin:0}}
"""
_PICTURE = re.compile("data:image/png;base64,[A-Za-z0-9+/]*={0,2}")
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


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
    return (
        f'<!doctype html><html lang="{escape(lang)}"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
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
            "<dl>" + "".join(f"<dt>{escape(k)}</dt><dd>{escape(_shown(v))}</dd>" for k, v in facts.items()) + "</dl>"
        )
    if chart := section.get("chart"):
        parts.append(_chart(chart))
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


def _shown(value: Any) -> str:
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
    return f"<td{' class=n' if _is_number(value) else ''}>{escape(_shown(value))}</td>"


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
            marks += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2" fill="{color}" fill-opacity=".6"/>' for x, y in placed]
        marks.append(f'<text x="{width - 110}" y="{24 + 16 * number}" style="fill:{color}">{escape(name)}</text>')
    ticks = (
        f'<text x="60" y="{height - 22}">{low[0]:.4g}</text><text x="{width - 20}" y="{height - 22}" text-anchor="end">{high[0]:.4g}</text>'
        f'<text x="54" y="{height - 40}" text-anchor="end">{low[1]:.3g}</text><text x="54" y="28" text-anchor="end">{high[1]:.3g}</text>'
        f'<text x="{width / 2}" y="{height - 6}" text-anchor="middle">{escape(chart["x"])}</text>'
        f'<text x="14" y="{height / 2}" transform="rotate(-90 14 {height / 2})" text-anchor="middle">{escape(chart["y"])}</text>'
    )
    frame = f'<path d="M60 20V{height - 40}H{width - 20}" fill="none" stroke="var(--line)"/>'
    label = f"{chart['y']} against {chart['x']}"
    return f'<svg viewBox="0 0 {width} {height}" width="{width}" role="img" aria-label="{escape(label)}">{frame}{"".join(marks)}{ticks}</svg>'
