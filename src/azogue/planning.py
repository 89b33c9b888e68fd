"""What training would do, told before it is done, and what a network consists of."""

from __future__ import annotations

import copy
import itertools
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from azogue.inference import calibration_rows
from azogue.layers import shapes
from azogue.recipe import Batch, Rng
from azogue.training.data import BLOCK
from azogue.training.state import start
from azogue.training.team import Team, member

if TYPE_CHECKING:
    from azogue.network import Network
    from azogue.session import Session

#: Copies of the parameters that training holds: weights, gradient, two moments, last finite and best weights.
_COPIES = 6


@dataclass(frozen=True)
class Plan:
    """The plan of a run; prints as a table.

    Parameters
    ----------
    rows, held_out, width : int
        Training rows, validation rows, slots of a packed row.
    columns : list of dict
        Each column's kind, scaling and slots.
    network, code, objective, corruption, backend, precision : str
    parameters : int
        Trained numbers.
    batch_size, steps, epochs : int
        Steps are an epoch's.
    seconds : float
        For all epochs, pretraining included, from a few timed steps; early stopping can only shorten it.
    memory : int
        Bytes at the peak, on top of what the process holds now and the caller's own table.
    privacy : str
        What the training would keep; empty where it is not private.
    """

    rows: int
    held_out: int
    width: int
    columns: list[dict[str, Any]]
    network: str
    code: str
    objective: str
    corruption: str
    backend: str
    precision: str
    parameters: int
    batch_size: int
    steps: int
    epochs: int
    seconds: float
    memory: int
    privacy: str = ""

    def __str__(self) -> str:
        lines = [
            f"rows        {self.rows:,} to train on, {self.held_out:,} held out, {self.width:,} values each",
            f"network     {self.network}",
            f"code        {self.code}",
            f"corruption  {self.corruption}",
            f"objective   {self.objective}",
            f"training    {self.backend}, {self.precision}, {self.parameters:,} parameters, "
            f"{self.epochs} × {self.steps} steps of {self.batch_size} rows",
            f"expected    at most {self.seconds:.1f} s and {self.memory / 2**20:.0f} MiB",
        ]
        lines += [f"privacy     {self.privacy}"] if self.privacy else []
        shown = self.columns[:20]
        lines += [
            f"  {c['name']!s:<20} {c['kind']:<12} {c['scaling'] or '':<10} {c['head'] or '':<12} {c['slots']} slots"
            for c in shown
        ]
        if len(self.columns) > len(shown):
            lines.append(f"  … and {len(self.columns) - len(shown)} more columns")
        return "\n".join(lines)


def make_plan(session: Session, budget: float = 0.3) -> Plan:
    """Time a few steps of a session on a copy of its network, for about `budget` seconds."""
    recipe, data = session.recipe, session.data
    steps = -(-len(data) // recipe.batch_size)
    # an epoch of each layer of a pretraining takes about as long as one of the whole network
    epochs = recipe.epochs + (0 if session.pretraining is None else session.pretraining.epochs)
    parameters = sum(p.numel() for p in session.network.parameters())
    return Plan(
        rows=len(data),
        held_out=0 if session.validation is None else len(session.validation),
        width=session.schema.width,
        columns=session.schema.describe(),
        network=repr(session.spec) if session.spec is not None else "a pair of modules",
        code=f"{session.network.size} units, {session.code!r}",
        objective=repr(recipe.objective),
        corruption=repr(recipe.corruption),
        backend=session.backend.name,
        precision=recipe.precision,
        parameters=parameters,
        batch_size=recipe.batch_size,
        steps=steps,
        epochs=recipe.epochs,
        seconds=epochs * _epoch_seconds(session, steps, budget),
        memory=_memory(session, parameters),
        privacy="" if recipe.privacy is None else repr(recipe.privacy),
    )


def _epoch_seconds(session: Session, steps: int, budget: float) -> float:
    """Median time of a step, times the steps, plus what an epoch does once."""
    recipe = session.recipe
    with member(Team(recipe.shards)):  # nobody else times at the same pace
        state, backend = start(copy.deepcopy(session.network), recipe), session.backend
    begun = time.perf_counter()
    rows = list(itertools.islice(backend.batches([session.data], recipe.batch_size, [Rng(recipe.seed)]), 64))
    gather = max(0.0, time.perf_counter() - begun) / len(rows) if len(rows) < 64 else 0.0
    times: list[float] = []
    deadline = time.perf_counter() + budget
    while len(times) < 8 or (time.perf_counter() < deadline and len(times) < 200):
        at = len(times) % len(rows)
        group = rows[at : at + backend.together]
        begun = time.perf_counter()
        for _ in backend.steps([state], 0, group, steps):
            pass
        times.append(max(0.0, time.perf_counter() - begun) / len(group))  # clocks may jump
    usual = sorted(times[3:])[len(times[3:]) // 2]
    once = 0.0
    if session.validation is not None:
        begun = time.perf_counter()
        backend.evaluate([state], [session.validation])
        once = max(0.0, time.perf_counter() - begun)
    begun = time.perf_counter()
    state.weights()
    return steps * (usual + gather) + once + 2 * max(0.0, time.perf_counter() - begun)


def _memory(session: Session, parameters: int) -> int:
    """Packed rows, copies of the parameters, and the values between layers of one step."""
    held = sum(
        tensor.element_size() * tensor.nelement()
        for batch in (session.data.batch, session.validation)
        if isinstance(batch, Batch)
        for tensor in (batch.x, batch.mask)
        if tensor is not None
    )
    units = _values(session) + 4 * session.schema.width
    rows = len(session.data)
    together = max(min(session.recipe.batch_size, rows), BLOCK, min(16 * BLOCK, len(session.validation or ())))
    profiled = len(calibration_rows(rows, session.schema.n_columns)) * session.schema.n_columns
    training = 4 * (_COPIES * parameters + 2 * units * together) + 8 * rows
    # each cell of the profile is a handful of float64
    return held + max(training, 4 * parameters + 36 * profiled)


def _values(session: Session) -> int:
    """Values between the layers of a row."""
    spec, schema = session.spec, session.schema
    if spec is None:
        return sum(p.shape[0] for p in session.network.parameters() if p.ndim > 1)
    there = list(shapes(spec.encoder, schema.shape))
    values = sum(math.prod(shape) for shape in (*there[1:], *shapes(spec.decoder, there[-1])))
    return spec.output.cascade * values


def describe(network: Network, title: str) -> str:
    """A network as text: a line a layer, with its parameters."""
    lines = [title]
    further = [(f"cascade{number}", chain) for number, chain in enumerate(network.further, 2)]
    for name, chain in (("encoder", network.encoder), ("decoder", network.decoder), *further):
        for number, layer in enumerate(getattr(chain, "steps", ())):
            count = sum(p.numel() for p in layer.parameters())
            kind = type(layer).__name__.strip("_").removesuffix("Module")
            lines.append(f"  {name}.{number:<3} {kind:<10} {layer.extra_repr():<34} {count:>12,}")
    total = sum(p.numel() for p in network.parameters())
    lines.append(f"  code of {network.size} by {network.code.spec!r}; {total:,} parameters")
    return "\n".join(lines)
