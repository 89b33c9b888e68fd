"""Codes: what happens between the encoder's output and the decoder's input.

A code spec says how many units the encoder must produce for a code of `size` (`width`), which statistics it provides
to terms (`provides`), and how the encoder's output becomes the code (`__call__`). At inference `rng` is None and
nothing is drawn. Codes with parameters of their own return a module from `build`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING, ClassVar

from azogue.recipe import Code, Rng, Spec

if TYPE_CHECKING:
    from torch import Tensor


class CodeSpec(Spec):
    """Base of the codes."""

    #: names of the statistics in `Code.stats`
    provides: ClassVar[frozenset[str]] = frozenset()
    #: whether `decode(draw(n))` makes new rows
    has_prior: ClassVar[bool] = False

    def width(self, size: int) -> int:
        """Units that the encoder must produce for a code of `size`."""
        return size

    def __call__(self, h: Tensor, rng: Rng | None) -> Code:
        """Encoder's output h (n, width(size)) → code with z (n, size)."""
        raise NotImplementedError

    def draw(self, n: int, size: int, rng: Rng) -> Tensor:
        """Draw n codes of `size` units from the prior, where the code has one."""
        raise NotImplementedError


@dataclass(frozen=True, repr=False)
class Point(CodeSpec):
    """The code is the encoder's output itself."""

    def __call__(self, h: Tensor, rng: Rng | None) -> Code:
        return Code(h)


@dataclass(frozen=True, repr=False)
class TopK(CodeSpec):
    """Keep each row's k largest units and set the others to 0 (Makhzani & Frey 2014, k-sparse autoencoder).

    Parameters
    ----------
    k : int or float
        Units kept; a fraction in (0, 1) is of the code's size, at least one unit.

    Notes
    -----
    The paper keeps αk units at inference; here training and inference keep the same k, so that a code means the same
    in both. NOTE[DIFF]

    Examples
    --------
    >>> import torch
    >>> TopK(2)(torch.tensor([[3.0, 1.0, 2.0]]), None).z
    tensor([[3., 0., 2.]])
    """

    k: int | float = 0.25

    def __post_init__(self) -> None:
        whole = isinstance(self.k, Integral) and not isinstance(self.k, bool) and self.k >= 1
        part = isinstance(self.k, Real) and not isinstance(self.k, Integral) and 0.0 < self.k < 1.0
        if not (whole or part):
            raise ValueError(f"TopK: k must be a whole number of at least 1 or a fraction in (0, 1), got {self.k!r}")
        object.__setattr__(self, "k", int(self.k) if whole else float(self.k))

    def __call__(self, h: Tensor, rng: Rng | None) -> Code:
        import torch

        size = h.shape[1]
        k = self.k if isinstance(self.k, int) else max(1, math.floor(self.k * size + 0.5))
        if k >= size:
            return Code(h)
        kept = torch.zeros_like(h, dtype=torch.bool).scatter(1, h.topk(k, dim=1).indices, True)
        return Code(h * kept)
