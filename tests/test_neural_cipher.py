"""`NeuralCipher`: schemes that look well and are read by whoever knows some pairs."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError

import azogue as az
from azogue.applications import breaking, schemes

X = load_digits().data


@pytest.fixture(scope="module")
def audits():
    found = {}
    for scheme in ("code", "overcomplete", "uniform", "image", "chaotic"):
        cipher = az.NeuralCipher(scheme=scheme, random_state=0).fit(X[:1200])
        found[scheme] = cipher, cipher.audit(X[1200:])
    return found


# Golden numbers


def test_entropy_of_equal_frequencies():
    assert breaking.entropy(np.arange(256, dtype=np.uint8)) == pytest.approx(8)
    assert breaking.entropy(np.array([0, 0, 1, 1], np.uint8)) == pytest.approx(1)
    assert breaking.entropy(np.zeros(9, np.uint8)) == 0


def test_scores_of_noise_are_the_ideal_ones():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 256, (2, 400_000)).astype(np.uint8)
    assert breaking.npcr(a, b) == pytest.approx(breaking.IDEAL["npcr"], abs=0.05)
    assert breaking.uaci(a, b) == pytest.approx(breaking.IDEAL["uaci"], abs=0.1)
    assert (breaking.npcr(a, a), breaking.uaci(a, a)) == (0, 0)
    assert breaking.uaci(np.zeros(4, np.uint8), np.array([255, 0, 0, 0], np.uint8)) == 25


def test_linear_ciphers_are_read_whole():
    rng = np.random.default_rng(0)
    records, secret = rng.normal(size=(500, 10)), rng.normal(size=(10, 14))
    assert breaking.known_plaintext(records, records @ secret, 100, rng) > 0.999
    assert breaking.chosen_plaintext(records, records @ secret, lambda rows: rows @ secret) > 0.98
    assert abs(breaking.known_plaintext(records, rng.normal(size=(500, 14)), 200, rng)) <= 0.01


def test_an_unknown_xor_is_no_hindrance():
    rng = np.random.default_rng(0)
    levels, stream = rng.integers(0, 256, (600, 8)).astype(np.uint8), rng.integers(0, 256, 8).astype(np.uint8)
    assert breaking.known_plaintext(levels.astype(float), levels ^ stream, 200, rng) > 0.99


# Schemes


def test_codes_as_cryptograms_are_read_from_200_pairs(audits):
    for scheme in ("code", "overcomplete", "image"):
        audit = audits[scheme][1]
        assert audit.attacks["known_plaintext"].value >= 0.9
        assert audit.attacks["known_plaintext"].needs.startswith("200 pairs")
        assert audit.broken
    assert audits["overcomplete"][1].best.value > audits["code"][1].attacks["known_plaintext"].value


def test_scores_look_well_where_attacks_succeed(audits):
    audit = audits["chaotic"][1]
    assert audit.scores["entropy"] > 7.5
    assert audit.scores["wrong_key_r2"] < 0
    assert audit.attacks["keystream"].value > 0.999
    uniform = audits["uniform"][1]
    assert uniform.scores["entropy"] > 7.9
    assert uniform.scores["wrong_key_r2"] < 0
    assert uniform.attacks["known_plaintext"].value > 0.7


def test_age_gives_nothing_away(audits):
    for _, audit in audits.values():
        assert audit.control["known_plaintext"] <= 0.01
        assert audit.control["entropy"] > 7.9
        assert audit.control["npcr"] == pytest.approx(breaking.IDEAL["npcr"], abs=0.5)


def test_owners_read_their_cryptograms(audits):
    variance = X[1200:].var(axis=0).mean()
    for scheme, (cipher, audit) in audits.items():
        Z = cipher.encrypt(X[1200:])
        assert Z.dtype == (np.uint8 if scheme in ("uniform", "chaotic") else np.float32)
        assert Z.shape == (len(X) - 1200, 128 if scheme == "overcomplete" else 32)
        back = cipher.decrypt(Z)
        assert np.square(back - X[1200:]).mean() < 0.2 * variance
        assert audit.scores["same_cryptogram"] == 1.0
        assert "NOT A SECURE CIPHER" in str(audit)


def test_pictures_keep_shape_and_dtype():
    pictures = load_digits().images[:300].astype(np.uint8)
    cipher = az.NeuralCipher(scheme="image", random_state=0).fit(pictures)
    back = cipher.decrypt(cipher.encrypt(pictures))
    assert (back.dtype, back.shape) == (pictures.dtype, pictures.shape)
    assert cipher.audit(pictures).broken


def test_keys_matter():
    a, b = (az.NeuralCipher(scheme="chaotic", random_state=seed).fit(X[:200]) for seed in (0, 1))
    assert (a._stream != b._stream).mean() > 0.5
    assert (schemes.logistic_bytes(5 << 32, 64) != schemes.logistic_bytes(6 << 32, 64)).mean() > 0.9
    stream = schemes.logistic_bytes(7, 20_000)
    assert breaking.entropy(stream) > 7.98


def test_all_printable_characters_come_back():
    cipher = az.NeuralCipher(scheme="symbols", random_state=0).fit(None)
    texts = [schemes.SYMBOLS, "The quick brown fox jumps over the lazy dog.", "", "a" * 9]
    assert len(schemes.SYMBOLS) == 95
    assert cipher.decrypt(cipher.encrypt(texts)) == texts
    audit = cipher.audit(["The quick brown fox jumps over the lazy dog. " * 9])
    assert audit.attacks["known_plaintext"].value == 1.0
    assert audit.attacks["chosen_plaintext"].value == 1.0
    with pytest.raises(ValueError, match="printable ASCII"):
        cipher.encrypt(["ñ"])


def test_repr_warns_and_shows_no_key():
    cipher = az.NeuralCipher(scheme="chaotic", random_state=0).fit(X[:100])
    assert "NOT A SECURE CIPHER" in repr(cipher)
    assert str(cipher._key) not in repr(cipher)
    assert "NOT A SECURE CIPHER" in az.NeuralCipher.__doc__


def test_misuse():
    with pytest.raises(ValueError, match="scheme: expected one of code"):
        az.NeuralCipher(scheme="caesar").fit(X)
    with pytest.raises(NotFittedError):
        az.NeuralCipher().encrypt(X)
    with pytest.raises(TypeError, match="array of numbers"):
        az.NeuralCipher().fit(["a"])
