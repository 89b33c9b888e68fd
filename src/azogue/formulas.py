"""What compiled steps (`azogue.compiled`) are told: formulas by their numbers, networks by tables, and buffers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np

#: Activations. What has none of these numbers is computed by torch.
LINEAR, RELU, ELU, SELU, GELU, SILU, TANH, SIGMOID, SOFTPLUS, SOFTSIGN, HARD_SIGMOID = range(11)
#: Losses of a column's cells: in the units of x, or of logits.
SQUARED, ABSOLUTE, HUBER, BERNOULLI, CATEGORICAL = range(5)
OF_LOGITS = (BERNOULLI, CATEGORICAL)
#: Optimisers.
ADAM, SGD, RMSPROP = range(3)

#: Columns of the table of layers: where `[W | b]ᵀ` is in the parameters (of the first member, and from one member to
#: the next), its columns and units, its input's width, units with an activation, which one; where input, slopes and
#: the derivative by the input are in the work space; for tied layers 1 + where the bias is, and its members' step;
#: whether a tied layer added to the gradient before.
MATRIX, STEP, COLUMNS, UNITS, WIDTH, ACTIVE, KIND, INPUT, SLOPES, BACK, BIAS, BIAS_STEP, ADDS = range(13)
#: Columns of the table of heads: first slot, columns, slots of each, how many of these count, loss, link.
FIRST, COUNT, CELLS, OWN, LOSS, LINK = range(6)
#: Columns of the table of what moves members: decay of weights, three constants of the optimiser, clip or 0.
DECAY, ONE, TWO, THREE, CLIP = range(5)


class Tables(NamedTuple):
    """A network, its heads and its loss.

    Parameters
    ----------
    plan : array of int
        Where the target, the columns' shares, the rows' losses and three further numbers of each row are in `work`.
    layers, heads : arrays of int
        Rows of the tables above.
    details : array
        A number for each head's loss; the objective's weight for each unit of the columns' weights, and itself.
    blocks : array of int, shape (blocks, 2)
        Where blocks of parameters begin, and what a member takes of them.
    weights, firsts : arrays
        What columns count, and their first slots.
    work, spare : arrays, shape (threads, …)
        Space; gradients that are to be added to others, where layers are tied.
    parts : int
        How many parts a batch is cut into, whose gradients are added: 1 or 2.
    """

    plan: np.ndarray
    layers: np.ndarray
    heads: np.ndarray
    details: np.ndarray
    blocks: np.ndarray
    weights: np.ndarray
    firsts: np.ndarray
    work: np.ndarray
    spare: np.ndarray
    parts: int


class Buffers(NamedTuple):
    """What moves, and how.

    Parameters
    ----------
    hows : array
        Each member's row of the table of what moves it.
    counts : array, shape (members,)
        How often members moved before.
    parameters, first, second, decayed : arrays
        The flat buffers: what the optimiser remembers is first and second; where weight decay applies.
    gradients : array, shape (parts, …)
        Like them, for each part of a batch.
    """

    hows: np.ndarray
    counts: np.ndarray
    parameters: np.ndarray
    gradients: np.ndarray
    first: np.ndarray
    second: np.ndarray
    decayed: np.ndarray
