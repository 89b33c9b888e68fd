"""The back end for stacks of dense layers whose whole step is one compiled function (`azogue.compiled`).

It is `Dense` with another step: parameters and what optimisers remember lie in the same buffers, and a run may go on
with either. It is chosen by capability: layers, heads, terms and optimisers give the number of their formula
(`formulas`), or leave the recipe to `Dense`.
"""

from __future__ import annotations

import math
import threading
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from azogue.activations import FORMULAS
from azogue.formulas import Buffers, Tables
from azogue.modules import DenseModule, TiedModule
from azogue.recipe import Batch, Rng, Rngs
from azogue.training.data import BLOCK, Chosen, batches, together
from azogue.training.dense import Dense, corrupted
from azogue.training.flat import ALIGNED, padded
from azogue.training.pair import Pair
from azogue.training.state import WATCHED, held_back
from azogue.training.threads import controller

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from azogue.network import Network
    from azogue.recipe import Recipe
    from azogue.training.data import Rows
    from azogue.training.flat import Flat
    from azogue.training.loop import Run
    from azogue.training.state import State


def installed() -> bool:
    """Whether the compiler is there."""
    return find_spec("numba") is not None


def supports(network: Network, recipe: Recipe) -> bool:
    """Whether every part has a compiled formula, and products are too small for torch to make up for the rest.

    Asked of what `Dense` supports.
    """
    (_, term), *more = recipe.objective.terms
    chain = [*network.encoder.steps, *network.decoder.steps]
    return (
        not more
        and network.code.spec.transparent
        and not list(network.code.parameters())
        and not len(network.parts)
        and all(isinstance(module, DenseModule) and _known(module) for module in chain)
        and all(term.compiled(head) is not None for head in network.heads)
        and recipe.optimizer.compiled is not None
        and 3 * recipe.batch_size * network.work <= MOST
    )


def _known(module: DenseModule) -> bool:
    return module.norm is None and (module.activation == "linear" or FORMULAS[module.activation].number > 0)


#: Rows that are judged at once.
HELD = 16 * BLOCK

#: Multiplications of a step from which torch's products are as fast.
MOST = 150_000_000

#: Multiplications of a step from which batches are cut into two parts, so that two threads may share them.
CUT = 2_000_000

#: A batch as compiled steps get it: what is to be reproduced, what the encoder sees if that differs, what counts.
Shown = tuple[Tensor, Tensor | None, Tensor | None]


