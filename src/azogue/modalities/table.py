"""Tables: arrays, pandas, polars and Arrow frames ↔ scaled tensors, without losing a cell on the way.

Every column gets the treatment of its type, never of its values: numbers and times are scaled to one slot each,
booleans take one slot, categories (text included) a one-hot block with a last slot for values never seen. Missing
cells are zeros under a mask. `unpack` undoes all of it: units, dtypes, order, row labels and the kind of container.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from azogue.modalities import hats
from azogue.modalities.base import Demand
from azogue.modalities.kinds import Absent
from azogue.modalities.learning import Learned, learn
from azogue.modalities.numeric import Numeric
from azogue.modalities.reading import Label
from azogue.modalities.scaling import SCALINGS, Policy
from azogue.modalities.schema import TableSchema
from azogue.recipe import Spec

__all__ = ["Table", "TableSchema"]

_NO_DEMAND = Demand()


@dataclass(frozen=True, repr=False)
class Table(Spec):
    """Rows and columns of any container.

    A numeric column `u` is mapped to one slot by `s = (u − center) / scale`:

    - `"standard"`: mean and population standard deviation;
    - `"robust"`: median and interquartile range / 1.349 (the standard deviation where that is 0);
    - `"minmax"`: minimum and range, or the middle and half the range for [−1, 1];
    - `"none"`: 0 and 1;
    - `"auto"`: `"standard"`, but for heavy-tailed columns (`scaling.heavy_tailed`) a broken line through their
      quantiles at normal scores, straight beyond its ends.

    Times are counted in the coarsest unit that divides their differences, from the earliest. A constant `c` becomes
    `(u − c) / |c|`. Numbers come back within `range · 2⁻²³` although slots are float32 (with `"none"`, and for counts
    under a Poisson head, which may not be moved, within `max |u| · 2⁻²³`). Then they are rounded to the column's
    resolution: integers and times of fewer than 2²⁴ levels are exact, decimal fractions of fewer than 2²³.

    Parameters
    ----------
    scaling : {"auto", "standard", "minmax", "robust", "none"}
        Of numeric columns. Under an output activation of limited reach `"auto"` and `"minmax"` map to [0, 1], or to
        [−1, 1] for a reach of (−1, 1).
    weights : mapping of column name or position to float, optional
        Weights of columns in the reconstruction, 1 where not stated; one a column, not one a slot.

    knots : int
        With knots, the encoder also reads each number as shares of the knots around it (`modalities.hats`), at most so
        many for a column, and can tell a missing cell from any value. 0: it reads the scaled numbers alone. Numeric
        columns need the gaussian head for that.

    Examples
    --------
    >>> import numpy as np
    >>> schema = Table().fit(np.array([[1.0, 20.0], [2.0, np.nan], [3.0, 40.0]]))
    >>> batch = schema.pack([[2.0, np.nan]])
    >>> batch.x, batch.mask
    (tensor([[0., 0.]]), tensor([[ True, False]]))
    >>> schema.unpack(batch)
    array([[ 2., nan]])
    """

    scaling: str = "auto"
    weights: tuple[tuple[Label, float], ...] | Mapping[Label, float] | None = None
    knots: int = 0

    def __post_init__(self) -> None:
        if self.scaling not in SCALINGS:
            raise ValueError(f"Table: scaling must be one of {', '.join(map(repr, SCALINGS))}, got {self.scaling!r}")
        if isinstance(self.knots, bool) or not isinstance(self.knots, int) or self.knots < 0:
            raise ValueError(f"Table: knots must be a whole number of at least 0, got {self.knots!r}")
        if self.weights is not None:
            object.__setattr__(self, "weights", _weight_pairs(self.weights))

    def fit(self, X: Any, demand: Demand = _NO_DEMAND) -> TableSchema:
        """Learn how to pack tables like `X` and how to undo it.

        Parameters
        ----------
        X : array, frame, nested lists or Dataset, shape (n, columns)
            Of many rows, quantiles are those of a sample: see `modalities.sketches`.
        demand : Demand
            What objective and output activation ask of numeric columns.

        Raises
        ------
        TypeError
            For sparse data and for columns of mixed or unknown types; the message names the column.
        ValueError
            For data without rows, columns or values, infinity, and contradictions to `demand`.
        """
        policy = Policy.of(self.scaling, demand)
        learned = learn(X, policy, bool(self.knots))
        if all(isinstance(kind, Absent) for kind in learned.kinds):
            raise ValueError(
                f"Table: every cell of X (shape={learned.shape}) is missing; there is nothing to learn from"
            )
        return TableSchema(
            learned.container,
            learned.dtype,
            learned.names,
            learned.kinds,
            _column_weights(self.weights, learned),
            policy.head,
            demand.activation,
            self._knots(learned, policy.head),
        )

    def _knots(self, learned: Learned, head: str) -> tuple[tuple[float, ...], ...] | None:
        if not self.knots or head != "gaussian":
            return None
        numeric = [(kind, u) for kind, u in zip(learned.kinds, learned.u(), strict=True) if isinstance(kind, Numeric)]
        return tuple(hats.place(kind.map.forward(u), self.knots) for kind, u in numeric)


def _weight_pairs(weights: Any) -> tuple[tuple[Label, float], ...]:
    """Weights as sorted pairs, so that equal ones hash alike."""
    pairs = weights.items() if isinstance(weights, Mapping) else weights
    for label, weight in pairs:
        if not (math.isfinite(weight) and weight >= 0):
            raise ValueError(f"Table: the weight of column {label!r} must be finite and not negative, got {weight!r}")
    return tuple(sorted(((label, float(weight)) for label, weight in pairs), key=lambda pair: repr(pair[0])))


def _column_weights(weights: Any, source: Learned) -> tuple[float, ...]:
    labels = list(range(source.shape[1]) if source.names is None else source.names)
    result = [1.0] * len(labels)
    for label, weight in weights or ():
        if label not in labels and not (isinstance(label, int) and 0 <= label < len(labels)):
            raise ValueError(
                f"Table: weights name the column {label!r}, which X does not have; its columns are {labels}"
            )
        result[labels.index(label) if label in labels else label] = weight
    if not any(result):
        raise ValueError("Table: the weights of all columns are 0, so that nothing is left to reconstruct")
    return tuple(result)
