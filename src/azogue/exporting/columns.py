"""The columns of a table as torch modules: their values → slots, and slots → values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from azogue.modalities.columns import Boolean, Categorical
from azogue.modalities.numeric import Numeric, whole_limits
from azogue.modalities.scaling import Affine, Knots

if TYPE_CHECKING:
    from collections.abc import Sequence

    from azogue.modalities.kinds import Kind

#: What stands for a missing whole number, as for numpy's NaT.
NAT = -(2**63)
_HUGE, _NEAR, _MOST = 3e38, 2.0**62, 2.0**63 - 1024
Told = tuple[str, tuple[int, ...], tuple[str, ...], str]


class PortError(ValueError):
    """A preparation that cannot be said outside Azogue."""


class _Bent(nn.Module):
    """A broken line through points, straight beyond its ends, and its inverse."""

    values: Tensor
    scores: Tensor

    def __init__(self, line: Knots) -> None:
        super().__init__()
        self.register_buffer("values", torch.tensor(line.u, dtype=torch.float64))
        self.register_buffer("scores", torch.tensor(line.s, dtype=torch.float64))

    def forward(self, u: Tensor) -> Tensor:
        """Values (n,) → scaled values."""
        return _line(u, self.values, self.scores)

    def inverse(self, s: Tensor) -> Tensor:
        """Scaled values (n,) → values."""
        return _line(s, self.scores, self.values)


def _line(x: Tensor, at: Tensor, to: Tensor) -> Tensor:
    piece = (x[:, None] >= at[1:-1]).long().sum(1)
    return to[piece] + (x - at[piece]) / at.diff()[piece] * to.diff()[piece]


class Numbers(nn.Module):
    """Plain numbers and booleans (n, columns), a slot each."""

    center: Tensor
    scale: Tensor
    power: Tensor
    reach: Tensor
    low: Tensor
    high: Tensor

    def __init__(self, kinds: Sequence[Numeric | Boolean]) -> None:
        super().__init__()
        straight = [kind.map if isinstance(kind.map, Affine) else Affine(0.0, 1.0) for kind in kinds]
        self.bent = nn.ModuleDict({str(at): _Bent(k.map) for at, k in enumerate(kinds) if isinstance(k.map, Knots)})
        rounding = [_rounding(kind) for kind in kinds]
        told = {
            "center": [scale.center for scale in straight],
            "scale": [scale.scale for scale in straight],
            **dict(zip(("power", "reach", "low", "high"), zip(*rounding, strict=True), strict=True)),
        }
        for name, values in told.items():
            self.register_buffer(name, torch.tensor(values, dtype=torch.float64))

    def scaled(self, u: Tensor) -> Tensor:
        """Values → scaled values, NaN where missing."""
        s = (u - self.center) / self.scale
        if len(self.bent):
            parts = [self.bent[str(at)](s[:, at]) if str(at) in self.bent else s[:, at] for at in range(s.shape[1])]
            s = torch.stack(parts, 1)
        return s.clamp(-_HUGE, _HUGE)

    def pack(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """Values → slots and where they are missing."""
        s = self.scaled(u)
        gaps = torch.isnan(s)
        return s.masked_fill(gaps, 0.0).float(), gaps

    def unscaled(self, s: Tensor) -> Tensor:
        """Scaled values → values before any rounding."""
        u = s * self.scale + self.center
        if len(self.bent):
            inverse: Any = {int(at): line for at, line in self.bent.items()}
            parts = [inverse[at].inverse(u[:, at]) if at in inverse else u[:, at] for at in range(u.shape[1])]
            u = torch.stack(parts, 1)
        return u

    def unpack(self, s: Tensor) -> Tensor:
        """Slots → values, rounded where the column has a resolution."""
        u = torch.minimum(torch.maximum(self.unscaled(s), self.low), self.high)
        near = (u * self.power).round() / self.power
        return torch.where((near - u).abs() <= self.reach, near, u)


def _rounding(kind: Numeric | Boolean) -> tuple[float, float, float, float]:
    """By which power of ten a column's values are rounded, within what distance (−1: never), and their bounds."""
    if isinstance(kind, Boolean):
        return 1.0, 2.0, 0.0, 1.0
    if kind.storage.kind in "iu":
        low, high = whole_limits(kind.arrow, kind.storage)
        return 1.0, np.inf, float(low), min(float(high), _MOST)
    most = float(np.finfo(kind.storage).max)
    if kind.decimals is None:
        return 1.0, -1.0, -most, most
    return 10.0**kind.decimals, (kind.high - kind.low) * 2.0**-22 if kind.smooth else np.inf, -most, most


def numbers_of(kinds: Sequence[Any]) -> Numbers:
    """Plain columns together."""
    return Numbers(kinds)


