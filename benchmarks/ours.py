"""Our own contestants of `speed.py`, as `peers.py` has the others; not run by itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from arena import Case, Contestant


class Ours(Contestant):
    """`azogue.Autoencoder`, or `VariationalAutoencoder`."""

    title, pip, precision, IMPORTS = "azogue", "azogue", "float32", ("azogue.autoencoder", "azogue.variants")
    engine = "torch"

    def make(self, case: Case, seed: int) -> Any:
        """The estimator of a case, unfitted."""
        import azogue as az
        from azogue.optimizers import Constant

        stack: Any = az.Input()
        for at, (units, activation) in enumerate(zip(case.widths[1:-1], case.activations, strict=False)):
            stack = stack + (az.Bottleneck if at == case.code else az.Dense)(units, activation)
        settings = {"epochs": case.epochs, "batch_size": case.batch_size, "learning_rate": Constant(case.learning_rate)}
        plain = {"validation_fraction": 0.0, "patience": None, "scaling": "none"}
        plain |= {"precision": self.precision, "engine": self.engine}
        if case.variational:
            return az.VariationalAutoencoder(stack + az.Output(), random_state=seed, variance=1.0, **settings, **plain)
        return az.Autoencoder(stack + az.Output(), random_state=seed, **settings, **plain)

    def fit(self, seed: int) -> None:
        self.estimator = self.make(self.case, seed).fit(self.case.X)
        self.loop = sum(record["seconds"] for record in self.estimator.history_)

    def reconstruct(self) -> np.ndarray:
        return np.asarray(self.estimator.reconstruct(self.case.X))


class Compiled(Ours):
    """The same by compiled steps."""

    title, pip, engine = "azogue, compiled", "azogue[speed]", "native"
    IMPORTS = (*Ours.IMPORTS, "numba")


class OursAuto(Ours):
    """The same with the precision that it chooses."""

    title, precision = "azogue, precision auto", "auto"

    @property
    def note(self) -> str:
        return f"trained in {self.estimator.recipe_.precision}"


class Together(Ours):
    """A population by `fit_together`."""

    title = "azogue, fit_together"

    def fit(self, seed: int) -> None:
        import azogue as az

        if not hasattr(az, "fit_together"):
            raise ModuleNotFoundError("this azogue has no fit_together(estimators, X)")
        self.fitted = az.fit_together([self.make(self.case, seed + k) for k in range(self.case.networks)], self.case.X)

    def reconstruct(self) -> np.ndarray:
        return np.stack([np.asarray(one.reconstruct(self.case.X)) for one in self.fitted])


class InTurn(Together):
    """A population by one `fit` after the other."""

    title = "azogue, one after the other"

    def fit(self, seed: int) -> None:
        self.fitted = [self.make(self.case, seed + k).fit(self.case.X) for k in range(self.case.networks)]


class TogetherCompiled(Together):
    """A population by compiled steps."""

    title, engine = "azogue, compiled, fit_together", "native"


class InTurnCompiled(InTurn):
    """One compiled training after the other."""

    title, engine = "azogue, compiled, one after the other", "native"


OURS = (Ours, Compiled, OursAuto, Together, InTurn, TogetherCompiled, InTurnCompiled)
