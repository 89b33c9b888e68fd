"""Which back end trains a recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from azogue.training import native
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
    """`Private` where privacy is asked for, `Sharded` for virtual shards; `Dense` where all parts state derivatives.

    `Native` where compiled steps were settled on and are there: a model that they trained may go on elsewhere.
    """
    if recipe.privacy is not None:
        from azogue.training.private import Private

        return Private(secret)
    if recipe.shards > 1:
        return Sharded(current())
    if not supports(network, recipe):
        return Autograd()
    return native.Native() if recipe.engine == "native" and native.installed() else Dense()


#: Small steps from which loading what is compiled pays by itself; a step saves more by so many multiplications.
WORTH_LOADING = 4_000
SAVING = 25_000_000


def engine_for(wanted: str, network: Network, recipe: Recipe, rows: int) -> str:
    """Which engine is to train so many rows: "native" or "torch".

    Raises
    ------
    ValueError
        For an engine that does not exist.
    ImportError
        If the compiler is wanted and not installed.
    """
    if wanted not in ("auto", "native", "torch"):
        raise ValueError(f"engine: expected 'auto', 'native' or 'torch', got {wanted!r}")
    steps, size = recipe.epochs * -(-rows // recipe.batch_size), 3 * recipe.batch_size * network.work
    if wanted == "torch" or (wanted == "auto" and steps * (1 + size / SAVING) < WORTH_LOADING):
        return "torch"
    if wanted == "native" and not native.installed():
        raise ImportError("engine='native' needs numba: pip install \"azogue[speed]\"; or leave engine='auto'")
    plain = native.installed() and recipe.privacy is None and recipe.shards == 1 and supports(network, recipe)
    return "native" if plain and native.supports(network, recipe) else "torch"
