"""Variants: presets over the four axes. Scalars in, a choice on each axis out; no variant has a loop of its own."""

from azogue.variants.adversarial import AdversarialAutoencoder, WassersteinAutoencoder
from azogue.variants.denoising import DenoisingAutoencoder
from azogue.variants.discrete import BinaryAutoencoder, FiniteScalarAutoencoder, VectorQuantizedAutoencoder
from azogue.variants.mapping import MapAutoencoder
from azogue.variants.principal import PrincipalAutoencoder
from azogue.variants.regularized import ContractiveAutoencoder, KSparseAutoencoder, SparseAutoencoder
from azogue.variants.robust import RobustAutoencoder
from azogue.variants.stacked import StackedAutoencoder
from azogue.variants.variational import HypersphericalAutoencoder, VariationalAutoencoder

__all__ = [
    "AdversarialAutoencoder",
    "BinaryAutoencoder",
    "ContractiveAutoencoder",
    "DenoisingAutoencoder",
    "FiniteScalarAutoencoder",
    "HypersphericalAutoencoder",
    "KSparseAutoencoder",
    "MapAutoencoder",
    "PrincipalAutoencoder",
    "RobustAutoencoder",
    "SparseAutoencoder",
    "StackedAutoencoder",
    "VariationalAutoencoder",
    "VectorQuantizedAutoencoder",
    "WassersteinAutoencoder",
]
