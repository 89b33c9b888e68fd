"""Verbs that have files of their own, in the order in which help names them."""

from __future__ import annotations

from azogue.cli import evaluating, evolving, exporting, hashing, mirroring, safekeeping, studying, synthesizing

#: Those that stand beside fit.
MIRRORING = (mirroring.encode, mirroring.decode, mirroring.reconstruct)
VERBS = (
    evolving.evolve,
    *(hashing.hash_, hashing.find),
    *(synthesizing.sample, evaluating.evaluate),
    *(safekeeping.encrypt, safekeeping.decrypt),
    *(exporting.export, exporting.info),
    studying.studio,
)
