"""A program that is started several times: its place among the others."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch.distributed as dist

from azogue.training.team import Team, member

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def join(*, shards: int = 8, exact: bool = True) -> Iterator[Team]:
    """Within this context, whatever this program fits is fitted together with its other copies.

    For programs that `torchrun` starts, which tells each its `RANK` and the `WORLD_SIZE`, and for programs that have
    called `torch.distributed.init_process_group` themselves. One that is started alone trains alone, to the same bits.

    Parameters
    ----------
    shards, exact : see `fit`

    Yields
    ------
    Team
        With `rank`, `size`, and `leads`: whether this is the copy that should write files and print. Callbacks and
        checkpoints of estimators are its business already.

    Raises
    ------
    ValueError
        For fewer shards than processes.

    Examples
    --------
    >>> import azogue as az
    >>> from sklearn.datasets import load_iris
    >>> with az.distributed.join(shards=4) as team:
    ...     ae = az.Autoencoder(2, epochs=2, random_state=0).fit(load_iris().data)
    >>> team.leads, team.size, ae.recipe_.shards
    (True, 1, 4)
    """
    if isinstance(shards, bool) or not isinstance(shards, int) or shards < 1:
        raise ValueError(f"shards: expected a whole number of at least 1, got {shards!r}")
    started = {"RANK", "WORLD_SIZE"} <= set(os.environ) and not dist.is_initialized()
    if started:
        dist.init_process_group("gloo")
    try:
        with member(place(shards, exact)) as team:
            yield team
    finally:
        if started:
            dist.destroy_process_group()


def place(shards: int, exact: bool) -> Team:
    """The place of this process in the group that it is in, if any."""
    if not dist.is_initialized():
        return Team(shards if exact else 1)
    rank, size = dist.get_rank(), dist.get_world_size()
    if exact and shards < size:
        raise ValueError(f"shards: {size} processes need at least {size} shards of each batch, got {shards}")
    group = None if "gloo" in dist.get_backend() else dist.new_group(backend="gloo")
    return Team(shards if exact else size, rank, size, exact, group)
