"""The test vectors of the age format (github.com/C2SP/CCTV, folder age; 0BSD, CC0), made again from their description.

Published vectors are made from one file key, "YELLOW SUBMARINE", and the ChaCha20 stream of the key "TEST RANDOMNESS
TEST RANDOMNESS!", so whoever follows the format gets the same bytes. `PUBLISHED` has codes of published headers, by
which this is checked. Names and what is expected are theirs: `success`, `no match`, or a failure of `header`, `HMAC`
or `payload`.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

INTRO = b"age-encryption.org/v1"
FILE_KEY = b"YELLOW SUBMARINE"
IDENTITY = "AGE-SECRET-KEY-1XMWWC06LY3EE5RYTXM9MFLAZ2U56JJJ36S0MYPDRWSVLUL66MV4QX3S7F6"
PASSPHRASE = "password"
CHUNK = 1 << 16
#: A point of order eight of the curve (RFC 7748, section 6.1, speaks of the check).
LOW_ORDER = bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157")

PUBLISHED = {
    "x25519": "Vn+54jqiiUCE+WZcEVY3f1sqHjlu/z1LCQ/T7Xm7qI0",
    "x25519_grease": "7NLrfbRUZt6qK0pdtARUf59dHwo12ReldjJKjMlbE3I",
    "stanza_valid_characters": "x538z9xJq9XEK1aTTTv80aWDVvVdROvaXn2tpqXPC8g",
    "stanza_empty_body": "697zSC9pa/ZLNIaXGtuwcUobmxv+Dpx48Hv0papk5c0",
    "stanza_missing_body": "CDgFIIJ1wE4CpW6zG+LVZ6/G/RCNTH6ZUVGp2NbeIkU",
    "stanza_multiple_short_lines": "ct87HSIMoTC4nUsQva+8AeKc2bK2q8b9sPjRhjuf1us",
    "stream_no_chunks": "Vn+54jqiiUCE+WZcEVY3f1sqHjlu/z1LCQ/T7Xm7qI0",
    "scrypt_work_factor_23": "38TpQMxQRRNMfmYYpBX6DDrPx4/QY5UmJnhPyVoX/cw",
}


def secret_of(identity: str) -> bytes:
    """The secret scalar of an identity (Bech32 without a look at its checksum)."""
    letters = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
    value = 0
    for letter in identity.lower().rsplit("1", 1)[1][:-6]:
        value = value << 5 | letters.index(letter)
    return (value >> 4).to_bytes(32, "big")


def b64(raw: bytes) -> bytes:
    return base64.b64encode(raw).rstrip(b"=")


def spelled_otherwise(text: bytes) -> bytes:
    """The same bytes in a spelling that base 64 does not allow: a spare bit at the end is one."""
    letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return text[:-1] + letters[letters.index(text[-1:]) + 1 :][:1]


def hkdf(key: bytes, salt: bytes | None, info: bytes) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt, info).derive(key)


class Random:
    """The stream that published vectors are made from."""

    def __init__(self) -> None:
        self.stream = Cipher(algorithms.ChaCha20(b"TEST RANDOMNESS TEST RANDOMNESS!", bytes(16)), None).encryptor()

    def __call__(self, n: int) -> bytes:
        return self.stream.update(bytes(n))


@dataclass(frozen=True)
class Wrapped:
    """A file key wrapped for somebody: the words and the body of a stanza."""

    words: tuple[bytes, ...]
    body: bytes

    def lines(self) -> list[bytes]:
        rows = [self.body[at : at + 48] for at in range(0, len(self.body) + 1, 48)]
        return [b"-> " + b" ".join(self.words), *map(b64, rows)]


def wrapped(random: Random, secret: bytes, file_key: bytes = FILE_KEY, share: bytes | None = None) -> Wrapped:
    own = X25519PrivateKey.from_private_bytes(secret)
    public = own.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    if share is None:
        ephemeral = X25519PrivateKey.from_private_bytes(random(32))
        share = ephemeral.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        common = own.exchange(X25519PublicKey.from_public_bytes(share))
    else:
        common = bytes(32)  # what a point of low order gives
    key = hkdf(common, share + public, b"age-encryption.org/v1/X25519")
    return Wrapped((b"X25519", b64(share)), ChaCha20Poly1305(key).encrypt(bytes(12), file_key, None))


def locked(random: Random, factor: int = 10, *, salt: int = 16, file_key: bytes = FILE_KEY) -> Wrapped:
    drawn = random(salt)
    if factor > 20:  # published, and dear to compute
        body = base64.b64decode(b"qW9eVsT0NVb/Vswtw8kPIxUnaYmm9Px1dYmq2+4+qZA=")
    else:
        key = Scrypt(b"age-encryption.org/v1/scrypt" + drawn, 32, 1 << factor, 8, 1).derive(PASSPHRASE.encode())
        body = ChaCha20Poly1305(key).encrypt(bytes(12), file_key, None)
    return Wrapped((b"scrypt", b64(drawn), str(factor).encode()), body)


def coded(lines: list[bytes], file_key: bytes = FILE_KEY) -> bytes:
    """The header's code."""
    return hmac.new(hkdf(file_key, None, b"header"), b"\n".join([*lines, b"---"]), "sha256").digest()


