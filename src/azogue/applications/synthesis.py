"""Use 8, synthesis: new rows of a table, as asked for, from a network that tells hidden cells from the others."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from sklearn.base import TransformerMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from azogue import autoregression
from azogue.applications.accepting import Draw, accepted, chained, decoded
from azogue.applications.conditioning import conditions
from azogue.applications.constraining import check, constraints_of
from azogue.applications.owner import Application, owned, unfitted
from azogue.applications.writing import Writing
from azogue.autoencoder import Autoencoder
from azogue.corruptions import Hiding
from azogue.layers import Bottleneck, Dense, LayerNorm, NetworkSpec, Output, Residual
from azogue.modalities import Coded, CodedSchema
from azogue.modalities.columns import values
from azogue.modalities.reading import read
from azogue.optimizers import Adam, Cosine
from azogue.session import as_seed
from azogue.synthetic import SyntheticReport, evaluate_synthetic
from azogue.validation import remember_columns
from azogue.variants import AdversarialAutoencoder, VariationalAutoencoder

METHODS = "auto", "masked", "variational", "adversarial"
#: Orders of the columns over which a row's log probability is averaged.
ORDERS = 4
#: Steps of training for 10,000 rows and fewer, and rows below which the network is smaller and drops units out.
STEPS, FEW = 2400, 1000
#: Codes of a column, at least and at most, where nobody says how many: a twentieth of the rows.
LEAST_BINS, MOST_BINS = 16, 100


@dataclass(eq=False, repr=False)
class Synthesizer(Writing, TransformerMixin, Application):  # type: ignore[misc]
    r"""Draws new rows like those of a mixed table: same columns, dtypes, categories, gaps and bounds.

    Every column becomes codes (`modalities.Coded`). A row is drawn from

    - `"masked"`: a network that saw rows with random sets of cells hidden and tells them from the others; columns are
      drawn one after another, in random order, each given those before it,

      .. math:: p(x) = \prod_k p(x_{o(k)} \mid x_{o(1)}, \dots, x_{o(k-1)})

    - `"variational"`: a draw from the prior of a variational autoencoder, decoded; `"adversarial"`: the same with an
      adversarial autoencoder. Given the code, columns are independent.

    Parameters
    ----------
    autoencoder : Autoencoder, FrozenEstimator or None
        Unfitted (cloned and fitted; where it has no modality of its own it gets `modalities.Coded`, and where it has
        neither prior nor corruption `corruptions.Hiding`), or fitted on coded tables inside
        `sklearn.frozen.FrozenEstimator`. None: one that suits the method.
    method : {"auto", "masked", "variational", "adversarial"}
        auto: "masked" for tables, "variational" for pictures and sequences. With an autoencoder of one's own it is
        whether its code has a prior that decides.
    bins : int or "auto"
        Codes of a column, at most; auto: a twentieth of the rows, at least 16 and at most 100.
    constraints : sequence of str
        What holds in every row: `"start <= end"`, `"total == price * count"`. A column that stands alone before `==` is
        computed. Rows that break one are drawn again.
    privacy : Privacy or None
        A budget of differential privacy for the training of the network (extra `privacy`). Codes, bounds and categories
        come from the rows all the same: see `Privacy(schema=)`.
    modality, scaling : see `Autoencoder`
        So are `random_state` and `verbose`. Codes need no scaling.

    Attributes
    ----------
    autoencoder_ : Autoencoder
    method_ : str
    tilt_ : dict of ndarray
        For each column, by its position, what is added to the log probabilities of its codes for drawn rows to have the
        frequencies of the training rows, where nothing is asked for; empty where these were private.

    Notes
    -----
    Drawn rows are new combinations, not copies, but what they tell of real ones is to be measured, not taken for
    granted: extreme values and rare categories are those of real rows.

    References
    ----------
    Uria, Murray & Larochelle (2014), A deep and tractable density estimator, ICML; Xu, Skoularidou, Cuesta-Infante &
    Veeramachaneni (2019), Modeling tabular data using conditional GAN, NeurIPS, for mode-specific numbers; Kingma &
    Welling (2014); Makhzani et al. (2015), Adversarial autoencoders.

    Examples
    --------
    >>> import azogue as az
    >>> import pyarrow as pa
    >>> table = pa.table({"city": ["Jaén", "Cádiz"] * 30, "year": list(range(1960, 2020))})
    >>> model = az.Synthesizer(az.Autoencoder(8, epochs=3), random_state=0).fit(table)
    >>> drawn = model.sample(5, where={"city": "Jaén", "year": ">=2000"})
    >>> drawn.schema.equals(table.schema), set(drawn["city"].to_pylist()), min(drawn["year"].to_pylist()) >= 2000
    (True, {'Jaén'}, True)
    """

    _: KW_ONLY
    method: str = "auto"
    bins: Any = "auto"
    constraints: Any = ()
    privacy: Any = None

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn what rows are like.

        Parameters
        ----------
        X : table, shape (n, columns); pictures, sequences
        y : ignored

        Raises
        ------
        ValueError, TypeError
            For parameters or data that make no sense, and constraints that rows break; naming them.
        """
        if self.method not in METHODS:
            raise ValueError(f"method: expected one of {', '.join(METHODS)}, got {self.method!r}")
        remember_columns(self, X, reset=True)
        seed, table = as_seed(self.random_state), self._kind(X) == "table"
        given = constraints_of(self.constraints)
        if given and not table:
            raise ValueError("constraints: they are between columns of a table")
        if table and given:
            self._check_rows(X, given)
        method = ("masked" if table else "variational") if self.method == "auto" else self.method
        if not table and method == "masked":
            raise ValueError("method: 'masked' is for tables; use 'variational' or 'adversarial' for these data")
        self.autoencoder_ = owned(self._prepared(X, method, table), self._default(X, method, table), X, seed)
        if table and not isinstance(self.autoencoder_.schema_, CodedSchema):
            raise ValueError(
                "autoencoder: a table is drawn from codes; fit it with modality=modalities.Coded(), or give it unfitted"
            )
        prior = self.autoencoder_.code_.has_prior
        if not table and not prior:
            raise ValueError(
                f"autoencoder: {self.autoencoder_.code_!r} has no prior to draw from; use a VariationalAutoencoder"
            )
        self.method_ = method if self.autoencoder is None else "decoded" if prior else "masked"
        self.tilt_ = self._tilted(X, seed) if self.method_ == "masked" else {}
        self.n_features_in_ = self.autoencoder_.n_features_in_
        self.seed_ = seed if self.privacy is None else 0
        return self

    def sample(self, n: int = 1, *, where: Any = None, random_state: Any = None) -> Any:
        """New rows.

        Parameters
        ----------
        n : int
        where : mapping of column to condition, optional
            A value, a list of values, (low, high) with both ends, a slice, a text of bounds such as `">=40, <50"` or
            `"!=x"`, or None for missing. Every row satisfies all; its other columns follow what they are likely to be
            then.
        random_state : int, numpy generator or None
            None: the seed of the fit, so that each call gives the same rows.

        Returns
        -------
        table, pictures or sequences, like those of the fit

        Raises
        ------
        ValueError
            For conditions that no row can satisfy; naming them.
        """
        check_is_fitted(self, "autoencoder_")
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 0:
            raise ValueError(f"sample: n must be a whole number of at least 0, got {n!r}")
        schema: Any = self.autoencoder_.schema_
        if not isinstance(schema, CodedSchema):
            if where is not None:
                raise ValueError("where: conditions are on the columns of a table")
            return self.autoencoder_.sample(int(n), random_state)
        rng = np.random.default_rng(self.seed_ if random_state is None else as_seed(random_state))
        asked = conditions(where, schema)
        weights = {one.column: one.within(schema).weights(schema.books[one.column]) for one in asked}
        weights = {at: own for at, own in weights.items() if len(own)}
        draw = self._draw(schema, weights, rng)
        return schema.write(accepted(draw, schema, int(n), asked, constraints_of(self.constraints), rng))

    def complete(self, X: Any, random_state: Any = None) -> Any:
        """Rows whose missing cells are drawn given their other cells; those that were observed stay as they are.

        Parameters
        ----------
        X : table, shape (n, columns)
        random_state : int, numpy generator or None
            None: the seed of the fit.

        Raises
        ------
        TypeError
            If rows are not drawn column by column.
        ValueError
            For categories that were not there when fitted.
        """
        schema = self._columns("complete")
        remember_columns(self, X, reset=False)
        rng = np.random.default_rng(self.seed_ if random_state is None else as_seed(random_state))
        source = read(X)
        codes = schema.codes(source)
        holes = np.stack([_gaps(column) for column in source.each()], 1)
        strange = [schema.labels[at] for at in schema.coded if ((codes[:, at] < 0) & ~holes[:, at]).any()]
        if strange:
            raise ValueError(
                f"complete: {', '.join(map(repr, strange))}: there are values that were not there when fitted"
            )
        codes[holes] = -1
        weights = {at: np.append(np.ones(book.values), 0.0) for at, book in enumerate(schema.books) if book.missing}
        network = self.autoencoder_.network_
        made, _ = autoregression.draw(network, schema, codes, rng, weights=weights)
        cells = [schema.settled(at, u) for at, u in enumerate(schema.drawn(made, rng))]
        own = [values(kind, column) for kind, column in zip(schema.table.columns, source.each(), strict=True)]
        cells = [np.where(gone, new, old) for gone, new, old in zip(holes.T, cells, own, strict=True)]
        return schema.write(cells, source.rows)

    def encode(self, X: Any) -> Any:
        """Rows → codes of the network, (n, units)."""
        check_is_fitted(self, "autoencoder_")
        return self.autoencoder_.encode(X)

    transform = encode

    def score_samples(self, X: Any) -> np.ndarray:
        """How probable each row is: higher is more usual, (n,).

        Drawn column by column: its log probability in nats over its known cells, numbers counting by the bin they lie
        in, the mean over four orders of the columns. Else minus the error of its reconstruction.
        """
        check_is_fitted(self, "autoencoder_")
        schema: Any = self.autoencoder_.schema_
        if self.method_ != "masked":
            return -np.asarray(self.autoencoder_.errors(X))
        remember_columns(self, X, reset=False)
        rng = np.random.default_rng(0)
        orders = [rng.permutation(schema.coded).tolist() for _ in range(ORDERS)]
        return autoregression.log_likelihood(self.autoencoder_.network_, schema, schema.codes(X), orders)

    def evaluate(self, real_train: Any, real_test: Any, synthetic: Any = None, **options: Any) -> SyntheticReport:
        """Judge drawn rows beside real ones; see `evaluate_synthetic` for the options.

        Parameters
        ----------
        real_train, real_test : table
            The rows of the fit, and others like them.
        synthetic : table, optional
            None: as many as `real_train` has, drawn now.
        """
        drawn = self.sample(len(real_train)) if synthetic is None else synthetic
        return evaluate_synthetic(real_train, real_test, drawn, **options)

    def interpolate(self, a: Any, b: Any, steps: int = 10) -> Any:
        """Rows, pictures or sequences on the line between the codes of `a` and `b`; see `Autoencoder.interpolate`."""
        check_is_fitted(self, "autoencoder_")
        return self.autoencoder_.interpolate(a, b, steps)

    @property
    def guarantee_(self) -> Any:
        """The guarantee of differential privacy that training kept; None where there was none."""
        return self.autoencoder_.privacy_

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        tags.input_tags.allow_nan = tags.input_tags.string = tags.input_tags.categorical = True
        return tags

    # -- how ----------------------------------------------------------------------------------------------------------

    def _draw(self, schema: CodedSchema, weights: Any, rng: np.random.Generator) -> Draw:
        network = self.autoencoder_.network_
        tilt = None if weights else self._tilt()  # other frequencies are right where something is asked for
        if self.method_ == "masked":
            return lambda n: chained(network, schema, n, weights, rng, tilt)
        return lambda n: decoded(network, schema, n, weights, rng)

    def _tilted(self, X: Any, seed: int) -> dict[str, np.ndarray]:
        """What brings the frequencies of the table back; nothing of private rows."""
        inner, schema = self.autoencoder_, self._columns("fit")
        if inner.privacy_ is not None:
            return {}
        rng = np.random.default_rng([seed, 1])
        found = autoregression.tilted(inner.network_, schema, schema.codes(X), rng)
        return {str(at): own.numpy() for at, own in found.items()}

    def _tilt(self) -> dict[int, torch.Tensor]:
        return {int(at): torch.from_numpy(own) for at, own in self.tilt_.items()}

    def _columns(self, name: str) -> CodedSchema:
        check_is_fitted(self, "autoencoder_")
        schema: Any = self.autoencoder_.schema_
        if self.method_ != "masked":
            raise TypeError(f"{name}: needs method='masked', which draws column by column; this is {self.method_!r}")
        assert isinstance(schema, CodedSchema)
        return schema

    def _check_rows(self, X: Any, given: Any) -> None:
        """Refuse constraints that the rows break."""
        schema = Coded().fit(X)
        cells = [values(kind, one) for kind, one in zip(schema.table.columns, read(X).each(), strict=True)]
        check(given, schema, cells)

    def _prepared(self, X: Any, method: str, table: bool) -> Any:
        """The autoencoder that was given, for codes and with hidden cells where it is told nothing else."""
        if self.autoencoder is None or isinstance(self.autoencoder, FrozenEstimator):
            if self.privacy is not None and self.autoencoder is not None:
                raise ValueError("privacy: nothing is trained where the autoencoder is fitted already")
            return self.autoencoder
        own: Any = clone(unfitted(self.autoencoder))
        if self.privacy is not None:
            own.set_params(privacy=self.privacy)
        if not table:
            return own
        if own.modality in ("auto", "table"):
            own.set_params(modality=self._coded(read(X).shape[0]), scaling="auto")
        axes = own.axes()
        code = axes.code if own.code is None else own.code
        if own.corruption is None and axes.corruption is None and not getattr(code, "has_prior", False):
            own.set_params(corruption=Hiding(0.0, 1.0))
        return own

    def _coded(self, rows: int) -> Coded:
        if isinstance(self.modality, Coded):
            return self.modality
        return Coded(int(np.clip(rows // 20, LEAST_BINS, MOST_BINS)) if self.bins == "auto" else self.bins)

    def _default(self, X: Any, method: str, table: bool) -> Autoencoder:
        """The autoencoder of a method."""
        shared: dict[str, Any] = {"privacy": self.privacy, "verbose": self.verbose}
        if not table:
            cls = AdversarialAutoencoder if method == "adversarial" else VariationalAutoencoder
            return cls(modality=self.modality, scaling=self.scaling, **shared)
        rows = read(X).shape[0]
        shared["modality"] = self._coded(rows)
        if method == "masked":
            return masked(rows, **shared)
        cls = AdversarialAutoencoder if method == "adversarial" else VariationalAutoencoder
        return latent(cls, rows, **shared)


def masked(rows: int, **settings: Any) -> Autoencoder:
    """The network that tells hidden cells from the others.

    Parameters
    ----------
    rows : int
        That it trains on.
    settings : parameters of `Autoencoder`
    """
    few = rows < FEW
    width, rate = (128, 0.2) if few else (256, 0.0)
    size = int(np.clip(2 ** round(math.log2(max(rows, 1) / 32)), 16, 256))
    steps = STEPS * math.sqrt(max(rows, 10_000) / 10_000)
    body = () if settings.get("privacy") else (Residual(rate=rate), Residual(rate=rate), LayerNorm())
    hidden = (Dense(width), *body) if body else (Dense(width, "silu"), Dense(width, "silu"))
    return Autoencoder(
        NetworkSpec((*hidden, Bottleneck(width // 2)), (), Output()),
        corruption=Hiding(0.0, 1.0),
        epochs=max(1, round(steps * size / max(rows, 1))),
        batch_size="auto" if settings.get("privacy") else size,
        optimizer=Adam(clip=None if settings.get("privacy") else 1.0),
        learning_rate=Cosine(2e-3, warmup=0.05),
        weight_decay=1e-4,
        validation_fraction=0.0,
        patience=None,
        **settings,
    )


def latent(cls: Any, rows: int, **settings: Any) -> Autoencoder:
    """An autoencoder whose code has a prior."""
    made: Autoencoder = cls(
        (256, 128, 32),
        epochs=max(30, min(300, math.ceil(1_000_000 / max(rows, 1)))),
        batch_size=256,
        learning_rate=Cosine(1e-3, warmup=0.05),
        validation_fraction=0.0,
        patience=None,
        **settings,
    )
    return made


def _gaps(column: Any) -> np.ndarray:
    array = column.array
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    return np.asarray(pc.is_null(array, nan_is_null=pa.types.is_floating(array.type)).to_numpy(zero_copy_only=False))
