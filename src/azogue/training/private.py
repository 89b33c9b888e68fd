"""The back end of differentially private training: DP-SGD (Abadi et al. 2016).

A step draws its rows, clips each row's gradient and adds gaussian noise to the sum. Per-row gradients come in two ways:

- *Dense layers.* With a the layer's input and δ the derivative of the row's loss by what the activation gets, a row's
  gradient by `[W | b]` is `δ [a; 1]ᵀ`, of squared norm `‖δ‖² (‖a‖² + 1)`. So one backward pass as far as the δ gives
  all norms, and the clipped sum is one product `(f · δ)ᵀ [a; 1]`, f the rows' factors. Where a matrix works in several
  places its gradient is the sum of such products, and `⟨δ aᵀ, δ′ a′ᵀ⟩ = ⟨δ, δ′⟩ ⟨a, a′⟩`.
- *Everything else.* Some rows at a time, as many backward passes as rows at once.

Nothing that is computed from private rows leaves a step but the noisy sum: no losses, and a row whose gradient is
infinite or NaN stops no run, since it then counts as 0.
"""

from __future__ import annotations

import hashlib
import math
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from torch import Tensor, nn

from azogue.modules import DenseModule, TiedModule
from azogue.norms import BatchNormModule
from azogue.recipe import Batch, Rng
from azogue.training.autograd import Autograd, forward, move
from azogue.training.data import Rows, together

if TYPE_CHECKING:
    from azogue.network import Network
    from azogue.objectives import Objective
    from azogue.recipe import Recipe, Step
    from azogue.training.state import Player, State

#: Rows whose gradients are computed, and held, at once where there is no closed form.
CHUNK = 16
#: Rows that are tried for whether one row's loss depends on others, and how often.
TRIED, TRIALS = 32, 4


class Secret:
    """Draws that nobody can repeat, or subtract, who does not know the key: the keystream of AES-256 in counter mode.

    A draw is a function of key, stream, epoch and step. NOTE torch's generators take 32 bits of a seed, which anybody
    can try one by one: they draw initial weights, corruptions and dropout here, never rows or noise.

    Parameters
    ----------
    key : bytes or None
        32 of them; None: from the operating system, and kept nowhere else.
    """

    def __init__(self, key: bytes | None = None) -> None:
        self._key = secrets.token_bytes(32) if key is None else key

    @classmethod
    def of(cls, seed: int) -> Secret:
        """The draws of a known seed, for runs that are to be repeated: whoever knows the seed, knows the noise."""
        return cls(hashlib.blake2b(f"azogue/private/{seed}".encode(), digest_size=32).digest())

    def uniform(self, stream: str, epoch: int, step: int, count: int) -> np.ndarray:
        """Draws from (0, 1), of 53 bits, shape (count,)."""
        own = hashlib.blake2b(f"{stream}/{epoch}/{step}".encode(), key=self._key, digest_size=32).digest()
        cipher = Cipher(algorithms.AES(own), modes.CTR(bytes(16))).encryptor()
        bits = np.frombuffer(cipher.update(bytes(8 * count)), "<u8")
        return np.asarray(((bits >> np.uint64(11)) + 0.5) * 2.0**-53)

    def normal(self, stream: str, epoch: int, step: int, count: int) -> np.ndarray:
        """Draws from N(0, 1) by the transform of Box and Muller, shape (count,)."""
        half = -(-count // 2)
        u = self.uniform(stream, epoch, step, 2 * half)
        radius, angle = np.sqrt(-2.0 * np.log(u[:half])), 2.0 * np.pi * u[half:]
        return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:count]


