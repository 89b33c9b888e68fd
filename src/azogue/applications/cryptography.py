"""Use 6, cryptography: records compressed by what was learned of their like, inside an age container."""

from __future__ import annotations

import os
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.frozen import FrozenEstimator

from azogue import cryptography, files, keys
from azogue.applications.owner import owned, unfitted
from azogue.autoencoder import Autoencoder
from azogue.compression import frame
from azogue.compression.network import CODE, IntegerDecoder, distilled
from azogue.compression.packing import MAX_BYTES, Learned
from azogue.cryptography import CipherError, Key
from azogue.files import ModelFileError
from azogue.layers import Dense, Input, Output
from azogue.session import as_seed

#: Levels of a code's unit in a standard deviation.
_LEVELS = 4
_SAMPLE = 10_000


class Cipher:
    r"""Compresses records by what is learned of them and encrypts them in an age container; every bit comes back.

    Confidentiality comes from age alone: X25519 or scrypt, ChaCha20-Poly1305. A code of an autoencoder is pseudonymised
    and keeps no secret (`NeuralCipher` shows it); here it only helps to make the data small. What it expects of each
    record, together with the values around, says how probable each next byte is; an entropy coder then spends
    `−log₂ p` bits on it. All of that is done in whole numbers, so that every machine reads what any other wrote. Where
    the code costs more than it saves it is left out, and where learning does not pay at all the standard library's
    `zlib` or `lzma` stands in: `report_` says which.

    Parameters
    ----------
    autoencoder : Autoencoder, FrozenEstimator or None
        Unfitted (cloned and fitted) or fitted inside `sklearn.frozen.FrozenEstimator`. None: a small one.
    key : Key or str, optional
        A secret key; encrypts for its owner, and decrypts.
    recipients : str or sequence of str
        Public keys `age1…` of others who shall be able to decrypt.
    passphrase : str, optional
        Instead of keys.
    lossy : bool
        Keep the codes alone, of arrays of numbers. What comes back is what the decoder makes of them; `report_.lossy`
        says how far that is from what went in.
    random_state : int, numpy generator or None
        For training; keys and encryption take the operating system's generator, always.
    verbose : int

    Attributes
    ----------
    autoencoder_ : Autoencoder
    decoder_ : IntegerDecoder or None
        What stands for the autoencoder's decoder in containers; None where records are no arrays of numbers.
    report_ : Report
        Of the last `encrypt`: sizes, ways, what is lost.

    Notes
    -----
    Sizes reveal something: how well data compress says how regular they are, and age hides no lengths.

    References
    ----------
    Valsorda & Cartwright-Cox (2019), The age file encryption format; Wu & Memon (1997), Context-based, adaptive,
    lossless image coding; Duda (2013), Asymmetric numeral systems.

    Examples
    --------
    >>> import azogue as az
    >>> from sklearn.datasets import load_digits
    >>> pictures = load_digits().images.astype("uint8")
    >>> cipher = az.Cipher(key=az.Cipher.generate_key())
    >>> container = cipher.encrypt(pictures)
    >>> len(container) < pictures.nbytes / 3
    True
    >>> bool((cipher.decrypt(container) == pictures).all())
    True
    >>> cipher
    Cipher(key=<Key of age1...>)
    """

    def __init__(
        self,
        autoencoder: Any = None,
        *,
        key: Any = None,
        recipients: Any = (),
        passphrase: Any = None,
        lossy: bool = False,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.autoencoder = autoencoder
        self._key = keys.as_key(key)
        self._passphrase = keys.as_passphrase(passphrase)
        self.recipients = (recipients,) if isinstance(recipients, (str, Key)) else tuple(recipients)
        self.lossy, self.random_state, self.verbose = lossy, random_state, verbose

    def __repr__(self) -> str:
        said = [] if self.autoencoder is None else [repr(self.autoencoder)]
        said += [] if self._key is None else [f"key={self._key!r}"]
        said += [] if not self.recipients else [f"recipients={self.recipients!r}"]
        said += [] if self._passphrase is None else [f"passphrase={self._passphrase!r}"]
        return f"Cipher({', '.join([*said, *(['lossy=True'] if self.lossy else [])])})"

    @staticmethod
    def generate_key() -> Key:
        """A new secret key: `key.recipient` is the public one, `key.save(path)` writes a file for its owner alone."""
        return Key.generate()

    # -- learning ----------------------------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn what records look like.

        Without it, `encrypt` learns from the data themselves while it codes them, and so does the decoder.

        Parameters
        ----------
        X : array of numbers, shape (n, ...), or a frame
            Of a frame, and of arrays of other things, only a given autoencoder is fitted: their columns are coded by
            one another.
        y : ignored
        """
        seed = as_seed(self.random_state)
        self.decoder_: IntegerDecoder | None = None
        if not _are_numbers(X):
            if self.autoencoder is not None:
                self.autoencoder_ = owned(self.autoencoder, Autoencoder(), X, seed)
            return self
        rows = X if isinstance(self.autoencoder, FrozenEstimator) or unfitted(self.autoencoder) else _flat(X)
        self._rows_flat = rows is not X
        self.autoencoder_ = owned(self.autoencoder, _default(rows, self.verbose), rows, seed)
        flat = _flat(X)
        self._low: NDArray[np.float64] = flat.min(axis=0) * (X.dtype != np.uint8)
        self._high: NDArray[np.float64] = np.full(flat.shape[1], 255.0) if X.dtype == np.uint8 else flat.max(axis=0)
        if not np.isfinite(self._low + self._high).all():
            return self
        code = self._codes(X, fresh=True)
        some = np.random.default_rng(seed).permutation(len(flat))[:_SAMPLE]
        hidden = int(np.clip(len(flat) // 100, 16, 64))
        self.decoder_ = distilled(code[some], self._bytes(flat)[some], hidden, seed)
        self._shape = X.shape[1:]
        return self

    def _codes(self, X: Any, fresh: bool = False) -> NDArray[np.int8]:
        """Records → codes of bytes."""
        z = np.asarray(self.autoencoder_.encode(_flat(X) if self._rows_flat else X), np.float64).reshape(len(X), -1)
        if fresh:
            self._scale = np.maximum(z.std(axis=0) / _LEVELS, 1e-6)
        code: NDArray[np.int8] = np.clip(np.rint(z / self._scale), -CODE, CODE - 1).astype(np.int8)
        return code

    def _bytes(self, flat: NDArray[Any]) -> NDArray[np.uint8]:
        """Columns brought to 0 … 255."""
        span = np.where(self._high > self._low, self._high - self._low, 1.0)
        levels: NDArray[np.uint8] = np.clip(np.rint((flat - self._low) / span * 255), 0, 255).astype(np.uint8)
        return levels

    # -- use ---------------------------------------------------------------------------------------------------------

    def encrypt(self, X: Any, *, model: str = "auto") -> bytes:
        """Compress and encrypt.

        Parameters
        ----------
        X : array, frame of pandas, polars or pyarrow, list of texts, bytes or str
        model : {"auto", "inside", "outside"}
            Where the decoder is, if the codes of a fitted autoencoder are used: `"auto"` and `"inside"` put it into the
            container, if it pays there; `"outside"` leaves it with this cipher (`save`), and the container holds its
            SHA-256.

        Returns
        -------
        bytes
            An age container.

        Raises
        ------
        CipherError
            If nobody could open it.
        TypeError
            For values that no container holds.
        """
        if model not in ("auto", "inside", "outside"):
            raise ValueError(f"encrypt: model must be 'auto', 'inside' or 'outside', got {model!r}")
        learned = self._learned(X)
        if self.lossy:
            data, self.report_ = self._lossy(X, learned, model)
        else:
            data, self.report_ = frame.write(X, learned if _are_bytes(X) else None, model=model)
        own = [] if self._key is None else [self._key]
        return cryptography.seal(data, recipients=[*own, *self.recipients], passphrase=self._passphrase)

    def decrypt(self, data: bytes, *, max_bytes: int = MAX_BYTES) -> Any:
        """What was encrypted.

        Parameters
        ----------
        data : bytes
        max_bytes : int
            The most memory that the value may take: anybody can encrypt for a public key, and a few bytes can ask for
            many.

        Raises
        ------
        CipherError
            For another key, model or version, and for containers that are damaged, cut short, altered in any bit, or
            hold something else. Nothing is given back then.
        """
        payload = cryptography.open(data, key=self._key, passphrase=self._passphrase)
        try:
            return frame.read(payload, getattr(self, "decoder_", None), max_bytes)
        except frame.DamagedError as error:
            raise CipherError(f"decrypt: {error}") from None
        except MemoryError:
            raise CipherError("decrypt: there is not enough memory for it") from None

    def describe(self, data: bytes) -> dict[str, Any]:
        """What a container holds, without unpacking it: kind, sizes, ways, the model's SHA-256; takes the key.

        Raises
        ------
        CipherError
        """
        payload = cryptography.open(data, key=self._key, passphrase=self._passphrase)
        try:
            return {"container": len(data), **frame.describe(payload)}
        except frame.DamagedError as error:
            raise CipherError(f"decrypt: {error}") from None

    def _learned(self, X: Any) -> Learned | None:
        decoder = getattr(self, "decoder_", None)
        if decoder is None or not _are_numbers(X) or X.shape[1:] != getattr(self, "_shape", None):
            return None
        if not hasattr(self, "autoencoder_"):
            return None
        return Learned(decoder, self._codes(X))

    def _lossy(self, X: Any, learned: Learned | None, model: str) -> tuple[bytes, frame.Report]:
        if learned is None:
            raise CipherError(
                "encrypt: lossy=True keeps the codes of arrays of numbers of the shape that fit saw; fit the cipher on "
                "such an array, or leave lossy out"
            )
        bounds = [[float(v).hex() for v in bound] for bound in (self._low, self._high)]
        told = {"kind": "lossy", "leaf": 0, "dtype": X.dtype.str, "low": bounds[0], "high": bounds[1]}
        data, report = frame.write(None, learned, model=model, lossy=(told, X.shape))
        back = frame.read(data, learned.decoder)
        off = back.astype(np.float64) - X.astype(np.float64)
        mse, span = float(np.square(off).mean()), float(np.ptp(X))
        psnr = float(10 * np.log10(span**2 / mse)) if mse and span else float("inf")
        report.raw = X.nbytes
        report.lossy = {"mse": mse, "psnr": psnr, "largest": float(abs(off).max())}
        return data, report

    # -- files -------------------------------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write what was learned, for containers whose model is outside; no key goes into the file.

        Raises
        ------
        ModelFileError
        """
        import torch

        if getattr(self, "decoder_", None) is None:
            raise CipherError("save: nothing was learned that a container could need; fit the cipher on an array first")
        content = torch.from_numpy(np.frombuffer(self.decoder_.to_bytes(), np.uint8).copy())  # type: ignore[union-attr]
        files.write(path, "cipher", {"sha256": self.decoder_.sha256}, {"decoder": content})  # type: ignore[union-attr]

    @classmethod
    def load(cls, path: str | os.PathLike[str], **parameters: Any) -> Cipher:
        """A cipher that opens containers whose model is in a file that `save` wrote.

        Parameters
        ----------
        path : path-like
        **parameters
            As of `Cipher`, such as `key=`.

        Raises
        ------
        ModelFileError
        """
        manifest, tensors = files.read(path, "cipher")
        try:
            decoder = IntegerDecoder.from_bytes(tensors["decoder"].numpy().tobytes())
        except (frame.DamagedError, KeyError) as error:
            raise ModelFileError(f"{os.fspath(path)}: holds no cipher's model ({error}); save it again") from None
        if manifest != {"sha256": decoder.sha256}:
            raise ModelFileError(f"{os.fspath(path)}: its model is not the one that it names; save it again")
        made = cls(**parameters)
        made.decoder_ = decoder
        return made


def _default(rows: Any, verbose: int) -> Autoencoder:
    """A small autoencoder: what it learns has to pay for its own bytes."""
    width = _flat(rows).shape[1]
    size = int(np.clip(width // 8, 1, 8))
    network = Input() + Dense(int(np.clip(width // 2, 8, 256)), "relu") + Dense(size)
    return Autoencoder(network + Dense(int(np.clip(width // 2, 8, 256)), "relu") + Output(), epochs=20, verbose=verbose)


def _are_numbers(X: Any) -> bool:
    return isinstance(X, np.ndarray) and X.dtype.kind in "biuf" and X.ndim >= 2 and X.size > 0 and len(X) > 1


def _are_bytes(X: Any) -> bool:
    return isinstance(X, np.ndarray) and X.dtype == np.uint8


def _flat(X: Any) -> NDArray[np.float64]:
    return np.asarray(X, np.float64).reshape(len(X), -1)
