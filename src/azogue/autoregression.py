"""Rows drawn column by column: each cell from what a network says of it, given the cells that are known so far.

A network that learned to tell hidden cells from the others (`corruptions.Hiding`) holds `p(x_c | x_S)` for every column
c and every set S of the others. So columns can be drawn in any order, what is known beforehand comes first, and the
chain rule gives a row's probability: `log p(x) = Σ_k log p(x_{o(k)} | x_{o(1)}, …, x_{o(k−1)})`.

References
----------
Uria, Murray & Larochelle (2014), A deep and tractable density estimator, ICML; Hoogeboom, Gritsenko, Bastings, Poole,
van den Berg & Salimans (2022), Autoregressive diffusion models, ICLR.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from azogue.activations import activate
from azogue.modalities.coded import CodedSchema
from azogue.modules import DenseModule
from azogue.network import Network

Codes = NDArray[np.int64]

#: Rows that are drawn at once; fewer are filled up to it, so that a row's bits do not depend on how many there are.
BLOCK = 1056


class Teller:
    """What a network says of each column of a block of rows, given the cells that it was told.

    Where the network begins and ends with dense layers, a cell that becomes known is added to what the first layer has
    summed so far, and of the last layer a column's own units alone are computed.

    Parameters
    ----------
    network : Network
    schema : CodedSchema
    rows : int
    """

    def __init__(self, network: Network, schema: CodedSchema, rows: int) -> None:
        self.network, self.schema, self.rows = network, schema, rows
        self.tables: dict[int, Tensor] = {}
        like = next(network.parameters())
        self.x = like.new_zeros(rows, schema.width)
        self.slices = {head.columns[0]: head.slots for head in network.heads}
        self.codes = {at: slice(own.start, own.start + schema.books[at].size) for at, own in self.slices.items()}
        first, last = _step(network.encoder, 0), _step(network.decoder, -1)
        plain = not network.skips and first is not None and last is not None
        self.first = first if plain and isinstance(network.code, torch.nn.Module) else None
        self.last = last if plain else None
        self.total: Tensor | None = None
        self.clear()

    def clear(self) -> None:
        """Forget all cells."""
        self.x.zero_()
        if self.first is not None:
            self.total = self.first.bias.detach().expand(self.rows, -1).clone()

    def tell(self, column: int, codes: Tensor, known: Tensor) -> None:
        """Make a column known: its codes (rows,), where `known` (rows,) says so."""
        slots = self.slices[column]
        if self.first is None:
            at = torch.nonzero(known)[:, 0]
            self.x[at, slots] = torch.from_numpy(self.schema.slots(column)).to(self.x.dtype)[codes[at]]
            return
        if column not in self.tables:
            packed = torch.from_numpy(self.schema.slots(column)).to(self.x.dtype)
            self.tables[column] = packed @ self.first.weight.detach()[:, slots].t()
        table = self.tables[column]
        assert self.total is not None
        if bool(known.all()):
            self.total += table[codes]
        else:
            self.total += torch.where(known[:, None], table[codes.clamp(min=0)], 0.0)

    def logits(self, column: int) -> Tensor:
        """The log probabilities of a column's codes (rows, codes), up to a constant of each row."""
        slots = self.codes[column]
        first, last = self.first, self.last
        if first is None or last is None or self.total is None:
            return self.network.passed(self.x)[3][:, slots]
        h = activate(str(first.activation), self.total)
        for step in self.network.encoder.steps[1:]:
            h = step(h, None)
        h = self.network.code(h, None).z
        for step in self.network.decoder.steps[:-1]:
            h = step(h, None)
        return torch.addmm(last.bias[slots, None], last.weight[slots], h.t()).t()


def _step(chain: Any, place: int) -> DenseModule | None:
    """A chain's first or last step, where it is a plain dense layer."""
    steps = list(getattr(chain, "steps", ()))
    found = steps[place] if steps else None
    plain = type(found) is DenseModule and found.norm is None and found.active is None
    return found if plain and (place == 0 or found.activation == "linear") else None


def blocks(codes: Codes, size: int = BLOCK) -> Iterator[tuple[slice, Tensor]]:
    """Rows of codes, `size` at a time; the last block is filled up with cells that are not known."""
    for start in range(0, len(codes), size):
        part = codes[start : start + size]
        block = torch.full((size, codes.shape[1]), -1, dtype=torch.int64)
        block[: len(part)] = torch.from_numpy(np.ascontiguousarray(part))
        yield slice(start, start + len(part)), block


