"""Class-informed penalties: what is known of each row shapes the code, and is never an input.

Their rows bring a target, `step.target`: class numbers from 0 (int64) or values (floating). `Autoencoder.fit(X, y)`
passes it on. At inference nothing is known and nothing is asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from azogue.modules import initial_weights
from azogue.objectives.algebra import Pulled, Term

if TYPE_CHECKING:
    from azogue.network import Network
    from azogue.recipe import Rng, Step

#: Keeps ratios of a batch whose codes do not differ finite.
SMALL = 1e-6


@dataclass(frozen=True, repr=False)
class NeighborhoodComponents(Term):
    """How badly a row's neighbours in the code tell its target: what k nearest neighbours will be asked.

    Each row i of the batch chooses another row j with probability `p_ij ∝ exp(−‖z_i − z_j‖²/temperature)`. For classes
    the value is `−log Σ_j p_ij [y_j = y_i]`, minus the log of the probability of its own class, 0 where no other row of
    the batch has it; for values it is `(y_i − Σ_j p_ij y_j)²`, the squared error of a kernel regression. One value a
    row, (n,).

    Parameters
    ----------
    temperature : float
        In squared distance of codes; of bits, how many of them differ.

    References
    ----------
    Goldberger, Roweis, Hinton & Salakhutdinov (2005), Neighbourhood components analysis; Salakhutdinov & Hinton (2007),
    Learning a nonlinear embedding by preserving class neighbourhood structure, for the autoencoder as a regulariser;
    Weinberger & Tesauro (2007), Metric learning for kernel regression. NOTE[DIFF] rows choose within their batch, not
    among all rows.

    Examples
    --------
    >>> import azogue as az
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> near = az.objectives.NeighborhoodComponents()
    >>> az.Autoencoder(2, objective=near, epochs=5, random_state=0).fit(X, y).encode(X).shape
    (150, 2)
    """

    temperature: float = 1.0

    supervised: ClassVar[bool] = True
    mixing: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0.0 < self.temperature < float("inf"):
            raise ValueError(f"NeighborhoodComponents: temperature must be a positive number, got {self.temperature!r}")

    def __call__(self, step: Step) -> Tensor:
        near, y = _near(step.code.z, self.temperature), _target(step)
        if y.is_floating_point():
            return (y - near.exp() @ y).square()
        same, friends = _same(y)
        inside = near.masked_fill(~same & friends[:, None], -torch.inf)  # else NaN would come back through -inf
        return torch.where(friends, -inside.logsumexp(-1), 0.0)

    def gradient(self, step: Step, scale: float) -> Pulled:
        z, y = step.code.z, _target(step)
        near = _near(z, self.temperature)
        chance, rows = near.exp(), z.shape[-2]
        if y.is_floating_point():
            told = (chance @ y[..., None])[..., 0]
            missed = y - told
            value = missed.square()
            pull = 2 * missed[..., None] * chance * (y[..., None, :] - told[..., None])
        else:
            same, friends = _same(y)
            inside = near.masked_fill(~same, -torch.inf)
            own = torch.where(friends, inside.logsumexp(-1), 0.0)
            value = -own
            pull = torch.where(same, (near - own[..., None]).exp(), 0.0) - chance * friends[..., None]
        pull = pull + pull.mT  # a distance moves both of its ends
        by_z = pull.sum(-1, keepdim=True) * z - pull @ z
        return Pulled(value.mean(-1), {"z": by_z * (2 * scale / rows / self.temperature)})


def _near(z: Tensor, temperature: float) -> Tensor:
    """Logarithms of p_ij, (…, n, n): which other row each row of codes (…, n, size) would choose; −∞ for itself."""
    lengths = z.square().sum(-1)
    squares = (lengths[..., :, None] + lengths[..., None, :] - 2 * z @ z.mT).clamp(min=0.0)
    alone = torch.eye(z.shape[-2], dtype=torch.bool, device=z.device)
    if z.shape[-2] == 1:
        return torch.full_like(squares, -torch.inf)
    return (squares / -temperature).masked_fill(alone, -torch.inf).log_softmax(-1)


def _same(y: Tensor) -> tuple[Tensor, Tensor]:
    """Which pairs of different rows are of one class, (…, n, n), and which rows are in such a pair, (…, n)."""
    same = y[..., :, None] == y[..., None, :]
    same = same & ~torch.eye(y.shape[-1], dtype=torch.bool, device=y.device)
    return same, same.any(-1)


@dataclass(frozen=True, repr=False)
class FisherRatio(Term):
    """`1 / (1 + mean_j F_j)`, F_j the variance of code unit j between the classes over that within them: Scorer.

    A property of the batch, (), in (0, 1]; 1 where the classes' means are the same.

    References
    ----------
    Charte, Charte & Herrera (2021), Reducing data complexity using autoencoders with class-informed loss functions,
    IEEE TPAMI. NOTE[DIFF] theirs is for two classes and squares the difference of their means; here any number of
    classes counts by its rows in the batch, which for two equal ones is a quarter of their ratio.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from azogue.recipe import Code
    >>> z = torch.tensor([[-1.0], [1.0], [9.0], [11.0]])
    >>> FisherRatio()(SimpleNamespace(code=Code(z), target=torch.tensor([0, 0, 1, 1])))  # 1 / (1 + 100 / 4)
    tensor(0.0385)
    """

    supervised: ClassVar[bool] = True
    mixing: ClassVar[bool] = True

    def __call__(self, step: Step) -> Tensor:
        z, y = step.code.z, _classes(step, self)
        kinds = torch.nn.functional.one_hot(y).to(z.dtype)
        counts = kinds.sum(0)
        means = (kinds.T @ z) / counts.clamp(min=1.0)[:, None]
        between = (counts[:, None] * (means - z.mean(0)).square()).sum(0)
        within = (z - means[y]).square().sum(0)
        return 1 / (1 + (between / (within + SMALL)).mean())


@dataclass(frozen=True, repr=False)
class LeastSquaresSVM(Term):
    """`½ Σ_k ‖w_k‖² + ½ cost Σ_k (1 − t_k (w_k·z + b_k))²`: a least-squares support vector machine on the code: Slicer.

    One machine a class, t_k = 1 for the row's own class and −1 for others; w and b are trained along. One value a row.

    Parameters
    ----------
    classes : int
    cost : float
        What a squared margin error counts beside the norm of w.

    References
    ----------
    Charte, Sevillano-García, Lucena-González, Martín-Rodríguez, Charte & Herrera (2021), Slicer: feature learning for
    class separability with least-squares support vector machine loss and COVID-19 chest X-ray case study, HAIS;
    Suykens & Vandewalle (1999). NOTE[DIFF] theirs is for two classes; here one machine tells each class from the rest.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from azogue.recipe import Code
    >>> machines = {"weight": torch.tensor([[1.0], [-1.0]]), "bias": torch.zeros(2)}
    >>> model = SimpleNamespace(part=lambda term: machines)
    >>> step = SimpleNamespace(code=Code(torch.tensor([[1.0], [0.0]])), target=torch.tensor([0, 0]), model=model)
    >>> LeastSquaresSVM()(step)  # ½ · (1 + 1), and ½ · (1 + 1) more where no machine has a say
    tensor([1., 2.])
    """

    classes: int = 2
    cost: float = 1.0

    supervised: ClassVar[bool] = True
    name = "least_squares_svm"

    def __post_init__(self) -> None:
        if isinstance(self.classes, bool) or int(self.classes) < 2 or not self.cost > 0:
            raise ValueError(f"LeastSquaresSVM: needs at least 2 classes and a cost above 0, got {self!r}")

    def build(self, network: Network, rng: Rng) -> nn.Module:
        weight = initial_weights((self.classes, network.size), "linear", rng)
        return nn.ParameterDict({"weight": nn.Parameter(weight), "bias": nn.Parameter(torch.zeros(self.classes))})

    def __call__(self, step: Step) -> Tensor:
        z, y = step.code.z, _classes(step, self)
        if int(y.max()) >= self.classes or int(y.min()) < 0:
            raise ValueError(f"{self!r}: expected class numbers from 0 to {self.classes - 1}, got up to {int(y.max())}")
        machines = step.model.part(self)
        weight, bias = machines["weight"], machines["bias"]  # type: ignore[index]
        sides = 2 * torch.nn.functional.one_hot(y, self.classes).to(z.dtype) - 1
        missed = 1 - sides * (z @ weight.T + bias)
        rows: Tensor = 0.5 * weight.square().sum() + 0.5 * self.cost * missed.square().sum(1)
        return rows


def _target(step: Step) -> Tensor:
    if step.target is None:
        raise TypeError("a class-informed term needs step.target: fit(X, y)")
    return step.target.to(step.code.z.dtype) if step.target.is_floating_point() else step.target


def _classes(step: Step, term: Term) -> Tensor:
    y = _target(step)
    if y.is_floating_point():
        raise TypeError(f"{term!r} is for classes, numbered from 0; got values")
    return y
