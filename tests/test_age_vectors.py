"""The published test vectors of the age format: each is opened, or refused in one line."""

import base64

import pytest

from age_vectors import IDENTITY, PUBLISHED, armoured, digest, vectors
from azogue import cryptography
from azogue.cryptography import CipherError

VECTORS = vectors()
EXPECTED = {
    "header": "damaged|cut short|another version|no age container|no end|work factor|passphrase is wrong",
    "HMAC": "damaged",
    "payload": "damaged|cut short",
    "no match": "not for this key|passphrase is wrong",
}


def opened(vector):
    return cryptography.open(vector.data, key=vector.secret, passphrase=vector.passphrase or None)


def test_they_are_the_published_ones():
    found = {one.name: one for one in VECTORS}
    assert len(found) == len(VECTORS) > 70
    for name, code in PUBLISHED.items():
        assert f"\n--- {code}\n".encode() in found[name].data, name
    assert b"-> X25519 TEiF0ypqr+bpvcqXNyCVJpL7OuwPdVwPL7KQEbFDOCc\n" in found["x25519"].data
    assert digest(found["x25519"].payload) == "013f54400c82da08037759ada907a8b864e97de81c088a182062c4b5622fd2ab"
    assert found["x25519"].secret == IDENTITY
    text = armoured(found["x25519"].data).decode().split("\n")
    assert text[-3] == "yPC8DpksHoMx+2Y="  # the published vector "armor"


@pytest.mark.parametrize("vector", VECTORS, ids=[one.name for one in VECTORS])
def test_vectors_are_opened_or_refused(vector):
    if vector.expect == "success":
        assert opened(vector) == vector.payload
        return
    with pytest.raises(CipherError, match=EXPECTED[vector.expect]) as caught:
        opened(vector)
    assert str(caught.value).count("\n") == 0


def test_work_factor_23_is_refused_before_any_work(monkeypatch):
    import pyrage

    monkeypatch.setattr(pyrage.passphrase, "decrypt", lambda *_: pytest.fail("work was done"))
    dear = next(one for one in VECTORS if one.name == "scrypt_work_factor_23")
    assert b"-> scrypt rF0/NwblUHHTpgQgRpe5CQ 23\n" in dear.data
    with pytest.raises(CipherError, match="work factor 23, more than 20 is refused"):
        opened(dear)


def test_armour_is_refused_with_what_to_do():
    plain = next(one for one in VECTORS if one.name == "x25519")
    with pytest.raises(CipherError, match="take the armour off"):
        cryptography.open(armoured(plain.data), key=plain.secret)
    assert base64.b64decode("".join(armoured(plain.data).decode().split("\n")[1:-2])) == plain.data
