"""Noise and damage: `python benchmarks/denoising.py [ecg strangers speech digits mnist cifar inpaint blind]`.

Ours beside filters on real data, all parts without arguments. `denoise_signals.py` says what `ecg`, `strangers` and
`speech` are, `denoise_pictures.py` the others; `blind-mnist` and `blind-cifar` are the halves of `blind`.
`SIGNAL_EPOCHS` scales the epochs of signals, `SIGNAL_SEED` is their seed, and `DENOISE_SHOWN` how many pictures each
network is shown. Data: ../shared/data, or AZOGUE_DATA; parts whose data are absent say so
and are skipped.
"""

from __future__ import annotations

import denoise_pictures
import denoise_signals
from parts import run

PARTS = denoise_signals.PARTS | denoise_pictures.PARTS


def title(name: str) -> str:
    if name in denoise_signals.PARTS:
        return f"{name}, seed {denoise_signals.SEED}"
    return f"{name}, seed 2, {denoise_pictures.SHOWN:,} pictures shown"


if __name__ == "__main__":
    run(PARTS | denoise_pictures.HALVES, PARTS, title)
