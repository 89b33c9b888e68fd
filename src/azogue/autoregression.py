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
from copy import copy
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import linear, silu

from azogue.activations import activate
from azogue.codes import Point
from azogue.modalities.coded import CodedSchema
from azogue.modules import DenseModule, ResidualModule
from azogue.network import Network
from azogue.training.machine import fast_products
from azogue.training.threads import in_order

Codes = NDArray[np.int64]

#: Rows that are drawn at once, and rows that have an order of the columns together: the fewer the better, and the
#: slower; of many rows more, as long as there are as many orders.
BLOCK, GROUP, MOST, ORDERS = 512, 64, 256, 1024
#: Rows that are scored at once: fewer are filled up to it, so that a row's bits do not depend on how many there are.
SCORED = 1056

#: Columns of many codes are drawn rather early, those of few, which the others tell best, rather late: an order is that
#: of log(codes) times this and a Gumbel number.
DRIFT = 0.3
#: Rounds of tilting, rows that are drawn in each (four times those of the table, at least and at most), and how far a
#: round goes.
ROUNDS, TILTED, PACE = 3, (2_048, 16_384), 0.7

#: A place among the columns that are drawn, and the rows that draw it.
Part = tuple[int, "slice | NDArray[np.intp]"]


class Teller:
    """What a network says of the columns of a block of rows, given the cells that it was told.

    Where the network begins and ends with dense layers, a cell that becomes known is added to what the first layer has
    summed so far, and of the last layer a column's own units alone are computed.

    Parameters
    ----------
    network : Network
    schema : CodedSchema
    short : bool
        Whether the layers between the first and the last may be computed in bfloat16, where that is faster.
    """

    def __init__(self, network: Network, schema: CodedSchema, short: bool = False) -> None:
        self.network, self.schema = network, schema
        self.like = next(network.parameters()).detach()
        self.short = short and self.like.dtype == torch.float32 and fast_products(self.like.device)
        self.tables: dict[int, Tensor] = {}
        self.brief: dict[Any, tuple[Tensor, Tensor]] = {}
        self.slots = {head.columns[0]: head.slots for head in network.heads}
        self.codes = {at: slice(own.start, own.start + schema.books[at].size) for at, own in self.slots.items()}
        self.first, self.middle, self.last = _parts(network)
        self.clear(0)

    def clear(self, rows: int) -> None:
        """Forget all cells, for so many rows."""
        first, self.blank = self.first, True
        self.total = (
            self.like.new_zeros(rows, self.schema.width)
            if first is None
            else first.bias.detach().expand(rows, -1).clone()
        )

    def tell(self, column: int, codes: Tensor, rows: slice | NDArray[np.intp]) -> None:
        """Make cells of a column known: the codes (k,) of some rows, by their places."""
        if column not in self.tables:
            self.tables[column] = self._table(column)
        self.blank, own = False, self.tables[column].index_select(0, codes)
        if isinstance(rows, slice):
            self.total[rows] += own
        else:
            self.total.index_add_(0, torch.from_numpy(rows), own)

    def _table(self, column: int) -> Tensor:
        """What each code of a column adds to what the first layer sums."""
        packed, slots = torch.from_numpy(self.schema.slots(column)).to(self.like.dtype), self.slots[column]
        if self.first is not None:
            return packed @ self.first.weight.detach()[:, slots].t()
        whole = packed.new_zeros(len(packed), self.schema.width)
        whole[:, slots] = packed
        return whole

    def hidden(self) -> Tensor:
        """What the last layer reads of each row; where there is none, what the network makes of it."""
        total = self.total[:1] if self.blank else self.total  # of which nothing is known, all rows are one
        if self.first is None:
            return self.network.passed(total)[3].expand(len(self.total), -1)
        h = activate(str(self.first.activation), total)
        for step in self.middle:
            h = self._passed(step, h)
        return h.expand(len(self.total), -1)

    def _passed(self, step: Any, h: Tensor) -> Tensor:
        """A step, products with rows in one piece and, where the machine is made for it, of bfloat16."""
        if step is self.network.code:
            return cast("Tensor", step(h, None).z)
        if isinstance(step, ResidualModule):
            return self._passed(step.dense, step.norm(h, None)).add_(h)
        if _plain(step):
            made = self._product(h, step)
            return silu(made, inplace=True) if step.activation == "silu" else activate(str(step.activation), made)
        return cast("Tensor", step(h, None))

    def _product(self, h: Tensor, step: DenseModule) -> Tensor:
        if not self.short:
            return linear(h, step.weight.detach(), step.bias.detach())
        if step not in self.brief:
            self.brief[step] = step.weight.detach().bfloat16(), step.bias.detach().bfloat16()
        return linear(h.bfloat16(), *self.brief[step]).float()

    def logits(self, hidden: Tensor, column: int) -> Tensor:
        """The log probabilities of a column's codes (k, codes), up to a constant of each row."""
        own = self.codes[column]
        if self.last is None:
            return hidden[:, own].float()
        weight, bias = self.last
        return linear(hidden, weight[own], bias[own]).float()


