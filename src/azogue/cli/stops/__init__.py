"""The stops of the tour, a file for each kind of use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from azogue.cli.stops.coding import imagine, keep, reduce
from azogue.cli.stops.hiding import anonymise
from azogue.cli.stops.judging import detect
from azogue.cli.stops.looking import search
from azogue.cli.stops.perceiving import perceive
from azogue.cli.stops.restoring import denoise, impute
from azogue.cli.stops.sealing import encrypt
from azogue.cli.stops.searching import evolve
from azogue.cli.stops.shared import Stop
from azogue.cli.stops.synthesizing import synthesise

#: In order. A later use adds its function here.
STOPS: list[Callable[[Path], Stop]] = [
    *(reduce, detect, denoise, impute, anonymise, encrypt, search, synthesise),
    *(imagine, perceive, evolve, keep),
]
