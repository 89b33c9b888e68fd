"""Use 3, noise: rows, pictures and signals without what was added to them, and whole where they are damaged."""

from __future__ import annotations

import os
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import TransformerMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from azogue.applications import albums, noises, pictures, series
from azogue.applications import rows as table_rows
from azogue.applications.owner import Application, owned, unfitted
from azogue.autoencoder import Autoencoder
from azogue.corruptions import Corruption, FurtherImpulses, Impulses
from azogue.modalities import Image
from azogue.modalities.pixels import as_numbers
from azogue.populations import pieces, reflected
from azogue.session import as_seed
from azogue.validation import remember_columns


@dataclass(eq=False, repr=False)
class Denoiser(TransformerMixin, Application):  # type: ignore[misc]
    r"""Takes noise off tables, pictures and signals, by an autoencoder that is trained to undo it.

    There are three ways to learn, by what `fit` gets:

    - from clean examples `fit(X)`: noise is drawn anew in every step, and the network learns to take it off,
      `min Σ d(x, g(f(x̃)))`;
    - from pairs `fit(noisy, clean=clean)`: what was done to each row is what is to be undone;
    - from noisy rows alone `Denoiser(noise="blind").fit(noisy)`: cells are hidden from the network and told from
      what is around them, of which their noise is independent.

    `transform` gives back what came, in the same shape, length and dtype. `inpaint` fills what is damaged or missing
    and leaves all else as it is.

    Parameters
    ----------
    autoencoder : Autoencoder, FrozenEstimator or None
        Unfitted (cloned and fitted) or fitted inside `sklearn.frozen.FrozenEstimator` (used as it is). None: for
        pictures and signals a convolutional network with skip connections, for tables `network="auto"`.
    noise : "auto", "blind", Corruption or str
        What is to be taken off: a value such as `corruptions.Gaussian(0.1)`, or
        `corruptions.Mixture(recordings, low=0, high=10)` for recordings of real noise mixed at 0 to 10 dB. `"auto"` is
        what the pairs show; where `clean=` holds other rows than X, noise like that estimated of X; and for clean
        examples alone normal noise of all usual levels. `"blind"` learns from noisy rows alone.
    window : "auto" or int
        Samples of a signal, or pixels along each side of a picture, that the network sees at once. Longer signals and
        larger pictures are cut into windows and put together again.
    overlap : float
        The part of a window, in [0, 1), that the next one shares with it, where signals and pictures are cut; windows
        are averaged there, and count most in their middle.
    modality, scaling : see `Autoencoder`
        For the autoencoder that is made where none is given; so are `random_state` and `verbose`.

    Attributes
    ----------
    autoencoder_ : Autoencoder
    noise_ : Corruption or None
        What was trained against.
    kind_ : {"table", "image", "sequence"}

    References
    ----------
    Vincent et al. (2010), JMLR 11; Xie, Xu & Chen (2012), Image denoising and inpainting with deep neural networks,
    NeurIPS; Mao, Shen & Yang (2016), NeurIPS; Krull, Buchholz & Jug (2019), Noise2Void, CVPR.

    Examples
    --------
    >>> import numpy as np
    >>> import azogue as az
    >>> t = np.arange(1500)
    >>> clean = np.sin(t / 9) + 0.5 * np.sin(t / 31)
    >>> noisy = clean + 0.3 * np.random.default_rng(0).normal(size=1500)
    >>> denoiser = az.Denoiser(modality="sequence", window=64, random_state=0).fit(noisy[:1000], clean=clean[:1000])
    >>> denoiser.transform(noisy[1000:]).shape
    (500,)
    """

    _: KW_ONLY
    noise: Any = "auto"
    window: Any = "auto"
    overlap: float = 0.5

    # -- fitting ----------------------------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any = None, *, clean: Any = None) -> Self:
        """Learn to take noise off.

        Parameters
        ----------
        X : table, pictures or signals
            Clean examples; noisy ones with `clean=` or with `noise="blind"`. Signals are one series (t,) or (t, c), a
            list of them, arrays (n, t, c), arrays (n, t) of more than 16 samples, WAV files. Pictures may be a list
            of arrays of any sizes, with `modality="image"`.
        y : ignored
        clean : like X, optional
            The same without noise; or other clean examples, in which case X only shows what the noise is like.

        Raises
        ------
        ValueError, TypeError
            For parameters or data that make no sense, naming them.
        """
        self._check(clean)
        kind = self._kind(X)
        if kind == "text":
            raise TypeError("Denoiser: texts have no noise to take off; pass tables, pictures or signals")
        self.kind_ = kind
        if kind == "table":
            remember_columns(self, X, reset=True)
        else:
            self.__dict__.pop("feature_names_in_", None)
        if isinstance(self.autoencoder, FrozenEstimator):
            self.autoencoder_ = owned(self.autoencoder, Autoencoder(), X)
            self.noise_ = self.autoencoder_.recipe_.corruption
        else:
            self._learn(X, clean, as_seed(self.random_state))
        self.n_features_in_ = self.autoencoder_.n_features_in_
        return self

    def _learn(self, X: Any, clean: Any, seed: int) -> None:
        """Train an autoencoder, the one that was given or the usual one."""
        rows, pairs, modality = self._rows(X, clean, seed)
        model = unfitted(self.autoencoder)
        alone = isinstance(self.noise, str) and self.noise == "blind"
        told = self._told(rows, model, modality, seed) if alone else None
        if told is None:
            self.noise_ = noises.resolve(self.noise, self.kind_, rows, pairs is not None, None if clean is None else X)
        else:
            self.noise_, rows = told
        if model is None:
            model = noises.default_autoencoder(self.kind_, rows, self.noise_, self._shared(modality))
        elif self.noise != "auto" or model.corruption is None or self.noise_.given:
            model = clone(model).set_params(corruption=self.noise_)
        given = pairs if self.noise_.given else None
        self.autoencoder_ = owned(self._seeded(model, modality, seed), model, rows, seed, given)

    def _told(self, noisy: Any, inner: Autoencoder | None, modality: Any, seed: int) -> tuple[Corruption, Any] | None:
        """What noise the rows show by themselves, and rows that stand for clean ones; None where that is not known."""
        if self.kind_ == "table":
            return table_rows.cleaned(noisy, modality, self.scaling, np.random.default_rng(seed))
        if self.kind_ == "sequence":
            return None
        noise = pictures.estimated(noisy)
        if isinstance(noise, Impulses):
            return FurtherImpulses(noise.p), noisy
        model = inner or noises.default_autoencoder("image", noisy, noise, self._shared(modality))
        return noise, pictures.cleaned(noisy, noise, self._seeded(model, modality, seed))

    def _seeded(self, model: Autoencoder, modality: Any, seed: int) -> Autoencoder:
        """A copy that knows what it is to read, and from where to draw."""
        copy: Autoencoder = clone(model)
        if copy.modality == "auto":
            copy.set_params(modality=modality)
        if copy.random_state is None and copy.privacy is None:
            copy.set_params(random_state=seed)
        return copy

    def _check(self, clean: Any) -> None:
        if not isinstance(self.overlap, (int, float, np.number)) or not 0 <= self.overlap < 1:
            raise ValueError(f"overlap: expected a part in [0, 1), got {self.overlap!r}")
        whole = isinstance(self.window, (int, np.integer)) and not isinstance(self.window, bool)
        if self.window != "auto" and not (whole and self.window >= 1):
            raise ValueError(f"window: expected 'auto' or a number of samples or pixels from 1 on, got {self.window!r}")
        if isinstance(self.noise, str) and self.noise == "blind" and clean is not None:
            raise ValueError("noise='blind' learns from noisy rows alone; leave clean= out, or noise=")

    def _rows(self, X: Any, clean: Any, seed: int) -> tuple[Any, Any, Any]:
        """What to train on, the corrupted version of each of these rows or None, and the modality that packs them."""
        target = X if clean is None else clean
        if self.kind_ == "table":
            return target, None if clean is None or len(clean) != len(X) else X, self.modality
        if self.kind_ == "sequence":
            rows = series.as_series(target)
            pairs = None if clean is None else series.as_series(X)
            lengths = series.lengths_of(rows)
            modality = series.modality_for(lengths, self.modality, self.scaling, self.window, self.overlap)
            alike = pairs is not None and series.lengths_of(pairs) == lengths
            return rows, pairs if alike else None, modality
        channels = getattr(self.modality, "channels", None)
        album = albums.read_album(target, channels)
        side = albums.SIDE if self.window == "auto" else int(self.window)
        size = albums.patch_size(album, side)
        patches, pairs = albums.patches_of(album, size, np.random.default_rng(seed)), None
        if clean is not None:
            noisy = albums.read_album(X, channels)
            if noisy.shapes == album.shapes:
                pairs = albums.patches_of(noisy, size, np.random.default_rng(seed))
        modality = Image(self.scaling) if isinstance(self.modality, str) else self.modality
        return patches, pairs, replace(modality, channels="last", size=None)

    # -- use --------------------------------------------------------------------------------------------------------

    def transform(self, X: Any) -> Any:
        """Rows without their noise, in the same shape, length and dtype; what is missing comes back filled.

        Parameters
        ----------
        X : table, pictures or signals
            Signals may be longer and pictures of other sizes than those of `fit`.
        """
        return self._restored(X, None)

    def inpaint(self, X: Any, mask: Any = None) -> Any:
        """Rows made whole: what is damaged is told from what is around it, and all else stays as it is.

        Parameters
        ----------
        X : table, pictures or signals
        mask : array of bool like X, optional
            True where X is damaged. What is NaN or missing is damaged too.

        Raises
        ------
        ValueError
            For a mask of another shape.
        """
        check_is_fitted(self, "autoencoder_")
        if self.kind_ == "table":
            if mask is not None:
                raise ValueError("inpaint: mask= is for pictures and signals; write missing cells as such in a table")
            return self._restored(X, None)
        if isinstance(X, (str, os.PathLike)) and mask is not None:
            raise ValueError("inpaint: mask= needs the pictures or signals as arrays; read the files first")
        whole = self._restored(X, mask)
        if self.kind_ == "sequence":
            return series.merged(X, whole, mask)
        return albums.merged(X, whole, mask, getattr(self.modality, "channels", None))

    def _restored(self, X: Any, damage: Any) -> Any:
        check_is_fitted(self, "autoencoder_")
        if self.kind_ == "table":
            remember_columns(self, X, reset=False)
            return self.autoencoder_.reconstruct(X)
        if self.kind_ == "sequence":
            return series.restored(self.autoencoder_, X, damage)
        channels = getattr(self.modality, "channels", None)
        album = albums.read_album(X, channels)
        h, w, _ = self.autoencoder_.schema_.shape
        tiling = albums.Tiling((h, w), self.overlap)
        marks = None if damage is None else albums.marks_like(album, damage, channels)
        return albums.restored(album, tiling, self._patches, marks)

    def _patches(self, patches: np.ndarray, damage: Any) -> np.ndarray:
        """Patches (m, h, w, c) without noise."""
        schema: Any = self.autoencoder_.schema_
        limited, found, at = schema.scaling == "minmax", [], 0
        for piece in pieces(self.autoencoder_, patches):
            x = piece.x
            if damage is not None:
                x = x.masked_fill(torch.from_numpy(damage[at : at + len(piece)].reshape(len(piece), -1)), 0.0)
            at += len(piece)
            out = reflected([self.autoencoder_], replace(piece, x=x))
            made = schema.unpack(np.clip(out, 0.0, 1.0) if limited else out)
            found.append(as_numbers(made).reshape(-1, *patches.shape[1:]))
        return np.concatenate(found)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.string = tags.input_tags.categorical = True
        tags.transformer_tags.preserves_dtype = []
        return tags
