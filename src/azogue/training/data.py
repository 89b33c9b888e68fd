"""Order, hold-out and blocks: which rows a step sees, as functions of counters alone."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from azogue.recipe import Batch, Lazy, Rng

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: Rows of a group, the unit that is read at once, and groups of a buffer, the unit within which rows are shuffled. A
#: group of wide rows has fewer of them, about so many cells: then a buffer takes 256 MiB.
GROUP_ROWS = 8192
BUFFER_GROUPS = 64
GROUP_CELLS = 1 << 20

#: Cells that are gathered at once: enough for many steps, few enough to stay near the processor.
CHUNK = 1 << 20

#: Cells of the buffers of all members, at most, that are held while they are read from a disk; else rows are read as
#: they come.
BUFFERED = 5 * GROUP_CELLS * BUFFER_GROUPS // 4

#: Rows of an inference block. Every block is padded to this size, so that a row's result never depends on how many
#: rows came with it.
BLOCK = 256


def group_rows(width: int) -> int:
    """Rows of a group, for rows of so many slots."""
    return max(1, min(GROUP_ROWS, GROUP_CELLS // max(width, 1)))


def buffers(
    rows: int, rng: Rng, group: int = GROUP_ROWS, buffer: int = BUFFER_GROUPS
) -> Iterator[tuple[Tensor, Tensor]]:
    """The buffers of an epoch one after the other: the rows that each holds, as they lie, and the order of these.

    Both are int64 of the same shape. Groups of rows are permuted, then rows within a buffer of consecutive groups: the
    same for data in memory and for data that stream from files, whose buffer is all that is held.
    """
    groups = -(-rows // group)
    if groups == 1:
        yield torch.arange(rows), torch.randperm(rows, generator=rng.at(step=0).generator("order/rows"))
        return
    sequence = torch.randperm(groups, generator=rng.generator("order/groups"))
    for number, start in enumerate(range(0, groups, buffer)):
        chosen = sequence[start : start + buffer].tolist()
        held = torch.cat([torch.arange(g * group, min((g + 1) * group, rows)) for g in chosen])
        yield held, torch.randperm(len(held), generator=rng.at(step=number).generator("order/rows"))


def order(rows: int, rng: Rng, group: int = GROUP_ROWS, buffer: int = BUFFER_GROUPS) -> Tensor:
    """The order of an epoch; with a single buffer (up to 524,288 rows) it is a permutation of all rows.

    Parameters
    ----------
    rows : int
    rng : Rng
        At the epoch's coordinates.
    group, buffer : int
        Rows of a group, groups of a buffer.

    Returns
    -------
    Tensor of int64, shape (rows,)
    """
    return torch.cat([held[where] for held, where in buffers(rows, rng, group, buffer)])


@dataclass(frozen=True)
class Rows:
    """Packed rows, or some of them: nothing is copied or made until a step takes them.

    Parameters
    ----------
    batch : Batch or Lazy
    index : Tensor of int64, shape (n,), or None
        Which rows of the batch; None: all.
    like : Tensor or None
        Where, and in which precision, rows are wanted that are made when they are taken.
    """

    batch: Batch | Lazy
    index: Tensor | None = None
    like: Tensor | None = None

    def __len__(self) -> int:
        return len(self.batch) if self.index is None else len(self.index)

    @property
    def width(self) -> int:
        """Slots of a row."""
        return self.batch.width if isinstance(self.batch, Lazy) else math.prod(self.batch.x.shape[1:])

    def take(self, where: Any, rng: Rng | None = None) -> Batch:
        """The rows at the places of an index tensor or slice; with `rng`, each beside one of its neighbours, if any."""
        return self.paired(self.batch.take(where if self.index is None else self.index[where]), rng)

    def paired(self, found: Batch, rng: Rng | None) -> Batch:
        """Rows that were taken where the network is; with `rng`, each beside one of its neighbours, if any."""
        if rng is not None and found.neighbors is not None:
            found = replace(found, target=self.batch.take(drawn(found.neighbors, rng)).x, neighbors=None)
        if self.like is None:
            return found
        mask = None if found.mask is None else found.mask.to(self.like.device)
        target = None if found.target is None else found.target.to(self.like.device)
        return Batch(found.x.to(self.like.device, self.like.dtype), mask, None, target, found.neighbors)

    @property
    def buffered(self) -> bool:
        """Whether rows that are shuffled together are to be taken at once."""
        return isinstance(self.batch, Lazy) and self.batch.buffered

    def all(self) -> Batch:
        """All rows, in order."""
        if self.index is None and isinstance(self.batch, Batch):
            return self.batch
        return self.take(slice(None))

    def places(self, rng: Rng) -> Tensor:
        """Where the rows of an epoch lie in the batch, in the epoch's order, int64."""
        found = order(len(self), rng, group_rows(self.width), BUFFER_GROUPS)
        return found if self.index is None else self.index[found]

    def only(self, index: Tensor) -> Rows:
        """Some of the rows, by their places."""
        return replace(self, index=index if self.index is None else self.index[index])


