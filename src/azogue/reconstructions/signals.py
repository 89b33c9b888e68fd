"""Signals and what a network makes of them, drawn over one another."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from azogue.drawing import FAINT, new_axes
from azogue.modalities.waves import is_path, is_wave, read, wave_files
from azogue.shades import COLORS, GREY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from azogue.modalities import SequenceSchema

    Signals = list[NDArray[Any]]

#: Channels that are drawn, and panels that stand below one another before there are two columns of them.
MOST_CHANNELS, MOST_LINES = 3, 4
#: Inches that two columns of panels need, and an entry of the legend.
WIDE, ENTRY = 6.0, 1.3


def first_signals(schema: SequenceSchema, X: Any, n: int) -> Signals:
    """The first n sequences, (samples, channels) each; of long series as many samples as the first n windows cover."""
    if is_path(X) and not (is_wave(X) and not Path(os.fsdecode(X)).is_dir()):
        X = wave_files(X) or X
    few = X[:n] if isinstance(X, (list, tuple)) and len(X) and not np.isscalar(X[0]) else X
    source = read(few, schema.step is not None)
    most = schema.size if schema.step is None else schema.size + (n - 1) * schema.step
    return [np.asarray(source.series[at])[:most] for at in range(min(n, len(source.rows.lengths)))]


def draw_signals(owner: Any, rows: Signals, seen: Signals | None, copies: Signals, ax: Axes | None) -> Axes:
    """A panel a sequence, each channel in a colour: the signal pale, its reconstruction on top."""
    schema: SequenceSchema = owner.schema_
    count, channels = len(rows), min(schema.channels, MOST_CHANNELS)
    if ax is None:
        lines = count if count <= MOST_LINES else -(-count // 2)
        ax = new_axes(9.0, 3.2) if count == 1 else new_axes(9.0, 1.1 + 1.15 * lines)
    panels = _panels(ax, count)
    for at, panel in enumerate(panels):
        parts: list[tuple[Any, dict[str, Any]]] = [
            (rows[at], {"linewidth": 2.4, "alpha": 0.4}),
            (copies[at], {"linewidth": 1.0}),
        ]
        if seen is not None:
            parts.insert(0, (seen[at], {"linewidth": 0.7, "color": GREY}))
        for values, style in parts:
            shown = values if schema.channels == 1 else schema.scale.forward(values)
            time = np.arange(len(values)) / (schema.rate or 1)
            for channel in range(channels):
                panel.plot(time, shown[:, channel], **({"color": COLORS[channel]} | style))
        panel.margins(x=0.01)
        panel.spines[["top", "right"]].set_visible(False)
    _explain(ax, panels, schema, seen is not None)
    return ax


def _panels(ax: Axes, count: int) -> list[Axes]:
    """Places for so many signals: the Axes itself for one, else Axes inside of it with one scale of time."""
    if count == 1:
        return [ax]
    ax.set_axis_off()
    columns = 1 if count <= MOST_LINES or _inches(ax) < WIDE else 2
    lines = -(-count // columns)
    panels: list[Axes] = []
    for at in range(count):
        column, line = at % columns, at // columns
        place = (0.53 * column, 1 - (line + 0.86) / lines, 0.47 if columns == 2 else 1.0, 0.78 / lines)
        panel = ax.inset_axes(place, sharex=panels[0] if panels else None)
        panel.tick_params(labelsize="small", labelbottom=at + columns >= count)
        panels.append(panel)
    return panels


def _inches(ax: Axes) -> float:
    return float(ax.get_window_extent().width / ax.figure.dpi)


def _explain(ax: Axes, panels: list[Axes], schema: SequenceSchema, seen: bool) -> None:
    """What axes, colours and lines mean."""
    from matplotlib.lines import Line2D

    channels, ink = min(schema.channels, MOST_CHANNELS), COLORS[0] if schema.channels == 1 else FAINT
    lines = [Line2D([], [], color=ink, linewidth=2.4, alpha=0.4), Line2D([], [], color=ink, linewidth=1.0)]
    names = ["input", "reconstruction"]
    if seen:
        lines.insert(0, Line2D([], [], color=GREY, linewidth=0.7))
        names.insert(0, "seen")
    if schema.channels > 1:
        lines += [Line2D([], [], color=COLORS[channel], linewidth=3.0) for channel in range(channels)]
        names += [f"channel {channel + 1}" for channel in range(channels)]
    title = "" if schema.channels == 1 else "in scaled units"
    if schema.channels > channels:
        title = f"{channels} of {schema.channels} channels, {title}"
    place: dict[str, Any] = {"loc": "lower right", "bbox_to_anchor": (1.0, 1.0), "borderaxespad": 0.0}
    columns = len(names) if ENTRY * len(names) <= _inches(ax) else 2
    legend = ax.legend(lines, names, ncols=columns, frameon=False, fontsize="small", title=title or None, **place)
    legend.get_title().set(size="small", color=FAINT)
    for panel in panels:
        if panel is ax or panel.xaxis.get_tick_params().get("labelbottom"):
            panel.set_xlabel("sample" if schema.rate is None else "seconds")
