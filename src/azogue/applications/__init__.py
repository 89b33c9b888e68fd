"""Applications: thin estimators that own an autoencoder and use its public methods only."""

from azogue.applications.anomaly import AnomalyDetector

__all__ = ["AnomalyDetector"]
