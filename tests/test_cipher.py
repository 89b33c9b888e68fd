"""`Cipher`: what is encrypted comes back whole, to whoever has the key, and to nobody else."""

import base64
import copy
import hmac
import os
import pickle
import shutil
import stat
import subprocess
import traceback

import numpy as np
import pandas as pd
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from pandas.testing import assert_frame_equal
from sklearn.datasets import load_digits, load_wine
from sklearn.frozen import FrozenEstimator

import azogue as az
from azogue import cryptography
from azogue.cryptography import CipherError, Key, Passphrase, read_header
from azogue.disk import ModelFileError

KEY = az.Cipher.generate_key()
DIGITS = load_digits().images.astype(np.uint8)
TABLE = load_wine(as_frame=True).frame


@pytest.fixture(scope="module")
def small():
    """4 KB in a container."""
    return az.Cipher(key=KEY).encrypt(np.random.default_rng(0).bytes(3700))


@pytest.fixture(scope="module")
def fitted():
    return az.Cipher(key=KEY, random_state=0).fit(DIGITS[:400])


@pytest.mark.parametrize("value", [DIGITS[:300], TABLE, b"bytes", "text", ["a", None], np.arange(5.0)], ids=str)
def test_round_trip(value):
    cipher = az.Cipher(key=KEY)
    back = cipher.decrypt(cipher.encrypt(value))
    if isinstance(value, pd.DataFrame):
        assert_frame_equal(back, value)
    elif isinstance(value, np.ndarray):
        assert back.tobytes() == value.tobytes()
        assert (back.dtype, back.shape) == (value.dtype, value.shape)
    else:
        assert back == value


def test_fitted_ciphers_and_others_read_one_another(fitted):
    container = fitted.encrypt(DIGITS[:400])
    assert (az.Cipher(key=KEY).decrypt(container) == DIGITS[:400]).all()
    assert (fitted.decrypt(az.Cipher(key=KEY).encrypt(DIGITS[:99])) == DIGITS[:99]).all()
    assert_frame_equal(fitted.decrypt(fitted.encrypt(TABLE)), TABLE)
    told = fitted.describe(container)
    assert told["kind"] == "array"
    assert told["learned"]
    assert told["container"] == len(container)
    assert 0 < fitted.report_.size < len(container)


def test_fit_takes_frames_and_ready_autoencoders():
    ae = az.Autoencoder(3, epochs=2, random_state=0).fit(TABLE)
    cipher = az.Cipher(FrozenEstimator(ae), key=KEY).fit(TABLE)
    assert cipher.autoencoder_ is ae
    assert_frame_equal(cipher.decrypt(cipher.encrypt(TABLE)), TABLE)
    images = az.Autoencoder(4, epochs=1, random_state=0)
    made = az.Cipher(images, key=KEY, random_state=0).fit(DIGITS[:200])
    assert made.decoder_ is not None
    assert (made.decrypt(made.encrypt(DIGITS[:200])) == DIGITS[:200]).all()


def test_encryption_is_never_seeded():
    cipher = az.Cipher(key=KEY, random_state=0)
    assert cipher.encrypt("x") != cipher.encrypt("x")


# Lossy


@pytest.mark.parametrize(
    "X", [DIGITS[:400], load_digits().data[:400], TABLE.to_numpy()[:, :5]], ids=["u1", "f8", "wine"]
)
def test_lossy_says_what_is_lost(X):
    cipher = az.Cipher(key=KEY, lossy=True, random_state=0).fit(X)
    container = cipher.encrypt(X)
    back = az.Cipher(key=KEY).decrypt(container)
    off = back.astype(float) - X
    assert (back.dtype, back.shape) == (X.dtype, X.shape)
    assert cipher.report_.lossy["mse"] == pytest.approx(np.square(off).mean())
    assert cipher.report_.lossy["largest"] == pytest.approx(abs(off).max())
    assert 0 < np.square(off).mean() < np.var(X, axis=0).mean()
    assert "LOSSY" in str(cipher.report_)
    assert cipher.describe(container)["lossy"]
    assert cipher.report_.size < X.nbytes / 4


def test_lossy_needs_an_array_that_was_fitted():
    with pytest.raises(CipherError, match="fit the cipher"):
        az.Cipher(key=KEY, lossy=True).encrypt(DIGITS)
    with pytest.raises(CipherError, match="lossy=True keeps"):
        az.Cipher(key=KEY, lossy=True).fit(DIGITS[:100]).encrypt(TABLE)


# Models


