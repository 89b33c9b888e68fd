"""What a trained network tells about rows: codes, reconstructions, errors. Deterministic, and blind to batching."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from azogue.objectives.reconstruction import Reconstruction, observed
from azogue.recipe import Batch, Code, Rng, Step
from azogue.training.autograd import forward
from azogue.training.data import BLOCK
from azogue.training.threads import in_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from azogue.heads import Head
    from azogue.modalities.base import Pieces, Schema
    from azogue.network import Network
    from azogue.objectives import Objective
    from azogue.training.data import Rows

#: Multiplications of a block, about, and bounds of its rows: enough to hide the calls that a small network takes, few
#: enough that a single row is answered at once. Where a row alone takes `LONG` multiplications, fewer will do.
WORK, ROWS, LONG, FEW = 6_000_000, (288, 864), 10_000_000, 96
#: Cells of a piece, at most, where that is more than a block.
CELLS = 2**18

#: A function of rows (n, …) and their mask that treats each row on its own.
RowFunction = Callable[[Tensor, Tensor], Tensor]


def block_rows(work: int) -> int:
    """Rows of a block for so many multiplications a row, which alone decide: a row's bits depend on no other rows.

    An odd multiple of 96: whole tiles of a matrix product, whether they are 8, 12, 16 or 24 rows wide (MKL treats the
    rest of a block in another way, whose bits differ), and no columns that share a few lines of the processor's cache.
    """
    if work >= LONG:
        return FEW
    return 96 * (min(max(WORK // work, ROWS[0]), ROWS[1]) // 96 - 1 | 1)


@dataclass(frozen=True)
class Reader:
    """A network read in fixed padded blocks of rows, so that results are the same bits however rows are batched.

    What it reads is a batch, or the pieces of a table that is being packed meanwhile.
    """

    network: Network
    objective: Objective

    @cached_property
    def block(self) -> int:
        """Rows of a block."""
        return block_rows(self.network.work)

    def packed(self, schema: Schema, X: Any) -> Batch | Pieces:
        """The user's rows, packed a few blocks at a time while they are read, where the schema can do that."""
        pieces: Any = getattr(schema, "pieces", None)
        packed: Batch | Pieces = (
            schema.pack(X) if pieces is None else pieces(X, self.block * max(1, CELLS // (schema.width * self.block)))
        )
        return packed

    def codes(self, rows: Batch | Pieces) -> Tensor:
        """Rows (n, width) → codes (n, size)."""
        return self._joined(lambda x, _: self.network.encode(x)[1].z, rows)

    def settled(self, h: Tensor) -> Tensor:
        """The encoder's output (n, k) → codes (n, size)."""
        return self._joined(lambda part, _: self.network.code(part, None).z, Batch(h))

    def decoded(self, z: Tensor) -> Tensor:
        """Codes (n, size) → rows in scaled units (n, width)."""
        return self._joined(lambda part, _: self.network.decode(part)[0], Batch(z))

    def reconstructed(self, rows: Batch | Pieces) -> Tensor:
        """Rows → their reconstructions in scaled units, (n, width)."""
        return self._joined(lambda x, _: self.network(x), rows)

    def errors(self, rows: Batch | Pieces) -> Tensor:
        """The reconstruction part of the objective for each row, (n,)."""
        return self._joined(lambda x, mask: self._told("errors", forward(self.network, Batch(x, mask))), rows)

    def cell_errors(self, rows: Batch | Pieces) -> Iterator[np.ndarray]:
        """The same for each cell: blocks (k, columns) in the order of the heads; NaN where a cell is missing."""
        return self._blocks(lambda x, mask: self._cells(forward(self.network, Batch(x, mask)), mask), rows)

    def cells_and_codes(self, rows: Batch | Pieces) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Blocks of `cell_errors` and of `codes` from one pass."""
        columns = len(self.network.first_slots)

        def both(x: Tensor, mask: Tensor) -> Tensor:
            step = forward(self.network, Batch(x, mask))
            return torch.cat([self._cells(step, mask), self._code(step)], 1)

        return ((part[:, :columns], part[:, columns:]) for part in self._blocks(both, rows))

    def _code(self, step: Step) -> Tensor:
        return step.code.z

    def _cells(self, step: Step, mask: Tensor) -> Tensor:
        return self._told("columns", step).masked_fill(~mask[:, self.network.first_slots], torch.nan)

    def _told(self, method: str, step: Step) -> Tensor:
        """What the reconstruction's terms say together; infinity where the network's arithmetic overflowed."""
        terms = self.objective.reconstruction.terms
        values = [weight * getattr(term, method)(step) for weight, term in terms if isinstance(term, Reconstruction)]
        total: Tensor = sum(values[1:], start=values[0])
        return total.nan_to_num(nan=torch.inf, posinf=torch.inf)

    def _joined(self, function: RowFunction, rows: Batch | Pieces) -> Tensor:
        return torch.from_numpy(joined(self._blocks(function, rows), len(rows)))

    def _blocks(self, function: RowFunction, rows: Batch | Pieces) -> Iterator[np.ndarray]:
        """What a function makes of padded blocks, without the padding.

        The mask is spelled out, so that a row's error takes one formula whether other rows have holes or not.
        """
        like, size = next(self.network.parameters()), self.block

        def told(part: Batch) -> np.ndarray:
            x = like.new_zeros(size, *part.x.shape[1:])
            x[: len(part)] = part.x
            mask = torch.ones_like(x, dtype=torch.bool)
            if part.mask is not None:
                mask[: len(part)] = part.mask
            return function(x, mask)[: len(part)].float().cpu().numpy()

        batches = (rows,) if isinstance(rows, Batch) else rows
        starts = ((batch, start) for batch in batches for start in range(0, max(len(batch), 1), size))
        parts = (batch.take(slice(start, start + size)) for batch, start in starts)
        return in_order(told, parts) if like.device.type == "cpu" else _in_turn(told, parts)


@torch.inference_mode()
def _in_turn(function: Callable[[Batch], np.ndarray], parts: Iterable[Batch]) -> Iterator[np.ndarray]:
    yield from map(function, parts)


def joined(parts: Iterable[np.ndarray], count: int) -> np.ndarray:
    """Parts of `count` rows together, each written where it belongs as it comes."""
    result, filled = np.empty(0), 0
    for part in parts:
        if not filled:
            result = np.empty((count, *part.shape[1:]), part.dtype)
        result[filled : filled + len(part)] = part
        filled += len(part)
    return result


def by_column(parts: Iterable[np.ndarray], schema: Schema) -> Iterator[np.ndarray]:
    """From the order of the heads to the user's columns, in float64; NaN for a column without a head."""
    columns = [column for head in schema.heads for column in head.columns]
    for part in parts:
        result = np.full((len(part), schema.n_columns), np.nan)
        result[:, columns] = part
        yield result


#: Quantiles of a profile.
LEVELS = 1001
#: Cells whose errors are looked at for a profile, at most, and the rows that are looked at in any case.
PROFILE_CELLS, PROFILE_ROWS = 4_000_000, 1_000


def calibration_rows(rows: int, columns: int) -> Tensor:
    """Evenly spaced rows, all of them where their cells are few enough."""
    count = min(rows, max(PROFILE_CELLS // max(columns, 1), PROFILE_ROWS))
    return torch.linspace(0, rows - 1, count, dtype=torch.float64).round().long()


Profile = dict[str, np.ndarray]


def calibrate(
    reader: Reader, schema: Schema, data: Rows, profile: Profile | None, codes: np.ndarray | None
) -> tuple[Profile, np.ndarray]:
    """The profile of errors and the quantiles of codes of training rows, merged with those of rows seen before."""
    part = data.take(calibration_rows(len(data), schema.n_columns))
    cells, units = zip(*reader.cells_and_codes(part), strict=True)
    found = error_profile(list(by_column(cells, schema)), column_weights(schema.heads, schema.n_columns))
    found = found if profile is None else merged(profile, found)
    return found, code_quantiles(np.concatenate(units), codes, len(part) / float(found["rows"]))


def kept(autoencoder: Any, name: str) -> Any:
    """What an autoencoder keeps of its training rows: `error_profile_` or `code_quantiles_`.

    Raises
    ------
    ValueError
        If these were private and there were no public ones.
    """
    if not hasattr(autoencoder, name) and getattr(autoencoder, "privacy_", None) is not None:
        raise ValueError(
            f"a private model keeps no {name} of its training rows, but that of public ones: fit(X, validation_data=…)"
        )
    return getattr(autoencoder, name)


def error_profile(parts: Sequence[np.ndarray], weights: np.ndarray) -> Profile:
    """What errors were usual in training, for whoever judges new rows without the training data.

    Parameters
    ----------
    parts : sequence of ndarray, shape (k, columns)
        Each cell's error, NaN where it is missing, some rows at a time.
    weights : ndarray, shape (columns,)
        Each column's weight in a row's error.

    Returns
    -------
    dict of ndarray
        `rows` (): how many were looked at. `column_scale` (columns,): each column's mean error, at least a thousandth
        of the columns' median, so that a column which is always met exactly divides by something; 1 where nothing was
        observed. `quantiles` (1001,): of the rows' mean of cell error over column scale.
    """
    scale = column_scale(parts)
    scores = np.concatenate([observed_mean(part / scale, weights) for part in parts])
    return {"rows": np.array(len(scores)), "column_scale": scale, "quantiles": even_quantiles(scores, LEVELS)}


def even_quantiles(values: np.ndarray, count: int) -> np.ndarray:
    """`count` evenly spaced quantiles, from the least to the greatest, along the last axis; finite values.

    `numpy.quantile` by sorting, which is faster than partitions about so many places.
    """
    ordered = np.sort(values, axis=-1).astype(np.float64)
    at = np.linspace(0, ordered.shape[-1] - 1, count)
    low = np.minimum(at.astype(int), ordered.shape[-1] - 1)
    below, above = ordered[..., low], ordered[..., np.minimum(low + 1, ordered.shape[-1] - 1)]
    with np.errstate(invalid="ignore"):  # ∞ − ∞
        between = below + (above - below) * (at - low)
    return np.where(below == above, below, between)


def column_scale(parts: Iterable[np.ndarray]) -> np.ndarray:
    """Each column's usual error; see `error_profile`."""
    total, count = np.zeros(1), np.zeros(1)
    for part in parts:
        seen = ~np.isnan(part)
        total = total + np.where(seen, part, 0.0).sum(0, dtype=np.float64)
        count = count + seen.sum(0)
    means = total / np.maximum(count, 1)
    positive = means[means > 0]
    floor = 1e-3 * float(np.median(positive)) if len(positive) else 1.0
    return np.where(count == 0, 1.0, np.maximum(means, floor))


def merged(old: Profile, new: Profile) -> Profile:
    """The profile of the rows of both, each counting by its number of rows."""
    rows = np.array([old["rows"], new["rows"]], dtype=np.float64)
    share = rows / rows.sum()
    return {
        "rows": np.array(int(rows.sum())),
        "column_scale": share[0] * old["column_scale"] + share[1] * new["column_scale"],
        "quantiles": joined_quantiles(old["quantiles"], new["quantiles"], share[1]),
    }


def code_quantiles(codes: np.ndarray, known: np.ndarray | None, share: float) -> np.ndarray:
    """Percentiles of each unit, (101, size), of codes (n, size) that are the part `share` of all seen so far."""
    found = even_quantiles(codes.T, 101).T
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


def observed_mean(cells: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Each row's weighted mean of what is not NaN; 0 where nothing is."""
    share = ~np.isnan(cells) * weights
    total = np.where(share > 0, cells, 0.0) * share
    return np.asarray(total.sum(axis=1) / np.maximum(share.sum(axis=1), np.finfo(float).tiny))


def column_weights(heads: Iterable[Head], columns: int) -> np.ndarray:
    """Each column's weight in the reconstruction, in the user's order; 0 for a column without a head."""
    weights = np.zeros(columns)
    for head in heads:
        weights[list(head.columns)] = head.weights
    return weights


def elbo(network: Network, term: Any, batch: Batch, rng: Rng) -> Tensor:
    """One draw of the evidence lower bound of each row, (n,) in nats, of a network whose code is a distribution.

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
            kept: list[Tensor] | None = [] if network.skips else None
            h = network.encoder(x, None, kept)
            code = network.code(h, None)
            z = network.code.spec.posterior(code.stats, rng.at(shard=number))
            out, raw = network.decode(z, None, kept)
            step = Step(x, x, mask, h, Code(z, code.stats), out, network, None, raw)
            cells = term.likelihood(step)
            seen = observed(step)
            fit = cells.cpu().double().sum(1) if seen is None else (cells * seen).cpu().double().sum(1)
            units = network.code.spec.divergence(code.stats)
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
