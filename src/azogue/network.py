"""A network: encoder, code, decoder, heads, and the parts that terms of the objective bring."""

from __future__ import annotations

import copy
import itertools
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from azogue.codes import CodeSpec
from azogue.modules import Chain, TiedModule
from azogue.recipe import Code, Rng

if TYPE_CHECKING:
    from collections.abc import Sequence

    from azogue.heads import Head


class CodeLayer(nn.Module):
    """A code spec with its parameters.

    Parameters
    ----------
    spec : CodeSpec
    size : int
        Units of the code.
    """

    def __init__(self, spec: CodeSpec, size: int, rng: Rng) -> None:
        super().__init__()
        self.spec, self.size = spec, size
        for name, value in spec.parameters(size, rng).items():
            self.register_parameter(name, nn.Parameter(value))

    def values(self) -> dict[str, Tensor]:
        """The code's own parameters by name."""
        return dict(self.named_parameters())

    def forward(self, h: Tensor, rng: Rng | None) -> Code:
        exact = h.float() if h.dtype in (torch.bfloat16, torch.float16) else h
        return self.spec(exact, rng, **self.values())

    def draw(self, n: int, rng: Rng) -> Tensor:
        """Draw n codes from the prior, (n, size)."""
        return self.spec.draw(n, self.size, rng, **self.values()).detach()

    def snapped(self, z: Tensor) -> Tensor:
        """The codes nearest to z (n, size) that the code layer can produce."""
        return self.spec.snapped(z, **self.values()).detach()

    def extra_repr(self) -> str:
        return repr(self.spec)


