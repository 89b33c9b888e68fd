"""`Autoencoder`: parameters → session → fit, encode, decode, errors, save."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, Self

from sklearn.base import BaseEstimator

from azogue.inference import Profile, calibrate
from azogue.metrics import as_metrics, measurer
from azogue.optimizers import Constant
from azogue.persistence import Persistent
from azogue.planning import Plan, make_plan
from azogue.private import Guarantee
from azogue.recipe import Batch
from azogue.reflecting import Reflecting
from azogue.sampling import Sampling
from azogue.session import Axes, Session, accompanied, as_seed, open_session, place
from azogue.training.backends import backend_for
from azogue.training.callbacks import (
    CallbackSupportMixin,
    as_callbacks,
    progress,
    sklearn_callbacks,
    watchers,
    with_callbacks,
)
from azogue.training.checkpoint import Keeper, as_checkpoint, locked
from azogue.training.data import Rows
from azogue.training.loop import Run, train
from azogue.training.signals import heeding
from azogue.training.state import State, start
from azogue.training.team import agreed, leads
from azogue.validation import remember_columns


@dataclass(eq=False, repr=False)
class Autoencoder(
    Sampling,
    CallbackSupportMixin,  # type: ignore[misc, unused-ignore]
    Persistent,
    Reflecting,
    BaseEstimator,  # type: ignore[misc]
):
    """A network that learns to reproduce its input through a code: `min Σ d(x, g(f(x)))`.

    Parameters
    ----------
    network : int, tuple, layers, pair of modules or "auto"
        The code's size; widths down to the code (mirrored); fractions of the input's width; a stack such as
        `Input() + Dense(64, "relu") + Dense(2) + Output()`; an (encoder, decoder) pair. `"auto"` takes a quarter of
        the columns, at most 32, as the code, behind two hidden layers (`layers.auto_layers`).
    code : CodeSpec or None
        What the code layer does, such as `codes.TopK(8)`. None: what the variant says, here the plain values.
    corruption : Corruption, str or None
        What is done to the input while training, such as `corruptions.Gaussian(0.2)` or `"gaussian"`.
    objective : str, Term or None
        Replaces the distance between input and reconstruction; penalties add up. None: each column's natural loss.
    modality : {"auto", "table", "image", "sequence", "text"} or a modality such as `modalities.Sequence(window=256)`
        `"auto"` goes by the type, dimensions and dtype of X: see `modalities.kind_of`.
    scaling : {"auto", "standard", "minmax", "robust", "none"}
        How numeric columns are scaled. `"auto"` standardises, and maps skewed or heavy-tailed columns through quantile
        knots; signals are standardised channel by channel, pictures brought to [0, 1].
    epochs : int
        Passes over the rows, at most.
    batch_size : int or "auto"
        `"auto"` is the power of two nearest to √rows, between 16 and 256; with privacy a fifth of the rows, at most
        4096, since noise counts less in a large sum.
    optimizer : {"adam", "sgd", "rmsprop"} or Optimizer
    learning_rate : float or Schedule
        A number is held over half of the run and then falls to 0 along a cosine.
    weight_decay : float
        Decoupled decay of weight matrices.
    validation_fraction : float
        Rows held out to stop early; 0 trains on all.
    patience : int or None
        Epochs without improvement on held-out rows before training stops and the best weights are restored.
    device : "auto" or torch device
    precision : {"auto", "float32", "bfloat16", "float64"}
    engine : {"auto", "native", "torch"}
        `"native"` trains by compiled steps (extra `speed`) wherever all parts have a compiled formula: stacks of dense
        layers without dropout or normalisation, one distance, a plain code. `"auto"` does so where that is installed
        and the run may be so long that loading it pays, 4,000 small steps. Both end alike, but for rounding.
    deterministic : bool
        Ask torch for deterministic algorithms wherever it has a choice.
    checkpoint : path, Checkpoint or None
        File that holds the whole state of training, replaced after each epoch; `az.Checkpoint(path, minutes=10)` says
        how often. The state before stays in `PATH.1`, the best in `PATH.best`.
    resume : bool
        Go on from `checkpoint`, where there is one, to the very bits of an uninterrupted run.
    random_state : int, numpy generator or None
    metrics : str, function or sequence of them
        Measured after each epoch in scaled units: `mse, rmse, mae, r2, binary_accuracy` or `(x, out, mask) → float`.
    callbacks : sequence of callable
        Called after each epoch with its record; returning `True` stops training.
    verbose : int
        1 shows progress on a terminal, 2 leaves it there.
    privacy : Privacy or None
        A budget of differential privacy, such as `Privacy(2.0)`. Then all rows are trained on, nothing is told of
        their losses, and neither profile nor quantiles of them are kept: those of public `validation_data` are. The
        rows of a step and the noise come from a key of the operating system that nothing keeps; with `random_state`
        they can be repeated, and subtracted, by whoever knows it, so that no file holds it.

    Attributes
    ----------
    history_ : list of dict
        A record for each epoch: `epoch`, `loss`, `val_loss`, terms, metrics, `seconds`.
    network_ : torch.nn.Module
        With `.encoder` and `.decoder`.
    schema_ : TableSchema
        How rows are packed for the network and unpacked from it.
    code_size_ : int
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Where the columns have names.
    seed_ : int
        The seed that was used; 0 where training was private.
    stopped_ : str
        What ended training before its last epoch, empty if nothing did.
    recipe_, network_spec_, code_ : specs
        What was trained, as values.
    error_profile_ : dict
        Each column's usual error on the training rows, and quantiles of the rows' errors relative to it.
    code_quantiles_ : ndarray, shape (101, code size)
        Percentiles of each unit of the training rows' codes.
    privacy_ : Guarantee or None
        What a private training kept; `privacy_.statement()` says it in words.

    Examples
    --------
    >>> import azogue as az
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> ae = az.Autoencoder(2, epochs=20, random_state=0).fit(X)
    >>> ae.encode(X).shape
    (150, 2)
    >>> ae.reconstruct(X).shape
    (150, 4)
    """

    network: Any = "auto"
    _: KW_ONLY
    code: Any = None
    corruption: Any = None
    objective: Any = None
    modality: Any = "auto"
    scaling: str = "auto"
    epochs: int = 100
    batch_size: Any = "auto"
    optimizer: Any = "adam"
    learning_rate: Any = 1e-3
    weight_decay: float = 0.0
    validation_fraction: float = 0.1
    patience: int | None = 10
    device: Any = "auto"
    precision: str = "auto"
    engine: str = "auto"
    deterministic: bool = False
    checkpoint: Any = None
    resume: bool = False
    random_state: Any = None
    metrics: Any = ()
    callbacks: Any = ()
    verbose: int = 0
    privacy: Any = None

    def axes(self) -> Axes:
        """What this variant chooses on each axis where the user chooses nothing."""
        return Axes()

    # -- training ---------------------------------------------------------------------------------------------------

    @with_callbacks  # type: ignore[untyped-decorator, unused-ignore]
    def fit(self, X: Any, y: Any = None, *, validation_data: Any = None) -> Self:
        """Train on the rows of `X`.

        Parameters
        ----------
        X : table, pictures, sequences or texts
            A table is an array, pandas, polars or pyarrow frame of numbers, booleans, texts, categories, dates, with
            missing cells. Pictures are arrays (n, h, w) of bytes, any (n, h, w, c) or (n, c, h, w), or a folder of
            picture files; sequences are arrays (n, t, c), lists of arrays, long series, WAV files; texts are strings.
        y : array of numbers, shape (n,), or rows like X, optional
            Class numbers from 0, or values, for an objective with a term that asks for them; the corrupted rows where
            `corruption=corruptions.Paired()`. Otherwise it is ignored.
        validation_data : table, optional
            Rows for early stopping, instead of a part of `X`.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            For data or parameters that make no sense, naming the column or the parameter.
        FloatingPointError
            If the first epoch ends in NaN.

        Warns
        -----
        TrainingWarning
            If training was interrupted or turned NaN later on: the best weights so far are kept.
        """
        if self.checkpoint is None or not leads():
            self._fit(X, y, validation_data, None)
        else:
            where = as_checkpoint(self.checkpoint)
            with locked(where):
                self._fit(X, y, validation_data, Keeper(where, resume=self.resume))
        return self

    def _fit(self, X: Any, y: Any, validation_data: Any, keeper: Keeper | None) -> None:
        remember_columns(self, X, reset=True)
        seed = as_seed(self.random_state, None if keeper is None else keeper.seed)
        session = open_session(self, X, validation_data, seed, y=y)
        state = start(session.network, session.recipe)
        fresh = keeper is None or not keeper.bind(session, state)
        with heeding(keeper), self._run(session, state, fresh) as run:
            run.save = None if keeper is None else keeper.begin(state, fresh and session.pretraining is not None)
            train(run, session.backend)
        self._adopt(session, state)
        if session.recipe.privacy is None:
            self._calibrate(session.data)
        else:
            self._forget(session.validation)

    @contextmanager
    def _run(self, session: Session, state: State, fresh: bool = True) -> Iterator[Run]:
        """A session as a run of the loop, with everybody who wants to hear of it."""
        self._pretrain(session, agreed(fresh))
        epochs, title = session.recipe.epochs, type(self).__name__
        with sklearn_callbacks(self, epochs) as theirs, progress(epochs, self.verbose, title) as bars:
            callbacks = [*bars, *as_callbacks(self.callbacks), *theirs, *watchers(epochs)]
            measure = measurer(session, as_metrics(self.metrics))
            yield Run(state, session.data, session.validation, callbacks, measure)

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """One more epoch on the rows of `X`; the first call settles schema and network from its rows.

        Nothing is held out, the learning rate is the run's highest, and the optimiser goes on where it was (afresh
        after `az.load`). Of the parameters, `callbacks` applies; `metrics` and `checkpoint` are for whole runs. The
        profile of errors becomes that of all rows seen so far.

        Parameters
        ----------
        X : table, shape (n, columns)
        y : array of numbers, shape (n,), optional
            As in `fit`.

        Returns
        -------
        self
        """
        if self.privacy is not None or getattr(self, "privacy_", None) is not None:
            raise ValueError("partial_fit: each epoch would spend more of the privacy budget; use fit, which plans all")
        if not hasattr(self, "network_"):
            remember_columns(self, X, reset=True)
            session = open_session(self, X, None, as_seed(self.random_state), y=y)
            self._pretrain(session, True)
            self._adopt(session, start(session.network, session.recipe))
        recipe = self.recipe_
        packed = accompanied(self._stored(X), self.schema_, recipe.objective, recipe.corruption, y)
        data = place(packed, self.network_)
        if getattr(self, "_state", None) is None:
            self._state: State | None = start(self.network_, self.recipe_)
            self._state.epoch, self._state.history = len(self.history_), self.history_
        state: Any = self._state
        state.kept, state.stopped, state.within, state.sums = None, "", 0, {}
        rate = max(self.recipe_.schedule(part / 100) for part in range(101))
        state.recipe = replace(self.recipe_, epochs=state.epoch + 1, schedule=Constant(rate))
        train(Run(state, data, callbacks=as_callbacks(self.callbacks)), backend_for(self.network_, state.recipe))
        self._calibrate(data, getattr(self, "error_profile_", None))
        return self

    def _pretrain(self, session: Session, fresh: bool) -> None:
        """Do what comes before the loop, unless a checkpoint holds its result already."""
        if session.pretraining is not None:
            self.pretraining_ = session.pretraining(session) if fresh else []

    def _adopt(self, session: Session, state: State) -> None:
        """Take over what training made."""
        self.schema_, self.recipe_, self.network_spec_ = session.schema, session.recipe, session.spec
        self.network_, self.code_, self.history_ = session.network, session.code, state.history
        self.stopped_, self.code_size_ = state.stopped, session.network.size
        self.seed_ = session.recipe.seed
        self.n_features_in_ = session.schema.n_columns
        self._state = state

    def _calibrate(self, data: Rows, known: Profile | None = None) -> None:
        """Keep the distribution of the training rows' errors: what is usual, for whoever judges new rows."""
        codes = getattr(self, "code_quantiles_", None)
        self.error_profile_, self.code_quantiles_ = calibrate(self._reader, self.schema_, data, known, codes)

    @property
    def privacy_(self) -> Guarantee | None:
        """What a private training kept; None where it was not private."""
        kept: Guarantee | None = self.recipe_.privacy
        return kept

    def _forget(self, public: Batch | Rows | None) -> None:
        """Keep nothing but weights of private rows, nor what noise could be drawn from again."""
        self.recipe_, self.seed_, self._state = replace(self.recipe_, seed=0), 0, None
        for name in ("error_profile_", "code_quantiles_"):
            if hasattr(self, name):
                delattr(self, name)
        if public is not None:
            self._calibrate(public if isinstance(public, Rows) else Rows(public))

    def plan(self, X: Any, y: Any = None) -> Plan:
        """What `fit(X)` would do, before it does it: heads, scaling, code, terms, back end, parameters, time, memory.

        A few steps are timed on a copy; nothing of the estimator changes.
        """
        return make_plan(open_session(self, X, None, seed=0, y=y))

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_state": None}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.string = tags.input_tags.categorical = True
        tags.transformer_tags.preserves_dtype = []
        return tags
