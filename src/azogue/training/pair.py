"""Two threads that work on one compiled step, where that is faster: the bits are the same with one."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

#: Calls after which the other number of threads is first tried again: the processor may be busy, or no longer.
AGAIN = 64


class Watch:
    """What calls of a function took lately by one thread and by two, and which of these is next."""

    def __init__(self) -> None:
        self.calls, self.times = 0, {1: [math.inf] * 2, 2: [math.inf] * 2}
        self.faster, self.pause, self.due = 1, AGAIN, AGAIN

    def next(self) -> int:
        """One and two in turn at first, then the faster one, by the better of its last two calls."""
        if self.calls < 4:
            return 1 + self.calls % 2
        return 3 - self.faster if self.calls == self.due else self.faster

    def took(self, threads: int, seconds: float) -> None:
        """Note a call; each trial that was in vain doubles the pause before the next."""
        self.times[threads] = [self.times[threads][1], seconds]
        before, self.faster = self.faster, 2 if min(self.times[2]) < min(self.times[1]) else 1
        if self.calls == self.due:
            self.pause = 2 * self.pause if self.faster == before else AGAIN
            self.due += self.pause
        self.calls += 1


class Pair:
    """Calls a compiled function by one thread or two, whichever took less time lately.

    Parameters
    ----------
    most : int
        How many threads there may be, 1 or 2.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._gate = np.zeros(0, np.int64)
        self._pool: ThreadPoolExecutor | None = None
        self._watches: defaultdict[Callable[..., Any], Watch] = defaultdict(Watch)

    def __call__(self, work: int, function: Callable[..., Any], *arguments: Any) -> None:
        """`function(rank, ranks, gate, *arguments)` by each thread; `work` is how much of it there is, in any unit.

        Where there are two, they meet at the gate when their work is done, so that the other thread's way back, which
        takes as long as several steps, is not waited for.
        """
        if not len(self._gate):
            self._gate = _gates().gate()
        watch = self._watches[function]
        threads = 1 if self.most == 1 else watch.next()
        begun = time.perf_counter()
        if threads == 1:
            function(0, 1, self._gate, *arguments)
        else:
            self._both(function, arguments)
        watch.took(threads, (time.perf_counter() - begun) / work)

    def _both(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, "azogue")
        gate = self._gate
        other = self._pool.submit(self._one, 1, gate, function, arguments)
        try:
            self._one(0, gate, function, arguments)
        finally:
            if gate[_gates().CLOSED]:
                other.result()

    def _one(self, rank: int, gate: np.ndarray, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        """A thread's part; where it fails, the other is not to wait for it."""
        try:
            function(rank, 2, gate, *arguments)
        except BaseException:
            gate[_gates().CLOSED], self._gate = 1, _gates().gate()
            raise

    def close(self) -> None:
        """End the second thread."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None


def _gates() -> Any:
    """What is compiled, which takes long to import: only who trains asks for it."""
    from azogue.compiled import gates

    return gates
