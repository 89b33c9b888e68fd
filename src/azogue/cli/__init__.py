"""The command line: `azogue VERB …`. Nothing heavy is imported before a verb runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

#: What is said where memory runs out.
NO_MEMORY = "there is not enough memory for this; take fewer rows or a smaller network, or free some memory"


def main() -> None:
    """Run the command line and leave with 0, with 1 (the data or the model is at fault) or with 2 (usage)."""
    # threads that wait for one another asleep: awake, they take the processor from whoever they wait for, and a step
    # of a small network lasts twenty times as long on a machine that others use too
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        from azogue.cli.app import app
        from azogue.cli.languages import language, translated
        from azogue.cli.streams import forgiving

        forgiving()
        run: Callable[..., object] = app
        if language() == "es":
            from typer.main import get_command

            run = translated(get_command(app))
        run(prog_name="azogue")  # python -m azogue completes and helps under the same name
    except MemoryError:  # of the program's own parts; what verbs do is guarded
        sys.stderr.write(f"azogue: {NO_MEMORY}\n")
        sys.exit(1)
    except BrokenPipeError:  # the reader of our output went away
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
