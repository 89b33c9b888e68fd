"""Copies of training rows among synthetic ones, beside those that chance puts among held-out real rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from azogue.privacy.intervals import Interval, wilson
from azogue.privacy.records import Attack, attack
from azogue.privacy.space import Space, nearest
from azogue.synthetic.marginals import row_numbers
from azogue.synthetic.tables import Numbers, Tables

#: Part of the training rows whose nearest other training row is near.
NEAR = 0.05
#: Rows of each table that distances are measured between, and categories of a column in them.
MOST_ROWS, MOST_CATEGORIES = 10_000, 100


def exact(tables: Tables) -> Attack:
    """Synthetic rows that equal a training row in all columns, beside held-out rows that do."""
    numbers = row_numbers(tables.train, tables.test, tables.synthetic)
    ends = len(tables.train), len(tables.train) + len(tables.test)
    own, others, rows = np.split(numbers, ends)
    success, control = (_rate(np.isin(part, own)) for part in (rows, others))
    return attack(
        "exact copies",
        "is a synthetic row a training row?",
        "rate",
        success,
        control,
        "{value:.2%} of the synthetic rows equal a training row (of held-out real rows: {control:.2%})",
        rows=success.value * len(rows),
    )


def near(tables: Tables, seed: int) -> list[Attack]:
    """Synthetic rows near a training row, and training rows near a synthetic one, each beside held-out rows.

    Near is what 5 % of the training rows have their nearest other training row within, between standardised rows.
    """
    some = tables.merged(MOST_CATEGORIES).sampled(MOST_ROWS, seed)
    own, others, rows = _packed(some)
    apart = nearest(own, own, 2)[0][:, 1]
    limit = max(float(np.quantile(apart, NEAR)), 1e-6 * float(apart.mean()))
    to_own, beside = (_rate(nearest(part, own)[0][:, 0] <= limit) for part in (rows, others))
    found, usual = (_rate(nearest(part, rows)[0][:, 0] <= limit) for part in (own, others))
    return [
        attack(
            "near copies",
            "is a synthetic row nearer to a training row than rows usually are?",
            "rate",
            to_own,
            beside,
            "{value:.1%} of the synthetic rows lie near a training row (of held-out real rows: {control:.1%})",
            distance=limit,
        ),
        attack(
            "training rows met",
            "does a training row have a synthetic row nearby?",
            "rate",
            found,
            usual,
            "{value:.1%} of the training rows have a synthetic row nearby (of held-out real rows: {control:.1%})",
            distance=limit,
        ),
    ]


def _packed(tables: Tables) -> list[Numbers]:
    parts = [tables.as_arrow(part) for part in (tables.train, tables.test, tables.synthetic)]
    space = Space.fit(parts[0])
    return [space.pack(part) for part in parts]


def _rate(hits: NDArray[np.bool_]) -> Interval:
    return wilson(int(hits.sum()), len(hits), corrected=True)
