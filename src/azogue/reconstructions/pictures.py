"""Lines of pictures: rows of pixels as they stand in a table, and the pictures of a model for pictures."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from azogue.drawing import FAINT, new_axes
from azogue.modalities.pictures import is_files, list_files
from azogue.modalities.pixels import as_numbers
from azogue.shades import GREY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from azogue.modalities import ImageSchema

#: Inches of a picture's longer side, from small pictures to large ones, and how many pixels take an inch in between.
INCHES, PIXELS = (0.9, 2.2), 100
#: How many times a picture is larger than the white around it, and inches of a figure, at most.
FRAME, LARGEST = 20, 10.0
#: The values from black to white of dtypes that have them by nature.
_NATURAL = {"uint8": (0.0, 255.0), "bool": (0.0, 1.0)}


def plot_images(rows: Any, shape: tuple[int, int], ax: Axes | None = None) -> Axes:
    """Rows of pixels as lines of pictures, the largest value black.

    Parameters
    ----------
    rows : array, shape (lines, n, pixels)
        Each line of pictures below the one before.
    shape : (height, width)
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        If a row has not height · width pixels.

    Examples
    --------
    >>> import numpy as np
    >>> plot_images(np.zeros((2, 5, 16)), (4, 4)).images[0].get_array().shape
    (12, 30)
    """
    rows = np.asarray(rows, dtype=float)
    if rows.ndim != 3 or rows.shape[2] != math.prod(shape):
        raise ValueError(
            f"plot_images: expected rows of shape (lines, n, {math.prod(shape)}) for pictures of {shape[0]} × "
            f"{shape[1]} pixels, got {rows.shape}"
        )
    ax = new_axes(0.8 * rows.shape[1], 0.8 * rows.shape[0]) if ax is None else ax
    pictures, edge = rows.reshape(*rows.shape[:2], *shape), ((0, 0), (0, 0), (1, 1), (1, 1))
    framed = np.pad(pictures, edge, constant_values=lowest(rows))
    ax.imshow(np.block([list(line) for line in framed]), cmap="gray_r")
    ax.set_axis_off()
    return ax


def lowest(rows: NDArray[np.float64]) -> float:
    """The least of what is known, 0 if nothing is."""
    return float(np.nanmin(rows)) if np.isfinite(rows).any() else 0.0


def name_lines(ax: Axes, places: Sequence[float], names: Sequence[str]) -> None:
    """Names on the left of what lies below one another."""
    ax.set_axis_on()
    ax.spines[:].set_visible(False)
    ax.set_yticks(places, names)
    ax.set_xticks([])
    ax.tick_params(length=0)


def first_pictures(X: Any, n: int) -> Any:
    """The first pictures; of a folder, the paths of its first files, none of which is opened."""
    return list(list_files(X)[0][:n]) if is_files(X) else X[:n]


def pixels_of(schema: ImageSchema, X: Any) -> NDArray[np.float64]:
    """Pictures in any layout, container or file → (n, h, w, c) in their own units, NaN where missing."""
    batch = schema.pack(X)
    values = schema.channels.inverse(as_numbers(batch.x).reshape(-1, *schema.shape))
    if batch.mask is not None:
        values[~as_numbers(batch.mask).reshape(values.shape)] = np.nan
    return values


def ends_of(schema: ImageSchema, values: NDArray[np.float64]) -> tuple[float, float]:
    """Black and white: 0 and 255 of bytes, 0 and 1 of fractions, else the extremes of the values."""
    low, high = lowest(values), -lowest(-values)
    known = _NATURAL.get(schema.dtype)
    if known is None and 0.0 <= low <= high <= 1.0:
        known = (0.0, 1.0)
    return known or (low, high)


def colours(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """Pixels (…, c) → red, green and blue (…, 3) in [0, 1], black at `low` and white at `high`.

    Of three or four channels the first three are red, green and blue; of any other number the mean is shown in grey.
    What is missing has a colour of its own.
    """
    from matplotlib.colors import to_rgb

    shown = values[..., :3] if values.shape[-1] in (3, 4) else values.mean(-1, keepdims=True)
    known = ~np.isnan(shown).any(-1, keepdims=True)
    shades = np.clip((shown - low) / ((high - low) or 1.0), 0.0, 1.0)
    return np.where(known, shades, np.array(to_rgb(GREY)))


def draw_mosaic(
    lines: NDArray[np.float64], ax: Axes | None, channels: int, *, room: float = 0.0, largest: float = LARGEST
) -> tuple[Axes, int]:
    """Lines of pictures as one picture.

    Parameters
    ----------
    lines : array, shape (lines, n, h, w, 3)
    ax : Axes or None
    channels : int
        Of the pictures themselves: it is said if not all of them are seen.
    room, largest : float
        Inches for names on the left, and of all pictures together, at most.

    Returns
    -------
    Axes, and the width of the white around each picture
    """
    count, n, height, width, _ = lines.shape
    edge = max(1, max(height, width) // FRAME)
    if ax is None:
        longer = max(height, width)
        inch = min(max(INCHES[0], longer / PIXELS), INCHES[1], largest / n, largest / count) / longer
        size = (inch * n * (width + 2 * edge) + 0.2 + room, inch * count * (height + 2 * edge) + 0.2)
        ax = new_axes(max(size[0], 2.5), max(size[1], 1.0))
    framed = np.pad(lines, ((0, 0), (0, 0), (edge, edge), (edge, edge), (0, 0)), constant_values=1.0)
    tall, wide = height + 2 * edge, width + 2 * edge
    ax.imshow(framed.transpose(0, 2, 1, 3, 4).reshape(count * tall, n * wide, 3))
    ax.set_axis_off()
    if channels not in (1, 3):
        what = "the first 3 of 4 channels" if channels == 4 else f"the mean of {channels} channels"
        ax.set_title(what, fontsize="small", color=FAINT)
    return ax, edge


def draw_pictures(owner: Any, rows: Any, seen: Any, copies: Any, ax: Axes | None) -> Axes:
    """Pictures, their copies and the absolute error in lines below one another."""
    schema: ImageSchema = owner.schema_
    before, after = pixels_of(schema, rows), pixels_of(schema, copies)
    low, high = ends_of(schema, before)
    parts = [(name, colours(values, low, high)) for name, values in (("input", before), ("reconstruction", after))]
    if seen is not None:
        parts.insert(0, ("seen", colours(pixels_of(schema, seen), low, high)))
    parts.append(("absolute error", colours(np.abs(before - after), 0.0, high - low)))
    ax, edge = draw_mosaic(np.stack([part for _, part in parts]), ax, schema.shape[2], room=1.2)
    step = schema.shape[0] + 2 * edge
    name_lines(ax, [step * (at + 0.5) - 0.5 for at in range(len(parts))], [name for name, _ in parts])
    return ax
