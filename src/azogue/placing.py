"""Placement: codes from remembered rows and their places, and what the places say on the way back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from azogue.inference import Reader
from azogue.layers import ACTIVATIONS
from azogue.layouts import layout, nearest
from azogue.objectives.neighborhoods import near_probabilities, reach_of, slot_weights
from azogue.recipe import Batch, Rng

if TYPE_CHECKING:
    from azogue.modalities.base import Pieces
    from azogue.network import Network
    from azogue.recipe import Step
    from azogue.session import Session
    from azogue.training.data import Rows

#: Rows that are laid out freely and remembered, at most, on a plane and elsewhere, where it takes longer; of more, so
#: many are drawn, and the others placed by them.
LANDMARKS, FEWER = 10_000, 2_000
#: Of a new row: the perplexity of its nearest rows, how far (in the layout's units) a row may lie from where most of
#: the others say before it counts little, and rounds of that.
PERPLEXITY, REACH, ROUNDS = 10.0, 3.0, 10
#: Rows near on the map that correct what is decoded, and the least weight of one.
BACK, LEAST = 10, 1e-6
#: Between which values the outputs of a link lie.
RANGES = {**ACTIVATIONS, "softmax": (0.0, 1.0), "exp": (0.0, np.inf)}

Kept = dict[str, np.ndarray]


@dataclass(frozen=True)
class Placement:
    """Remembered rows, their places on the map, and the two ways between rows and places.

    **There**: a new row x lies where the attraction of its nearest remembered rows is in balance,
    `z = Σⱼ wⱼ yⱼ / Σⱼ wⱼ` with `wⱼ = p(j | x) / (1 + ‖z − yⱼ‖²/r²)`: rows near in the data count, those that lie
    elsewhere on the map hardly do. It is found from the place of the nearest row in ten rounds, for each row alone.

    **Back**: what the decoder g makes of z, and what it misses at the ten rows nearest on the map,
    `g(z) + Σⱼ vⱼ (xⱼ − g(yⱼ)) / Σⱼ vⱼ` with `vⱼ = (1 − ‖z − yⱼ‖²/h²)²`, h the distance of the tenth; brought to where
    the outputs can lie.

    Parameters
    ----------
    network : Network
    rows : Tensor, shape (m, width)
        Scaled, NaN where a cell is missing.
    places : Tensor, shape (m, size)
    reach : float
        r, in the units of the places.

    References
    ----------
    van der Maaten & Hinton (2008) for the attraction, which is that of t-SNE, here of remembered rows on a new one;
    Cleveland (1979), JASA 74, for the weights of the way back.
    """

    network: Network
    rows: Tensor
    places: Tensor
    reach: float

    @classmethod
    def of(cls, network: Network, kept: Kept) -> Placement:
        """A placement as a model keeps it.

        Raises
        ------
        ValueError
            If its parts do not belong together.
        """
        known = kept if isinstance(kept, dict) else {}
        rows, places, reach = (np.asarray(known.get(name, np.empty(0))) for name in ("rows", "places", "reach"))
        width = len(network.column_weights if network.columns is None else network.columns)
        fits = rows.ndim == 2 and len(rows) and rows.shape[1] == width and places.shape == (len(rows), network.size)
        numbers = all(part.dtype.kind == "f" for part in (rows, places, reach))
        if not fits or reach.shape or not numbers or not reach > 0 or not np.isfinite(places).all():
            raise ValueError(
                f"placement_: expected rows (m, {width}), finite places (m, {network.size}) and a positive reach, got "
                f"{rows.shape}, {places.shape}, {reach}; fit the map again"
            )
        like = next(network.parameters())
        x, y = (torch.from_numpy(np.array(part)).to(like.device, like.dtype) for part in (rows, places))
        return cls(network, x, y, float(reach))

    @cached_property
    def _metric(self) -> tuple[Tensor, Tensor]:
        """Roots of the slots' weights, and the rows in the units of distances."""
        weights = slot_weights(self.network, self.rows).sqrt()
        return weights, self.rows.nan_to_num(nan=0.0) * weights

    @cached_property
    def _missed(self) -> Tensor:
        """What the decoder misses of each remembered row at its place, 0 where a cell is missing."""
        return (self.rows - self.network.decode(self.places)[0]).nan_to_num(nan=0.0)

    @cached_property
    def _range(self) -> tuple[Tensor, Tensor]:
        low, high = torch.full_like(self.rows[0], -torch.inf), torch.full_like(self.rows[0], torch.inf)
        for head in self.network.heads:
            low[head.slots], high[head.slots] = RANGES.get(head.link_name, ACTIVATIONS["linear"])
        return low, high

    def code(self, x: Tensor) -> Tensor:
        """Scaled rows (n, width) → places (n, size)."""
        weights, rows = self._metric
        perplexity, count = reach_of(len(rows), PERPLEXITY)
        squares, who = nearest(rows, x.flatten(1) * weights, count)
        p, near = near_probabilities(squares, perplexity), self.places[who]
        z = near[:, 0]
        for _ in range(ROUNDS):
            pull = p / (1.0 + (near - z[:, None]).square().sum(2) / self.reach**2)
            z = (pull[:, :, None] * near).sum(1) / pull.sum(1, keepdim=True)
        return z

    def back(self, z: Tensor) -> Tensor:
        """Places (n, size) → rows (n, width) in scaled units."""
        squares, who = nearest(self.places, z, min(BACK, len(self.places)))
        weights = (1.0 - squares / squares[:, -1:].clamp(min=torch.finfo(z.dtype).tiny)).square() + LEAST
        weights = weights / weights.sum(1, keepdim=True)
        missed = (weights[:, :, None] * self._missed[who]).sum(1)
        return (self.network.decode(z)[0] + missed).clamp(*self._range)


