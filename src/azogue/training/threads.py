"""How many threads work is worth: small steps are faster on one, and leave the other cores to others."""

from __future__ import annotations

import ctypes
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch

if TYPE_CHECKING:
    from azogue.network import Network

T = TypeVar("T")

#: Multiplications of a step below which a second thread costs more than it does.
WORTH = 20_000_000


@cache
def controller(kind: str) -> Any:
    """Who sets the number of threads of libraries of a kind, and of no others: "openmp" or "blas".

    Looking for the libraries takes long, so once. A limit is undone by setting what was found at its beginning, for all
    that its controller knows.
    """
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api=kind)


@cache
def _products() -> Callable[[int], int]:
    """What sets the threads of MKL's products in the calling thread and tells what they were; 0 is everybody's number.

    OpenMP's number alone would leave products cut for several threads, which one works through, to other bits.
    """
    path = Path(torch.__file__).with_name("lib") / "libtorch_cpu.so"
    library = ctypes.CDLL(str(path)) if path.exists() else None
    return getattr(library, "MKL_Set_Num_Threads_Local", lambda _: 0)


@contextmanager
def one_thread() -> Iterator[None]:
    """Within this context, the calling thread computes alone; others never notice, and its setting comes back."""
    if torch.get_num_threads() == 1:
        yield
        return
    with controller("openmp").limit(limits=1):
        before = _products()(1)
        try:
            yield
        finally:
            _products()(before)


def is_heavy(network: Network, rows: int) -> bool:
    """Whether steps of `rows` rows are worth several threads."""
    return 3 * rows * network.work >= WORTH


@contextmanager
def threads_for(network: Network, rows: int) -> Iterator[None]:
    """Within this context, the calling thread computes steps of `rows` rows with as many threads as pay.

    The caller's setting comes back afterwards; other threads of the program never notice.
    """
    if is_heavy(network, rows):
        yield
        return
    with one_thread():
        yield


def in_order(function: Callable[[T], Any], items: Iterable[T]) -> Iterator[Any]:
    """`map(function, items)`, several items at a time on a thread each, none of which has helpers.

    So every item is computed in one way: where several threads share a tensor, values at the seams between their parts
    end in other bits. Items are taken when it is their turn, and few of them are ahead of who asks.

    Parameters
    ----------
    function : callable
    items : iterable
    """

    def alone(item: T) -> Any:
        with torch.inference_mode(), one_thread():
            return function(item)

    count, source = torch.get_num_threads(), iter(items)
    first = list(islice(source, 0 if count == 1 else 2))
    if len(first) < 2:
        yield from map(alone, chain(first, source))
        return
    waiting: deque[Future[Any]] = deque()
    with ThreadPoolExecutor(min(count, os.cpu_count() or 1), "azogue") as pool:
        for item in chain(first, source):
            waiting.append(pool.submit(alone, item))
            if len(waiting) > count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
