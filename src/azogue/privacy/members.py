"""Membership inference: was a row among those that the release was made from?"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from azogue.privacy.intervals import CONFIDENCE, Interval, Numbers, auc, quantile
from azogue.privacy.records import Attack, attack
from azogue.privacy.space import nearest, view

#: Neighbours that tell how dense released rows are around a place.
NEIGHBORS = 5
#: Parts of the others that may be taken for members.
ALARMS = 0.01, 0.1


def membership(
    members: Any, held_out: Any, released: Any = None, *, scores: Any = None, random_state: Any = 0
) -> Attack:
    r"""Are rows that a release was made from told apart from rows of the same kind that it was not?

    Scores, each higher for what looks like a member, with d the distance between standardised rows:

    - `−d(x, released)`, to the nearest released row;
    - `log d(x, reference) − log d(x, released)`: relative to rows that nothing was learned from;
    - the same of the mean logarithms of the distances to the 5 nearest, a ratio of densities;
    - minus the loss of a model, where `scores` are given.

    Half of the held-out rows are the reference, the other half is what members are told apart from. The best score
    counts, with an interval for the best of so many (Bonferroni).

    Parameters
    ----------
    members, held_out, released : table, windows or pictures with the same columns
        Held-out rows are from the population of the members. Without released rows only `scores` tell.
    scores : (array of float, array of float), optional
        A model's loss (or error, or energy) of each member and of each held-out row; lower is better known.
    random_state : int or numpy generator

    Returns
    -------
    Attack
        The AUC with a bootstrap interval; the control is .5, with the middle 95 % of the Mann-Whitney statistic's
        distribution. Details: the AUC of each score, and the true positive rate at false positive rates of .01 and .1
        of the best.

    Raises
    ------
    ValueError
        For released rows of other columns, fewer than 10 members or held-out rows, or neither rows nor scores.

    References
    ----------
    Yeom, Giacomelli, Fredrikson & Jha (2018), CSF (the loss). Chen, Yu, Zhang & Fritz (2020), GAN-Leaks, CCS (the
    nearest row). Van Breugel, Sun, Qian & van der Schaar (2023), AISTATS (the ratio of densities). Carlini et al.
    (2022), IEEE S&P (rates at few false alarms).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> members, others, fresh = rng.normal(size=(3, 200, 4))
    >>> membership(members, others, members + 0.1 * rng.normal(size=members.shape)).value > 0.9
    True
    >>> membership(members, others, fresh).leaks
    False
    """
    found, truth = _scores(members, held_out, released, scores, np.random.default_rng(random_state))
    strict = 1.0 - (1.0 - CONFIDENCE) / len(found)
    areas = {name: auc(truth[name], values, confidence=strict) for name, values in found.items()}
    best = max(areas, key=lambda name: areas[name].value)
    own, others = found[best][truth[best]], found[best][~truth[best]]
    half = quantile(CONFIDENCE) * np.sqrt((len(own) + len(others) + 1) / (12 * len(own) * len(others)))
    rates = {f"TPR at FPR {alarm:g}": _caught(own, others, alarm) for alarm in ALARMS}
    return attack(
        "membership",
        "was a row among those that the release was made from?",
        "AUC",
        areas[best],
        Interval(0.5, max(0.5 - half, 0.0), min(0.5 + half, 1.0)),
        f"rows behind the release are told from others with an AUC of {{value:.2f}} (chance: {{control:.2f}}), by "
        f"{best}; {rates['TPR at FPR 0.1']:.0%} of them are found where 10 % of the others are taken for them",
        **{name: area.value for name, area in areas.items()},
        **rates,
    )


def _scores(
    members: Any, held_out: Any, released: Any, losses: Any, rng: np.random.Generator
) -> tuple[dict[str, Numbers], dict[str, Any]]:
    """Each attacker's scores, and which of them are members'."""
    found: dict[str, Numbers] = {}
    truth: dict[str, Any] = {}
    if released is not None:
        own = _distances(members, held_out, released, rng)
        found |= own[0]
        truth |= dict.fromkeys(own[0], own[1])
    if losses is not None:
        a, b = (np.asarray(part, dtype=np.float64).ravel() for part in losses)
        if not len(a) or not len(b) or not (np.isfinite(a).all() and np.isfinite(b).all()):
            raise ValueError("membership: scores: expected finite losses of members and of held-out rows")
        found["the loss"] = -np.concatenate([a, b])
        truth["the loss"] = np.repeat([True, False], [len(a), len(b)])
    if not found:
        raise ValueError("membership: give released rows, or scores=(losses of members, losses of held-out rows)")
    return found, truth


def _distances(members: Any, held_out: Any, released: Any, rng: np.random.Generator) -> tuple[dict[str, Numbers], Any]:
    seen = view(members, released, held_out)
    if seen.common is None or seen.controls is None:
        raise ValueError(
            "membership: released rows have other columns than the members, so that no distance is defined; give "
            "scores= alone"
        )
    if len(seen.controls) < 2 * NEIGHBORS:
        raise ValueError(f"membership: expected at least {2 * NEIGHBORS} held-out rows, got {len(seen.controls)}")
    order = rng.permutation(len(seen.controls))
    reference, others = np.split(seen.controls[order], [len(order) // 2])
    asked = np.concatenate([seen.common, others])
    near, _ = nearest(asked, seen.z, NEIGHBORS)
    apart, _ = nearest(asked, reference, NEIGHBORS)
    tiny = 1e-6 * max(float(apart.mean()), 1e-9)
    logs, usual = (np.log(np.maximum(distances, tiny)) for distances in (near, apart))
    found = {
        "the nearest released row": -near[:, 0],
        "that relative to a reference": usual[:, 0] - logs[:, 0],
        "density": usual.mean(axis=1) - logs.mean(axis=1),
    }
    return found, np.arange(len(asked)) < len(seen.common)


def _caught(members: ArrayLike, others: ArrayLike, alarms: float) -> float:
    """The part of members above the scores that all but `alarms` of the others have."""
    values = np.asarray(others)
    return float((np.asarray(members) > np.quantile(values, 1.0 - alarms, method="higher")).mean())
