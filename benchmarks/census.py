"""Adult, the census table of the data folder, as several scripts read it; not run by itself."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

DATA = Path(os.environ.get("AZOGUE_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
COLUMNS = [
    *("age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation", "relationship"),
    *("race", "sex", "capital-gain", "capital-loss", "hours-per-week", "native-country", "income"),
]


def incomes() -> tuple[pd.DataFrame, pd.DataFrame]:
    """The official training and test rows; `?` is a category, and incomes are written alike in both."""
    found = []
    for name in ("train", "test"):
        path = DATA / "tables" / f"adult-{name}.csv.gz"
        frame = pd.read_csv(path, header=None, names=COLUMNS, skipinitialspace=True)
        frame["income"] = frame["income"].str.rstrip(".")
        found.append(frame)
    return found[0], found[1]
