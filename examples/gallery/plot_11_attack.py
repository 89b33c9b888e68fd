"""
What a code gives away
======================

A code of 32 numbers shows nothing of a digit to the eye, and without the decoder nobody can turn it back, one might
think. Who knows some pictures *and* their codes can: a ridge regression from codes to pixels is enough. So a code is
pseudonymised data, and no secret.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score

import azogue as az

X = load_digits().data
codes = az.Autoencoder((32,), scaling="minmax", random_state=0).fit(X).encode(X)

# %%
# The attacker knows pairs, and never sees the network.
order = np.random.default_rng(0).permutation(len(X))
others = order[400:]
figures = {}
for known in (10, 25, 50, 100, 200, 400):
    pairs = order[:known]
    back = Ridge(0.1).fit(codes[pairs], X[pairs]).predict(codes[others])
    figures[known] = r2_score(X[others], back, multioutput="variance_weighted")
    print(f"{known:4} known pairs: R² {figures[known]:.2f} of {len(others):,} other digits")
    if known == 200:
        recovered = back

# %%
# Without pairs there is the mean of the pictures, with R² 0. Digits, their codes, and what 200 pairs recover:
figure, axes = plt.subplots(3, 12, figsize=(9, 2.6), layout="constrained")
rows = {"digit": X[others].reshape(-1, 8, 8), "code": codes[others].reshape(-1, 4, 8), "recovered": recovered}
for line, (name, pictures) in zip(axes, rows.items(), strict=True):
    for axis, picture in zip(line, pictures, strict=False):
        axis.imshow(picture.reshape(-1, 8), cmap="viridis" if name == "code" else "gray_r")
        axis.set(xticks=[], yticks=[])
    line[0].set_ylabel(name, rotation=0, ha="right", va="center")
plt.show()

# %%
# The same as a report with intervals, other attacks and a control:
report = az.privacy.audit(X[:800], codes[:800], known=200)
print(report.headline)

# %%
# :doc:`../cryptography` and :doc:`../privacy` have what follows from it; confidentiality is what age is for
# (:ref:`sphx_glr_gallery_plot_06_encrypt.py`).
