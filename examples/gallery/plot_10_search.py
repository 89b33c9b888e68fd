"""
Search: which network suits the data
====================================

Differential evolution breeds autoencoders and judges each on rows that it was not trained on; the winner is judged on
rows that none of them saw. Beside it: the network that Azogue takes by default, and principal components with a code of
the same size.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

import azogue as az

X = load_digits().data[:600] / 16
base = az.Autoencoder(epochs=30, scaling="none", batch_size=32)
space = {"code": (4, 16), "units": (0.5, 2.0), "kind": ("basic", "denoising", "robust"), "normalization": (None,)}
search = az.ArchitectureSearch("de", budget=16, autoencoder=base, space=space, random_state=0).fit(X)
winner = search.best_estimator_
print(search.best_params_)

# %%
# Errors of unseen rows, as a part of their variance. Sixteen candidates, each judged after a glance, find a network
# that beats the components and the default of the same code:
unseen, seen = X[search.test_rows_], np.delete(X, search.test_rows_, axis=0)
pca = PCA(winner.code_size_, random_state=0).fit(seen)
usual = az.Autoencoder(winner.code_size_, scaling="none", batch_size=32, epochs=30, random_state=0).fit(seen)
made = {"PCA": pca.inverse_transform(pca.transform(unseen)), "default": usual.reconstruct(unseen)}
variance = np.square(unseen - seen.mean(axis=0)).sum()
figures = {name: float(np.square(unseen - rows).sum() / variance) for name, rows in made.items()}
figures["search"] = float(search.test_error_)
for name, value in figures.items():
    print(f"{name:8} {value:.3f}")

# %%
# Errors of the candidates in the order in which they were bred, on rows that select among them:
figure, axis = plt.subplots(figsize=(6, 3.1), layout="constrained")
errors = np.asarray(search.results_["error"], float)
axis.plot(np.arange(1, len(errors) + 1), errors, "o", alpha=0.6, label="candidate")
axis.step(np.arange(1, len(errors) + 1), np.fmin.accumulate(errors), where="post", color="C1", label="best so far")
axis.set(xlabel="candidate", ylabel="error")
axis.legend()
plt.show()

# %%
# :doc:`../search` has other strategies and data, and where the default is not beaten.
