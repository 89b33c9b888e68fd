"""How vectors are proposed: each strategy asks for the fitness of vectors, many at a time, until the budget is spent.

A strategy is a function `(ask, space, rng, plan)`. `ask(vectors, share)` takes vectors (n, k) and gives their fitness
(n,), lower is better; `share`, parts of epochs and rows, is 1 where nothing is said. It ends a strategy by `Spent`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from azogue.search.genes import Choice
from azogue.search.space import Space

Vectors = NDArray[np.float64]
Share = tuple[float, float]

WHOLE: Share = (1.0, 1.0)
#: What a fitness that is not finite counts as where arithmetic is done with it.
WORST = 1e6
#: Vectors of one round of a random search, and of a bracket of successive halving.
ROUND, BRACKET = 16, 27
#: Candidates that an exhaustive search takes where time is the budget; those that evolution counts on there.
GRID = 200
#: The part of the budget that even draws have before evolution goes on from the best of them.
DRAWN = 0.25


class Spent(Exception):  # noqa: N818 (no error: how a strategy ends)
    """The budget is spent, or the space holds nothing new."""


class Ask(Protocol):
    """Vectors (n, k) → their fitness (n,); lower is better."""

    def __call__(self, vectors: Vectors, share: Share = WHOLE) -> Vectors:
        """See the module."""


@dataclass(frozen=True)
class Plan:
    """What a strategy knows beforehand.

    Parameters
    ----------
    budget : float or None
        Candidates that may be trained in full; None where time decides.
    anchors : ndarray, shape (m, k)
        Vectors to begin with.
    paper : bool
        Use the settings of Charte et al. (2020).
    used : callable or None
        The part of the time that is gone, where time decides.

    Examples
    --------
    >>> import numpy as np
    >>> Plan(400, np.empty((0, 3))).population(25), Plan(40, np.empty((0, 3))).population(25)
    (25, 6)
    """

    budget: float | None
    anchors: Vectors
    paper: bool = False
    used: Callable[[], float] | None = None

    def population(self, usual: int) -> int:
        """A population that leaves time for several generations: 6 to `usual`."""
        return usual if self.budget is None else int(min(max(self.budget // 8, 6), usual))


class _Asked:
    """Asks for a strategy, and remembers the best vector, and what went wrong.

    SciPy takes a ValueError or TypeError of what it calls for a fault of its caller; so these pass through it as the
    end of the strategy, see `plainly`.
    """

    def __init__(self, ask: Ask) -> None:
        self.ask, self.best, self.worth = ask, np.empty(0), np.inf
        self.fault: Exception | None = None

    def __call__(self, vectors: Vectors, share: Share = WHOLE) -> Vectors:
        try:
            fitness = self.ask(vectors, share)
        except (ValueError, TypeError) as fault:
            self.fault = fault
            raise Spent from fault
        at = int(np.argmin(fitness))
        if fitness[at] < self.worth:
            self.best, self.worth = vectors[at], float(fitness[at])
        return fitness

    @contextmanager
    def plainly(self) -> Iterator[None]:
        """Raise what went wrong as what it was."""
        try:
            yield
        except Spent:
            if self.fault is not None:
                raise self.fault from None
            raise


Strategy = Callable[[Ask, Space, np.random.Generator, Plan], None]


def random(ask: Ask, space: Space, rng: np.random.Generator, plan: Plan) -> None:
    """Draw evenly, which any other strategy has to beat (Bergstra & Bengio 2012, JMLR 13)."""
    if len(plan.anchors):
        ask(plan.anchors)
    while True:
        ask(space.draw(rng, ROUND))


def exhaustive(ask: Ask, space: Space, rng: np.random.Generator, plan: Plan) -> None:
    """Every point of the finest grid that the budget allows: one more level for one gene after the other.

    Points whose genomes are the same after repair, such as those that differ in layers that are not there, count once.
    """
    limit = GRID if plan.budget is None else max(int(plan.budget), 1)
    grid = _grid(space, limit)
    for factor in (2, 4, 8):  # points, of which repair leaves fewer
        finer = _grid(space, factor * limit)
        if len(finer) > limit:
            break
        grid = finer
    for start in range(0, len(grid), ROUND):
        ask(grid[start : start + ROUND])


def _grid(space: Space, limit: int) -> Vectors:
    """The finest grid of at most so many points, without those that stand for the genome of an earlier one."""
    genes = [gene for _, gene in space.free]
    levels = [1] * len(genes)
    grown = True
    while grown:
        grown = False
        for at in sorted(range(len(genes)), key=lambda at: _RANKS.get(space.free[at][0].rstrip("_123"), len(_RANKS))):
            finer = [level + (place == at) for place, level in enumerate(levels)]
            counts = [len(set(gene.grid(level))) for gene, level in zip(genes, finer, strict=True)]
            if np.prod(counts, dtype=float) <= limit and counts[at] > levels[at]:
                levels, grown = finer, True
    places = [sorted(set(gene.grid(level))) for gene, level in zip(genes, levels, strict=True)]
    points = np.stack(np.meshgrid(*places, indexing="ij"), -1).reshape(-1, len(genes)) if genes else np.empty((1, 0))
    firsts: dict[str, int] = {}
    for at, point in enumerate(points):
        firsts.setdefault(repr(space.genome(point)), at)
    return np.asarray(points[list(firsts.values())])


#: Which genes a grid gives a further level first.
_RANKS = {name: rank for rank, name in enumerate(("code", "layers", "activation", "learning_rate", "kind", "units"))}


def de(ask: Ask, space: Space, rng: np.random.Generator, plan: Plan) -> None:
    """Differential evolution by SciPy, whole numbers for choices, a generation at a time.

    The paper's settings: current-to-best, crossover .5, F .8, a population of 150 (Storn & Price 1997; Charte et al.
    2020). By default it goes from the best, F is drawn anew for each generation, and the population is small, the best
    of many draws: what was compared is in docs/search.md.
    """
    from scipy.optimize import differential_evolution

    size = 150 if plan.paper else plan.population(8)
    settings: dict[str, Any] = {"strategy": "best1bin", "mutation": (0.4, 0.9), "recombination": 0.5}
    if plan.paper:
        settings = {"strategy": "currenttobest1bin", "mutation": 0.8, "recombination": 0.5}
    asked = _Asked(ask)
    for start in _generations(asked, space, rng, plan, max(size, 5)):
        with asked.plainly(), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a population of equal vectors has converged
            differential_evolution(
                lambda x: asked(np.ascontiguousarray(x.T)),
                space.bounds,
                maxiter=10_000,
                tol=0.0,
                init=start,
                polish=False,
                updating="deferred",
                vectorized=True,
                integrality=space.whole,
                **settings,
                seed=np.random.default_rng(rng.integers(2**63)),
            )


def ga(ask: Ask, space: Space, rng: np.random.Generator, plan: Plan) -> None:
    """A genetic algorithm by pymoo: tournaments, crossover, mutation; the paper's population is 25."""
    GA, PM, SBX = _pymoo()[:3]
    size = 25 if plan.paper else plan.population(25)
    how = {"crossover": SBX(prob=0.9, eta=3), "mutation": PM(eta=3), "eliminate_duplicates": True}
    asked = _Asked(ask)
    for start in _generations(asked, space, rng, plan, size):
        with asked.plainly():
            _evolve(GA(pop_size=size, n_offsprings=size, sampling=start, **how), asked, space, rng)


