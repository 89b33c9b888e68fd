"""The step of a stack of dense layers as one compiled function: products by BLAS, everything between them fused.

The derivation is that of `training.layerwise`, and so is the order in memory: features by rows, `[W | b]ᵀ` before a
row of ones. What differs is that an activation leaves its derivative φ′ where its input was, so that the way back is
one product of arrays, whatever the activation. Parts of a recipe give the numbers of their formulas (`formulas`); the
tests hold each one against torch's. A member's numbers are those that it has alone, since members are moved one after
the other.

The modules here need numba, the extra `speed`; nothing imports them but `training.native`, when they are wanted.
"""
