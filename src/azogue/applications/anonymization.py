"""Use 5, anonymisation: rows that keep what they are good for and give away less of whom they are from."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from scipy.sparse import issparse
from sklearn.base import TransformerMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from azogue.applications.censoring import averaged, censored, neutral, reconstructing
from azogue.applications.counterfactual import Counterfactual
from azogue.applications.labelling import Label, dropped, labels, named
from azogue.applications.owner import Application, unfitted
from azogue.applications.releasing import Draws, assembled, drawn, mapped, seen, usual
from azogue.applications.replacing import Replacement
from azogue.modalities import as_modality, schema_from_dict
from azogue.modalities.dataset import in_parts, needs_rows
from azogue.populations import reflected
from azogue.privacy import PrivacyReport, audit
from azogue.session import as_seed
from azogue.validation import remember_columns

METHODS = "auto", "counterfactual", "adversarial", "average", "replace", "reconstruct"
#: Noise on released numbers in scaled units: of tables, where it hides last digits; of rows that are replaced, where it
#: hides which; and of everything else.
FINE, SLIGHT, COARSE = 0.05, 0.1, 0.25
#: Training rows whose sensitive cells are kept to draw from.
POOL = 2000


@dataclass(eq=False, repr=False)
class Anonymizer(TransformerMixin, Application):  # type: ignore[misc]
    r"""Releases rows in their own schema from which sensitive labels, or whose they are, are harder to tell.

    What comes out is pseudonymised, never anonymous: `audit` says what attackers find in it.

    - `"counterfactual"` (tables whose labels are columns): a network learns how likely each value of a column is after
      the columns before it, the sensitive ones first. Each row gets sensitive cells drawn from other rows, and its
      other cells become what they would be after those, moved as little as may be; utility columns stay as they are.
    - `"adversarial"` (tables with sensitive labels): an autoencoder minimises the error of reconstruction, a weight
      times the surprise of a judge that helps (for each utility label), and `strength` times 16 times what a judge
      against it still tells of each sensitive label. Sensitive columns are no input, and come back drawn from other
      rows; utility columns are no input, and stay as they are.
    - `"average"` (windows, pictures, and rows without labels): a network learns to turn a row x into the mean of its
      twins, the row that is nearest to it in each group (of 16 at most; without labels of the 10 nearest rows), and
      noise is added,

      .. math:: \hat x = x + \min(1, s)\,(\bar x_{twins} - x) + 0.25\, s\, \varepsilon

    - `"replace"` (with `replace=`): rows that show a sensitive label are decoded from another code, near that of a row
      without it.
    - `"reconstruct"`: the autoencoder's reconstruction and noise, nothing else.

    Parameters
    ----------
    autoencoder : Autoencoder, FrozenEstimator or None
        Unfitted: its network and training are used, its objective and corruption are the method's. Fitted inside
        `sklearn.frozen.FrozenEstimator`: used as it is, by the method "reconstruct". None: one that suits the method.
    sensitive : column name or position, list of them, or None
        What must not be told; or labels given to `fit`. With neither, each row's own identity is what is hidden.
    utility : column name or position, list of them, or None
        What must still be told; or labels given to `fit`.
    method : {"auto", "counterfactual", "adversarial", "average", "replace", "reconstruct"}
    strength : float
        How much is given up for it, at least 0; see `tradeoff`.
    noise : float or "auto"
        Standard deviation of noise on released numbers, in scaled units; auto: 0.05 in tables, 0.1 where
        rows are replaced, else 0.25 · strength.
    replace : value or list of values, optional
        Values of the sensitive label whose rows are replaced.
    epsilon, delta : float, optional
        Trains with differential privacy (extra `privacy`); only with the method "reconstruct". See `guarantee_`.
    modality, scaling : see `Autoencoder`
        So are `random_state` and `verbose`.

    Attributes
    ----------
    autoencoder_ : Autoencoder
    method_ : str
    sensitive_, utility_ : list of str
        Names of the labels.

    Notes
    -----
    Which cells are missing stays as it is, and may tell whose a row is. The model file holds quantiles of numbers, the
    categories, sensitive cells of up to 2,000 rows (not which rows), and codes of up to 500 rows with "replace": keep
    it as safe as the data.

    References
    ----------
    Hajihassani, Ardakanian & Khazaei (2020); Malekzadeh, Clegg, Cavallaro & Haddadi (2019), Mobile sensor data
    anonymization, IoTDI; Edwards & Storkey (2016), Censoring representations with an adversary; Newton, Sweeney & Malin
    (2005) for means of several people's records.

    Examples
    --------
    >>> import azogue as az
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> person = np.repeat(np.arange(5), 40)
    >>> X = rng.normal(size=(200, 6)) + 2 * rng.normal(size=(5, 6))[person]
    >>> hidden = az.Anonymizer(method="average", random_state=0).fit(X, sensitive=person)
    >>> hidden.transform(X).shape, hidden.method_
    ((200, 6), 'average')
    """

    _: KW_ONLY
    sensitive: Any = None
    utility: Any = None
    method: str = "auto"
    strength: float = 1.0
    noise: Any = "auto"
    replace: Any = None
    epsilon: float | None = None
    delta: float | None = None

    def fit(self, X: Any, y: Any = None, *, sensitive: Any = None, utility: Any = None) -> Self:
        """Learn to release rows like these.

        Parameters
        ----------
        X : table, windows (n, t, c), pictures
        y : ignored
        sensitive, utility : array (n,), dict of arrays, frame, or names of columns, optional
            Instead of the parameters of these names.

        Raises
        ------
        TypeError, ValueError
            For an unknown column, labels of one value or another length, methods that cannot be combined.
        """
        remember_columns(self, X, reset=True)
        needs_rows(X)
        seed, table = as_seed(self.random_state), self._kind(X) == "table"
        rows = _count(X)
        asked = self.sensitive if sensitive is None else sensitive
        hidden = labels(asked, X, rows, "sensitive", table)
        kept = labels(self.utility if utility is None else utility, X, rows, "utility", table)
        self._check(rows)
        self.method_ = self._method(table, hidden, kept)
        self.sensitive_, self.utility_ = [str(one.name) for one in hidden], [str(one.name) for one in kept]
        self.redrawn_ = sorted(one.column for one in hidden if one.column is not None)
        self.intact_ = sorted(one.column for one in kept if one.column is not None and one.column not in self.redrawn_)
        if table and self._apart and len(self._apart) == self.n_features_in_:
            raise ValueError("sensitive, utility: these are all columns; there is nothing left to release")
        self.seed_ = seed
        self.counterfactual_: Any = None
        self.whole_: Any = None
        self.replacement_: Any = None
        if self.method_ == "counterfactual":
            shared = {**self._shared(self.modality), "random_state": seed}
            model = Counterfactual.learned(self.autoencoder, X, hidden, kept, **shared)
            self.autoencoder_, self.counterfactual_ = model.autoencoder, model.to_dict()
            return self
        self._learn(dropped(X, self._apart), hidden, kept, seed)
        if table:
            self._remember(X)
        return self

    @in_parts
    def transform(self, X: Any) -> Any:
        """Rows to release, in the schema or shape of `X`.

        A row always gives the same release, whatever the others are. Sensitive columns of `X` are read by the method
        "counterfactual" alone; where they are missing or unknown, it draws them by how likely they are.
        """
        check_is_fitted(self, "autoencoder_")
        remember_columns(self, X, reset=False)
        if self.method_ == "counterfactual":
            model = Counterfactual.from_dict(self.autoencoder_, self.counterfactual_)
            return model.released(X, self.strength, self.seed_)
        if self._kind(X) == "table":
            return self._table(X)
        rng = Draws.of_rows(self.autoencoder_.schema_.pack(X).x.numpy(), self.seed_)
        made = self.autoencoder_.reconstruct(X) if self.replacement_ is None else self._replacement().released(X, rng)
        return self._noisy(made, rng)

    def audit(self, X: Any, released: Any = None, **options: Any) -> PrivacyReport:
        """Attack what `transform(X)` gives, or `released`; see `privacy.audit` for the options.

        Sensitive and utility columns of a table are asked for by themselves; give labels of other rows as
        `sensitive=` and `utility=`.
        """
        check_is_fitted(self, "autoencoder_")
        for name, own in (("sensitive", self.sensitive), ("utility", self.utility)):
            if name not in options and own is not None and named(own):
                options[name] = own
        return audit(X, self.transform(X) if released is None else released, **options)

    def tradeoff(
        self,
        X: Any,
        strengths: Any = (0.0, 0.5, 1.0, 2.0),
        *,
        sensitive: Any = None,
        utility: Any = None,
        **options: Any,
    ) -> list[tuple[float, PrivacyReport]]:
        """Fit with several strengths, and audit what each releases.

        Parameters
        ----------
        X, sensitive, utility : as in `fit`
        strengths : sequence of float
        **options : see `privacy.audit`

        Returns
        -------
        list of (strength, PrivacyReport)
            `privacy.plot_tradeoff` draws it.
        """
        told = {"sensitive": self.sensitive if sensitive is None else sensitive}
        told["utility"] = self.utility if utility is None else utility
        found = []
        for strength in strengths:
            model = clone(self).set_params(strength=float(strength)).fit(X, sensitive=sensitive, utility=utility)
            found.append((float(strength), model.audit(X, **{**told, **options})))
        return found

    @property
    def guarantee_(self) -> Any:
        """The guarantee of differential privacy that training kept; None where there was none."""
        return self.autoencoder_.privacy_

    @property
    def _apart(self) -> list[int]:
        """The columns that the network has nothing to do with."""
        return sorted([*self.redrawn_, *self.intact_])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.string = tags.input_tags.categorical = True
        tags.transformer_tags.preserves_dtype = []
        return tags

    # -- fitting ------------------------------------------------------------------------------------------------------

    def _check(self, rows: int) -> None:
        if self.method not in METHODS:
            raise ValueError(f"method: expected one of {', '.join(METHODS)}, got {self.method!r}")
        if isinstance(self.strength, bool) or not self.strength >= 0:
            raise ValueError(f"strength: expected a number of at least 0, got {self.strength!r}")
        if self.noise != "auto" and (isinstance(self.noise, (bool, str)) or not self.noise >= 0):
            raise ValueError(f"noise: expected 'auto' or a number of at least 0, got {self.noise!r}")
        if rows < 2:
            raise ValueError(f"fit: expected at least 2 rows, got {rows} sample")

    def _method(self, table: bool, hidden: list[Label], kept: list[Label]) -> str:
        frozen = isinstance(self.autoencoder, FrozenEstimator)
        if frozen and self.epsilon is not None:
            raise ValueError("epsilon: nothing is trained where the autoencoder is fitted already; give it unfitted")
        columns = table and hidden and all(one.column is not None for one in hidden + kept)
        usual_one = "counterfactual" if columns else "adversarial" if table and hidden else "average"
        usual_one = "replace" if self.replace is not None else usual_one
        usual_one = "reconstruct" if frozen or self.epsilon is not None else usual_one
        method = usual_one if self.method == "auto" else self.method
        if method != "reconstruct" and (frozen or self.epsilon is not None):
            why = "a fitted autoencoder is used as it is" if frozen else "what protects would learn from others' rows"
            raise ValueError(f"method: {method!r} is not possible here: {why}; use 'reconstruct'")
        if method == "counterfactual" and not columns:
            raise ValueError("method: 'counterfactual' is for tables, and labels that are columns of them")
        if method in ("adversarial", "replace") and not hidden:
            raise ValueError(f"method: {method!r} needs sensitive labels; give sensitive=")
        if method == "replace" and (self.replace is None or table):
            raise ValueError("method: 'replace' is for windows and pictures, and needs replace=, the values to replace")
        return method

    def _learn(self, X: Any, hidden: list[Label], kept: list[Label], seed: int) -> None:
        unfitted(None if isinstance(self.autoencoder, FrozenEstimator) else self.autoencoder)
        shared = {**self._shared(self.modality), "random_state": seed}
        if isinstance(self.autoencoder, FrozenEstimator) or self.method_ == "reconstruct":
            self.autoencoder_ = reconstructing(self.autoencoder, X, shared, seed, self.epsilon, self.delta)
        elif self.method_ == "adversarial":
            noise = FINE if self.noise == "auto" else float(self.noise)
            self.autoencoder_ = censored(self.autoencoder, X, hidden, kept, shared, self.strength, noise)
        elif self.method_ == "average":
            schema = as_modality(self.modality, self.scaling, X).fit(X)
            self.autoencoder_ = averaged(self.autoencoder, X, schema, hidden, kept, shared, self.strength, seed)
        else:
            self.autoencoder_ = neutral(self.autoencoder, X, hidden, self.replace, shared)
            self.replacement_ = Replacement.learned(self.autoencoder_, X, hidden, self.replace, seed).to_dict()
        if self._kind(X) != "table":
            self.scale_ = _scale(X, self._kind(X) == "sequence")

    def _remember(self, X: Any) -> None:
        """What a table's release needs besides the network."""
        rng = np.random.default_rng([self.seed_, 0])
        schema = self.autoencoder_.schema_
        batch = schema.pack(dropped(X, self._apart))
        made = drawn(reflected([self.autoencoder_], batch), schema, self._level(), rng)
        self.usual_ = usual(made, batch, schema)
        if self._apart:
            whole: Any = as_modality(self.modality, self.scaling, X).fit(X)
            packed = whole.pack(X).take(torch.from_numpy(rng.permutation(len(batch))[:POOL]))
            own = np.isin(whole.slot_columns, self.redrawn_)
            self.pool_ = {"x": packed.x.numpy()[:, own], "mask": seen(packed)[:, own]}
            self.whole_ = whole.to_dict()
            self.rest_ = as_modality(self.modality, self.scaling, X).fit(dropped(X, self.redrawn_)).to_dict()

    # -- releasing ----------------------------------------------------------------------------------------------------

    def _level(self) -> float:
        """Noise on numbers of a table, in scaled units."""
        return FINE if self.noise == "auto" else float(self.noise)

    def _replacement(self) -> Replacement:
        return Replacement(self.autoencoder_, **(self.replacement_ or {}))

    def _table(self, X: Any) -> Any:
        schema: Any = self.autoencoder_.schema_
        batch = schema.pack(dropped(X, self._apart))
        rng = Draws.of_rows(batch.x.numpy(), self.seed_)
        out = drawn(reflected([self.autoencoder_], batch), schema, self._level(), rng)
        out = mapped(out, self.usual_)
        made = replace(batch, x=torch.from_numpy(out))
        if self.whole_ is None:
            return schema.unpack(made)
        whole: Any = schema_from_dict(self.whole_)
        rest = schema_from_dict(self.rest_).pack(dropped(X, self.redrawn_))
        return whole.unpack(assembled(made, rest, whole, self._apart, self.redrawn_, self.pool_, rng))

    def _noisy(self, made: Any, rng: Draws) -> Any:
        """Windows or pictures with noise, in their dtype."""
        usual_one = SLIGHT if self.method_ == "replace" else COARSE * self.strength
        level = usual_one if self.noise == "auto" else float(self.noise)
        if isinstance(made, list):
            return [self._noisy(np.asarray(one)[None], rng.take([at]))[0] for at, one in enumerate(made)]
        array = np.asarray(made)
        noisy = array + level * self.scale_ * rng.normal(size=array.shape)
        if array.dtype.kind in "iu":
            bounds = np.iinfo(array.dtype)
            noisy = np.rint(noisy).clip(bounds.min, bounds.max)
        return noisy.astype(array.dtype)


def _count(X: Any) -> int:
    """How many rows there are.

    Raises
    ------
    TypeError
        For paths and sparse matrices.
    """
    if issparse(X):
        raise TypeError("fit: sparse matrices are not taken; X.toarray() makes a dense one")
    if isinstance(X, (str, bytes)) or hasattr(X, "__fspath__"):
        raise TypeError(f"fit: expected rows in memory, got the path {X!r}; read it first")
    return len(X) if hasattr(X, "__len__") else len(np.asarray(X))


def _scale(X: Any, channels: bool) -> np.ndarray:
    """Standard deviation of each channel of sequences; of all pixels."""
    parts = [np.asarray(one, dtype=np.float64) for one in X] if isinstance(X, list) else [np.asarray(X, np.float64)]
    if not channels:
        return np.array([np.nanstd(np.concatenate([one.ravel() for one in parts]))])
    flat = np.concatenate([one.reshape(-1, one.shape[-1]) for one in parts])
    return np.asarray(np.nanstd(flat, axis=0))
