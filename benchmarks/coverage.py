"""How often 95 % intervals cover the truth after multiple imputation: `python benchmarks/coverage.py [SIMULATIONS]`.

Rows of a linear model, y = 1 + x1 − 0.5 x2 + 0.5 x3 + ε, with 500 rows, covariates correlated by 0.5 and ε normal with
standard deviation 1. Of x1 and x2, 35 % of the cells are hidden, each by itself: completely at random (mcar), or with
a chance that depends on x3, x4 and y (mar, by `az.simulate_missing`). The whole table with y is imputed; ordinary least
squares of y on the four covariates; intervals from `az.pool` with `dof_complete` = 495. Contestants:

- `before`: the table before cells were hidden; `cases`: the rows without a missing cell;
- `ours`: `az.Imputer().impute(X, m=20)`; `one draw`: the first of these tables as if it had been observed; `filled`:
  `transform`, as if it had been observed;
- `sklearn`: `IterativeImputer(sample_posterior=True)`, 20 seeds; `filled sk`: the same without draws, once.

A row of the result: for x1, x2 and x3 the part of the simulations whose interval covers the truth, the mean width of
the interval as a multiple of `before`'s, and the bias in percent of the truth. Simulation k has seed k in everything.
With 200 simulations a true 95 % shows as 92–98 % nineteen times out of twenty.
"""

from __future__ import annotations

import sys
import time
import warnings

import numpy as np
import pandas as pd
from scipy.stats import t
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer

import azogue as az

ROWS, MISSING, M = 500, 0.35, 20
TRUTH = np.array([1.0, 1.0, -0.5, 0.5, 0.0])
NAMES = ["x1", "x2", "x3", "x4", "y"]


def simulated(seed: int, mechanism: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A table, and the same with cells hidden."""
    rng = np.random.default_rng(seed)
    x = rng.multivariate_normal(np.zeros(4), 0.5 + 0.5 * np.eye(4), ROWS)
    y = np.c_[np.ones(ROWS), x] @ TRUTH + rng.normal(size=ROWS)
    table = pd.DataFrame(np.c_[x, y], columns=NAMES)
    return table, az.simulate_missing(table, mechanism, MISSING, columns=["x1", "x2"], random_state=seed)


def regression(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients of least squares, and their variances."""
    a = np.c_[np.ones(len(table)), table[NAMES[:4]].to_numpy()]
    inverse = np.linalg.inv(a.T @ a)
    beta = inverse @ a.T @ table["y"].to_numpy()
    left = table["y"].to_numpy() - a @ beta
    return beta, np.diag(inverse) * (left @ left) / (len(a) - a.shape[1])


def interval(table: pd.DataFrame) -> np.ndarray:
    """Low end, estimate, high end, from one table."""
    beta, variance = regression(table)
    half = t.ppf(0.975, len(table) - 5) * np.sqrt(variance)
    return np.array([beta - half, beta, beta + half])


def pooled(tables: list[pd.DataFrame]) -> np.ndarray:
    found = az.pool(*zip(*map(regression, tables), strict=True), dof_complete=ROWS - 5)
    return np.array([found.low, found.estimate, found.high])


def contestants(whole: pd.DataFrame, holed: pd.DataFrame, seed: int) -> dict[str, np.ndarray]:
    """Intervals of each; seconds go to standard error at the end."""
    found = {"before": interval(whole), "cases": interval(holed.dropna())}
    begun = time.perf_counter()
    imputer = az.Imputer(random_state=seed).fit(holed)
    tables = imputer.impute(holed, m=M)
    found |= {"ours": pooled(tables), "one draw": interval(tables[0]), "filled": interval(imputer.transform(holed))}
    SECONDS["ours"].append(time.perf_counter() - begun)
    begun = time.perf_counter()
    drawn = [
        pd.DataFrame(
            IterativeImputer(sample_posterior=True, random_state=M * seed + k).fit_transform(holed), columns=NAMES
        )
        for k in range(M)
    ]
    SECONDS["sklearn"].append(time.perf_counter() - begun)
    plain = pd.DataFrame(IterativeImputer(random_state=seed).fit_transform(holed), columns=NAMES)
    return {**found, "sklearn": pooled(drawn), "filled sk": interval(plain)}


SECONDS: dict[str, list[float]] = {"ours": [], "sklearn": []}


def part(mechanism: str, simulations: int, first: int = 0) -> None:
    """Print the table of a mechanism."""
    runs = [contestants(*simulated(seed, mechanism), seed) for seed in range(first, first + simulations)]
    all_of = {name: np.stack([run[name] for run in runs]) for name in runs[0]}  # (simulations, 3, coefficients)
    width = {name: (ends[:, 2] - ends[:, 0]).mean(0) for name, ends in all_of.items()}
    print(f"\n{mechanism}: {simulations} simulations, coverage in % | width | bias in %, of x1, x2, x3")
    for name, ends in all_of.items():
        covers = 100 * ((ends[:, 0] <= TRUTH) & (ends[:, 2] >= TRUTH)).mean(0)[1:4]
        bias = 100 * (ends[:, 1].mean(0) - TRUTH)[1:4] / np.abs(TRUTH[1:4])
        wide = (width[name] / width["before"])[1:4]
        shown = (" ".join(f"{value:6.2f}" for value in values) for values in (covers, wide, bias))
        print(f"{name:10} {' | '.join(shown)}", flush=True)
    print(" ".join(f"{name}: {np.mean(seconds):.2f} s" for name, seconds in SECONDS.items()), "a simulation")


def coverage(simulations: int = 200) -> None:
    """Both mechanisms."""
    warnings.filterwarnings("ignore")
    for mechanism in ("mcar", "mar"):
        part(mechanism, simulations)


if __name__ == "__main__":
    coverage(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
