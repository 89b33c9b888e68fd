"""Patient-like records with known statistics, as `synthesis.py events` draws them; not run by itself.

A record is a sequence of visits. Each visit has one kind, and kinds follow one another by a Markov chain (`CHAIN`).
Besides, a visit has codes of its kind: groups that come together or not at all (`TOGETHER`: kind, codes, probability),
and codes of any visit (`ALONE`). A chronic code begins at any visit with probability `ONSET` and is then in each later
one with probability `STAYS`: no chain of visits knows that. The number of visits is 2 plus a negative binomial number
(3, ½), 12 at most.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np

KINDS = ("checkup", "infection", "injury", "surgery")
BEGIN = np.array([0.55, 0.25, 0.15, 0.05])
CHAIN = np.array(
    [
        [0.50, 0.25, 0.20, 0.05],
        [0.45, 0.40, 0.05, 0.10],
        [0.30, 0.10, 0.25, 0.35],
        [0.70, 0.15, 0.05, 0.10],
    ]
)
TOGETHER = (
    ("checkup", ("blood test", "blood pressure"), 0.6),
    ("checkup", ("vaccine",), 0.2),
    ("infection", ("fever", "antibiotic"), 0.7),
    ("infection", ("cough",), 0.4),
    ("infection", ("x-ray chest", "steroid"), 0.15),
    ("injury", ("x-ray limb", "cast"), 0.5),
    ("injury", ("painkiller",), 0.6),
    ("surgery", ("anaesthesia", "painkiller"), 0.9),
    ("surgery", ("blood test", "transfusion"), 0.25),
)
ALONE = (("smoker", 0.1), ("allergy", 0.05))
CHRONIC, ONSET, STAYS = "diabetes", 0.05, 0.9

Record = list[set[str]]


def records(n: int, seed: int) -> list[Record]:
    """So many records."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        count = min(12, 2 + int(rng.negative_binomial(3, 0.5)))
        kind, ill, record = rng.choice(4, p=BEGIN), False, []
        for _ in range(count):
            visit = {KINDS[kind]}
            for owner, codes, share in TOGETHER:
                if owner == KINDS[kind] and rng.random() < share:
                    visit |= set(codes)
            visit |= {code for code, share in ALONE if rng.random() < share}
            if rng.random() < (STAYS if ill else ONSET):
                visit.add(CHRONIC)
                ill = True
            record.append(visit)
            kind = rng.choice(4, p=CHAIN[kind])
        found.append(record)
    return found


# -- what is known of them ---------------------------------------------------------------------------------------------


def transitions(rows: list[Record]) -> np.ndarray:
    """How often each kind of visit follows each, (4, 4), rows summing to 1; visits of no or two kinds are left out."""
    found = np.zeros((4, 4))
    for record in rows:
        kinds = [[at for at, kind in enumerate(KINDS) if kind in visit] for visit in record]
        for a, b in pairwise(kinds):
            if len(a) == len(b) == 1:
                found[a[0], b[0]] += 1
    return found / np.maximum(found.sum(1, keepdims=True), 1)


def together(rows: list[Record], least: float = 0.0) -> dict[tuple[str, ...], float]:
    """The share of visits with each code, and with each pair of codes, of those that at least `least` have."""
    found: Counter[tuple[str, ...]] = Counter()
    visits = [sorted(visit) for record in rows for visit in record]
    for visit in visits:
        found.update((a,) for a in visit)
        found.update((a, b) for at, a in enumerate(visit) for b in visit[at + 1 :])
    return {cell: count / len(visits) for cell, count in found.items() if count >= least * len(visits)}


def lengths(rows: list[Record]) -> np.ndarray:
    """The share of records of each number of visits, 0 to 20."""
    return np.bincount([min(len(record), 20) for record in rows], minlength=21) / len(rows)


def staying(rows: list[Record]) -> float:
    """How often the chronic code is in a visit behind one that has it, not the next one but the one after."""
    told = [
        CHRONIC in third
        for record in rows
        for first, second, third in zip(record, record[1:], record[2:], strict=False)
        if CHRONIC in first and CHRONIC not in second
    ]
    return float(np.mean(told)) if told else 0.0


def variation(p: np.ndarray, q: np.ndarray) -> float:
    """The total variation distance."""
    return 0.5 * float(np.abs(p - q).sum())
