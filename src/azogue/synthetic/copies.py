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
    """Synthetic rows that equal a training row in all columns.

    The control is the greater of two rates: of held-out rows that equal a training row, and of synthetic rows that
    equal a held-out row. Rows that are common anyway are no copies.
    """
    numbers = row_numbers(tables.train, tables.test, tables.synthetic)
    own, others, rows = np.split(numbers, [len(tables.train), len(tables.train) + len(tables.test)])
    success, natural, common = (
        _rate(np.isin(part, known)) for part, known in ((rows, own), (others, own), (rows, others))
    )
    return attack(
        "exact copies",
        "is a synthetic row a training row?",
        "rate",
        success,
        max(natural, common),
        "{value:.2%} of the synthetic rows equal a training row (control: {control:.2%})",
        rows=success.value * len(rows),
        held_out_rows=natural.value,
    )


def near(tables: Tables, seed: int) -> list[Attack]:
    """Synthetic rows near a training row, beside those near one of as many held-out rows; and the other way round.

    Near is what 5 % of the training rows have their nearest other training row within, between standardised rows. Both
    controls are of the same synthetic rows: rows in dense places are near to anybody.
    """
    size = min(MOST_ROWS, len(tables.train), len(tables.test))
    some = tables.merged(MOST_CATEGORIES)
    own, others, rows = _packed(some.sampled(size, seed), some.sampled(MOST_ROWS, seed))
    apart = nearest(own, own, 2)[0][:, 1]
    limit = max(float(np.quantile(apart, NEAR)), 1e-6 * float(apart.mean()))
    pairs = (rows, own), (rows, others), (own, rows), (others, rows), (others, own)
    to_own, to_others, met, usual, natural = (_rate(nearest(*pair)[0][:, 0] <= limit) for pair in pairs)
    return [
        attack(
            "near copies",
            "is a synthetic row nearer to a training row than to others of the population?",
            "rate",
            to_own,
            to_others,
            "{value:.1%} of the synthetic rows lie near a training row (near one of as many held-out rows: "
            "{control:.1%})",
            distance=limit,
            held_out_rows=natural.value,
        ),
        attack(
            "training rows met",
            "does a training row have a synthetic row nearby?",
            "rate",
            met,
            usual,
            "{value:.1%} of the training rows have a synthetic row nearby (of held-out rows: {control:.1%})",
            distance=limit,
        ),
    ]


def _packed(some: Tables, more: Tables) -> list[Numbers]:
    parts = [some.as_arrow(some.train), some.as_arrow(some.test), some.as_arrow(more.synthetic)]
    space = Space.fit(parts[0])
    return [space.pack(part) for part in parts]


def _rate(hits: NDArray[np.bool_]) -> Interval:
    return wilson(int(hits.sum()), len(hits), corrected=True)
