"""How scripts here run the parts they are asked for; not run by itself."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping


def run(parts: Mapping[str, Callable[[], None]], usual: Iterable[str] = (), title: Callable[[str], str] = str) -> None:
    """Run the parts named on the command line, else the usual ones, else all.

    An unknown part ends the program with one line before anything runs; a part whose data are absent says so.

    Parameters
    ----------
    parts : mapping of str to callable
    usual : iterable of str
        Names that run where none is given.
    title : callable
        A part's name → the line above it.
    """
    script = sys.argv[0].rpartition("/")[2]
    names = sys.argv[1:] or list(usual) or list(parts)
    if unknown := [name for name in names if name not in parts]:
        sys.exit(f"{script}: no part {', '.join(map(repr, unknown))}; there are {', '.join(parts)}")
    for name in names:
        print(f"\n{title(name)}", flush=True)
        try:
            parts[name]()
        except FileNotFoundError as missing:
            print(f"{name}: skipped, {missing}")
