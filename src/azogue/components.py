"""A start from principal components: before training, a network reconstructs about as well as PCA with its code's size.

Each layer hands on the scores of the components, in the part of its activation that is nearly a straight line; the
layer after it reads them back by ridge regression. Units of the last hidden layer that carry no score look in random
directions of the code, and the output adds what they tell of the rest, by ridge regression too: so a wide layer starts
with what bends, as kernel regression would have it (Rahimi & Recht 2007). Learning goes on from there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from azogue.activations import activate
from azogue.modules import DenseModule, DropoutModule, TiedModule
from azogue.recipe import Rng, Spec

if TYPE_CHECKING:
    from azogue.heads import Head
    from azogue.session import Session

#: Of each activation: where it is nearly straight, and how far three standard deviations of a score reach there.
STRAIGHT = {
    "linear": (0.0, 3.0),
    "relu": (3.0, 1.0),
    "elu": (3.0, 1.0),
    "selu": (3.0, 1.0),
    "gelu": (5.0, 1.0),
    "silu": (6.0, 1.0),
    "softplus": (6.0, 1.0),
    "tanh": (0.0, 0.25),
    "sigmoid": (0.0, 0.5),
    "softsign": (0.0, 0.1),
    "hard_sigmoid": (0.0, 1.0),
}
#: How far random directions reach into an activation, in standard deviations; the penalty of what they correct, in
#: parts of what a row's units vary: chosen on wine, breast cancer and diabetes (see docs/search.md).
BEND, STIFF = 2.0, 1.0
#: Slopes of bounded links at their middle.
LINK_SLOPES = {"sigmoid": 1 / 4, "hard_sigmoid": 1 / 6}
#: Rows that components are taken from, at most; the penalty of the regressions; how near to 0 and 1 links are undone.
ROWS, RIDGE, NEAR = 5_000, 1e-6, 0.02


@dataclass(frozen=True, repr=False)
class Components(Spec):
    """Put the principal components of the training rows into a session's network, in closed form.

    Networks that it says nothing about (convolutions, normalisation, modules of one's own, tied weights behind hidden
    layers) start as usual.

    Examples
    --------
    >>> import azogue as az
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> start = az.PrincipalAutoencoder((8, 2), learning_rate=1e-9, epochs=1, random_state=0).fit(X)
    >>> plain = az.Autoencoder((8, 2), learning_rate=1e-9, epochs=1, random_state=0).fit(X)
    >>> bool(start.evaluate(X)["mse"] < 0.1 < 0.9 < plain.evaluate(X)["mse"])
    True
    """

    def __call__(self, session: Session) -> list[Any]:
        """Set the network's weights; nothing is trained, so that there is no history."""
        network = session.network
        layers = [_dense(chain) for chain in (network.encoder, network.decoder)]
        if any(chain is None for chain in layers) or network.further or network.skips:
            return []
        (*before, code), behind = layers[0] or [], layers[1] or []
        tied = any(isinstance(module, TiedModule) for module in behind)
        if tied and (before or code.activation != "linear"):
            return []
        x, mean = _rows(session)
        _, sizes, directions = torch.linalg.svd(x - mean, full_matrices=False)
        rank = int((sizes > 1e-5 * sizes[0]).sum()) if len(sizes) else 0
        if not rank:
            return []
        scores = (x - mean) @ directions[:rank].T
        scores = scores / scores.std(0, correction=0)
        with torch.no_grad():
            if tied:
                _put_tied(code, behind[-1], directions, mean, session.schema.heads)
                return []
            h = x
            for layer in (*before, code):
                h = _hand_on(layer, h, scores[:, : min(layer.weight.shape[0], rank, _active(code, layer))])
            given = h
            for layer in behind[:-1]:
                given, h = h, _hand_on(layer, h, scores[:, : min(layer.weight.shape[0], h.shape[1], rank)])
            wanted = _undone(x, session.schema.heads)
            _regress(behind[-1], h, wanted)
            for layer in behind[-2:-1]:  # the last hidden one, if there is any
                bends = _bent(layer, h.shape[1], given, sizes, Rng(session.recipe.seed))
                _correct(behind[-1], h, bends, wanted)
        return []


def _dense(chain: Any) -> list[DenseModule] | None:
    """The dense layers of a chain, None where it has others or normalises."""
    found = [module for module in getattr(chain, "steps", ()) if not isinstance(module, DropoutModule)]
    plain = found and all(isinstance(module, DenseModule) and module.norm is None for module in found)
    return found if plain else None


def _active(code: DenseModule, layer: DenseModule) -> int:
    """Units of a layer that carry scores: of a code layer with further statistics those of the code alone."""
    return layer.weight.shape[0] if layer is not code or layer.active is None else layer.active


def _rows(session: Session) -> tuple[Tensor, Tensor]:
    """Training rows (n, width) in float64, missing cells at their column's mean, and the means."""
    count = len(session.data)
    at = torch.linspace(0, count - 1, min(count, ROWS), dtype=torch.float64).round().long()
    batch = session.data.take(at)
    x = batch.x.reshape(len(batch.x), -1).double().cpu()
    if batch.mask is None:
        return x, x.mean(0)
    seen = batch.mask.reshape(x.shape).cpu()
    mean = (x * seen).sum(0) / seen.sum(0).clamp(min=1)
    return torch.where(seen, x, mean), mean


