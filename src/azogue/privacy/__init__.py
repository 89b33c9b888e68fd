"""Attacks and metrics with which pseudonymised, released and synthetic data are audited.

`audit` makes every attack that the data allow and returns a `PrivacyReport`. Each attack is a function of its own too,
and gives `Attack` records: a success with its interval, beside a control where the attacker cannot know.
"""

from __future__ import annotations

from azogue.privacy.attributes import attribute_inference
from azogue.privacy.auditing import audit
from azogue.privacy.intervals import Interval, auc, balanced_accuracy, bootstrap, r2, wilson
from azogue.privacy.likeness import Fidelity, column_shapes, fidelity, pair_trends
from azogue.privacy.members import membership
from azogue.privacy.metrics import KAnonymity, LDiversity, Quasi, k_anonymity, l_diversity, t_closeness
from azogue.privacy.pairs import reconstruction, reidentification
from azogue.privacy.picture import plot_tradeoff
from azogue.privacy.records import Attack
from azogue.privacy.report import PrivacyReport, Utility
from azogue.privacy.singling import linkability, singling_out

__all__ = [
    "Attack",
    "Fidelity",
    "Interval",
    "KAnonymity",
    "LDiversity",
    "PrivacyReport",
    "Quasi",
    "Utility",
    "attribute_inference",
    "auc",
    "audit",
    "balanced_accuracy",
    "bootstrap",
    "column_shapes",
    "fidelity",
    "k_anonymity",
    "l_diversity",
    "linkability",
    "membership",
    "pair_trends",
    "plot_tradeoff",
    "r2",
    "reconstruction",
    "reidentification",
    "singling_out",
    "t_closeness",
    "wilson",
]
