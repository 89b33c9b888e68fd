"""Draws of missing cells by chained equations (van Buuren & Groothuis-Oudshoorn 2011), for multiple imputation.

Every column with holes is drawn again and again, given the other cells as drawn last. A number: a Bayesian linear
regression on the other columns and on what the networks expect of the cell, nearly without a penalty, so that
associations are not pulled to zero; then the error of a row that is alike, of a bootstrap sample, which carries what is
not linear. A category: a logistic regression on the same, of a bootstrap sample. Regressions are those of rows that the
imputer was fitted on, each judged by the network that never saw it; without such networks they do without.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from azogue.applications.filling import put, slots_of
from azogue.applications.regressing import Line, Numbers, classes, sampled, scaled
from azogue.autoencoder import Autoencoder
from azogue.modalities import TableSchema
from azogue.modalities.numeric import Numeric
from azogue.populations import reflected, without
from azogue.recipe import Batch

#: Rows that are kept for regressions, and how often each column is drawn.
KEPT, PASSES = 4000, 10
#: Columns with holes beyond which there are half as many passes.
MANY = 40
#: Last passes, with errors of rows near in all features; in as many of them networks judge cells anew, given what was
#: drawn, as a table takes no more cells than this.
LATE, SEEN = 3, 2**23
#: Fewer observed rows are drawn from as they are.
FEWEST = 5


def keep(batch: Batch, folds: Sequence[NDArray[np.intp]], rng: np.random.Generator) -> dict[str, Numbers]:
    """Rows for the regressions of draws, at most `KEPT`.

    Returns
    -------
    dict of ndarray
        `x` and `mask`: packed. `member`: the network that never saw the row; -1 where every network did.
    """
    member = np.full(len(batch), -1)
    for number, fold in enumerate(folds):
        member[fold] = number
    rows = np.flatnonzero(member >= 0) if len(folds) else np.arange(len(batch))
    rows = np.sort(rng.permutation(rows)[:KEPT])
    mask = batch.mask.numpy()[rows]  # type: ignore[union-attr]
    return {"x": batch.x.numpy()[rows].copy(), "mask": mask.copy(), "member": member[rows]}


class Chains:
    """Rows that are to be completed beside those that were kept: the same for each table.

    Parameters
    ----------
    schema : TableSchema
    members : sequence of Autoencoder
    kept : dict of ndarray
        Of `keep`.
    batch : Batch
        Rows to complete, the mask spelled out. Those that were kept are drawn as such.
    expected : callable
        Batch → what is expected of each cell, (n, width).
    proper : callable
        Column, values → values within their range.
    """

    def __init__(
        self,
        schema: TableSchema,
        members: Sequence[Autoencoder],
        kept: dict[str, Numbers],
        batch: Batch,
        expected: Callable[[Batch], Numbers],
        proper: Callable[[int, Numbers], Numbers],
    ) -> None:
        self.schema, self.members, self.proper = schema, members, proper
        self.slots, self.count = slots_of(schema), len(kept["x"])
        x, mask = batch.x.numpy(), batch.mask.numpy()  # type: ignore[union-attr]
        self.place = _places(kept, x, mask)
        new = self.place >= self.count
        self.x, self.mask = np.concatenate([kept["x"], x[new]]), np.concatenate([kept["mask"], mask[new]])
        self.member = np.r_[kept["member"], np.arange(int(new.sum())) % len(members)]
        self.start = expected(Batch(torch.from_numpy(self.x), torch.from_numpy(self.mask)))
        self.holes = {column: np.flatnonzero(~self.mask[:, own[0]]) for column, own in self.slots.items()}
        self.columns = [column for column in self.slots if len(self.holes[column])]
        holed = ~self.mask[:, [own[0] for own in self.slots.values()]]
        several = holed.sum(axis=1)
        self.told: dict[int, Numbers] = {}
        self.moved: dict[int, NDArray[np.intp]] = {}
        for column in self.columns if (kept["member"] >= 0).all() else ():
            rows = np.union1d(np.arange(self.count), self.holes[column])
            self.told[column] = np.zeros((len(self.x), len(self.slots[column])), np.float32)
            self.told[column][rows] = self._judged(self.x, self.mask, column, rows)
            self.moved[column] = rows[several[rows] > ~self.mask[rows, self.slots[column][0]]]
        cells = self.x.shape[1] * sum(map(len, self.moved.values()))
        self.passes = PASSES if len(self.columns) <= MANY else PASSES // 2
        self.fresh = range(self.passes - min(LATE, SEEN // max(cells, 1)), self.passes)

    def drawn(self, rng: np.random.Generator) -> Numbers:
        """The rows with every missing cell drawn, (n, width)."""
        table = _Table(self.x.copy(), {at: told.copy() for at, told in self.told.items()}, {})
        for column in self.columns:
            self._begin(table, column, rng)
        order = rng.permutation(self.columns)
        for number in range(self.passes):
            for column in map(int, order):
                self._draw(table, column, number, rng)
        return np.asarray(table.x[self.place])

    def _known(self, column: int) -> NDArray[np.intp]:
        """Kept rows in which the column was observed."""
        return np.flatnonzero(self.mask[: self.count, self.slots[column][0]])

    def _begin(self, table: _Table, column: int, rng: np.random.Generator) -> None:
        """What is expected, and the error in any row or a category by its probability."""
        rows, known, own = self.holes[column], self._known(column), self.slots[column]
        values = self.start[np.ix_(rows, own)]
        if isinstance(self.schema.columns[column], Numeric):
            spread = self.x[known, own[0]].std() if len(known) else 0.0
            values = values + 0.5 * spread * rng.standard_normal(values.shape)
        else:
            values = sampled(values, rng)
        put(self.schema, table.x, rows, column, self.proper(column, values))

    def _draw(self, table: _Table, column: int, number: int, rng: np.random.Generator) -> None:
        """The column's missing cells anew, given all others."""
        rows, known, own = self.holes[column], self._known(column), self.slots[column]
        truth = self.x[np.ix_(known, own)]
        if len(known) == 0 or (truth == truth[0]).all():
            return
        if len(known) < FEWEST:
            put(self.schema, table.x, rows, column, truth[rng.integers(len(known), size=len(rows))])
            return
        if number in self.fresh and column in table.told:
            moved = self.moved[column]
            table.told[column][moved] = self._judged(table.x, np.ones_like(self.mask), column, moved)
        told = table.told.get(column)
        others = table.x[:, np.concatenate([slots for at, slots in self.slots.items() if at != column] or [own[:0]])]
        given, wanted = scaled(others[known], others[rows], truth)
        seen, guess = (None, None) if told is None else (told[known], told[rows])
        if isinstance(self.schema.columns[column], Numeric):
            line = Line.of(truth[:, 0].astype(np.float64), given, seen, rng)
            values = line.drawn(wanted, guess, rng, near=number >= self.passes - LATE)[:, None]
        else:
            values, table.lines[column] = classes(truth, (given, wanted), (seen, guess), table.lines.get(column), rng)
        put(self.schema, table.x, rows, column, self.proper(column, values))

    def _judged(self, x: Numbers, mask: Numbers, column: int, rows: NDArray[np.intp]) -> Numbers:
        """What is expected of the column in these rows, (k, slots), by the network that never saw the row."""
        own = self.slots[column]
        found = np.zeros((len(rows), len(own)), np.float32)
        for number, network in enumerate(self.members):
            at = np.flatnonzero(self.member[rows] == number)
            if len(at):
                piece = Batch(torch.from_numpy(x[rows[at]]), torch.from_numpy(mask[rows[at]]))
                found[at] = reflected([network], without(piece, self.schema, column))[:, own]
        return self.proper(column, found)


@dataclass(frozen=True)
class _Table:
    """One chain: cells as drawn last, what networks expected last, and coefficients of the pass before."""

    x: Numbers
    told: dict[int, Numbers]
    lines: dict[int, Any]


def _places(kept: dict[str, Numbers], x: Numbers, mask: Numbers) -> NDArray[np.intp]:
    """For each row its place among the kept ones; those that were not kept follow them."""
    found: dict[bytes, list[int]] = {}
    for at in range(len(kept["x"]) - 1, -1, -1):
        found.setdefault(kept["x"][at].tobytes() + kept["mask"][at].tobytes(), []).append(at)
    place, following = np.empty(len(x), np.intp), len(kept["x"])
    for at in range(len(x)):
        same = found.get(x[at].tobytes() + mask[at].tobytes())
        if same:
            place[at] = same.pop()
        else:
            place[at], following = following, following + 1
    return place
