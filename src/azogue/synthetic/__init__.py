"""Judging synthetic tables: how like real rows they are, what they are good for, and what they give away.

`evaluate_synthetic` makes every measure and every attack that three tables allow, and returns a `SyntheticReport`.
"""

from __future__ import annotations

from azogue.synthetic.evaluating import evaluate_synthetic
from azogue.synthetic.records import ColumnScore, PairScore, Score, SyntheticReport
from azogue.synthetic.rules import Broken

__all__ = ["Broken", "ColumnScore", "PairScore", "Score", "SyntheticReport", "evaluate_synthetic"]
