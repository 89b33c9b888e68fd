"""New rows from codes: draws from the prior, paths between rows, grids over the code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted

from azogue.inference import kept
from azogue.priors import Prior
from azogue.recipe import Rng
from azogue.session import as_seed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from azogue.codes import CodeSpec
    from azogue.network import Network
    from azogue.recipe import Recipe


class Sampling:
    """The sampling methods of an autoencoder, over its `encode` and `decode`."""

    network_: Network
    code_: CodeSpec
    recipe_: Recipe
    code_size_: int
    code_quantiles_: np.ndarray
    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]

    def sample(self, n: int = 1, random_state: Any = None) -> Any:
        """New rows: draws from the code's prior, decoded.

        Parameters
        ----------
        n : int
        random_state : int, numpy generator or None
            None: the seed of the fit, so that each call gives the same rows.

        Raises
        ------
        TypeError
            If the code has no prior to draw from.
        """
        check_is_fitted(self, "network_")
        if isinstance(n, bool) or int(n) != n or n < 1:
            raise ValueError(f"sample: n must be a whole number of at least 1, got {n!r}")
        if not self.code_.has_prior:
            raise TypeError(f"sample: {self.code_!r} has no prior to draw from; use a variational autoencoder")
        seed = self.recipe_.seed if random_state is None else as_seed(random_state)
        return self.decode(self.network_.code.draw(int(n), Rng(seed)).numpy())

    def interpolate(self, a: Any, b: Any, steps: int = 10) -> Any:
        """Rows on the straight line between the codes of two rows `a` and `b`, ends included.

        Where codes are discrete, each point of the line stands for the nearest code.

        Parameters
        ----------
        a, b : table of one row
        steps : int
            Rows of the result.
        """
        start, end = (np.asarray(self.encode(row)) for row in (a, b))
        if len(start) != 1 or len(end) != 1:
            raise ValueError(f"interpolate: a and b are one row each, got {len(start)} and {len(end)}")
        return self._decode_near(start + np.linspace(0, 1, steps, dtype=np.float32)[:, None] * (end - start))

    def generate(
        self,
        side: int = 10,
        *,
        dimensions: Sequence[int] = (0, 1),
        low: float = 0.05,
        high: float = 0.95,
        fixed: float = 0.5,
    ) -> Any:
        """Rows decoded on a grid over one or two units of the code, evenly spaced in probability.

        The probability is the prior's where its units are independent (for a standard normal one, the inverse normal
        CDF turns it into values), else that of the training rows' codes.

        Parameters
        ----------
        side : int
            Points along each dimension.
        dimensions : sequence of one or two int
            The units that vary, the first one fastest. A code of one unit has one.
        low, high : float
            The probabilities at which the grid begins and ends.
        fixed : float
            The probability at which the other units stay.

        Returns
        -------
        table of side ** len(dimensions) rows, in the user's units

        Raises
        ------
        ValueError
            For dimensions that the code does not have, or probabilities outside (0, 1).
        """
        check_is_fitted(self, "network_")
        units = [int(unit) for unit in dimensions][: self.code_size_]
        if not units or len(units) > 2 or len(set(units)) < len(units) or not set(units) <= set(range(self.code_size_)):
            raise ValueError(
                f"generate: dimensions must be one or two different units below {self.code_size_}, got {dimensions!r}"
            )
        if not (0.0 < low < high < 1.0 and 0.0 < fixed < 1.0):
            raise ValueError(f"generate: needs 0 < low < high < 1 and fixed in (0, 1), got {low}, {high}, {fixed}")
        if isinstance(side, bool) or int(side) != side or side < 1:
            raise ValueError(f"generate: side must be a whole number of at least 1, got {side!r}")
        levels = np.linspace(low, high, int(side))
        codes = np.empty((len(levels) ** len(units), self.code_size_), dtype=np.float32)
        codes[:] = [self._code_quantile(unit, np.array([fixed]))[0] for unit in range(self.code_size_)]
        for unit, grid in zip(units, np.meshgrid(*[np.arange(len(levels))] * len(units)), strict=True):
            codes[:, unit] = self._code_quantile(unit, levels)[grid.reshape(-1)]
        return self._decode_near(codes)

    def _decode_near(self, codes: np.ndarray) -> Any:
        """Decode the codes nearest to these that the code layer can produce."""
        layer = self.network_.code
        like = next(self.network_.parameters())
        return self.decode(layer.snapped(torch.as_tensor(codes, dtype=like.dtype, device=like.device)).cpu().numpy())

    def _code_quantile(self, unit: int, p: np.ndarray) -> np.ndarray:
        prior = getattr(self.code_, "prior", None)
        if isinstance(prior, Prior) and prior.independent:
            return prior.quantile(p)
        return np.asarray(np.interp(p, np.linspace(0, 1, 101), kept(self, "code_quantiles_")[:, unit]))
