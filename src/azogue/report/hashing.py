"""The section on a hasher: how evenly its codes use their bits, and which rows they bring together."""

from __future__ import annotations

from typing import Any

from azogue.applications import SemanticHasher
from azogue.hamming import Buckets, HammingIndex
from azogue.report.looking import MAX_ROWS

Section = dict[str, Any]
#: Part of the bits in which codes of one group may differ from its leader's.
NEAR = 0.125


def hashing_section(model: Any, X: Any) -> Section | None:
    """The codes of the rows in groups, and how often they collide."""
    if not isinstance(model, SemanticHasher):
        return None
    texts = X if hasattr(model, "words_") and not isinstance(X, str) else None
    index = HammingIndex(model.n_bits).add(model.transform(X))
    return buckets_section(index.buckets(round(NEAR * model.n_bits), texts=texts, most=MAX_ROWS), model.n_bits)


def buckets_section(found: Buckets, n_bits: int) -> Section:
    """Groups and the evenness of codes as a section."""
    named = any(group.purity is not None for group in found.groups)
    told = any(group.terms for group in found.groups)
    columns = [
        "code",
        "rows",
        *(["label", "purity"] if named else []),
        "typical rows, from 0",
        *(["terms"] if told else []),
    ]
    rows = [
        [
            group.code,
            group.size,
            *([group.label, f"{group.purity:.0%}"] if named else []),
            ", ".join(str(at) for at in group.members),
            *([" ".join(group.terms)] if told else []),
        ]
        for group in found.groups
    ]
    facts = {
        "bits": n_bits,
        "rows": found.rows,
        "different codes": found.distinct,
        "two rows share a code": f"{found.collision:.2%}",
        "unevenness of a bit, 0 to 1": round(found.balance, 3),
        "correlation of bits": round(found.correlation, 3),
        "bits that never change": found.idle,
        "rows beyond these groups": found.others,
    }
    return {
        "title": "Codes",
        "text": "Groups of rows whose codes differ in few bits, in the order of the Gray code: groups that stand "
        "beside one another are near. A code is pseudonymised data, not anonymous data.",
        "facts": facts,
        "table": {"columns": columns, "rows": rows},
    }
