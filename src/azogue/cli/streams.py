"""Standard streams that cannot show every character: what they lack is spelled in what they have."""

from __future__ import annotations

import codecs
import sys
import unicodedata

#: How characters of our texts are spelled where they are lacking.
SPELLED = {"→": "->", "…": "...", "ε": "epsilon", "×": "x", "−": "-", "–": "-", "│": "|", "┃": "|", "━": "-", "─": "-"}


def spelled(text: str) -> str:
    """A text in ASCII: signs by their spelling, letters without accents, `?` for what is left.

    Examples
    --------
    >>> spelled("código → ε, R² 0.9")
    'codigo -> epsilon, R2 0.9'
    >>> spelled("銀")
    '?'
    """
    plain = (SPELLED.get(sign) or unicodedata.normalize("NFKD", sign) for sign in text)
    return "".join("".join(part for part in piece if part.isascii()) or "?" for piece in plain)


def _replaced(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return spelled(error.object[error.start : error.end]), error.end


def forgiving() -> None:
    """Have standard output and error spell what their encoding lacks, instead of failing.

    CSV goes to standard output as bytes of UTF-8, and JSON is ASCII: neither is changed by it.
    """
    codecs.register_error("azogue.spelled", _replaced)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="azogue.spelled")
