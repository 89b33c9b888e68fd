"""
Anonymise: patients whose sex is harder to tell
===============================================

Leaving the column out does not hide it: others tell it. Noise on all columns hides it, and what the table is for with
it. The anonymizer moves each row to where it would be if its sex were drawn by lot; it is told what is to stay of use.
All of them are *pseudonymised*: a row still belongs to one patient.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import azogue as az

people = load_diabetes(as_frame=True, scaled=False).frame
sex, progress = (people["sex"] == 2).to_numpy(), people["target"].to_numpy()
ATTACKS = [RandomForestClassifier(60, random_state=0), make_pipeline(StandardScaler(), LogisticRegression())]


def told(table):
    """The AUC of the better attack on the true sex from other columns, and R² of how the disease goes on."""
    rest = table.drop(columns=["sex", "target"])
    tries = [cross_val_predict(attack, rest, sex, cv=5, method="predict_proba")[:, 1] for attack in ATTACKS]
    line = make_pipeline(StandardScaler(), Ridge(1.0))
    found = max(roc_auc_score(sex, chances) for chances in tries)
    return found, r2_score(progress, cross_val_predict(line, rest, progress, cv=5))


# %%
# Noise in standard deviations of each column, and the anonymizer:
rng, figures = np.random.default_rng(0), {}
for size in (0.0, 0.5, 1.0, 2.0, 3.0):
    noisy = people + size * people.std().to_numpy() * rng.normal(size=people.shape)
    figures[f"noise {size}" if size else "column left out"] = told(noisy)
released = az.Anonymizer(sensitive="sex", utility="target", random_state=0).fit_transform(people)
figures["Anonymizer"] = told(released)
for name, (found, use) in figures.items():
    print(f"{name:16} sex {found:.2f}, progress of the disease {use:.2f}")

# %%
# The more to the left the better hidden, the higher the more useful.
figure, axis = plt.subplots(figsize=(6, 3.3), layout="constrained")
*noises, ours = figures.values()
axis.plot(*np.transpose(noises), "o-", label="noise on all columns")
for name, (found, use) in list(figures.items())[:-1]:
    axis.annotate(name.replace("noise ", ""), (found, use), xytext=(4, -10), textcoords="offset points", fontsize=8)
axis.plot(*ours, "s", ms=9, color="C1", label="Anonymizer")
axis.axvline(0.5, color="k", linestyle=":", label="by lot")
axis.set(xlabel="sex told from the other columns, AUC", ylabel="disease told, R²")
axis.legend()
plt.show()

# %%
# :doc:`../anonymization` has other data and the attacks that `audit` makes.
