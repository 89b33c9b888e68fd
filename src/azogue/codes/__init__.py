"""Codes: what happens between the encoder's output and the decoder's input."""

from azogue.codes.base import CodeSpec, Gaussian, Point, TopK
from azogue.codes.discrete import Binary, FiniteScalar, VectorQuantized
from azogue.codes.spherical import VonMisesFisher

__all__ = ["Binary", "CodeSpec", "FiniteScalar", "Gaussian", "Point", "TopK", "VectorQuantized", "VonMisesFisher"]