class Absent(nn.Module):
    """Stands where a model file left a half of the network out."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def forward(self, *_: Any) -> Any:
        raise ValueError(f"this model was saved without its {self.name}; load the whole model for that")

    rowwise = forward


class Network(nn.Module):
    """Encoder, code, decoder and heads.

    Parameters
    ----------
    encoder, decoder : Chain
        x (n, width) → h (n, k) and z (n, size) → raw output (n, width).
    code : CodeLayer
        What turns h into the code.
    heads : sequence of Head
        They cover the output's slots in order.
    size : int
        Units of the code.
    work : int or None
        Multiplications of a pass of one row; None: one for each parameter.
    shape : tuple of int
        A row's shape: (width,), (t, c) or (h, w, c).
    """

    column_weights: Tensor
    numeric: Tensor
    columns: Tensor | None
    first_slots: Tensor

    def __init__(
        self,
        encoder: Chain,
        code: CodeLayer,
        decoder: Chain,
        heads: Sequence[Head],
        work: int | None = None,
        shape: tuple[int, ...] = (),
    ) -> None:
        super().__init__()
        self.encoder, self.code, self.decoder = encoder, code, decoder
        self.heads, self.size = tuple(heads), code.size
        self.work = sum(map(Tensor.numel, self.parameters())) if work is None else work
        self.shape = shape
        self.parts = nn.ModuleDict()
        #: the further autoencoders of a cascade
        self.further = nn.ModuleList()
        self._owners: dict[Any, str] = {}
        self._shares: dict[float, Tensor] = {}
        #: whether parameters have a leading dimension of members
        self.stacked = False
        self._identity = all(head.link_name == "linear" for head in self.heads)
        self.register_buffer("column_weights", torch.tensor([w for h in self.heads for w in h.weights]), False)
        numeric = [h.kind == "gaussian" for h in self.heads for _ in h.columns]
        self.register_buffer("numeric", torch.tensor(numeric, dtype=torch.bool), False)
        cells = [i for i, h in enumerate(self.cells()) for _ in range(h)]
        plain = max(self.cells(), default=1) == 1
        self.register_buffer("columns", None if plain else torch.tensor(cells), False)
        starts = [0, *itertools.accumulate(self.cells())][:-1]
        self.register_buffer("first_slots", torch.tensor(starts, dtype=torch.long), False)

    @property
    def held(self) -> str:
        """What there is of the network: `"all"`, `"encoder"` or `"decoder"`."""
        if isinstance(self.encoder, Absent):
            return "decoder"
        return "encoder" if isinstance(self.decoder, Absent) else "all"

    def only(self, part: str) -> Network:
        """A copy that shares the weights of the `part` asked for and lacks the other.

        Raises
        ------
        ValueError
            If the part is not there, or both share their matrices.
        """
        if any(isinstance(module, TiedModule) for module in self.decoder.modules()):
            raise ValueError("the network's weights are tied: either half holds both; train it with tied=False")
        if self.further:
            raise ValueError("the network is a cascade, of which no part stands alone; keep it whole")
        if self.held != "all":
            raise ValueError(f"of this network there is only its {self.held}")
        other = copy.copy(self)
        other._modules = dict(self._modules)
        other.add_module(
            "decoder" if part == "encoder" else "encoder", Absent("decoder" if part == "encoder" else "encoder")
        )
        return other

    @property
    def code_activation(self) -> str | None:
        """The activation of the code layer; None where the encoder is a foreign module."""
        return getattr(self.encoder.steps[-1], "activation", None)

    def matrices(self, on: str = "all") -> list[Tensor]:
        """The weight matrices of all layers, or of the code layer (`"code"`); biases and normalisation excepted."""
        modules = (self.encoder, self.decoder, self.further) if on == "all" else (self.encoder.steps[-1],)
        return [p for module in modules for p in module.parameters() if p.ndim > (2 if self.stacked else 1)]

    def column_shares(self, factor: float) -> Tensor:
        """`factor` times each column's share of the weights, in the network's precision."""
        if factor not in self._shares:
            weights = self.column_weights.to(next(self.parameters()).dtype)
            self._shares[factor] = factor * weights / weights.sum()
        return self._shares[factor]

    def cells(self) -> list[int]:
        """How many slots each column of the output takes, in the order of the heads."""
        return [width for head in self.heads for width in head.cells]

    def attach(self, objective: Any, seed: int = 0) -> None:
        """Make the parts that terms of the objective bring: learned variances, adversaries. Equal terms share one."""
        for name, (_, term) in zip(objective.names(), objective.terms, strict=True):
            if term not in self._owners and (part := term.build(self, Rng(seed).at(shard=1))) is not None:
                self.parts[name], self._owners[term] = part, name

    def part(self, term: Any) -> nn.Module:
        """The part that a term brought."""
        return self.parts[self._owners[term]]

    def passed(
        self, x: Tensor, rng: Rng | None = None, code_rng: Rng | None = None
    ) -> tuple[Tensor, Code, Tensor, Tensor]:
        """Rows (n, width) → the encoder's output h, the code, and what comes back, skips and cascades included."""
        kept: list[Tensor] | None = [] if self.skips else None
        h = self.encoder(x, rng, kept)
        code = self.code(h, rng if code_rng is None else code_rng)
        raw = self.decoder(code.z, rng, kept)
        out = self.link(raw)
        for chain in self.further:
            raw = raw + chain(torch.cat([x, out], -1), rng)
            out = self.link(raw)
        return h, code, out, raw

    @property
    def skips(self) -> bool:
        """Whether the way back also sees what the way in saw."""
        return bool(getattr(self.encoder, "marks", ())) or bool(self.further)

    def encode(self, x: Tensor, rng: Rng | None = None, code_rng: Rng | None = None) -> tuple[Tensor, Code]:
        """Rows (n, width) → encoder's output h and the code, which draws from `code_rng` where that is given."""
        h = self.encoder(x, rng)
        return h, self.code(h, rng if code_rng is None else code_rng)

    def decode(self, z: Tensor, rng: Rng | None = None, kept: list[Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """Code z (n, size) → (out, raw): in the units of x, and before the links; `kept` is for skip connections."""
        raw = self.decoder(z, rng, kept)
        return self.link(raw), raw

    def link(self, raw: Tensor) -> Tensor:
        """The heads' links over the decoder's raw output."""
        if self._identity:
            return raw
        if len(self.heads) == 1:
            return self.heads[0].link(raw)
        return torch.cat([head.link(raw[..., head.slots]) for head in self.heads], -1)

    def unlink(self, delta: Tensor, raw: Tensor, out: Tensor) -> Tensor:
        """A derivative by `out = link(raw)`, (…, n, width) → the derivative by `raw`."""
        parts = [h.pull(delta[..., h.slots], raw[..., h.slots], out[..., h.slots]) for h in self.heads]
        return parts[0] if len(parts) == 1 else torch.cat(parts, -1)

    def forward(self, x: Tensor, rng: Rng | None = None) -> Tensor:
        """Rows → their reconstruction."""
        return self.passed(x, rng)[2]
