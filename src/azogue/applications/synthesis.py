"""Use 8, synthesis: new rows of a table, as asked for; new pictures, and new sequences of events."""

from __future__ import annotations

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
from azogue.applications import decoding
from azogue.applications.accepting import Draw, accepted, chained, decoded
from azogue.applications.conditioning import conditions
from azogue.applications.constraining import check, constraints_of
from azogue.applications.generators import latent, masked, pictured, recurrent
from azogue.applications.owner import Application, owned, unfitted
from azogue.applications.writing import Writing
from azogue.autoencoder import Autoencoder
from azogue.corruptions import Hiding
from azogue.modalities import Coded, CodedSchema, EventsSchema, as_modality
from azogue.modalities.columns import values
from azogue.modalities.reading import read
from azogue.session import as_seed
from azogue.synthetic import SyntheticReport, evaluate_synthetic
from azogue.validation import remember_columns
from azogue.variants import AdversarialAutoencoder, VariationalAutoencoder

METHODS = "auto", "masked", "recurrent", "variational", "adversarial"
#: Orders of the columns over which a row's log probability is averaged.
ORDERS = 4
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
    - `"recurrent"`, for sequences of events (`modalities.Events`): a draw from the prior of a variational autoencoder
      whose decoder draws event after event, each given those before it (`layers.Autoregressive`). There
      `"adversarial"` has two adversaries, of codes and of sequences (`objectives.SequenceAdversary`).

    Codes of pictures and of sequences of numbers, and of events by two adversaries, are drawn from a mixture of normal
    distributions that is fitted to those of the rows afterwards, not from the prior, which they do not fill evenly.

    Parameters
    ----------
    autoencoder : Autoencoder, FrozenEstimator or None
        Unfitted (cloned and fitted; where it has no modality of its own it gets `modalities.Coded`, and where it has
        neither prior nor corruption `corruptions.Hiding`), or fitted on coded tables inside
        `sklearn.frozen.FrozenEstimator`. None: one that suits the method.
    method : {"auto", "masked", "recurrent", "variational", "adversarial"}
        auto: "masked" for tables, "recurrent" for sequences of events, "variational" for pictures and sequences of
        numbers. With an autoencoder of one's own it is whether its code has a prior that decides.
    bins : int or "auto"
        Codes of a column, at most; auto: a twentieth of the rows, at least 16 and at most 100.
    constraints : sequence of str
        What holds in every row: `"start <= end"`, `"total == price * count"`. A column that stands alone before `==` is
        computed. Rows that break one are drawn again.
    components : int or "auto"
        Normal distributions of the mixture that codes are drawn from, where they are; auto: one for 400 rows, at most
        50. 0: codes are drawn from their prior, and so they are where training was private.
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

    mixture_ : dict of ndarray
        `weights`, `means` and `factors` of the mixture of codes, where there is one.

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
    components: Any = "auto"
    privacy: Any = None

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn what rows are like.

        Parameters
        ----------
        X : table, shape (n, columns); pictures, sequences, or records of events (`modalities.Events`)
        y : ignored

        Raises
        ------
        ValueError, TypeError
            For parameters or data that make no sense, and constraints that rows break; naming them.
        """
        if self.method not in METHODS:
            raise ValueError(f"method: expected one of {', '.join(METHODS)}, got {self.method!r}")
        remember_columns(self, X, reset=True)
        seed, kind = as_seed(self.random_state), self._kind(X)
        table = kind == "table"
        given = constraints_of(self.constraints)
        if given and not table:
            raise ValueError("constraints: they are between columns of a table")
        if table and given:
            self._check_rows(X, given)
        method, many = decoding.chosen(self.method, kind), self.components
        if many != "auto" and (isinstance(many, bool) or not isinstance(many, (int, np.integer)) or many < 0):
            raise ValueError(f"components: expected 'auto' or a whole number of at least 0, got {many!r}")
        self.autoencoder_ = owned(self._prepared(X, method, table), self._default(X, method, kind), X, seed)
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
        self.mixture_ = {} if table else decoding.mixed(self.autoencoder_, X, many, seed)
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
        seed = self.seed_ if random_state is None else as_seed(random_state)
        if not isinstance(schema, CodedSchema):
            if where is not None:
                raise ValueError("where: conditions are on the columns of a table")
            return decoding.made(self.autoencoder_, self.mixture_, int(n), seed)
        rng = np.random.default_rng(seed)
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
        in, the mean over four orders of the columns. Of sequences of events by the method "recurrent": a lower bound of
        it, the mean of four draws of the code. Else minus the error of its reconstruction.
        """
        check_is_fitted(self, "autoencoder_")
        schema: Any = self.autoencoder_.schema_
        if self.method_ != "masked":
            bounded = getattr(self.autoencoder_, "elbo", None) if decoding.teller(self.autoencoder_) else None
            return -np.asarray(self.autoencoder_.errors(X)) if bounded is None else bounded(X, ORDERS, 0)
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
        check_is_fitted(self, "autoencoder_")
        if isinstance(self.autoencoder_.schema_, EventsSchema):
            raise TypeError("evaluate: is not for sequences of events; compare statistics that matter to you")
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

    def _default(self, X: Any, method: str, kind: str) -> Autoencoder:
        """The autoencoder of a method."""
        shared: dict[str, Any] = {"privacy": self.privacy, "verbose": self.verbose}
        if kind != "table":
            return self._for_positions(X, method, kind, shared)
        rows = read(X).shape[0]
        shared["modality"] = self._coded(rows)
        if method == "masked":
            return masked(rows, **shared)
        cls = AdversarialAutoencoder if method == "adversarial" else VariationalAutoencoder
        return latent(cls, rows, **shared)

    def _for_positions(self, X: Any, method: str, kind: str, shared: dict[str, Any]) -> Autoencoder:
        """The autoencoder of a method for what is no table; of no use where one was given."""
        if self.autoencoder is not None:
            return Autoencoder()
        schema: Any = as_modality(self.modality, self.scaling, X).fit(X)
        shared |= {"modality": self.modality, "scaling": self.scaling}
        if kind != "events":
            cls = AdversarialAutoencoder if method == "adversarial" else VariationalAutoencoder
            return pictured(cls, schema.count(X), **shared)
        if self.privacy is not None:
            raise ValueError("privacy: sequences of events are not trained with it")
        return recurrent(schema, schema.count(X), method, **shared)


def _gaps(column: Any) -> np.ndarray:
    array = column.array
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    return np.asarray(pc.is_null(array, nan_is_null=pa.types.is_floating(array.type)).to_numpy(zero_copy_only=False))
