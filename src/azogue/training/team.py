"""Several processes that train one network: who there is, and what they tell one another.

Each of them runs the same program on the same rows. What they share out among them are the virtual shards of a step
and the blocks of held-out rows; all else happens in each alike. So a team has no server and no loop of its own.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import torch
import torch.distributed as dist

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Tensor

T = TypeVar("T")


@dataclass(frozen=True)
class Team:
    """A process's place among those that train together.

    Parameters
    ----------
    shards : int
        Virtual shards of each batch. They belong to the recipe: they decide on the result, and `size` does not.
    rank, size : int
        This process, from 0, and how many there are.
    exact : bool
        False: as many shards as processes, summed by an all-reduce, so that `size` decides on the result too.
    group : process group or None
        Of torch.distributed; None: the default one.
    after : callable or None
        Called in every process when an epoch is over and saved.
    """

    shards: int = 1
    rank: int = 0
    size: int = 1
    exact: bool = True
    group: Any = None
    after: Callable[[], None] | None = None

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes files and asks callbacks."""
        return self.rank == 0

    def agreed(self, value: T) -> T:
        """The first process's value, which JSON can hold, in all of them."""
        if self.size == 1:
            return value
        text = json.dumps(value).encode() if self.leads else b""
        length = int(self.told(torch.tensor([len(text)])))
        sent = torch.frombuffer(bytearray(text), dtype=torch.uint8) if self.leads else torch.empty(length).byte()
        found: T = json.loads(self.told(sent).numpy().tobytes())
        return found

    def told(self, tensor: Tensor) -> Tensor:
        """The first process's tensor in all of them; the others bring one of its shape and type, which is changed."""
        if self.size > 1:
            dist.broadcast(tensor, group=self.group, group_src=0)
        return tensor

    def gathered(self, tensor: Tensor) -> Tensor:
        """Everybody's tensor (n,), all of one length → (size, n)."""
        if self.size == 1:
            return tensor[None]
        found = tensor.new_empty(self.size, len(tensor))
        dist.all_gather(list(found), tensor.contiguous(), group=self.group)
        return found

    def block(self, shards: int) -> int:
        """How many neighbouring shards a process sums before anything is sent: a branch of the tree, or one shard."""
        each = shards // self.size
        return each if each * self.size == shards and each & (each - 1) == 0 else 1

    def own(self, count: int) -> range:
        """Which of so many pieces of work are this process's."""
        return range(self.rank, count, self.size)

    def summed(self, blocks: Sequence[Tensor], count: int, like: Tensor) -> Tensor:
        """The sum of `count` blocks, of which this process brings its `own`, along the tree of all of them.

        Each process adds up a slice of all blocks and hands its sum on, so that it receives about twice the gradient
        where there are as many blocks as processes: no more than with a ring's all-reduce.

        Parameters
        ----------
        blocks : sequence of Tensor, shape (n,)
        count : int
        like : Tensor, shape (n,)
            For a process that has no block.
        """
        if self.size == 1:
            return along_tree(blocks)
        if not self.exact:
            total = blocks[0].cpu() if blocks else torch.zeros_like(like, device="cpu")
            dist.all_reduce(total, group=self.group)
            return total
        piece, rows = -(-len(like) // self.size), -(-count // self.size)
        mine = like.new_zeros(rows, self.size * piece, device="cpu")
        for row, block in zip(mine, blocks, strict=False):
            row[: len(block)] = block
        sent = mine.view(rows, self.size, piece).transpose(0, 1).contiguous()
        got = torch.empty_like(sent)
        dist.all_to_all_single(got.view(-1), sent.view(-1), group=self.group)
        total = along_tree([got[at % self.size, at // self.size] for at in range(count)])
        return self.gathered(total).reshape(-1)[: len(like)]


def along_tree(parts: Sequence[Tensor]) -> Tensor:
    """The sum of tensors in pairs of neighbours, then pairs of pairs, whoever computes the branches.

    Examples
    --------
    >>> parts = [torch.tensor([value]) for value in (1e8, 1.0, -1e8, 1.0, 0.5)]
    >>> along_tree(parts) == along_tree([along_tree(parts[:2]), along_tree(parts[2:4]), parts[4]])
    tensor([True])
    """
    level = list(parts)
    while len(level) > 1:
        pairs = [a + b for a, b in zip(level[::2], level[1::2], strict=False)]
        level = pairs + level[2 * len(pairs) :]
    return level[0]


_TEAM: ContextVar[Team | None] = ContextVar("azogue_team", default=None)


def current() -> Team | None:
    """The team that this thread trains in, if any."""
    return _TEAM.get()


@contextmanager
def member(team: Team) -> Iterator[Team]:
    """Within this context, every training of this thread is the team's."""
    token = _TEAM.set(team)
    try:
        yield team
    finally:
        _TEAM.reset(token)


def leads() -> bool:
    """Whether this process writes files and asks callbacks: alone, or the first of its team."""
    team = current()
    return team is None or team.leads


def agreed(value: T) -> T:
    """The first process's value in all of a team."""
    team = current()
    return value if team is None else team.agreed(value)


def shards() -> int:
    """Virtual shards of a batch; see `Recipe`."""
    team = current()
    return 1 if team is None else team.shards


def after_epoch() -> None:
    """Tell who placed this process that an epoch is over and saved."""
    team = current()
    if team is not None and team.after is not None:
        team.after()
