"""Which back end trains a recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from azogue.training.autograd import Autograd
from azogue.training.dense import Dense, supports
from azogue.training.sharded import Sharded
from azogue.training.team import current

if TYPE_CHECKING:
    from azogue.network import Network
    from azogue.recipe import Recipe
    from azogue.training.loop import Backend
    from azogue.training.private import Secret


def backend_for(network: Network, recipe: Recipe, secret: Secret | None = None) -> Backend:
    """`Private` where privacy is asked for, `Sharded` for virtual shards; `Dense` where all parts state derivatives."""
    if recipe.privacy is not None:
        from azogue.training.private import Private

        return Private(secret)
    if recipe.shards > 1:
        return Sharded(current())
    return Dense() if supports(network, recipe) else Autograd()