def _parts(network: Network) -> tuple[DenseModule | None, list[Any], tuple[Tensor, Tensor] | None]:
    """The first layer, what follows, and weights and bias of the last one: nothing where they are not dense.

    Linear layers behind one another are one.
    """
    steps = [*getattr(network.encoder, "steps", ()), network.code, *getattr(network.decoder, "steps", ())]
    dense = [step for step in (steps[0], steps[-1]) if _plain(step)]
    if len(dense) < 2 or network.skips or steps[-1].activation != "linear":
        return None, [], None
    first, middle, last = steps[0], steps[1:-1], steps[-1]
    if type(network.code.spec) is Point:
        middle = [step for step in middle if step is not network.code]
    weight, bias = last.weight.detach(), last.bias.detach()
    while middle and _plain(middle[-1]) and middle[-1].activation == "linear":
        before = middle.pop()
        weight, bias = weight @ before.weight.detach(), weight @ before.bias.detach() + bias
    return first, middle, (weight, bias)


def _plain(step: Any) -> bool:
    return type(step) is DenseModule and step.norm is None and step.active is None


@torch.inference_mode()
def draw(
    network: Network,
    schema: CodedSchema,
    codes: Codes,
    rng: np.random.Generator,
    *,
    weights: Mapping[int, NDArray[np.float64]] | None = None,
    only: Sequence[int] | None = None,
    tilt: Mapping[int, Tensor] | None = None,
) -> tuple[Codes, NDArray[np.float64]]:
    """Cells that are not known, drawn one after another, in another random order for every few rows.

    Blocks of rows are drawn on as many threads as torch may use; how many there are changes nothing.

    Parameters
    ----------
    network : Network
    schema : CodedSchema
    codes : ndarray of int, shape (n, columns)
        −1 where a cell is to be drawn; the others stay.
    rng : numpy generator
    weights : mapping of column to ndarray, shape (codes,), optional
        What each code's probability is multiplied with: 0 where it must not be drawn. These columns come first.
    only : sequence of int, optional
        The columns that are drawn; None: all.
    tilt : mapping of column to Tensor, shape (codes,), optional
        What is added to the log probabilities of its codes; see `tilted`.

    Returns
    -------
    codes : ndarray of int, shape (n, columns)
    log_mass : ndarray, shape (n,)
        The log of the probability that drawn cells fall where their weights let them.
    """
    bounds = {at: bound(own) for at, own in (weights or {}).items()}
    made, mass = codes.copy(), np.zeros(len(codes))
    teller, chosen = Teller(network, schema, short=True), schema.coded if only is None else list(only)
    late = np.array([-np.inf if at in bounds else -DRIFT * np.log(schema.books[at].size) for at in chosen])
    group = int(np.clip(len(codes) // ORDERS, GROUP, MOST))
    blocks = [slice(start, start + BLOCK) for start in range(0, len(codes), BLOCK)]

    def fill(told: tuple[slice, int]) -> None:
        """Draw a block, by random numbers of its own."""
        (where, seed), own = told, copy(teller)
        _fill(own, made[where], mass[where], chosen, late, np.random.default_rng(seed), group, bounds, tilt or {})

    for _ in in_order(fill, zip(blocks, rng.integers(2**63, size=len(blocks)).tolist(), strict=True)):
        pass
    return made, mass


def _fill(
    teller: Teller,
    block: Codes,
    mass: NDArray[np.float64],
    chosen: Sequence[int],
    late: NDArray[np.float64],
    rng: np.random.Generator,
    group: int,
    bounds: Mapping[int, Tensor],
    tilt: Mapping[int, Tensor],
) -> None:
    """Draw the cells of a block that are not known; what bounds leave is added to the log mass of its rows."""
    teller.clear(len(block))
    for at in teller.schema.coded:
        known = np.flatnonzero(block[:, at] >= 0)
        if len(known):
            teller.tell(at, torch.from_numpy(block[known, at]), known)
    for parts in _steps(block[:, chosen] < 0, late, rng, group):
        hidden = teller.hidden()
        for place, rows in parts:
            at, here = chosen[place], hidden[rows]
            uniform = torch.from_numpy(rng.random(len(here), np.float32))
            logits = teller.logits(here, at)
            logits = logits + tilt[at] if at in tilt else logits
            found, left = drawn(logits, bounds.get(at), uniform)
            block[rows, at] = found.numpy()
            if left is not None:
                mass[rows] += left.numpy()
            teller.tell(at, found, rows)


def _steps(
    wanted: NDArray[np.bool_], late: NDArray[np.float64], rng: np.random.Generator, group: int
) -> Iterator[list[Part]]:
    """For each step which rows draw which column: an order for every `group` rows, those less `late` rather first.

    Columns that are −∞ late come before all others. Rows of which other cells are known have an order of their own.
    """
    alike = bool((wanted == wanted[:1]).all())
    some = wanted[::group] if alike else wanted
    keys = np.where(np.isfinite(late), late, -1e6) - rng.gumbel(size=some.shape)
    order, counts = np.where(some, keys, np.inf).argsort(1), some.sum(1)
    for step in range(int(counts.max(initial=0))):
        column = np.where(counts > step, order[:, step], -1)
        if alike:
            yield [(at, slice(group * turn, group * (turn + 1))) for turn, at in enumerate(column.tolist())]
            continue
        by_column = np.argsort(column, kind="stable")
        ends = np.searchsorted(column[by_column], np.arange(wanted.shape[1] + 1))
        parts = [(at, by_column[ends[at] : ends[at + 1]]) for at in range(wanted.shape[1])]
        yield [(at, rows) for at, rows in parts if len(rows)]


def tilted(network: Network, schema: CodedSchema, codes: Codes, rng: np.random.Generator) -> dict[int, Tensor]:
    """What has to be added to each column's log probabilities for drawn rows to have the frequencies of `codes`.

    Small errors of each conditional add up along a row. Rows are drawn, and the logs of what is lacking are added, some
    times: frequencies are counted with two rows more in each code.
    """
    n, many = len(codes), int(np.clip(4 * len(codes), *TILTED))
    tilt = {at: torch.zeros(schema.books[at].size) for at in schema.coded}
    for _ in range(ROUNDS):
        empty = np.full((many, schema.n_columns), -1, np.int64)
        made, _ = draw(network, schema, empty, rng, tilt=tilt)
        for at, own in tilt.items():
            wanted, found = (np.bincount(part[part >= 0], minlength=len(own)) for part in (codes[:, at], made[:, at]))
            step = np.log((wanted / n + 2 / n) / (found / many + 2 / n))
            tilt[at] = own + torch.from_numpy(PACE * step).float()
    return tilt


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
    network: Network, schema: CodedSchema, codes: Codes, orders: Sequence[Sequence[int]]
) -> NDArray[np.float64]:
    """Each row's log probability over its known cells in nats, the mean over some orders of the columns; shape (n,)."""
    result, teller = np.zeros(len(codes)), Teller(network, schema)
    for start in range(0, len(codes), SCORED):
        part = codes[start : start + SCORED]
        block = torch.full((SCORED, codes.shape[1]), -1, dtype=torch.int64)
        block[: len(part)] = torch.from_numpy(part)
        total = torch.zeros(SCORED, dtype=torch.float64)
        for order in orders:
            teller.clear(SCORED)
            for at in order:
                known = block[:, at] >= 0
                told = teller.logits(teller.hidden(), at).log_softmax(1)
                own = told.gather(1, block[:, at].clamp(min=0)[:, None])[:, 0]
                total += torch.where(known, own, 0.0).double()
                rows = np.flatnonzero(known.numpy())
                teller.tell(at, block[rows, at], rows)
        result[start : start + len(part)] = (total / len(orders))[: len(part)].numpy()
    return result