@dataclass(frozen=True)
class PlacedReader(Reader):
    """A reader whose codes are places and whose reconstructions are what places say; errors are the network's own."""

    placement: Placement

    def codes(self, rows: Batch | Pieces) -> Tensor:
        return self._joined(lambda x, _: self.placement.code(x), rows)

    def decoded(self, z: Tensor) -> Tensor:
        return self._joined(lambda part, _: self.placement.back(part), Batch(z))

    def reconstructed(self, rows: Batch | Pieces) -> Tensor:
        return self._joined(lambda x, _: self.placement.back(self.placement.code(x)), rows)

    def _code(self, step: Step) -> Tensor:
        return self.placement.code(step.x)


def lay_out(session: Session, perplexity: float) -> Kept:
    """Lay the training rows of a session out, and make their places the targets of their codes.

    Parameters
    ----------
    session : Session
        Its data gain a target, (n, size): places in units of their standard deviation.
    perplexity : float
        Of the layout; see `layouts.layout`.

    Returns
    -------
    dict of ndarray
        `rows` (m, width) with NaN where a cell is missing, `places` (m, size), `reach` (): what `Placement.of` takes.

    Raises
    ------
    ValueError, TypeError
        Where training is private, or rows bring a target of their own.
    """
    network, data = session.network, session.data
    if session.recipe.privacy is not None:
        raise ValueError("privacy: placement='neighbors' remembers training rows; use placement='network'")
    if data.batch.target is not None or data.batch.neighbors is not None or getattr(data.batch, "pair", None):
        raise TypeError("placement='neighbors' gives each row a target of its own; leave y out, or placement='network'")
    chosen = _landmarks(len(data), LANDMARKS if network.size == 2 else FEWER, session.recipe.seed)
    some = data.take(chosen)
    x = some.x.flatten(1)
    weighed = (x * slot_weights(network, x).sqrt()).float().cpu()
    places = layout(weighed, perplexity, network.size)
    unit = float(np.sqrt(places.var(0).mean())) or 1.0
    seen = x if some.mask is None else x.masked_fill(~some.mask.flatten(1), torch.nan)
    kept = {"rows": seen.float().cpu().numpy(), "places": places / np.float32(unit), "reach": np.array(REACH / unit)}
    session.data = _aimed(data, chosen, Placement.of(network, kept))
    return kept


def _landmarks(count: int, most: int, seed: int) -> Tensor:
    """Positions of the rows to lay out, in order."""
    if count <= most:
        return torch.arange(count)
    return torch.randperm(count, generator=Rng(seed).generator("landmarks"))[:most].sort().values


@torch.no_grad()
def _aimed(data: Rows, chosen: Tensor, placement: Placement) -> Rows:
    """The rows with their places as targets: those laid out have their own, the others are placed by them."""
    size = placement.places.shape[1]
    places = placement.places.new_zeros(len(data), size)
    places[chosen.to(places.device)] = placement.places
    rest = torch.ones(len(data), dtype=torch.bool)
    rest[chosen] = False
    for part in torch.split(rest.nonzero()[:, 0], 512) if len(chosen) < len(data) else ():
        places[part.to(places.device)] = placement.code(data.take(part).x)
    if data.index is not None:
        places = places.new_zeros(len(data.batch), size).index_copy_(0, data.index.to(places.device), places)
    batch: Any = data.batch
    return replace(data, batch=replace(batch, target=places if isinstance(batch, Batch) else places.cpu()))