def chunks(random: Random, parts: list[tuple[bytes, bool]], file_key: bytes = FILE_KEY) -> bytes:
    """A payload: each part sealed, the counter going up, the last one marked."""
    nonce = random(16)
    box = ChaCha20Poly1305(hkdf(file_key, nonce, b"payload"))
    sealed = [
        box.encrypt(at.to_bytes(11, "big") + bytes([final]), part, None) for at, (part, final) in enumerate(parts)
    ]
    return nonce + b"".join(sealed)


@dataclass(frozen=True)
class Vector:
    """One container, what has to become of it, and what it holds."""

    name: str
    expect: str
    data: bytes
    payload: bytes = b"age"
    secret: str = IDENTITY
    passphrase: str = ""
    lines: list[bytes] = field(default_factory=list, repr=False)


@dataclass(frozen=True)
class Draft:
    """A container being made: what a vector changes in it."""

    random: Random
    stanzas: list[bytes]
    passphrase: str = ""
    code: Callable[[bytes], bytes] = lambda line: line
    parts: list[tuple[bytes, bool]] = field(default_factory=lambda: [(b"age", True)])
    payload: Callable[[bytes], bytes] = lambda sealed: sealed
    intro: bytes = INTRO

    def made(self, name: str, expect: str) -> Vector:
        lines = [self.intro, *self.stanzas]
        code = self.code(b"--- " + b64(coded(lines)))
        data = b"\n".join([*lines, code]) + b"\n" + self.payload(chunks(self.random, self.parts))
        held = b"".join(part for part, _ in self.parts)
        return Vector(name, expect, data, held, IDENTITY, self.passphrase, lines)


def keyed(**changed: Any) -> Draft:
    """A container for the one key."""
    random = Random()
    return replace(Draft(random, wrapped(random, secret_of(IDENTITY)).lines()), **changed)


def worded(factor: int = 10, **changed: Any) -> Draft:
    """A container for the one passphrase."""
    random = Random()
    return replace(Draft(random, locked(random, factor).lines(), passphrase=PASSPHRASE), **changed)


def _beside(*before: bytes, after: tuple[bytes, ...] = ()) -> Draft:
    plain = keyed()
    return replace(plain, stanzas=[*before, *plain.stanzas, *after])


def _first(draft: Draft, change: Callable[[list[bytes]], list[bytes]]) -> Draft:
    """The draft with the words of its first stanza changed."""
    words = change(draft.stanzas[0].split(b" "))
    return replace(draft, stanzas=[b" ".join(words), *draft.stanzas[1:]])


def _body(draft: Draft, change: Callable[[bytes], bytes]) -> Draft:
    return replace(draft, stanzas=[*draft.stanzas[:-1], change(draft.stanzas[-1])])


def _share(make: Callable[[bytes], bytes]) -> Draft:
    return _first(keyed(), lambda words: [*words[:-1], make(words[-1])])


def _headers() -> list[Vector]:
    code = b"--- "
    spoilt = [
        ("hmac_bad", "HMAC", {"code": lambda line: code + b64(bytes(31) + b"\1")}),
        ("hmac_extra_space", "header", {"code": lambda line: line.replace(code, b"---  ")}),
        ("hmac_garbage", "header", {"code": lambda line: line + b"AAA"}),
        ("hmac_missing", "header", {"code": lambda line: b"---"}),
        ("hmac_no_space", "header", {"code": lambda line: line.replace(code, b"---")}),
        ("hmac_not_canonical", "header", {"code": spelled_otherwise}),
        ("hmac_trailing_space", "header", {"code": lambda line: line + b" "}),
        ("hmac_truncated", "header", {"code": lambda line: code + b64(base64.b64decode(line[4:] + b"=")[:-1])}),
        ("version_unsupported", "header", {"intro": b"age-encryption.org/v1234"}),
    ]
    crlf = keyed().made("x", "success")
    return [
        Vector("empty", "header", b"", b""),
        *(keyed(**changed).made(name, expect) for name, expect, changed in spoilt),
        replace(crlf, name="header_crlf", expect="header", data=crlf.data.replace(b"\n", b"\r\n", 4)),
    ]