def es(ask: Ask, space: Space, rng: np.random.Generator, plan: Plan) -> None:
    """An evolution strategy by pymoo, (4 + 4): mutation alone, of each gene with probability 1/16, the best stay.

    A choice has no near values: what mutates there is drawn anew.
    """
    GA, _, SBX = _pymoo()[:3]
    how = {
        "crossover": SBX(prob=0.0),  # NoCrossover would hand out parents to be changed
        "mutation": _mutation(space, 1 / 16, rng),
        "eliminate_duplicates": False,
    }
    asked = _Asked(ask)
    for start in _generations(asked, space, rng, plan, 4):
        with asked.plainly():
            _evolve(GA(pop_size=4, n_offsprings=4, sampling=start, **how), asked, space, rng)


def _evolve(algorithm: Any, ask: Ask, space: Space, rng: np.random.Generator) -> None:
    """Ask pymoo for a generation, tell it what it is worth."""
    Problem, Static, Evaluator, no_end = _pymoo()[3:]
    low, high = space.bounds.T
    problem = Problem(n_var=len(low), n_obj=1, xl=low, xu=high)
    algorithm.setup(problem, termination=no_end(), seed=int(rng.integers(2**31)), verbose=False)
    while algorithm.has_next():
        asked = algorithm.ask()
        if asked is None or not len(asked):
            break
        fitness = ask(np.asarray(asked.get("X"), dtype=float))
        Evaluator().eval(Static(problem, F=fitness[:, None]), asked)
        algorithm.tell(infills=asked)


