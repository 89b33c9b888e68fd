"""Pictures: each function draws on an Axes, returns it, and never shows or saves anything."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np

from azogue.drawing import new_axes, plot_network
from azogue.maps import plot_codes
from azogue.modalities.frames import column_names
from azogue.shades import COLORS, GREY, as_shades, short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from azogue.shades import Shades

__all__ = [
    "new_axes",
    "plot_codes",
    "plot_generation",
    "plot_history",
    "plot_images",
    "plot_network",
    "plot_reconstructions",
]

#: Columns of a table whose names are written, and letters of each name.
MOST_NAMES, MOST_LETTERS = 40, 24


def plot_history(history: Sequence[dict[str, Any]], ax: Axes | None = None) -> Axes:
    """Training and held-out loss against the epoch; a dot marks the lowest held-out one.

    Parameters
    ----------
    history : list of dict
        An estimator's `history_`.
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        If no epoch is in it.

    Examples
    --------
    >>> plot_history([{"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": 1.0}]).get_yscale()
    'log'
    """
    from matplotlib.ticker import MaxNLocator

    series = {
        label: [(record["epoch"], record[name]) for record in history if name in record]
        for name, label in (("loss", "training"), ("val_loss", "held out"))
    }
    series = {label: points for label, points in series.items() if points}
    if not series:
        raise ValueError("plot_history: no epoch to draw; pass history_ of a fitted autoencoder")
    ax = new_axes() if ax is None else ax
    for (label, points), color in zip(series.items(), COLORS, strict=False):
        ax.plot(*zip(*points, strict=True), label=label, color=color, marker="." if len(points) < 20 else None)
    if "held out" in series:
        best = min(series["held out"], key=lambda point: point[1])
        ax.scatter(*best, color=COLORS[1], edgecolors="k", zorder=3, label=f"best: epoch {best[0]}")
    if all(value > 0 for points in series.values() for _, value in points):
        ax.set_yscale("log")
    ax.set(xlabel="epoch", ylabel="loss")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False)
    return ax


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
    framed = np.pad(pictures, edge, constant_values=_lowest(rows))
    ax.imshow(np.block([list(line) for line in framed]), cmap="gray_r")
    ax.set_axis_off()
    return ax


def _lowest(rows: NDArray[np.float64]) -> float:
    return float(np.nanmin(rows)) if np.isfinite(rows).any() else 0.0


def plot_reconstructions(estimator: Any, X: Any, n: int = 10, *, shape: Any = None, ax: Axes | None = None) -> Axes:
    """The first rows, what the network makes of them, and the absolute error.

    Pictures are drawn as three lines of pictures, within the range of the input. Of a table, three heat maps in scaled
    units: a line a row, a column a slot of the packed row, such as a numeric column or one of the categories of
    another.

    Parameters
    ----------
    estimator : fitted autoencoder, or what owns one
    X : table, shape (rows, columns)
    n : int
        Rows to draw.
    shape : (height, width), False or None
        Of the pictures that the rows hold; False draws a table. None takes an array of numbers as square pictures
        where its width is a square of at least 16, and anything else as a table.
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        For `n` below 1, and a `shape` that the rows do not fill.

    Examples
    --------
    >>> import azogue as az
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> ax = plot_reconstructions(az.Autoencoder(2, epochs=5, random_state=0).fit(X), X)
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['input', 'reconstruction', 'absolute error']
    """
    if n < 1:
        raise ValueError(f"plot_reconstructions: n must be at least 1, got {n!r}")
    owner = getattr(estimator, "autoencoder_", estimator)
    rows = _first(X, n)
    copies = owner.reconstruct(rows)
    pictures = _picture_shape(rows, shape)
    if pictures is None:
        return _draw_tables(owner.schema_, rows, copies, ax)
    before, after = (_pixels(part, pictures) for part in (rows, copies))
    low, high = _lowest(before), -_lowest(-before)
    lines = [before, np.clip(after, low, high), np.clip(np.abs(before - after) + low, low, high)]
    ax = new_axes(0.8 * len(before) + 1.6, 2.5) if ax is None else ax
    plot_images(lines, pictures, ax)
    step = pictures[0] + 2
    _name_lines(ax, [step * at + step / 2 - 0.5 for at in range(3)])
    return ax


def _name_lines(ax: Axes, places: Sequence[float]) -> None:
    ax.set_axis_on()
    ax.spines[:].set_visible(False)
    ax.set_yticks(places, ["input", "reconstruction", "absolute error"])
    ax.set_xticks([])
    ax.tick_params(length=0)


def _first(X: Any, n: int) -> Any:
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    return frame.head(n).to_native() if isinstance(frame, nw.DataFrame) else X[:n]


def _picture_shape(X: Any, shape: Any) -> tuple[int, int] | None:
    """Height and width of the pictures that the rows hold; None for a table."""
    if shape is not None and shape is not False:
        return int(shape[0]), int(shape[1])
    if shape is False or not isinstance(X, np.ndarray) or X.dtype.kind not in "uifb":
        return None
    if X.ndim == 3:
        return int(X.shape[1]), int(X.shape[2])
    side = math.isqrt(X.shape[1])
    return (side, side) if side >= 4 and side * side == X.shape[1] else None


def _pixels(rows: Any, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Rows of pixels, (n, height · width)."""
    array = np.asarray(rows, dtype=float)
    array = array.reshape(len(array), -1)
    if array.shape[1] != math.prod(shape):
        raise ValueError(f"shape: {shape} needs rows of {math.prod(shape)} pixels, got rows of {array.shape[1]}")
    return array


