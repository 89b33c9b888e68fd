"""What a fitted detector says of a row, as one torch module: for programs without Azogue."""

from __future__ import annotations

from dataclasses import replace
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
        Fitted, without `by`, and not on pictures; `GroupScoring` has `by`.
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


class GroupScoring(Outward):
    """Rows and their groups → `anomaly_score` and `is_anomaly` by each group's detector.

    All detectors judge all rows, and each row takes what its own says; a group that was not there in `fit` gets NaN,
    and is no anomaly.

    Parameters
    ----------
    detector : AnomalyDetector
        Fitted, with `by` a column.
    preparation : bool
        As for `Scoring`.
    """

    def __init__(self, detector: AnomalyDetector, preparation: bool) -> None:
        names = list(detector.detectors_)
        if callable(detector.by):
            raise ValueError(_each("the function that tells groups apart stays here", names))
        parts = [Scoring(one, preparation) for one in detector.detectors_.values()]
        ports = [_merged(column, names) for column in zip(*(part.inputs for part in parts), strict=False)]
        if any(len(part.inputs) != len(ports) for part in parts):
            raise ValueError(_each("groups have values in different columns", names))
        taken = {port.name for port in ports}
        name = detector.by if isinstance(detector.by, str) and detector.by not in taken else "group"
        group = Port(name, "text", labels=tuple(names), note="the group as text; without a detector, the score is NaN")
        super().__init__((group, *ports), parts[0].outputs)
        self.parts = nn.ModuleList(parts)
        for at, part in enumerate(parts):
            for place, (own, port) in enumerate(zip(part.inputs, ports, strict=True)):
                if port.labels:
                    self.register_buffer(f"labels_{at}_{place}", _renumbered(own.labels, port.labels))

    def forward(self, *values: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs → scores (n,) and verdicts (n,)."""
        group, *rows = values
        score = torch.full_like(group, torch.nan, dtype=torch.float64)
        odd = torch.zeros_like(group, dtype=torch.bool)
        for at, part in enumerate(self.parts):
            inputs = [
                getattr(self, f"labels_{at}_{place}")[cells + 1] if port.labels else cells
                for place, (cells, port) in enumerate(zip(rows, self.inputs[1:], strict=True))
            ]
            own, verdict = part(*inputs)
            score, odd = torch.where(group == at, own, score), odd | ((group == at) & verdict)
        return score, odd


def _merged(ports: tuple[Port, ...], names: list[str]) -> Port:
    """The port that takes what those of all groups take: of texts, the categories of all."""
    first = ports[0]
    for other in ports[1:]:
        if (other.name, other.dtype, other.shape) != (first.name, first.dtype, first.shape):
            raise ValueError(_each(f"groups take {first.name!r} and {other.name!r} in different ways", names))
    return replace(first, labels=tuple(dict.fromkeys(label for port in ports for label in port.labels)))


def _renumbered(own: tuple[str, ...], all_of_them: tuple[str, ...]) -> Tensor:
    """Numbers of a group's categories, by those among all of them plus one: missing first, what is not known last."""
    known = {label: at for at, label in enumerate(own)}
    numbers = [known.get("", -1), *(known.get(label, len(own)) for label in all_of_them), len(own)]
    return torch.tensor(numbers, dtype=torch.int64)


def _each(why: str, names: list[str]) -> str:
    return f"export: {why}; export one of detectors_[…], which are {', '.join(map(repr, names[:5]))}"


def _check(detector: AnomalyDetector, preparation: bool) -> None:
    """Refuse what is not one graph."""
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
