"""The standard library's compressors, with a limit on what comes out of them."""

from __future__ import annotations

import lzma
import zlib

from azogue.compression.ans import DamagedError

WAYS = ("stored", "zlib", "lzma")


def compress(raw: bytes) -> tuple[str, bytes]:
    """The shortest of `stored`, `zlib` and `lzma`, and its name."""
    tries = {"stored": raw}
    if len(raw) > 16:
        tries |= {
            "zlib": zlib.compress(raw, 9),
            "lzma": lzma.compress(raw, lzma.FORMAT_RAW, filters=_filters(len(raw))),
        }
    best = min(tries, key=lambda way: len(tries[way]))
    return best, tries[best]


def decompress(way: str, data: bytes, size: int) -> bytes:
    """The inverse; never more than `size` bytes are made.

    Raises
    ------
    DamagedError
        If it is not exactly `size` bytes that come out.
    """
    try:
        if way == "stored":
            raw, done = data, True
        elif way == "zlib":
            inflater = zlib.decompressobj()
            raw = inflater.decompress(data, size + 1)
            done = inflater.eof and not inflater.unused_data
        elif way == "lzma":
            raw = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_filters(size)).decompress(data, size + 1)
            done = True
        else:
            raise DamagedError(f"nothing is compressed in the way {str(way)[:20]!r}")
    except (zlib.error, lzma.LZMAError, EOFError) as error:
        raise DamagedError("compressed data are damaged") from error
    if len(raw) != size or not done:
        raise DamagedError("compressed data have another size than was said")
    return raw


def _filters(size: int) -> list[dict[str, int]]:
    """LZMA with a dictionary as large as the data, at most 64 MiB: what a decoder needs is known before it begins."""
    return [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": min(max(size, 4096), 1 << 26)}]
