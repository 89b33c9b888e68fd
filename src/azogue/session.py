"""A session: an estimator's parameters met by data. Everything that is settled before the first step of training.

`open_session` is the one place where parameters become a recipe: it asks the modality for the schema and packed rows,
settles network, code and objective, and chooses device, precision and back end. `fit` trains what it returns and
`plan` prints it.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from azogue import build
from azogue.codes import CodeSpec, Point
from azogue.corruptions import as_corruption
from azogue.layers import ACTIVATIONS, NetworkSpec, Output, as_network, weight_counts
from azogue.layers.networks import HIDDEN
from azogue.modalities import as_modality
from azogue.modalities.base import Demand, Schema
from azogue.objectives import HeadLoss, Objective, Term, as_objective
from azogue.optimizers import as_optimizer, as_schedule
from azogue.private import Privacy, as_privacy
from azogue.recipe import Batch, Lazy, Recipe, Spec
from azogue.training.backends import backend_for, engine_for
from azogue.training.data import Rows, hold_out
from azogue.training.machine import device_for, precision_for
from azogue.training.private import Secret, check
from azogue.training.team import agreed, shards

if TYPE_CHECKING:
    from azogue.network import Network
    from azogue.training.loop import Backend


@dataclass(frozen=True)
class Axes(Spec):
    """What a variant chooses on each axis where the user chooses nothing.

    Parameters
    ----------
    corruption : Corruption or None
    code : CodeSpec
    reconstruction : Term
    penalties : Objective
        Always added to the reconstruction.
    code_activation, hidden_activation : str
        Activations of the code layer and the others where the network is not spelled out in layers.
    pretraining : Pretraining or None
        What is done to a fresh network before the loop.

    Examples
    --------
    >>> import azogue as az
    >>> az.KSparseAutoencoder(8, k=2).axes().code
    TopK(k=2)
    """

    corruption: Any = None
    code: CodeSpec = Point()
    reconstruction: Term = HeadLoss()
    penalties: Objective = Objective(())
    code_activation: str = "linear"
    hidden_activation: str = HIDDEN
    pretraining: Any = None


@dataclass
class Session:
    """Data, schema, recipe, network and back end of one training run."""

    schema: Schema
    recipe: Recipe
    spec: NetworkSpec | None
    code: CodeSpec
    network: Network
    data: Rows
    validation: Batch | Rows | None
    pretraining: Any = None
    secret: Secret | None = None

    @property
    def backend(self) -> Backend:
        """What will run the steps."""
        return backend_for(self.network, self.recipe, self.secret)


#: What the preparation of a table depends on → its schema, packed rows and packed validation rows.
Prepared = dict[Any, tuple[Schema, Batch | Lazy, Batch | Lazy | None]]


def open_session(
    estimator: Any,
    X: Any,
    validation_data: Any,
    seed: int,
    *,
    prepared: Prepared | None = None,
    rows: Any = None,
    y: Any = None,
) -> Session:
    """Settle everything that training `estimator` on `X` needs.

    Parameters
    ----------
    estimator : Autoencoder
    X, validation_data : table
    seed : int
    prepared : dict, optional
        Where the preparation of X is kept, for other estimators on the same tables.
    rows : array of int, optional
        The rows of X to train on, by position.
    y : array of numbers, shape (n,), optional
        What is known of each row besides, for an objective that asks for it.

    Raises
    ------
    ValueError, TypeError
        For parameters or data that make no sense, naming them.
    """
    _check_parameters(estimator)
    axes, privacy = estimator.axes(), as_privacy(estimator.privacy)
    objective = as_objective(estimator.objective, axes.reconstruction) + axes.penalties
    code = axes.code if estimator.code is None else as_code(estimator.code)
    _check_private(estimator, privacy, axes, validation_data)
    schema, data, held_out = _prepare(estimator, X, validation_data, objective, {} if prepared is None else prepared)
    objective.check(code, schema.heads)
    corruption = axes.corruption if estimator.corruption is None else as_corruption(estimator.corruption)
    data = accompanied(data, schema, objective, corruption, y)
    if (data.target is not None or data.neighbors is not None) and held_out is not None:
        raise TypeError("fit: y is needed for every row; hold rows out by validation_fraction instead")
    index = None if rows is None else _rows(rows, len(data))
    count = len(data) if index is None else len(index)
    device, size = device_for(estimator.device), batch_size_of(estimator.batch_size, count, privacy)
    recipe = Recipe(
        corruption=corruption,
        objective=objective,
        optimizer=as_optimizer(estimator.optimizer),
        schedule=as_schedule(estimator.learning_rate),
        epochs=int(estimator.epochs),
        batch_size=size,
        validation_fraction=float(estimator.validation_fraction) if privacy is None else 0.0,
        patience=estimator.patience,
        seed=seed,
        weight_decay=float(estimator.weight_decay),
        deterministic=bool(estimator.deterministic),
        privacy=None if privacy is None else privacy.guarantee(count, size, int(estimator.epochs)),
    )
    spec, network = _network(estimator.network, code, objective, axes, schema, count, seed)
    network.attach(objective, seed)
    kind = precision_for(estimator.precision, device, None if privacy else spec, schema.width)
    recipe = replace(recipe, precision=kind, shards=shards())
    recipe = replace(recipe, engine=engine_for(estimator.engine, network, recipe, count))
    network.to(device, torch.float64 if recipe.precision == "float64" else torch.float32)
    train = place(data, network) if index is None else place(data, network).only(index)
    held = None if held_out is None else place(held_out, network)
    train, held = (train, held) if held is not None else hold_out(train, recipe.validation_fraction, seed)
    validation = held if held is None or isinstance(held.batch, Lazy) else held.all()
    secret = _secret(estimator, network, recipe, train)
    return Session(schema, recipe, spec, code, network, train, validation, axes.pretraining, secret)


def _secret(estimator: Any, network: Network, recipe: Recipe, data: Rows) -> Secret | None:
    """What a private training draws from, once it is known that rows do not mix."""
    if recipe.privacy is None:
        return None
    check(network, recipe, data)
    return Secret() if estimator.random_state is None else Secret.of(recipe.seed)


def _prepare(
    estimator: Any, X: Any, validation_data: Any, objective: Objective, prepared: Prepared
) -> tuple[Schema, Batch | Lazy, Batch | Lazy | None]:
    demand = _demand(estimator.network, objective)
    public = estimator.privacy is not None and estimator.privacy.schema == "public"
    key = (estimator.modality, estimator.scaling, demand, public)
    if key not in prepared:
        known = validation_data if public else X
        schema = as_modality(estimator.modality, estimator.scaling, known).fit(known, demand)
        store = getattr(schema, "store", schema.pack)
        prepared[key] = schema, store(X), None if validation_data is None else store(validation_data)
    return prepared[key]


def accompanied(data: Batch | Lazy, schema: Schema, objective: Objective, corruption: Any, y: Any) -> Batch | Lazy:
    """The rows with what is known of each besides, where objective or corruption ask for it.

    Raises
    ------
    TypeError, ValueError
        If nothing is known, not of as many rows, or no finite numbers.
    """
    if corruption is not None and corruption.given:
        if objective.supervised:
            raise TypeError(f"{objective!r} needs a number for each row, {corruption!r} the corrupted rows; choose one")
        return _paired(data, schema, corruption, y)
    if not objective.supervised:
        return data
    if y is None:
        raise TypeError(f"{objective!r} needs a number for each row, such as that of its class: fit(X, y)")
    target = np.asarray(y)
    if target.shape != (len(data),):
        raise ValueError(f"y: expected shape ({len(data)},), one number for each row, got {target.shape}")
    if target.dtype.kind not in "biuf" or not np.isfinite(target).all():
        raise ValueError(f"y: expected finite numbers, class numbers from 0 for classes; got dtype {target.dtype}")
    kind = np.float32 if target.dtype.kind == "f" else np.int64
    return replace(data, target=torch.from_numpy(target.astype(kind)))


def _paired(data: Batch | Lazy, schema: Schema, corruption: Any, y: Any) -> Batch | Lazy:
    """Clean rows, each with its corrupted version, or with the positions of its neighbours."""
    if corruption.pointed:
        return replace(data, neighbors=_neighbors(corruption, y, len(data)))
    if y is None:
        raise TypeError(f"{corruption!r} needs the corrupted rows beside the clean ones: fit(clean, corrupted)")
    pairs = getattr(schema, "store", schema.pack)(y)
    if len(pairs) != len(data):
        raise ValueError(f"y: expected a corrupted version of each of the {len(data)} rows, got {len(pairs)}")
    if isinstance(data, Lazy) and isinstance(pairs, Lazy):
        return replace(data, pair=pairs)
    if isinstance(data, Batch) and isinstance(pairs, Batch):
        return replace(data, target=pairs.x)
    raise TypeError("y: give the corrupted rows as the clean ones are given: both in files, or both in memory")


def _neighbors(corruption: Any, y: Any, count: int) -> torch.Tensor:
    """Positions of each row's neighbours, (count, k), those that are there first; a row without any has itself."""
    told = np.asarray(y)
    if told.ndim != 2 or len(told) != count or not told.shape[1] or told.dtype.kind not in "iu":
        raise ValueError(
            f"{corruption!r} needs positions of each row's neighbours, whole numbers of shape ({count}, k): "
            f"fit(X, neighbors); got {'nothing' if y is None else f'{told.dtype} of shape {told.shape}'}"
        )
    if told.min() < -1 or told.max() >= count:
        raise ValueError(f"neighbors: there are {count} rows, got positions from {told.min()} to {told.max()}")
    ordered = np.take_along_axis(told, np.argsort(told < 0, axis=1, kind="stable"), 1).astype(np.int64)
    ordered[:, 0] = np.where(ordered[:, 0] < 0, np.arange(count), ordered[:, 0])
    return torch.from_numpy(ordered)


