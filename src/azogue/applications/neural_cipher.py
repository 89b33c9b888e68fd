"""Neural cryptography for study: codes as cryptograms, and the attacks that read them."""

from __future__ import annotations

import secrets
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator

from azogue import cryptography
from azogue.applications import breaking, schemes
from azogue.applications.breaking import Attack, Audit
from azogue.applications.owner import owned
from azogue.autoencoder import Autoencoder
from azogue.layers import Dense, Input, Output
from azogue.session import as_seed
from azogue.variants import WassersteinAutoencoder

SCHEMES = ("code", "overcomplete", "uniform", "image", "chaotic", "symbols")
WARNING = "NOT A SECURE CIPHER: for study only; use Cipher to keep something secret"
#: Records that scores are measured on, and that age containers are made of.
_SCORED = 200


class NeuralCipher:
    r"""NOT A SECURE CIPHER. The neural cryptography of the literature, for study, with the attacks that break it.

    .. warning::
       Nothing that this class makes is secret. A code is pseudonymised data: whoever has some pairs of records and
       codes learns to read the others. Use `Cipher` for confidentiality, which age alone gives.

    The idea is that of the talk: the code is the cryptogram and the decoder is the key, so that "data cannot be
    reconstructed without it". `audit` measures the scores by which such schemes are judged, and then reads the records.

    Parameters
    ----------
    autoencoder : Autoencoder, FrozenEstimator or None
        Unfitted (cloned and fitted) or fitted inside `sklearn.frozen.FrozenEstimator`. None: one for the scheme.
    scheme : {"code", "overcomplete", "uniform", "image", "chaotic", "symbols"}
        - `"code"`: the code, of half as many numbers as a record has;
        - `"overcomplete"`: a code of twice as many;
        - `"uniform"`: codes pressed to a normal distribution by the loss (MMD), then by the probability transform to
          bytes of which each is as frequent as any other;
        - `"image"`: cells are shuffled by a key, and the result is compressed (encryption then compression);
        - `"chaotic"`: the code's bytes XOR a key stream of the logistic map;
        - `"symbols"`: each printable character is a code of its own; all 95 come back.
    random_state : int, numpy generator or None
        For training, and for the keys of `"image"` and `"chaotic"`; None takes these from the operating system.
    verbose : int

    Attributes
    ----------
    autoencoder_ : Autoencoder

    References
    ----------
    Quinga-Socasi, Zhinin-Vera & Chang (2020), A deep learning approach for symmetric-key cryptography system, FTC;
    Sreelakshmi & Ravi (2020), An encryption-then-compression scheme using autoencoder based image compression for color
    images, ICSSS; Suhail & Sankar (2020), Image compression and encryption combining autoencoder and chaotic logistic
    map. That Kerckhoffs (1883) lets the attacker know all but the key is taken for granted.

    Examples
    --------
    >>> import azogue as az
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().data
    >>> cipher = az.NeuralCipher(scheme="code", random_state=0).fit(X[:1000])
    >>> cipher.encrypt(X[:2]).shape
    (2, 32)
    >>> found = cipher.audit(X[1000:])
    >>> found.broken, round(found.control["known_plaintext"], 1)
    (True, 0.0)
    >>> cipher
    NeuralCipher(scheme='code') NOT A SECURE CIPHER: for study only; use Cipher to keep something secret
    """

    def __init__(
        self, autoencoder: Any = None, *, scheme: str = "code", random_state: Any = None, verbose: int = 0
    ) -> None:
        self.autoencoder, self.scheme, self.random_state, self.verbose = autoencoder, scheme, random_state, verbose

    def __repr__(self) -> str:
        return f"NeuralCipher(scheme={self.scheme!r}) {WARNING}"

    # -- use ---------------------------------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train the autoencoder, and draw the scheme's key.

        Parameters
        ----------
        X : array of numbers, shape (n, ...); for `"symbols"` ignored, and may be a list of texts
        y : ignored
        """
        if self.scheme not in SCHEMES:
            raise ValueError(f"scheme: expected one of {', '.join(SCHEMES)}, got {self.scheme!r}")
        seed = as_seed(self.random_state)
        drawn = (
            secrets.randbits(64) if self.random_state is None else int(np.random.default_rng(seed).integers(1 << 62))
        )
        self._key = drawn
        if self.scheme == "symbols":
            return self._fit_symbols(seed)
        flat = _flat(X)
        self._shape, self._middle = np.shape(X)[1:], flat.mean(axis=0)
        self._dtype = np.asarray(X).dtype
        self._order = schemes.permutation(self._key, flat.shape[1])
        rows = flat[:, self._order] if self.scheme == "image" else flat
        self.autoencoder_ = owned(self.autoencoder, self._default(flat.shape[1]), rows, seed)
        codes = np.asarray(self.autoencoder_.encode(rows), np.float64)
        self._bytes = schemes.Ranks(codes) if self.scheme == "uniform" else schemes.Levels(codes)
        self._stream = schemes.logistic_bytes(self._key, codes.shape[1])
        return self

    def _default(self, width: int) -> Autoencoder:
        size = {"overcomplete": 2 * width}.get(self.scheme, max(1, width // 2))
        network = Input() + Dense(size) + Output()
        if self.scheme in ("uniform", "chaotic"):
            hidden = max(8, 2 * width)
            network = Input() + Dense(hidden, "relu") + Dense(size) + Dense(hidden, "relu") + Output()
        kind = WassersteinAutoencoder if self.scheme == "uniform" else Autoencoder
        return kind(network, epochs=60, scaling="minmax", verbose=self.verbose)

    def encrypt(self, X: Any) -> Any:
        """Records → cryptograms, which keep nothing secret.

        Returns
        -------
        ndarray of float32 or uint8, shape (n, code size)
            For `"symbols"` a list with an array (characters, code size) for each text.
        """
        self._check()
        if self.scheme == "symbols":
            return [self._symbol_codes[[schemes.SYMBOLS.index(c) for c in text]] for text in _printable(X)]
        flat = _flat(X)
        codes = np.asarray(self.autoencoder_.encode(flat[:, self._order] if self.scheme == "image" else flat))
        if self.scheme not in ("uniform", "chaotic"):
            return codes.astype(np.float32)
        found = self._bytes.to_bytes(codes)
        return found ^ self._stream if self.scheme == "chaotic" else found

    def decrypt(self, Z: Any) -> Any:
        """Cryptograms → records, as well as the autoencoder knows them; texts come back whole."""
        self._check()
        if self.scheme == "symbols":
            out = [np.asarray(self.autoencoder_.decode(np.asarray(part))) for part in Z if len(part)]
            texts = iter("".join(schemes.SYMBOLS[at] for at in part.argmax(axis=1)) for part in out)
            return [next(texts) if len(part) else "" for part in Z]
        return self._shaped(self._decoded(np.asarray(Z), self._stream, self.autoencoder_))

    def _shaped(self, flat: NDArray[Any]) -> NDArray[Any]:
        if self._dtype.kind in "iu":
            info = np.iinfo(self._dtype)
            flat = np.clip(np.rint(flat), float(info.min), float(info.max))
        return flat.astype(self._dtype if self._dtype.kind in "iuf" else np.float64).reshape(len(flat), *self._shape)

    def _decoded(self, Z: NDArray[Any], stream: NDArray[np.uint8], ae: Autoencoder) -> NDArray[np.float64]:
        """Cryptograms → flat records, with a key stream and a decoder."""
        codes: Any = Z
        if self.scheme in ("uniform", "chaotic"):
            codes = self._bytes.to_codes(Z ^ stream if self.scheme == "chaotic" else Z)
        rows = np.asarray(ae.decode(np.asarray(codes, np.float32)), np.float64)
        if self.scheme == "image":
            rows[:, self._order] = rows.copy()
        return rows

    def _check(self) -> None:
        if not hasattr(self, "autoencoder_"):
            raise NotFittedError("NeuralCipher: call fit first")

    def _fit_symbols(self, seed: int) -> Self:
        """Train on the 95 characters until every one of them comes back."""
        rows = schemes.one_hot([schemes.SYMBOLS])
        network = Input() + Dense(64, "relu") + Dense(8) + Dense(64, "relu") + Output()
        settings: dict[str, Any] = {"validation_fraction": 0.0, "batch_size": 32, "learning_rate": 5e-3}
        default = Autoencoder(network, epochs=150, scaling="none", verbose=self.verbose, **settings)
        frozen = isinstance(self.autoencoder, FrozenEstimator)
        for attempt in range(1 if frozen else 4):
            ae = owned(self.autoencoder, default, rows, seed + attempt)
            codes = np.asarray(ae.encode(rows), np.float32)
            if (np.asarray(ae.decode(codes)).argmax(axis=1) == np.arange(len(rows))).all():
                self.autoencoder_, self._symbol_codes = ae, codes
                return self
        raise ValueError(
            "NeuralCipher: the network does not tell all 95 characters apart; give it more units or epochs"
        )

    # -- judging -----------------------------------------------------------------------------------------------------

    def audit(self, X: Any, *, known: int = 200, random_state: Any = 0) -> Audit:
        """Measure how cryptograms look, and read records without the key.

        Parameters
        ----------
        X : like that of `fit`
            Records that the cipher was not trained on, best of all.
        known : int
            Pairs that the attacker has, where it knows some; at most half of the rows.
        random_state : int or numpy generator

        Returns
        -------
        Audit
            `scores`, `attacks`, and `control`: the same of an age container. `print` shows it.
        """
        self._check()
        rng = np.random.default_rng(random_state)
        if self.scheme == "symbols":
            return self._audit_symbols(_printable(X), known, rng)
        flat = _flat(X)
        Z = self.encrypt(flat.reshape(-1, *self._shape))
        attacks = {
            "known_plaintext": Attack(
                "known plaintext",
                "R²",
                breaking.known_plaintext(flat, Z, known, rng),
                f"{min(known, len(flat) // 2)} pairs of records and cryptograms",
            )
        }
        if self.scheme == "chaotic":
            attacks["keystream"] = self._keystream(flat, Z)
        else:
            value = breaking.chosen_plaintext(flat, Z, lambda rows: self.encrypt(rows.reshape(-1, *self._shape)))
            attacks["chosen_plaintext"] = Attack(
                "chosen plaintext", "R²", value, f"{2 * flat.shape[1] + 1} records of its own choice encrypted"
            )
        return Audit(self.scheme, self._scores(flat, Z, rng), attacks, _control(flat, known, rng))

    def _keystream(self, flat: NDArray[Any], Z: NDArray[np.uint8]) -> Attack:
        """The network is no secret (Kerckhoffs): one chosen record gives the key stream, and that all the others."""
        chosen = flat[:1]
        known_bytes = self._bytes.to_bytes(np.asarray(self.autoencoder_.encode(chosen)))
        stream = self.encrypt(chosen.reshape(1, *self._shape))[0] ^ known_bytes[0]
        owner = self._decoded(Z[1:], self._stream, self.autoencoder_)
        attacker = self._decoded(Z[1:], stream, self.autoencoder_)
        value = breaking.r2(owner, attacker, owner.mean(axis=0))
        return Attack("key stream", "R²", value, "1 chosen record; measured against what the owner of the key reads")

    def _scores(self, flat: NDArray[Any], Z: NDArray[Any], rng: np.random.Generator) -> dict[str, float]:
        levels = Z if Z.dtype == np.uint8 else schemes.Levels(Z).to_bytes(Z)
        some = slice(0, _SCORED)
        moved = _one_cell_moved(flat[some], flat, rng)
        other = self.encrypt(moved.reshape(-1, *self._shape))
        other = other if Z.dtype == np.uint8 else schemes.Levels(Z).to_bytes(other)
        again = self.encrypt(flat[some].reshape(-1, *self._shape))
        return {
            "entropy": breaking.entropy(levels),
            "npcr": breaking.npcr(levels[some], other),
            "uaci": breaking.uaci(levels[some], other),
            "wrong_key_r2": self._with_wrong_key(flat[some], Z[some]),
            "same_cryptogram": float((again == Z[some]).all(axis=1).mean()),
        }

    def _with_wrong_key(self, flat: NDArray[Any], Z: NDArray[Any]) -> float:
        """R² of records decrypted by another key: the next number, or a network trained from another seed."""
        stream, ae = self._stream, self.autoencoder_
        if self.scheme == "chaotic":
            stream = schemes.logistic_bytes(self._key ^ 1 << 32, len(self._stream))
            return breaking.r2(flat, self._decoded(Z, stream, ae), self._middle)
        fresh = clone(ae).set_params(random_state=as_seed(ae.seed_ + 1), epochs=30)
        rows = flat[:, self._order] if self.scheme == "image" else flat
        return breaking.r2(flat, self._decoded(Z, stream, fresh.fit(rows)), self._middle)

    def _audit_symbols(self, texts: list[str], known: int, rng: np.random.Generator) -> Audit:
        """Equal characters have equal codes: a table of those that were seen reads the rest."""
        joined = "".join(texts)
        if len(joined) < 4:
            raise ValueError("audit: give texts of at least four characters")
        codes = np.concatenate([part for part in self.encrypt(texts) if len(part)])
        levels = schemes.Levels(self._symbol_codes).to_bytes(codes)
        known = min(known, len(joined) // 2)
        table = {codes[at].tobytes(): joined[at] for at in range(known)}
        rest = range(known, len(joined))
        guess = max(set(joined[:known]), key=joined[:known].count)
        read = np.mean([table.get(codes[at].tobytes(), guess) == joined[at] for at in rest])
        book = {code.tobytes(): c for code, c in zip(self._symbol_codes, schemes.SYMBOLS, strict=True)}
        chosen = np.mean([book.get(code.tobytes()) == c for code, c in zip(codes, joined, strict=True)])
        other = levels[rng.permutation(len(levels))]
        scores = {
            "entropy": breaking.entropy(levels),
            "npcr": breaking.npcr(levels, other),
            "uaci": breaking.uaci(levels, other),
            "same_cryptogram": 1.0,
        }
        attacks = {
            "known_plaintext": Attack("known plaintext", "symbols", float(read), f"{known} characters and their codes"),
            "chosen_plaintext": Attack("chosen plaintext", "symbols", float(chosen), "95 characters encrypted"),
        }
        return Audit(self.scheme, scores, attacks)


def _control(flat: NDArray[Any], known: int, rng: np.random.Generator) -> dict[str, float]:
    """The scores and the attack, of age containers with the same records."""
    key = cryptography.Key.generate()
    some = flat[: 2 * max(known, _SCORED)]

    def payloads(rows: NDArray[Any]) -> NDArray[np.uint8]:
        sealed = [cryptography.seal(row.astype("<f4").tobytes(), recipients=[key]) for row in rows]
        found = [np.frombuffer(one, np.uint8)[cryptography.read_header(one)[1] :] for one in sealed]
        return np.stack(found)

    Z = payloads(some)
    other = payloads(_one_cell_moved(some[:_SCORED], flat, rng))
    return {
        "entropy": breaking.entropy(Z),
        "npcr": breaking.npcr(Z[:_SCORED], other),
        "uaci": breaking.uaci(Z[:_SCORED], other),
        "same_cryptogram": 0.0,
        "known_plaintext": breaking.known_plaintext(some, Z, known, rng),
    }


def _one_cell_moved(rows: NDArray[Any], all_rows: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
    """Each row with one cell taken to the far end of its range."""
    low, high = all_rows.min(axis=0), all_rows.max(axis=0)
    cells = rng.choice(np.flatnonzero(high > low), len(rows))
    moved, at = rows.copy(), np.arange(len(rows))
    moved[at, cells] = np.where(rows[at, cells] - low[cells] > high[cells] - rows[at, cells], low[cells], high[cells])
    return moved


def _flat(X: Any) -> NDArray[np.float64]:
    found = np.asarray(X)
    if found.dtype.kind not in "biuf" or found.ndim < 2:
        raise TypeError("NeuralCipher: expected an array of numbers, one record a row; scheme='symbols' takes texts")
    return found.astype(np.float64).reshape(len(found), -1)


def _printable(X: Any) -> list[str]:
    texts = [X] if isinstance(X, str) else list(X)
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("NeuralCipher: the scheme 'symbols' takes texts")
    schemes.one_hot(texts)
    return texts
