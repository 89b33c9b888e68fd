"""The space of autoencoders that a search looks through: vectors ↔ genomes → estimators.

A genome is a dictionary of plain values that a JSON file can hold. A vector becomes a genome that makes sense: what
contradicts itself is repaired by rules stated at `Space.repaired`, so that no vector is refused.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from azogue.autoencoder import Autoencoder
from azogue.layers import ACTIVATIONS, HIDDEN, Bottleneck, Conv, Dense, Dropout, Input, Layer, Output, Stack
from azogue.objectives import NAMED, Contraction, HeadLoss
from azogue.search.genes import Choice, Gene, Range, narrowed
from azogue.session import Axes, as_code
from azogue.shortcuts import kinds

Genome = dict[str, Any]

#: The kinds of the paper (Charte et al. 2020).
PAPER = ("basic", "denoising", "contractive", "robust", "sparse", "variational")
#: Those and what starts at principal components.
KINDS = (*PAPER, "principal")
#: Hidden layers of a half, at most.
DEPTH = 3
#: Units of a hidden layer: so many times the width, and what wider tables do not exceed.
WIDER, WIDEST = 16, 512
#: Outputs and losses for values in [0, 1], which other scalings than min-max do not give.
BOUNDED = ("sigmoid", "hard_sigmoid", "tanh", "softsign")
UNIT_LOSSES = ("bce", "binary_crossentropy")
#: Genes of which each hidden layer has its own.
LAYERED = ("units", "activation")


@dataclass(frozen=True)
class Space:
    """The genes of a search, for rows of one shape.

    Parameters
    ----------
    genes : tuple of (str, gene)
        Name and values of each: `Choice` or `Range`. A gene with one value is fixed, and no part of a vector.
    shape : tuple of int
        Of a packed row, `(width,)` for tables.
    base : Autoencoder
        Unfitted: what all candidates have in common (epochs, batch size, scaling, …).

    Examples
    --------
    >>> from azogue.search import Space
    >>> space = Space.of((10,), {"kind": ("basic",), "activation": ("tanh", "relu"), "code": (2, 4), "layers": 1})
    >>> genome = space.genome(space.vector({"units": (8,), "activations": ("tanh",), "code": 4}))
    >>> genome["kind"], genome["units"], genome["code"]
    ('basic', (8,), 4)
    >>> space.estimator(genome).network
    Input() + Dense(8, activation='tanh') + Bottleneck(4) + Output()
    """

    genes: tuple[tuple[str, Gene], ...]
    shape: tuple[int, ...]
    base: Autoencoder

    @classmethod
    def of(
        cls,
        shape: Sequence[int],
        given: Mapping[str, Any] | None = None,
        base: Autoencoder | None = None,
        *,
        unit: bool = True,
    ) -> Space:
        """The usual space for rows of a shape, narrowed or extended by plain values.

        Parameters
        ----------
        shape : tuple of int
            Of a packed row.
        given : mapping of str to values, optional
            Gene → its values; see `genes.narrowed`. `units` and `activation` are those of all hidden layers.
        base : Autoencoder, optional
            What all candidates share. A variant fixes the kind, its objective the loss.
        unit : bool
            Whether values can be brought to [0, 1], where a logistic output and cross-entropy make sense.

        Raises
        ------
        ValueError, TypeError
            For genes that do not exist, or values that these cannot have.
        """
        base = Autoencoder() if base is None else base
        shape, given = tuple(int(size) for size in shape), dict(given or {})
        usual = _usual(shape, base, unit)
        if unknown := [name for name in given if name not in usual]:
            raise ValueError(f"space: there is no gene {unknown[0]!r}; there are {', '.join(usual)}")
        if type(base) is not Autoencoder and "kind" in given:
            raise ValueError(f"space: autoencoder={base!r} fixes the kind; give one or the other")
        found = {name: narrowed(name, gene, given[name]) if name in given else gene for name, gene in usual.items()}
        for name, gene in found.items():
            _check(name, gene, base)
        return cls(tuple(_spread(found)), shape, base)

    @property
    def width(self) -> int:
        """Slots of a row."""
        return math.prod(self.shape)

    @property
    def free(self) -> list[tuple[str, Gene]]:
        """The genes of a vector, in its order: those that have several values."""
        return [(name, gene) for name, gene in self.genes if gene.bounds[0] < gene.bounds[1]]

    @property
    def bounds(self) -> np.ndarray:
        """Of a vector's numbers, (k, 2)."""
        return np.array([gene.bounds for _, gene in self.free], dtype=float).reshape(-1, 2)

    @property
    def whole(self) -> np.ndarray:
        """Which of a vector's numbers are whole, (k,)."""
        return np.array([gene.whole for _, gene in self.free], dtype=bool)

    def draw(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Vectors drawn evenly, (count, k)."""
        low, high = self.bounds.T
        even = rng.uniform(size=(count, len(low)))
        whole = np.minimum(np.floor(low + even * (high - low + 1)), high)
        return np.asarray(np.where(self.whole, whole, low + even * (high - low)))

    def genome(self, vector: Any) -> Genome:
        """Numbers (k,) → the genome that they stand for, repaired."""
        numbers = dict(zip([name for name, _ in self.free], map(float, vector), strict=True))
        return self.repaired({name: gene.value(numbers.get(name, gene.bounds[0])) for name, gene in self.genes})

    def vector(self, genome: Mapping[str, Any]) -> np.ndarray:
        """The numbers (k,) whose genome is the nearest to a given one."""
        values = dict(genome)
        for name in LAYERED:
            for at, value in enumerate(genome.get(_plural(name), ()), 1):
                values[f"{name}_{at}"] = value / self.width if name == "units" else value
        values["layers"] = len(genome.get("units", ()))
        return np.array([gene.place(values[name]) if name in values else gene.bounds[0] for name, gene in self.free])

    def repaired(self, raw: Mapping[str, Any]) -> Genome:
        """What genes say → a genome that makes sense.

        1. Hidden layers that are not there say nothing; units are sorted, the widest first, and are at least the code.
        2. A kind whose code or reconstruction is its own (variational, sparse, robust) keeps its code's activation and
           its loss.
        3. Cross-entropy has the logistic output that belongs to it; bounded outputs and cross-entropy are given up
           where the scaling does not bring values to [0, 1].
        4. Tied weights are given up where they cannot be: codes of several statistics, convolutions.
        5. A contracted encoder is not normalised, which would undo what the penalty asks of its weights.
        """
        axes = kinds()[raw["kind"]]().axes() if type(self.base) is Autoencoder else self.base.axes()
        if self.base.code is not None:
            axes = replace(axes, code=as_code(self.base.code))
        code = max(raw["code"], axes.code.least)
        convolved = bool(raw.get("convolution", False)) and raw["layers"] > 0
        depth = min(int(raw["layers"]), _halvings(self.shape)) if convolved else int(raw["layers"])
        numbers = range(1, depth + 1)
        widths = [max(math.floor(raw[f"units_{at}"] * self.width + 0.5), 1) for at in numbers]
        units = tuple(sorted((max(width, code) for width in widths), reverse=True))
        output, loss = raw["output"], raw["loss"]
        if type(axes.reconstruction) is not HeadLoss:
            loss = "auto"
        if self.base.scaling in ("standard", "robust"):
            output, loss = "auto" if output in BOUNDED else output, "mse" if loss in UNIT_LOSSES else loss
        activation = raw["code_activation"]
        if axes.code_activation != "linear":
            activation = axes.code_activation
        elif axes.code.signed or axes.code.width(code) != code:
            activation = "linear"
        found: Genome = {
            "kind": raw["kind"],
            "units": units,
            "activations": tuple(raw[f"activation_{at}"] for at in numbers),
            "code": code,
            "code_activation": activation,
            "output": "auto" if loss in UNIT_LOSSES else output,
            "loss": loss,
            "dropout": raw["dropout"] if depth else 0.0,
            "normalization": raw["normalization"] if depth and not _contracts(axes) else None,
            "tied": bool(raw["tied"]) and axes.code.width(code) == code and not convolved,
            "learning_rate": raw["learning_rate"],
        }
        if convolved:
            found |= {"units": (), "filters": tuple(raw["filters"] * 2 ** (at - 1) for at in numbers)}
        return found

    def estimator(self, genome: Mapping[str, Any], **parameters: Any) -> Autoencoder:
        """An unfitted autoencoder of a genome, through the constructors that anyone uses."""
        cls = kinds()[genome["kind"]] if type(self.base) is Autoencoder else type(self.base)
        settings = self.base.get_params(deep=False) | parameters
        if genome["loss"] != "auto":
            settings["objective"] = genome["loss"]
        settings |= {"network": self.network(genome), "learning_rate": genome["learning_rate"]}
        return cls(**settings)

    def network(self, genome: Mapping[str, Any]) -> Stack:
        """The layers of a genome."""
        norm, size = genome["normalization"], 3 if len(self.shape) == 3 else 5
        sizes = [("conv", n) for n in genome.get("filters", ())] + [("dense", n) for n in genome["units"]]
        hidden: list[Layer] = []
        for (what, n), act in zip(sizes, genome["activations"], strict=True):
            if what == "conv":
                hidden.append(Conv(n, size, act, stride=2, normalization=norm))
            else:
                hidden.append(Dense(n, act, normalization=norm))
            if genome["dropout"]:
                hidden.append(Dropout(genome["dropout"]))
        code = Bottleneck(genome["code"], genome["code_activation"])
        return Stack((Input(), *hidden, code, Output(genome["output"], tied=genome["tied"])))

    def complexity(self, genome: Mapping[str, Any], formula: str = "relative") -> float:
        """`(layers + 1) · code / width`; with `formula="paper"` `(layers + 1) · code` (Charte et al. 2020).

        Examples
        --------
        >>> space = Space.of((10,))
        >>> [space.complexity({"activations": ("relu",), "code": 4}, name) for name in ("relative", "paper")]
        [0.8, 8.0]
        """
        size = (len(genome["activations"]) + 1) * genome["code"]
        return float(size) if formula == "paper" else size / self.width

    def anchors(self) -> list[Genome]:
        """Candidates that a search begins with: as near as the space allows to what is known to work.

        With the largest code: principal components as the start, cut off at the values' ends where they have any; the
        same with a wide hidden layer, and with one that learns slowly, for tables of many columns and few rows; with
        cross-entropy; the network that the package takes by itself; components without ends. The last one is the
        package's network with half of the code.
        """
        genes = dict(self.genes)
        code, kind = genes["code"], genes["kind"]
        most, wide = int(max(code.value(end) for end in _ends(code))), min(4 * self.width, WIDEST)
        started = "principal" in getattr(kind, "values", ())
        plain = {"kind": "principal", "code_activation": "linear", "output": "auto", "loss": "auto", "tied": False}
        plain |= {"dropout": 0.0, "normalization": None, "convolution": False, "learning_rate": 1e-3, "code": most}
        usual = {**plain, "kind": "basic", "units": (wide, wide // 2), "activations": (HIDDEN, HIDDEN)}
        linear = {**plain, "units": (), "activations": (), "learning_rate": 1e-3 if started else 1e-2}
        still = {**linear, "learning_rate": 3e-4 if started else 1e-2}  # Adam's first steps would lead away again
        ends = {**still, "output": "hard_sigmoid"}
        bent = {**ends, "units": (min(WIDER * self.width, WIDEST),), "activations": (HIDDEN,)}
        slow = {**bent, "learning_rate": 1e-4 if started else 3e-3}
        raw = [ends, bent, slow, {**linear, "loss": "bce"}, usual, still, {**usual, "code": max(most // 2, 1)}]
        found = [self.genome(self.vector(genome)) for genome in raw]
        return [genome for at, genome in enumerate(found) if genome not in found[:at]]


def _usual(shape: tuple[int, ...], base: Autoencoder, unit: bool) -> dict[str, Gene]:
    """The genes where the user says nothing."""
    width = math.prod(shape)
    widest = max(min(WIDER, WIDEST / width), 0.5)
    own = [name for name, cls in kinds().items() if cls is type(base)]
    genes: dict[str, Gene] = {
        "kind": Choice(KINDS if type(base) is Autoencoder else tuple(own or ["basic"])),
        "layers": Range(0, DEPTH, whole=True),
        "units": Range(min(0.25, widest / 2), widest, log=True),
        "activation": Choice(tuple(ACTIVATIONS)),
        "code": Range(1, max(width // 2, 1), whole=True),
        "code_activation": Choice(tuple(ACTIVATIONS)),
        "output": Choice(("auto", "sigmoid", "hard_sigmoid") if unit else ("auto",)),
        "loss": Choice(("auto", "mae", "huber", *(("bce",) if unit else ())) if base.objective is None else ("auto",)),
        "dropout": Choice((0.0, 0.1, 0.2)),
        "normalization": Choice((None, "batch", "layer")),
        "tied": Choice((False, True)),
        "learning_rate": _rates(base),
    }
    if _halvings(shape):
        genes |= {"convolution": Choice((False, True)), "filters": Choice((16, 8, 32))}
    return genes


def _rates(base: Autoencoder) -> Gene:
    """The usual rates, or the one that the shared autoencoder asks for."""
    if base.learning_rate == Autoencoder().learning_rate:
        return Range(1e-4, 2e-2, log=True)
    if isinstance(base.learning_rate, bool) or not isinstance(base.learning_rate, (int, float)):
        raise ValueError(
            f"autoencoder: candidates have one learning rate each, got {base.learning_rate!r}; give a number, or leave "
            "it out"
        )
    return Choice((float(base.learning_rate),))


def _contracts(axes: Axes) -> bool:
    """Whether the encoder's Jacobian is penalised."""
    return any(isinstance(term, Contraction) for _, term in axes.penalties.terms)


def _halvings(shape: tuple[int, ...]) -> int:
    """How many convolutions of stride 2 positions allow; 0 for rows without positions."""
    return min(DEPTH, int(math.log2(max(min(shape[:-1]), 1))) - 1) if len(shape) > 1 else 0


def _spread(genes: Mapping[str, Gene]) -> list[tuple[str, Gene]]:
    """The genes by name, those of hidden layers once for each layer that there may be."""
    layers = genes["layers"]
    deepest = int(max(layers.value(bound) for bound in _ends(layers)))
    found: list[tuple[str, Gene]] = []
    for name, gene in genes.items():
        if name in LAYERED:
            found += [(f"{name}_{at}", gene) for at in range(1, deepest + 1)]
        else:
            found.append((name, gene))
    return found


def _ends(gene: Gene) -> list[float]:
    """Numbers of a gene among which its extreme values are."""
    return list(map(float, range(len(gene.values)))) if isinstance(gene, Choice) else list(gene.bounds)


def _plural(name: str) -> str:
    return "activations" if name == "activation" else name


def _check(name: str, gene: Gene, base: Autoencoder) -> None:
    """Refuse values that no autoencoder has."""
    if not isinstance(gene, Choice):
        return
    known: dict[str, Sequence[Any]] = {
        "kind": list(kinds()),
        "activation": list(ACTIVATIONS),
        "code_activation": list(ACTIVATIONS),
        "output": ["auto", *ACTIVATIONS],
        "loss": ["auto", *NAMED],
        "normalization": [None, "batch", "layer"],
        "tied": [False, True],
        "convolution": [False, True],
    }
    for value in gene.values:
        if name in known and (type(value) not in {type(item) for item in known[name]} or value not in known[name]):
            raise ValueError(f"space: {name!r} cannot be {value!r}; use some of {', '.join(map(repr, known[name]))}")
        if name == "dropout" and not (isinstance(value, (int, float)) and 0 <= value < 1):
            raise ValueError(f"space: 'dropout' must lie in [0, 1), got {value!r}")
        if name == "filters" and not (isinstance(value, int) and value >= 1):
            raise ValueError(f"space: 'filters' takes whole numbers of at least 1, got {value!r}")
    if name == "loss" and base.objective is not None and gene.values != ("auto",):
        raise ValueError(f"space: autoencoder={base!r} has an objective, which fixes the loss; give one or the other")
