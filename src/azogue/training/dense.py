"""The back end for stacks of dense layers: gradients derived by hand, one flat buffer, many networks at once.

A step is: corrupt, encode, code, decode; each term's derivatives by what it reads; back through heads, decoder, code
and encoder; one move of the optimiser. Layers are those of `layerwise`, where the derivation stands. What is no layer
brings its derivative beside its formula: activations (`Activation.pull`), normalisations (`Norm.stage`), heads
(`Head.gradient` and `pull`), codes and dropout (`traced`), terms (`Term.gradient`). `supports` asks whether all parts
of a recipe do; no name of one is known here.

Parts see rows by features, (members, n, width): the transposed view of what lies feature by row in memory.
"""

from __future__ import annotations

from operator import is_
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from azogue.modules import DenseModule
from azogue.recipe import Batch, Rng, Rngs, Step
from azogue.training.data import BLOCK, batches, together
from azogue.training.flat import Flat, release
from azogue.training.layerwise import Pass
from azogue.training.state import Stepping, held_back

if TYPE_CHECKING:
    from collections.abc import Sequence

    from azogue.network import Network
    from azogue.objectives.algebra import Pulled
    from azogue.recipe import Recipe
    from azogue.training.data import Rows
    from azogue.training.loop import Run
    from azogue.training.state import State

Derivatives = dict[str, Tensor]


def supports(network: Network, recipe: Recipe) -> bool:
    """Whether every part of the network and the recipe states its derivative, on a processor, in one shard."""
    like = next(network.parameters())
    chains = [getattr(chain, "steps", ()) for chain in (network.encoder, network.decoder)]
    return (
        like.device.type == "cpu"
        and recipe.precision in ("float32", "float64")
        and recipe.shards == 1
        and all(parameter.requires_grad for parameter in network.parameters())
        and all(len(chain) and all(map(_dense, chain)) for chain in chains)
        and not network.further
        and network.code.spec.analytic
        and all(head.analytic for head in network.heads)
        and all(term.derives(network) and term.opponent is None for _, term in recipe.objective.terms)
    )


def _dense(module: Any) -> bool:
    part: Any = module.norm if isinstance(module, DenseModule) else module
    return part is None or hasattr(part, "traced") or (hasattr(part, "stage") and bool(part.analytic))


