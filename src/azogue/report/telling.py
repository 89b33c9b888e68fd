"""The section on nearest neighbours in the code: who votes, and what they tell of the rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from azogue.applications import AEkNNClassifier, AEkNNRegressor
from azogue.report.looking import MAX_ROWS

Section = dict[str, Any]


def telling_section(model: Any, X: Any) -> Section | None:
    """What is predicted of the rows, and how unanimously."""
    if not isinstance(model, (AEkNNClassifier, AEkNNRegressor)):
        return None
    facts = {
        "neighbours that vote": model.n_neighbors,
        "training rows": len(model.codes_),
        "labels shape the code": model.supervision_,
    }
    if isinstance(model, AEkNNRegressor):
        told = model.predict(X)
        names = ("lowest", "10 %", "half", "90 %", "highest")
        quantiles = np.quantile(told, [0, 0.1, 0.5, 0.9, 1])
        rows = [[name, float(value)] for name, value in zip(names, quantiles, strict=True)]
        return _section("What is told of the rows, from the lowest to the highest.", facts, ["below", "value"], rows)
    shares = model.predict_proba(X)
    found = shares.argmax(axis=1)
    facts["rows whose neighbours agree"] = f"{np.mean(shares.max(axis=1) == 1.0):.1%}"
    counts = np.bincount(found, minlength=len(model.classes_))
    order = np.argsort(-counts, kind="stable")[:MAX_ROWS]
    rows = [[str(model.classes_[at]), int(counts[at]), _sure(shares[found == at, at])] for at in order]
    text = "How many rows are told to be of each class, and the mean share of their neighbours' votes."
    return _section(text, facts, ["class", "rows", "share of the votes"], rows)


def _sure(shares: np.ndarray) -> str:
    return f"{shares.mean():.0%}" if len(shares) else ""


def _section(text: str, facts: dict[str, Any], columns: list[str], rows: list[list[Any]]) -> Section:
    return {"title": "Neighbours", "text": text, "facts": facts, "table": {"columns": columns, "rows": rows}}
