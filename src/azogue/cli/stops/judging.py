"""The stop on anomalies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from azogue.applications import AnomalyDetector
from azogue.cli.stops.shared import Stop, picture
from azogue.plots import new_axes


def detect(folder: Path) -> Stop:
    """Detect: malignant samples among benign ones, seen benign ones only."""
    from sklearn.datasets import load_breast_cancer
    from sklearn.ensemble import IsolationForest
    from sklearn.metrics import roc_auc_score

    data = load_breast_cancer()
    X, benign = data.data, data.target == 1
    order = np.argsort(~benign, kind="stable")  # the benign ones first
    train, test = X[order[:250]], X[order[250:]]
    truth = ~benign[order[250:]]
    names = [str(name) for name in data.feature_names]
    detector = AnomalyDetector(novelty=True, parts=("errors",), random_state=0)
    detector.fit(pa.table(dict(zip(names, train.T, strict=True))))
    forest = IsolationForest(random_state=0).fit(train)
    rows = pa.table(dict(zip(names, test.T, strict=True)))
    scores = detector.anomaly_score(rows)
    ax = new_axes()
    bins = np.geomspace(scores.min(), scores.max(), 40)
    ax.hist([scores[~truth], scores[truth]], bins=bins.tolist(), stacked=True, label=["benign", "malignant"])
    ax.axvline(-detector.offset_, color="k", linestyle=":", label="threshold")
    ax.set(xscale="log", xlabel="anomaly score", ylabel="rows")
    ax.legend()
    odd = rows.slice(int(scores.argmax()), 1)
    reasons = detector.explain(odd).to_pylist()[0]
    worst = sorted(reasons.items(), key=lambda pair: pair[1])[-8:]
    name = worst[-1][0]
    value, expected = (part.to_pylist()[0][name] for part in (odd, detector.expected(odd)))
    bars = new_axes(6.0, 3.5)
    bars.barh([name for name, _ in worst], [part for _, part in worst])
    bars.set(xlabel="part of the score")
    return {
        "use": "2 detect",
        "data": "breast cancer, 30 columns",
        "measure": "AUROC",
        "ours": round(float(roc_auc_score(truth, scores)), 3),
        "peer": "IsolationForest",
        "theirs": round(float(roc_auc_score(truth, -forest.score_samples(test))), 3),
        "text": f"Trained on 250 benign samples, {len(detector.members_)} small networks reproduce malignant ones "
        f"badly, and say in which column. In the least usual row it is {name}: {value:.4g}, where they expect "
        f"{expected:.4g} from the other columns.",
        "images": [
            ("Scores of unseen rows", picture(ax, folder, "scores.png")),
            ("Why the least usual row is unusual", picture(bars, folder, "reasons.png")),
        ],
    }
