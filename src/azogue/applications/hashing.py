"""Use 7, semantic hashing: rows → short binary codes, the nearer the more alike the rows are."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from azogue.applications.kin import kin, space_of, spaces_of_words
from azogue.applications.owner import Application, owned, unfitted
from azogue.applications.patches import SHOWN, are_photographs, learned, pixels, seen
from azogue.applications.topics import along, as_words, directions, sizes, tfidf, words_of
from azogue.autoencoder import Autoencoder
from azogue.codes import Binary, Point
from azogue.corruptions import Neighbor
from azogue.hamming import Buckets, HammingIndex, pack, unpack
from azogue.hamming.scan import Found
from azogue.hamming.words import check_bits
from azogue.layers import Bottleneck, Conv, Dense, Dropout, Input, Output
from azogue.modalities import as_modality
from azogue.modalities.dataset import in_parts
from azogue.objectives import Agreement, Balance, Decorrelation, NeighborhoodComponents, as_objective
from azogue.optimizers import Cosine
from azogue.session import as_seed
from azogue.validation import remember_columns

Spaces: TypeAlias = "Callable[[], list[Any]]"
Sizes: TypeAlias = "tuple[int, float, float]"

SUPERVISIONS = ("none", "labels")
#: How texts and photographs are read.
READ = ("words_", "topics_", "pictures_", "patches_")
#: Rows of a batch, steps of training, about, and epochs, at most.
BATCH, STEPS, LONGEST = 256, 1000, 300
#: Epochs of texts and photographs, about, and steps at least: neighbours of few rows are learned by heart.
EPOCHS, FEWEST = 30, 300
#: There are at most so many times fewer neighbours than rows.
PART = 10
#: Units of the hidden layer, the part of the bits that weighs as one nat where codes agree, and the part of the inputs
#: that training hides: for rows as they are, and for what patches of photographs show; for texts see `topics.sizes`.
ROWS, PATCHES = (1024, 0.15, 0.0), (512, 0.15, 0.2)
#: Of pictures: temperature, filters and sizes of two convolutions of stride 2, units of the layers before and behind
#: the code, and by how many pixels neighbours are moved.
PICTURES, FILTERS, AROUND, SHIFT = 0.15, ((16, 5), (32, 3)), (256, 128), 1
#: Weights of evenness and of differing bits.
EVEN, APART = 0.1, 0.1


@dataclass(eq=False, repr=False)
class SemanticHasher(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Application):  # type: ignore[misc]
    """Rows → binary codes of which few bits differ where rows are alike: texts, pictures, tables.

    An autoencoder whose code is bits learns to decode each row from the code of one of its neighbours, which are found
    without labels; beside that, a row's code is to agree with its neighbours' and with no other row's
    (`objectives.Agreement`), and bits are to be even and to differ from one another (`Balance`, `Decorrelation`).
    Neighbours are the nearest rows along the leading principal components; of texts, by TF-IDF and by latent semantic
    analysis, along whose directions the autoencoder reads them, and in two steps along the graph of these; of pictures
    in colour the same by what their patches show.

    Parameters
    ----------
    n_bits : int
        A multiple of 8 from 8 to 512.
    autoencoder : Autoencoder, FrozenEstimator or None
        Unfitted (cloned and fitted; it gets a binary code and `corruptions.Neighbor` where it has none) or fitted
        inside `sklearn.frozen.FrozenEstimator` (used as it is). Its code has `n_bits` units; one that is no binary code
        is cut at each unit's median. None: one hidden layer; for pictures that are grey, small (12 pixels a side) or
        fewer than 200, two convolutions and a layer, shown neighbours that are moved by up to a pixel.
    supervision : {"none", "labels"}
        `"none"`: y is ignored. `"labels"`: codes are near where labels are the same
        (`objectives.NeighborhoodComponents`), whatever lies near in the rows.
    n_neighbors : int
        Neighbours of each row while training, of each kind where there are two; at most a tenth of the rows.
    modality, scaling : see `Autoencoder`
        For the autoencoder that is made where none is given. Of texts, words are weighed by TF-IDF; where no
        `Text(...)` is given, English stop words are left out.
    random_state : int, numpy generator or None
    verbose : int

    Attributes
    ----------
    autoencoder_ : Autoencoder
    codes_ : ndarray of uint8, shape (n, n_bits/8)
        The training rows' codes: what `index()` searches.
    thresholds_ : ndarray, shape (n_bits,)
        A unit above it is a bit that is set.
    words_, topics_ : schema and ndarray of float32, shape (words, directions)
        Of texts, the vocabulary and the directions.
    pictures_, patches_ : schema and dict of ndarray
        Of pictures in colour, how they are packed, and by what they are read.
    n_features_in_ : int

    Notes
    -----
    A code is pseudonymised data, not anonymous data.

    References
    ----------
    Salakhutdinov & Hinton (2009), Semantic hashing; Krizhevsky & Hinton (2011), Using very deep autoencoders for
    content-based image retrieval, ESANN; Chaidaroon, Ebesu & Fang (2018), Deep semantic text hashing with weak
    supervision, SIGIR, for neighbours that take the place of labels; Coates, Lee & Ng (2011), AISTATS, for patches.

    Examples
    --------
    >>> import azogue as az
    >>> texts = ["red wine and cheese", "white wine", "cheese and bread", "the engine of a car", "a fast car"] * 4
    >>> hasher = az.SemanticHasher(8, random_state=0).fit(texts)
    >>> hasher.transform(["wine", "car engine"]).shape
    (2, 1)
    """

    n_bits: int = 64
    _: KW_ONLY
    autoencoder: Any = field(default=None, kw_only=True)
    supervision: str = "none"
    n_neighbors: int = 15

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the code, and keep those of the rows.

        Parameters
        ----------
        X : texts, pictures, table or sequences
            As `Autoencoder.fit` takes them.
        y : array, shape (n,), optional
            Labels; ignored unless `supervision="labels"`.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            For data, labels or parameters that make no sense, naming them.
        """
        self._check(y)
        for name in ("autoencoder_", *READ):  # what an earlier fit saw says nothing about these rows
            self.__dict__.pop(name, None)
        remember_columns(self, X, reset=True)
        seed = as_seed(self.random_state)
        if isinstance(self.autoencoder, FrozenEstimator):
            self.autoencoder_ = owned(self.autoencoder, Autoencoder(), X)
        elif self.autoencoder is None and self._takes_words(X):
            self._fit_words(X, y, seed)
        else:
            self._fit_rows(X, y, seed)
        inner = self.autoencoder_
        if inner.code_size_ != self.n_bits:
            raise ValueError(f"autoencoder: its code has {inner.code_size_} units, but n_bits is {self.n_bits}")
        self.thresholds_ = self._thresholds(X)
        self.n_features_in_ = inner.n_features_in_
        if hasattr(self, "topics_"):
            self.n_features_in_ = len(self.topics_)
        elif hasattr(self, "pictures_"):
            self.n_features_in_ = self.pictures_.n_columns
        self.codes_ = pack(self.encode(X))
        return self

    # -- training -----------------------------------------------------------------------------------------------------

    def _check(self, y: Any) -> None:
        check_bits(self.n_bits)
        k = self.n_neighbors
        if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 1:
            raise ValueError(f"n_neighbors: expected a whole number of at least 1, got {k!r}")
        if self.supervision not in SUPERVISIONS:
            said = ", ".join(map(repr, SUPERVISIONS))
            raise ValueError(f"supervision: expected one of {said}, got {self.supervision!r}")
        if self.supervision == "labels" and y is None:
            raise ValueError("supervision='labels' needs a label for each row: fit(X, y)")
        if self.supervision == "labels" and isinstance(self.autoencoder, FrozenEstimator):
            raise ValueError("supervision: 'labels' trains the autoencoder, but it is frozen; use 'none'")

    def _takes_words(self, X: Any) -> bool:
        return self._kind(X) == "text" and getattr(self.modality, "unit", "word") == "word"

    def _fit_words(self, X: Any, y: Any, seed: int) -> None:
        """Texts: an autoencoder of their coordinates along the leading directions of TF-IDF."""
        as_modality(self.modality, self.scaling, X)  # refuses what does not go with texts
        self.words_ = as_words(self.modality).fit(X)
        weights = tfidf(self.words_, X)
        self.topics_ = directions(weights, seed)
        vectors = along(weights, self.topics_)
        self._fit_vectors(vectors, y, lambda: spaces_of_words(weights, vectors), sizes(len(vectors)), seed)

    def _fit_photographs(self, schema: Any, X: Any, y: Any, seed: int) -> None:
        """Pictures in colour: an autoencoder of what their patches show, and of the colours of large parts."""
        self.pictures_ = schema
        self.patches_ = learned(schema, X, seed)
        vectors = seen(schema, X, self.patches_)
        self._fit_vectors(vectors, y, lambda: [vectors[:, :SHOWN]], PATCHES, seed)

    def _fit_vectors(self, vectors: Any, y: Any, spaces: Spaces, sizes: Sizes, seed: int) -> None:
        """An autoencoder of rows along directions that were found before; neighbours also in two steps."""
        told = self._told(len(vectors), y, spaces, seed, twice=True)
        shared = {"modality": "table", "scaling": "none", "verbose": self.verbose}
        steps = min(STEPS, max(FEWEST, EPOCHS * len(vectors) // BATCH))
        self.autoencoder_ = owned(None, self._default(len(vectors), shared, sizes, steps), vectors, seed, told)

    def _fit_rows(self, X: Any, y: Any, seed: int) -> None:
        """Anything else, or an autoencoder of the user's."""
        given = unfitted(self.autoencoder)
        like = self if given is None else given
        schema = as_modality(like.modality, like.scaling, X).fit(X)
        count = len(getattr(schema, "store", schema.pack)(X))
        if given is None and self._kind(X) == "image" and are_photographs(schema.shape, count):
            self._fit_photographs(schema, X, y, seed)
            return
        shared = self._shared(self.modality)
        pictures = given is None and self._kind(X) == "image"
        default = self._of_pictures(count, shared) if pictures else self._default(count, shared, ROWS, STEPS)
        made = default if given is None else self._completed(clone(given))
        pointed = getattr(made.corruption, "pointed", False) or self.supervision == "labels"
        told = self._told(count, y, lambda: [space_of(schema, X, seed)], seed) if pointed else y
        self.autoencoder_ = owned(made, default, X, seed, told)

    def _completed(self, given: Autoencoder) -> Autoencoder:
        """An autoencoder of the user's with what it lacks for hashing."""
        if given.code is None and given.axes().code == Point():  # other codes become bits at their medians
            given.set_params(code=Binary())
        if given.network == "auto":
            given.set_params(network=int(self.n_bits))
        if self.supervision == "labels":
            objective = as_objective(given.objective, given.axes().reconstruction)
            if not objective.supervised:
                given.set_params(objective=objective + self._by_labels())
        elif given.corruption is None and given.axes().corruption is None:
            given.set_params(corruption=Neighbor())
        return given

    def _told(self, count: int, y: Any, spaces: Spaces, seed: int, twice: bool = False) -> NDArray[np.int64]:
        """What training is told of the rows: which others are like each, or their classes."""
        if self.supervision == "none":
            return kin(spaces(), min(int(self.n_neighbors), max(1, count // PART)), seed, twice)
        labels = np.asarray(y)
        if labels.shape != (count,):
            raise ValueError(f"y: expected a label for each of {count} rows, got shape {labels.shape}")
        return np.asarray(np.unique(labels.astype(str) if labels.dtype == object else labels, return_inverse=True)[1])

    def _by_labels(self) -> NeighborhoodComponents:
        return NeighborhoodComponents(ROWS[1] * self.n_bits)

    def _default(self, rows: int, shared: dict[str, Any], sizes: Sizes, steps: int) -> Autoencoder:
        """The autoencoder where none is given."""
        units, temperature, hidden = sizes
        layers = Input() + Dropout(hidden) if hidden else Input()
        network = layers + Dense(units, "silu", normalization="batch") + Dense(int(self.n_bits)) + Output()
        return self._made(rows, shared, network, temperature, 0, steps)

    def _of_pictures(self, rows: int, shared: dict[str, Any]) -> Autoencoder:
        """The same for pictures; the way back is narrow, for a wide one is two fifths of the work."""
        network: Any = Input()
        for filters, size in FILTERS:
            network = network + Conv(filters, size, "silu", stride=2, normalization="batch")
        before, behind = AROUND
        network = network + Dense(before, "silu", normalization="batch") + Bottleneck(int(self.n_bits))
        return self._made(rows, shared, network + Dense(behind, "silu") + Output(), PICTURES, SHIFT, STEPS)

    def _made(
        self, rows: int, shared: dict[str, Any], network: Any, temperature: float, shift: int, steps: int
    ) -> Autoencoder:
        """A network with what makes its code one of bits that neighbours share."""
        alike = Agreement(temperature) if self.supervision == "none" else self._by_labels()
        return Autoencoder(
            network,
            code=Binary(),
            corruption=Neighbor(shift) if self.supervision == "none" else None,
            objective=alike + EVEN * Balance() + APART * Decorrelation(),
            epochs=min(max(steps * BATCH // max(rows, 1), 10), LONGEST),
            batch_size=BATCH,
            learning_rate=Cosine(2e-3, warmup=0.1),
            validation_fraction=0.0,
            **shared,
        )

    def _thresholds(self, X: Any) -> NDArray[np.float64]:
        if isinstance(self.autoencoder_.code_, Binary):
            return np.full(self.n_bits, 0.5)
        return np.asarray(np.median(self._units(X), axis=0), np.float64)

    # -- use ----------------------------------------------------------------------------------------------------------

    def _units(self, X: Any) -> NDArray[Any]:
        """The code's units, (n, n_bits)."""
        if hasattr(self, "pictures_"):
            return np.asarray(self.autoencoder_.encode(seen(self.pictures_, X, self.patches_)))
        if not hasattr(self, "topics_"):
            return np.asarray(self.autoencoder_.encode(X))
        weights = tfidf(self.words_, X)
        if unknown := int((np.diff(weights.indptr) == 0).sum()):
            warnings.warn(
                f"{unknown} of {weights.shape[0]} texts have no known word; their codes say nothing of them",
                UserWarning,
                stacklevel=3,
            )
        return np.asarray(self.autoencoder_.encode(along(weights, self.topics_)))

    def encode(self, X: Any) -> NDArray[np.float32]:
        """Rows → bits as numbers, for whoever computes with them.

        Returns
        -------
        ndarray of float32, 0 and 1, shape (n, n_bits)
        """
        check_is_fitted(self, "autoencoder_")
        if not any(hasattr(self, name) for name in READ):  # their schemas look at rows
            remember_columns(self, X, reset=False)
        return (self._units(X) > self.thresholds_).astype(np.float32)

    @in_parts
    def transform(self, X: Any) -> Any:
        """Rows → packed codes.

        Parameters
        ----------
        X : rows as `fit` took them

        Returns
        -------
        ndarray of uint8, shape (n, n_bits/8), or what `set_output` asked for

        Warns
        -----
        UserWarning
            For texts without any word that is known.
        """
        check_is_fitted(self, "autoencoder_")
        return pack(self.encode(X))

    def inverse_transform(self, codes: Any) -> Any:
        """Packed codes → the rows that the decoder makes of them; of texts, the words that it expects."""
        check_is_fitted(self, "autoencoder_")
        if not isinstance(self.autoencoder_.code_, Binary):
            raise TypeError(f"inverse_transform: {self.autoencoder_.code_!r} is no code of bits; use its own decode")
        bits = unpack(codes).astype(np.float32)
        if bits.shape[1] != self.n_bits:
            raise ValueError(f"inverse_transform: expected codes of {self.n_bits} bits, got {bits.shape[1]}")
        rows = self.autoencoder_.decode(bits)
        if hasattr(self, "pictures_"):
            return self.pictures_.unpack(pixels(np.asarray(rows, np.float32), self.patches_))
        if not hasattr(self, "topics_"):
            return rows
        import torch

        from azogue.recipe import Batch

        made = words_of(np.asarray(rows, np.float32), self.topics_)
        return self.words_.unpack(Batch(torch.from_numpy(made)))

    def index(self, engine: str = "core") -> HammingIndex:
        """The codes of the training rows, to be searched and added to."""
        check_is_fitted(self, "codes_")
        return HammingIndex(self.n_bits, engine=engine).add(self.codes_)

    def kneighbors(self, X: Any, n_neighbors: int = 10) -> Found:
        """The training rows with the nearest codes.

        The index that answers is kept for the next call: as many bytes as `codes_`, five times as many above 100,000
        rows. It leaves with other `codes_`, which are not to be edited in place, and is in no file and no pickle.

        Returns
        -------
        distances, positions : ndarrays, shape (n, n_neighbors)
            Bits that differ, and positions of training rows; see `HammingIndex.query`.
        """
        check_is_fitted(self, "codes_")
        kept = getattr(self, "_kept", None)
        if kept is None or kept[0] is not self.codes_:
            kept = self._kept = self.codes_, self.index()
        return kept[1].query(pack(self.encode(X)), n_neighbors)

    def buckets(self, radius: int = 0, **told: Any) -> Buckets:
        """The training rows in groups by their codes; see `HammingIndex.buckets`."""
        return self.index().buckets(radius, **told)

    @property
    def _n_features_out(self) -> int:
        return int(self.n_bits) // 8

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_kept": None}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.string = tags.input_tags.categorical = True
        tags.transformer_tags.preserves_dtype = []
        return tags
