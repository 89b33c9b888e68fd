"""Order, hold-out and blocks: which rows a step sees, as functions of counters alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from azogue.recipe import Batch, Rng

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Rows of a group, the unit that is read at once, and groups of a buffer, the unit within which rows are shuffled.
GROUP_ROWS = 8192
BUFFER_GROUPS = 64

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
    sequence = torch.randperm(groups, generator=rng.generator("order/groups"))
    parts = []
    for number, start in enumerate(range(0, groups, buffer)):
        chosen = sequence[start : start + buffer].tolist()
        held = torch.cat([torch.arange(g * group, min((g + 1) * group, rows)) for g in chosen])
        parts.append(held[torch.randperm(len(held), generator=rng.at(step=number).generator("order/rows"))])
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def hold_out(data: Batch, fraction: float, seed: int) -> tuple[Batch, Batch | None]:
    """Split off the validation rows: (training rows, held-out rows or None where they would be fewer than one)."""
    count = int(fraction * len(data))
    if count < 1:
        return data, None
    shuffled = torch.randperm(len(data), generator=Rng(seed).generator("hold-out"))
    return data.take(shuffled[count:].sort().values), data.take(shuffled[:count].sort().values)


def batches(data: Batch, size: int, rng: Rng) -> Iterator[Batch]:
    """The batches of one epoch, the last one as small as it comes."""
    sequence = order(len(data), rng)
    for start in range(0, len(data), size):
        yield data.take(sequence[start : start + size])


def in_blocks(function: Callable[..., tuple[Tensor, ...]], *inputs: Tensor | None) -> tuple[Tensor, ...]:
    """Apply a row-wise function in padded blocks of `BLOCK` rows and join what it returns.

    Parameters
    ----------
    function : callable
        Tensors of (BLOCK, …) → a tuple of tensors of (BLOCK, …).
    inputs : Tensor or None
        Cut alike along the rows; None is passed on.
    """
    rows = next(len(tensor) for tensor in inputs if tensor is not None)
    results: list[tuple[Tensor, ...]] = []
    with torch.inference_mode():
        for start in range(0, max(rows, 1), BLOCK):
            kept = min(BLOCK, rows - start)
            parts = [None if t is None else _padded(t[start : start + BLOCK]) for t in inputs]
            results.append(tuple(part[:kept] for part in function(*parts)))
        joined = tuple(torch.cat(parts) for parts in zip(*results, strict=True))
    return tuple(part.clone() for part in joined)


def _padded(block: Tensor) -> Tensor:
    if len(block) == BLOCK:
        return block
    return torch.cat([block, block.new_zeros(BLOCK - len(block), *block.shape[1:])])