@dataclass(frozen=True)
class Chosen:
    """A batch whose rows are left where they lie.

    Parameters
    ----------
    held : Batch
        What holds the rows of all members.
    where : Tensor of int64, shape (members, n)
        Which rows each takes.
    """

    held: Batch
    where: Tensor

    @property
    def each(self) -> int:
        """Rows of each member."""
        return self.where.shape[1]


def drawn(neighbors: Tensor, rng: Rng) -> Tensor:
    """One of each row's neighbours (n, k), those that are -1 excepted: positions, (n,)."""
    there = (neighbors >= 0).sum(1)
    part = torch.rand(len(neighbors), generator=rng.generator("neighbors"), dtype=torch.float64)
    place = (part * there.cpu()).long().to(neighbors.device)
    return neighbors.gather(1, place[:, None])[:, 0]


def hold_out(data: Rows, fraction: float, seed: int) -> tuple[Rows, Rows | None]:
    """Split off the validation rows: (training rows, held-out rows or None where they would be fewer than one)."""
    count = int(fraction * len(data))
    if count < 1:
        return data, None
    shuffled = torch.randperm(len(data), generator=Rng(seed).generator("hold-out"))
    kept = torch.ones(len(data), dtype=torch.bool)
    kept[shuffled[:count]] = False
    del shuffled
    return data.only(kept.nonzero()[:, 0]), data.only(kept.logical_not_().nonzero()[:, 0])


def together(parts: Sequence[Batch]) -> Batch:
    """The members' rows (n, width) as one batch (members, n, width); all have a mask, or none; so with targets."""

    def stacked(values: list[Tensor | None]) -> Any:
        there = [value for value in values if value is not None]
        return None if not there else there[0][None] if len(values) == 1 else torch.stack(there)

    x, mask, target = (stacked([getattr(part, name) for part in parts]) for name in ("x", "mask", "target"))
    return Batch(x, mask, None, target)


def batches(members: Sequence[Rows], size: int, rngs: Sequence[Rng]) -> Iterator[Batch]:
    """The batches of one epoch of one or more members, x (members, n, width), the last one as small as it comes.

    Parameters
    ----------
    members : sequence of Rows
        The rows of each, all as many.
    size : int
        Rows of a batch.
    rngs : sequence of Rng
        Where the order of each member's rows comes from.
    """
    gathered = size * max(1, CHUNK // max(size * members[0].width * len(members), 1))
    width = members[0].width
    held = len(members) * min(len(members[0]), BUFFER_GROUPS * group_rows(width)) * width
    parts = [_chunks(rows, rng, gathered, held <= BUFFERED) for rows, rng in zip(members, rngs, strict=True)]
    for start, chosen in zip(range(0, len(members[0]), gathered), zip(*parts, strict=True), strict=True):
        draws = [rng.at(step=start) for rng in rngs]
        whole = together([rows.paired(one, draw) for rows, one, draw in zip(members, chosen, draws, strict=True)])
        nothing: itertools.repeat[None] = itertools.repeat(None)
        masks = nothing if whole.mask is None else torch.split(whole.mask, size, 1)
        targets = nothing if whole.target is None else torch.split(whole.target, size, 1)
        yield from map(Batch, torch.split(whole.x, size, 1), masks, nothing, targets)


def _chunks(rows: Rows, rng: Rng, size: int, whole: bool) -> Iterator[Batch]:
    """The rows of an epoch in its order, `size` at a time, as they lie in the batch."""
    chunk: list[Batch] = []
    count = 0
    for held, places in buffers(len(rows), rng, group_rows(rows.width), BUFFER_GROUPS):
        found = held if rows.index is None else rows.index[held]
        part = rows.batch.take(found) if rows.buffered and whole else None
        start = 0
        while start < len(places):
            where = places[start : start + size - count]
            chunk.append(rows.batch.take(found[where]) if part is None else part.take(where))
            start, count = start + len(where), count + len(where)
            if count == size:
                yield joined(chunk)
                chunk, count = [], 0
        part = None  # before the next one is read
    if chunk:
        yield joined(chunk)


def joined(parts: Sequence[Batch]) -> Batch:
    """Rows one behind the other."""
    if len(parts) == 1:
        return parts[0]

    def put(name: str) -> Any:
        there = [value for value in (getattr(part, name) for part in parts) if value is not None]
        return torch.cat(there) if there else None

    return Batch(put("x"), put("mask"), None, put("target"), put("neighbors"))