def test_models_are_kept_outside(tmp_path, fitted):
    cipher = az.Cipher(key=KEY, lossy=True, random_state=0).fit(DIGITS[:400])
    container = cipher.encrypt(DIGITS, model="outside")
    with pytest.raises(CipherError, match="needs the model"):
        az.Cipher(key=KEY).decrypt(container)
    with pytest.raises(CipherError, match="this one is"):
        az.Cipher(key=KEY, random_state=1).fit(DIGITS[:90]).decrypt(container)
    cipher.save(tmp_path / "model.azogue")
    back = az.Cipher.load(tmp_path / "model.azogue", key=KEY).decrypt(container)
    assert (back == cipher.decrypt(container)).all()
    assert KEY.reveal().encode() not in (tmp_path / "model.azogue").read_bytes()


def test_files_of_models_are_checked(tmp_path):
    with pytest.raises(CipherError, match="nothing was learned"):
        az.Cipher(key=KEY).save(tmp_path / "x")
    (tmp_path / "x").write_bytes(b"no model")
    with pytest.raises(ModelFileError):
        az.Cipher.load(tmp_path / "x")
    with pytest.raises(ValueError, match="model must be"):
        az.Cipher(key=KEY).encrypt("x", model="beside")


# Keys


def test_recipients_and_their_keys():
    other, stranger = Key.generate(), Key.generate()
    container = az.Cipher(key=KEY, recipients=[other.recipient]).encrypt("x")
    assert [az.Cipher(key=one).decrypt(container) for one in (KEY, other, other.reveal())] == ["x"] * 3
    with pytest.raises(CipherError, match="not for this key"):
        az.Cipher(key=stranger).decrypt(container)
    assert az.Cipher(key=other).decrypt(az.Cipher(recipients=other.recipient).encrypt("y")) == "y"
    with pytest.raises(CipherError, match="give key="):
        az.Cipher(recipients=other.recipient).decrypt(container)


def test_passphrases():
    container = az.Cipher(passphrase="correct horse").encrypt("x")
    assert read_header(container)[0][0].kind == "scrypt"
    assert az.Cipher(passphrase="correct horse").decrypt(container) == "x"
    with pytest.raises(CipherError, match="give passphrase="):
        az.Cipher(key=KEY).decrypt(container)


def by_hand(data, passphrase, factor=4):
    """A container as the format describes it: scrypt, HKDF, ChaCha20-Poly1305."""
    salt, file_key, nonce = os.urandom(16), os.urandom(16), os.urandom(16)

    def hkdf(salt, info):
        return HKDF(hashes.SHA256(), 32, salt, info).derive(file_key)

    wrap = Scrypt(b"age-encryption.org/v1/scrypt" + salt, 32, 1 << factor, 8, 1).derive(passphrase.encode())
    body = ChaCha20Poly1305(wrap).encrypt(bytes(12), file_key, None)
    lines = [b"age-encryption.org/v1", b"-> scrypt " + plain64(salt) + f" {factor}".encode(), plain64(body), b"---"]
    head = b"\n".join(lines)
    code = hmac.new(hkdf(None, b"header"), head, "sha256").digest()
    sealed = ChaCha20Poly1305(hkdf(nonce, b"payload")).encrypt(bytes(11) + b"\1", data, None)
    return head + b" " + plain64(code) + b"\n" + nonce + sealed


def plain64(raw):
    return base64.b64encode(raw).rstrip(b"=")


def test_containers_made_by_the_letter_are_opened():
    container = by_hand(b"by hand", "correct horse")
    assert cryptography.open(container, passphrase="correct horse") == b"by hand"
    with pytest.raises(CipherError, match="passphrase is wrong"):
        cryptography.open(container, passphrase="wrong horse")
    payload = cryptography.open(az.Cipher(key=KEY).encrypt(TABLE), key=KEY)
    assert_frame_equal(az.Cipher(passphrase="a").decrypt(by_hand(payload, "a")), TABLE)


def test_nobody_and_too_many():
    with pytest.raises(CipherError, match="nobody could open it"):
        az.Cipher().encrypt("x")
    with pytest.raises(CipherError, match="not for both"):
        az.Cipher(key=KEY, passphrase="x").encrypt("x")


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"key": "AGE-SECRET-KEY-1SECRET"}, CipherError),
        ({"key": 5}, TypeError),
        ({"key": b"AGE-SECRET-KEY-1SECRET"}, TypeError),
        ({"passphrase": b"SECRET"}, TypeError),
        ({"passphrase": ""}, TypeError),
    ],
)
def test_wrong_secrets_are_not_shown(given, error):
    with pytest.raises(error) as caught:
        az.Cipher(**given)
    assert "SECRET" not in str(caught.value).replace("AGE-SECRET-KEY-1…", "")


