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


# -- what verbs say ----------------------------------------------------------------------------------------------------


def source():
    """All that the verbs' files hold, with what is told in texts as `{}`."""
    import ast
    from pathlib import Path

    import azogue.cli

    found = set()
    for path in Path(azogue.cli.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = (part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
                found.add("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return "\n".join(found)


def test_templates_are_of_texts_that_verbs_say():
    from azogue.cli import spoken

    said = re.sub(r"\{[^{}]*\}", "{}", source())
    for english in spoken.table():
        pieces = [piece for piece in re.split(r"\{#?\}|, accuracy |(?=[:;] )|its m[a-z ]*", english) if len(piece) > 3]
        gone = [piece for piece in pieces if piece not in said and piece.strip(" '/;") not in said]
        assert gone == [], english


def test_templates_tell_the_same_things():
    from azogue.cli import spoken

    for english, told in spoken.table().items():
        count = len(re.findall(r"\{#?\}", english))
        assert set(re.findall(r"\{(\d)\}", told)) <= set(map(str, range(count))), english
        assert told.format(*["x"] * count)
        assert [name for name in re.findall(r"--[a-z]+", english) if name not in told] == []


def test_results_and_remarks(spanish, tmp_path):
    lines = [f"{i},key{i},{i % 7}" for i in range(40)]
    (tmp_path / "a.csv").write_text("n,id,age\n" + "\n".join(lines) + "\n")
    done = azogue("fit", "a.csv", "-o", "m.azogue", "--epochs", "2", "--network", "1", "--seed", "0", cwd=tmp_path)
    assert re.fullmatch(r"m\.azogue: 40 filas, código de 1, 2 épocas, pérdida [\d.]+\n", done.stdout)
    assert "la columna 'id' tiene 40 textos distintos en 40 filas; --drop id la deja fuera" in done.stderr
    assert azogue("encode", "m.azogue", "a.csv", "-o", "c.csv", cwd=tmp_path).stdout == "c.csv: 40 filas de a.csv\n"
    told = azogue("fit", "a.csv", "-o", "m.azogue", "--epochs", "2", "--json", cwd=tmp_path).stdout
    assert '"rows": 40' in told
    assert "there is no such file" in azogue("encode", "none.csv", ok=False).stderr


def test_what_has_no_translation_stays(spanish):
    from azogue.cli.spoken import spoken

    for text in ("- sick: balanced accuracy .81 from others", "column  filled", "", "attribute: sex: more from less"):
        assert spoken(text) == text
    assert spoken("azogue: the report is r.html\nand more") == "azogue: el informe es r.html\nand more"