def _mutation(space: Space, rate: float, rng: np.random.Generator) -> Any:
    """Polynomial mutation by pymoo of ranges, and even draws of choices, each gene with a probability."""
    from pymoo.core.mutation import Mutation

    choice = np.array([isinstance(gene, Choice) for _, gene in space.free])
    near = _pymoo()[1](prob_var=rate, eta=3)

    class Mixed(Mutation):  # type: ignore[misc]
        def _do(self, problem: Any, X: Vectors, **settings: Any) -> Vectors:
            moved = near._do(problem, X, **settings)
            anew = np.where(rng.uniform(size=X.shape) < rate, space.draw(rng, len(X)), X)
            return np.where(choice, anew, moved)

    return Mixed()


def _pymoo() -> tuple[Any, ...]:
    try:
        from pymoo.algorithms.soo.nonconvex.ga import GA
        from pymoo.core.evaluator import Evaluator
        from pymoo.core.problem import Problem
        from pymoo.core.termination import NoTermination
        from pymoo.operators.crossover.sbx import SBX
        from pymoo.operators.mutation.pm import PM
        from pymoo.problems.static import StaticProblem
    except ImportError as error:
        raise ImportError(
            "the strategies 'ga' and 'es' need pymoo: pip install \"azogue[search]\"; 'de' needs nothing more"
        ) from error
    return GA, PM, SBX, Problem, StaticProblem, Evaluator, NoTermination


def halving(ask: Ask, space: Space, rng: np.random.Generator, plan: Plan) -> None:
    """Successive halving: many candidates for a ninth of the epochs, a third of them for a third, a third for all.

    The first bracket is drawn evenly; of each further one, two thirds are children of the best so far (differential
    mutation), so that it goes on from what is known (Jamieson & Talwalkar 2016; Li et al. 2018, Hyperband, JMLR 18;
    Awad et al. 2021, DEHB).
    """
    size = BRACKET if plan.budget is None else int(min(max(3 * (plan.budget // 4), 9), BRACKET))
    vectors = space.draw(rng, size)
    vectors[: len(plan.anchors)] = plan.anchors[:size]
    known, worth = np.empty((0, vectors.shape[1])), np.empty(0)
    while True:
        fitness = np.full(len(vectors), np.inf)
        alive = np.arange(len(vectors))
        for epochs in (1 / 9, 1 / 3, 1.0):
            fitness[alive] = ask(vectors[alive], (epochs, 1.0))
            kept = max(len(alive) // 3, 1)
            if epochs < 1.0:
                alive = alive[np.argsort(fitness[alive], kind="stable")[:kept]]
        known, worth = np.concatenate([known, vectors[alive]]), np.concatenate([worth, fitness[alive]])
        best = known[np.argsort(worth, kind="stable")[:8]]
        vectors = space.draw(rng, size)
        children = np.arange(len(vectors)) % 3 > 0
        vectors[children] = _children(best, vectors[children], space, rng)


def _children(best: Vectors, others: Vectors, space: Space, rng: np.random.Generator) -> Vectors:
    """Vectors near the best: differences of two of them are added to a third, and a quarter of the genes drawn anew."""
    low, high = space.bounds.T
    first, second, third = (best[rng.integers(len(best), size=len(others))] for _ in range(3))
    moved = first + 0.5 * (second - third) + np.where(space.whole, 0.0, 0.05 * rng.normal(size=others.shape))
    mixed = np.where(rng.uniform(size=others.shape) < 0.25, others, np.clip(moved, low, high))
    return np.where(space.whole, np.floor(mixed + 0.5), mixed)


def _generations(asked: _Asked, space: Space, rng: np.random.Generator, plan: Plan, size: int) -> Iterator[Vectors]:
    """First generations: the best of anchors and draws; later ones, where a run has converged, draws beside the best.

    With the paper's settings the first one is drawn, as later ones are. Where time decides, draws take at most a part
    of it.
    """
    count = size if plan.paper else max(size, round(DRAWN * (plan.budget or GRID)))
    drawn = space.draw(rng, count)
    drawn[: len(plan.anchors)] = plan.anchors[:count]
    if count > size:
        with asked.plainly():
            fitness = np.empty(0)
            while len(fitness) < count and (len(fitness) < size or plan.used is None or plan.used() < DRAWN):
                fitness = np.concatenate([fitness, asked(drawn[len(fitness) : len(fitness) + ROUND])])
        drawn = drawn[np.argsort(fitness, kind="stable")[:size]]
    while True:
        yield drawn
        drawn = space.draw(rng, size)
        if not plan.paper and len(asked.best):
            drawn[0] = asked.best


STRATEGIES: dict[str, Strategy] = {
    "random": random,
    "exhaustive": exhaustive,
    "de": de,
    "ga": ga,
    "es": es,
    "halving": halving,
}
