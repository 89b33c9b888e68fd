"""The objective of training: reconstruction + Σ weighted penalties."""

from azogue.objectives.algebra import Objective, Term, evaluate
from azogue.objectives.bits import Agreement, Balance, Decorrelation
from azogue.objectives.censoring import Censored, CensoredLoss, Informative
from azogue.objectives.distances import MAE, MSE, RMSE, Correntropy, Huber
from azogue.objectives.divergences import (
    KL,
    MMD,
    Adversary,
    AdversaryLoss,
    Commitment,
    TotalCorrelation,
    mmd,
)
from azogue.objectives.energies import ContrastiveDivergence, free_energy
from azogue.objectives.logarithms import LogError
from azogue.objectives.neighborhoods import Neighbors, affinities
from azogue.objectives.penalties import L1, Contraction, Sparsity, WeightDecay
from azogue.objectives.reconstruction import (
    BCE,
    CrossEntropy,
    HeadLoss,
    Likelihood,
    Poisson,
    Reconstruction,
)
from azogue.objectives.supervised import FisherRatio, LeastSquaresSVM, NeighborhoodComponents
from azogue.objectives.telling import SequenceAdversary, SequenceAdversaryLoss

__all__ = [
    "BCE",
    "KL",
    "L1",
    "MAE",
    "MMD",
    "MSE",
    "RMSE",
    "Adversary",
    "AdversaryLoss",
    "Agreement",
    "Balance",
    "Censored",
    "CensoredLoss",
    "Commitment",
    "Contraction",
    "ContrastiveDivergence",
    "Correntropy",
    "CrossEntropy",
    "Decorrelation",
    "FisherRatio",
    "HeadLoss",
    "Huber",
    "Informative",
    "LeastSquaresSVM",
    "Likelihood",
    "LogError",
    "NeighborhoodComponents",
    "Neighbors",
    "Objective",
    "Poisson",
    "Reconstruction",
    "SequenceAdversary",
    "SequenceAdversaryLoss",
    "Sparsity",
    "Term",
    "TotalCorrelation",
    "WeightDecay",
    "affinities",
    "as_objective",
    "evaluate",
    "free_energy",
    "mmd",
]

#: Names that `objective=` takes as text.
NAMED: dict[str, Term] = {
    "mse": MSE(),
    "mean_squared_error": MSE(),
    "mean_absolute_error": MAE(),
    "rmse": RMSE(),
    "mae": MAE(),
    "huber": Huber(),
    "correntropy": Correntropy(),
    "bce": BCE(),
    "binary_crossentropy": BCE(),
    "cross-entropy": CrossEntropy(),
    "categorical_crossentropy": CrossEntropy(),
    "poisson": Poisson(),
}
_DEFAULT = HeadLoss()


def as_objective(objective: object, default: Term | Objective = _DEFAULT) -> Objective:
    """Text, a term or a sum of terms → an objective that reconstructs.

    Penalties alone are added to the default reconstruction, which is each head's natural loss.

    Raises
    ------
    ValueError, TypeError
        For an unknown name, or anything that is no term.

    Examples
    --------
    >>> as_objective(0.1 * Sparsity())
    HeadLoss() + 0.1 * Sparsity()
    """
    if objective is None or objective == "auto":
        return default * 1.0
    if isinstance(objective, str):
        if objective not in NAMED:
            raise ValueError(f"objective: {objective!r} is unknown; use one of {', '.join(NAMED)}, or terms")
        return Objective(((1.0, NAMED[objective]),))
    if isinstance(objective, Term):
        objective = Objective(((1.0, objective),))
    if not isinstance(objective, Objective):
        raise TypeError(f"objective: expected a name or terms such as MSE() + 0.1 * Sparsity(), got {objective!r}")
    return objective if objective.reconstruction.terms else default * 1.0 + objective