class Native(Dense):
    """Moves one or more networks of one shape, many steps a call."""

    name = "native"
    together = WATCHED
    helped = False
    _alone: Alone | None = None
    _corrupts = False

    def __init__(self) -> None:
        super().__init__()
        self._pair = Pair(min(2, torch.get_num_threads()))  # asked here: the loop keeps torch to one

    def open(self, runs: Sequence[Run]) -> None:
        """Have products take one thread."""
        self._corrupts = any(run.recipe.corruption is not None for run in runs)
        self._alone = Alone()

    def close(self, states: Sequence[State]) -> None:
        super().close(states)
        self._pair.close()
        if self._alone is not None:
            self._alone.leave()

    def _settle(self, states: Sequence[State]) -> None:
        from azogue.compiled.steps import judge, steps

        super()._settle(states)
        self._compiled, self._judge = steps, judge
        recipes = [state.recipe for state in states]
        self._size = max(recipes[0].batch_size, BLOCK)
        parts = 2 if 3 * recipes[0].batch_size * self._model.work >= CUT else 1
        self._table = _tables(self._model, self._flat, recipes[0], self._size, parts, self._pair.most)
        self._counts = self._count.numpy()
        hows = np.array([_how(recipe) for recipe in recipes])
        memory = [self._flat.memory[slot].numpy() for slot in recipes[0].optimizer.memory]
        parameters = self._flat.parameters.numpy()
        gradients = np.zeros((parts, len(parameters)), parameters.dtype)
        first, second = (memory[0], memory[-1]) if memory else (parameters, parameters)
        self._kind: int = (recipes[0].optimizer.compiled or (0, ()))[0]
        self._buffers = Buffers(hows, self._counts, parameters, gradients, first, second, self._flat.decayed.numpy())

    def batches(self, members: Sequence[Rows], size: int, rngs: Sequence[Rng]) -> Iterator[Any]:
        """The batches of one epoch; `Chosen` where rows can be taken from where they lie."""
        held = members[0].batch
        if self._corrupts or not isinstance(held, Batch) or not _direct(members, held):
            yield from batches(members, size, rngs)
            return
        where = torch.stack([rows.places(rng) for rows, rng in zip(members, rngs, strict=True)])
        for start in range(0, where.shape[1], size):
            yield Chosen(held, where[:, start : start + size])

    def step(self, states: Sequence[State], batch: Batch) -> dict[str, list[Tensor]]:
        """Move every member once; see `loop.Backend`."""
        self._bind(states)
        rates = np.array([[state.recipe.schedule(state.progress) for state in states]])
        return self._moved(states, [self._given(states, batch)], rates)[0]

    def steps(
        self, states: Sequence[State], first: int, batches: Sequence[Batch], of: int
    ) -> Iterator[dict[str, list[Tensor]]]:
        """Move every member by one batch after the other, in one call; see `loop.Backend`."""
        self._bind(states)
        rates, given = _rates(states, range(first, first + len(batches)), of), []
        for number, batch in enumerate(batches, first):
            if any(self._corruptions) or number == first + len(batches) - 1:  # else nobody asks where a state is
                for state in states:
                    state.at(number, of)
            given.append(self._given(states, batch))
        yield from self._moved(states, given, rates)

    def evaluate(self, states: Sequence[State], data: Sequence[Batch | Rows]) -> list[float]:
        """The mean of what is comparable between epochs, over rows; see `Dense.evaluate`."""
        if any(held_back(state.network, state.recipe) for state in states):
            return super().evaluate(states, data)
        self._bind(states)
        totals, rows = np.zeros(len(states)), len(data[0])
        table = self._table
        for start in range(0, rows, HELD):
            batch = together([part.take(slice(start, start + HELD)) for part in data])
            x, where, _, mask = _joined([(batch.x, None, batch.mask)])
            told = np.empty((len(states), -(-x.shape[1] // self._size)))
            self._pair(told.size, self._judge, self._size, table, self._buffers.parameters, x, where, mask, told)
            totals += [math.fsum(blocks) for blocks in told]
        return [float(total) for total in totals * table.details[-1] / rows]

    def _given(self, states: Sequence[State], batch: Batch | Chosen) -> Shown | Chosen:
        if isinstance(batch, Chosen):
            return batch
        if not any(self._corruptions):
            return batch.x, None, batch.mask
        rngs = Rngs([Rng(s.recipe.seed, epoch=s.epoch, step=s.step) for s in states])
        with torch.inference_mode():
            return batch.x, *corrupted(batch, self._corruptions, rngs, self._model)

    def _moved(self, states: Sequence[State], given: Sequence[Any], rates: np.ndarray) -> list[dict[str, list[Tensor]]]:
        """Move by batches, all `Shown` or all `Chosen`, all of one size but the last."""
        told = torch.empty((self._table.parts, len(rates), len(states)), dtype=self._flat.parameters.dtype)
        with torch.inference_mode():
            rows = _picked(given) if isinstance(given[0], Chosen) else _joined(given)
        size = given[0].each if isinstance(given[0], Chosen) else given[0][0].shape[1]
        way = size, rates, self._kind, self._table, self._buffers
        self._pair(len(rates), self._compiled, *way, *rows, told.numpy())
        self._counts += len(rates)
        return [{self._player: [one]} for one in told.sum(0)]


def _rates(states: Sequence[State], steps: range, of: int) -> np.ndarray:
    """The learning rates of some steps of an epoch of so many, (steps, members); most members have the same."""
    groups: dict[Any, list[int]] = {}
    for member, state in enumerate(states):
        groups.setdefault((id(state.recipe.schedule), state.epoch, state.recipe.epochs), []).append(member)
    rates = np.empty((len(steps), len(states)))
    for (_, epoch, epochs), members in groups.items():
        schedule = states[members[0]].recipe.schedule
        rates[:, members] = [[schedule((epoch + step / of) / epochs)] for step in steps]
    return rates


#: What there is to be reproduced, (members or 1, rows, width); which of the rows each member takes one after the other,
#: (members or 1, n); what the encoder sees and what counts, like the first; empty where there is nothing to say.
Taken = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]

_NO_MASK = np.empty((0, 0, 0), np.bool_)


def _direct(members: Sequence[Rows], held: Batch) -> bool:
    """Whether rows of all members lie in one table, as compiled steps take them."""
    like, parts = held.x if members[0].like is None else members[0].like, [rows.batch for rows in members]
    return (
        all(isinstance(part, Batch) and part.x is held.x and part.mask is held.mask for part in parts)
        and held.neighbors is None
        and held.x.device.type == "cpu" == like.device.type
        and held.x.dtype == like.dtype
        and held.x.is_contiguous()
        and (held.mask is None or held.mask.is_contiguous())
    )


def _picked(given: Sequence[Chosen]) -> Taken:
    held = given[0].held
    rows, where = held.x[None].numpy(), np.concatenate([one.where.numpy() for one in given], 1)
    return rows, where, rows[:0], _NO_MASK if held.mask is None else held.mask[None].numpy()


def _joined(given: Sequence[Shown]) -> Taken:
    """Batches one behind the other."""
    x = [batch for batch, _, _ in given]
    seen, masks = ([batch[place] for batch in given] for place in (1, 2))
    if any(mask is not None for mask in masks):
        masks = [torch.ones_like(one, dtype=torch.bool) if m is None else m for one, m in zip(x, masks, strict=True)]
    rows = _behind(x)
    where = np.arange(rows.shape[1])[None]
    return rows, where, rows[:0] if seen[0] is None else _behind(seen), _NO_MASK if masks[0] is None else _behind(masks)


def _behind(parts: list[Any]) -> np.ndarray:
    return np.asarray((parts[0] if len(parts) == 1 else torch.cat(parts, 1)).contiguous())


def _how(recipe: Recipe) -> list[float]:
    """A member's row of the table of what moves it: decay of weights, the optimiser's constants, clip."""
    _, constants = recipe.optimizer.compiled or (0, (0.0, 0.0, 0.0))
    return [recipe.weight_decay, *constants, recipe.optimizer.clip or 0.0]


def _tables(model: Network, flat: Flat, recipe: Recipe, rows: int, parts: int, threads: int) -> Tables:
    """Lay out the work space for batches of so many rows, and describe layers and heads by numbers."""
    layers, used = _layers(model, flat, rows)
    width, columns = layers[0, 4], len(model.column_weights)
    plan = used + np.cumsum([0, width * rows, columns * rows, rows])
    dtype = flat.parameters.numpy().dtype
    work = np.zeros((threads, -(-(plan[-1] + 3 * rows) // ALIGNED) * ALIGNED), dtype)
    ((weight, term),) = recipe.objective.terms
    weights = model.column_weights.numpy().astype(dtype)
    heads, details = [], []
    for head in model.heads:
        loss, own, link, detail = term.compiled(head)
        heads.append([head.start, len(head.columns), head.cells[0], own, loss, link])
        details.append(detail)
    spare = np.empty((threads, int((layers[:, 2] * layers[:, 3]).max()) if layers[:, 12].any() else 0), dtype)
    table, numbers = np.array(heads), np.array([*details, weight / weights.sum(dtype=np.float64), weight])
    return Tables(plan, layers, table, numbers, flat.blocks(), weights, model.first_slots.numpy(), work, spare, parts)


def _layers(model: Network, flat: Flat, rows: int) -> tuple[np.ndarray, int]:
    """The table of layers, and the space that they take."""
    names = {id(module): name for name, module in model.named_modules()}
    chain = [*model.encoder.steps, *model.decoder.steps]
    tied = {id(module.source) for module in chain if isinstance(module, TiedModule)}
    table, used = [], 0
    for module in chain:
        own = not isinstance(module, TiedModule)
        units, width = module.bias.shape[-1], module.weight.shape[-1] if own else module.source.weight.shape[-2]
        columns, name = padded(width) if own else width, names[id(module)]
        at, step = flat.place(f"{name if own else names[id(module.source)]}.weight")
        bias = (0, 0) if own else flat.place(f"{name}.bias")
        active = units if module.active is None else module.active
        kind = 0 if module.activation == "linear" else FORMULAS[module.activation].number
        spots = used + np.cumsum([0, columns * rows, units * rows])
        used = int(spots[-1]) + width * rows
        adds = id(module) in tied
        tail = (bias[0] + (0 if own else 1), bias[1], adds)
        table.append([at, step, columns, units, width, active, kind, *spots.tolist(), *tail])
    units = table[-1][3]
    table.append([0, 0, 0, 0, 0, 0, 0, used, 0, used + units * rows, 0, 0, 0])
    return np.array(table, np.int64), used + 2 * units * rows


class Alone:
    """While any thread trains by compiled steps, BLAS takes one thread: the setting is the process's."""

    lock, count = threading.Lock(), 0
    before: Any = None

    def __init__(self) -> None:
        with Alone.lock:
            if not Alone.count:
                Alone.before = controller("blas").limit(limits=1)
            Alone.count += 1

    def leave(self) -> None:
        """Give the setting back, if nobody else wants it."""
        with Alone.lock:
            Alone.count -= 1
            if not Alone.count:
                Alone.before.restore_original_limits()