class Dense(Stepping):
    """Moves one or more networks of one shape, which share objective and batch size, by what their parts state."""

    name = "dense"
    batches = staticmethod(batches)

    def __init__(self) -> None:
        self._states: list[State] = []
        self._bound: Sequence[State] | None = None

    def step(self, states: Sequence[State], batch: Batch) -> dict[str, list[Tensor]]:
        """Move every member once; see `loop.Backend`."""
        with torch.inference_mode():
            self._bind(states)
            rngs = None
            if self._draws:
                rngs = Rngs([Rng(s.recipe.seed, epoch=s.epoch, step=s.step) for s in states])
            done = self._pass(batch)
            step, pull = self._forward(done, batch, self._corruptions, rngs, rngs)
            for gradient in self._loose:
                gradient.zero_()
            found = [term.gradient(step, weight) for weight, term in self._terms]
            self._backward(done, step, pull, found)
            self._move(states)
        return {self._player: [pulled.value for pulled in found]}

    def evaluate(self, states: Sequence[State], data: Sequence[Batch | Rows]) -> list[float]:
        """The mean of what is comparable between epochs, over rows: always with the same draws; see `held_back`."""
        recipe, rows = states[0].recipe, len(data[0])
        size = max(recipe.batch_size, BLOCK)  # terms over a batch mean the same as in training
        totals, shown = [0.0] * len(states), [held_back(state.network, state.recipe) for state in states]
        with torch.inference_mode():
            self._bind(states)
            for number, start in enumerate(range(0, rows, size)):
                batch = together([part.take(slice(start, start + size)) for part in data])
                fixed = Rngs([Rng(state.recipe.seed, shard=number) for state in states])
                step, _ = self._forward(self._pass(batch), batch, shown, None, fixed)
                found = [(weight, term.mean(step, weight)) for weight, term in recipe.objective.judged.terms]
                for member, value in enumerate(_sum(found).tolist()):
                    totals[member] += value * batch.x.shape[1]
        return [total / rows for total in totals]

    def open(self, runs: Sequence[Run]) -> None:
        """There is nobody to agree with."""

    def close(self, states: Sequence[State]) -> None:
        """Give the members' parameters memory of their own again."""
        release(states)
        self._states, self._bound = [], None

    def _bind(self, states: Sequence[State]) -> None:
        """Make the members' parameters views of one buffer, unless they are."""
        if states is self._bound or (len(states) == len(self._states) and all(map(is_, states, self._states))):
            return
        with torch.inference_mode(False):
            self._settle(states)

    def _settle(self, states: Sequence[State]) -> None:
        """What steps would ask for each time."""
        self._states, self._bound, self._passes = list(states), states, dict[int, Pass]()
        self._flat = flat = Flat(states)
        network, recipes = states[0].network, [state.recipe for state in states]
        self._terms, self._player = recipes[0].objective.terms, next(iter(states[0].players))
        self._corruptions = [recipe.corruption for recipe in recipes]
        self._model = model = flat.stacked(network)
        self._values = model.code.values()
        names = {id(parameter): name for name, parameter in model.named_parameters()}
        self._gradients = {key: flat.pair(name)[1] for key, name in names.items()}
        self._loose = [flat.pair(name)[1] for name in names.values() if not name.startswith(("encoder.", "decoder."))]
        self._reads_out = any(term.reads_out for _, term in self._terms)
        differs = any(_differs(module) for chain in (model.encoder, model.decoder) for module in chain.steps)
        draws = any(term.draws for _, term in self._terms)
        self._draws = any(self._corruptions) or differs or draws or not model.code.spec.transparent
        (players,) = zip(*(state.players.values() for state in states), strict=True)
        self._count = torch.stack([player.count for player in players])
        for player, count in zip(players, self._count, strict=True):
            player.count = count
        self._movers = self._ways(recipes)

    def _ways(self, recipes: Sequence[Recipe]) -> list[Mover]:
        """What moves members: one for all of them where they move alike."""
        ways = [(recipe.optimizer, recipe.schedule, recipe.weight_decay, recipe.epochs) for recipe in recipes]
        if all(way == ways[0] for way in ways) and ways[0][0].clip is None:
            return [Mover(recipes[0], self._flat, None, self._count[0])]
        return [Mover(recipe, self._flat, m, self._count[m]) for m, recipe in enumerate(recipes)]

    def _pass(self, batch: Batch) -> Pass:
        _, rows, width = batch.x.shape
        if rows not in self._passes:
            with torch.inference_mode(False):
                self._passes[rows] = Pass(self._model, self._flat, width, rows)
        return self._passes[rows]

    def _forward(
        self, done: Pass, batch: Batch, corruptions: Sequence[Any], rngs: Rngs | None, code_rngs: Rngs | None
    ) -> tuple[Step, Any]:
        """One pass: the step as terms see it, and how derivatives go back through the code."""
        model = self._model
        x, seen, mask = self._show(done, batch, corruptions, code_rngs)
        for layer in done.encoder:
            layer.forward(rngs)
        h, raw = done.rows.h, done.rows.raw
        code, pull = model.code.spec.traced(h, code_rngs, **self._values)
        if code.z is not h:
            done.rows.z.copy_(code.z)
        for layer in done.decoder:
            layer.forward(rngs)
        out = model.link(raw) if self._reads_out else raw
        step = Step(x, seen, mask, h, code, out, model, rngs, raw, batch.target)  # type: ignore[arg-type]
        return step, pull

    def _show(
        self, done: Pass, batch: Batch, corruptions: Sequence[Any], rngs: Rngs | None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Put rows into the buffers: what is to be reproduced, what the encoder sees of it, and what counts."""
        seen = done.rows.seen
        if rngs is None or not any(corruptions):
            seen.copy_(batch.x)
            return seen, seen, batch.mask
        shown, mask = corrupted(batch, corruptions, rngs, self._model)
        seen.copy_(shown)
        return done.rows.target.copy_(batch.x), seen, mask

    def _backward(self, done: Pass, step: Step, pull: Any, found: Sequence[Pulled]) -> None:
        by: Derivatives = {}
        for pulled in found:
            for name, derivative in pulled.by.items():
                by[name] = by[name] + derivative if name in by else derivative
        if "out" in by:
            raw = self._model.unlink(by.pop("out"), done.rows.raw, step.out)
            by["raw"] = by["raw"] + raw if "raw" in by else raw
        delta = done.by_raw(by.pop("raw"))
        for layer in reversed(done.decoder):
            delta = layer.backward(delta)
        direct = by.pop("h", None)
        back = done.by_h.rows(delta)
        by["z"] = by["z"] + back if "z" in by else back
        by_h = pull(by)
        delta = done.by_h(by_h if direct is None else by_h + direct)
        for layer in reversed(done.encoder):
            delta = layer.backward(delta)
        for pulled in found:
            for parameter, derivative in pulled.parameters:
                self._gradients[id(parameter)].add_(derivative)

    def _move(self, states: Sequence[State]) -> None:
        """One move of each member: of all at once where they move alike."""
        self._count.add_(1)
        for mover, state in zip(self._movers, states, strict=False):
            mover.move(state.progress)


class Mover:
    """Moves a member, or all of them where that is None, as a recipe says."""

    def __init__(self, recipe: Recipe, flat: Flat, member: int | None, count: Tensor) -> None:
        self.recipe, self.count = recipe, count
        self.parameters, self.gradients = flat.of(flat.parameters, member), flat.of(flat.gradients, member)
        self.memory = {slot: flat.of(buffer, member) for slot, buffer in flat.memory.items()}
        self.decayed = flat.of(flat.decayed, member)

    def move(self, progress: float) -> None:
        """One move of the optimiser; weight decay first, as it is decoupled."""
        recipe = self.recipe
        optimizer, rate, decay = recipe.optimizer, recipe.schedule(progress), recipe.weight_decay
        if optimizer.clip is not None:
            optimizer.limit(self.gradients)
        if decay:
            for parameters, decayed in zip(self.parameters, self.decayed, strict=True):
                parameters.mul_(1.0 - rate * decay * decayed)
        optimizer.move(self.parameters, self.gradients, self.memory, self.count, rate)


def corrupted(batch: Batch, corruptions: Sequence[Any], rngs: Rngs, model: Network) -> tuple[Tensor, Tensor | None]:
    """What the encoders of the members see of a batch, (members, n, width), and what counts, None where all does."""
    shown, counted = [], list[Any]()
    for member, (corruption, rng) in enumerate(zip(corruptions, rngs.members, strict=True)):
        x, mask = batch.x[member], None if batch.mask is None else batch.mask[member]
        if corruption is None:
            seen = x
        else:
            pair = None if batch.target is None else batch.target[member]
            seen, mask = corruption.show(x, mask, rng, model.columns, model.shape, pair)
        shown.append(seen)
        counted.append(mask)
    rows = shown[0][None] if len(shown) == 1 else torch.stack(shown)
    if all(mask is None for mask in counted):
        return rows, None
    everything = torch.ones_like(shown[0], dtype=torch.bool)
    return rows, torch.stack([everything if mask is None else mask for mask in counted])


def _differs(module: Any) -> bool:
    """Whether a layer does something else while training than at inference: it draws, or looks at the batch."""
    part: Any = module.norm if isinstance(module, DenseModule) else module
    return part is not None and bool(part.differs)


def _sum(found: Sequence[tuple[float, Tensor]]) -> Tensor:
    """The weighted sum of the terms' means, (members,)."""
    total = found[0][1] * found[0][0]
    for weight, mean in found[1:]:
        total = total + weight * mean
    return total
