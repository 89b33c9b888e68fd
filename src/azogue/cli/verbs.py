"""Verbs that have files of their own, in the order in which help names them."""

from __future__ import annotations

from azogue.cli import evaluating, evolving, hashing, safekeeping, studying, synthesizing

VERBS = (
    evolving.evolve,
    *(hashing.hash_, hashing.find),
    *(synthesizing.sample, evaluating.evaluate),
    *(safekeeping.encrypt, safekeeping.decrypt),
    studying.studio,
)
