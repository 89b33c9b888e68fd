"""`azogue encrypt` and `azogue decrypt`: files in age containers; secrets from files, prompts or the environment."""

from __future__ import annotations

import getpass
import io
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from azogue import screening
from azogue.cli.options import Locking
from azogue.cryptography import CipherError, Key, Passphrase, read_header, read_passphrase
from azogue.disk import atomic_write, check_place

#: The variable of the environment that may hold a passphrase.
VARIABLE = "AZOGUE_PASSPHRASE"
_LARGEST = 1 << 32


def encrypt(path: str, output: str | None, recipients: list[str], new_key: str | None, asked: Locking) -> Any:
    """Encrypt a file; the facts for JSON, and a line for people.

    Parameters
    ----------
    path : str
        A file; `-` is standard input. `.npy` files are compressed as arrays, all others byte by byte.
    output : str or None
        `-` or None is standard output.
    recipients : list of str
    new_key : str or None
        A key file to make and encrypt for.
    asked : options of the command line

    Raises
    ------
    ValueError
    """
    from azogue.applications import Cipher

    _check_output(path, output)
    raw = _read(path)
    word = None
    if asked.passphrase or asked.passphrase_file or not (recipients or asked.key_file or new_key):
        word = _passphrase(asked, twice=True)
    value: Any = raw
    if path.endswith(".npy"):
        try:
            value = screening.array_of(raw, path)
        except (ValueError, EOFError, OSError):
            raise CipherError(
                f"{path}: is no array of NumPy, or holds objects; rename it to encrypt it anyway"
            ) from None
    keys = [Key.load(asked.key_file)] if asked.key_file else []
    if new_key is not None:
        made = Key.generate()
        made.save(new_key)
        keys.append(made)
    cipher = Cipher(recipients=[*keys, *recipients], passphrase=word)
    container = cipher.encrypt(value)
    _write(output, container)
    told: dict[str, Any] = {"output": output, "bytes": len(raw), "container": len(container)}
    told["recipients"] = [*(key.recipient for key in keys), *recipients]
    return told, f"{output}: {len(container):,} bytes from {len(raw):,} of {path}"


def decrypt(path: str, output: str | None, max_bytes: int, asked: Locking) -> Any:
    """Decrypt a file; nothing is written unless all of it is right.

    Parameters
    ----------
    path : str
        `-` is standard input.
    output : str or None
        Arrays go to `.npy`; frames to `.csv` or `.parquet`; all else as it was. `-` or None is standard output.
    max_bytes : int
    asked : options of the command line

    Raises
    ------
    ValueError
    """
    from azogue.applications import Cipher

    _check_output(path, output)
    container = _read(path)
    locked = read_header(container)[0][0].kind == "scrypt"
    word = _passphrase(asked, twice=False) if locked else None
    if not locked and asked.key_file is None:
        raise CipherError(f"{path}: is locked for the owners of keys; give --key-file")
    key = Key.load(asked.key_file) if asked.key_file is not None and not locked else None
    value = Cipher(key=key, passphrase=word).decrypt(container, max_bytes=max_bytes)
    raw = _as_file(value, output)
    _write(output, raw)
    return {"output": output, "bytes": len(raw)}, f"{output}: {len(raw):,} bytes from {path}"


def _check_output(path: str, output: str | None) -> None:
    if output in (None, "-"):
        if sys.stdout.isatty():
            raise CipherError("the result is no text for a terminal; name a file with -o, or redirect it")
        return
    if path != "-" and Path(str(output)).exists() and Path(path).exists() and Path(path).samefile(str(output)):
        raise CipherError(f"{output}: is what is read; name another file with -o")
    check_place(str(output))


def _read(path: str) -> bytes:
    try:
        if path == "-":
            raw = sys.stdin.buffer.read(_LARGEST + 1)
        else:
            with Path(path).open("rb") as stream:
                raw = stream.read(_LARGEST + 1)
    except OSError as error:
        raise CipherError(f"{path}: cannot be read ({error.strerror})") from None
    if len(raw) > _LARGEST:
        raise CipherError(f"{path}: has more than {_LARGEST:,} bytes; use the program age for such files")
    return raw


def _write(output: str | None, data: bytes) -> None:
    if output in (None, "-"):
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    else:
        atomic_write(str(output), data)


def _passphrase(asked: Locking, twice: bool) -> Passphrase:
    """From a file, the environment or a prompt; never from an argument, which other users of a machine can see."""
    if asked.passphrase_file is not None:
        return read_passphrase(asked.passphrase_file)
    if os.environ.get(VARIABLE):
        return Passphrase(os.environ[VARIABLE])
    if not sys.stdin.isatty():
        raise CipherError(f"who is it for? give --recipient, --key-file, --passphrase-file, or set {VARIABLE}")
    found = Passphrase(getpass.getpass("passphrase: "))
    if not found.matches(""):
        if not twice or found.matches(getpass.getpass("the same again: ")):
            return found
        raise CipherError("the two passphrases differ")
    raise CipherError("the passphrase is empty")


def _as_file(value: Any, output: str | None) -> bytes:
    """What was encrypted, as the bytes of a file."""
    import pyarrow as pa
    from pyarrow import csv, parquet

    from azogue.cli.formulas import for_spreadsheets

    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    stream = io.BytesIO()
    if isinstance(value, np.ndarray):
        if value.dtype.kind == "O":
            raise CipherError("it holds an array of Python objects, which no file takes; open it with az.Cipher")
        np.save(stream, value, allow_pickle=False)
        return stream.getvalue()
    if isinstance(value, list):
        return "".join(f"{'' if text is None else text}\n" for text in value).encode("utf-8", "surrogatepass")
    table = _as_table(value)
    if str(output).endswith(".parquet"):
        parquet.write_table(table, stream)
    elif output in (None, "-") or str(output).endswith(".csv"):
        csv.write_csv(for_spreadsheets(pa.table(table), str(output)), stream)
    else:
        raise CipherError(f"{output}: it holds a table; name a .csv or .parquet file with -o")
    return stream.getvalue()


def _as_table(value: Any) -> Any:
    import pyarrow as pa

    if isinstance(value, pa.Table):
        return value
    if hasattr(value, "to_arrow"):
        return value.to_arrow()
    frame = value.to_frame() if hasattr(value, "to_frame") and value.ndim == 1 else value
    plain = type(frame.index).__name__ == "RangeIndex" and frame.index.name is None
    return pa.Table.from_pandas(frame, preserve_index=not plain)
