"""Architecture search: a space of autoencoders, strategies to look through it, an evaluation worthy of trust."""

from azogue.search.architecture import ArchitectureSearch
from azogue.search.space import Space

__all__ = ["ArchitectureSearch", "Space"]
