"""Pictures, signals and tables before and after their noise was taken off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from azogue.drawing import new_axes
from azogue.modalities import kind_of
from azogue.reconstructions.pictures import colours, draw_mosaic, name_lines
from azogue.reconstructions.signals import _panels
from azogue.shades import COLORS, GREY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

#: Pixels of a side beyond which pictures are cut to their middle, samples of a signal, rows and columns of a table.
SIDE, SAMPLES, ROWS, COLUMNS = 256, 1500, 30, 30


def plot_denoising(
    noisy: Any, restored: Any, clean: Any = None, *, modality: str = "auto", rate: int | None = None, ax: Any = None
) -> Axes:
    """What came, what a denoiser made of it and, where it is known, what it should be.

    Pictures are lines of a mosaic; of large ones the middle is shown. Signals are panels, the noisy one grey behind the
    restored one; of long ones the loudest part, of several channels the first. Columns of numbers of a table are heat
    maps in standard deviations.

    Parameters
    ----------
    noisy, restored : pictures (n, h, w) or (n, h, w, c), signals, or a table
        Or lists of pictures and of signals of any sizes.
    clean : like them, optional
    modality : {"auto", "image", "sequence", "table"}
    rate : int, optional
        Samples a second of signals.
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        For nothing to draw, or different numbers of pictures or signals.

    Examples
    --------
    >>> import numpy as np
    >>> noisy = np.random.default_rng(0).random((4, 8, 8))
    >>> ax = plot_denoising(noisy, noisy / 2, modality="image")
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['noisy', 'restored']
    """
    parts = {"noisy": noisy, "restored": restored} | ({} if clean is None else {"clean": clean})
    kind = kind_of(noisy) if modality == "auto" else modality
    if kind == "table":
        return _draw_tables({name: _matrix(part)[:ROWS, :COLUMNS] for name, part in parts.items()}, ax)
    single = kind == "sequence" and not isinstance(noisy, (list, tuple)) and np.ndim(noisy) == 1
    lists = {name: [np.asarray(one) for one in ([part] if single else part)] for name, part in parts.items()}
    if len({len(part) for part in lists.values()}) != 1 or not lists["noisy"]:
        counts = ", ".join(f"{len(part)} {name}" for name, part in lists.items())
        raise ValueError(f"plot_denoising: expected as many of each, and one at least, got {counts}")
    return _draw_pictures(lists, ax) if kind == "image" else _draw_signals(lists, rate, ax)


def _draw_pictures(parts: dict[str, list[NDArray[Any]]], ax: Any) -> Axes:
    lines, first = [], parts["noisy"][0]
    high = 255.0 if first.dtype == np.uint8 else max(1.0, float(np.nanmax(parts["noisy"][0])))
    shown = {name: [_middle(one) for one in part[:8]] for name, part in parts.items()}
    height, width = (max(one.shape[axis] for one in shown["noisy"]) for axis in (0, 1))
    for part in shown.values():
        line = np.ones((len(part), height, width, 3))
        for at, picture in enumerate(part):
            h, w = picture.shape[:2]
            line[at, :h, :w] = colours(picture.astype(float), 0.0, high)
        lines.append(line)
    ax, edge = draw_mosaic(np.stack(lines), ax, 1, room=0.9)
    step = height + 2 * edge
    name_lines(ax, [step * (at + 0.5) - 0.5 for at in range(len(lines))], list(parts))
    drawn: Axes = ax
    return drawn


def _middle(picture: NDArray[Any]) -> NDArray[Any]:
    """The middle of a picture, (h, w, c)."""
    whole = picture[..., None] if picture.ndim == 2 else picture
    top, left = (max(side - SIDE, 0) // 2 for side in whole.shape[:2])
    return whole[top : top + SIDE, left : left + SIDE]


def _draw_signals(parts: dict[str, list[NDArray[Any]]], rate: int | None, ax: Any) -> Axes:
    count = min(len(parts["noisy"]), 3)
    ax = new_axes(9.0, 1.4 + 1.7 * count) if ax is None else ax
    panels = _panels(ax, count)
    styles: dict[str, dict[str, Any]] = {
        "noisy": {"color": GREY, "linewidth": 0.8},
        "clean": {"color": COLORS[1], "linewidth": 2.2, "alpha": 0.45},
        "restored": {"color": COLORS[0], "linewidth": 1.0},
    }
    for at, panel in enumerate(panels):
        start = _loudest(parts["restored"][at])
        for name, style in styles.items():
            if name in parts:
                values = parts[name][at].reshape(len(parts[name][at]), -1)[start : start + SAMPLES, 0]
                panel.plot((start + np.arange(len(values))) / (rate or 1), values, label=name, **style)
        panel.margins(x=0.01)
        panel.spines[["top", "right"]].set_visible(False)
        panel.set_xlabel("sample" if rate is None else "seconds")
    handles, names = panels[0].get_legend_handles_labels()
    place: dict[str, Any] = {"loc": "lower right", "bbox_to_anchor": (1.0, 1.0), "borderaxespad": 0.0}
    ax.legend(handles, names, ncols=3, frameon=False, fontsize="small", **place)
    drawn: Axes = ax
    return drawn


def _loudest(values: NDArray[Any]) -> int:
    """Where the stretch of most power begins."""
    power = np.square(np.nan_to_num(values.reshape(len(values), -1)[:, 0].astype(float)))
    if len(power) <= SAMPLES:
        return 0
    sums = np.concatenate([[0.0], np.cumsum(power)])
    return int(np.argmax(sums[SAMPLES:] - sums[:-SAMPLES]))


def _matrix(table: Any) -> NDArray[np.float64]:
    """The columns of numbers."""
    if not hasattr(table, "columns"):
        return np.asarray(table, dtype=float)
    import narwhals as nw

    frame = nw.from_native(table, eager_only=True)
    names = [name for name in frame.columns if frame[name].dtype.is_numeric()]
    if not names:
        raise ValueError("plot_denoising: the table has no column of numbers to draw")
    return np.column_stack([np.asarray(frame[name].to_numpy(), float) for name in names])


def _draw_tables(parts: dict[str, NDArray[np.float64]], ax: Any) -> Axes:
    from matplotlib import colormaps

    base = parts["restored"]
    mean, spread = np.nanmean(base, axis=0), np.nanstd(base, axis=0)
    n, width = base.shape
    ax = new_axes(min(max(0.3 * width + 3.0, 5.0), 12.0), min(0.15 * len(parts) * n + 1.6, 12.0)) if ax is None else ax
    cmap = colormaps["RdBu_r"].with_extremes(bad=GREY)
    gap = 0.12 * n + 0.3
    for at, block in enumerate(parts.values()):
        top = at * (n + gap)
        scaled = (block - mean) / np.where(spread > 0, spread, 1.0)
        extent = (0, width, top + n, top)
        shown = ax.imshow(scaled, cmap, vmin=-3, vmax=3, aspect="auto", interpolation="nearest", extent=extent)
    ax.set(xlim=(0, width), ylim=(len(parts) * n + (len(parts) - 1) * gap, 0))
    name_lines(ax, [n / 2 + at * (n + gap) for at in range(len(parts))], list(parts))
    ax.set_xlabel(f"{width} columns")
    ax.figure.colorbar(shown, ax=ax, label="standard deviations", extend="both")
    drawn: Axes = ax
    return drawn
