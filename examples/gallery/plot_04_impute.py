"""
Impute: a fifth of the cells is gone
====================================

Cells of two tables are hidden at random and filled again. The error is the root of the mean squared error, in standard
deviations of the columns: 1 is what the mean of each column has.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import azogue as az

warnings.simplefilter("ignore", ConvergenceWarning)
METHODS = {
    "mean": lambda: SimpleImputer(),
    "KNNImputer": lambda: KNNImputer(n_neighbors=10),
    "IterativeImputer": lambda: IterativeImputer(random_state=0),
    "Imputer": lambda: az.Imputer(random_state=0),
}

# %%
# scikit-learn's imputers get standardised columns; ours takes the table as it is.
figures, shown = {}, {}
for table, load in {"wine": load_wine, "diabetes": load_diabetes}.items():
    whole = load(as_frame=True).data
    holed = az.simulate_missing(whole, p=0.2, random_state=0)
    holes, spread = holed.isna().to_numpy(), whole.std().to_numpy()
    for name, make in METHODS.items():
        scaler = StandardScaler().set_output(transform="pandas").fit(holed)
        if name == "Imputer":
            filled = make().fit_transform(holed).to_numpy()
        else:
            filled = scaler.inverse_transform(make_pipeline(make()).fit_transform(scaler.transform(holed)))
        truth, told = (np.asarray(rows / spread)[holes] for rows in (whole.to_numpy(), filled))
        figures[table, name] = float(np.sqrt(np.mean(np.square(told - truth))))
        middle = np.broadcast_to(whole.mean().to_numpy() / spread, holes.shape)[holes]
        shown[table, name] = truth - middle, told - middle
        print(f"{table:9} {name:17} {figures[table, name]:.3f}")

# %%
# On wine, neighbours and ours are level. The columns of the diabetes table depend on one another by straight lines, as
# linear regressions in turn (`IterativeImputer`) take them to; ours is behind there. Hidden cells, and what they were
# filled with:
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.3), layout="constrained")
for table, color in (("wine", "C0"), ("diabetes", "C1")):
    values = [figures[table, name] for name in METHODS]
    left.barh(np.arange(len(METHODS)) + (0.2 if table == "wine" else -0.2), values, 0.38, color=color, label=table)
left.set(yticks=range(len(METHODS)), yticklabels=METHODS, xlabel="error of hidden cells", xlim=(0, 1.45))
left.legend(loc="center right")
right.scatter(*shown["wine", "Imputer"], s=8, alpha=0.6)
right.axline((0, 0), slope=1, color="k", linestyle=":")
right.set(xlabel="hidden, in standard deviations", ylabel="filled", title="Imputer on wine", aspect="equal")
plt.show()

# %%
# :doc:`../imputation` has tables with categories, several draws of each cell, and how sure they are.
