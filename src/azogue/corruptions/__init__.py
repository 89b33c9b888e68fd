"""Corruptions: what is done to the input while the target stays whole (Vincent et al. 2010).

Each is a frozen value and a function `(x, rng) → (seen, touched)`: `seen` is what the encoder reads, `touched` is True
where a cell was changed. Sizes are in scaled units, and nothing is drawn but from `rng`.
"""

from azogue.corruptions.base import Corruption, Neighbor, Paired
from azogue.corruptions.cells import Following, Hiding, Masking, Ones, SaltPepper, Swap, Zeros
from azogue.corruptions.mixtures import Mixture, Recording
from azogue.corruptions.noises import Cauchy, Clipped, Gaussian, Levels
from azogue.corruptions.spots import BlindSpot, Blocks, FurtherImpulses, Impulses, Positional

__all__ = [
    "NAMED",
    "BlindSpot",
    "Blocks",
    "Cauchy",
    "Clipped",
    "Corruption",
    "Following",
    "FurtherImpulses",
    "Gaussian",
    "Hiding",
    "Impulses",
    "Levels",
    "Masking",
    "Mixture",
    "Neighbor",
    "Ones",
    "Paired",
    "Positional",
    "Recording",
    "SaltPepper",
    "Swap",
    "Zeros",
    "as_corruption",
]

#: Names that `corruption=` takes as text.
NAMED: dict[str, Corruption] = {
    "zeros": Zeros(),
    "ones": Ones(),
    "saltpepper": SaltPepper(),
    "swap": Swap(),
    "masking": Masking(),
    "gaussian": Gaussian(),
    "cauchy": Cauchy(),
}


def as_corruption(corruption: object) -> Corruption | None:
    """Text or a corruption → a corruption; None as it is.

    Raises
    ------
    ValueError, TypeError
        For an unknown name, or anything that is no corruption.

    Examples
    --------
    >>> as_corruption("gaussian")
    Gaussian()
    """
    if corruption is None or isinstance(corruption, Corruption):
        return corruption
    if not isinstance(corruption, str):
        raise TypeError(f"corruption: expected a value such as az.corruptions.Gaussian(0.2), got {corruption!r}")
    if corruption not in NAMED:
        raise ValueError(f"corruption: {corruption!r} is unknown; use one of {', '.join(NAMED)}, or a value")
    return NAMED[corruption]
