"""The pictures of the README, one for each use: what the worked examples draw, in few colours and small.

python docs/figures/uses.py            # all of them, a minute on one core
python docs/figures/uses.py 03 07      # those of two examples
"""

from __future__ import annotations

import io
import os
import runpy
import sys
from pathlib import Path

os.environ["MPLBACKEND"] = "agg"

import matplotlib.pyplot as plt
from PIL import Image

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parents[1] / "examples" / "gallery"
#: Pixels to the inch, and colours of a palette.
DPI, COLORS = 88, 48


def draw(path: Path) -> Path:
    """Run an example, and keep what it draws last; on white, so that it reads on dark pages too."""
    plt.close("all")
    runpy.run_path(str(path))
    stream = io.BytesIO()
    plt.figure(plt.get_fignums()[-1]).savefig(stream, format="png", dpi=DPI, facecolor="white")
    picture = Image.open(stream).convert("RGB").quantize(COLORS, dither=Image.Dither.NONE)
    made = HERE / f"use-{path.stem.split('_', 2)[2]}.png"
    picture.save(made, optimize=True)
    return made


if __name__ == "__main__":
    for example in sorted(EXAMPLES.glob("plot_0[1-8]*.py")):
        if len(sys.argv) == 1 or example.name[5:7] in sys.argv[1:]:
            made = draw(example)
            sys.stdout.write(f"{made.name}: {made.stat().st_size / 1024:.0f} KB\n")
