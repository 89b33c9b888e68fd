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

#: Rows of a group, the unit that is read at once, and groups of a buffer, the unit within which rows are shuffled.
GROUP_ROWS = 8192
BUFFER_GROUPS = 64

#: Cells that are gathered at once: enough for many steps, few enough to stay near the processor.
CHUNK = 1 << 20

#: Rows of an inference block. Every block is padded to this size, so that a row's result never depends on how many
#: rows came with it.
BLOCK = 256


def order(rows: int, rng: Rng, group: int = GROUP_ROWS, buffer: int = BUFFER_GROUPS) -> Tensor:
    """The order of an epoch: groups of rows are permuted, then rows within a buffer of consecutive groups.

    The same function orders data in memory and data that stream from files, whose buffer is all that is held; with a
    single buffer (up to 524,288 rows) it is a permutation of all rows.

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
    groups = -(-rows // group)
    if groups == 1:
        return torch.randperm(rows, generator=rng.at(step=0).generator("order/rows"))
    sequence = torch.randperm(groups, generator=rng.generator("order/groups"))
    parts = []
    for number, start in enumerate(range(0, groups, buffer)):
        chosen = sequence[start : start + buffer].tolist()
        held = torch.cat([torch.arange(g * group, min((g + 1) * group, rows)) for g in chosen])
        parts.append(held[torch.randperm(len(held), generator=rng.at(step=number).generator("order/rows"))])
    return parts[0] if len(parts) == 1 else torch.cat(parts)


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
        found = self.batch.take(where if self.index is None else self.index[where])
        if rng is not None and found.neighbors is not None:
            found = replace(found, target=self.batch.take(drawn(found.neighbors, rng)).x, neighbors=None)
        if self.like is None:
            return found
        mask = None if found.mask is None else found.mask.to(self.like.device)
        target = None if found.target is None else found.target.to(self.like.device)
        return Batch(found.x.to(self.like.device, self.like.dtype), mask, None, target, found.neighbors)

    def all(self) -> Batch:
        """All rows, in order."""
        if self.index is None and isinstance(self.batch, Batch):
            return self.batch
        return self.take(slice(None))

    def only(self, index: Tensor) -> Rows:
        """Some of the rows, by their places."""
        return replace(self, index=index if self.index is None else self.index[index])


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
    train, held = shuffled[count:].sort().values, shuffled[:count].sort().values
    return data.only(train), data.only(held)


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
    orders = [order(len(rows), rng) for rows, rng in zip(members, rngs, strict=True)]
    gathered = size * max(1, CHUNK // max(size * members[0].width * len(members), 1))
    for start in range(0, len(members[0]), gathered):
        chosen = [where[start : start + gathered] for where in orders]
        draws = [rng.at(step=start) for rng in rngs]
        whole = together([rows.take(where, rng) for rows, where, rng in zip(members, chosen, draws, strict=True)])
        nothing: itertools.repeat[None] = itertools.repeat(None)
        masks = nothing if whole.mask is None else torch.split(whole.mask, size, 1)
        targets = nothing if whole.target is None else torch.split(whole.target, size, 1)
        yield from map(Batch, torch.split(whole.x, size, 1), masks, nothing, targets)
