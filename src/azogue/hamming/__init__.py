"""Binary codes and their neighbours: packing, exact search, groups."""

from azogue.hamming.buckets import Buckets
from azogue.hamming.index import HammingIndex
from azogue.hamming.words import distances, pack, unpack

__all__ = ["Buckets", "HammingIndex", "distances", "pack", "unpack"]
