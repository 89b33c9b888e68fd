"""The help in Spanish: all of it, with the same names in it, and only where the locale asks for it."""

import os
import re
import subprocess
import sys

import pytest
from typer.main import get_command

from azogue.cli.app import app
from azogue.cli.languages import LABELS, flat, language, table, translated
from test_cli import azogue

LOCALE = ("LC_ALL", "LC_MESSAGES", "LANGUAGE", "LANG")
#: Texts of typer's own, which differ from version to version.
TYPERS = {"--install-completion", "--show-completion"}
#: Options, endings of files, placeholders, values and numbers.
NAMES = re.compile(
    r"--?[a-z][\w-]*|\.[a-z]\w+|\b[A-Z][A-Z_]+\b|'[^' ][^']*'(?!\w)|`[^`]+`|\baz\.\w+|\w+[=:><]+[\w:.,]+|\b\d[\w.,]*\b"
)


def texts():
    """Where → its English text, for every text of the help that is ours."""
    root = get_command(app)
    found = {}
    for verb, command in (("", root), *root.commands.items()):
        found |= {f"{verb} {name}": getattr(command, name, None) for name in ("help", "short_help", "epilog")}
        for parameter in command.params:
            if not TYPERS & set(parameter.opts):
                found[f"{verb} {parameter.opts[0]}"] = getattr(parameter, "help", None)
    return {where: flat(text) for where, text in found.items() if text}


@pytest.fixture
def spanish(monkeypatch):
    for name in LOCALE:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "es_ES.UTF-8")


def test_every_text_has_a_translation():
    spoken = table()
    assert {where: text for where, text in texts().items() if text not in spoken} == {}


def test_no_translation_is_of_a_text_that_is_gone():
    others = {*LABELS, "Show this message and exit."}
    assert others <= set(table())
    gone = set(table()) - others - set(texts().values())
    assert {text for text in gone if "completion" not in text} == set()


def test_translations_stand_in_the_order_of_the_help():
    ours = list(dict.fromkeys(texts().values()))
    assert [text for text in table() if text in set(ours)] == ours


@pytest.mark.parametrize("english", dict.fromkeys(texts().values()))
def test_names_are_the_same(english):
    told = table()[english]
    assert [name for name in NAMES.findall(english) if name not in told] == []
    assert english.count("\n\n") == told.count("\n\n")
    assert told[-1] == english[-1]


def test_nothing_is_left_in_english(spanish):
    command = translated(get_command(app))
    known = set(texts().values())
    same = {"auto, standard, minmax, robust o none."}
    for each in (command, *command.commands.values()):
        told = {each.help, *(getattr(parameter, "help", None) for parameter in each.params)} - {None}
        assert {flat(text) for text in told} & known <= same


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, "en"),
        ({"LANG": "es"}, "es"),
        ({"LANG": "es_MX.UTF-8"}, "es"),
        ({"LANG": "es_ES@euro"}, "es"),
        ({"LANG": "est_EE"}, "en"),
        ({"LANG": "xx_XX"}, "en"),
        ({"LC_ALL": "", "LC_MESSAGES": "es_ES", "LANG": "de_DE"}, "es"),
        ({"LC_ALL": "de_DE", "LC_MESSAGES": "es_ES"}, "en"),
        ({"LC_ALL": "C.UTF-8", "LANG": "es_ES", "LANGUAGE": "es"}, "en"),
        ({"LANG": "es_ES", "LANGUAGE": "en_GB:es"}, "en"),
        ({"LANG": "ca_ES", "LANGUAGE": "ca:es:en"}, "es"),
    ],
)
def test_the_locale_says_which_language(environ, wanted):
    assert language(environ) == wanted


@pytest.mark.parametrize(
    ("locale", "said", "unsaid"),
    [
        ("es_ES.UTF-8", "Entrena un autoencoder con DATA", "Train an"),
        ("C", "Train an autoencoder on DATA", "Entrena"),
        ("xx_XX.UTF-8", "Train an autoencoder on DATA", "Entrena"),
    ],
)
def test_help_of_a_process(locale, said, unsaid):
    environ = {name: value for name, value in os.environ.items() if name not in LOCALE}
    done = subprocess.run(
        [sys.executable, "-m", "azogue", "fit", "--help"],
        env=environ | {"LC_ALL": locale, "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        check=True,
        encoding="utf-8",
    )
    assert said in done.stdout
    assert unsaid not in done.stdout
    assert done.stderr == ""


def test_headings_and_remarks(spanish):
    told = azogue("info", "-h").stdout
    assert told.startswith("Uso: azogue info [OPCIONES] {MODEL}")
    assert all(part in told for part in ("Argumentos:", "Opciones:", "[obligatorio]", "Muestra este mensaje y acaba."))
    assert "[por omisión: 5; x>=1]" in " ".join(azogue("classify", "-h").stdout.split())
    told = azogue("-h").stdout
    assert told.startswith("Uso: azogue [OPCIONES] ORDEN [ARGUMENTOS]...")
    assert "Órdenes:\n  fit " in told


def test_what_is_not_help_stays_as_it_is(spanish):
    assert "Missing argument" in azogue("fit", ok=False).stderr
    assert azogue("fit", ok=False).returncode == 2
    from test_packaging import complete

    assert "encode" in complete("azogue e")[0]


def test_a_terminal_without_accents_gets_english(spanish, monkeypatch):
    class Plain:
        encoding = "ascii"

    monkeypatch.setattr(sys, "stdout", Plain())
    command = translated(get_command(app))
    monkeypatch.undo()
    for each in (command, *command.commands.values()):
        assert each.help.replace("→", "").isascii()
