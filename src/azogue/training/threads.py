"""How many threads a training is worth: small steps are faster on one, and leave the other cores to others."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azogue.network import Network

#: Multiplications of a step below which a second thread costs more than it does.
WORTH = 10_000_000


@contextmanager
def threads_for(network: Network, rows: int) -> Iterator[None]:
    """Within this context, the calling thread computes steps of `rows` rows with as many threads as pay.

    The caller's setting comes back afterwards; other threads of the program never notice.
    """
    work = 3 * rows * sum(p.numel() for p in network.parameters() if p.ndim > 1)
    if work >= WORTH or torch.get_num_threads() == 1:
        yield
        return
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="openmp"):
        yield