class Private(Autograd):
    """Moves one network by the noisy sum of clipped gradients of rows that are drawn for each step.

    Parameters
    ----------
    secret : Secret, optional
        What rows and noise are drawn from; None: from a key of the operating system.
    """

    name = "private"

    def __init__(self, secret: Secret | None = None) -> None:
        self._secret = Secret() if secret is None else secret
        self._closed: bool | None = None

    def batches(self, members: Sequence[Rows], size: int, rngs: Sequence[Rng]) -> Iterator[Batch]:
        """The batches of one epoch of one member: every row is in each of them with probability size/rows.

        So they differ in size, and some may be empty.
        """
        (rows,), (rng,) = members, rngs
        for step in range(-(-len(rows) // size)):
            drawn = self._secret.uniform("rows", rng.epoch, step, len(rows)) < size / len(rows)
            yield together([rows.take(torch.from_numpy(np.flatnonzero(drawn)))])

    def step(self, states: Sequence[State], batch: Batch) -> dict[str, list[Tensor]]:
        """Move the player of the one state; nothing is told of the rows. See `loop.Backend`."""
        (state,) = states
        recipe = state.recipe
        (player,) = state.players.values()
        privacy, rng = recipe.privacy, Rng(recipe.seed, epoch=state.epoch, step=state.step)
        mask, target = (None if part is None else part[0] for part in (batch.mask, batch.target))
        rows = Batch(batch.x[0], mask, None, target)
        sums = {name: torch.zeros_like(p, requires_grad=False) for name, p in player.parameters.items()}
        if len(rows):
            if self._closed is None:
                self._closed = has_closed_form(state.network, player, recipe, rows, rng)
            way = by_layers if self._closed else by_rows
            way(sums, state.network, player, recipe, rows, rng)
        count = sum(value.numel() for value in sums.values())
        noise = torch.from_numpy(self._secret.normal("noise", state.epoch, state.step, count))
        parts = torch.split(noise, [value.numel() for value in sums.values()])
        scale = privacy.noise_multiplier * privacy.clip
        for (name, value), part in zip(sums.items(), parts, strict=True):
            noisy = value.cpu().double() + scale * part.view(value.shape)
            player.parameters[name].grad = (noisy / privacy.batch_size).to(value)
        move(player, recipe, recipe.schedule(state.progress))
        return {}


def row_losses(objective: Objective, step: Step) -> Tensor:
    """The objective of each row, (n,); what is a property of the weights alone counts in each."""
    rows = len(step.x)
    return sum(  # type: ignore[return-value]
        (weight * value if value.ndim else (weight * value).expand(rows))
        for weight, value in ((weight, term(step)) for weight, term in objective.terms)
    )


# -- dense layers -----------------------------------------------------------------------------------------------------


class Call(NamedTuple):
    """One use of a layer: the names of its parameters, its input a (n, width), what was added to its result."""

    weight: str
    bias: str
    tied: bool
    a: Tensor
    tap: Tensor


def _plain(module: nn.Module) -> bool:
    return type(module) in (DenseModule, TiedModule) and module.norm is None


def has_closed_form(network: Network, player: Player, recipe: Recipe, rows: Batch, rng: Rng) -> bool:
    """Whether `by_layers` gives the gradients of some rows.

    All trained parameters but those of terms have to be of dense layers without normalisation, and terms have to read
    no more than the step. That they say so is not taken on trust: the gradients of the sum are compared.
    """
    own = {id(p) for module in network.modules() if _plain(module) for p in module._parameters.values()}
    trained = player.parameters
    if not all(id(p) in own or name.startswith("parts.") for name, p in trained.items()):
        return False
    if not all(term.analytic for _, term in player.objective.terms):
        return False
    losses = row_losses(player.objective, forward(network, rows, recipe.corruption, rng))
    expected = torch.autograd.grad(losses.sum(), list(trained.values()), allow_unused=True)
    sums = {name: torch.zeros_like(p, requires_grad=False) for name, p in trained.items()}
    by_layers(sums, network, player, recipe, rows, rng, clip=math.inf)
    found = zip(sums.values(), (0.0 if one is None else one for one in expected), strict=True)
    scale = max(float(one.abs().max()) for one in expected if one is not None)
    return all(bool(((ours - theirs).abs() <= 1e-3 * scale).all()) for ours, theirs in found)


@contextmanager
def _tapped(network: Network) -> Iterator[list[Call]]:
    """Within this context dense layers note their inputs, and add zeros to their results to differentiate by."""
    names = {id(p): name for name, p in network.named_parameters()}
    calls: list[Call] = []
    modules: list[Any] = [module for module in network.modules() if _plain(module)]

    def affine(module: DenseModule, x: Tensor) -> Tensor:
        raw = DenseModule.affine(module, x)
        tap = torch.zeros_like(raw, requires_grad=True)
        tied = isinstance(module, TiedModule)
        source = module.source.weight if isinstance(module, TiedModule) else module.weight
        calls.append(Call(names[id(source)], names[id(module.bias)], tied, x.detach(), tap))
        return raw + tap

    for module in modules:
        vars(module)["affine"] = partial(affine, module)
    try:
        yield calls
    finally:
        for module in modules:
            del vars(module)["affine"]


def by_layers(
    sums: dict[str, Tensor],
    network: Network,
    player: Player,
    recipe: Recipe,
    rows: Batch,
    rng: Rng,
    clip: float | None = None,
) -> None:
    """Add the rows' clipped gradients to `sums` by the closed form; see `has_closed_form`."""
    own = {name: p for name, p in player.parameters.items() if name.startswith("parts.")}
    with _tapped(network) as calls:
        losses = row_losses(player.objective, forward(network, rows, recipe.corruption, rng))
    taps = [call.tap for call in calls]
    found = torch.autograd.grad(losses.sum(), taps, retain_graph=bool(own), allow_unused=True)
    deltas = [torch.zeros_like(tap) if delta is None else delta for tap, delta in zip(taps, found, strict=True)]
    loose = _each(losses, own) if own else {}
    squares = _squares(calls, deltas) + sum(_squared(value) for value in loose.values())
    factors = _factors(squares, recipe.privacy.clip if clip is None else clip).to(losses)
    lost = factors == 0
    for call, delta in zip(calls, deltas, strict=True):
        scaled, a = delta * factors[:, None], call.a
        if bool(lost.any()):  # 0 times infinity is NaN
            scaled, a = scaled.masked_fill(lost[:, None], 0.0), a.masked_fill(lost[:, None], 0.0)
        sums[call.weight] += a.t() @ scaled if call.tied else scaled.t() @ a
        sums[call.bias] += scaled.sum(0)
    _add(sums, loose, factors)


def _squares(calls: Sequence[Call], deltas: Sequence[Tensor]) -> Tensor:
    """Each row's squared norm over the parameters of all calls, (n,) in float64."""
    total = torch.zeros(len(deltas[0]), dtype=torch.float64)
    for at, (one, delta) in enumerate(zip(calls, deltas, strict=True)):
        for other, theirs in zip(calls[at:], deltas[at:], strict=True):
            count, shared = 1.0 if one is other else 2.0, one.bias == other.bias
            if one.weight == other.weight and one.tied != other.tied:  # one's inputs are where the other's δ are
                total += count * _dots(delta, other.a) * _dots(one.a, theirs)
            elif one.weight == other.weight:
                both = _dots(delta, theirs)
                total += count * both * (_dots(one.a, other.a) + shared)
            if shared and one.weight != other.weight:
                total += count * _dots(delta, theirs)
    return total


def _dots(a: Tensor, b: Tensor) -> Tensor:
    found: Tensor = torch.linalg.vecdot(a, b, dim=1)
    return found.cpu().double()  # not every device has float64


# -- everything else --------------------------------------------------------------------------------------------------


def by_rows(sums: dict[str, Tensor], network: Network, player: Player, recipe: Recipe, rows: Batch, rng: Rng) -> None:
    """Add the rows' clipped gradients to `sums`, some at a time; what fills up the last ones counts for nothing."""
    for number, start in enumerate(range(0, len(rows), CHUNK)):
        there = torch.arange(start, start + CHUNK)
        part = rows.take(there.clamp(max=len(rows) - 1))
        step = forward(network, part, recipe.corruption, rng.at(shard=number))
        found = _each(row_losses(player.objective, step), player.parameters)
        factors = _factors(sum(_squared(value) for value in found.values()), recipe.privacy.clip)  # type: ignore[arg-type]
        factors[there >= len(rows)] = 0.0
        _add(sums, found, factors.to(step.x))


def _each(losses: Tensor, parameters: dict[str, nn.Parameter]) -> dict[str, Tensor]:
    """The gradient of each row's loss, (n, …) for each parameter that it depends on."""
    units = torch.eye(len(losses), dtype=losses.dtype, device=losses.device)
    wanted: list[Tensor] = list(parameters.values())
    found = [
        torch.autograd.grad(losses, wanted, part, retain_graph=True, is_grads_batched=True, allow_unused=True)
        for part in torch.split(units, 4 * CHUNK)
    ]
    columns = zip(parameters, zip(*found, strict=True), strict=True)
    return {name: torch.cat(parts) for name, parts in columns if parts[0] is not None}


def _squared(gradients: Tensor) -> Tensor:
    return gradients.flatten(1).square().sum(1).cpu().double()


def _factors(squares: Tensor, clip: float) -> Tensor:
    """min(1, C/‖g‖) of each row, (n,); 0 where the gradient is no finite number."""
    factors = (clip / squares.sqrt().clamp(min=torch.finfo(squares.dtype).tiny)).clamp(max=1.0)
    return torch.where(squares.isfinite(), factors, 0.0)


def _add(sums: dict[str, Tensor], gradients: dict[str, Tensor], factors: Tensor) -> None:
    lost = factors == 0
    for name, value in gradients.items():
        rows = value.flatten(1)
        kept = rows.masked_fill(lost[:, None], 0.0) if bool(lost.any()) else rows
        sums[name] += (factors @ kept).view(sums[name].shape)


# -- what cannot be private -------------------------------------------------------------------------------------------


def check(network: Network, recipe: Recipe, data: Rows) -> None:
    """Refuse what makes one row's gradient depend on other rows, which no clipping bounds.

    Raises
    ------
    ValueError
        Naming the part.
    """
    if recipe.shards > 1:
        raise ValueError("privacy: processes that share a batch would draw the same noise; train alone, without a team")
    for module in network.modules():
        if isinstance(module, (BatchNormModule, nn.modules.batchnorm._BatchNorm)):
            raise ValueError("privacy: batch normalisation mixes the rows of a batch; use LayerNorm, or none")
    for _, term in recipe.objective.terms:
        if term.opponent is not None:
            raise ValueError(f"privacy: {term!r} has an adversary that learns from the rows as well; leave it out")
        if term.mixes:
            raise ValueError(f"privacy: {term!r} mixes the rows of a batch, so that no row's gradient stands alone")
    if recipe.corruption is not None and recipe.corruption.mixes:
        raise ValueError(f"privacy: {recipe.corruption!r} takes cells from other rows; corrupt rows one by one")
    if recipe.precision == "bfloat16":
        raise ValueError("privacy: precision='bfloat16' rounds gradients before they are clipped; use 'float32'")
    _try(network, recipe, data)


def _try(network: Network, recipe: Recipe, data: Rows) -> None:
    """Look whether the losses of some rows change with the rows beside them: for parts that do not say so."""
    half = TRIED // 2
    places = torch.arange(TRIED) % len(data)
    alone = torch.where(torch.arange(TRIED) < half, places, 0)
    with torch.no_grad():
        for trial in range(TRIALS):
            rng = Rng(0, step=trial)
            several, same = (
                row_losses(recipe.objective, forward(network, data.take(where), recipe.corruption, rng))[:half]
                for where in (places, alone)
            )
            if several.shape != (half,) or not torch.allclose(several, same, rtol=1e-4, atol=1e-5, equal_nan=True):
                raise ValueError(
                    "privacy: a row's loss changes with the other rows of its batch; use layers, terms and corruptions "
                    "that treat rows one by one"
                )
