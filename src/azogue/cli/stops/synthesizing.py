"""The stop on new rows: patients who were never there, beside those who were."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from azogue.applications import Synthesizer
from azogue.cli.stops.shared import Stop, picture
from azogue.plots import new_axes

#: The columns of the picture.
SHOWN = ("s1", "s2")


def synthesise(folder: Path) -> Stop:
    """Synthesise: new patients like the old ones, told from them by a classifier, and patients as asked for."""
    from sklearn.datasets import load_diabetes

    raw = load_diabetes(scaled=False)
    names = [*map(str, raw.feature_names), "progression"]
    X = np.column_stack([raw.data, raw.target])
    order = np.random.default_rng(0).permutation(len(X))
    train, other = X[order[: len(X) // 2]], X[order[len(X) // 2 :]]
    model = Synthesizer(random_state=0).fit(train)
    drawn = model.sample(len(other))
    alone = np.column_stack([np.random.default_rng(at).permutation(column) for at, column in enumerate(train.T)])
    at = names.index("bmi")
    asked = model.sample(len(other), where={at: ">=30"})
    heavy = float((X[X[:, at] >= 30][:, -1]).mean())
    return {
        "use": "8 synthesise",
        "data": f"diabetes, {X.shape[1]} columns",
        "measure": "AUC of telling them from real ones (.5 is best)",
        "ours": round(told(drawn, other), 3),
        "peer": "columns drawn alone",
        "theirs": round(told(alone, other), 3),
        "text": f"A network that saw {len(train)} patients with cells hidden says how probable each value of a cell "
        "is, given the others; new patients are drawn cell by cell. A random forest is asked which patients are new "
        f"and which are real ones that nobody learned from. Rows can be asked for: {len(asked)} were drawn with a body "
        f"mass index of 30 or more, the least is {asked[:, at].min():.1f}; their disease went on by "
        f"{asked[:, -1].mean():.0f}, that of real patients with such an index by {heavy:.0f}, that of all by "
        f"{X[:, -1].mean():.0f}.",
        "images": [("Real patients and drawn ones", picture(_pairs(other, drawn, names), folder, "patients.png"))],
    }


def told(drawn: np.ndarray, real: np.ndarray) -> float:
    """The AUC of a random forest that tells drawn rows from real ones, on rows that it was not fitted on."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import cross_val_predict

    y = np.repeat([0, 1], [len(drawn), len(real)])
    model = RandomForestClassifier(200, random_state=0)
    found = cross_val_predict(model, np.concatenate([drawn, real]), y, cv=5, method="predict_proba")
    return float(roc_auc_score(y, found[:, 1]))


def _pairs(real: np.ndarray, drawn: np.ndarray, names: list[str]) -> Any:
    axis = new_axes(5.0, 4.0)
    a, b = (names.index(name) for name in SHOWN)
    for rows, label in ((real, "real"), (drawn, "drawn")):
        axis.scatter(rows[:, a], rows[:, b], s=10, alpha=0.5, label=label)
    axis.set(xlabel=SHOWN[0], ylabel=SHOWN[1])
    axis.legend()
    return axis
