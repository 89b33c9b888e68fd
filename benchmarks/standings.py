"""Runs the commands of docs/standings.md again: `python benchmarks/standings.py [file …]`.

Each command once, in the order of the page, with what it prints; `hashing` runs those of hashing.py alone. The page
itself is not written: figures go in by hand, with what changed.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "standings.md"


def commands(page: str) -> list[str]:
    r"""The commands in the last column, each once, parts of one file together.

    Examples
    --------
    >>> commands("| a | `x.py p` |\n| a | `x.py q` |\n| c | `y.py` |")
    ['x.py p q', 'y.py']
    """
    parts: dict[str, list[str]] = {}
    for name, asked in re.findall(r"\| `(\w+\.py)([^`]*)` \|$", page, flags=re.M):
        found = parts.setdefault(name, [])
        found += [part for part in asked.split() if part not in found]
    return [" ".join([name, *asked]) for name, asked in parts.items()]


def main() -> None:
    only = [name.removesuffix(".py") for name in sys.argv[1:]]
    failed = []
    for command in commands(PAGE.read_text(encoding="utf-8")):
        name, *parts = shlex.split(command)
        if only and name.removesuffix(".py") not in only:
            continue
        print(f"\n== {command}", flush=True)
        begun = time.perf_counter()
        if subprocess.run([sys.executable, str(HERE / name), *parts], cwd=HERE, check=False).returncode:
            failed.append(command)
        print(f"== {time.perf_counter() - begun:.0f} s", flush=True)
    if failed:
        sys.exit(f"failed: {'; '.join(failed)}")


if __name__ == "__main__":
    main()
