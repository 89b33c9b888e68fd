"""The help in Spanish, where the locale asks for it: texts of the finished commands, replaced by those of es.json.

The tree of commands is touched by the attributes that click gives them, whichever click typer brings; a text that has
no translation, or that the terminal cannot show, stays English. Nothing of it is read for other languages.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from typing import Any

#: What typer itself prints; the rest of es.json are texts of ours, and that of --help.
LABELS = ("Usage: ", "Arguments", "Options", "Commands", "[OPTIONS]", "COMMAND [ARGS]...", "required", "default")


def _tongue(locale: str) -> str:
    """The language in `es_ES.UTF-8@euro`."""
    return locale.partition("@")[0].partition(".")[0].partition("_")[0].lower()


def language(environ: Mapping[str, str] = os.environ) -> str:
    """The language of the help, `es` or `en`: of LC_ALL, LC_MESSAGES or LANG, whichever is set first.

    LANGUAGE, a list such as `ca:es`, goes before them unless the locale is C, as GNU programs have it.

    Examples
    --------
    >>> language({"LANG": "es_ES.UTF-8"})
    'es'
    >>> language({"LC_ALL": "C", "LANG": "es_ES.UTF-8"})
    'en'
    >>> language({"LANG": "ca_ES.UTF-8", "LANGUAGE": "ca:es"})
    'es'
    """
    locale = next((environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environ.get(name)), "C")
    if _tongue(locale) in ("c", "posix"):
        return "en"
    wanted = map(_tongue, (*environ.get("LANGUAGE", "").split(":"), locale))
    return next((tongue for tongue in wanted if tongue in ("es", "en")), "en")


def flat(text: str) -> str:
    r"""A text without the line ends of its source; paragraphs stay.

    Examples
    --------
    >>> flat("One\ntwo.\n\nThree.")
    'One two.\n\nThree.'
    """
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


def table() -> dict[str, str]:
    """English → Spanish, in the order of the help."""
    import json
    from importlib.resources import files

    told: dict[str, str] = json.loads(files("azogue.cli").joinpath("es.json").read_text(encoding="utf-8"))
    return told


def translated(command: Any) -> Any:
    """The same command, that of `typer.main.get_command`, with the help of all its verbs in Spanish."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    words = {english: text for english, text in table().items() if _fits(text, encoding)}
    for each in (command, *getattr(command, "commands", {}).values()):
        for name in ("help", "short_help", "epilog"):
            _replace(each, name, words)
        for parameter in each.params:
            _replace(parameter, "help", words)
        _label(each, words)
    return command


def _fits(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _replace(owner: Any, name: str, words: Mapping[str, str]) -> None:
    text = getattr(owner, name, None)
    if text:
        setattr(owner, name, words.get(flat(text), text))


def _label(command: Any, words: Mapping[str, str]) -> None:
    """Have headings, and the text of --help, in Spanish: they come up when help is asked for."""
    help_option, format_help = command.get_help_option, command.format_help

    def get_help_option(context: Any) -> Any:
        option = help_option(context)
        _replace(option, "help", words)
        return option

    def formatted(context: Any, formatter: Any) -> None:
        usage, section, rows = formatter.write_usage, formatter.section, formatter.write_dl

        def write_usage(program: str, given: str = "", prefix: str | None = None) -> None:
            for label in ("[OPTIONS]", "COMMAND [ARGS]..."):
                given = given.replace(label, words.get(label, label))
            usage(program, given, prefix or words.get("Usage: "))

        formatter.write_usage = write_usage
        formatter.section = lambda name: section(words.get(name, name))
        formatter.write_dl = lambda pairs, *more, **named: rows(
            [(name, _remarked(text, words)) for name, text in pairs], *more, **named
        )
        format_help(context, formatter)

    command.get_help_option, command.format_help = get_help_option, formatted


def _remarked(text: str, words: Mapping[str, str]) -> str:
    """The text of an option whose end, such as `[default: 5; required]`, is in Spanish."""
    found = re.fullmatch(r"(|.*  )\[([^][]*)\]", text, flags=re.DOTALL)
    if found is None:
        return text
    remarks = (remark.partition(": ") for remark in found[2].split("; "))
    return f"{found[1]}[{'; '.join(words.get(name, name) + sign + value for name, sign, value in remarks)}]"