def _hand_on(layer: DenseModule, h: Tensor, scores: Tensor) -> Tensor:
    """Set a layer so that its units carry scores; what they make, (n, units that carry)."""
    centre, reach = STRAIGHT.get(layer.activation, STRAIGHT["tanh"])
    wanted = centre + scores * (reach / 3.0)
    _regress(layer, h, wanted)
    kept = slice(0, scores.shape[1])
    raw = h @ layer.weight[kept, : h.shape[1]].T.double().cpu() + layer.bias[kept].double().cpu()
    return activate(layer.activation, raw)


def _regress(layer: DenseModule, h: Tensor, wanted: Tensor) -> None:
    """Weights by which the layer's first units make what is wanted of h (n, k), by ridge regression.

    What further units of the layer before make is passed over; further units of this layer keep their weights.
    """
    mean, middle = h.mean(0), wanted.mean(0)
    centred = h - mean
    u, s, vt = torch.linalg.svd(centred, full_matrices=False)
    strength = s / (s.square() + RIDGE * s[0].square().clamp(min=1e-30))
    weights = ((u * strength).T @ (wanted - middle)).T @ vt
    units, inputs = weights.shape
    like = layer.weight
    layer.weight[:units].zero_()
    layer.weight[:units, :inputs].copy_(weights.to(like.device, like.dtype))
    layer.bias[:units].copy_((middle - weights @ mean).to(like.device, like.dtype))


def _bent(layer: DenseModule, carrying: int, given: Tensor, sizes: Tensor, rng: Rng) -> Tensor:
    """Let the units that carry no score react to random directions of the code; what they make, (n, units).

    Components count by their size, so that rows which are near to one another stay so.
    """
    free, count = layer.weight.shape[0] - carrying, given.shape[1]
    if layer.activation == "linear" or not free:
        return given[:, :0]
    mean, spread = given.mean(0), given.std(0, correction=0).clamp(min=1e-12)
    part = sizes[:count] / sizes[:count].square().sum().sqrt()
    directions = rng.normal("bends", (free, count), given) * (BEND * part / spread)
    middle = (2.0 * rng.uniform("middles", (free,), given) - 1.0) * BEND - directions @ mean
    like = layer.weight
    like[carrying:].zero_()
    like[carrying:, :count].copy_(directions.to(like.device, like.dtype))
    layer.bias[carrying:].copy_(middle.to(like.device, like.dtype))
    return activate(layer.activation, given @ directions.T + middle)


def _correct(layer: DenseModule, h: Tensor, bends: Tensor, wanted: Tensor) -> None:
    """Have a layer make of the bent units what straight lines leave over, by ridge regression."""
    if not bends.shape[1]:
        return
    like, carrying = layer.weight, h.shape[1]
    left = wanted - h @ like[:, :carrying].T.double().cpu() - layer.bias.double().cpu()
    mean = bends.mean(0)
    centred = bends - mean
    penalty = STIFF * centred.square().sum(1).mean()
    if centred.shape[0] < centred.shape[1]:
        inner = centred @ centred.T
        inner.diagonal().add_(penalty)
        weights = torch.linalg.solve(inner, left).T @ centred
    else:
        inner = centred.T @ centred
        inner.diagonal().add_(penalty)
        weights = torch.linalg.solve(inner, centred.T @ left).T
    like[:, carrying : carrying + bends.shape[1]].copy_(weights.to(like.device, like.dtype))
    layer.bias.sub_((weights @ mean).to(like.device, like.dtype))


def _put_tied(code: DenseModule, back: DenseModule, directions: Tensor, mean: Tensor, heads: Any) -> None:
    """Orthonormal directions on the way in, whose transposes lead back, both as long as the link's slope asks for."""
    count = min(_active(code, code), len(directions))
    like, slopes = code.weight, {LINK_SLOPES.get(head.link_name, 1.0) for head in heads}
    along = directions[:count] * (slopes.pop() ** -0.5 if len(slopes) == 1 else 1.0)
    code.weight[:count].copy_(along.to(like.device, like.dtype))
    code.bias[:count].copy_(-(along @ mean).to(like.device, like.dtype))
    code.weight[count:].zero_()
    back.bias.copy_(_undone(mean[None], heads)[0].to(like.device, like.dtype))


def _undone(x: Tensor, heads: Any) -> Tensor:
    """What a decoder must put out for x (n, width), links undone where they can be."""
    return torch.cat([_before(head, x[:, head.slots]) for head in heads], 1)


def _before(head: Head, x: Tensor) -> Tensor:
    undo = {
        "sigmoid": lambda: torch.logit(x.clamp(NEAR, 1 - NEAR)),
        "hard_sigmoid": lambda: 6.0 * x - 3.0,
        "tanh": lambda: torch.atanh(x.clamp(NEAR - 1, 1 - NEAR)),
        "softmax": lambda: x.clamp(min=NEAR).log(),
        "exp": lambda: x.clamp(min=NEAR).log(),
    }
    return undo.get(head.link_name, lambda: x)()