def _rows(rows: Any, count: int) -> torch.Tensor:
    index = np.asarray(rows)
    if index.ndim != 1 or not len(index) or index.dtype.kind not in "iu":
        raise ValueError(f"rows: expected positions of rows, a whole number each, got {rows!r}")
    if index.min() < 0 or index.max() >= count:
        raise ValueError(f"rows: there are {count} rows, got positions from {index.min()} to {index.max()}")
    return torch.as_tensor(index.astype(np.int64))


def place(data: Batch | Lazy, network: Network) -> Rows:
    """Rows where the network is, in its precision; row labels stay behind."""
    like = next(network.parameters())
    if isinstance(data, Lazy):
        return Rows(data, like=like.detach())
    mask, target, near = (
        None if part is None else part.to(like.device) for part in (data.mask, data.target, data.neighbors)
    )
    return Rows(Batch(data.x.to(like.device, like.dtype), mask, None, target, near))


def as_seed(random_state: Any, known: int | None = None) -> int:
    """`random_state` as scikit-learn takes it → a seed, no global generator moved; None: the known or a new one."""
    if random_state is None:
        return agreed(secrets.randbits(31) if known is None else known)
    if isinstance(random_state, (np.random.RandomState, np.random.Generator)):
        legacy = isinstance(random_state, np.random.RandomState)
        draw: Any = random_state.randint if legacy else random_state.integers  # type: ignore[union-attr]
        return int(draw(0, 2**31 - 1))
    if isinstance(random_state, (bool, np.bool_)) or not isinstance(random_state, (int, np.integer)):
        raise ValueError(f"random_state: expected None, a whole number or a numpy generator, got {random_state!r}")
    if not 0 <= random_state < 2**63:
        raise ValueError(f"random_state: expected a whole number of at least 0 and below 2⁶³, got {random_state!r}")
    return int(random_state)


