"""Noise and damage: `python benchmarks/denoising.py [ecg strangers speech mnist cifar inpaint blind]`.

Ours beside filters on real data, all parts without arguments. `denoise_signals.py` says what `ecg`, `strangers` and
`speech` are, `denoise_pictures.py` the others; `blind-mnist` and `blind-cifar` are the halves of `blind`.
`SIGNAL_EPOCHS` scales the epochs of signals, `SIGNAL_SEED` is their seed, and `DENOISE_SHOWN` how many pictures each
network is shown. Data: ../shared/data, or AZOGUE_DATA; parts whose data are absent say so
and are skipped.
"""

from __future__ import annotations

import sys

import denoise_pictures
import denoise_signals

PARTS = denoise_signals.PARTS | denoise_pictures.PARTS


def main(names: list[str]) -> None:
    known = PARTS | denoise_pictures.HALVES
    if unknown := [name for name in names if name not in known]:
        sys.exit(f"denoising.py: no part {', '.join(map(repr, unknown))}; there are {', '.join(known)}")
    for name in names or PARTS:
        signals = name in denoise_signals.PARTS
        told = f"seed {denoise_signals.SEED}" if signals else f"seed 2, {denoise_pictures.SHOWN:,} pictures shown"
        print(f"\n{name}, {told}", flush=True)
        try:
            known[name]()
        except FileNotFoundError as missing:
            print(f"  skipped: {missing}")


if __name__ == "__main__":
    main(sys.argv[1:])
