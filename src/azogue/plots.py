"""Pictures: each function draws on an Axes, returns it, and never shows or saves anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def new_axes(width: float = 5.0, height: float = 4.0) -> Axes:
    """Axes on a figure of their own, without pyplot: no window, no global state."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained").add_subplot()


def plot_history(history: list[dict[str, float]], ax: Axes | None = None) -> Axes:
    """Training and held-out loss against the epoch.

    Parameters
    ----------
    history : list of dict
        An estimator's `history_`.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = new_axes() if ax is None else ax
    for name, label in (("loss", "training"), ("val_loss", "held out")):
        points = [(record["epoch"], record[name]) for record in history if name in record]
        if points:
            ax.plot(*zip(*points, strict=True), label=label)
    ax.set(xlabel="epoch", ylabel="loss")
    if all(value > 0 for record in history for name, value in record.items() if name.endswith("loss")):
        ax.set_yscale("log")
    ax.legend()
    return ax


def plot_codes(codes: Any, color: Any = None, ax: Axes | None = None) -> Axes:
    """The first two units of the codes as a map.

    Parameters
    ----------
    codes : array, shape (n, size)
        Of one unit, they are drawn against the row number.
    color : array, shape (n,), optional
        Numbers are shown on a scale, anything else as categories with a legend.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    codes = np.asarray(codes)
    ax = new_axes() if ax is None else ax
    x, y = (np.arange(len(codes)), codes[:, 0]) if codes.shape[1] == 1 else (codes[:, 0], codes[:, 1])
    ax.set(xlabel="row" if codes.shape[1] == 1 else "code 1", ylabel="code 1" if codes.shape[1] == 1 else "code 2")
    if color is None:
        ax.scatter(x, y, s=8, alpha=0.7)
        return ax
    color = np.asarray(color)
    if color.dtype.kind == "f":
        shown = ax.scatter(x, y, c=color, s=8, alpha=0.7, cmap="viridis")
        ax.figure.colorbar(shown, ax=ax)
        return ax
    for number, label in enumerate(np.unique(color)):
        chosen = color == label
        ax.scatter(x[chosen], y[chosen], s=8, alpha=0.7, color=f"C{number % 10}", label=str(label))
    ax.legend(markerscale=2, fontsize="small")
    return ax


def plot_images(rows: Any, shape: tuple[int, int], ax: Axes | None = None) -> Axes:
    """Rows of pixels as one strip of pictures.

    Parameters
    ----------
    rows : array, shape (lines, n, pixels)
        Each line of pictures below the one before.
    shape : (height, width)
    ax : Axes, optional
    """
    rows = np.asarray(rows, dtype=float)
    ax = new_axes(0.8 * rows.shape[1], 0.8 * rows.shape[0]) if ax is None else ax
    framed = np.pad(rows.reshape(*rows.shape[:2], *shape), ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=rows.min())
    ax.imshow(np.block([list(line) for line in framed]), cmap="gray_r")
    ax.set_axis_off()
    return ax