def rebuild(
    schema: Schema,
    spec: NetworkSpec | None,
    code: CodeSpec,
    objective: Objective,
    modules: tuple[nn.Module, nn.Module] | None,
) -> Network:
    """The network of a stored model, weights still to be loaded."""
    if spec is None:
        assert modules is not None
        network = build.wrap_modules(modules, code, schema.heads, schema.shape)
    elif modules is not None:
        raise ValueError("modules= is for models whose network was a pair of modules; this one needs none")
    else:
        network = build.build(spec, code, schema.width, schema.heads, seed=0)
    network.attach(objective)
    return network


def _check_parameters(estimator: Any) -> None:
    def whole(name: str, least: int) -> None:
        value = getattr(estimator, name)
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
            raise ValueError(f"{name}: expected a whole number of at least {least}, got {value!r}")

    whole("epochs", 1)
    if estimator.patience is not None:
        whole("patience", 1)
    if not 0.0 <= estimator.validation_fraction < 1.0:
        raise ValueError(f"validation_fraction: expected a part in [0, 1), got {estimator.validation_fraction!r}")
    if not estimator.weight_decay >= 0.0:
        raise ValueError(f"weight_decay: expected a number of at least 0, got {estimator.weight_decay!r}")
    if estimator.resume and estimator.checkpoint is None:
        raise ValueError("resume=True needs checkpoint=, the file to go on from")


