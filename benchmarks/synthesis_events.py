"""New sequences of events beside real ones: `python benchmarks/synthesis.py events`.

4,000 records of `visits.records` (seed 0) are trained on; 20,000 drawn records are compared with what 50,000 others
(seed 1) have. Columns:

- `kinds`: the largest total variation distance of what follows a kind of visit (a row of the Markov chain);
- `codes`, `pairs`: the mean relative error of the shares of visits that have a code, and a pair of codes, over those
  that 1 % of the visits have, weighed by them;
- `lengths`: the total variation distance of the numbers of visits;
- `again`: how often the chronic code comes back after a visit without it;
- `copies`: the part of the records of 6 visits and more that equal one of the training records.

Peers: visits drawn by themselves, with codes drawn by themselves (numbers of visits as in training); and a Markov chain
whose states are the visits that occur, the end among them.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from itertools import pairwise

import numpy as np

import azogue as az
from visits import CHAIN, KINDS, Record, lengths, records, staying, together, transitions, variation

TRAINED, DRAWN, KNOWN = 4_000, 20_000, 50_000
LONG = 6


def part_events() -> None:
    train, known = records(TRAINED, 0), records(KNOWN, 1)
    print(f"{'':<26}" + " ".join(f"{name:>8}" for name in ("kinds", "codes", "pairs", "lengths", "again", "copies")))
    line("training records", train, known, train, copies=False)
    line("held-out records", records(DRAWN, 2), known, train)
    line("independent events", independent(train, DRAWN), known, train)
    line("Markov chain of visits", chained(train, DRAWN), known, train)
    for method in ("recurrent", "adversarial"):
        begun = time.process_time()
        model = az.Synthesizer(method=method, random_state=0).fit(train)
        spent, begun = time.process_time() - begun, time.process_time()
        made = [[set(visit) for visit in record] for record in model.sample(DRAWN)]
        drawn = time.process_time() - begun
        line(f"Synthesizer, {method}", made, known, train)
        print(f"{'':<26} fit {spent:.0f} s, {DRAWN:,} records {drawn:.1f} s of one core", flush=True)


def line(name: str, rows: list[Record], known: list[Record], train: list[Record], copies: bool = True) -> None:
    """A line of figures."""
    found = transitions(rows)
    kinds = max(variation(found[at], CHAIN[at]) for at in range(len(KINDS)))
    real, own = together(known, 0.01), together(rows)
    errors = []
    for size in (1, 2):
        cells = [cell for cell in real if len(cell) == size]
        total = sum(real[cell] for cell in cells)
        errors.append(sum(abs(own.get(cell, 0.0) - real[cell]) for cell in cells) / total)
    there = {tuple(map(frozenset, record)) for record in train}
    long = [tuple(map(frozenset, record)) for record in rows if len(record) >= LONG]
    same = np.mean([record in there for record in long]) if copies and long else np.nan
    values = (kinds, *errors, variation(lengths(rows), lengths(known)), staying(rows), same)
    print(f"{name:<26}" + " ".join(f"{value:>8.4f}" for value in values), flush=True)


# -- peers -------------------------------------------------------------------------------------------------------------


def independent(train: list[Record], n: int) -> list[Record]:
    """Each code of each visit by itself, as often as in training."""
    rng = np.random.default_rng(0)
    shares = {cell[0]: share for cell, share in together(train).items() if len(cell) == 1}
    names, chances = list(shares), np.array(list(shares.values()))
    counts = rng.choice([len(record) for record in train], n)
    return [
        [{names[at] for at in np.flatnonzero(row)} for row in rng.random((count, len(names))) < chances]
        for count in counts
    ]


def chained(train: list[Record], n: int) -> list[Record]:
    """Whole visits, each given the one before, as often as in training."""
    rng = np.random.default_rng(0)
    after: dict[frozenset[str] | None, Counter[frozenset[str] | None]] = defaultdict(Counter)
    for record in train:
        visits = [None, *map(frozenset, record), None]
        for a, b in pairwise(visits):
            after[a][b] += 1
    tables = {}
    for state, own in after.items():
        weights = np.array(list(own.values()), float)
        tables[state] = list(own), (weights / weights.sum()).cumsum()
    found = []
    for _ in range(n):
        state, record = None, []
        while True:
            states, total = tables[state]
            state = states[min(int(np.searchsorted(total, rng.random())), len(states) - 1)]
            if state is None:
                break
            record.append(set(state))
        found.append(record)
    return found