class _Column(nn.Module):
    """One column: `taken` and `given` say what goes in and comes out, as a port's dtype, shape, labels and note."""

    taken: Told
    given: Told

    def pack(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Values (n,) → slots (n, k) and where they are missing (n,)."""
        raise NotImplementedError

    def unpack(self, slots: Tensor) -> Tensor:
        """Slots (n, k) → values (n,)."""
        raise NotImplementedError


class NumberColumn(_Column):
    """A number, a boolean or a time; with knots the hats of its value behind it."""

    knots: Tensor

    def __init__(self, kind: Numeric | Boolean, slots: int, knots: tuple[float, ...] | None, marked: bool) -> None:
        super().__init__()
        self.slots, self.marked, self.boolean = slots, marked, isinstance(kind, Boolean)
        self.numbers = Numbers([kind])
        self.register_buffer("knots", torch.tensor(knots or (), dtype=torch.float64))
        self.counted = isinstance(kind, Numeric) and not kind.is_plain and kind.storage.kind in "iu"
        self.base, self.unit = getattr(kind, "base", 0), getattr(kind, "unit", 1.0)
        note = "missing is NaN"
        if self.counted:
            note = f"as {kind.arrow} counts, {NAT} where missing"
            low, high = whole_limits(kind.arrow, kind.storage)
            self.least = max(-((self.base - low) // int(self.unit)), -int(_NEAR / self.unit))
            self.most = min((high - self.base) // int(self.unit), int(_NEAR / self.unit))
        whole = isinstance(kind, Numeric) and kind.storage.kind in "iu"
        floats = "float32" if kind.storage in (np.dtype("float32"), np.dtype("float16")) else "float64"
        self.made = "bool" if self.boolean else "int64" if whole else floats
        taken = "int64" if self.counted else "float32" if self.made == "float32" else "float64"
        self.taken, self.given = (taken, (), (), note), (self.made, (), (), note if self.counted else "")

    def pack(self, values: Tensor) -> tuple[Tensor, Tensor]:
        if self.counted:
            gaps = values == NAT
            u = (values - self.base).double() / self.unit
        else:
            u = values.double() / self.unit
            gaps = torch.isnan(u)
        s = self.numbers.scaled(u[:, None]).masked_fill(gaps[:, None], 0.0)
        extra: list[Tensor] = []
        if self.marked and self.boolean:
            extra = [(~gaps).double()[:, None]]
        elif self.marked:
            hats = _hats(s, self.knots).masked_fill(gaps[:, None], 0.0)
            extra = [torch.nn.functional.pad(hats, (0, self.slots - 1 - hats.shape[1]))]
        return torch.cat([s, *extra], 1), gaps

    def unpack(self, slots: Tensor) -> Tensor:
        s = slots[:, :1].double()
        if self.counted:
            u = self.numbers.unscaled(s)[:, 0].round().clamp(float(self.least), float(self.most))
            return u.to(torch.int64) * int(self.unit) + self.base
        if self.unit != 1.0:
            return (self.numbers.unscaled(s)[:, 0] * self.unit).to(getattr(torch, self.made))
        made = self.numbers.unpack(s)[:, 0]
        return self.numbers.unscaled(s)[:, 0] >= 0.5 if self.boolean else made.to(getattr(torch, self.made))


def _hats(s: Tensor, knots: Tensor) -> Tensor:
    """Scaled values (n, 1) as shares of the knots around them, (n, knots)."""
    if len(knots) < 2:
        return torch.ones_like(s).expand(-1, len(knots))
    inside = torch.minimum(torch.maximum(s, knots[0]), knots[-1])
    share = ((inside - knots[:-1]) / knots.diff()).clamp(0.0, 1.0)  # of each step that lies behind
    one = torch.ones_like(s)
    passed = torch.cat([one, share], 1)
    return passed - torch.cat([share, torch.zeros_like(s)], 1)


class TextColumn(_Column):
    """Categories that are texts, by their numbers."""

    def __init__(self, kind: Categorical) -> None:
        super().__init__()
        self.count = kind.slots
        labels = tuple(map(str, kind.categories))
        note = "a text; missing is '' " + ("and cannot be told from the category ''" if "" in labels else "")
        self.taken, self.given = ("text", (), labels, note.strip()), ("text", (), labels, "")

    def pack(self, values: Tensor) -> tuple[Tensor, Tensor]:
        slots = (values[:, None] == torch.arange(self.count)).double()
        return slots, values < 0

    def unpack(self, slots: Tensor) -> Tensor:
        return slots[:, :-1].argmax(1)


class ValueColumn(_Column):
    """Categories that are numbers."""

    values: Tensor

    def __init__(self, kind: Categorical) -> None:
        super().__init__()
        self.whole = all(isinstance(value, int) and not isinstance(value, bool) for value in kind.categories)
        dtype = torch.int64 if self.whole else torch.float64
        self.register_buffer("values", torch.tensor(kind.categories, dtype=dtype))
        name = "int64" if self.whole else "float64"
        self.taken = (name, (), (), f"a category; missing is {NAT if self.whole else 'NaN'}")
        self.given = (name, (), (), "")

    def pack(self, values: Tensor) -> tuple[Tensor, Tensor]:
        gaps = values == NAT if self.whole else torch.isnan(values)
        known = values[:, None] == self.values
        other = ~known.any(1) & ~gaps
        return torch.cat([known, other[:, None]], 1).double(), gaps

    def unpack(self, slots: Tensor) -> Tensor:
        return self.values[slots[:, :-1].argmax(1)]


def column_of(kind: Kind, name: str, slots: int, knots: tuple[float, ...] | None, marked: bool) -> _Column:
    """The module of a column.

    Raises
    ------
    PortError
        For whole numbers and categories that int64 does not hold.
    """
    if isinstance(kind, Categorical):
        if all(isinstance(value, str) for value in kind.categories):
            return TextColumn(kind)
        if all(isinstance(value, (int, float)) and abs(value) < 2**63 for value in kind.categories):
            return ValueColumn(kind)
    elif isinstance(kind, (Numeric, Boolean)):
        whole = isinstance(kind, Numeric) and kind.base != 0 and kind.storage == np.dtype("uint64")
        if not whole:
            return NumberColumn(kind, slots, knots, marked)
    raise PortError(
        f"column {name!r}: values of the type {kind.type} have no counterpart outside Azogue; export with "
        "preparation=False, for rows that schema_.pack prepared"
    )
