"""The autoencoders of an anonymizer: against judges, towards means of twins, or to reconstruct alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from sklearn.base import clone

from azogue.applications.labelling import Label, bases, spelled, together
from azogue.applications.owner import owned, unfitted
from azogue.applications.twins import of_groups, of_rows
from azogue.autoencoder import Autoencoder
from azogue.corruptions import Paired
from azogue.objectives import Censored, HeadLoss, Informative, NeighborhoodComponents
from azogue.optimizers import Cosine
from azogue.private import Privacy
from azogue.recipe import Batch

#: Weights of censoring, and of what is to be kept, beside the reconstruction.
CENSOR, KEEP = 16.0, 12.0
#: Steps of training, and the epochs that they are at least and at most.
STEPS, EPOCHS = 4000, (20, 200)
#: Units of the code where rows are averaged, and where sensitive ones are replaced.
SMALL, USUAL = 12, 48


def epochs_for(rows: int, batch: int) -> int:
    """Epochs of about as many steps for tables of all lengths."""
    return int(np.clip(round(STEPS / max(1, rows / batch)), *EPOCHS))


def started(autoencoder: Any, default: Autoencoder, shared: dict[str, Any], **changes: Any) -> Autoencoder:
    """The user's autoencoder, cloned, or the default, with what the method asks for."""
    given = unfitted(autoencoder)
    fresh: Autoencoder = default if given is None else clone(given)
    if given is not None and fresh.random_state is None:
        fresh.set_params(random_state=shared["random_state"])
    return cast("Autoencoder", fresh.set_params(**changes))


def censored(
    autoencoder: Any,
    X: Any,
    hidden: list[Label],
    kept: list[Label],
    shared: dict[str, Any],
    strength: float,
    noise: float,
) -> Autoencoder:
    """An autoencoder against a judge for each sensitive label, with one for each that is to be kept."""
    every, batch = [*hidden, *kept], int(np.clip(2 ** round(np.log2(len(hidden[0].codes) / 8)), 16, 256))
    objective: Any = 1.0 * HeadLoss()
    for label, base in zip(every, bases(every), strict=True):
        if label not in hidden:
            objective = objective + KEEP * Informative(label.shares, base, noise=noise)
        elif strength > 0:
            objective = objective + CENSOR * strength * Censored(label.shares, base, noise=noise)
    default = Autoencoder((256, 48), batch_size=batch, learning_rate=Cosine(3e-3), **shared)
    default.set_params(epochs=epochs_for(len(hidden[0].codes), batch), validation_fraction=0.0)
    model = started(autoencoder, default, shared, objective=objective, validation_fraction=0.0)
    return cast("Autoencoder", model.fit(X, together(every)))


def averaged(
    autoencoder: Any,
    X: Any,
    schema: Any,
    hidden: list[Label],
    kept: list[Label],
    shared: dict[str, Any],
    strength: float,
    seed: int,
) -> Autoencoder:
    """An autoencoder that turns rows into the means of their twins."""
    batch = schema.pack(X)
    x = batch.x.numpy()
    apart = together(kept) if kept else np.zeros(len(x), dtype=np.int64)
    twins = of_groups(x, together(hidden), apart, np.random.default_rng([seed, 2])) if hidden else of_rows(x, apart)
    goal = x + min(1.0, strength) * (twins - x)
    rows, inputs = _pairs(goal, batch, schema)
    default = Autoencoder(min(SMALL, max(1, x.shape[1] // 2)), learning_rate=Cosine(2e-3), batch_size="auto", **shared)
    default.set_params(epochs=epochs_for(len(x), 64) // 2)
    return cast("Autoencoder", started(autoencoder, default, shared, corruption=Paired()).fit(rows, inputs))


def _pairs(goal: np.ndarray, batch: Batch, schema: Any) -> tuple[Any, Any]:
    """What is aimed at and what is seen, in the user's form; missing cells stay missing.

    A category that no mean has comes with a row that has it, and stays as it is: the network has to know all of them.
    """
    x = batch.x.numpy()
    lost: list[int] = []
    for head in schema.heads:
        if head.kind == "categorical":
            own = x[:, head.slots].argmax(1)
            absent = np.setdiff1d(own, goal[:, head.slots].argmax(1))
            lost += [int(np.flatnonzero(own == kind)[0]) for kind in absent]
    order = torch.from_numpy(np.concatenate([np.arange(len(x)), np.array(lost, dtype=np.int64)]))
    seen = batch.take(order)
    aim = np.concatenate([goal, x[lost]]).astype(np.float32)
    return schema.unpack(replace(seen, x=torch.from_numpy(aim))), schema.unpack(seen)


def neutral(autoencoder: Any, X: Any, hidden: list[Label], values: Any, shared: dict[str, Any]) -> Autoencoder:
    """An autoencoder whose code tells rows that are to be replaced from the others."""
    shown = (flagged(hidden[0], values)).astype(np.int64)
    objective = HeadLoss() + 0.1 * NeighborhoodComponents()
    default = Autoencoder(USUAL, learning_rate=Cosine(2e-3), validation_fraction=0.0, **shared)
    default.set_params(epochs=epochs_for(len(X), 64) // 2)
    model = started(autoencoder, default, shared, objective=objective, validation_fraction=0.0)
    return cast("Autoencoder", model.fit(X, shown))


def flagged(label: Label, values: Any) -> np.ndarray:
    """Which rows have one of the label's values.

    Raises
    ------
    ValueError
        For a value that no row has, or that all have.
    """
    wanted = [spelled(value) for value in (values if isinstance(values, (list, tuple, set)) else [values])]
    if unknown := [value for value in wanted if value not in label.classes]:
        shown = ", ".join(map(repr, label.classes[:20]))
        raise ValueError(f"replace: {label.name!r} has no {', '.join(map(repr, unknown))}; there are {shown}")
    if len(set(wanted)) == len(label.classes):
        raise ValueError("replace: these are all values of the label; some rows have to stay")
    return np.isin(np.array(label.classes)[label.codes], wanted)


def reconstructing(
    autoencoder: Any, X: Any, shared: dict[str, Any], seed: int, epsilon: float | None, delta: float | None
) -> Autoencoder:
    """The user's autoencoder, or one of the package's rule, with differential privacy where that is asked for."""
    if epsilon is None:
        return owned(autoencoder, Autoencoder(**shared), X, seed)
    budget = Privacy(epsilon, delta=delta)
    own = {name: value for name, value in shared.items() if name != "random_state"}  # its noise is not to be repeated
    default = Autoencoder((64, 16), learning_rate=3e-3, privacy=budget, **own)
    given = unfitted(autoencoder)
    model: Autoencoder = default if given is None else clone(given).set_params(privacy=budget)
    return cast("Autoencoder", model.fit(X))
