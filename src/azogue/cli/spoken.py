"""What verbs say when they are done, in Spanish where the locale asks for it; errors of the library stay English.

`es_said.json` has templates: `{#}` stands for a number and `{}` for whatever else is told, such as the name of a file;
they stay as they are, but for the words of `WORDS`.
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files

from azogue.cli.languages import language

#: Nouns within templates.
WORDS = {
    **{"rows": "filas", "pictures": "imágenes", "sequences": "secuencias", "texts": "textos", "windows": "ventanas"},
    **{"samples": "muestras", "series": "series", "signals": "señales", "files": "ficheros", "documents": "documentos"},
}


def table() -> dict[str, str]:
    """English templates → Spanish ones."""
    told: dict[str, str] = json.loads(files("azogue.cli").joinpath("es_said.json").read_text(encoding="utf-8"))
    return told


@cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    return [(_pattern(english), text) for english, text in table().items()]


def _pattern(english: str) -> re.Pattern[str]:
    parts = re.split(r"(\{#?\})", english)
    told = {"{}": "(.+?)", "{#}": r"([\d.,e+-]+)"}
    return re.compile("".join(told.get(part) or re.escape(part) for part in parts))


def spoken(text: str) -> str:
    """A text of ours, line by line, in the language of the locale; what has no translation stays as it is.

    Examples
    --------
    >>> spoken("azogue: the report is r.html")
    'azogue: the report is r.html'
    """
    if language() != "es":
        return text
    return "\n".join(map(_line, text.split("\n")))


def _line(line: str) -> str:
    for pattern, text in _patterns():
        found = pattern.fullmatch(line)
        if found:
            return text.format(*(WORDS.get(part, part) for part in found.groups()))
    return line
