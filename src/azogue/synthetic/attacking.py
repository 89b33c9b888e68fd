"""Attacks on synthetic rows: an attacker who has all of them asks about training rows and, as a control, others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from azogue.privacy.attributes import inferred_from_synthetic
from azogue.privacy.members import membership
from azogue.privacy.records import Attack
from azogue.privacy.rows import targets
from azogue.privacy.singling import linkability, singling_out
from azogue.privacy.space import view
from azogue.synthetic import copies
from azogue.synthetic.marginals import row_numbers
from azogue.synthetic.tables import Tables

#: Rows that attacks need; real rows that are asked about, at most, and of the two slower attacks.
LEAST, MOST_ASKED, MOST_LINKED = 10, 5000, 2500
#: Columns that are inferred where none are named; categories of a column that attackers see, and of one they infer.
MOST_SENSITIVE, MOST_CLASSES, FEW = 5, 100, 20

Attempt = Callable[[str, Callable[[], list[Attack]]], list[Attack]]


def attacked(
    whole: Tables, some: Tables, target: int | None, hidden: list[int] | None, seed: int, attempt: Attempt
) -> list[Attack]:
    """Copies, membership, singling out, linkability and attributes.

    Parameters
    ----------
    whole, some : Tables
        All rows, in which exact copies are searched, and those that attacks are made with.
    target : int or None
        A column to infer first.
    hidden : list of int or None
        The columns to infer, where they are named.
    attempt : callable
        (what, measure) → what is found; nothing, where it raises ValueError.
    """
    found = [copies.exact(whole)]
    if not row_numbers(some.train).any():
        return found + attempt("near copies and attacks", _nothing)
    found += attempt("near copies", lambda: copies.near(some, seed))
    packed = some.merged(MOST_CLASSES)
    rows = packed.as_arrow(packed.synthetic)
    own, others = _asked(packed, MOST_ASKED, seed)
    few, beside = _asked(packed, MOST_LINKED, seed)

    def inferred(at: int) -> list[Attack]:
        (one,) = targets([str(packed.names[at])], own, rows, "evaluate_synthetic: sensitive", others)
        return inferred_from_synthetic(view(own, rows, others, False), one, seed=seed)

    options: dict[str, Any] = {"random_state": seed}
    found += attempt("membership", lambda: [membership(own, others, rows, **options)])
    found += attempt("singling out", lambda: _singled(packed, options))
    found += attempt("linkability", lambda: [linkability(few, rows, beside, **options)])
    for at in _inferred(packed, target) if hidden is None else hidden:
        found += attempt(f"attribute {packed.names[at]!r}", lambda at=at: inferred(at))  # type: ignore[misc]
    return found


def _singled(tables: Tables, options: dict[str, Any]) -> list[Attack]:
    """Without columns of one value: predicates that differ in these alone are one predicate."""
    varied = [at for at, column in enumerate(tables.train.T) if len(np.unique(column)) > 1]
    kept = tables.select(np.array(varied, np.intp))
    parts = (kept.as_arrow(part) for part in (kept.train, kept.synthetic, kept.test))
    return list(singling_out(*parts, **options))


def _nothing() -> list[Attack]:
    raise ValueError("all training rows are equal; there is nothing to find out about one of them")


def _asked(tables: Tables, most: int, seed: int) -> tuple[pa.Table, pa.Table]:
    """Training and held-out rows that attackers ask about."""
    fewer = tables.sampled(most, seed)
    return tables.as_arrow(fewer.train), tables.as_arrow(fewer.test)


def _inferred(tables: Tables, target: int | None) -> list[int]:
    """Columns that attackers infer where none are named."""
    if len(tables.names) < 2:
        return []
    few = [at for at, known in enumerate(tables.classes) if known is not None and 2 <= len(known) <= FEW]
    numbers = [at for at, kind in enumerate(tables.kinds) if kind == "number" and np.nanstd(tables.train[:, at]) > 0]
    some = few or numbers[:2]
    found = ([] if target is None else [target]) + [at for at in some if at != target]
    return found[:MOST_SENSITIVE]
