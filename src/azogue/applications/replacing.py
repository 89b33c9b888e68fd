"""Rows that show what is sensitive, decoded from the code of a row that does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from azogue.applications.censoring import flagged
from azogue.applications.labelling import Label
from azogue.applications.releasing import Draws
from azogue.autoencoder import Autoencoder
from azogue.privacy.space import nearest

#: Codes that are kept, and how far a drawn one is from its origin, in standard deviations of the codes.
KEPT, SPREAD = 500, 0.1
#: Log odds from which a row surely shows it and takes any code that stays; below, one of so many that are nearest.
SURE, NEAR = 3.0, 5

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Replacement:
    """A classifier of codes, and codes to take instead.

    Parameters
    ----------
    autoencoder : Autoencoder
    weight, bias : ndarray, shapes (features,) and (1,)
        Log odds that a code's row is to be replaced, linear in its standardised units and their squares.
    centre, scale : ndarray, shape (size,)
    codes : ndarray, shape (at most 500, size)
        Of rows that stay.
    """

    autoencoder: Autoencoder
    weight: Floats
    bias: Floats
    centre: Floats
    scale: Floats
    codes: Floats

    @classmethod
    def learned(cls, autoencoder: Autoencoder, X: Any, hidden: list[Label], values: Any, seed: int) -> Self:
        """From the training rows."""
        shown = flagged(hidden[0], values)
        codes = np.asarray(autoencoder.encode(X), dtype=np.float64)
        centre, scale = codes.mean(0), codes.std(0) + 1e-9
        features = _features(codes, centre, scale)
        line = LogisticRegression(class_weight="balanced", max_iter=2000, C=0.1).fit(features, shown)
        stay = np.flatnonzero(~shown)
        stay = np.random.default_rng([seed % 2**63, 3]).permutation(stay)[:KEPT]
        return cls(autoencoder, line.coef_[0], line.intercept_, centre, scale, codes[stay])

    def to_dict(self) -> dict[str, Any]:
        """The arrays, for a file."""
        return {name: getattr(self, name) for name in ("weight", "bias", "centre", "scale", "codes")}

    def odds(self, codes: Floats) -> Floats:
        """Log odds that rows show it, by their codes; above 0 they are replaced."""
        found: Floats = _features(codes, self.centre, self.scale) @ self.weight + self.bias
        return found

    def _between(self, codes: Floats, odds: Floats, rng: Draws) -> Floats:
        """Codes on the way from one that stays to its nearest: copies of one would be known again.

        Where a row surely shows it, that is any one; where it may, one of the nearest to its own, so that a row that is
        replaced in error keeps what else it shows.
        """
        kept, own = self.codes / self.scale, codes / self.scale
        _, near = nearest(own, kept, NEAR)
        like = near[np.arange(len(own)), rng.integers(near.shape[1])]
        start = kept[np.where(odds > SURE, rng.integers(len(kept)), like)]
        second = nearest(start, kept, 2)[1][:, -1]
        mixed: Floats = (start + rng.random((len(own), 1)) * (kept[second] - start)) * self.scale
        return mixed

    def released(self, X: Any, rng: Draws) -> Any:
        """Every row decoded, from its own code or from one near a row's that stays."""
        codes = np.asarray(self.autoencoder.encode(X), dtype=np.float64)
        odds = self.odds(codes)
        away = np.flatnonzero(odds > 0)
        codes[away] = self._between(codes[away], odds[away], rng.take(away))
        codes += SPREAD * self.scale * rng.normal(size=codes.shape)
        return self.autoencoder.decode(codes.astype(np.float32))


def _features(codes: Floats, centre: Floats, scale: Floats) -> Floats:
    units = (codes - centre) / scale
    return np.concatenate([units, units**2], axis=1)
