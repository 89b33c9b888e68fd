"""Azogue: the autoencoder toolkit. A network that learns to reflect its input, and what such a reflection is good for.

Names are loaded when they are first used, so that `import azogue` costs nothing and does not import torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

#: public name → module that defines it
_HOMES = {
    "Autoencoder": "azogue.autoencoder",
    "AdversarialAutoencoder": "azogue.variants",
    "BinaryAutoencoder": "azogue.variants",
    "ContractiveAutoencoder": "azogue.variants",
    "DenoisingAutoencoder": "azogue.variants",
    "FiniteScalarAutoencoder": "azogue.variants",
    "HypersphericalAutoencoder": "azogue.variants",
    "StackedAutoencoder": "azogue.variants",
    "VariationalAutoencoder": "azogue.variants",
    "VectorQuantizedAutoencoder": "azogue.variants",
    "WassersteinAutoencoder": "azogue.variants",
    "KSparseAutoencoder": "azogue.variants",
    "MapAutoencoder": "azogue.variants",
    "PrincipalAutoencoder": "azogue.variants",
    "RobustAutoencoder": "azogue.variants",
    "SparseAutoencoder": "azogue.variants",
    "AEkNNClassifier": "azogue.applications",
    "AEkNNRegressor": "azogue.applications",
    "AnomalyDetector": "azogue.applications",
    "Imputer": "azogue.applications",
    "Anonymizer": "azogue.applications",
    "Denoiser": "azogue.applications",
    "Cipher": "azogue.applications",
    "NeuralCipher": "azogue.applications",
    "SemanticHasher": "azogue.applications",
    "HammingIndex": "azogue.hamming",
    "Synthesizer": "azogue.applications",
    "Axes": "azogue.session",
    "Dataset": "azogue.modalities.dataset",
    "DatasetError": "azogue.modalities.parts",
    "ArchitectureSearch": "azogue.search",
    "autoencode": "azogue.shortcuts",
    "fit_together": "azogue.populations",
    "choose_code_size": "azogue.reduction",
    "continuity": "azogue.reduction",
    "trustworthiness": "azogue.reduction",
    "load": "azogue.shortcuts",
    "pool": "azogue.pooling",
    "simulate_missing": "azogue.missingness",
    "evaluate_synthetic": "azogue.synthetic",
    "SyntheticReport": "azogue.synthetic",
    "check_autoencoder": "azogue.contract",
    "ModelFileError": "azogue.files",
    "CipherError": "azogue.keys",
    "Privacy": "azogue.private",
    "Checkpoint": "azogue.training.checkpoint",
    "TrainingWarning": "azogue.training.loop",
    "Input": "azogue.layers",
    "Dense": "azogue.layers",
    "Dropout": "azogue.layers",
    "LayerNorm": "azogue.layers",
    "Residual": "azogue.layers",
    "BatchNorm": "azogue.layers",
    "Bottleneck": "azogue.layers",
    "Output": "azogue.layers",
    "Conv": "azogue.layers",
    "ConvTranspose": "azogue.layers",
    "Pool": "azogue.layers",
    "Upsample": "azogue.layers",
    "Recurrent": "azogue.layers",
    "Repeat": "azogue.layers",
    "Flatten": "azogue.layers",
    "Restore": "azogue.layers",
    "Sparsity": "azogue.objectives",
    "L1": "azogue.objectives",
    "WeightDecay": "azogue.objectives",
}
_MODULES = (
    "callbacks",
    "codes",
    "corruptions",
    "distributed",
    "layers",
    "modalities",
    "objectives",
    "optimizers",
    "plots",
    "priors",
    "privacy",
    "report",
)

__all__ = sorted([*_HOMES, *_MODULES, "__version__"])

if TYPE_CHECKING:
    from azogue import (
        callbacks,
        codes,
        corruptions,
        distributed,
        layers,
        modalities,
        objectives,
        optimizers,
        plots,
        priors,
        privacy,
        report,
    )
    from azogue.applications import (
        AEkNNClassifier,
        AEkNNRegressor,
        AnomalyDetector,
        Anonymizer,
        Cipher,
        Denoiser,
        Imputer,
        NeuralCipher,
        SemanticHasher,
        Synthesizer,
    )
    from azogue.autoencoder import Autoencoder
    from azogue.contract import check_autoencoder
    from azogue.files import ModelFileError
    from azogue.hamming import HammingIndex
    from azogue.keys import CipherError
    from azogue.layers import (
        BatchNorm,
        Bottleneck,
        Conv,
        ConvTranspose,
        Dense,
        Dropout,
        Flatten,
        Input,
        LayerNorm,
        Output,
        Pool,
        Recurrent,
        Repeat,
        Residual,
        Restore,
        Upsample,
    )
    from azogue.missingness import simulate_missing
    from azogue.modalities.dataset import Dataset
    from azogue.modalities.parts import DatasetError
    from azogue.objectives import L1, Sparsity, WeightDecay
    from azogue.pooling import pool
    from azogue.populations import fit_together
    from azogue.private import Privacy
    from azogue.reduction import choose_code_size, continuity, trustworthiness
    from azogue.search import ArchitectureSearch
    from azogue.session import Axes
    from azogue.shortcuts import autoencode, load
    from azogue.synthetic import SyntheticReport, evaluate_synthetic
    from azogue.training.checkpoint import Checkpoint
    from azogue.training.loop import TrainingWarning
    from azogue.variants import (
        AdversarialAutoencoder,
        BinaryAutoencoder,
        ContractiveAutoencoder,
        DenoisingAutoencoder,
        FiniteScalarAutoencoder,
        HypersphericalAutoencoder,
        KSparseAutoencoder,
        MapAutoencoder,
        PrincipalAutoencoder,
        RobustAutoencoder,
        SparseAutoencoder,
        StackedAutoencoder,
        VariationalAutoencoder,
        VectorQuantizedAutoencoder,
        WassersteinAutoencoder,
    )


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in _MODULES:
        return import_module(f"azogue.{name}")
    raise AttributeError(f"module 'azogue' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
