"""Cells moved from one distribution to another, as little as may be: couplings of two sets of probabilities.

With codes drawn by p, what comes out is drawn by q, whatever was coupled: so what p depended on is gone.

References
----------
Lindvall (1992), Lectures on the coupling method; Villani (2009), Optimal transport: old and new, chapter 1.
"""

from __future__ import annotations

import torch
from torch import Tensor

#: What is left of a distribution below this is nothing but rounding.
TINY = 1e-12


def kept(p: Tensor, q: Tensor, codes: Tensor, uniform: Tensor, other: Tensor) -> Tensor:
    """Codes (n,) by p → codes by q, as many of them the same as can be (a maximal coupling).

    A code c stays with probability `min(1, q_c / p_c)`, else another is drawn by `max(0, q − p)`.

    Parameters
    ----------
    p, q : Tensor, shape (n, codes)
        Probabilities; each row sums to 1.
    codes : Tensor of int, shape (n,)
        Drawn by p.
    uniform, other : Tensor, shape (n,)
        Even in [0, 1).

    Examples
    --------
    >>> p, q = torch.tensor([[0.5, 0.5]]), torch.tensor([[0.25, 0.75]])
    >>> [int(kept(p, q, torch.tensor([0]), torch.tensor([u]), torch.tensor([0.3]))) for u in (0.4, 0.6)]
    [0, 1]
    """
    own = codes[:, None]
    stays = uniform * p.gather(1, own)[:, 0] < q.gather(1, own)[:, 0]
    missing = (q - p).clamp(min=0)
    share = missing.sum(1, keepdim=True)
    missing = torch.where(share > TINY, missing, q)
    return torch.where(stays, codes, _at(missing, other))


def ranked(p: Tensor, q: Tensor, codes: Tensor, uniform: Tensor) -> Tensor:
    """Codes (n,) by p → the codes at the same quantile of q (the coupling that moves numbers least).

    `F_q⁻¹(F_p(c − 1) + u · p_c)`; parameters as in `kept`.

    Examples
    --------
    >>> p, q = torch.tensor([[0.5, 0.5]]), torch.tensor([[0.25, 0.75]])
    >>> [int(ranked(p, q, torch.tensor([0]), torch.tensor([u]))) for u in (0.4, 0.6)]
    [0, 1]
    """
    own = codes[:, None]
    mass = p.gather(1, own)[:, 0]
    below = p.cumsum(1).gather(1, own)[:, 0] - mass
    return _at(q, (below + uniform * mass).clamp(0.0, 1.0 - 1e-9))


def _at(mass: Tensor, level: Tensor) -> Tensor:
    """The code at a level (n,) in [0, 1) of what has some mass (n, codes)."""
    total = mass.cumsum(1)
    found = torch.searchsorted(total, (level * total[:, -1])[:, None], right=True)[:, 0]
    return found.clamp(max=mass.shape[1] - 1)
