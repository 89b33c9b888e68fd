"""The command line: `azogue VERB …`. Nothing heavy is imported before a verb runs."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line and leave with 0, with 1 (the data or the model is at fault) or with 2 (usage)."""
    from azogue.cli.app import app

    try:
        app()
    except BrokenPipeError:  # the reader of our output went away
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
