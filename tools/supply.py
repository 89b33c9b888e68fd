"""What the project is made of: licences of all that is installed for it, and a bill of materials.

    python tools/supply.py licences            # exit status 1 for a licence that is not allowed or not known
    python tools/supply.py sbom sbom.json      # CycloneDX 1.6

Both follow the requirements of the package, its extras and the groups `dev` and `docs` through what is installed. The
group `bench` holds peers to compare with; nothing of it is imported or shipped, and it is exempt.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tomllib
import uuid
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
GROUPS = ("dev", "docs")

#: SPDX names that may be used; all let the project be used and passed on under its own licence.
ALLOWED = {
    *("MIT", "MIT-0", "MIT-CMU", "BSD-2-CLAUSE", "BSD-3-CLAUSE", "0BSD", "APACHE-2.0", "ISC", "PSF-2.0", "PYTHON-2.0"),
    *("MPL-2.0", "ZLIB", "UNLICENSE", "CC0-1.0", "HPND", "BSL-1.0", "LLVM-EXCEPTION", "APACHE-2.0 WITH LLVM-EXCEPTION"),
    *("CNRI-PYTHON", "MIT OR APACHE-2.0"),
}
#: How authors spell them in texts and classifiers.
SPELLINGS = {
    "apache 2.0": "APACHE-2.0",
    "apache license 2.0": "APACHE-2.0",
    "apache license, version 2.0": "APACHE-2.0",
    "apache license version 2.0": "APACHE-2.0",
    "apache-2.0": "APACHE-2.0",
    "apache software license": "APACHE-2.0",
    "bsd": "BSD-3-CLAUSE",
    "bsd license": "BSD-3-CLAUSE",
    "bsd 3-clause": "BSD-3-CLAUSE",
    "bsd 3-clause license": "BSD-3-CLAUSE",
    "bsd 2-clause": "BSD-2-CLAUSE",
    "3-clause bsd": "BSD-3-CLAUSE",
    "3-clause bsd license": "BSD-3-CLAUSE",
    "new bsd": "BSD-3-CLAUSE",
    "mit license": "MIT",
    "the mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "python software foundation license": "PSF-2.0",
    "psf": "PSF-2.0",
    "psfl": "PSF-2.0",
    "isc license (iscl)": "ISC",
    "isc license": "ISC",
    "the unlicense (unlicense)": "UNLICENSE",
    "historical permission notice and disclaimer (hpnd)": "HPND",
    "zlib/libpng license": "ZLIB",
}
#: Packages whose metadata do not say it, and what the licence file that they install says.
KNOWN = {"graphemeu": "MIT", "namex": "Apache-2.0", "pyrage": "MIT"}
#: Packages that are taken in spite of their licence: what it may be, and why.
TAKEN = {
    "moocore": ("LGPL-2.1-or-later", "of pymoo, in the extra `search` alone; a package of its own, used unchanged"),
    "docutils": (
        "BSD-3-CLAUSE AND GNU GENERAL PUBLIC LICENSE (GPL) AND PUBLIC DOMAIN",
        "builds the documentation and is not shipped; its part under the GPL is a mode for Emacs",
    ),
}
#: Parts of the CUDA build of torch, which nobody gets who takes the CPU build of constraints.txt.
EXEMPT = re.compile(r"^(nvidia-|cuda-)")


@dataclass(frozen=True)
class Component:
    """An installed package.

    Parameters
    ----------
    name, version : str
    licence : str
        SPDX expression, or what the package says where that is none.
    needs : tuple of str
        Names of the packages that it requires here.
    """

    name: str
    version: str
    licence: str
    needs: tuple[str, ...] = ()


def licence_of(package: Distribution) -> str:
    """What a package says of its licence: expression, classifiers, or text; nothing if it says nothing."""
    told = package.metadata
    if expression := told.get("License-Expression"):
        return str(expression)
    classifiers = [text.split(" :: ")[-1] for text in told.get_all("Classifier") or [] if text.startswith("License ::")]
    named = [spdx(text) for text in classifiers if text != "OSI Approved"]
    text = str(told.get("License") or "").strip()
    if spdx(text) in ALLOWED or not named:
        return spdx(text) if len(text) < 100 else _first_words(text)
    return " AND ".join(sorted(set(named)))


def _first_words(text: str) -> str:
    """The licence whose whole text stands where its name belongs."""
    found = re.search(r"\b(MIT License|BSD 3-Clause|BSD 2-Clause|Apache License)", text, re.IGNORECASE)
    return spdx(found[1]) if found else text.splitlines()[0][:60]


def spdx(text: str) -> str:
    """A licence's name as SPDX has it, as far as it is known.

    >>> spdx("BSD License"), spdx("GPLv3")
    ('BSD-3-CLAUSE', 'GPLV3')
    """
    return SPELLINGS.get(text.strip().lower(), text.strip().upper())


def allowed(expression: str) -> bool:
    """Whether an SPDX expression can be met by allowed licences alone.

    >>> [allowed(text) for text in ("MIT", "GPL-3.0 OR MIT", "MIT AND GPL-3.0", "(MIT OR X) AND ISC", "")]
    [True, True, False, True, False]
    """
    words = re.findall(r"\(|\)|[^\s()]+", expression.replace("/", " OR ").replace(",", " AND ").replace(";", " AND "))
    merged: list[str] = []
    for word in words:
        if merged and word.upper() == "WITH":
            merged[-1] += " WITH"
        elif merged and merged[-1].endswith(" WITH"):
            merged[-1] += f" {word}"
        else:
            merged.append(word)
    verdict, rest = _either(merged)
    return verdict and not rest


def _either(words: list[str]) -> tuple[bool, list[str]]:
    verdict, words = _both(words)
    while words and words[0].upper() == "OR":
        other, words = _both(words[1:])
        verdict = verdict or other
    return verdict, words


def _both(words: list[str]) -> tuple[bool, list[str]]:
    verdict, words = _one(words)
    while words and words[0].upper() == "AND":
        other, words = _one(words[1:])
        verdict = verdict and other
    return verdict, words


def _one(words: list[str]) -> tuple[bool, list[str]]:
    if not words:
        return False, []
    if words[0] == "(":
        verdict, rest = _either(words[1:])
        return verdict and rest[:1] == [")"], rest[1:]
    name, more = words[0], words[1:]
    while more and more[0] not in ("(", ")") and more[0].upper() not in ("AND", "OR"):  # a name of several words
        name, more = f"{name} {more[0]}", more[1:]
    return spdx(name) in ALLOWED, more


def roots() -> list[Requirement]:
    """What the project asks for: itself with all extras, and the groups."""
    told = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = [one for extra in told["project"]["optional-dependencies"].values() for one in extra]
    own = [*told["project"]["dependencies"], *extras]
    groups = [one for group in GROUPS for one in told["dependency-groups"][group]]
    found = [Requirement(text) for text in [*own, *groups]]
    return [one for one in found if canonicalize_name(one.name) != "azogue"]


def components(wanted: list[Requirement]) -> dict[str, Component]:
    """All packages that some requirements bring, of those that are installed."""
    found: dict[str, Component] = {}
    left, seen = list(wanted), set()
    while left:
        asked = left.pop()
        name = canonicalize_name(asked.name)
        extras = tuple(sorted(asked.extras))
        if (name, extras) in seen or (asked.marker is not None and not asked.marker.evaluate()):
            continue
        seen.add((name, extras))
        try:
            package = distribution(name)
        except PackageNotFoundError:
            continue  # an extra that is not installed here
        needed = [one for one in map(Requirement, package.requires or []) if _applies(one, extras)]
        names = {canonicalize_name(one.name) for one in needed} | set(found[name].needs if name in found else ())
        licence = KNOWN.get(name) or licence_of(package)
        found[name] = Component(name, package.version, licence, tuple(sorted(names)))
        left += [Requirement(re.sub(r";.*", "", str(one))) for one in needed]
    return found


def _applies(one: Requirement, extras: tuple[str, ...]) -> bool:
    environment = dict(default_environment())
    return one.marker is None or any(one.marker.evaluate({**environment, "extra": extra}) for extra in (*extras, ""))


def refused(found: dict[str, Component]) -> list[Component]:
    """Those whose licence is not allowed, or not known."""
    others = [one for one in found.values() if not EXEMPT.match(one.name)]
    return [one for one in others if not allowed(one.licence) and TAKEN.get(one.name, (None,))[0] != one.licence]


def bill(found: dict[str, Component], version: str) -> dict:
    """A CycloneDX bill of materials (https://cyclonedx.org/docs/1.6/json/), the same for the same packages."""
    items = sorted(found.values(), key=lambda one: one.name)
    content = "\n".join(f"{one.name}=={one.version} {one.licence}" for one in items)
    own = f"pkg:pypi/azogue@{version}"
    purl = {one.name: f"pkg:pypi/{one.name}@{one.version}" for one in items}
    direct = sorted({canonicalize_name(one.name) for one in roots()} & set(purl))
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, own + content)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "library",
                "bom-ref": own,
                "name": "azogue",
                "version": version,
                "purl": own,
                "licenses": [{"expression": "BSD-3-Clause"}],
            }
        },
        "components": [
            {
                "type": "library",
                "bom-ref": purl[one.name],
                "name": one.name,
                "version": one.version,
                "purl": purl[one.name],
                "licenses": [{"license": {"name": one.licence or "unknown"}}],
            }
            for one in items
        ],
        "dependencies": [
            {"ref": own, "dependsOn": [purl[name] for name in direct]},
            *(
                {"ref": purl[one.name], "dependsOn": [purl[name] for name in one.needs if name in purl]}
                for one in items
            ),
        ],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["licences", "sbom"])
    parser.add_argument("output", nargs="?")
    asked = parser.parse_args()
    found = components(roots())
    if asked.what == "sbom":
        version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
        text = json.dumps(bill(found, version), indent=2) + "\n"
        Path(asked.output).write_text(text, encoding="utf-8") if asked.output else sys.stdout.write(text)
        return 0
    wrong = refused(found)
    for one in sorted(found.values(), key=lambda one: one.name):
        mark = "NO " if one in wrong else "   "
        why = f"   taken: {TAKEN[one.name][1]}" if one.name in TAKEN and one not in wrong else ""
        print(f"{mark} {one.name:<30} {one.version:<16} {one.licence or 'unknown'}{why}")
    print(f"{len(found)} packages, {len(wrong)} with a licence that is not allowed or not known")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
