"""What a denoiser is trained against, and the network that it is trained with."""

from __future__ import annotations

from typing import Any

from azogue.applications import pictures, series, signals
from azogue.autoencoder import Autoencoder
from azogue.corruptions import BlindSpot, Clipped, Corruption, Hiding, Levels, Mixture, Paired, as_corruption
from azogue.layers import Dense, Input, Output
from azogue.optimizers import Cosine

#: How networks of tables are trained: none of them is narrow, since noise keeps them from copying.
TRAINED: dict[str, Any] = {
    "epochs": 150,
    "learning_rate": Cosine(5e-3, warmup=0.05),
    "weight_decay": 0.01,
    "validation_fraction": 0.0,
}
#: Noise of a table, in scaled units, where nothing says what it is.
TABLE = Levels(0.0, 1.0)
#: Noise of pictures: its standard deviation as a part of black to white. Of signals: its ratio in dB.
PICTURE, SIGNAL = Clipped(Levels(0.0, 0.25)), Mixture(low=-5.0, high=20.0)


def resolve(noise: Any, kind: str, rows: Any, paired: bool, noisy: Any) -> Corruption:
    """What to train against.

    Parameters
    ----------
    noise : "auto", "blind", Corruption or str
    kind : {"table", "image", "sequence"}
    rows : clean rows
    paired : bool
        Whether each of them has its corrupted version.
    noisy : rows or None
        Other rows, which show what noise is like.

    Raises
    ------
    TypeError, ValueError
        For what is no noise, or noise that cannot be told from the rows.
    """
    if noise == "blind":
        return Hiding(0.0) if kind == "table" else BlindSpot()
    if noise != "auto":
        found = as_corruption(noise)
        if found is None or found.given:
            raise TypeError(
                f"noise: expected 'auto', 'blind' or a value such as corruptions.Gaussian(0.1), got {noise!r}"
            )
        if found.positional and kind == "table":
            raise ValueError(f"noise={noise!r} is for pictures and signals; tables take Gaussian, Swap or Masking")
        return found
    if paired:
        return Paired()
    if noisy is None:
        return {"table": TABLE, "image": PICTURE, "sequence": SIGNAL}[kind]
    if kind == "table":
        raise ValueError("clean=: expected the rows of X without noise, as many as X has; or say what noise= is")
    return pictures.estimated(noisy) if kind == "image" else signals.estimated(noisy, rows)


def default_autoencoder(kind: str, rows: Any, noise: Corruption, shared: dict[str, Any]) -> Autoencoder:
    """An unfitted autoencoder that suits pictures (n, h, w, c), signals cut by `shared["modality"]`, or tables."""
    if kind == "image":
        return pictures.picture_autoencoder(rows.shape[1:], noise, len(rows), **shared)
    if kind == "sequence":
        shape, count = series.windows_of(rows, shared["modality"])
        return signals.signal_autoencoder(shape, noise, count, **shared)
    network = Input() + Dense(32) + Output() if noise.blind else (128, 64)
    return Autoencoder(network, corruption=noise, **TRAINED, **shared)
