"""What a trained network tells about rows: codes, reconstructions, errors. Deterministic, and blind to batching."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from azogue.objectives.reconstruction import Reconstruction
from azogue.recipe import Batch
from azogue.training.autograd import forward
from azogue.training.data import in_blocks

if TYPE_CHECKING:
    from azogue.build import Network
    from azogue.objectives import Objective


@dataclass(frozen=True)
class Reader:
    """A network read in fixed padded blocks of rows, so that results are the same bits however rows are batched."""

    network: Network
    objective: Objective

    def codes(self, batch: Batch) -> Tensor:
        """Rows (n, width) → codes (n, size)."""
        return self._blocks(lambda x: (self.network.encode(x)[1].z,), batch.x)[0]

    def decoded(self, z: Tensor) -> Tensor:
        """Codes (n, size) → rows in scaled units (n, width)."""
        return self._blocks(lambda part: (self.network.decode(part)[0],), z)[0]

    def reconstructed(self, batch: Batch) -> Tensor:
        """Rows → their reconstructions in scaled units, (n, width)."""
        return self._blocks(lambda x: (self.network(x),), batch.x)[0]

    def errors(self, batch: Batch) -> Tensor:
        """The reconstruction part of the objective for each row, (n,)."""

        def rows(x: Tensor, mask: Tensor | None) -> tuple[Tensor]:
            step = forward(self.network, Batch(x, mask))
            values = [weight * term(step) for weight, term in self.objective.reconstruction.terms]
            return (torch.stack(values).sum(0),)

        return self._blocks(rows, batch.x, batch.mask)[0]

    def cell_errors(self, batch: Batch) -> Tensor:
        """The same for each column, (n, columns) in the order of the heads; NaN where a cell is missing."""

        def cells(x: Tensor, mask: Tensor | None) -> tuple[Tensor]:
            step = forward(self.network, Batch(x, mask))
            pairs = self.objective.reconstruction.terms
            values = [weight * term.columns(step) for weight, term in pairs if isinstance(term, Reconstruction)]
            total = torch.stack(values).sum(0)
            return (total if mask is None else total.masked_fill(~mask[:, self.network.first_slots], torch.nan),)

        return self._blocks(cells, batch.x, batch.mask)[0]

    def _blocks(self, function: Any, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        parameter = next(self.network.parameters())

        def on_device(*parts: Tensor | None) -> tuple[Tensor, ...]:
            moved = (_move(part, parameter) for part in parts)
            return tuple(result.float().cpu() for result in function(*moved))

        return in_blocks(on_device, *inputs)


def _move(part: Tensor | None, like: Tensor) -> Tensor | None:
    if part is None:
        return None
    return part.to(like.device, like.dtype if part.is_floating_point() else part.dtype)


#: Cells whose errors are looked at for a profile, at most, and the rows that are looked at in any case.
PROFILE_CELLS, PROFILE_ROWS = 4_000_000, 1_000


def calibration_rows(rows: int, columns: int) -> Tensor:
    """Evenly spaced rows, all of them where their cells are few enough."""
    count = min(rows, max(PROFILE_CELLS // max(columns, 1), PROFILE_ROWS))
    return torch.linspace(0, rows - 1, count).round().long()


def error_profile(cells: np.ndarray) -> dict[str, np.ndarray]:
    """What errors were usual in training, for whoever judges new rows without the training data.

    Parameters
    ----------
    cells : ndarray, shape (n, columns)
        Each cell's error, NaN where it is missing.

    Returns
    -------
    dict of ndarray
        `column_scale` (columns,): each column's mean error, at least a thousandth of the columns' median, so that a
        column which is always met exactly divides by something; 1 where nothing was observed.
        `quantiles` (1001,): of the rows' `relative_errors`.
    """
    means = observed_mean(cells, axis=0)
    positive = means[means > 0]
    floor = 1e-3 * float(np.median(positive)) if len(positive) else 1.0
    scale = np.where(np.isnan(cells).all(0), 1.0, np.maximum(means, floor))
    return {
        "column_scale": scale,
        "quantiles": np.quantile(observed_mean(cells / scale, axis=1), np.linspace(0, 1, 1001)),
    }


def observed_mean(cells: np.ndarray, axis: int) -> np.ndarray:
    """The mean of what is not NaN; 0 where nothing is."""
    seen = ~np.isnan(cells)
    return np.asarray(np.where(seen, cells, 0.0).sum(axis=axis) / np.maximum(seen.sum(axis=axis), 1))
