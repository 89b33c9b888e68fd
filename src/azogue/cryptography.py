"""Confidentiality: containers of the age format (age-encryption.org/v1), made and opened by pyrage, and their keys.

`seal` and `open` take bytes to bytes; what they make, the program `age` opens, and the other way round. A container's
header is checked here before any work is done for it, since a passphrase's container says itself how much work opening
it is (scrypt with N = 2^factor takes 2^(factor + 10) bytes of memory): pyrage has no limit of its own.

Secrets are held by `Key` and `Passphrase` (azogue.keys), whose `repr` shows none, and which are not pickled.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from azogue.keys import CipherError, Key, Passphrase, as_key, as_passphrase, identity, read_passphrase

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["CipherError", "Key", "Passphrase", "Stanza", "open", "read_header", "read_passphrase", "seal"]

#: The most work that a passphrase's container may ask for: 2²⁰, 1 GiB and some seconds.
WORK_FACTOR = 20
_HEADER_BYTES = 1 << 20
_STANZAS = 2048
_INTRO = b"age-encryption.org/v1"
_ARMOR = b"-----BEGIN AGE ENCRYPTED FILE-----"


def _recipient(text: Any) -> Any:
    from pyrage import RecipientError, x25519

    if isinstance(text, Key):
        return identity(text).to_public()
    if not isinstance(text, str):
        raise TypeError(f"recipients: expected texts age1…, got a {type(text).__name__}")
    if text.upper().startswith("AGE-SECRET-KEY"):
        raise CipherError("recipients: a secret key was given; give the public one, key.recipient")
    try:
        return x25519.Recipient.from_str(text)
    except RecipientError:
        raise CipherError(f"recipients: {text[:80]!r} is no public key of age (age1… with 62 letters)") from None


# -- headers ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stanza:
    """How the file's key is wrapped for one recipient.

    Parameters
    ----------
    kind : str
        Such as `"X25519"` or `"scrypt"`.
    args : tuple of str
    body : bytes
    """

    kind: str
    args: tuple[str, ...]
    body: bytes


def read_header(data: bytes) -> tuple[tuple[Stanza, ...], int]:
    """The recipients' stanzas of a container, and where its payload begins.

    Raises
    ------
    CipherError
        For a header that the format does not allow, or that asks for more work than 2²⁰.

    References
    ----------
    The age file encryption format, C2SP (c2sp.org/age).
    """
    if data.startswith(_ARMOR):
        raise CipherError("decrypt: it is armoured as text; take the armour off (age -d does)")
    lines, at = _lines(data)
    stanzas: list[Stanza] = []
    while lines:
        words = _words(lines.pop(0))
        body: list[bytes] = []
        while not body or len(body[-1]) == 64:
            if not lines or lines[0].startswith(b"->"):
                raise CipherError("decrypt: its header is damaged (a stanza has no end)")
            body.append(lines.pop(0))
        stanzas.append(Stanza(words[0], tuple(words[1:]), _base64(b"".join(body))))
        if len(stanzas) > _STANZAS:
            raise CipherError(f"decrypt: its header has more than {_STANZAS} recipients")
    if not stanzas:
        raise CipherError("decrypt: its header names no recipient")
    for stanza in stanzas:
        _check(stanza, len(stanzas))
    if len(data) < at + 32:
        raise CipherError(f"decrypt: it is cut short ({len(data)} bytes); copy it again")
    return tuple(stanzas), at


def _lines(data: bytes) -> tuple[list[bytes], int]:
    """The header's lines between the first and the last one, and where the payload begins."""
    if not data.startswith(_INTRO + b"\n"):
        if data.startswith(b"age-encryption.org/"):
            raise CipherError("decrypt: it is an age container of another version than v1")
        raise CipherError("decrypt: it is no age container (it begins with other bytes)")
    stop = data.find(b"\n--- ", 0, _HEADER_BYTES)
    end = data.find(b"\n", stop + 1, stop + 100) if stop >= 0 else -1
    if end < 0:
        raise CipherError("decrypt: its header has no end; it is cut short or damaged")
    if len(_base64(data[stop + 5 : end])) != 32:
        raise CipherError("decrypt: its header is damaged (its code has the wrong length)")
    return data[len(_INTRO) + 1 : stop].split(b"\n") if stop > len(_INTRO) else [], end + 1


