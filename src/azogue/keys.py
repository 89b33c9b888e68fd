"""Secret keys and passphrases: held so that they show themselves nowhere, written so that only their owner reads them.

No `repr`, error or pickle has the secret, and none is ever logged or handed to another program.
"""

from __future__ import annotations

import hmac
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

AnyPath = str | os.PathLike[str]

_KEY_FILE = 1 << 16
_SECRET = re.compile(r"AGE-SECRET-KEY-1[A-Z0-9]{58}")


class CipherError(ValueError):
    """A container cannot be opened, or something cannot be encrypted. The message says why, in one line.

    Examples
    --------
    >>> import azogue as az
    >>> az.Cipher(key=az.Cipher.generate_key()).decrypt(b"nothing")
    Traceback (most recent call last):
        ...
    azogue.keys.CipherError: decrypt: it is no age container (it begins with other bytes)
    """


class Hidden:
    """A secret text that shows itself nowhere."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return f"<{type(self).__name__}, hidden>"

    def matches(self, text: str) -> bool:
        """Whether the secret is this text."""
        return hmac.compare_digest(self._text.encode(), text.encode())

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError(f"{type(self).__name__}: secrets are not pickled; save a key with key.save(path)")

    def __deepcopy__(self, memo: Any) -> Hidden:
        return self

    def __copy__(self) -> Hidden:
        return self

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if name != "_text"]


class Passphrase(Hidden):
    """A passphrase.

    Examples
    --------
    >>> Passphrase("correct horse battery staple")
    <Passphrase, hidden>
    """

    __slots__ = ()


class Key(Hidden):
    """A secret key (X25519), with the public one that belongs to it.

    Made by `Key.generate()`, `Key.load(path)` or from a text `AGE-SECRET-KEY-1…`.

    Examples
    --------
    >>> key = Key.generate()
    >>> key
    <Key of age1...>
    >>> len(key.recipient)
    62
    """

    __slots__ = ("recipient",)

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.recipient = str(identity(self).to_public())

    def __repr__(self) -> str:
        return f"<Key of {self.recipient}>"

    @classmethod
    def generate(cls) -> Key:
        """A new key, from the operating system's generator."""
        from pyrage import x25519

        return cls(str(x25519.Identity.generate()))

    def save(self, path: AnyPath) -> None:
        """Write a key file that only its owner can read; it is never written over another file.

        Raises
        ------
        CipherError
            If the file exists or cannot be written.
        """
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise CipherError(f"{os.fspath(path)}: exists already; keys are not written over files") from None
        except OSError as error:
            raise CipherError(f"{os.fspath(path)}: cannot be written ({error.strerror})") from None
        try:
            with os.fdopen(handle, "w", encoding="ascii") as stream:
                stream.write(f"# public key: {self.recipient}\n{self._text}\n")
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            with suppress(OSError):
                os.unlink(path)  # noqa: PTH108 (bytes and str paths alike)
            raise CipherError(f"{os.fspath(path)}: cannot be written ({error.strerror})") from None

    @classmethod
    def load(cls, path: AnyPath) -> Key:
        """Read a key file, as `save` and the program `age-keygen` write them.

        Raises
        ------
        CipherError
            If there is not exactly one key in it.
        """
        lines = [line.strip() for line in _small_text(path).splitlines()]
        found = [cls(line) for line in lines if _SECRET.fullmatch(line)]
        if len(found) != 1:
            raise CipherError(f"{os.fspath(path)}: holds {len(found) or 'no'} keys; give a file with one secret key")
        return found[0]

    def reveal(self) -> str:
        """The secret text, for whoever has to store it elsewhere."""
        return self._text


def _small_text(path: AnyPath) -> str:
    try:
        with Path(path).open("rb") as stream:
            raw = stream.read(_KEY_FILE + 1)
        if len(raw) > _KEY_FILE:
            raise CipherError(f"{os.fspath(path)}: is too large for a file with a secret")
        return raw.decode("utf-8")
    except OSError as error:
        raise CipherError(f"{os.fspath(path)}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise CipherError(f"{os.fspath(path)}: is no text") from None


def read_passphrase(path: AnyPath) -> Passphrase:
    """The first line of a file, as a passphrase.

    Raises
    ------
    CipherError
        If it is empty or the file cannot be read.
    """
    found = Passphrase(_small_text(path).split("\n", 1)[0].removesuffix("\r"))
    if not found._text:
        raise CipherError(f"{os.fspath(path)}: its first line is empty; write the passphrase there")
    return found


def as_key(value: Any) -> Key | None:
    """A key from what a user gives: a `Key`, a text, or None.

    Raises
    ------
    CipherError, TypeError
        Neither shows what was given.
    """
    if value is None or isinstance(value, Key):
        return value
    if isinstance(value, str):
        return Key(value.strip())
    raise TypeError(f"key: expected a Key, the text of one or None, got a {type(value).__name__}")


def as_passphrase(value: Any) -> Passphrase | None:
    """A passphrase from what a user gives: a `Passphrase`, a text, or None."""
    if value is None or isinstance(value, Passphrase):
        return value
    if isinstance(value, str) and value:
        return Passphrase(value)
    raise TypeError(f"passphrase: expected a text that is not empty, got a {type(value).__name__}")


def identity(key: Key) -> Any:
    """The key as pyrage takes it."""
    from pyrage import IdentityError, x25519

    try:
        return x25519.Identity.from_str(key._text)
    except IdentityError:
        raise CipherError("key: is no secret key of age (AGE-SECRET-KEY-1… with 58 letters and digits)") from None
