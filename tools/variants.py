"""Writes the page of variants from the code: `python tools/variants.py` replaces docs/variant-list.md."""

from __future__ import annotations

import inspect
from dataclasses import fields
from pathlib import Path

import azogue as az

PAGE = Path(__file__).resolve().parents[1] / "docs" / "variant-list.md"
INTRODUCTION = """# Each variant: formula, axes, reference

Written from the code by `python tools/variants.py`; a test holds it against the code. [The variants](variants.md) says
how they compare, and how they are combined.
"""
AXES = ("code", "corruption", "reconstruction", "penalties", "pretraining")


def presets() -> list[type[az.Autoencoder]]:
    """The public classes of autoencoders, the plain one first."""
    found = [getattr(az, name) for name in az.__all__]
    kinds = [one for one in found if inspect.isclass(one) and issubclass(one, az.Autoencoder)]
    return sorted(kinds, key=lambda one: (one is not az.Autoencoder, one.__name__))


def section(preset: type[az.Autoencoder], heading: str) -> str:
    """The text below a heading of a docstring, empty where it is not there."""
    lines = (inspect.getdoc(preset) or "").splitlines()
    if heading not in lines:
        return ""
    kept = []
    for number, line in enumerate(lines[lines.index(heading) + 2 :], lines.index(heading) + 3):
        if number < len(lines) and lines[number].startswith("---"):
            break
        kept.append(line)
    return "\n".join(kept).strip()


def described(preset: type[az.Autoencoder]) -> str:
    """A preset as Markdown."""
    introduction = (inspect.getdoc(preset) or "").partition("\nParameters\n")[0].strip()
    usual = {field.name: field.default for field in fields(az.Autoencoder)}
    own = [field for field in fields(preset) if field.name not in usual or field.default != usual[field.name]]
    axes = preset().axes()
    chosen = [(name, getattr(axes, name)) for name in AXES]
    rows = [f"| {name} | `{value!r}` |" for name, value in chosen if value is not None and repr(value)]
    given = ", ".join(f"`{field.name}={field.default!r}`" for field in own if preset is not az.Autoencoder)
    reference = section(preset, "References")
    parts = [f"## {preset.__name__}", introduction, "\n".join(["| axis | |", "|---|---|", *rows])]
    parts += [f"Parameters of its own, or with other defaults: {given}."] if given else []
    parts += [f"Reference: {reference}"] if reference else []
    return "\n\n".join(parts)


def page() -> str:
    """The whole page."""
    return "\n\n".join([INTRODUCTION.strip(), *map(described, presets())]) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
