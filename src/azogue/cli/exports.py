"""What the verb `export` does: a model file → a file of another program's."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azogue import files
from azogue.cli import models, tables
from azogue.disk import atomic_write
from azogue.exporting import outward, to_torch
from azogue.onnx import onnx_installed, to_onnx
from azogue.report import card as model_card
from azogue.report.sections import autoencoder_of

if TYPE_CHECKING:
    from azogue.cli.results import Say
    from azogue.report import Report

_ENDINGS = {"onnx": ".onnx", "torch": ".pt2", "keras": ".keras"}


def export(path: str, output: str, to: str, part: str, raw: bool, say: Say) -> tuple[dict[str, Any], str]:
    """Write a model in another format; what is said of it, as facts and as text."""
    kind = _kind(output, to)
    tables.check_output(output, path, stream=False)
    if kind == "onnx":
        onnx_installed()
    model = models.known(path)
    if part == "all" and not hasattr(model, "outward") and hasattr(model, "autoencoder_"):
        say(f"azogue: {path} is {models.named(model)}: the autoencoder that it owns is exported, not what is around it")
    if kind == "keras":
        inputs, outputs = _keras(model, output, part)
    else:
        write = to_onnx if kind == "onnx" else to_torch
        write(model, output, part=part, preparation=not raw)
        ports = outward(model, part, not raw).to_dict()
        inputs, outputs = ports["inputs"], ports["outputs"]
    told = {"file": output, "format": kind, "part": part, "inputs": inputs, "outputs": outputs}
    lines = [f"{output}: {part if part != 'all' else 'the whole'} of {path}"]
    lines += [f"  {way:<4} {_port(port)}" for way, ports in (("in", inputs), ("out", outputs)) for port in ports]
    return told, "\n".join(lines)


def card(path: str) -> Report:
    """The card of a model file."""
    return model_card(models.known(path), files.peek(path)["libraries"])


def _kind(output: str, to: str) -> str:
    """The format, by the ending of the file if nothing is said."""
    ending = Path(output).suffix.lower()
    found = next((kind for kind, known in _ENDINGS.items() if known == ending), None)
    if to == "auto" and found is None:
        raise ValueError(f"{output}: a file to export to ends in {', '.join(_ENDINGS.values())}; or say --to")
    if to != "auto" and ending != _ENDINGS[to]:
        raise ValueError(f"{output}: a file for --to {to} ends in {_ENDINGS[to]}")
    return str(found)


def _keras(model: Any, output: str, part: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Write a Keras model, over scaled rows."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    from azogue.keras import to_keras

    inner = autoencoder_of(model)
    made = to_keras(inner)
    chosen = {"all": made.autoencoder, "encoder": made.encoder, "decoder": made.decoder}[part]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "model.keras")
        chosen.save(place)
        atomic_write(output, place.read_bytes())
    rows = {"name": "X", "dtype": "float32", "shape": [inner.schema_.width], "note": "packed rows in scaled units"}
    code = {"name": "code", "dtype": "float32", "shape": [inner.code_size_]}
    return [code if part == "decoder" else rows], [code if part == "encoder" else {**rows, "name": "reconstruction"}]


def _port(port: dict[str, Any]) -> str:
    shape = ", ".join(map(str, ["n", *port["shape"]]))
    note = port.get("note", "")
    return f"{port['name']} {port['dtype']} ({shape})" + (f": {note}" if note else "")
