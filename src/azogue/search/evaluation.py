"""What a candidate is worth: one seeded split for all, errors free of scale, candidates of one shape trained at once.

Rows are split once into those that candidates train on, those that judge them, and test rows. The latter are set apart
before anything is prepared or trained: scaling, categories, early stopping and fitness never see them.
"""

from __future__ import annotations

import math
import os
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from azogue.autoencoder import Autoencoder
from azogue.modalities.dataset import needs_rows
from azogue.populations import Packed, fit_together, reflected
from azogue.recipe import Batch
from azogue.search.bars import EARLY, GIVEN_UP, LEFT_BEHIND, Bars
from azogue.search.cache import Record
from azogue.search.space import Genome, Space
from azogue.training.loop import TrainingWarning
from azogue.training.threads import one_thread

#: What ends one candidate, and not the search.
FAULTS = (ValueError, TypeError, ArithmeticError, RuntimeError, MemoryError, IndexError)
#: Neighbours that judge a code.
NEIGHBORS = 5

#: Reasons of failures; what lacked memory once may have it another time.
DIVERGED, OUT_OF_MEMORY = "training diverged in its first epoch", "out of memory"

Scorer = Callable[..., float]


@dataclass(frozen=True)
class Split:
    """Positions of the rows of each part.

    Parameters
    ----------
    seen, test : ndarray of int
        What the search works with, and what no decision sees.
    folds : tuple of (train, validation)
        Positions within `seen`: one pair, or those of a cross-validation.

    Examples
    --------
    >>> split = Split.of(10, test=0.2, validation=0.25, cv=None, seed=0)
    >>> len(split.seen), len(split.test), [len(part) for part in split.folds[0]]
    (8, 2, [6, 2])
    """

    seen: np.ndarray
    test: np.ndarray
    folds: tuple[tuple[np.ndarray, np.ndarray], ...]

    @classmethod
    def of(cls, rows: int, *, test: float, validation: float, cv: int | None, seed: int) -> Split:
        """Split so many rows; the seed alone decides, whatever the rows hold.

        Raises
        ------
        ValueError
            For fewer rows than parts.
        """
        least = 3 if cv is None else cv + 1
        if rows < least:
            raise ValueError(
                f"ArchitectureSearch: {least} rows at least are needed to train, to judge and to test, got "
                f"n_samples = {rows}"
            )
        shuffled = np.random.default_rng([seed, 0x5EA]).permutation(rows)
        count = min(max(round(test * rows), 1), rows - least + 1)
        seen, apart = np.sort(shuffled[count:]), np.sort(shuffled[:count])
        order = np.random.default_rng([seed, 0x5EB]).permutation(len(seen))
        if cv is None:
            held = min(max(round(validation * len(seen)), 1), len(seen) - 1)
            return cls(seen, apart, ((np.sort(order[held:]), np.sort(order[:held])),))
        parts = np.array_split(order, cv)
        folds = [(np.setdiff1d(order, part), np.sort(part)) for part in parts]
        return cls(seen, apart, tuple(folds))


def rows_of(X: Any) -> int:
    """How many rows there are.

    Raises
    ------
    TypeError
        For data that are not in memory, of which no rows can be set apart, and for sparse ones.
    """
    needs_rows(X)
    if isinstance(X, (str, os.PathLike)):
        raise TypeError(f"ArchitectureSearch: give rows in memory, which can be split, in place of the path {X!r}")
    if issparse(X):
        raise TypeError("Sparse input is not supported; convert it with X.toarray()")
    return int(_num_samples(X))


def taken(X: Any, rows: np.ndarray) -> Any:
    """Some rows of the user's object, as the same kind of object."""
    return _safe_indexing(X if hasattr(X, "__getitem__") else np.asarray(X), rows)


