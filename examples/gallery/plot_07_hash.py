"""
Hash: digits found again by 32 bits each
========================================

Random hyperplanes (locality-sensitive hashing) and rotated principal components (iterative quantisation, ITQ) cut rows
into bits; a semantic hasher learns bits that agree where pictures are near. Nobody says which digit is which: the
labels only tell how many of the 20 rows that are found show the same digit.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

import azogue as az

BITS, KNOWN, NEAR = 32, 400, 20
X, y = (part[:800] for part in load_digits(return_X_y=True))
known, asked = X[:KNOWN], X[KNOWN:]


def itq(rows, bits, rounds=50):
    """Gong and Lazebnik (2011): principal components, rotated so that their signs lose little."""
    pca = PCA(bits, random_state=0).fit(rows)
    codes = pca.transform(rows)
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(bits, bits)))[0]
    for _ in range(rounds):
        u, _, v = np.linalg.svd(np.sign(codes @ rotation).T @ codes)
        rotation = (u @ v).T
    return lambda rows: pca.transform(rows) @ rotation > 0


# %%
directions = np.random.default_rng(0).normal(size=(X.shape[1], BITS))
hasher = az.SemanticHasher(BITS, random_state=0).fit(known.reshape(-1, 8, 8))
methods = {
    "random hyperplanes": lambda rows: (rows - known.mean(axis=0)) @ directions > 0,
    "ITQ": itq(known, BITS),
    "SemanticHasher": lambda rows: np.unpackbits(hasher.transform(rows.reshape(-1, 8, 8)), axis=1).astype(bool),
}
figures, found = {}, {}
for name, bits in methods.items():
    stored = bits(known)
    far = np.stack([(stored != query).sum(axis=1) for query in bits(asked)])
    found[name] = np.argsort(far, axis=1, kind="stable")[:, :NEAR]
    figures[name] = float((y[found[name]] == y[KNOWN:, None]).mean())
    print(f"{name:20} {figures[name]:.1%} of {NEAR} show the same digit")

# %%
# Unseen digits (left), and those whose bits differ least, from 400:
figure, axes = plt.subplots(5, 12, figsize=(9, 3.9), layout="constrained")
for at, line in enumerate(axes):
    for axis, picture in zip(line, [asked[at], *known[found["SemanticHasher"][at, :11]]], strict=True):
        axis.imshow(picture.reshape(8, 8), cmap="gray_r")
        axis.set(xticks=[], yticks=[])
    for spine in line[0].spines.values():
        spine.set(color="C1", linewidth=2)
plt.show()

# %%
# :doc:`../hashing` has texts and photographs, and an index of millions of codes.
