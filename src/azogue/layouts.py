"""Layouts: places of rows on a map such that near rows lie near one another, every row free to go where it fits.

t-SNE of all rows at once. Attraction runs over a graph of nearest rows; repulsion, a sum over all pairs, is read off a
mesh on the plane: the rows become charges on a regular grid, one convolution by fast Fourier transforms gives their
potential, and its slope at each row the force. Nothing is drawn at random.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import scipy.fft
import scipy.sparse
import torch
from torch import Tensor

from azogue.objectives.neighborhoods import near_probabilities, reach_of

#: Steps with exaggerated attraction and by how much it is, steps without, and momentum in both.
EARLY, EXAGGERATION, LATE, MOMENTUM = 50, 12.0, 150, (0.5, 0.8)
#: Distance between nodes of the mesh where the kernel is 1 wide, and nodes across, at most: beyond, it is coarser.
SPACING, NODES = 0.7, 480
#: Rows up to which repulsion is summed over all pairs; rows whose distances to all others are formed at once.
PAIRS, BLOCK = 500, 512


def nearest(x: Tensor, rows: Tensor, count: int, *, others: bool = False) -> tuple[Tensor, Tensor]:
    """The nearest of the rows x (m, width) to each of other rows (n, width), the nearest first.

    Parameters
    ----------
    count : int
        How many.
    others : bool
        Whether `rows` are `x`, of which none is to be its own neighbour.

    Returns
    -------
    squares, places : Tensor, shape (n, count)
        Squared distances, and positions in x.

    Examples
    --------
    >>> squares, places = nearest(torch.tensor([[0.0], [1.0], [5.0]]), torch.tensor([[4.0]]), 2)
    >>> squares.tolist(), places.tolist()
    ([[1.0, 9.0]], [[2, 1]])
    """
    middle = x.mean(0)
    x, rows = x - middle, rows - middle
    lengths, found = x.square().sum(1), []
    for start in range(0, len(rows), BLOCK):
        part = rows[start : start + BLOCK]
        squares = torch.addmm(lengths + part.square().sum(1)[:, None], part, x.T, alpha=-2.0).clamp_(min=0.0)
        if others:
            squares[torch.arange(len(part)), torch.arange(start, start + len(part))] = math.inf
        found.append(squares.topk(count, largest=False))
    return torch.cat([part.values for part in found]), torch.cat([part.indices for part in found])


def neighbor_graph(x: Tensor, perplexity: float) -> scipy.sparse.csr_array:
    """P = (p(j | i) + p(i | j)) / 2n of all rows (n, width), at least two: symmetric, its sum 1."""
    count = len(x)
    perplexity, wide = reach_of(count - 1, perplexity)
    squares, places = nearest(x, x, wide, others=True)
    p = near_probabilities(squares, perplexity).numpy().astype(np.float32)
    bounds = np.arange(0, count * wide + 1, wide)
    one_way = scipy.sparse.csr_array((p.ravel(), places.numpy().ravel(), bounds), shape=(count, count))
    both = scipy.sparse.csr_array(one_way + one_way.T)
    both.sort_indices()
    both.data *= np.float32(0.5 / count)
    return both


def ends_of(graph: scipy.sparse.csr_array) -> tuple[np.ndarray, np.ndarray]:
    """The rows that each edge of a graph joins, told once for all steps."""
    return np.repeat(np.arange(graph.shape[0]), np.diff(graph.indptr)), graph.indices.astype(np.intp)


def attraction(graph: scipy.sparse.csr_array, ends: tuple[np.ndarray, np.ndarray], y: np.ndarray) -> np.ndarray:
    """Σⱼ P(i, j) (yᵢ − yⱼ)/(1 + ‖yᵢ − yⱼ‖²) of positions y (size, n): (size, n)."""
    apart = [way.take(ends[0]) - way.take(ends[1]) for way in y]
    squares = np.ones_like(apart[0])
    for way in apart:  # a line at a time: sums over a short first axis take five times as long
        squares += way * way
    pull = np.divide(graph.data, squares, out=squares)
    return np.stack([np.add.reduceat(pull * way, graph.indptr[:-1]) for way in apart])


def repulsion(y: np.ndarray) -> tuple[np.ndarray, float]:
    """What `Mesh` tells, from all pairs of positions (size, n), of any size: for few rows.

    Examples
    --------
    >>> force, total = repulsion(np.array([[0.0, 1.0]]))
    >>> force.tolist(), total
    ([[-0.25, 0.25]], 1.0)
    """
    near = 1.0 / (1.0 + sum((way[:, None] - way) ** 2 for way in y))
    np.fill_diagonal(near, 0.0)
    push = near * near
    return y * push.sum(1) - y @ push, float(near.sum(dtype=np.float64))


@dataclass
class Mesh:
    """The repulsion of t-SNE: `Σⱼ (yᵢ − yⱼ)/(1 + ‖yᵢ − yⱼ‖²)²`, and `Σᵢ≠ⱼ 1/(1 + ‖yᵢ − yⱼ‖²)`.

    The first is −½ the slope of the potential `φ(y) = Σⱼ 1/(1 + ‖y − yⱼ‖²)`, the second the sum of potentials at the
    rows without their own. Charges are spread, and the potential is read, by cubic B-splines whose smoothing is divided
    out of the kernel's transform, as in smooth particle-mesh Ewald sums; the grid is twice as wide as the rows, so that
    nothing comes around.

    References
    ----------
    Essmann, Perera, Berkowitz, Darden, Lee & Pedersen (1995), A smooth particle mesh Ewald method; Linderman, Rachh,
    Hoskins, Steinerberger & Kluger (2019), Fast interpolation-based t-SNE, Nature Methods 16, for the idea.

    Examples
    --------
    >>> force, total = Mesh(spacing=0.1)(np.array([[0.0, 1.0], [0.0, 0.0]]))
    >>> force[0].round(2).tolist(), round(total, 2)
    ([-0.25, 0.25], 1.0)
    """

    spacing: float = SPACING
    known: tuple[float, int] = field(default=(0.0, 0), init=False, repr=False)
    kernel: np.ndarray = field(default_factory=lambda: np.empty(0), init=False, repr=False)

    def __call__(self, y: np.ndarray) -> tuple[np.ndarray, float]:
        """Positions (2, n) → forces (2, n) and the sum over pairs."""
        low, high = y.min(1, keepdims=True), y.max(1, keepdims=True)
        wide = float((high - low).max())
        spacing = max(self.spacing, wide / NODES)
        size = 2 * 16 * -(-(int(wide / spacing) + 5) // 16)
        self._prepare(spacing, size)
        at = (y - low) / spacing + 1.0
        corner = at.astype(np.int64)
        (wx, wy), (sx, sy) = splines((at - corner).astype(np.float32))
        steps = np.arange(-1, 3)
        nodes = ((corner[0][:, None] + steps) * size)[:, :, None] + (corner[1][:, None] + steps)[:, None, :]
        nodes = nodes.reshape(len(nodes), 16)
        share = (wx[:, :, None] * wy[:, None, :]).reshape(nodes.shape)
        charge = np.bincount(nodes.ravel(), share.ravel(), size * size).astype(np.float32).reshape(size, size)
        potential = scipy.fft.irfft2(scipy.fft.rfft2(charge) * self.kernel, s=charge.shape).ravel()[nodes]
        lines = potential.reshape(-1, 4, 4)
        along = np.matmul(lines, wy[:, :, None])[:, :, 0]
        force = np.stack([(along * sx).sum(1), (np.matmul(lines, sy[:, :, None])[:, :, 0] * wx).sum(1)])
        return force * np.float32(-0.5 / spacing), float((along * wx).sum(dtype=np.float64)) - y.shape[1]

    def _prepare(self, spacing: float, size: int) -> None:
        if self.known == (spacing, size):
            return
        part = np.fft.fftfreq(size)
        squares = (part * size * spacing) ** 2
        smooth = ((2.0 + np.cos(2 * np.pi * part)) / 3.0) ** 2
        transform = scipy.fft.rfft2(1.0 / (1.0 + squares[:, None] + squares)).real
        self.kernel = (transform / (smooth[:, None] * smooth[: size // 2 + 1])).astype(np.float32)
        self.known = spacing, size


def splines(part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cubic B-splines at the nodes −1, 0, 1, 2 around the parts (…) of a step: values and slopes, (…, 4)."""
    rest, square, cube = 1 - part, part * part, part * part * part
    values = [rest**3 / 6, (3 * cube - 6 * square + 4) / 6, (1 + 3 * (part + square - cube)) / 6, cube / 6]
    slopes = [-rest * rest / 2, (3 * square - 4 * part) / 2, (1 + 2 * part - 3 * square) / 2, square / 2]
    return np.stack(values, -1), np.stack(slopes, -1)


