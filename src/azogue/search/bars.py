"""What candidates have to come near to, so that no time goes into the hopeless: at a part of their epochs, and fold by
fold of a cross-validation.

Bars are raised between generations, by what is known then, so that neither the number of workers nor the order in which
they finish decides who is given up.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from azogue.search.cache import Record
from azogue.search.space import Genome

#: A candidate is given up when at this part of its epochs its loss is so many times the best final one of its kind.
EARLY, HOPELESS = 0.25, 4.0
#: After k folds a candidate may be worse than the best by this part of it, over √k (Maron & Moore 1994: a race).
BEHIND = 0.05


@dataclass(frozen=True)
class Mark:
    """What the one with the least loss of its kind reached.

    Parameters
    ----------
    loss, error, price : float
        Its final loss, the error that this means, and what its complexity costs.

    Examples
    --------
    >>> mark = Mark(loss=0.5, error=0.2, price=0.1)
    >>> mark.bar(0.1), mark.bar(0.3), round(mark.bar(0.0), 3)  # who costs less may err by as much more
    (2.0, 2.0, 3.0)
    """

    loss: float
    error: float
    price: float

    def bar(self, price: float) -> float:
        """The loss, at a part of its epochs, above which a candidate of this price has no hope to be as good."""
        spare = max(self.price - price, 0.0)
        if spare == 0.0:
            return HOPELESS * self.loss
        return HOPELESS * self.loss * (1 + spare / self.error) if self.error > 0 else math.inf


@dataclass(frozen=True)
class Bars:
    """Where candidates are given up.

    Parameters
    ----------
    losses : mapping of str to Mark
        Kind of loss → what others of the kind reached with as many epochs.
    leader : sequence of float
        What the best candidate so far costs on each fold; empty where there is none, or one fold.

    Examples
    --------
    >>> bars = Bars(leader=(1.0, 2.0, 3.0))
    >>> bars.behind([1.04]), bars.behind([1.2]), bars.behind([1.2, 1.9])
    (False, True, False)
    >>> round(bars.expected([1.2]), 3)  # .2 behind the mean of the leader
    2.2
    """

    losses: Mapping[str, Mark] = field(default_factory=dict)
    leader: Sequence[float] = ()

    def loss(self, genome: Genome, price: float) -> float:
        """The loss above which a candidate of this price is given up at a part of its epochs."""
        mark = self.losses.get(loss_kind(genome))
        return math.inf if mark is None else mark.bar(price)

    def behind(self, costs: Sequence[float]) -> bool:
        """Whether somebody with these costs on the first folds is too far behind to be judged on further ones."""
        if len(costs) >= len(self.leader):
            return False
        ahead = float(np.mean(self.leader[: len(costs)]))
        return float(np.mean(costs)) - ahead > BEHIND / math.sqrt(len(costs)) * abs(ahead)

    def expected(self, costs: Sequence[float]) -> float:
        """What somebody costs in the mean over all folds, if as far from the leader there as on the first ones."""
        if len(costs) >= len(self.leader):
            return float(np.mean(costs))
        return float(np.mean(costs) - np.mean(self.leader[: len(costs)]) + np.mean(self.leader))

    def hold(self, record: Record, genome: Genome, price: float) -> bool:
        """Whether a record of another run counts here: whether it is whole, and the same would have happened.

        One that was given up there might go on here, or the other way round; so with further folds.
        """
        if not _whole(record):
            return False
        if record["error"] is None:
            return True
        here, there = self.loss(genome, price), math.inf if record["bar"] is None else record["bar"]
        if any((loss > here) != (loss > there) for loss in record["early"] if loss is not None):
            return False
        costs = [error + price for error in record["folds"]]
        behind = [self.behind(costs[:count]) for count in range(1, len(costs) + 1)]
        return not any(behind[:-1]) and behind[-1] == (len(costs) < record["of"])


#: What a record tells, see `Bench.judge`.
FIELDS = {"error", "folds", "of", "reason", "epochs", "seconds", "early", "bar", "loss"}
#: Reasons of records.
GIVEN_UP, LEFT_BEHIND = "given up early", "far behind after "


def _whole(record: Record) -> bool:
    """Whether everything is there that a search asks of a record, as the kind of value that it must be."""
    if not set(record) >= FIELDS:
        return False
    folds, early, failed = record["folds"], record["early"], record["error"] is None
    if not (isinstance(record["reason"], str) and isinstance(folds, list) and isinstance(early, list)):
        return False
    numbers = [record["seconds"], record["epochs"], record["of"], *folds]
    numbers += [value for value in (record["bar"], *early) if value is not None]
    numbers += [] if failed else [record["error"], record["loss"]]
    if not all(type(value) in (int, float) and math.isfinite(value) for value in numbers):
        return False
    return failed or 0 < len(folds) == len(early) <= record["of"]


def loss_kind(genome: Genome) -> str:
    """What candidates have in common whose losses can be compared."""
    return "/".join(str(genome[name]) for name in ("kind", "loss", "output"))