def _draw_tables(schema: Any, rows: Any, copies: Any, ax: Axes | None) -> Axes:
    """Rows, their copies and the difference in scaled units, as heat maps below one another."""
    from matplotlib import colormaps
    from matplotlib.colors import Normalize

    before, after = (_packed(schema, part) for part in (rows, copies))
    names, order = _slots(schema)
    used = [at for at in order if not names[at].endswith("=other") or before[:, at].any() or after[:, at].any()]
    before, after = before[:, used], after[:, used]
    n, width = before.shape
    ax = new_axes(min(max(0.3 * width + 3.0, 5.0), 12.0), min(0.45 * n + 2.2, 12.0)) if ax is None else ax
    both = np.abs(np.concatenate([before, after]))
    limit = float(np.nanpercentile(both, 99)) or 1.0
    signed = bool((before < 0).any() or (after < 0).any())
    cmap = colormaps["RdBu_r" if signed else "Blues"].with_extremes(bad=GREY)
    norm = Normalize(-limit if signed else 0.0, limit)
    gap = 0.12 * n + 0.3
    for at, block in enumerate((before, after, np.abs(before - after))):
        top = at * (n + gap)
        place = (0, width, top + n, top)
        shown = ax.imshow(block, cmap, norm, aspect="auto", interpolation="nearest", extent=place)
    ax.set(xlim=(0, width), ylim=(3 * n + 2 * gap, 0))
    _name_lines(ax, [n / 2 + at * (n + gap) for at in range(3)])
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