def _check_private(estimator: Any, privacy: Privacy | None, axes: Axes, validation_data: Any) -> None:
    """Refuse what no guarantee would hold for."""
    if privacy is None:
        return
    if estimator.checkpoint is not None:
        raise ValueError("privacy: a checkpoint holds what lies between steps, which is not private; no checkpoint=")
    if axes.pretraining is not None:
        raise ValueError("privacy: pretraining layer by layer looks at the rows without noise; leave it out")
    if privacy.schema == "public" and validation_data is None:
        raise ValueError("Privacy(schema='public') takes the schema from public rows: fit(X, validation_data=public)")


def as_code(code: Any) -> CodeSpec:
    """What a user gave as code, if it is one."""
    if not isinstance(code, CodeSpec):
        raise TypeError(f"code: expected a value such as az.codes.TopK(8), got {code!r}")
    return code


def _demand(network: Any, objective: Objective) -> Demand:
    output = network.output if isinstance(network, NetworkSpec) else getattr(network, "layers", (network,))[-1]
    activation = output.activation if isinstance(output, Output) else "auto"
    return Demand(objective.demand, activation, build.reach(activation))


def _is_pair(network: Any) -> bool:
    return isinstance(network, (tuple, list)) and len(network) == 2 and any(map(_is_module, network))


def _is_module(value: Any) -> bool:
    from azogue.keras_module import is_keras

    return isinstance(value, nn.Module) or is_keras(value)


def _network(
    network: Any, code: CodeSpec, objective: Objective, axes: Axes, schema: Schema, rows: int, seed: int
) -> tuple[NetworkSpec | None, Network]:
    if _is_module(network):
        raise TypeError(f"network: one module was given, {network!r}; give the pair (encoder, decoder)")
    if _is_pair(network):
        if not all(map(_is_module, network)):
            raise TypeError(f"network: (encoder, decoder) needs two torch modules or Keras models, got {network!r}")
        return None, build.wrap_modules(tuple(network), code, schema.heads, schema.shape, seed)
    bounded = code.signed and ACTIVATIONS[axes.code_activation][0] >= 0
    activation = "linear" if bounded else axes.code_activation
    spec = as_network(network, rows, schema.shape, code=activation, hidden=axes.hidden_activation, least=code.least)
    layer = spec.encoder[-1]
    if code.signed and ACTIVATIONS[getattr(layer, "activation", "linear")][0] >= 0:
        raise ValueError(
            f"network: {code!r} tells values of both signs apart, but the code layer {layer!r} gives none below 0; "
            "make it linear"
        )
    weights = weight_counts(spec, schema.width, code.width(spec.code_size))
    _check_memory(sum(weights) + part_sizes(code, objective, spec.code_size))
    return spec, build.build(spec, code, schema.width, schema.heads, seed)


def part_sizes(code: CodeSpec, objective: Objective, size: int) -> int:
    """How many weights a code of `size` units and the terms bring besides the network, told without making them."""
    return code.count(size) + sum(term.count(size) for term in {term for _, term in objective.terms})


def _check_memory(weights: int) -> None:
    """Refuse a network that no training on this machine could hold: weights, gradients and moments in float32."""
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return
    needed, there = 16 * weights, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > there:
        raise ValueError(
            f"network: training its {weights:,} weights takes about {needed / 2**30:,.0f} GiB, and this machine has "
            f"{there / 2**30:,.0f}; use smaller layers"
        )


def batch_size_of(batch_size: Any, rows: int, privacy: Privacy | None) -> int:
    """`"auto"`: the power of two nearest to √rows, 16 to 256; with privacy a fifth of the rows, 16 to 4096."""
    if batch_size == "auto" and privacy is not None:
        return min(max(-(-rows // 5), 16), 4096)
    if batch_size == "auto":
        return int(min(max(2 ** round(np.log2(max(rows, 1)) / 2), 16), 256))
    if isinstance(batch_size, bool) or not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
        raise ValueError(f"batch_size: expected 'auto' or a whole number of at least 1, got {batch_size!r}")
    return int(batch_size)
