"""
Synthesise: patients who were never there
=========================================

A synthesizer learns how probable each cell is, given the others, and draws rows cell by cell. Beside it: each column
drawn alone, and a Gaussian copula, which keeps the columns and their rank correlations. A classifier tries to tell
drawn rows from real ones that nobody learned from: .5 says that it cannot.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import norm, rankdata
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict

import azogue as az

people = load_diabetes(as_frame=True, scaled=False).frame
train, other = people.sample(frac=0.5, random_state=0), people.drop(people.sample(frac=0.5, random_state=0).index)


def copula(rows, count, rng):
    """Normal scores of the ranks, their correlations, and the way back by quantiles."""
    scores = norm.ppf(rankdata(rows, axis=0) / (len(rows) + 1))
    drawn = norm.cdf(rng.multivariate_normal(np.zeros(rows.shape[1]), np.corrcoef(scores.T), count))
    return np.column_stack([np.quantile(col, at, method="nearest") for col, at in zip(rows.T, drawn.T, strict=True)])


# %%
rng = np.random.default_rng(0)
model = az.Synthesizer(random_state=0).fit(train)
drawn = {
    "columns alone": np.column_stack([rng.permutation(column) for column in train.to_numpy().T]),
    "Gaussian copula": copula(train.to_numpy(), len(other), rng),
    "Synthesizer": model.sample(len(other)).to_numpy(),
}
figures = {}
for name, rows in drawn.items():
    both, truth = np.concatenate([rows, other]), np.repeat([0, 1], [len(rows), len(other)])
    forest = RandomForestClassifier(100, random_state=0)
    chance = cross_val_predict(forest, both, truth, cv=5, method="predict_proba")[:, 1]
    figures[name] = roc_auc_score(truth, chance)
    print(f"{name:16} told from real rows with AUC {figures[name]:.2f}")

# %%
# Few rows whose columns depend on one another much as normal ones do are what a copula is made for: it is ahead here.
# Rows of a synthesizer can be asked for, and categories, gaps and bends are no obstacle (:doc:`../synthesis`).
heavy = model.sample(300, where={"bmi": ">=30"})
print(f"body mass index at least {heavy['bmi'].min():.1f}, progress {heavy['target'].mean():.0f}")
print(f"of real patients with such an index {people.loc[people['bmi'] >= 30, 'target'].mean():.0f}")

# %%
figure, axes = plt.subplots(1, 4, figsize=(9, 2.8), layout="constrained", sharex=True, sharey=True)
s1, s2 = (people.columns.get_loc(name) for name in ("s1", "s2"))
for axis, (name, rows) in zip(axes, {"real": other.to_numpy(), **drawn}.items(), strict=True):
    axis.scatter(rows[:, s1], rows[:, s2], s=6, alpha=0.6, color="C0" if name == "real" else "C1")
    axis.set(title=f"{name}\nAUC {figures[name]:.2f}" if name in figures else f"{name}\n", xlabel="s1")
axes[0].set_ylabel("s2")
plt.show()

# %%
# :doc:`../standings` has larger tables, where it is the other way round.