@torch.inference_mode()
def draw(
    networks: Sequence[Network],
    schema: CodedSchema,
    codes: Codes,
    rng: np.random.Generator,
    *,
    order: Sequence[int] | None = None,
    weights: Mapping[int, NDArray[np.float64]] | None = None,
    only: Sequence[int] | None = None,
) -> tuple[Codes, NDArray[np.float64]]:
    """Cells that are not known, drawn one column after another.

    Parameters
    ----------
    networks : sequence of Network
        Several are asked together: the mean of their log probabilities counts.
    schema : CodedSchema
    codes : ndarray of int, shape (n, columns)
        −1 where a cell is to be drawn; the others stay.
    rng : numpy generator
    order : sequence of int, optional
        The columns in the order in which they are drawn; None: another random one for each block of rows.
    weights : mapping of column to ndarray, shape (codes,), optional
        What each code's probability is multiplied with: 0 where it must not be drawn. These columns come first.
    only : sequence of int, optional
        The columns that are drawn; None: all.

    Returns
    -------
    codes : ndarray of int, shape (n, columns)
    log_mass : ndarray, shape (n,)
        The log of the probability that drawn cells fall where their weights let them.
    """
    bounds = {at: bound(own) for at, own in (weights or {}).items()}
    made, mass = codes.copy(), np.zeros(len(codes))
    tellers = [Teller(network, schema, BLOCK) for network in networks]
    chosen = schema.coded if only is None else list(only)
    for rows, block in blocks(codes):
        places = rng.permutation(chosen).tolist() if order is None else [at for at in order if at in set(chosen)]
        places = sorted(places, key=lambda at: at not in bounds)
        for teller in tellers:
            _told(teller, schema, block)
        for at in places:
            wanted = block[:, at] < 0
            if not bool(wanted[: rows.stop - rows.start].any()):
                continue
            logits = torch.stack([teller.logits(at).float().log_softmax(1) for teller in tellers]).mean(0)
            uniform = torch.from_numpy(rng.random(BLOCK, np.float32))
            own, left = drawn(logits, bounds.get(at), uniform)
            block[:, at] = torch.where(wanted, own, block[:, at])
            if left is not None:
                gained = torch.where(wanted, left, 0.0)[: rows.stop - rows.start]
                mass[rows] += gained.numpy()
            for teller in tellers:
                teller.tell(at, block[:, at], wanted)
        made[rows] = block[: rows.stop - rows.start].numpy()
    return made, mass


def _told(teller: Teller, schema: CodedSchema, block: Tensor) -> None:
    teller.clear()
    for at in schema.coded:
        known = block[:, at] >= 0
        if bool(known.any()):
            teller.tell(at, block[:, at], known)


def bound(weights: NDArray[np.float64]) -> Tensor:
    """What is added to the log probabilities of codes that are multiplied with weights."""
    return torch.from_numpy(np.where(weights > 0, np.log(np.maximum(weights, 1e-300)), -np.inf)).float()


def drawn(logits: Tensor, limit: Tensor | None, uniform: Tensor) -> tuple[Tensor, Tensor | None]:
    """A code for each row (n,), and the log of the probability that is left by a bound."""
    left = None
    if limit is not None:
        whole, logits = logits, logits + limit
        left = (logits.logsumexp(1) - whole.logsumexp(1)).double()
    total = logits.softmax(1).cumsum(1)
    found = torch.searchsorted(total, (uniform * total[:, -1])[:, None], right=True)[:, 0]
    found = found.clamp(max=total.shape[1] - 1)
    if limit is not None:  # a number that was rounded up to the end of the range
        allowed = torch.isfinite(limit)
        found = torch.where(allowed[found], found, logits.argmax(1))
    return found, left


@torch.inference_mode()
def log_likelihood(
    networks: Sequence[Network], schema: CodedSchema, codes: Codes, orders: Sequence[Sequence[int]]
) -> NDArray[np.float64]:
    """Each row's log probability over its known cells in nats, the mean over some orders of the columns; shape (n,)."""
    result = np.zeros(len(codes))
    tellers = [Teller(network, schema, BLOCK) for network in networks]
    for rows, block in blocks(codes):
        total = torch.zeros(BLOCK, dtype=torch.float64)
        for order in orders:
            for teller in tellers:
                teller.clear()
            for at in order:
                known = block[:, at] >= 0
                if not bool(known.any()):
                    continue
                told = torch.stack([teller.logits(at).float().log_softmax(1) for teller in tellers]).mean(0)
                own = told.log_softmax(1).gather(1, block[:, at].clamp(min=0)[:, None])[:, 0]
                total += torch.where(known, own, 0.0).double()
                for teller in tellers:
                    teller.tell(at, block[:, at], known)
        result[rows] = (total / len(orders))[: rows.stop - rows.start].numpy()
    return result
