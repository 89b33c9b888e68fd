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
class Bars:
    """Where candidates are given up.

    Parameters
    ----------
    losses : mapping of str to float
        Kind of loss → what others of the kind reached, times `HOPELESS`.
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

    losses: Mapping[str, float] = field(default_factory=dict)
    leader: Sequence[float] = ()

    def loss(self, genome: Genome) -> float:
        """The loss above which a candidate is given up at a part of its epochs."""
        return self.losses.get(loss_kind(genome), math.inf)

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
        """Whether a record of another run counts here: one that was given up there might go on here."""
        reason = str(record.get("reason", ""))
        if record.get("error") is not None and "folds" not in record:
            return False
        if reason == GIVEN_UP:
            early = record.get("early")
            return early is not None and early > self.loss(genome)
        return not reason.startswith(LEFT_BEHIND) or self.behind([error + price for error in record["folds"]])


#: Reasons of records.
GIVEN_UP, LEFT_BEHIND = "given up early", "far behind after "


def loss_kind(genome: Genome) -> str:
    """What candidates have in common whose losses can be compared."""
    return "/".join(str(genome[name]) for name in ("kind", "loss", "output"))