def _keys() -> list[Vector]:
    mine, random, long_key, low = secret_of(IDENTITY), Random(), Random(), Random()
    theirs = Draft(random, wrapped(random, random(32)).lines())
    long = Draft(long_key, wrapped(long_key, mine, FILE_KEY * 2).lines())
    ends = Draft(low, wrapped(low, mine, share=LOW_ORDER).lines())
    twice = keyed()
    both = replace(twice, stanzas=[*wrapped(twice.random, twice.random(32)).lines(), *twice.stanzas])
    grease = (b"-> grease", b"")
    raw = base64.b64decode
    return [
        keyed().made("x25519", "success"),
        both.made("x25519_multiple_recipients", "success"),
        theirs.made("x25519_no_match", "no match"),
        _body(keyed(), lambda line: b64(raw(line + b"=")[:-1] + b"\0")).made("x25519_bad_tag", "no match"),
        _first(keyed(), lambda words: [*words, b"1234"]).made("x25519_extra_argument", "header"),
        _beside(*grease, after=grease).made("x25519_grease", "success"),
        _share(lambda share: b64(bytes(32))).made("x25519_identity", "header"),
        ends.made("x25519_low_order", "header"),
        long.made("x25519_long_file_key", "header"),
        _share(lambda share: b64(raw(share + b"=") + b"\0")).made("x25519_long_share", "header"),
        _share(lambda share: b64(raw(share + b"=")[:-1])).made("x25519_short_share", "header"),
        _share(spelled_otherwise).made("x25519_not_canonical_share", "header"),
        _body(keyed(), spelled_otherwise).made("x25519_not_canonical_body", "header"),
        _first(keyed(), lambda words: [words[0], b"x25519", *words[2:]]).made("x25519_lowercase", "no match"),
    ]


def _passphrases() -> list[Vector]:
    def salted(size: int) -> Draft:
        random = Random()
        return Draft(random, locked(random, salt=size).lines(), passphrase=PASSPHRASE)

    def argued(change: Callable[[list[bytes]], list[bytes]]) -> Draft:
        return _first(worded(), change)

    factors = {
        "hex": b"0xA",
        "leading_plus": b"+10",
        "leading_zero_decimal": b"010",
        "leading_zero_octal": b"012",
        "negative": b"-10",
        "overflow": b"18446744073709551626",
        "trailing_garbage": b"10aaaa",
        "zero": b"0",
    }
    long = Random()
    plain = worded()
    beside = keyed(passphrase=PASSPHRASE)
    return [
        worded().made("scrypt", "success"),
        worded(23).made("scrypt_work_factor_23", "header"),
        *(
            argued(lambda words, factor=factor: [*words[:-1], factor]).made(f"scrypt_work_factor_{name}", "header")
            for name, factor in factors.items()
        ),
        argued(lambda words: words[:-1]).made("scrypt_work_factor_missing", "header"),
        argued(lambda words: [*words[:-1], b"11"]).made("scrypt_work_factor_wrong", "no match"),
        argued(lambda words: [*words, b"10"]).made("scrypt_extra_argument", "header"),
        argued(lambda words: [words[0], b"Scrypt", *words[2:]]).made("scrypt_uppercase", "no match"),
        argued(lambda words: [*words[:2], *words[3:]]).made("scrypt_salt_missing", "header"),
        salted(17).made("scrypt_salt_long", "header"),
        salted(15).made("scrypt_salt_short", "header"),
        argued(lambda words: [*words[:2], spelled_otherwise(words[2]), words[3]]).made(
            "scrypt_not_canonical_salt", "header"
        ),
        _body(worded(), spelled_otherwise).made("scrypt_not_canonical_body", "header"),
        _body(worded(), lambda line: b64(base64.b64decode(line + b"=")[:-1] + b"\0")).made(
            "scrypt_bad_tag", "no match"
        ),
        replace(worded().made("scrypt_no_match", "no match"), passphrase="hunter2"),
        Draft(long, locked(long, file_key=FILE_KEY * 2).lines(), passphrase=PASSPHRASE).made(
            "scrypt_long_file_key", "header"
        ),
        replace(plain, stanzas=[*plain.stanzas, *locked(plain.random).lines()]).made("scrypt_double", "header"),
        replace(beside, stanzas=[*beside.stanzas, *locked(beside.random).lines()]).made("scrypt_and_x25519", "header"),
    ]


