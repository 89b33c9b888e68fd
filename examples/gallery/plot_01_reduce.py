"""
Reduce: a map of handwritten digits
===================================

Digits of 64 pixels become two numbers each, once by principal components, once by an autoencoder. A classifier that
sees the two numbers alone tells how much of the digits they keep.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

import azogue as az

X, y = load_digits(return_X_y=True)
train, test, y_train, y_test = train_test_split(X, y, test_size=0.3, random_state=0, stratify=y)

# %%
# Both have `fit` and `transform`, and neither sees which digit is which.
reducers = {
    "PCA": PCA(2, random_state=0),
    "Autoencoder": az.Autoencoder(2, scaling="none", random_state=0),
}
maps, figures = {}, {}
for name, reducer in reducers.items():
    codes = reducer.fit(train).transform(train)
    maps[name] = reducer.transform(test)
    figures[name] = KNeighborsClassifier(5).fit(codes, y_train).score(maps[name], y_test)
    print(f"{name:12} five neighbours on the map are right for {figures[name]:.1%} of unseen digits")

# %%
# The maps of the digits that nobody trained on:
figure, axes = plt.subplots(1, 2, figsize=(7, 3.3), layout="constrained")
for axis, (name, codes) in zip(axes, maps.items(), strict=True):
    axis.scatter(*codes.T, c=y_test, cmap="tab10", s=6)
    axis.set(title=f"{name}: {figures[name]:.0%}", xticks=[], yticks=[])
plt.show()

# %%
# :doc:`../maps` has maps that keep neighbours together (`MapAutoencoder`), with UMAP and t-SNE beside them.
