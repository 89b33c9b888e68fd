"""Rows of tables and what a network makes of them: heat maps, and lines of pictures where rows hold pixels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np

from azogue.drawing import new_axes
from azogue.reconstructions.pictures import lowest, name_lines, plot_images
from azogue.shades import GREY, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

#: Columns whose names are written, and letters of each name.
MOST_NAMES, MOST_LETTERS = 40, 24


def first_rows(X: Any, n: int) -> Any:
    """The first rows of a frame or an array."""
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    return frame.head(n).to_native() if isinstance(frame, nw.DataFrame) else X[:n]


def picture_shape(X: Any, shape: Any) -> tuple[int, int] | None:
    """Height and width of the pictures that the rows hold; None for a table."""
    if shape is not None and shape is not False:
        return int(shape[0]), int(shape[1])
    if shape is False or not isinstance(X, np.ndarray) or X.dtype.kind not in "uifb":
        return None
    if X.ndim == 3:
        return int(X.shape[1]), int(X.shape[2])
    side = math.isqrt(X.shape[1])
    return (side, side) if side >= 4 and side * side == X.shape[1] else None


def pixel_rows(rows: Any, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Rows of pixels, (n, height · width)."""
    array = np.asarray(rows, dtype=float)
    array = array.reshape(len(array), -1)
    if array.shape[1] != math.prod(shape):
        raise ValueError(f"shape: {shape} needs rows of {math.prod(shape)} pixels, got rows of {array.shape[1]}")
    return array


def draw_rows(owner: Any, rows: Any, seen: Any, copies: Any, shape: Any, ax: Axes | None) -> Axes:
    """Rows, their copies and the difference, as pictures where they hold any."""
    pictures = picture_shape(rows, shape)
    if pictures is None:
        return _draw_tables(owner.schema_, rows, seen, copies, ax)
    before, after = (pixel_rows(part, pictures) for part in (rows, copies))
    low, high = lowest(before), -lowest(-before)
    lines = [before, np.clip(after, low, high), np.clip(np.abs(before - after) + low, low, high)]
    names = ["input", "reconstruction", "absolute error"]
    if seen is not None:
        lines.insert(0, np.clip(pixel_rows(seen, pictures), low, high))
        names.insert(0, "seen")
    ax = new_axes(0.8 * len(before) + 1.6, 0.8 * len(lines) + 0.1) if ax is None else ax
    plot_images(lines, pictures, ax)
    step = pictures[0] + 2
    name_lines(ax, [step * at + step / 2 - 0.5 for at in range(len(lines))], names)
    return ax


def _draw_tables(schema: Any, rows: Any, seen: Any, copies: Any, ax: Axes | None) -> Axes:
    """Rows, their copies and the difference in scaled units, as heat maps below one another."""
    from matplotlib import colormaps
    from matplotlib.colors import Normalize

    labels, parts = ["input", "reconstruction", "absolute error"], [rows, copies]
    if seen is not None:
        labels, parts = ["seen", *labels], [seen, *parts]
    blocks = [_packed(schema, part) for part in parts]
    names, order = _slots(schema)
    used = [at for at in order if not names[at].endswith("=other") or any(block[:, at].any() for block in blocks)]
    blocks = [block[:, used] for block in blocks]
    (n, width), count = blocks[0].shape, len(labels)
    ax = new_axes(min(max(0.3 * width + 3.0, 5.0), 12.0), min(0.15 * count * n + 2.2, 12.0)) if ax is None else ax
    both = np.abs(np.concatenate(blocks))
    limit = float(np.nanpercentile(both, 99)) or 1.0
    signed = any(bool((block < 0).any()) for block in blocks)
    cmap = colormaps["RdBu_r" if signed else "Blues"].with_extremes(bad=GREY)
    norm = Normalize(-limit if signed else 0.0, limit)
    gap = 0.12 * n + 0.3
    for at, block in enumerate((*blocks, np.abs(blocks[-2] - blocks[-1]))):
        top = at * (n + gap)
        place = (0, width, top + n, top)
        shown = ax.imshow(block, cmap, norm, aspect="auto", interpolation="nearest", extent=place)
    ax.set(xlim=(0, width), ylim=(count * n + (count - 1) * gap, 0))
    name_lines(ax, [n / 2 + at * (n + gap) for at in range(count)], labels)
    if width <= MOST_NAMES:
        texts = [short(names[at], MOST_LETTERS) for at in used]
        ax.set_xticks(np.arange(width) + 0.5, texts, rotation=45, ha="right", rotation_mode="anchor")
    else:
        ax.set_xlabel(f"{width} columns")
    beyond = "neither" if np.nanmax(both) <= limit else ("both" if signed else "max")
    ax.figure.colorbar(shown, ax=ax, label="scaled units", extend=beyond)
    return ax


def _packed(schema: Any, rows: Any) -> NDArray[np.float64]:
    """Rows in scaled units, NaN where missing."""
    batch = schema.pack(rows)
    values: NDArray[np.float64] = batch.x.numpy().astype(float)
    return values if batch.mask is None else np.where(batch.mask.numpy(), values, np.nan)


def _slots(schema: Any) -> tuple[list[str], list[int]]:
    """The name of each slot of a packed row, and the slots in the order of the user's columns."""
    columns = schema.slot_columns
    names = [str(row["name"]) for row in schema.describe()]
    if schema.names is None:
        names = [f"column {at + 1}" for at in range(len(names))]
    texts: list[str] = []
    for slot, column in enumerate(columns):
        known = getattr(schema.columns[column], "categories", None)
        place = slot - int(np.argmax(columns == column))
        text = "" if known is None else f"={known[place] if place < len(known) else 'other'}"
        texts.append(f"{names[column]}{text}")
    return texts, np.argsort(columns, kind="stable").tolist()
