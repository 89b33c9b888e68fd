"""What every verb is wrapped in: options from dataclasses, and faults as one line and an exit status."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import fields
from functools import wraps
from inspect import Parameter, signature
from typing import Any, TypeAlias, get_type_hints

import typer

from azogue.cli import NO_MEMORY

Verb: TypeAlias = Callable[..., None]


def taking(**groups: type) -> Callable[[Verb], Verb]:
    """Give a verb the options of dataclasses: it declares `training: Training`, the user sees `--epochs` and so on."""

    def decorate(verb: Verb) -> Verb:
        own = [p for p in signature(verb).parameters.values() if p.name not in groups]
        hints = get_type_hints(verb, include_extras=True)
        own = [p.replace(annotation=hints[p.name]) for p in own]
        shared = [
            Parameter(
                f.name,
                Parameter.KEYWORD_ONLY,
                default=f.default,
                annotation=get_type_hints(g, include_extras=True)[f.name],
            )
            for g in groups.values()
            for f in fields(g)
        ]

        def run(*args: Any, **kwargs: Any) -> None:
            built = {name: g(**{f.name: kwargs.pop(f.name) for f in fields(g)}) for name, g in groups.items()}
            verb(*args, **kwargs, **built)

        run.__name__, run.__doc__ = verb.__name__, verb.__doc__
        whole = [p.replace(kind=Parameter.KEYWORD_ONLY) for p in own] + shared
        run.__signature__ = signature(verb).replace(parameters=whole)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in whole}
        return run

    return decorate


#: What libraries say where memory is short; torch and the system's loader have no error of their own for it.
_SHORT = re.compile("can't allocate memory|not enough memory|cannot allocate memory|failed to map segment", re.I)


def _lack(error: Exception) -> str:
    """What to say of an error that comes of too little memory; nothing of others."""
    told = not isinstance(error, ValueError) and _SHORT.search(str(error))  # a file that is too large is named already
    if not isinstance(error, MemoryError) and not told:
        return ""
    return NO_MEMORY


def guarded(verb: Verb) -> Verb:
    """Turn what is the data's or the model's fault into one line and exit status 1."""

    @wraps(verb)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            verb(*args, **kwargs)
        except (ValueError, TypeError, FloatingPointError, OSError, RuntimeError, MemoryError, ImportError) as error:
            extra = "pip install" in str(error)  # one that is not installed; what else cannot be imported is our fault
            if isinstance(error, BrokenPipeError) or (isinstance(error, ImportError) and not (_lack(error) or extra)):
                raise
            text = _lack(error) or " ".join(str(error).split()) or type(error).__name__
            sys.stderr.write(f"azogue: {text}\n")
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            sys.stderr.write("azogue: interrupted\n")
            raise typer.Exit(130) from None

    return run