@pytest.mark.parametrize("recipient", ["age1xyz", "ssh-rsa x", 5, KEY.reveal()], ids=["cut", "ssh", "number", "secret"])
def test_wrong_recipients(recipient):
    with pytest.raises((CipherError, TypeError), match="recipients") as caught:
        az.Cipher(recipients=[recipient]).encrypt("x")
    assert KEY.reveal() not in str(caught.value)


def test_secrets_show_nowhere():
    secret, word = KEY.reveal(), "a word nobody knows"
    cipher = az.Cipher(key=secret, recipients=[KEY], passphrase=word)
    shown = [repr(cipher), str(cipher), f"{cipher}", str(vars(cipher)), repr(KEY), str(KEY), repr(Passphrase(word))]
    for broken in (b"age-encryption.org/v1\n", az.Cipher(recipients=Key.generate()).encrypt("x"), by_hand(b"x", "y")):
        with pytest.raises(CipherError) as caught:
            cipher.decrypt(broken)
        frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
        del frames.stack[0]  # this function, which does know them
        assert len(frames.stack) > 0
        shown += frames.format()
    for shows in shown:
        assert secret not in shows
        assert word not in shows
    for thing in (cipher, KEY, Passphrase(word)):
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(thing)
    assert copy.deepcopy(KEY).recipient == KEY.recipient


def test_key_files(tmp_path):
    path = tmp_path / "key.txt"
    KEY.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Key.load(path).recipient == KEY.recipient
    with pytest.raises(CipherError, match="exists already"):
        KEY.save(path)
    with pytest.raises(CipherError, match="cannot be written"):
        KEY.save(tmp_path / "no" / "key.txt")
    (tmp_path / "none").write_text("# nothing\n")
    (tmp_path / "two").write_text(f"{KEY.reveal()}\n{Key.generate().reveal()}\n")
    (tmp_path / "large").write_bytes(b"x" * 100_000)
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for name in ("none", "two", "large", "binary", "absent"):
        with pytest.raises(CipherError, match=name):
            Key.load(tmp_path / name)
    (tmp_path / "word").write_text("some words\nmore\n")
    assert cryptography.read_passphrase(tmp_path / "word")._text == "some words"
    (tmp_path / "word").write_text("\n")
    with pytest.raises(CipherError, match="is empty"):
        cryptography.read_passphrase(tmp_path / "word")


# Damage


def test_every_flipped_bit_and_every_cut_is_refused(small):
    """All bits of the header, one of every further byte (all of them in benchmarks/encryption.py)."""
    cipher = az.Cipher(key=KEY)
    assert 4000 < len(small) < 4200
    _, start = read_header(small)
    bits = [*range(8 * start), *(8 * at + at % 8 for at in range(start, len(small)))]
    for bit in bits:
        wrong = bytearray(small)
        wrong[bit >> 3] ^= 1 << (bit & 7)
        with pytest.raises(CipherError):
            cipher.decrypt(bytes(wrong))
    for size in range(0, len(small), 3):
        with pytest.raises(CipherError):
            cipher.decrypt(small[:size])
    with pytest.raises(CipherError):
        cipher.decrypt(small + b"\0")


@pytest.mark.parametrize("junk", [b"", b"x", b"age", os.urandom(500), b"-----BEGIN AGE ENCRYPTED FILE-----\nYQ=="])
def test_garbage_is_refused_in_one_line(junk):
    with pytest.raises(CipherError, match=r"^decrypt: [^\n]+$"):
        az.Cipher(key=KEY).decrypt(junk)


def test_other_contents_and_versions_are_refused():
    seal = cryptography.seal
    cipher = az.Cipher(key=KEY)
    with pytest.raises(CipherError, match="no data of Azogue"):
        cipher.decrypt(seal(b"a letter, of more than fifty bytes, by somebody else", recipients=[KEY]))
    payload = bytearray(cryptography.open(cipher.encrypt("x" * 50), key=KEY))
    payload[7] = 2
    with pytest.raises(CipherError, match="format 2"):
        cipher.decrypt(seal(bytes(payload), recipients=[KEY]))
    with pytest.raises(CipherError, match="bytes allowed"):
        cipher.decrypt(cipher.encrypt(b"\0" * 10_000_000), max_bytes=1_000_000)
    with pytest.raises(TypeError, match="expected bytes"):
        cipher.decrypt("text")


def b64(n):
    return base64.b64encode(bytes(range(n))).rstrip(b"=").decode()


