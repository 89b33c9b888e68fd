"""What a fitted detector says of a row, as one torch module: for programs without Azogue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from azogue.applications import ensembles
from azogue.applications.judging import LEAST
from azogue.exporting import Outward, Port, preparation_of
from azogue.exporting.networks import still
from azogue.objectives.reconstruction import Reconstruction
from azogue.recipe import Batch
from azogue.training.autograd import forward

if TYPE_CHECKING:
    from azogue.applications.anomaly import AnomalyDetector


class Scoring(Outward):
    """Rows → `anomaly_score` and `is_anomaly`, as `anomaly_score(X)` and `predict(X) == -1`.

    Parameters
    ----------
    detector : AnomalyDetector
        Fitted, without `by`, and not on pictures.
    preparation : bool
        Must be True: a score leaves missing cells out, which packed rows do not tell.
    """

    scale: Tensor
    weights: Tensor
    known: Tensor
    spread: Tensor

    def __init__(self, detector: AnomalyDetector, preparation: bool) -> None:
        _check(detector, preparation)
        first = detector.autoencoder_
        made = preparation_of(first.schema_)
        super().__init__(made.inputs, (Port("anomaly_score", "float64"), Port("is_anomaly", "bool")))
        self.preparation, self.members = made, nn.ModuleList(still(member.network_) for member in detector.members_)
        self.terms = [member.recipe_.objective.reconstruction.terms for member in detector.members_]
        order = [column for head in first.schema_.heads for column in head.columns]
        alone = len(detector.members_) == 1
        scales = [ensembles.usual(member, alone)[order] for member in detector.members_]
        told = {"scale": np.stack(scales), "weights": ensembles.weights_of(first)[order]}
        memories = detector.memories_ or {"codes": np.empty(0), "spread": np.empty(0)}
        for name, values in {**told, "known": memories["codes"], "spread": memories["spread"]}.items():
            self.register_buffer(name, torch.tensor(np.asarray(values), dtype=torch.float64))
        self.parts = detector.parts_
        self.center, self.ratio = detector.center_.tolist(), (detector.spread_[0] / detector.spread_).tolist()
        self.middle, self.threshold = float(detector.middle_), -float(detector.offset_)

    def forward(self, *values: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs → scores (n,) and verdicts (n,)."""
        x, hidden = self.preparation.pack(*values)
        seen = ~hidden[:, self._network(0).first_slots]
        looks = [self._look(at, x, seen) for at in range(len(self.members))]
        logs = [torch.stack(found).clamp(min=LEAST).log().mean(0) for found in zip(*looks, strict=True)]
        centred = [(log - c) * r for log, c, r in zip(logs, self.center, self.ratio, strict=True)]
        score = (torch.stack(centred).mean(0) - self.middle).exp()
        score = torch.where(seen.any(1), score, torch.zeros_like(score))
        return score, score > self.threshold

    def _network(self, at: int) -> Any:
        return self.members[at]

    def _look(self, at: int, x: Tensor, seen: Tensor) -> list[Tensor]:
        """A member's error of each row (n,), and the distance of its code, as far as these count."""
        network = self._network(at)
        step = forward(network, Batch(x.to(next(network.parameters()).dtype), None))
        told = [weight * term.columns(step) for weight, term in self.terms[at] if isinstance(term, Reconstruction)]
        total: Tensor = sum(told[1:], start=told[0])
        cells = total.float().nan_to_num(nan=torch.inf, posinf=torch.inf).double() / self.scale[at]
        share = seen * self.weights
        error = torch.where(share > 0, cells, torch.zeros_like(cells)) * share
        error = error.sum(1) / share.sum(1).clamp(min=torch.finfo(torch.float64).tiny)
        values = {"errors": error}
        if "neighbors" in self.parts:
            values["neighbors"] = self._distance(step.code.z.double() / self.spread[at], self.known[at])
        return [values[part] for part in self.parts]

    def _distance(self, z: Tensor, known: Tensor) -> Tensor:
        """See `ensembles.distances`."""
        square = z.square().sum(1, keepdim=True) - 2 * z @ known.t() + known.square().sum(1)
        first = min(1, len(known) - 1)
        last = min(first + ensembles.NEAREST, len(known))
        near = square.topk(last, 1, largest=False).values[:, first:]
        return near.clamp(min=0.0).sqrt().mean(1)


def _check(detector: AnomalyDetector, preparation: bool) -> None:
    """Refuse what is not one graph."""
    if detector.by is not None:
        groups = ", ".join(map(repr, list(detector.detectors_)[:5]))
        raise ValueError(
            f"export: by={detector.by!r} makes one detector a group; export one of detectors_[…], which are {groups}"
        )
    if detector.local_:
        raise ValueError(
            "export: the score of pictures is a quantile of their blurred residuals, which is not exported; export the "
            "autoencoder with to_onnx(detector.autoencoder_), or its part='encoder'"
        )
    if not preparation:
        raise ValueError(
            "export: a score leaves missing cells out, which packed rows do not tell; leave preparation=True, or "
            "export the autoencoder_"
        )
