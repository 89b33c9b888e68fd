"""SIGTERM while training: the state is saved first, then the process ends as it would have."""

from __future__ import annotations

import signal
import threading
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from azogue.training.loop import TrainingWarning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azogue.training.checkpoint import Keeper


@contextmanager
def heeding(keeper: Keeper | None) -> Iterator[None]:
    """Within this context, SIGTERM asks the run to end after its next steps, and is obeyed when the context ends.

    Then whatever was to be done about the signal is done: by default, the process ends by it. Whoever is in a hurry
    sends it twice. In other threads than the main one, where Python handles no signals, nothing changes; so where the
    signal is ignored.

    Warns
    -----
    TrainingWarning
        If the signal came: where the state was saved.
    """
    before = signal.getsignal(signal.SIGTERM)
    main = threading.current_thread() is threading.main_thread()
    if keeper is None or not main or before in (signal.SIG_IGN, None):
        yield
        return

    def ask(*_: Any) -> None:
        if keeper.asked or not keeper.running:  # asked twice, or there is nothing to save
            signal.signal(signal.SIGTERM, before)
            signal.raise_signal(signal.SIGTERM)
        keeper.asked = True

    signal.signal(signal.SIGTERM, ask)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        if keeper.asked:
            _obey(keeper)


def _obey(keeper: Keeper) -> None:
    try:
        warnings.warn(
            f"training was asked to end (SIGTERM); its state is in {keeper.where.path}, from which resume=True goes on",
            TrainingWarning,
            stacklevel=6,
        )
    finally:
        signal.raise_signal(signal.SIGTERM)
