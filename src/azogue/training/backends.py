"""Which back end trains a recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from azogue.training.autograd import Autograd
from azogue.training.dense import Dense, supports

if TYPE_CHECKING:
    from azogue.network import Network
    from azogue.recipe import Recipe
    from azogue.training.loop import Backend


def backend_for(network: Network, recipe: Recipe) -> Backend:
    """`Dense` where every part states its derivative, `Autograd` otherwise."""
    return Dense() if supports(network, recipe) else Autograd()
