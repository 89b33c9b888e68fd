"""What stops of the tour share: their record, pictures in files, an error."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from azogue.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: `use`, `data`, `measure`, `ours`, `peer`, `theirs`, `text`, `images` (pairs of a caption and a file); and, where
#: there are any, `more` (further lines of the overview, with the keys that differ), `table` and `sections` of the page.
Stop = dict[str, Any]


def picture(ax: Axes, folder: Path, name: str) -> str:
    buffer = io.BytesIO()
    ax.figure.savefig(buffer, format="png", dpi=110)  # type: ignore[union-attr]
    atomic_write(folder / name, buffer.getvalue())
    return name


def squared(a: Any, b: Any) -> float:
    return float(np.square(np.subtract(a, b, dtype=float)).mean())
