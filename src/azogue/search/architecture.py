"""`ArchitectureSearch`: which autoencoder suits the data, found within a budget."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin, clone
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from azogue.autoencoder import Autoencoder
from azogue.populations import Packed, reflected
from azogue.search import asking
from azogue.search.cache import Cache
from azogue.search.evaluation import FAULTS, Bench, Split, error_of, in_units, rows_of, taken
from azogue.search.results import results
from azogue.search.space import Space
from azogue.search.strategies import STRATEGIES, WHOLE, Plan, Spent
from azogue.search.study import Budget, Study, Trial, WorkerError, engine_of, versions
from azogue.session import as_seed
from azogue.training.callbacks import as_callbacks, progress
from azogue.validation import remember_columns


@dataclass(eq=False, repr=False)
class ArchitectureSearch(
    ClassNamePrefixFeaturesOutMixin,  # type: ignore[misc]
    TransformerMixin,  # type: ignore[misc]
    BaseEstimator,  # type: ignore[misc]
):
    """Searches for the autoencoder that suits the data: kind, layers, code, activations, loss, learning rate.

    Candidates are trained on one part of the rows and judged on another by

        fitness = error + alpha · complexity,   error = Σ (x − x̂)² / Σ (x − x̄)²,
        complexity = (layers + 1) · code / width

    over observed slots of scaled rows, x̄ the means of the training rows: 0 is a perfect reconstruction, 1 that by the
    means. Lower is better. The best one is trained again on both parts, and a third part, which no candidate and no
    decision has seen, tells its error: `test_error_`.

    Parameters
    ----------
    strategy : {"de", "ga", "es", "random", "exhaustive", "halving"}
        Differential evolution; genetic algorithm and evolution strategy (extra `search`); even draws; a coarse grid;
        successive halving. See `azogue.search.strategies`.
    space : dict, Space or None
        Gene → values, narrowing or extending the usual space (`azogue.search.Space.of`): a pair of numbers is a range,
        any other sequence, or a list, is a choice. Genes: `kind`, `layers`, `units` (parts of the width), `activation`,
        `code`, `code_activation`, `output`, `loss`, `dropout`, `normalization`, `tied`, `learning_rate`; for pictures
        and sequences `convolution` and `filters`.
    budget : number or str
        Candidates that may be trained in full (part of the epochs counts as that part), or a time such as `"5min"`.
        A time is exempt from "same seed, same result".
    alpha : float
        What complexity costs.
    complexity : {"relative", "paper"}
        `"paper"`: the mean squared error as it is, and `(layers + 1) · code` as complexity.
    objective : "reconstruction", str or callable
        The name of a scikit-learn scorer, or `scorer(estimator, Z, y)`: with `y`, nearest neighbours on the codes Z
        are scored on the validation rows; a callable without `y` gets the fitted autoencoder and rows. Higher is
        better, and `−score` takes the place of the error.
    autoencoder : Autoencoder or None
        Unfitted: what all candidates share, such as `Autoencoder(epochs=50, scaling="minmax")`. A variant fixes the
        kind.
    modality, scaling : see `Autoencoder`
        Where no `autoencoder` is given.
    cv : int or None
        Judge by a cross-validation of so many folds instead of one split, for tables of few rows. It is a race: a
        candidate far behind the best on its first folds is not judged on further ones (`azogue.search.bars`).
    test_fraction, validation_fraction : float
        The part of all rows that is set apart, and the part of the rest that judges.
    preset : {None, "paper"}
        `"paper"`: the populations and rates of Charte et al. (2020), and no candidate to begin with but draws.
    n_jobs : int or "ray"
        Processes; −1: one for each processor; `"ray"`: the processors of a Ray cluster (extra `ray`; which one, see
        `distributed.fit`). The result does not depend on it. A script that asks for several has to keep them out of its
        workers by `if __name__ == "__main__":`.
    cache : path-like or None
        File that keeps what candidates are worth. A search that was interrupted, by whatever, goes on from it and
        ends in the same result. An `objective` of one's own is known by its name: take another file where it changes.
    callbacks : sequence of callable
        Called with a dictionary as the search goes on: `candidates`, `spent`, `seconds`, `best` (fitness), `error`,
        `genome`; returning `True` ends it.
    random_state : int, numpy generator or None
    verbose : int
        1 shows progress on a terminal, 2 leaves it there.

    Attributes
    ----------
    best_estimator_ : Autoencoder
        Fitted on all rows but the test part.
    best_params_ : dict
        The winner's genome, plain values.
    best_score_ : float
        Minus its validation error, or its score.
    best_index_ : int
        Its place in `results_`.
    test_error_ : float
        Its reconstruction error on rows that no candidate saw.
    test_score_ : float
        The same as a score, or that of `objective`; NaN where it cannot be told of the test rows.
    results_ : dict of ndarray
        For each candidate, in the order of their training: `params`, `param_…`, `fitness`, `error`, `complexity`,
        `mean_test_score`, `rank_test_score`, `epochs_share`, `rows_share`, `seconds`, `reason` (why it failed or was
        given up, else empty).
    test_rows_ : ndarray of int
        Positions of the test part.
    space_ : Space
    stopped_ : str
        What ended the search: `budget`, `time`, `nothing new` (in the space), `callback`, `interrupted` or `a worker
        died`.
    n_features_in_, feature_names_in_ : as in `Autoencoder`

    References
    ----------
    Charte, Rivera, Martínez & del Jesus (2020), EvoAAA: An evolutionary methodology for automated neural autoencoder
    architecture search, Integrated Computer-Aided Engineering 27(3).

    Notes
    -----
    NOTE[DIFF] The paper's code selects and reports on the same rows, split anew for each candidate; here one split
    serves all, and a third part reports. The paper's complexity depends on the scale of errors and the number of
    columns; `"relative"` does not.

    Examples
    --------
    >>> import azogue as az
    >>> from sklearn.datasets import load_wine
    >>> base = az.Autoencoder(epochs=20)
    >>> search = az.ArchitectureSearch("random", budget=4, autoencoder=base, space={"kind": "basic"}, random_state=0)
    >>> search = search.fit(load_wine().data)
    >>> len(search.results_["fitness"]), search.best_estimator_.encode(load_wine().data).shape[0]
    (4, 178)
    >>> 0.0 < search.test_error_ < 1.0
    True
    """

    strategy: str = "de"
    _: KW_ONLY
    space: Any = None
    budget: Any = 40
    alpha: float = 0.01
    complexity: str = "relative"
    objective: Any = "reconstruction"
    autoencoder: Any = None
    modality: Any = "auto"
    scaling: str = "auto"
    cv: int | None = None
    test_fraction: float = 0.2
    validation_fraction: float = 0.2
    preset: str | None = None
    n_jobs: int | str = 1
    cache: Any = None
    callbacks: Any = ()
    random_state: Any = None
    verbose: int = 0

    def fit(self, X: Any, y: Any = None) -> Self:
        """Search on the rows of X.

        Parameters
        ----------
        X : table, pictures or sequences in memory
        y : array of shape (n,), optional
            What is known of each row, for an `objective` that scores codes; otherwise it is ignored.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            For parameters or data that make no sense, naming them.
        RuntimeError
            If no candidate worked, with the reason of the first.
        KeyboardInterrupt
            If it is interrupted before the first candidate is done; later on the best so far is kept.
        """
        asking.check(self)
        base, budget = asking.base_of(self), Budget.of(self.budget)
        scored = asking.scorer_of(self.objective) is not None
        remember_columns(self, X, reset=True)
        seed, count = as_seed(self.random_state), rows_of(X)
        if scored and y is not None:
            check_consistent_length(X, y)
        elif isinstance(self.objective, str) and scored:
            raise ValueError(f"objective={self.objective!r} scores codes by what is known of each row: fit(X, y)")
        split = Split.of(count, test=self.test_fraction, validation=self.validation_fraction, cv=self.cv, seed=seed)
        seen, known = taken(X, split.seen), taken(y, split.seen) if scored and y is not None else None
        study = self._study(base, budget, seen, known, split, seed)
        self.space_, self.test_rows_ = study.bench.space, split.test
        self._search(study, seed)
        self._conclude(study, X, y, split, seed)
        return self

    # -- preparation ------------------------------------------------------------------------------------------------

    def _study(self, base: Autoencoder, budget: Budget, seen: Any, known: Any, split: Split, seed: int) -> Study:
        packed = Packed(seen, clone(base))
        rows = packed.take(np.arange(len(packed)))
        self.n_features_in_ = packed.schema.n_columns
        space = asking.space_of(self.space, base, packed.schema, rows)
        relative, engine = self.complexity == "relative", engine_of(base, len(split.folds[0][0]), budget)
        scorer = asking.scorer_of(self.objective)
        bench = Bench(seen, known, split.folds, space, scorer, relative, seed, engine, self.alpha)
        settings = {
            "data": asking.digest_of(rows, known),
            "split": [self.test_fraction, self.validation_fraction, self.cv],
            "seed": seed,
            "base": asking.shared_by(base),
            "kind": type(base).__name__,
            "engine": engine,
            "objective": asking.name_of(self.objective, self.cache),
            "complexity": self.complexity,
            "versions": versions(),
        }
        jobs = os.cpu_count() or 1 if self.n_jobs == -1 else self.n_jobs
        callbacks = as_callbacks(self.callbacks)
        return Study(bench, budget, Cache(self.cache), settings, callbacks, jobs)

    # -- search -----------------------------------------------------------------------------------------------------

    def _search(self, study: Study, seed: int) -> None:
        space, rng = study.bench.space, np.random.default_rng([seed, 0x5ED])
        paper = self.preset == "paper"
        known = [] if paper else [space.vector(genome) for genome in space.anchors()]
        anchors = np.array(known).reshape(len(known), len(space.free))
        plan = Plan(study.budget.candidates, anchors, paper, study.used if study.budget.seconds else None)
        total = int(study.budget.candidates or study.budget.seconds or 1)
        with progress(total, self.verbose, "search") as bars, study.at_work():
            for bar in bars:
                study.callbacks = [*study.callbacks, _shown(bar, study.budget)]
            try:
                if not space.free:
                    study(np.empty((1, 0)))
                    study.stopped = "nothing new"
                    return
                STRATEGIES[self.strategy](study, space, rng, plan)
                study.stopped = study.stopped or "nothing new"
            except Spent:
                pass
            except KeyboardInterrupt:
                study.stopped = "interrupted"
                if study.best is None:
                    raise
            except WorkerError as error:
                if study.best is None:
                    raise
                study.stopped = "a worker died"
                warnings.warn(f"{error}; the best so far is kept", UserWarning, stacklevel=3)

    # -- conclusion -------------------------------------------------------------------------------------------------

    def _conclude(self, study: Study, X: Any, y: Any, split: Split, seed: int) -> None:
        """Keep what was found: the best one trained on all rows but the test part, which then tells its error."""
        trials = list(study.trials.values())
        ranked = sorted(range(len(trials)), key=lambda at: (*trials[at].order, at))
        ranked = [at for at in ranked if math.isfinite(trials[at].fitness)]
        self.results_, self.stopped_ = results(trials, ranked), study.stopped
        seen, reasons = taken(X, split.seen), [trial.record["reason"] for trial in trials]
        for at in ranked[:5]:
            try:
                self.best_estimator_ = self._trained(study.bench.space, trials[at], seen, seed)
                if self.best_estimator_.stopped_ == "interrupted":
                    self.stopped_ = "interrupted"
            except FAULTS as fault:
                reasons = [str(fault)]
                continue
            break
        else:
            raise RuntimeError(f"ArchitectureSearch: none of {len(trials)} candidates worked; the first: {reasons[0]}")
        self.best_index_, self.best_params_ = at, dict(trials[at].genome)
        self.best_score_ = -float(trials[at].record["error"])
        self.test_error_ = self._tested(study.bench, seen, taken(X, split.test))
        self.test_score_ = -self.test_error_
        if study.bench.scorer is not None:
            whole = Bench(X, y, ((split.seen, split.test),), study.bench.space, study.bench.scorer)
            self.test_score_ = self._scored(whole, np.arange(len(split.seen)))

    def _scored(self, whole: Bench, rows: np.ndarray) -> float:
        """The winner's score on the test rows; NaN, and a warning, where these have none."""
        try:
            return -whole.worth(0, self.best_estimator_, rows)
        except FAULTS as fault:
            warnings.warn(
                f"objective={self.objective!r} cannot be told of the test rows ({fault}); test_score_ is NaN",
                UserWarning,
                stacklevel=4,
            )
            return math.nan

    @staticmethod
    def _trained(space: Space, trial: Trial, seen: Any, seed: int) -> Autoencoder:
        """The winner, on training and validation rows: for the epochs that were best, as nothing is held out."""
        parameters: dict[str, Any] = {"random_state": seed}
        if trial.share == WHOLE and not trial.record["reason"]:
            parameters |= {"epochs": int(trial.record["epochs"]), "validation_fraction": 0.0}
        made = space.estimator(trial.genome, **parameters)
        made.fit(seen)
        return made

    def _tested(self, bench: Bench, seen: Any, test: Any) -> float:
        """The winner's reconstruction error on the test rows."""
        packed = Packed(seen, clone(bench.space.base))
        reference, own = packed.schema, self.best_estimator_.schema_
        rows, truth = own.pack(test), reference.pack(test)
        out = in_units(reflected([self.best_estimator_], rows), own, reference, rows, truth)
        return error_of(truth, out, packed.take(np.arange(len(packed))) if bench.relative else None)

    def winner(self) -> Autoencoder:
        """The best autoencoder unfitted, as applications take it: `AnomalyDetector(autoencoder=search)`.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the search has not been fitted.
        """
        found: Autoencoder = clone(self._found())
        return found

    # -- use --------------------------------------------------------------------------------------------------------

    def _found(self) -> Autoencoder:
        check_is_fitted(self, "best_estimator_")
        found: Autoencoder = self.best_estimator_
        return found

    def transform(self, X: Any) -> Any:
        """Rows → codes of the winner."""
        found = self._found()
        remember_columns(self, X, reset=False)
        return found.transform(X)

    def inverse_transform(self, Z: Any) -> Any:
        """Codes of the winner → rows."""
        return self._found().inverse_transform(Z)

    def reconstruct(self, X: Any) -> Any:
        """Rows → what the winner makes of them."""
        return self._found().reconstruct(X)

    def score(self, X: Any, y: Any = None) -> float:
        """Minus the winner's mean error; see `Autoencoder.score`."""
        return self._found().score(X)

    @property
    def _n_features_out(self) -> int:
        size: int = self._found().code_size_
        return size

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.string = tags.input_tags.categorical = True
        tags.transformer_tags.preserves_dtype = []
        return tags


def _shown(bar: Callable[[dict[str, float]], None], budget: Budget) -> Callable[[dict[str, Any]], None]:
    """A progress bar that is told of a search."""

    def show(record: dict[str, Any]) -> None:
        done = record["spent"] if budget.candidates else record["seconds"]
        bar({"epoch": done} | ({} if record["best"] is None else {"loss": record["best"]}))

    return show