def container(*stanzas, mac="AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", tail=b"\0" * 64):
    return "\n".join(["age-encryption.org/v1", *stanzas, f"--- {mac}\n"]).encode() + tail


GOOD = f"-> X25519 {b64(32)}\n{b64(32)}"


@pytest.mark.parametrize("factor", ["21", "30", "64", "999999999"])
def test_dear_passphrases_are_refused_before_any_work(monkeypatch, factor):
    import pyrage

    monkeypatch.setattr(pyrage.passphrase, "decrypt", lambda *_: pytest.fail("work was done"))
    with pytest.raises(CipherError, match=f"work factor {factor}, more than 20"):
        az.Cipher(passphrase="x").decrypt(container(f"-> scrypt {b64(16)} {factor}\n{b64(32)}"))


@pytest.mark.parametrize(
    "wrong",
    [
        container(),
        container(GOOD, mac=b64(31)),
        container(GOOD, mac="?" * 43),
        container(GOOD, tail=b"\0" * 20),
        container(GOOD)[:60],
        container(f"-> X25519\n{b64(32)}"),
        container(f"-> X25519 {b64(31)}\n{b64(32)}"),
        container(f"-> X25519 {b64(32)} more\n{b64(32)}"),
        container(f"-> X25519 {b64(32)}\n{b64(31)}"),
        container(f"-> X25519 {b64(32)}\n{b64(48)}"),
        container(f"-> X25519  {b64(32)}\n{b64(32)}"),
        container(f"->X25519 {b64(32)}\n{b64(32)}"),
        container(f"-> X25519 {b64(32)}"),
        container(f"-> X25519 {b64(32)[:-1]}9\n{b64(32)}"),
        container(f"-> X25519 {b64(32)}\n{b64(32)}="),
        container(GOOD, f"-> scrypt {b64(16)} 10\n{b64(32)}"),
        container(f"-> scrypt {b64(16)}\n{b64(32)}"),
        container(f"-> scrypt {b64(15)} 10\n{b64(32)}"),
        container(f"-> scrypt {b64(16)} 010\n{b64(32)}"),
        container(f"-> scrypt {b64(16)} -1\n{b64(32)}"),
        container(f"-> scrypt {b64(16)} ten\n{b64(32)}"),
        container(*[GOOD] * 2100),
        container(GOOD).replace(b"/v1", b"/v2"),
        container(GOOD).replace(b"\n", b"\r\n"),
        container("-> \x07\n"),
        b"age-encryption.org/v1\n" + b"-> X25519 a\n" * 200_000,
    ],
)
def test_malformed_headers_are_refused_before_any_work(monkeypatch, wrong):
    import pyrage

    monkeypatch.setattr(pyrage, "decrypt", lambda *_: pytest.fail("work was done"))
    monkeypatch.setattr(pyrage.passphrase, "decrypt", lambda *_: pytest.fail("work was done"))
    for cipher in (az.Cipher(key=KEY), az.Cipher(passphrase="x")):
        with pytest.raises(CipherError, match=r"^decrypt: [^\n]+$"):
            cipher.decrypt(wrong)


def test_headers_are_read():
    stanzas, at = read_header(container(GOOD, "-> grease a b\n" + b64(48) + "\n"))
    assert [(one.kind, len(one.args), len(one.body)) for one in stanzas] == [("X25519", 1, 32), ("grease", 2, 48)]
    assert at == len(container(GOOD, "-> grease a b\n" + b64(48) + "\n")) - 64


# The program age


@pytest.mark.skipif(shutil.which("age") is None, reason="the program age is not installed")
def test_age_reads_and_writes_the_same(tmp_path):
    KEY.save(tmp_path / "key.txt")
    (tmp_path / "theirs").write_bytes(cryptography.seal(b"for age", recipients=[KEY]))
    (tmp_path / "ours").write_bytes(az.Cipher(key=KEY).encrypt(b"some bytes"))
    opened = [
        subprocess.run(
            ["age", "-d", "-i", tmp_path / "key.txt", tmp_path / name], capture_output=True, check=True
        ).stdout
        for name in ("theirs", "ours")
    ]
    assert opened[0] == b"for age"
    assert opened[1].startswith(b"azogue\0")
    sealed = subprocess.run(["age", "-r", KEY.recipient], input=b"from age", capture_output=True, check=True).stdout
    assert cryptography.open(sealed, key=KEY) == b"from age"
    again = subprocess.run(["age", "-r", KEY.recipient], input=opened[1], capture_output=True, check=True).stdout
    assert az.Cipher(key=KEY).decrypt(again) == b"some bytes"
