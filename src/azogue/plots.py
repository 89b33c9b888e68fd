"""Pictures: each function draws on an Axes, returns it, and never shows or saves anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np

from azogue.diagnostics import plot_overimpute
from azogue.drawing import new_axes, plot_network
from azogue.maps import plot_codes
from azogue.modalities import ImageSchema, SequenceSchema
from azogue.modalities.frames import column_names
from azogue.modalities.textual import TextSchema
from azogue.reconstructions import plot_reconstructions
from azogue.reconstructions.noises import plot_denoising
from azogue.reconstructions.pictures import colours, draw_mosaic, ends_of, pixels_of, plot_images
from azogue.reconstructions.tables import MOST_LETTERS, picture_shape, pixel_rows
from azogue.shades import COLORS, as_shades, short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from azogue.shades import Shades

__all__ = [
    "new_axes",
    "plot_codes",
    "plot_denoising",
    "plot_generation",
    "plot_history",
    "plot_images",
    "plot_network",
    "plot_overimpute",
    "plot_reconstructions",
]


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
        Of the pictures that the rows of a table hold, as in `plot_reconstructions`.
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
        If the estimator cannot generate rows, or generates sequences or texts.
    ValueError
        For a column that is not there, a `shape` that the rows do not fill, and either for a model of pictures.

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
    schema = getattr(owner, "schema_", None)
    _check_drawable(schema, shape, column)
    rows = owner.generate(side, dimensions=dimensions, low=low, high=high)
    lines = len(rows) // side
    names = [f"quantile of code {unit + 1}" for unit in dimensions]
    pictures = None if column is not None else picture_shape(rows, shape)
    if isinstance(schema, ImageSchema):
        ax, cell = _draw_pictures(schema, rows, lines, ax)
    elif pictures is None:
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
        plot_images(pixel_rows(rows, pictures).reshape(lines, side, -1), pictures, ax)
        ax.set_axis_on()
    ends, levels = ([0.5, side / 2, side - 0.5], [low, (low + high) / 2, high]) if side > 1 else ([0.5], [low])
    texts = [f"{level:.3g}" for level in levels]
    ax.set_xticks([cell[1] * end - 0.5 for end in ends], texts)
    ax.set_yticks([cell[0] * end - 0.5 for end in ends if lines > 1], texts if lines > 1 else [])
    ax.spines[:].set_visible(False)
    ax.set(xlabel=names[0], ylabel=names[1] if lines > 1 else "")
    return ax


def _check_drawable(schema: Any, shape: Any, column: Any) -> None:
    """Refuse what has no place in a mosaic or a heat map."""
    if isinstance(schema, (SequenceSchema, TextSchema)):
        what = "sequences" if isinstance(schema, SequenceSchema) else "texts"
        raise TypeError(f"plot_generation: draws pictures and columns of tables, not {what}; look at generate() itself")
    if isinstance(schema, ImageSchema) and not (shape is None and column is None):
        raise ValueError("plot_generation: shape= and column= are for tables; leave them out for a model of pictures")


def _draw_pictures(schema: ImageSchema, rows: Any, lines: int, ax: Axes | None) -> tuple[Axes, tuple[int, int]]:
    """A mosaic of pictures, and the pixels of each with the white around it."""
    values = pixels_of(schema, rows)
    shades = colours(values, *ends_of(schema, values))
    grid = shades.reshape(lines, -1, *shades.shape[1:])
    ax, edge = draw_mosaic(grid, ax, schema.shape[2], room=0.6, largest=6.0)
    ax.set_axis_on()
    return ax, (schema.shape[0] + 2 * edge, schema.shape[1] + 2 * edge)


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