def _stanzas() -> list[Vector]:
    words = [bytes(range(max(at, 0x21), min(at + 8, 0x7F))) for at in range(0x20, 0x7F, 8)]
    rows = (b"-> " + b" ".join(words[:6]), b"", b"-> " + b" ".join(words[6:]), b"")
    full, short = b"A" * 64, b"A" * 32
    after = [
        ("stanza_empty_body", "success", (b"-> empty", b"")),
        ("stanza_missing_body", "header", (b"-> empty",)),
        ("stanza_empty_last_line", "success", (b"-> stanza", full, b"")),
        ("stanza_missing_final_line", "header", (b"-> stanza", full)),
        ("stanza_multiple_short_lines", "header", (b"-> stanza", short, short)),
        ("stanza_long_line", "header", (b"-> stanza", full + b"AAAA", b"")),
        ("stanza_bad_start", "header", (b"- > stanza", b"")),
        ("stanza_no_arguments", "header", (b"->", b"")),
        ("stanza_empty_argument", "header", (b"-> empty  argument", b"")),
        ("stanza_base64_padding", "header", (b"-> stanza", b"AA==")),
        ("stanza_not_canonical", "header", (b"-> stanza", b"AB")),
        ("stanza_spurious_cr", "header", (b"-> stanza", b"AA\r")),
        ("stanza_invalid_character", "header", (b"-> st\x1fnza", b"")),
    ]
    return [
        *(_beside(after=lines).made(name, expect) for name, expect, lines in after),
        _beside(*rows).made("stanza_valid_characters", "success"),
    ]


def _streams() -> list[Vector]:
    zeros, ones = bytes(CHUNK), b"\1" * CHUNK
    whole = [
        ("stream_last_chunk_full", "success", [(zeros, True)]),
        ("stream_two_chunks", "success", [(zeros, False), (b"age", True)]),
        ("stream_three_chunks", "success", [(zeros, False), (ones, False), (b"age", True)]),
        ("stream_empty_payload", "success", [(b"", True)]),
        ("stream_last_chunk_empty", "payload", [(zeros, False), (b"", True)]),
        ("stream_no_final", "payload", [(b"age", False)]),
        ("stream_no_final_full", "payload", [(zeros, False)]),
        ("stream_no_final_two_chunks", "payload", [(zeros, False), (b"age", False)]),
        ("stream_two_final_chunks", "payload", [(zeros, True), (b"age", True)]),
        ("stream_two_final_chunks_full", "payload", [(zeros, True), (ones, True)]),
        ("stream_short_chunk", "payload", [(b"age", False), (b"age", True)]),
        ("stream_short_second_chunk", "payload", [(zeros, False), (b"age", False), (b"age", True)]),
        ("stream_bad_tag_second_chunk", "payload", [(zeros, False), (b"age", True)]),
    ]
    spoilt = [
        ("stream_bad_tag", lambda sealed: sealed[:-1] + bytes([sealed[-1] ^ 1])),
        ("stream_missing_tag", lambda sealed: sealed[:-16]),
        ("stream_no_chunks", lambda sealed: sealed[:16]),
        ("stream_no_nonce", lambda sealed: b""),
        ("stream_short_nonce", lambda sealed: sealed[:12]),
        ("stream_trailing_garbage_short", lambda sealed: sealed + b"\0" * 3),
        ("stream_trailing_garbage_long", lambda sealed: sealed + b"\0" * 20),
    ]
    flip = spoilt[0][1]
    return [
        *(
            keyed(parts=parts, payload=flip if name == "stream_bad_tag_second_chunk" else bytes).made(name, expect)
            for name, expect, parts in whole
        ),
        *(keyed(payload=change).made(name, "payload") for name, change in spoilt),
    ]


def vectors() -> list[Vector]:
    return [*_headers(), *_keys(), *_passphrases(), *_stanzas(), *_streams()]


def armoured(data: bytes) -> bytes:
    text = base64.b64encode(data)
    rows = [text[at : at + 64] for at in range(0, len(text), 64)]
    return b"\n".join([b"-----BEGIN AGE ENCRYPTED FILE-----", *rows, b"-----END AGE ENCRYPTED FILE-----", b""])


def digest(payload: bytes) -> str:
    return sha256(payload).hexdigest()
