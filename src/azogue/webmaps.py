"""Codes → one self-contained HTML page with a map to hover over: inline style and script, nothing remote.

All that comes from data travels as JSON in which no tag can end or begin, and reaches the page as text, never as
markup. The page's policy allows its own script alone, by its hash.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from azogue.maps import MOST_LETTERS, MOST_NAMED
from azogue.shades import COLORS, GREY, PALE, as_shades

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from azogue.shades import Shades

#: Columns of a row that are shown, and letters of each value.
MOST_COLUMNS, MOST_SHOWN = 40, 200
#: Colours of a scale from its lowest to its highest value: matplotlib's viridis.
SCALE = "#440154", "#482878", "#3e4989", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58", "#b5de2b", "#fde725"
#: Steps of a scale.
STEPS = 64

_STYLE = """
:root{color-scheme:light dark;--ink:#1d2430;--faint:#667085;--line:#d9dee7;--paper:#fff}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ef;--faint:#98a2b3;--line:#344054;--paper:#14181f}}
*{box-sizing:border-box}[hidden]{display:none!important}
body{font:15px/1.45 system-ui,sans-serif;color:var(--ink);background:var(--paper);margin:0;height:100vh}
body{display:flex;flex-direction:column;overflow-wrap:anywhere}
header{display:flex;flex-wrap:wrap;align-items:baseline;gap:.2rem 1rem;padding:.6rem 1rem}
h1{font-size:1.15rem;margin:0}header p{margin:0;color:var(--faint);font-size:.85rem}
main{flex:1;display:flex;min-height:0;padding:0 1rem .6rem}
figure{margin:0;flex:1;position:relative;min-width:0;border:1px solid var(--line);overflow:hidden}
canvas{position:absolute;inset:0;width:100%;height:100%;cursor:crosshair;touch-action:none}
canvas:focus-visible{outline:2px solid var(--faint);outline-offset:-2px}
figcaption{position:absolute;color:var(--faint);font-size:.8rem;pointer-events:none;white-space:nowrap}
#x{bottom:.25rem;left:0;right:0;text-align:center}
#y{left:.3rem;top:50%;writing-mode:vertical-rl;transform:translateY(-50%) rotate(180deg)}
#legend{flex:0 0 auto;max-width:14rem;overflow:auto;padding-left:1rem;font-size:.85rem}
#legend h2{font-size:.85rem;margin:0 0 .3rem}
#legend button{display:flex;gap:.5rem;align-items:center;width:100%;padding:.1rem 0;text-align:left}
#legend button{font:inherit;color:inherit;background:none;border:0;cursor:pointer}
#legend button[aria-pressed=false]{opacity:.35}#legend i{flex:0 0 .8rem;height:.8rem;border-radius:50%}
#bar{height:12rem;width:1rem;border:1px solid var(--line)}#ends{display:flex;gap:.5rem}
#ends div{display:flex;flex-direction:column;justify-content:space-between}
#tip{position:absolute;max-width:min(28rem,90%);max-height:75%;overflow:auto;pointer-events:none;font-size:.8rem}
#tip{background:var(--paper);border:1px solid var(--line);box-shadow:0 2px 10px #0003;border-radius:4px}
#tip{padding:.4rem .6rem}#tip.pinned{pointer-events:auto}#tip b{display:block}#tip table{border-collapse:collapse}
#tip th{font-weight:400;color:var(--faint);text-align:left;padding:0 .8rem 0 0;vertical-align:top}
#tip td{padding:0;font-variant-numeric:tabular-nums}
"""

_SCRIPT = """
'use strict';
const at = id => document.getElementById(id), D = JSON.parse(at('data').textContent), n = D.x.length;
const canvas = at('map'), tip = at('tip'), legend = at('legend'), pen = canvas.getContext('2d');
const size = n > 5000 ? 2 : n > 1000 ? 2.6 : 3.4, pad = 28, reach = 144;
const hidden = new Set(), groups = D.colors.map(() => []);
for (let i = 0; i < n; i++) groups[D.shade ? D.shade[i] : 0].push(i);
let wide = 1, high = 1, zoom = 1, left = 0, down = 0, marked = -1, pinned = false, drag = null, waiting = false;

function make(tag, text, parent) {
  const made = document.createElement(tag);
  made.textContent = text;  // never as markup
  parent.append(made);
  return made;
}
const px = i => left + zoom * (pad + D.x[i] * (wide - 2 * pad));
const py = i => down + zoom * (pad + (1 - D.y[i]) * (high - 2 * pad));
function ring(x, y, r) { pen.moveTo(x + r, y); pen.arc(x, y, r, 0, 7); }

function draw() {
  waiting = false;
  const dense = Math.min(devicePixelRatio || 1, 2), w = Math.round(wide * dense), h = Math.round(high * dense);
  if (canvas.width !== w || canvas.height !== h) { canvas.width = w; canvas.height = h; }
  pen.setTransform(dense, 0, 0, dense, 0, 0);
  pen.clearRect(0, 0, wide, high);
  pen.globalAlpha = n > 5000 ? .6 : .8;
  const r = size * Math.min(2.2, Math.sqrt(Math.max(1, zoom)));
  groups.forEach((rows, g) => {
    if (hidden.has(g)) return;
    pen.fillStyle = D.colors[g];
    pen.beginPath();
    for (const i of rows) {
      const x = px(i), y = py(i);
      if (x > -r && y > -r && x < wide + r && y < high + r) ring(x, y, r);
    }
    pen.fill();
  });
  pen.globalAlpha = 1;
  if (marked < 0) return;
  pen.strokeStyle = getComputedStyle(document.body).color;
  pen.lineWidth = 2;
  pen.beginPath();
  ring(px(marked), py(marked), r + 3);
  pen.stroke();
}
function redraw() { if (!waiting) { waiting = true; requestAnimationFrame(draw); } }

function nearest(x, y) {
  let best = -1, least = reach;
  groups.forEach((rows, g) => {
    if (hidden.has(g)) return;
    for (const i of rows) {
      const a = px(i) - x, b = py(i) - y, away = a * a + b * b;
      if (away < least) { least = away; best = i; }
    }
  });
  return best;
}
function fill(i) {
  tip.replaceChildren();
  make('b', 'row ' + i, tip);
  const table = make('table', '', tip);
  D.columns.forEach((name, column) => {
    const line = make('tr', '', table), value = D.cells[column][i];
    make('th', name, line);
    make('td', value === null ? 'missing' : value, line);
  });
  if (D.more) make('div', D.more, tip);
}
function show(i, x, y) {
  if (i !== marked) {
    marked = i;
    tip.hidden = i < 0;
    if (i >= 0) fill(i);
    redraw();
  }
  if (i < 0) return;
  const w = tip.offsetWidth, h = tip.offsetHeight;
  tip.style.left = Math.max(4, x + 16 + w > wide ? x - w - 16 : x + 16) + 'px';
  tip.style.top = Math.max(4, Math.min(y + 12, high - h - 4)) + 'px';
}
function pin(on) { pinned = on; tip.classList.toggle('pinned', on); }
function away() { pin(false); show(-1); redraw(); }
function scale(by, x, y) {
  const to = Math.min(200, Math.max(.5, zoom * by)), part = to / zoom;
  left = x - (x - left) * part;
  down = y - (y - down) * part;
  zoom = to;
  away();
}
function reset() { zoom = 1; left = down = 0; away(); }
function move(x, y) { left += x; down += y; away(); }

canvas.addEventListener('pointerdown', e => {
  drag = { x: e.offsetX, y: e.offsetY, far: false };
  canvas.setPointerCapture(e.pointerId);
});
canvas.addEventListener('pointermove', e => {
  const x = e.offsetX, y = e.offsetY;
  if (!drag) { if (!pinned) show(nearest(x, y), x, y); return; }
  drag.far = drag.far || Math.hypot(x - drag.x, y - drag.y) > 3;
  if (drag.far) { move(x - drag.x, y - drag.y); drag.x = x; drag.y = y; }
});
canvas.addEventListener('pointerup', e => {
  if (drag && !drag.far) {
    const i = nearest(e.offsetX, e.offsetY);
    show(i, e.offsetX, e.offsetY);
    pin(i >= 0);
  }
  drag = null;
});
canvas.addEventListener('pointercancel', () => { drag = null; });
canvas.addEventListener('pointerleave', () => { if (!pinned && !drag) show(-1); });
canvas.addEventListener('dblclick', reset);
canvas.addEventListener('wheel', e => {
  e.preventDefault();
  scale(Math.exp(-e.deltaY * (e.deltaMode ? .03 : .0015)), e.offsetX, e.offsetY);
}, { passive: false });
const keys = {
  ArrowLeft: () => move(40, 0), ArrowRight: () => move(-40, 0), ArrowUp: () => move(0, 40),
  ArrowDown: () => move(0, -40), '+': () => scale(1.3, wide / 2, high / 2), Escape: away,
  '-': () => scale(1 / 1.3, wide / 2, high / 2), '0': reset,
};
canvas.addEventListener('keydown', e => {
  if (keys[e.key] && !e.ctrlKey && !e.metaKey) { keys[e.key](); e.preventDefault(); }
});

at('x').textContent = D.axes[0];
at('y').textContent = D.axes[1];
if (D.title) make('h2', D.title, legend);
if (D.ends) {
  const ends = make('div', '', legend), bar = make('div', '', ends), words = make('div', '', ends);
  ends.id = 'ends';
  bar.id = 'bar';
  bar.style.background = 'linear-gradient(to top,' + D.scale.join(',') + ')';
  make('span', D.ends[1], words);
  make('span', D.ends[0], words);
}
for (const [group, name] of D.names) {
  const button = make('button', '', legend);
  button.type = 'button';
  button.setAttribute('aria-pressed', 'true');
  make('i', '', button).style.background = D.colors[group];
  make('span', name + ' (' + groups[group].length.toLocaleString('en') + ')', button);
  button.addEventListener('click', () => {
    const shown = hidden.delete(group) || !hidden.add(group);
    button.setAttribute('aria-pressed', String(shown));
    away();
  });
}
legend.hidden = !legend.childNodes.length;
new ResizeObserver(() => { wide = canvas.clientWidth; high = canvas.clientHeight; redraw(); }).observe(canvas);
"""


def map_page(
    codes: ArrayLike,
    rows: Mapping[str, Sequence[Any]],
    color: Any = None,
    *,
    label: str | None = None,
    title: str = "Map",
    lang: str = "en",
) -> str:
    """The page of a map: a dot for each row, its number and values where the pointer is, a legend, zoom.

    Two units are the axes; one unit is drawn against the row number; of more, the first two are drawn. The wheel or +
    and − zoom, dragging or the arrow keys move, a click keeps a row's values in place, a double click or 0 starts anew;
    a category of the legend is hidden and shown by a click.

    Parameters
    ----------
    codes : array, shape (n, size)
    rows : mapping of str to sequence
        Columns to show, each of n values; those beyond 40 are left out, and the page says so.
    color : list, array or column of a frame, shape (n,), optional
        As in `plots.plot_codes`.
    label : str, optional
        Title of the legend; otherwise the column's own name, if it has one.
    title, lang : str
        Of the page.

    Raises
    ------
    ValueError
        For codes of another shape, no rows, or columns of other lengths.

    Examples
    --------
    >>> page = map_page([[0.0, 1.0], [2.0, 3.0]], {"name": ["a", "</script>"]})
    >>> page.startswith("<!doctype html>"), page.count("</script>")
    (True, 2)
    """
    points = np.asarray(codes, dtype=np.float64)
    if points.ndim != 2 or not points.size:
        raise ValueError(f"map: expected codes of shape (n, size) and a row at least, got {points.shape}")
    shades = None if color is None else as_shades(color, "map: color")
    lengths = {name: len(column) for name, column in rows.items()} | ({} if shades is None else {"color": len(shades)})
    if wrong := {name: length for name, length in lengths.items() if length != len(points)}:
        raise ValueError(f"map: the codes have {len(points)} rows, but of values there are {wrong}")
    content = {**_places(points), **colours_of(shades, label), **_values(rows)}
    data = inert_json(content)
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src {allowed(_SCRIPT)}"
    count = f"{len(points):,} row{'s' * (len(points) != 1)}"
    return (
        f'<!doctype html><html lang="{escape(lang)}"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><header><h1>{escape(title)}</h1>"
        f"<p>{count}. Point at a dot to see its row, click to keep it; the wheel zooms, dragging moves, a double click "
        f"starts anew.</p></header><main><figure>"
        f'<canvas id="map" tabindex="0" role="img" aria-label="{escape(title)}: map of {count}"></canvas>'
        f'<figcaption id="x"></figcaption><figcaption id="y"></figcaption><div id="tip" hidden></div></figure>'
        f'<div id="legend"></div></main><noscript>This map needs JavaScript, which is all in this file.</noscript>'
        f'<script type="application/json" id="data">{data}</script><script>{_SCRIPT}</script></body></html>'
    )


def inert_json(content: Any) -> str:
    r"""JSON that may stand inside a script element: no tag can begin or end in it.

    Examples
    --------
    >>> inert_json({"name": "</script>"})
    '{"name":"\\u003c/script\\u003e"}'
    """
    data = json.dumps(content, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for sign in "<>&":
        data = data.replace(sign, f"\\u{ord(sign):04x}")
    return data


def allowed(script: str) -> str:
    """What a page's policy says of a script that it holds, so that no other one runs."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _places(points: NDArray[np.float64]) -> dict[str, Any]:
    """Where each row is, both axes brought to [0, 1]."""
    count, size = points.shape
    x, y = (np.arange(count, dtype=float), points[:, 0]) if size == 1 else points.T[:2]
    names = ["row", "code 1"] if size == 1 else ["code 1", "code 2"]
    if size > 2:
        names[0] += f" (the first two of {size} units)"
    return {"x": _unit(x), "y": _unit(y), "axes": names}


def _unit(values: NDArray[np.float64]) -> list[float]:
    low, high = values.min(), values.max()
    if not np.isfinite([low, high]).all():
        raise ValueError("map: a code is not finite")
    span = high - low
    return (np.round((values - low) / span, 5) if span > 0 else np.full(len(values), 0.5)).tolist()


def colours_of(shades: Shades | None, label: str | None) -> dict[str, Any]:
    """The colours, which of them each row has, and what the legend says."""
    if shades is None:
        return {"colors": [COLORS[0]], "shade": None, "names": [], "title": None, "ends": None}
    missing = np.isnan(shades.values)
    found: dict[str, Any] = {"title": label or shades.name, "ends": None}
    if shades.categories is None:
        return found | _on_scale(shades, missing)
    numbers = np.where(missing, 0, shades.values).astype(int)
    counts = np.bincount(numbers[~missing], minlength=len(shades.categories))
    named = sorted(np.argsort(-counts, kind="stable")[:MOST_NAMED].tolist())
    other, none = len(named), len(named) + 1
    group = np.full(len(shades.categories) + 1, other)
    group[named] = range(len(named))
    shade = np.where(missing, none, group[numbers])
    names = [[at, _short(shades.categories[number])] for at, number in enumerate(named)]
    names += [[other, f"… and {len(shades.categories) - len(named)} more"]] * bool((shade == other).any())
    names += [[none, "missing"]] * bool(missing.any())
    colors = [*(COLORS[at % len(COLORS)] for at in range(len(named))), PALE, GREY]
    return found | {"colors": colors, "shade": shade.tolist(), "names": names}


def _on_scale(shades: Shades, missing: NDArray[np.bool_]) -> dict[str, Any]:
    finite = shades.values[np.isfinite(shades.values)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    part = np.clip((np.where(missing, low, shades.values) - low) / ((high - low) or 1.0), 0.0, 1.0)
    shade = np.where(missing, STEPS, np.round(part * (STEPS - 1)))
    ends = [str(np.datetime64(round(day), "D")) if shades.dates else f"{day:.6g}" for day in (low, high)]
    return {
        "colors": [*(_between(at / (STEPS - 1)) for at in range(STEPS)), GREY],
        "shade": shade.astype(int).tolist(),
        "names": [[STEPS, "missing"]] * bool(missing.any()),
        "ends": ends,
        "scale": list(SCALE),
    }


def _between(part: float) -> str:
    """The colour at a part of the scale."""
    at = part * (len(SCALE) - 1)
    low = min(int(at), len(SCALE) - 2)
    a, b = ([int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in SCALE[low : low + 2])
    return "#" + "".join(f"{round(p + (q - p) * (at - low)):02x}" for p, q in zip(a, b, strict=True))


def _short(text: str) -> str:
    return text if len(text) <= MOST_LETTERS else text[: MOST_LETTERS - 1] + "…"


def _values(rows: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    names = list(rows)
    shown = names[:MOST_COLUMNS]
    more = f"… and {len(names) - len(shown):,} more columns" if len(names) > len(shown) else None
    return {
        "columns": [str(name) for name in shown],
        "cells": [[shown_value(value) for value in rows[name]] for name in shown],
        "more": more,
    }


def shown_value(value: Any) -> str | int | None:
    """A value as the page shows it; None where it is missing."""
    if value is None or (isinstance(value, (float, np.floating)) and math.isnan(value)):
        return None
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    if isinstance(value, (int, np.integer)):
        return int(value) if abs(int(value)) < 2**53 else str(value)
    if isinstance(value, (float, np.floating)):
        return f"{float(value):.6g}"
    text = str(value)
    return text if len(text) <= MOST_SHOWN else text[: MOST_SHOWN - 1] + "…"