def _words(line: bytes) -> list[str]:
    if not line.startswith(b"-> ") or any(not 0x20 <= byte <= 0x7E for byte in line):
        raise CipherError("decrypt: its header is damaged (a line begins no stanza)")
    words = line[3:].decode("ascii").split(" ")
    if not all(words):
        raise CipherError("decrypt: its header is damaged (an empty word)")
    return words


def _base64(text: bytes) -> bytes:
    """Base 64 without padding, in its one spelling."""
    try:
        raw = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raw = b""
    if base64.b64encode(raw).rstrip(b"=") != text:
        raise CipherError("decrypt: its header is damaged (not base 64)")
    return raw


def _check(stanza: Stanza, count: int) -> None:
    """What the format says of stanzas of the kinds that are opened here."""
    if stanza.kind == "X25519" and (len(stanza.args) != 1 or len(_base64(stanza.args[0].encode())) != 32):
        raise CipherError("decrypt: its header is damaged (a recipient's share)")
    if stanza.kind in ("X25519", "scrypt") and len(stanza.body) != 32:
        raise CipherError("decrypt: its header is damaged (a wrapped key has the wrong length)")
    if stanza.kind == "scrypt":
        if count != 1:
            raise CipherError("decrypt: its header is damaged (a passphrase beside other recipients)")
        if len(stanza.args) != 2 or len(_base64(stanza.args[0].encode())) != 16:
            raise CipherError("decrypt: its header is damaged (a passphrase's salt)")
        if not re.fullmatch(r"[1-9][0-9]{0,9}", stanza.args[1]):
            raise CipherError("decrypt: its header is damaged (a passphrase's work factor)")
        if int(stanza.args[1]) > WORK_FACTOR:
            raise CipherError(
                f"decrypt: its passphrase asks for the work factor {stanza.args[1]}, more than {WORK_FACTOR} is refused"
            )


# -- containers ------------------------------------------------------------------------------------------------------


def seal(data: bytes, *, recipients: Iterable[str | Key] = (), passphrase: str | Passphrase | None = None) -> bytes:
    """Put bytes into an age container.

    Parameters
    ----------
    data : bytes
    recipients : iterable of str
        Public keys `age1…`; whoever has one of the secret ones can open it.
    passphrase : str, optional
        Instead of recipients.

    Raises
    ------
    CipherError
        If there is nobody to encrypt to, or something is no key.

    Examples
    --------
    >>> key = Key.generate()
    >>> open(seal(b"a word", recipients=[key.recipient]), key=key)
    b'a word'
    """
    import pyrage

    secret, found = as_passphrase(passphrase), [_recipient(one) for one in _several(recipients)]
    if secret is not None and found:
        raise CipherError("encrypt: a container is for recipients or for a passphrase, not for both; leave one out")
    try:
        if secret is not None:
            return bytes(pyrage.passphrase.encrypt(data, secret._text))
        if found:
            return bytes(pyrage.encrypt(data, found))
    except pyrage.EncryptError as error:
        raise CipherError(f"encrypt: age refused ({error})") from None
    raise CipherError("encrypt: nobody could open it; give key=, recipients= or passphrase=")


def _several(recipients: Any) -> list[Any]:
    return [recipients] if isinstance(recipients, (str, Key)) else list(recipients)


def open(data: bytes, *, key: str | Key | None = None, passphrase: str | Passphrase | None = None) -> bytes:
    """Take bytes out of an age container.

    Parameters
    ----------
    data : bytes
    key : Key or str, optional
        A secret key.
    passphrase : str, optional

    Raises
    ------
    CipherError
        For a wrong key or passphrase, and for containers that are damaged, cut short or altered in any bit. Nothing is
        given back then.
    """
    import pyrage

    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise TypeError(f"decrypt: expected bytes, got {type(data).__name__}")
    data, secret, word = bytes(data), as_key(key), as_passphrase(passphrase)
    stanzas, _ = read_header(data)
    locked = stanzas[0].kind == "scrypt"
    if locked and word is None:
        raise CipherError("decrypt: it is locked by a passphrase; give passphrase=")
    if not locked and secret is None:
        raise CipherError("decrypt: it is locked for the owners of keys; give key=")
    try:
        if locked and word is not None:
            return bytes(pyrage.passphrase.decrypt(data, word._text))
        return bytes(pyrage.decrypt(data, [identity(secret)] if secret is not None else []))
    except pyrage.DecryptError as error:
        text = str(error)
    if "matching keys" in text:
        raise CipherError("decrypt: it is not for this key")
    word_or = "the passphrase is wrong, or " if locked else ""
    raise CipherError(f"decrypt: {word_or}it was damaged, cut short or altered")