@dataclass
class Bench:
    """What candidates are trained and judged on; a worker process gets a copy of it.

    Parameters
    ----------
    X, y : the rows that are not for testing, and what is known of each
    folds : tuple of (train, validation)
    space : Space
    scorer : callable or None
        Judges codes; None: the reconstruction.
    relative : bool
        Whether errors are divided by the variance.
    seed : int
    engine : {"auto", "native", "torch"}
        What trains candidates.
    alpha : float
        What complexity costs.
    """

    X: Any
    y: Any
    folds: tuple[tuple[np.ndarray, np.ndarray], ...]
    space: Space
    scorer: Scorer | None = None
    relative: bool = True
    seed: int = 0
    engine: str = "auto"
    alpha: float = 0.0
    _packed: list[Packed] = field(default_factory=list, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_packed": []}

    @property
    def packed(self) -> list[Packed]:
        """The rows of each fold, prepared as its training rows say."""
        if not self._packed:
            for train, held in self.folds:
                like = clone(self.space.base)
                self._packed.append(Packed(taken(self.X, train), like, taken(self.X, held)))
        return self._packed

    @property
    def formula(self) -> str:
        """Of the complexity, see `Space.complexity`."""
        return "relative" if self.relative else "paper"

    def price(self, genome: Genome) -> float:
        """What a candidate's complexity costs."""
        return self.alpha * self.space.complexity(genome, self.formula)

    def judge(self, genomes: Sequence[Genome], share: tuple[float, float], bars: Bars) -> list[Record]:
        """Train and judge candidates of one shape, on one fold after the other, as long as they keep up.

        Parameters
        ----------
        genomes : sequence of Genome
        share : (epochs, rows)
            Parts of the epochs and of the training rows that are spent on them.
        bars : Bars
            Where they are given up.

        Returns
        -------
        list of dict
            Of each: `error` (None where it failed), `folds` (its errors, one by one) `of` how many, `reason`, `epochs`
            (the best one), `seconds`, `early` (losses at a part of the epochs, one for each fold), `bar` (above which
            it was given up there), `loss`.
        """
        begun = time.perf_counter()
        found: list[list[Record]] = [[] for _ in genomes]
        running = list(range(len(genomes)))
        for number in range(len(self.folds)):
            for at, record in zip(
                running, self._fold(number, [genomes[at] for at in running], share, bars), strict=True
            ):
                found[at].append(record)
            running = [at for at in running if self._keeps_up(genomes[at], found[at], bars)]
            if not running:
                break
        seconds = max(0.0, time.perf_counter() - begun) / len(genomes)
        joined = [self._joined(genome, records, bars) for genome, records in zip(genomes, found, strict=True)]
        return [{**record, "seconds": round(seconds, 4)} for record in joined]

    def _keeps_up(self, genome: Genome, records: Sequence[Record], bars: Bars) -> bool:
        """Whether a candidate is worth a further fold: one that failed or is far behind is not."""
        if records[-1]["error"] is None:
            return False
        return not bars.behind([record["error"] + self.price(genome) for record in records])

    def _joined(self, genome: Genome, records: Sequence[Record], bars: Bars) -> Record:
        """The mean over folds, or what is expected of it; a failure on one of them is a failure."""
        if (failed := next((record for record in records if record["error"] is None), None)) is not None:
            return dict(failed)
        errors = [record["error"] for record in records]
        bar = bars.loss(genome, self.price(genome))
        epochs = max(round(float(np.mean([record["epochs"] for record in records]))), 1)
        reason = next((record["reason"] for record in records if record["reason"]), "")
        if len(records) < len(self.folds):
            reason = reason or f"{LEFT_BEHIND}{len(records)} of {len(self.folds)} folds"
        return {
            "error": bars.expected(errors),
            "folds": errors,
            "of": len(self.folds),
            "reason": reason,
            "epochs": epochs,
            "early": [record["early"] for record in records],
            "bar": bar if math.isfinite(bar) else None,
            "loss": float(np.mean([record["loss"] for record in records])),
        }

    def _fold(self, number: int, genomes: Sequence[Genome], share: tuple[float, float], bars: Bars) -> list[Record]:
        packed = self.packed[number]
        epochs = max(round(share[0] * self.space.base.epochs), 1)
        count = max(round(share[1] * len(packed)), 1)
        rows = np.sort(np.random.default_rng([self.seed, 0x5EC, number]).permutation(len(packed))[:count])
        watches = [Watch(epochs, bars.loss(genome, self.price(genome))) for genome in genomes]
        try:
            common = {"epochs": epochs, "random_state": self.seed, "verbose": 0, "engine": self.engine}
            members = [
                self.space.estimator(genome, callbacks=(watch,), **common)
                for genome, watch in zip(genomes, watches, strict=True)
            ]
            with one_thread(), warnings.catch_warnings():
                warnings.simplefilter("ignore", TrainingWarning)  # the record says what went wrong
                fit_together(members, packed, rows=None if count == len(packed) else [rows] * len(members))
                self._interrupted(members)
                return [
                    self._record(number, member, watch, rows) for member, watch in zip(members, watches, strict=True)
                ]
        except FloatingPointError:
            return [_failed(DIVERGED)] * len(genomes)
        except FAULTS as fault:
            return [_failed(_reason(fault))] * len(genomes)

    @staticmethod
    def _interrupted(members: Sequence[Autoencoder]) -> None:
        """Training keeps what it has when the keyboard interrupts it; a search stops."""
        if any(getattr(member, "stopped_", "") == "interrupted" for member in members):
            raise KeyboardInterrupt

    def _record(self, number: int, member: Autoencoder, watch: Watch, rows: np.ndarray) -> Record:
        """What became of one candidate on one fold."""
        if not hasattr(member, "network_"):
            return _failed(DIVERGED)
        try:
            error = self.worth(number, member, rows)
        except FAULTS as fault:
            return _failed(_reason(fault))
        if not math.isfinite(error):
            return _failed("the reconstruction is not finite")
        losses = [record["val_loss"] for record in member.history_]
        best = int(np.argmin(losses)) + 1
        reason = GIVEN_UP if watch.given_up else ""
        return {"error": error, "reason": reason, "epochs": best, "early": watch.early, "loss": min(losses)}

    def worth(self, number: int, member: Autoencoder, rows: np.ndarray) -> float:
        """The validation error of a candidate, or minus its score."""
        if self.scorer is None:
            return self.error(number, member)
        train, held = self.folds[number]
        if self.y is None:
            return -float(self.scorer(member, taken(self.X, held)))
        codes = [member.encode(taken(self.X, part)) for part in (train[rows], held)]
        judge = _neighbors(taken(self.y, train[rows]))
        return -float(self.scorer(judge.fit(codes[0], taken(self.y, train[rows])), codes[1], taken(self.y, held)))

    def error(self, number: int, member: Autoencoder) -> float:
        """The error of a fitted candidate on the validation rows of a fold."""
        packed = self.packed[number]
        reference = packed.schema
        seen, truth = packed.held_out(member.schema_), packed.held_out(reference)
        train = packed.take(np.arange(len(packed)))
        out = in_units(reflected([member], seen), member.schema_, reference, seen, truth)
        return error_of(truth, out, train if self.relative else None)


def error_of(truth: Batch, out: np.ndarray, train: Batch | None) -> float:
    """`Σ (x − x̂)² / Σ (x − x̄)²` over observed slots, x̄ the means of training rows; without these, `mean (x − x̂)²`.

    Parameters
    ----------
    truth : Batch
        With x (n, width).
    out : ndarray, shape (n, width)
        The reconstruction x̂.
    train : Batch or None

    Examples
    --------
    >>> import torch
    >>> rows = Batch(torch.tensor([[0.0], [2.0]]))
    >>> error_of(rows, np.array([[0.0], [1.0]]), rows), error_of(rows, np.array([[0.0], [1.0]]), None)
    (0.5, 0.5)
    """
    x, seen = _cells(truth)
    wrong = float((np.square(x - out.reshape(x.shape)) * seen).sum())
    if train is None:
        return wrong / max(float(seen.sum()), 1.0)
    known, there = _cells(train)
    centre = (known * there).sum(0) / np.maximum(there.sum(0), 1)
    spread = float((np.square(x - centre) * seen).sum())
    return wrong / spread if spread > 0 else wrong


def _cells(batch: Batch) -> tuple[np.ndarray, np.ndarray]:
    """Values (n, width) in float64 and whether each was observed."""
    x = batch.x.double().numpy().reshape(len(batch), -1)
    seen = np.ones(x.shape, bool) if batch.mask is None else batch.mask.numpy().reshape(x.shape)
    return x, seen


def in_units(out: np.ndarray, own: Any, reference: Any, seen: Batch, truth: Batch) -> np.ndarray:
    """A reconstruction in the scaled units of another schema of the same data.

    Raises
    ------
    ValueError
        Where the units differ and there is no way from one to the other.
    """
    if own is reference:
        return out
    if hasattr(own, "slot_columns") and len(own.slot_columns) == len(reference.slot_columns):
        out = out.astype(np.float64)
        for slot, at in enumerate(own.slot_columns):
            mine, theirs = (getattr(schema.columns[at], "map", None) for schema in (own, reference))
            if mine is not None and theirs is not None and mine != theirs:
                out[:, slot] = theirs.forward(mine.inverse(out[:, slot]))
        return out
    if seen.x.shape == truth.x.shape and bool((seen.x == truth.x).all()):
        return out
    raise ValueError("its output or loss changes how the rows are scaled, so that errors cannot be compared")


class Watch:
    """A callback that gives up a candidate whose loss is far above that of others at the same epoch.

    Examples
    --------
    >>> watch = Watch(epochs=8, bar=0.5)
    >>> [watch({"epoch": epoch, "val_loss": loss}) for epoch, loss in ((1, 9.0), (2, 0.7), (3, 0.1))]
    [False, True, False]
    """

    def __init__(self, epochs: int, bar: float) -> None:
        self.at, self.bar = max(math.ceil(EARLY * epochs), 1), bar
        self.early: float | None = None
        self.given_up = False

    def __call__(self, record: dict[str, float]) -> bool:
        if record["epoch"] != self.at:
            return False
        self.early = float(record["val_loss"])
        self.given_up = self.early > self.bar
        return self.given_up


def _failed(reason: str) -> Record:
    return {"error": None, "reason": reason, "epochs": 0, "early": [], "bar": None, "folds": [], "of": 0, "loss": None}


def _reason(fault: Exception) -> str:
    """The first line of what went wrong; lack of memory by one name, whoever lacked it."""
    said = str(fault).partition("\n")[0]
    short = isinstance(fault, MemoryError) or "allocate memory" in said or "out of memory" in said.lower()
    return OUT_OF_MEMORY if short else said or type(fault).__name__


def _neighbors(y: Any) -> Any:
    """Who judges codes by what is known of each row: the nearest neighbours' classes, or values."""
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
    from sklearn.utils.multiclass import type_of_target

    count = min(NEIGHBORS, len(y))
    kind = KNeighborsRegressor if type_of_target(y).startswith("continuous") else KNeighborsClassifier
    return kind(n_neighbors=count)
