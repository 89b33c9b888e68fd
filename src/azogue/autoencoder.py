"""`Autoencoder`: parameters → session → fit, encode, decode, errors, save."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from azogue.inference import Profile, Reader, by_column, calibrate, joined
from azogue.metrics import as_metrics, measurer
from azogue.modalities.base import Pieces
from azogue.optimizers import Constant
from azogue.persistence import Persistent
from azogue.planning import Plan, describe, make_plan
from azogue.recipe import Batch
from azogue.sampling import Sampling
from azogue.session import Axes, Session, as_seed, open_session, place
from azogue.training.backends import backend_for
from azogue.training.callbacks import CallbackSupportMixin, as_callbacks, progress, sklearn_callbacks, with_callbacks
from azogue.training.checkpoint import Checkpoint, locked
from azogue.training.data import Rows
from azogue.training.loop import Run, train
from azogue.training.state import State, start
from azogue.validation import remember_columns


@dataclass(eq=False, repr=False)
class Autoencoder(
    Sampling,
    CallbackSupportMixin,  # type: ignore[misc, unused-ignore]
    Persistent,
    ClassNamePrefixFeaturesOutMixin,  # type: ignore[misc]
    TransformerMixin,  # type: ignore[misc]
    BaseEstimator,  # type: ignore[misc]
):
    """A network that learns to reproduce its input through a code: `min Σ d(x, g(f(x)))`.

    Parameters
    ----------
    network : int, tuple, layers, pair of modules or "auto"
        The code's size; widths down to the code (mirrored); fractions of the input's width; a stack such as
        `Input() + Dense(64, "relu") + Dense(2) + Output()`; an (encoder, decoder) pair. `"auto"` takes a quarter of
        the columns, at most 32, as the code, behind two hidden layers (`layers.auto_hidden`).
    code : CodeSpec or None
        What the code layer does, such as `codes.TopK(8)`. None: what the variant says, here the plain values.
    corruption : Corruption, str or None
        What is done to the input while training, such as `corruptions.Gaussian(0.2)` or `"gaussian"`.
    objective : str, Term or None
        Replaces the distance between input and reconstruction; penalties add up. None: each column's natural loss.
    modality : "auto", "table" or a modality
    scaling : {"auto", "standard", "minmax", "robust", "none"}
        How numeric columns are scaled. `"auto"` standardises, and maps skewed or heavy-tailed columns through quantile
        knots.
    epochs : int
        Passes over the rows, at most.
    batch_size : int or "auto"
        `"auto"` is the power of two nearest to √rows, between 16 and 256.
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
    deterministic : bool
        Ask torch for deterministic algorithms wherever it has a choice.
    checkpoint : path or None
        File that holds the whole state of training, replaced after each epoch.
    resume : bool
        Go on from `checkpoint` to the very bits of an uninterrupted run.
    random_state : int, numpy generator or None
    metrics : str, function or sequence of them
        Measured after each epoch in scaled units: `mse, rmse, mae, r2, binary_accuracy` or `(x, out, mask) → float`.
    callbacks : sequence of callable
        Called after each epoch with its record; returning `True` stops training.
    verbose : int
        1 shows progress on a terminal, 2 leaves it there.

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
        The seed that was used.
    stopped_ : str
        What ended training before its last epoch, empty if nothing did.
    recipe_, network_spec_, code_ : specs
        What was trained, as values.
    error_profile_ : dict
        Each column's usual error on the training rows, and quantiles of the rows' errors relative to it.
    code_quantiles_ : ndarray, shape (101, code size)
        Percentiles of each unit of the training rows' codes.

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
    deterministic: bool = False
    checkpoint: Any = None
    resume: bool = False
    random_state: Any = None
    metrics: Any = ()
    callbacks: Any = ()
    verbose: int = 0

    def axes(self) -> Axes:
        """What this variant chooses on each axis where the user chooses nothing."""
        return Axes()

    # -- training ---------------------------------------------------------------------------------------------------

    @with_callbacks  # type: ignore[untyped-decorator, unused-ignore]
    def fit(self, X: Any, y: Any = None, *, validation_data: Any = None) -> Self:
        """Train on the rows of `X`.

        Parameters
        ----------
        X : table, shape (n, columns)
            Array, pandas, polars or pyarrow; numbers, booleans, texts, categories, dates; missing cells allowed.
        y : ignored
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
        if self.checkpoint is None:
            self._fit(X, validation_data)
        else:
            with locked(self.checkpoint):
                self._fit(X, validation_data)
        return self

    def _fit(self, X: Any, validation_data: Any) -> None:
        remember_columns(self, X, reset=True)
        file = None if self.checkpoint is None else Checkpoint(self.checkpoint)
        seed = file.seed() if file is not None and self.resume and self.random_state is None else None
        session = open_session(self, X, validation_data, as_seed(self.random_state) if seed is None else seed)
        state = start(session.network, session.recipe)
        if file is not None:
            file.bind(session, state, resume=self.resume)
        with self._run(session, state) as run:
            run.save = None if file is None else file.save
            train(run, session.backend)
        self._adopt(session, state)
        self._calibrate(session.data)

    @contextmanager
    def _run(self, session: Session, state: State) -> Iterator[Run]:
        """A session as a run of the loop, with everybody who wants to hear of it."""
        self._pretrain(session, state.epoch == 0)
        epochs, title = session.recipe.epochs, type(self).__name__
        with sklearn_callbacks(self, epochs) as theirs, progress(epochs, self.verbose, title) as bars:
            callbacks = [*bars, *as_callbacks(self.callbacks), *theirs]
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
        y : ignored

        Returns
        -------
        self
        """
        if not hasattr(self, "network_"):
            remember_columns(self, X, reset=True)
            session = open_session(self, X, None, as_seed(self.random_state))
            self._pretrain(session, True)
            self._adopt(session, start(session.network, session.recipe))
        data = place(self._pack(X), self.network_)
        if getattr(self, "_state", None) is None:
            self._state = start(self.network_, self.recipe_)
            self._state.epoch, self._state.history = len(self.history_), self.history_
        state: State = self._state
        state.kept, state.stopped = None, ""
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
        self._state = state

    def _calibrate(self, data: Rows, known: Profile | None = None) -> None:
        """Keep the distribution of the training rows' errors: what is usual, for whoever judges new rows."""
        codes = getattr(self, "code_quantiles_", None)
        self.error_profile_, self.code_quantiles_ = calibrate(self._reader, self.schema_, data, known, codes)

    @property
    def _reader(self) -> Reader:
        check_is_fitted(self, "network_")
        return Reader(self.network_, self.recipe_.objective)

    def _pack(self, X: Any) -> Batch:
        check_is_fitted(self, "network_")
        remember_columns(self, X, reset=False)
        return self.schema_.pack(X)

    def _pieces(self, X: Any) -> Batch | Pieces:
        reader = self._reader
        remember_columns(self, X, reset=False)
        return reader.packed(self.schema_, X)

    # -- use --------------------------------------------------------------------------------------------------------

    def transform(self, X: Any) -> Any:
        """Rows → their codes.

        Parameters
        ----------
        X : table, shape (n, columns)

        Returns
        -------
        ndarray of float32, shape (n, code size), or what `set_output` asked for
        """
        return self._reader.codes(self._pieces(X)).numpy()

    def encode(self, X: Any) -> Any:
        """Rows → their codes; `transform` under its own name."""
        return self.transform(X)

    def inverse_transform(self, Z: Any) -> Any:
        """Codes → rows in the user's kind of object, units, columns and dtypes.

        Parameters
        ----------
        Z : array, shape (n, code size)

        Raises
        ------
        ValueError
            For codes of another width.
        """
        check_is_fitted(self, "network_")
        codes = torch.as_tensor(np.array(Z, dtype=np.float32))
        if codes.ndim != 2 or codes.shape[1] != self.code_size_:
            raise ValueError(f"decode: expected codes of shape (n, {self.code_size_}), got {tuple(codes.shape)}")
        return self.schema_.unpack(self._reader.decoded(codes))

    def decode(self, Z: Any) -> Any:
        """Codes → rows; `inverse_transform` under its own name."""
        return self.inverse_transform(Z)

    def reconstruct(self, X: Any) -> Any:
        """Rows → what the network makes of them, as the same kind of object with the same row labels.

        Missing cells come back filled with what the network expects there.
        """
        rows = self._pieces(X)
        return self.schema_.unpack(Batch(self._reader.reconstructed(rows), None, rows.rows))

    def errors(self, X: Any, *, per_feature: bool = False) -> np.ndarray:
        """How badly each row is reconstructed, in the units of the objective; higher is worse.

        Parameters
        ----------
        X : table, shape (n, columns)
        per_feature : bool
            One error a cell instead of a row's weighted mean over its observed cells.

        Returns
        -------
        ndarray of float64, shape (n,) or (n, columns)
            NaN for missing cells and columns never observed in training.
        """
        rows = self._pieces(X)
        if per_feature:
            return joined(by_column(self._reader.cell_errors(rows), self.schema_), len(rows))
        return self._reader.errors(rows).double().numpy()

    def cell_errors(self, X: Any) -> Iterator[np.ndarray]:
        """`errors(X, per_feature=True)`, some rows at a time: for whoever makes something smaller of them."""
        return by_column(self._reader.cell_errors(self._pieces(X)), self.schema_)

    def score(self, X: Any, y: Any = None) -> float:
        """Minus the mean error: higher is better, as model selection expects."""
        return -float(self.errors(X).mean())

    def evaluate(self, X: Any, metrics: Any = ("mse", "mae", "r2")) -> dict[str, float]:
        """The mean objective's reconstruction (`error`) and metrics over rows, in scaled units.

        Parameters
        ----------
        X : table, shape (n, columns)
        metrics : str, function or sequence of them
        """
        batch = self._pack(X)
        out = self._reader.reconstructed(batch)
        found = {name: float(metric(batch.x, out, batch.mask)) for name, metric in as_metrics(metrics).items()}
        return {"error": float(self._reader.errors(batch).double().mean()), **found}

    def plan(self, X: Any) -> Plan:
        """What `fit(X)` would do, before it does it: heads, scaling, code, terms, back end, parameters, time, memory.

        A few steps are timed on a copy; nothing of the estimator changes.
        """
        return make_plan(open_session(self, X, None, seed=0))

    def summary(self) -> str:
        """The fitted network as text: layers, shapes, parameters."""
        check_is_fitted(self, "network_")
        return describe(self.network_, type(self).__name__)

    def to_keras(self) -> Any:
        """The fitted network as Keras 3 models `(encoder, decoder, autoencoder)` over scaled rows; extra `keras`.

        See `azogue.keras.to_keras`.
        """
        from azogue.keras import to_keras

        return to_keras(self)

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_state": None}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.string = tags.input_tags.categorical = True
        tags.transformer_tags.preserves_dtype = []
        return tags

    @property
    def _n_features_out(self) -> int:
        return self.code_size_
