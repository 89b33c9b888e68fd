"""What a trained network tells about rows: codes, reconstructions, errors. Deterministic, and blind to batching."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from azogue.objectives.reconstruction import Reconstruction, observed
from azogue.recipe import Batch, Code, Rng, Step
from azogue.training.autograd import forward
from azogue.training.data import BLOCK, in_blocks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from azogue.heads import Head
    from azogue.network import Network
    from azogue.objectives import Objective


@dataclass(frozen=True)
class Reader:
    """A network read in fixed padded blocks of rows, so that results are the same bits however rows are batched."""

    network: Network
    objective: Objective

    def codes(self, batch: Batch) -> Tensor:
        """Rows (n, width) → codes (n, size)."""
        return self._blocks(lambda x: (self.network.encode(x)[1].z,), batch.x)[0]

    def settled(self, h: Tensor) -> Tensor:
        """The encoder's output (n, k) → codes (n, size)."""
        return self._blocks(lambda part: (self.network.code(part, None).z,), h)[0]

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
            pairs = self.objective.reconstruction.terms
            values = [weight * term.errors(step) for weight, term in pairs if isinstance(term, Reconstruction)]
            return (_worst(torch.stack(values).sum(0)),)

        return self._blocks(rows, batch.x, _mask(batch))[0]

    def cell_errors(self, batch: Batch) -> Tensor:
        """The same for each column, (n, columns) in the order of the heads; NaN where a cell is missing."""

        def cells(x: Tensor, mask: Tensor) -> tuple[Tensor]:
            step = forward(self.network, Batch(x, mask))
            pairs = self.objective.reconstruction.terms
            values = [weight * term.columns(step) for weight, term in pairs if isinstance(term, Reconstruction)]
            total = _worst(torch.stack(values).sum(0))
            return (total.masked_fill(~mask[:, self.network.first_slots], torch.nan),)

        return self._blocks(cells, batch.x, _mask(batch))[0]

    def _blocks(self, function: Any, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        parameter = next(self.network.parameters())

        def on_device(*parts: Tensor | None) -> tuple[Tensor, ...]:
            moved = (_move(part, parameter) for part in parts)
            return tuple(result.float().cpu() for result in function(*moved))

        return in_blocks(on_device, *inputs)


def _mask(batch: Batch) -> Tensor:
    """The mask spelled out: a row's error takes one formula, whether other rows have holes or not."""
    return torch.ones_like(batch.x, dtype=torch.bool) if batch.mask is None else batch.mask


def _worst(errors: Tensor) -> Tensor:
    """Errors of values so large that the network's arithmetic overflowed: infinite, not unknown."""
    return errors.nan_to_num(nan=torch.inf, posinf=torch.inf)


def _move(part: Tensor | None, like: Tensor) -> Tensor | None:
    if part is None:
        return None
    return part.to(like.device, like.dtype if part.is_floating_point() else part.dtype)


_LEVELS = np.linspace(0, 1, 1001)
#: Cells whose errors are looked at for a profile, at most, and the rows that are looked at in any case.
PROFILE_CELLS, PROFILE_ROWS = 4_000_000, 1_000


def calibration_rows(rows: int, columns: int) -> Tensor:
    """Evenly spaced rows, all of them where their cells are few enough."""
    count = min(rows, max(PROFILE_CELLS // max(columns, 1), PROFILE_ROWS))
    return torch.linspace(0, rows - 1, count, dtype=torch.float64).round().long()


Profile = dict[str, np.ndarray]


def error_profile(cells: np.ndarray, weights: np.ndarray) -> Profile:
    """What errors were usual in training, for whoever judges new rows without the training data.

    Parameters
    ----------
    cells : ndarray, shape (n, columns)
        Each cell's error, NaN where it is missing.
    weights : ndarray, shape (columns,)
        Each column's weight in a row's error.

    Returns
    -------
    dict of ndarray
        `rows` (): how many were looked at. `column_scale` (columns,): each column's mean error, at least a thousandth
        of the columns' median, so that a column which is always met exactly divides by something; 1 where nothing was
        observed. `quantiles` (1001,): of the rows' mean of cell error over column scale.
    """
    means = observed_mean(cells, axis=0)
    positive = means[means > 0]
    floor = 1e-3 * float(np.median(positive)) if len(positive) else 1.0
    scale = np.where(np.isnan(cells).all(0), 1.0, np.maximum(means, floor))
    scores = observed_mean(cells / scale, axis=1, weights=weights)
    return {"rows": np.array(len(cells)), "column_scale": scale, "quantiles": np.quantile(scores, _LEVELS)}


def merged(old: Profile, new: Profile) -> Profile:
    """The profile of the rows of both, each counting by its number of rows."""
    rows = np.array([old["rows"], new["rows"]], dtype=np.float64)
    share = rows / rows.sum()
    return {
        "rows": np.array(int(rows.sum())),
        "column_scale": share[0] * old["column_scale"] + share[1] * new["column_scale"],
        "quantiles": joined_quantiles(old["quantiles"], new["quantiles"], share[1]),
    }


def code_quantiles(codes: Tensor, known: np.ndarray | None, share: float) -> np.ndarray:
    """Percentiles of each unit, (101, size), of codes (n, size) that are the part `share` of all seen so far."""
    found = np.asarray(np.quantile(codes.numpy(), np.linspace(0, 1, 101), axis=0))
    if share == 1.0 or known is None:
        return found
    return np.stack([joined_quantiles(*pair, share) for pair in zip(known.T, found.T, strict=True)], 1)


def joined_quantiles(old: np.ndarray, new: np.ndarray, share: float) -> np.ndarray:
    """Evenly spaced quantiles of two sets of rows together, of which the second is the part `share`."""
    count = len(old)
    both = np.concatenate([old, new])
    order = np.argsort(both, kind="stable")
    reached = np.cumsum(np.repeat([(1 - share) / count, share / count], count)[order])
    return np.asarray(np.interp(np.linspace(0, 1, count), reached, both[order]))


def observed_mean(cells: np.ndarray, axis: int, weights: np.ndarray | None = None) -> np.ndarray:
    """The (weighted) mean of what is not NaN; 0 where nothing is."""
    share = ~np.isnan(cells) * (1.0 if weights is None else weights)
    total = np.where(share > 0, cells, 0.0) * share
    return np.asarray(total.sum(axis=axis) / np.maximum(share.sum(axis=axis), np.finfo(float).tiny))


def column_weights(heads: Iterable[Head], columns: int) -> np.ndarray:
    """Each column's weight in the reconstruction, in the user's order; 0 for a column without a head."""
    weights = np.zeros(columns)
    for head in heads:
        weights[list(head.columns)] = head.weights
    return weights


def elbo(network: Network, term: Any, batch: Batch, rng: Rng) -> Tensor:
    """One draw of the evidence lower bound of each row, (n,) in nats, of a network with a gaussian code.

    Parameters
    ----------
    network : Network
    term : Reconstruction
        Whose `likelihood` counts.
    batch : Batch
    rng : Rng
        Only the code is drawn from it: dropout and corruption are off, batch statistics are the running ones.
    """
    parameter = next(network.parameters())
    found = []
    with torch.no_grad():
        for number, start in enumerate(range(0, len(batch), 16 * BLOCK)):
            part = batch.take(slice(start, start + 16 * BLOCK))
            x = part.x.to(parameter.device, parameter.dtype)
            mask = None if part.mask is None else part.mask.to(parameter.device)
            h, code = network.encode(x)
            mean, log_var = code.stats["mean"], code.stats["log_var"]
            draw = torch.randn(mean.shape, generator=rng.at(shard=number).generator("elbo")).to(mean)
            z = mean + (0.5 * log_var).exp() * draw
            out, raw = network.decode(z)
            step = Step(x, x, mask, h, Code(z, code.stats), out, network, None, raw)
            cells = term.likelihood(step)
            seen = observed(step)
            fit = cells.cpu().double().sum(1) if seen is None else (cells * seen).cpu().double().sum(1)
            units = network.code.prior.divergence(mean, log_var)
            found.append(fit - units.cpu().double().sum(1))
    return torch.cat(found)


def encoder_jacobian(network: Network, x: Tensor) -> tuple[Tensor, Tensor]:
    """The encoder's output h (n, k) for scaled rows x (n, width), and its Jacobian ∂h/∂x (n, k, width)."""
    parameter = next(network.parameters())
    found = []
    for start in range(0, len(x), BLOCK):
        seen = x[start : start + BLOCK].to(parameter.device, parameter.dtype).requires_grad_()
        with torch.enable_grad():
            h = network.encoder(seen)
            units = torch.eye(h.shape[1], dtype=h.dtype, device=h.device)
            (rows,) = torch.autograd.grad(h, seen, units[:, None, :].expand(-1, *h.shape), is_grads_batched=True)
        found.append((h.detach().cpu(), rows.transpose(0, 1).cpu()))
    h, jacobian = (torch.cat(parts) for parts in zip(*found, strict=True))
    return h, jacobian