def plot_generation(
    estimator: Any,
    side: int = 10,
    *,
    shape: Any = None,
    low: float = 0.05,
    high: float = 0.95,
    dimensions: Sequence[int] = (0, 1),
    column: Any = None,
    ax: Axes | None = None,
) -> Axes:
    """Rows that the decoder makes of a grid over the code: what each place of it means.

    Pictures are drawn as one mosaic. Of a table, one column is drawn as a heat map, or as a line where one unit varies.

    Parameters
    ----------
    estimator : fitted autoencoder, or what owns one
        Its `generate` is called.
    side : int
        Places along each side.
    shape : (height, width), False or None
        As in `plot_reconstructions`.
    low, high : float
        Quantiles of the code where the grid begins and ends.
    dimensions : (int, int) or (int,)
        Units of the code along a line and down the lines; the others stay in the middle.
    column : str or int, optional
        The column to draw, by name or by number from 0; the first if none. With it the rows are taken as a table.
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    TypeError
        If the estimator cannot generate rows.
    ValueError
        For a column that is not there, and a `shape` that the rows do not fill.

    Examples
    --------
    >>> import azogue as az
    >>> from sklearn.datasets import load_iris
    >>> ae = az.Autoencoder(2, epochs=5, random_state=0).fit(load_iris().data)
    >>> plot_generation(ae, 20, column=2).images[0].get_array().shape
    (20, 20)
    """
    owner = getattr(estimator, "autoencoder_", estimator)
    if not hasattr(owner, "generate"):
        raise TypeError(f"plot_generation: expected a fitted autoencoder, got {type(owner).__name__}")
    rows = owner.generate(side, dimensions=dimensions, low=low, high=high)
    lines = len(rows) // side
    names = [f"quantile of code {unit + 1}" for unit in dimensions]
    pictures = None if column is not None else _picture_shape(rows, shape)
    if pictures is None:
        name, values = _column(rows, 0 if column is None else column)
        shades = as_shades(values)
        if lines == 1 and shades.categories is None:
            ax = new_axes() if ax is None else ax
            ax.plot(np.linspace(low, high, side), shades.values, color=COLORS[0], marker=".")
            ax.set(xlabel=names[0], ylabel=name)
            return ax
        cell, ax = (1, 1), _draw_heat(name, shades, (lines, side), ax)
    else:
        cell = (pictures[0] + 2, pictures[1] + 2)
        ax = new_axes(6.0, 0.6 + 5.4 * lines * cell[0] / side / cell[1]) if ax is None else ax
        plot_images(_pixels(rows, pictures).reshape(lines, side, -1), pictures, ax)
        ax.set_axis_on()
    ends, levels = ([0.5, side / 2, side - 0.5], [low, (low + high) / 2, high]) if side > 1 else ([0.5], [low])
    texts = [f"{level:.3g}" for level in levels]
    ax.set_xticks([cell[1] * end - 0.5 for end in ends], texts)
    ax.set_yticks([cell[0] * end - 0.5 for end in ends if lines > 1], texts if lines > 1 else [])
    ax.spines[:].set_visible(False)
    ax.set(xlabel=names[0], ylabel=names[1] if lines > 1 else "")
    return ax


def _draw_heat(name: str, shades: Shades, shape: tuple[int, int], ax: Axes | None) -> Axes:
    """A value for each place of a grid as a heat map with a colour bar."""
    from matplotlib.colors import ListedColormap

    ax = new_axes(5.6, 4.5) if ax is None else ax
    grid, categories = shades.values.reshape(shape), shades.categories
    if categories is None:
        ax.figure.colorbar(ax.imshow(grid, cmap="viridis"), ax=ax, label=name)
        return ax
    count = len(categories)
    cmap = ListedColormap(list(COLORS[:count])) if count <= len(COLORS) else "viridis"
    shown = ax.imshow(grid, cmap=cmap, vmin=-0.5, vmax=count - 0.5)
    bar = ax.figure.colorbar(shown, ax=ax, label=name, ticks=np.arange(count))
    bar.ax.set_yticklabels([short(category, MOST_LETTERS) for category in categories])
    return ax


def _column(rows: Any, column: Any) -> tuple[str, Any]:
    """A column by name or by number, and what it is called."""
    frame = nw.from_native(rows, eager_only=True, pass_through=True)
    table = frame if isinstance(frame, nw.DataFrame) else np.asarray(rows)
    names = column_names(rows, table.shape[1])
    if isinstance(frame, nw.DataFrame) and column in frame.columns:
        return str(column), frame[column].to_native()
    if not isinstance(column, int) or not 0 <= column < len(names):
        known = ", ".join(names[:20]) if isinstance(frame, nw.DataFrame) else f"numbers from 0 to {len(names) - 1}"
        raise ValueError(f"plot_generation: there is no column {column!r}; there are {known}")
    if isinstance(frame, nw.DataFrame):
        return names[column], frame[:, column].to_native()
    return names[column], table[:, column]
