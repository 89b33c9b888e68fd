"""What was done in the studio as a shell script and as a Python program, which do the same elsewhere."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from azogue.cli.options import Reading, parse_size
from azogue.cli.tables import MISSING
from azogue.shortcuts import kinds

#: What results are called in the scripts; those of the studio have the same names.
_OUTPUTS = {
    "reduce": "codes.csv",
    "detect": "scores.csv",
    "impute": "filled.csv",
    "anonymize": "released.csv",
    "hash": "codes.csv",
    "synthesise": "drawn.csv",
}


@dataclass(frozen=True)
class Done:
    """What is to be told.

    Parameters
    ----------
    use : str
    data : str or None
        The name of the file or folder of data.
    model : str or None
        The name of the model's file, where it was there already.
    options : dict
        The values of the form.
    reading : Reading
    kind, form : str
        Of the data; see `cli.data.Given`.
    delimiter, decimal : str
        What stands between the fields of a CSV file, and before decimals.
    kept : tuple of str
        Columns that the model does not know.
    where : tuple of str
        Conditions of drawn rows.
    result : str
        The name of the result, where it depends on the data.
    """

    use: str
    data: str | None
    model: str | None
    options: dict[str, Any]
    reading: Reading = field(default_factory=Reading)
    kind: str = "table"
    form: str = "table"
    delimiter: str = ","
    decimal: str = "."
    kept: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    result: str = ""

    @property
    def output(self) -> str:
        """A place for the result that is not the data's own."""
        name = self.result or _OUTPUTS[self.use]
        return f"new-{name}" if name == self.data else name


# -- shell -------------------------------------------------------------------------------------------------------------


def shell(done: Done) -> str:
    """The commands, a line each."""
    lines = [shlex.join(["azogue", *line]) for line in _shell_lines(done)]
    return "\n".join(["#!/bin/sh", "set -e", *lines, ""])


def _shell_lines(done: Done) -> list[list[str]]:
    fresh = done.model is None
    head = [done.data or ""] if fresh else [done.model or "", *([done.data] if done.data else [])]
    reading, fitting = _reading(done.reading), _fitting(done) if fresh else []
    save = ["--save", "model.azogue"] if fresh else []
    output = ["-o", done.output]
    seed = ["--seed", str(done.options.get("seed", 0))]
    match done.use:
        case "reduce":
            fit = [["fit", *head, "-o", "model.azogue", *fitting, *seed, *reading]] if fresh else []
            return [*fit, ["encode", "model.azogue" if fresh else head[0], done.data or "", *output, *reading]]
        case "hash":
            fit = [["hash", *head, "-o", "index.azogue", *fitting, *seed, *reading]] if fresh else []
            return [*fit, ["hash", "index.azogue" if fresh else head[0], done.data or "", *output, *reading]]
        case "synthesise":
            rows = ["-n", str(done.options["rows"]), *(part for text in done.where for part in ("--where", text))]
            judged = ["--evaluate", "judged.html"] if fresh and done.options.get("judge") else []
            head = head[:1]
            return [["sample", *head, *output, *save, *judged, *rows, *seed, *(reading if fresh else [])]]
        case "anonymize":
            audit = ["--audit", "audit.html"] if done.options.get("audit") else []
            return [["anonymize", *head, *output, *save, *audit, *fitting, *(seed if fresh else []), *reading]]
        case "impute":
            return [["impute", *head, *output, *save, *seed, *reading]]
    return [[done.use, *head, *output, *save, *fitting, *(seed if fresh else []), *reading]]


def _reading(reading: Reading) -> list[str]:
    found = [part for name in reading.drop or () for part in ("--drop", name)]
    found += [] if reading.header else ["--no-header"]
    return [*found, *(["--missing", reading.missing] if reading.missing else [])]


def _fitting(done: Done) -> list[str]:
    """The options of what is fitted."""
    options = done.options
    found = ["--size", options["size"]] if options.get("size") else []
    match done.use:
        case "reduce":
            found += ["--variant", options["variant"], "--network", str(options["units"])]
            found += ["--epochs", str(options["epochs"])]
        case "detect" if options["contamination"] is not None:
            found += ["--contamination", str(options["contamination"])]
        case "denoise" if options["noise"] != "from the data":
            found += ["--noise", f"{options['noise']}:{options['amount']:g}"]
        case "hash":
            found += ["--bits", str(options["bits"])]
        case "anonymize":
            found += [part for name in options["sensitive"] for part in ("--sensitive", name)]
            found += [part for name in options["utility"] for part in ("--utility", name)]
            found += ["--strength", f"{options['strength']:g}"]
    return found


# -- Python ------------------------------------------------------------------------------------------------------------


def python(done: Done) -> str:
    """The program."""
    lines = [*_read(done), *(_fit(done) if done.model is None else [f"model = az.load({done.model!r})"]), *_apply(done)]
    if done.model is None:
        lines.append('model.save("model.azogue")')
    text = "\n".join(lines)
    needed = [
        ("import azogue as az", True),
        ("import numpy as np", "np." in text),
        ("import pyarrow as pa", "pa." in text),
        ("from pyarrow import csv", "csv.read" in text or "csv.write" in text),
        ("from pyarrow import parquet", "parquet.read" in text),
    ]
    return "\n".join([*(line for line, wanted in needed if wanted), "", text, ""])


