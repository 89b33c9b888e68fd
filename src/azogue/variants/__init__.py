"""Variants: presets over the four axes. Scalars in, a choice on each axis out; no variant has a loop of its own."""

from azogue.variants.denoising import DenoisingAutoencoder
from azogue.variants.regularized import KSparseAutoencoder, SparseAutoencoder
from azogue.variants.robust import RobustAutoencoder

__all__ = ["DenoisingAutoencoder", "KSparseAutoencoder", "RobustAutoencoder", "SparseAutoencoder"]
