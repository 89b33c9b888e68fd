"""Ways from rows to a code in which neighbours alike are near: without labels, with them, and with them afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.base import clone

from azogue.applications.owner import owned
from azogue.autoencoder import Autoencoder
from azogue.corruptions import Gaussian
from azogue.layers import Dense, Input, Output
from azogue.modalities import Table, kind_of
from azogue.objectives import NeighborhoodComponents, as_objective

#: What labels weigh beside the reconstruction, and the noise of inputs (in scaled units) that keeps the code smooth.
WEIGHT, NOISE = 0.1, 0.3
#: Steps of training, about, rows of a batch, and units of the hidden layer.
STEPS, BATCH, HIDDEN = 3000, 128, 256
#: A code unit lies within this, so that distances are finite numbers.
FAR = 1e15


@dataclass(frozen=True)
class Way:
    """One way to a code: the network, and how labels shape it (see `AEkNNClassifier`)."""

    network: Any
    supervision: str


@dataclass
class Coder:
    """Trains autoencoders along ways; those that ways share are trained once.

    Parameters
    ----------
    owner : AEkNNClassifier or AEkNNRegressor
        Its parameters say how.
    X : table
    target : ndarray, shape (n,)
        Class numbers or values.
    seed : int
    """

    owner: Any
    X: Any
    target: np.ndarray
    seed: int

    def __post_init__(self) -> None:
        self._known: dict[tuple[str, bool], Autoencoder] = {}

    def along(self, way: Way) -> tuple[Autoencoder, Autoencoder | None]:
        """The autoencoder of the rows, and the one of its codes that labels shape, if any."""
        joint = way.supervision == "joint"
        key = (str(way.network), joint)
        told = _shaping(self.target)
        if key not in self._known:
            given = self.owner.autoencoder
            default = self._default(way) if given is None else Autoencoder()
            if joint and isinstance(given, Autoencoder):
                given = clone(given).set_params(objective=_with_labels(given.objective))
            self._known[key] = owned(given, default, self.X, self.seed, told)
        first = self._known[key]
        if way.supervision != "after":
            return first, None
        codes = encoded(first, None, self.X)
        second = _informed(codes.shape[1], len(codes), "standard").set_params(random_state=self.seed)
        return first, second.fit(codes, told)

    def _default(self, way: Way) -> Autoencoder:
        """The autoencoder where none is given."""
        owner, joint, size, rows = self.owner, way.supervision == "joint", way.network, len(self.target)
        common = {"modality": owner.modality, "scaling": owner.scaling, "verbose": owner.verbose}
        if not _is_table(owner.modality, self.X):
            return Autoencoder(size, objective=_with_labels(None) if joint else None, **common)
        free = owner.scaling == "auto" and owner.modality in ("auto", "table")
        if joint:
            made = _informed(size, rows, owner.scaling)
            made.set_params(**{**common, **({"scaling": "standard"} if free else {})})
            return made
        network = Input() + Dense(int(size)) + Output() if _is_size(size) else size
        rate = 5e-3 if _is_size(size) else 1e-3
        plain = Autoencoder(network, epochs=_epochs(rows), batch_size=BATCH // 2, learning_rate=rate, **common)
        plain.set_params(validation_fraction=0.0, **({"modality": _by_range(self.X)} if free else {}))
        return plain


def _with_labels(objective: Any) -> Any:
    term = WEIGHT * NeighborhoodComponents()
    return term if objective is None else as_objective(objective) + term


def _is_size(network: Any) -> bool:
    return isinstance(network, (int, np.integer)) and not isinstance(network, bool)


def encoded(first: Autoencoder, second: Autoencoder | None, X: Any) -> np.ndarray:
    """Rows → codes; what overflowed is far away."""
    codes = np.asarray(first.encode(X))
    codes = codes if second is None else np.asarray(second.encode(codes))
    return np.asarray(np.clip(np.nan_to_num(codes), -FAR, FAR))


def _is_table(modality: Any, X: Any) -> bool:
    return modality == "table" or isinstance(modality, Table) or (modality == "auto" and kind_of(X) == "table")


def _informed(network: Any, rows: int, scaling: str) -> Autoencoder:
    """An autoencoder whose code labels shape; reconstruction and noise keep it from learning rows by heart.

    A number is the size of a code behind one hidden layer.
    """
    return Autoencoder(
        Input() + Dense(HIDDEN, "silu") + Dense(int(network)) + Output() if _is_size(network) else network,
        objective=WEIGHT * NeighborhoodComponents(),
        corruption=Gaussian(NOISE),
        scaling=scaling,
        epochs=_epochs(rows),
        batch_size=BATCH,
        learning_rate=2e-3,
        validation_fraction=0.0,
    )


def _shaping(target: np.ndarray) -> np.ndarray:
    """What terms are told of the rows: class numbers as they are, values standardised."""
    if target.dtype.kind == "i":
        return target
    spread = float(target.std())
    return np.asarray((target - target.mean()) / (spread or 1.0), dtype=np.float32)


def _epochs(rows: int) -> int:
    """So many that there are about `STEPS` steps, from 10 to 60."""
    return min(max(STEPS * BATCH // max(rows, 1), 10), 60)


def _by_range(X: Any) -> Table:
    """Standardised columns whose errors count in units of their ranges: codes look at what varies most within them.

    The best linear code is then that of a principal component analysis of min-max scaled columns.
    """
    schema = Table("minmax").fit(X)
    batch = schema.pack(X)
    seen = torch.ones_like(batch.x) if batch.mask is None else batch.mask.to(batch.x.dtype)
    count = seen.sum(0).clamp(min=1.0)
    mean = (batch.x * seen).sum(0) / count
    spread = (((batch.x - mean) * seen).square().sum(0) / count).numpy()
    names = [column["name"] for column in schema.describe()]
    found = {
        names[schema.slot_columns[slot]]: float(spread[slot])
        for head in schema.heads
        if head.kind == "gaussian"
        for slot in range(head.start, head.stop)
    }
    whole = sum(found.values()) / max(len(found), 1)
    return Table("standard", {name: value / whole for name, value in found.items()} if whole > 0 else None)
