"""Applications: thin estimators that own an autoencoder and use its public methods only."""

from azogue.applications.anomaly import AnomalyDetector
from azogue.applications.anonymization import Anonymizer
from azogue.applications.cryptography import Cipher
from azogue.applications.denoising import Denoiser
from azogue.applications.hashing import SemanticHasher
from azogue.applications.imputation import Imputer
from azogue.applications.neighbors import AEkNNClassifier, AEkNNRegressor
from azogue.applications.neural_cipher import NeuralCipher
from azogue.applications.synthesis import Synthesizer

__all__ = [
    "AEkNNClassifier",
    "AEkNNRegressor",
    "AnomalyDetector",
    "Anonymizer",
    "Cipher",
    "Denoiser",
    "Imputer",
    "NeuralCipher",
    "SemanticHasher",
    "Synthesizer",
]
