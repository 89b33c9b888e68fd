"""
Detect: malignant samples among benign ones
===========================================

A detector that has seen benign samples alone scores others; an isolation forest, a local outlier factor and a
one-class support vector machine do the same. The area under the ROC curve is the chance that a malignant sample scores
higher than a benign one.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

import azogue as az

X, benign = load_breast_cancer(return_X_y=True, as_frame=True)
order = np.argsort(benign == 0, kind="stable")  # benign ones first
train, test = X.iloc[order[:250]], X.iloc[order[250:]].reset_index(drop=True)
malignant = (benign.iloc[order[250:]] == 0).to_numpy()

# %%
# `novelty=True` says that the rows to learn from are all usual ones.
detector = az.AnomalyDetector(novelty=True, parts=("errors",), random_state=0).fit(train)
scores = detector.anomaly_score(test)
figures = {"AnomalyDetector": roc_auc_score(malignant, scores)}
for name, other in {
    "IsolationForest": IsolationForest(random_state=0),
    "LocalOutlierFactor": LocalOutlierFactor(novelty=True),
    "OneClassSVM": OneClassSVM(),
}.items():
    model = make_pipeline(StandardScaler(), other).fit(train)
    figures[name] = roc_auc_score(malignant, -model.score_samples(test))
for name, value in figures.items():
    print(f"{name:20} {value:.3f}")

# %%
# The detector also says why: the columns that add most to the score of the least usual row, and what it expected there.
worst = int(scores.argmax())
reasons = detector.explain(test.iloc[[worst]]).iloc[0].nlargest(6)
expected = detector.expected(test.iloc[[worst]]).iloc[0]
for name in reasons.index[:3]:
    print(f"{name}: {test.loc[worst, name]:.4g}, expected {expected[name]:.4g}")

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.1), layout="constrained")
bins = np.geomspace(scores.min(), scores.max(), 40)
left.hist([scores[~malignant], scores[malignant]], bins=bins, stacked=True, label=["benign", "malignant"])
left.axvline(-detector.offset_, color="k", linestyle=":", label="threshold")
left.set(xscale="log", xlabel="anomaly score", ylabel="unseen rows")
left.legend()
right.barh(reasons.index[::-1], reasons.to_numpy()[::-1])
right.set(xlabel="part of the score", title="Why the least usual row is unusual")
plt.show()

# %%
# :doc:`../anomalies` has 21 and more tables, where it does not always win.
