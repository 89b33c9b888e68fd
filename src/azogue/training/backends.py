"""Which back end trains a recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from azogue.training.autograd import Autograd
from azogue.training.dense import Dense, supports

if TYPE_CHECKING:
    from azogue.network import Network
    from azogue.recipe import Recipe
    from azogue.training.loop import Backend
    from azogue.training.private import Secret


def backend_for(network: Network, recipe: Recipe, secret: Secret | None = None) -> Backend:
    """`Private` where privacy is asked for, `Dense` where every part states its derivative, `Autograd` otherwise."""
    if recipe.privacy is not None:
        from azogue.training.private import Private

        return Private(secret)
    return Dense() if supports(network, recipe) else Autograd()
