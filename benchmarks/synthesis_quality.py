"""What `evaluate_synthetic` says of known tables: `python benchmarks/synthesis_quality.py [part …]`.

The data folder is `AZOGUE_DATA`, else `../shared/data`. Seed 0, one run. Adult: the training table shuffled with seed
0, its first 10,000 rows to learn from, the next 10,000 held out, the official test rows (16,281) asked about income.

- `adult`: training rows in the place of synthetic ones, columns drawn independently, a Gaussian copula, copies of
  training rows with noise; beside the figures that SDMetrics' definitions gave before Azogue had any code (`known`).
- `peers`: TVAE and CTGAN of the package `ctgan`, 300 epochs (not run without its name; needs that package).
- `leaks`: how many copied rows the attacks see: a part of the synthetic rows are training rows, with and without noise
  (not run without its name).
- `chance`: how often attacks and measures call honest rows worse or leaking (RUNS, 20; not run without its name).
"""

from __future__ import annotations

import os
import time
from collections import Counter

import numpy as np
import pandas as pd
from scipy.stats import norm

import azogue as az
from census import incomes
from parts import run

NUMBERS = ["age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week"]
ROWS = 10_000
#: Shapes, pairs, detection, accuracy and AUC of income, as other code with the same protocol gave them.
KNOWN = {
    "training rows": (0.9903, 0.9776, 0.5009, 0.8657, 0.9205),
    "independent columns": (0.9876, 0.9175, 0.9903, 0.7624, 0.4939),
    "gaussian copula": (0.9879, 0.9282, 0.9840, 0.7810, 0.8157),
    "TVAE": (0.8563, 0.8535, 0.9943, 0.8290, 0.8783),
    "CTGAN": (0.8719, 0.8735, 0.9980, 0.8052, 0.8678),
}


def tables() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Training rows, held-out rows, and the official test rows of Adult; `?` is a category."""
    train, test = incomes()
    mixed = train.sample(frac=1, random_state=0).reset_index(drop=True)
    return mixed[:ROWS], mixed[ROWS : 2 * ROWS].reset_index(drop=True), test


def independent(real: pd.DataFrame) -> pd.DataFrame:
    """Each column drawn by itself."""
    return pd.DataFrame(
        {name: real[name].sample(ROWS, replace=True, random_state=at).to_numpy() for at, name in enumerate(real)}
    )


def copula(real: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Normal scores of ranks (of categories: of their frequencies' order), one covariance, drawn, and read back."""
    rng = np.random.default_rng(seed)
    scores, readers = [], []
    for name in real:
        values = real[name]
        if name not in NUMBERS:
            order = {kind: at for at, kind in enumerate(values.value_counts().index)}
            values = values.map(order)
        jitter = rng.random(len(values))
        ranks = np.empty(len(values))
        ranks[np.lexsort((jitter, values))] = np.arange(len(values))
        scores.append(norm.ppf((ranks + 0.5) / len(values)))
        readers.append(real[name].to_numpy()[np.lexsort((jitter, values))])
    drawn = rng.multivariate_normal(np.zeros(len(scores)), np.corrcoef(scores), ROWS, method="eigh")
    places = np.minimum((norm.cdf(drawn) * len(real)).astype(int), len(real) - 1)
    return pd.DataFrame(
        {name: reader[places[:, at]] for at, (name, reader) in enumerate(zip(real, readers, strict=True))}
    )


def noisy(real: pd.DataFrame, part: float = 1.0, seed: int = 0) -> pd.DataFrame:
    """Numbers of a part of the rows moved by a twentieth of their spread, and a category of each drawn again."""
    rng = np.random.default_rng(seed)
    made = real.copy().reset_index(drop=True)
    for name in NUMBERS:
        moved = made[name] + rng.normal(size=len(made)) * real[name].std() / 20
        there = (rng.random(len(made)) < part) & (made[name] != 0)
        made[name] = np.where(there, moved.round().clip(real[name].min(), real[name].max()), made[name]).astype(int)
    texts = [name for name in real if name not in NUMBERS]
    which = rng.integers(0, len(texts), len(made))
    for at, name in enumerate(texts):
        made[name] = np.where(which == at, rng.permutation(made[name]), made[name])
    return made


def told(name: str, made: pd.DataFrame, seconds: float = 0.0, full: bool = True) -> az.SyntheticReport:
    train, held, asked = tables()
    begun = time.perf_counter()
    found = az.evaluate_synthetic(train, held, made, target="income", target_test=asked, attacks=full)
    took = time.perf_counter() - begun
    area, right = found.utility
    numbers = [found.score(one).value for one in ("column shapes", "pair trends", "detection")]
    numbers += [right.released, area.released]
    print(f"  {name:22}" + "  ".join(f"{value:.4f}" for value in numbers) + f"   judged in {took:.0f} s", end="")
    print(f", made in {seconds:.0f} s" if seconds else "")
    if name in KNOWN:
        print(f"  {'  known':22}" + "  ".join(f"{value:.4f}" for value in KNOWN[name]))
    for one in found.attacks if full else ():
        low, high, control = one.low, one.high, one.control
        mark = "  leaks" if one.leaks else ""
        print(f"      {one.name:32}{one.measure:18} {one.value:.3f} [{low:.3f}, {high:.3f}]  {control:.3f}{mark}")
    print(flush=True)
    return found


def adult() -> None:
    train, _, _ = tables()
    print(f"  {'':22}shapes  pairs   detect  acc     AUC of income")
    told("training rows", train)
    told("independent columns", independent(train))
    told("gaussian copula", copula(train))
    print(told("noisy training rows", noisy(train)).text())


def peers() -> None:
    import ctgan

    train, _, _ = tables()
    texts = [name for name in train if name not in NUMBERS]
    for kind in (ctgan.TVAE, ctgan.CTGAN):
        begun = time.perf_counter()
        model = kind(epochs=300, enable_gpu=False)
        model.set_random_state(0)
        model.fit(train, texts)
        made = model.sample(ROWS)
        told(kind.__name__, made, time.perf_counter() - begun)


def leaks() -> None:
    train, held, asked = tables()
    known, others = held[: ROWS // 2], held[ROWS // 2 :]
    fresh = pd.concat([asked, others]).sample(ROWS, random_state=1).reset_index(drop=True)
    for part in (0.0, 0.01, 0.05, 0.2, 1.0):
        for name, source in (("copies", train), ("noisy copies", noisy(train))):
            count = int(part * ROWS)
            made = pd.concat([source[:count], fresh[count:]])
            found = az.evaluate_synthetic(train, known, made, target="income")
            print(f"  {part:.0%} {name}: {', '.join(one.name for one in found.leaks) or 'nothing leaks'}", flush=True)


def chance() -> None:
    train, held, asked = tables()
    whole = pd.concat([train, held, asked])
    runs = int(os.environ.get("RUNS", "20"))
    counts: Counter[str] = Counter()
    for seed in range(runs):
        mixed = whole.sample(9000, random_state=seed)
        parts = mixed[:3000], mixed[3000:6000], mixed[6000:]
        found = az.evaluate_synthetic(*parts, target="income", random_state=seed)
        counts.update(one.name for one in (*found.worse, *found.leaks))
        total = len(found.scores) + len(found.attacks)
    print(f"  of {runs} × {total} measures and attacks on real rows called worse or leaking: {dict(counts)}")


PARTS = {"adult": adult, "peers": peers, "leaks": leaks, "chance": chance}

if __name__ == "__main__":
    run(PARTS, usual=["adult"])