def _read(done: Done) -> list[str]:
    """Lines that make `X`."""
    if done.data is None:
        return []
    ending = "".join(Path(done.data).suffixes[-2:]).lower()
    if done.form in ("folder", "picture"):
        return [f"X = {done.data!r}  # a folder of pictures" if done.form == "folder" else f"X = [{done.data!r}]"]
    if ending.endswith(".npy"):
        return [f"X = np.load({done.data!r})"]
    if ending.endswith(".npz"):
        return [f"X = next(iter(np.load({done.data!r}).values()))"]
    if ending.endswith(".parquet"):
        lines = [f"X = parquet.read_table({done.data!r})"]
    else:
        missing = [*MISSING, *([done.reading.missing] if done.reading.missing else [])]
        parse = f"delimiter={done.delimiter!r}, newlines_in_values=True"
        more = "" if done.reading.header else ", read_options=csv.ReadOptions(autogenerate_column_names=True)"
        point = "" if done.decimal == "." else f", decimal_point={done.decimal!r}"
        lines = [
            f"cells = csv.ConvertOptions(null_values={missing!r}, strings_can_be_null=True{point})",
            f"lines = csv.ParseOptions({parse})",
            f"X = csv.read_csv({done.data!r}, parse_options=lines, convert_options=cells{more})",
        ]
    out = [*(done.reading.drop or ()), *(name for name in done.kept if name not in (done.reading.drop or ()))]
    return [*lines, f"X = X.drop_columns({out!r})"] if out else lines


def _fit(done: Done) -> list[str]:
    options, seed = done.options, f"random_state={done.options['seed']}"
    size = parse_size(options["size"]) if options.get("size") else None
    sized = "" if size is None else f", modality=az.modalities.Image(size={size})"
    match done.use:
        case "reduce":
            name = kinds()[options["variant"]].__name__
            made = f"az.{name}({options['units']}, epochs={options['epochs']}{sized}, {seed})"
        case "detect":
            share = "" if options["contamination"] is None else f"contamination={options['contamination']!r}, "
            made = f"az.AnomalyDetector({share}{seed}{sized})"
        case "denoise":
            made = f"az.Denoiser(noise={_noise(done)}, modality={done.kind!r}, {seed})"
        case "impute":
            made = f"az.Imputer({seed})"
        case "anonymize":
            named = [f"{name}={options[name]!r}" for name in ("sensitive", "utility", "strength") if options[name]]
            made = f"az.Anonymizer({', '.join([*named, seed])})"
        case "hash":
            made = f"az.SemanticHasher({options['bits']}, {seed}{sized})"
        case _:
            made = f"az.Synthesizer({seed})"
    return [f"model = {made}.fit(X)"]


def _noise(done: Done) -> str:
    if done.options["noise"] == "from the data":
        return "'blind'"
    name = f"az.corruptions.{done.options['noise'].capitalize()}({done.options['amount']!r})"
    return f"az.corruptions.Clipped({name})" if done.kind == "image" and done.options["noise"] == "gaussian" else name


def _apply(done: Done) -> list[str]:
    """Lines that make the result and write it."""
    out = done.output
    match done.use:
        case "reduce":
            return [
                "codes = model.encode(X)",
                'table = pa.table({f"code_{n + 1}": codes[:, n] for n in range(codes.shape[1])})',
                f"csv.write_csv(table, {out!r})",
            ]
        case "detect":
            return [
                "detector = model if isinstance(model, az.AnomalyDetector) else az.AnomalyDetector.from_fitted(model)",
                "scores = detector.anomaly_score(X)",
                'table = pa.table({"score": scores, "anomaly": detector.predict(X) == -1})',
                f"csv.write_csv(table, {out!r})",
            ]
        case "hash":
            return [
                "codes = model.transform(X)",
                'table = pa.table({"code": [code.tobytes().hex() for code in codes]})',
                f"csv.write_csv(table, {out!r})",
            ]
        case "synthesise":
            where = f", where={done.options['where']!r}" if done.options.get("where") else ""
            return [
                f"made = model.sample({done.options['rows']}{where}, random_state={done.options['seed']})",
                _writing("made", out, done),
            ]
    return ["made = model.transform(X)", _writing("made", out, done)]


def _writing(name: str, out: str, done: Done) -> str:
    if done.form == "folder":
        return f'np.savez("restored.npz", *{name})'
    if out.endswith(".npy"):
        return f"np.save({out!r}, {name})"
    array = done.form == "array"
    table = f'pa.table({{f"column_{{n + 1}}": {name}[:, n] for n in range({name}.shape[1])}})' if array else name
    return f"csv.write_csv({table}, {out!r})"


def columns_apart(names: Sequence[str], known: Sequence[Any]) -> tuple[str, ...]:
    """Columns of the data that a model does not know."""
    return tuple(name for name in names if name not in known)