def layout(x: Tensor, perplexity: float, size: int = 2) -> np.ndarray:
    """Places of rows (n, width), (n, size) of float32: t-SNE that starts from principal components.

    `KL(P ‖ Q)` between the graph of `neighbor_graph` and `Q(i, j) ∝ 1/(1 + ‖yᵢ − yⱼ‖²)` goes down by gradient steps
    with momentum and a gain for each number; at first P counts 12 times. The same rows give the same places. On the
    plane the time goes with n, otherwise with n².

    References
    ----------
    van der Maaten & Hinton (2008), Visualizing data using t-SNE, JMLR; Jacobs (1988), Neural Networks 1, for the gains;
    Kobak & Berens (2019), Nature Communications 10, for the start.

    Examples
    --------
    >>> import azogue as az
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> az.trustworthiness(X, layout(torch.from_numpy(X).float(), 20.0)) > 0.98
    True
    """
    y = components(x, size).T.astype(np.float32)
    count = y.shape[1]
    if count < 3 or not y.any():
        return np.ascontiguousarray(y.T)
    graph, pushed = neighbor_graph(x, perplexity), Mesh() if size == 2 and count > PAIRS else repulsion
    ends = ends_of(graph)
    moved, gains = np.zeros_like(y), np.ones_like(y)
    for step in range(EARLY + LATE):
        early = step < EARLY
        exaggeration = EXAGGERATION if early else 1.0
        push, total = pushed(y)
        slope = 4.0 * (exaggeration * attraction(graph, ends, y) - push / max(total, 1e-12))
        gains = np.where(slope * moved > 0.0, gains * 0.8, gains + 0.2).clip(0.01)
        rate = max(count / exaggeration, 50.0)
        moved = (MOMENTUM[0 if early else 1] * moved - rate * gains * slope).astype(np.float32)
        y = y + moved
        y = y - y.mean(1, keepdims=True)
    return np.ascontiguousarray(y.T)


def components(x: Tensor, size: int) -> np.ndarray:
    """The first principal components of rows (n, width), (n, size), the first of variance 1; of fixed signs."""
    centred = (x - x.mean(0)).double().numpy()
    _, directions = np.linalg.eigh(centred.T @ centred)
    directions = directions[:, ::-1][:, :size]
    largest = directions[np.abs(directions).argmax(0), np.arange(directions.shape[1])]
    scores = np.zeros((len(centred), size))
    scores[:, : directions.shape[1]] = centred @ (directions * np.where(largest < 0, -1.0, 1.0))
    return scores / max(float(scores[:, 0].std()), 1e-12)
