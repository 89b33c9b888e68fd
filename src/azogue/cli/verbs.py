"""Verbs that have files of their own, in the order in which help names them."""

from __future__ import annotations

from azogue.cli import evaluating, hashing, safekeeping, synthesizing

VERBS = (
    *(hashing.hash_, hashing.find),
    *(synthesizing.sample, evaluating.evaluate),
    *(safekeeping.encrypt, safekeeping.decrypt),
)
