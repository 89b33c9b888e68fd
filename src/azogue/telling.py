"""The torch module of a recurrent decoder: sequences told symbol by symbol, drawn, or followed along a row.

As in `positional`, units are the rows of each product and the batch runs along the vector lanes, so that a row's bits
depend on no other row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from azogue.modules import Skip, initial_weights
from azogue.recipe import Rng

if TYPE_CHECKING:
    from azogue.layers import Autoregressive

#: The logit of a symbol that cannot follow; finite, so that 0 times it is 0.
NEVER = -1e4


class AutoregressiveModule(Skip):
    """A gated recurrent unit that reads a code and the symbol before; the formulas stand at `layers.Autoregressive`.

    Parameters
    ----------
    inputs : int
        Units of the code.
    spec : Autoregressive
    rng : Rng
    """

    never: Tensor
    start_weight: Tensor
    start_bias: Tensor
    code_weight: Tensor
    weight: Tensor
    bias: Tensor
    state_weight: Tensor
    state_bias: Tensor
    told_weight: Tensor
    told_bias: Tensor

    def __init__(self, inputs: int, spec: Autoregressive, rng: Rng) -> None:
        super().__init__()
        self.spec, units = spec, spec.units
        shapes = {
            "start_weight": (units, inputs),
            "code_weight": (3 * units, inputs),
            "weight": (3 * units, spec.symbols),
            "state_weight": (3 * units, units),
            "told_weight": (spec.symbols, units),
        }
        for at, (name, shape) in enumerate(shapes.items()):
            own = initial_weights(shape, "linear", rng.at(shard=at))
            self.register_parameter(name, nn.Parameter(own))
        for name, size in {
            "start_bias": units,
            "bias": 3 * units,
            "state_bias": units,
            "told_bias": spec.symbols,
        }.items():
            self.register_parameter(name, nn.Parameter(torch.zeros(size)))
        self.register_buffer("never", _never(spec), False)

    def joined(self, x: Tensor, kept: Tensor, rng: Rng | None) -> Tensor:
        """Codes x (n, inputs) and rows (n, steps · symbols) → logits of each step given the row's symbols before it.

        Behind a row's end all logits are 0 but for what cannot follow, so that nothing has to be computed there.
        """
        told = kept.reshape(len(kept), self.spec.steps, self.spec.symbols)
        over = (told[:, :-1, -1] > 0.5).t()  # whether a row ended before the second, third, … step
        before = told[:, :-1].permute(1, 2, 0)  # (steps − 1, symbols, n)
        busy = int((~over).any(1).sum())
        constant, h = self._begun(x)
        driven = torch.matmul(self.weight, before[:busy]) + constant
        states = [self._step(constant, h)]
        for each in driven.unbind(0):
            states.append(self._step(each, states[-1]))
        logits = torch.matmul(self.told_weight, torch.stack(states)) + self.told_bias[:, None]
        later = logits[1:].masked_fill(over[:busy, None], 0.0)
        rest = logits.new_zeros(len(before) - busy, *logits.shape[1:])
        follows = torch.matmul(self.never.t(), before)
        logits = torch.cat([logits[:1], torch.cat([later, rest]) + follows])
        return logits.permute(2, 0, 1).reshape(len(x), -1)

    def forward(self, x: Tensor, rng: Rng | None) -> Tensor:
        """Codes (n, inputs) → logits of each step (n, steps · symbols), given the likeliest symbols before it."""
        return self._run(x, lambda logits, _: one_hot(logits.argmax(0), len(logits)).t().to(logits.dtype))[0]

    def soft(self, x: Tensor, rng: Rng) -> Tensor:
        """Sequences drawn symbol by symbol, (n, steps · symbols), 0 and 1, whose gradient is that of their softmax.

        NOTE the straight-through Gumbel softmax of Jang, Gu & Poole (2017), at temperature 1.
        """
        uniform = rng.uniform("symbols", (self.spec.steps, self.spec.symbols, len(x)), x).clamp(1e-6, 1 - 1e-6)
        gumbel = -(-uniform.log()).log()

        def choose(logits: Tensor, at: int) -> Tensor:
            share = (logits + gumbel[at]).softmax(0)
            hard = torch.zeros_like(share).scatter_(0, share.argmax(0, keepdim=True), 1.0)
            return share + (hard - share).detach()

        return self._run(x, choose)[1]

    def _run(self, x: Tensor, choose: Callable[[Tensor, int], Tensor]) -> tuple[Tensor, Tensor]:
        """Logits and symbols of each step, (n, steps · symbols); `choose` makes (symbols, n) of logits (symbols, n)."""
        constant, h = self._begun(x)
        h = self._step(constant, h)
        made: list[Tensor] = []
        chosen: list[Tensor] = []
        for at in range(self.spec.steps):
            logits = torch.addmm(self.told_bias[:, None], self.told_weight, h)
            if chosen:
                before = chosen[-1].detach()
                over = before[-1] > 0.5
                logits = logits.masked_fill(over, 0.0) + self.never.t() @ before
            made.append(logits)
            chosen.append(choose(logits, at))
            if bool((chosen[-1][-1] > 0.5).all()):
                break
            h = self._step(torch.addmm(constant, self.weight, chosen[-1]), h)
        if lacking := self.spec.steps - len(made):  # all have ended
            ended = torch.zeros_like(made[0])
            ended[-1] = 1.0
            made += [self.never.t() @ ended] * lacking
            chosen += [ended] * lacking
        logits, symbols = (torch.stack(part).permute(2, 0, 1).reshape(len(x), -1) for part in (made, chosen))
        return logits, symbols

    @torch.inference_mode()
    def draw(self, x: Tensor, uniform: Tensor) -> Tensor:
        """Symbols drawn from what the network says of each step.

        Parameters
        ----------
        x : Tensor, shape (n, inputs)
        uniform : Tensor, shape (n, steps)
            A number in [0, 1) for each.

        Returns
        -------
        Tensor of int64, shape (n, steps)
        """
        constant, h = self._begun(x)
        end = self.spec.symbols - 1
        found = torch.full(uniform.shape, end, dtype=torch.int64)
        h = self._step(constant, h)
        for at in range(self.spec.steps):
            logits = torch.addmm(self.told_bias[:, None], self.told_weight, h)
            if at:
                logits = logits + self.never[found[:, at - 1]].t()
            total = logits.double().softmax(0).cumsum(0)
            symbols = (total <= uniform[:, at].double() * total[-1]).sum(0).clamp(max=end)
            found[:, at] = symbols
            if bool((symbols == end).all()):
                break
            h = self._step(constant + self.weight[:, symbols], h)
        return found

    def _begun(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What the code adds at every step (3 · units, n), and the first state (units, n)."""
        z = x.t()
        constant = torch.addmm(self.bias[:, None], self.code_weight, z)
        return constant, torch.addmm(self.start_bias[:, None], self.start_weight, z).tanh()

    def _step(self, driven: Tensor, h: Tensor) -> Tensor:
        """The next state."""
        units = self.spec.units
        made = self.state_weight @ h
        reset, update = (driven[: 2 * units] + made[: 2 * units]).sigmoid().chunk(2)
        new = (driven[2 * units :] + reset * (made[2 * units :] + self.state_bias[:, None])).tanh()
        return torch.lerp(new, h, update)

    def extra_repr(self) -> str:
        return f"{self.start_weight.shape[1]} → {self.spec.steps}×{self.spec.symbols}, gru"


def _never(spec: Autoregressive) -> Tensor:
    """What is added to the logit of each symbol (columns) behind each other (rows)."""
    result = torch.zeros(spec.symbols, spec.symbols)
    rising, end = spec.rising, spec.symbols - 1
    result[:rising, :rising] = NEVER * torch.tril(torch.ones(rising, rising))
    if rising:
        result[:rising, end] = NEVER
    result[end, :end] = NEVER
    return result
