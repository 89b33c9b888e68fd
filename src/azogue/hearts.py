"""Electrocardiograms of people who do not exist: variety for denoisers that have met few hearts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: A wave: seconds from the R peak, standard deviation in seconds, height in mV or so.
Wave = tuple[float, float, float]
#: Seconds of a beat that a slower or faster heart stretches: what lies that far behind the R peak.
LATE = 0.1


def heartbeats(people: int = 60, seconds: float = 20.0, rate: int = 360, random_state: int = 0) -> list[Floats]:
    """One lead of the electrocardiograms of generated people, each with a heart of its own.

    A beat is a sum of waves `a · exp(−(t − c)²/2s²)` for P, Q, R, S and T, and each person's places c, widths s and
    heights a are drawn once: with and without P waves, narrow and broad complexes, upright and inverted ones. Beats
    follow one another at intervals of normal logarithm; breathing changes their size; some people have premature
    ventricular beats, broad ones of another form, among them.

    Parameters
    ----------
    people : int
    seconds : float
        Length of each signal.
    rate : int
        Samples a second.
    random_state : int

    Returns
    -------
    list of ndarray, shape (seconds · rate,)
        Of mean 0 and standard deviation 1.

    Raises
    ------
    ValueError
        For signals shorter than two seconds, or no people.

    References
    ----------
    McSharry, Clifford, Tarassenko & Smith (2003), A dynamical model for generating synthetic electrocardiogram
    signals, IEEE Trans. Biomed. Eng. 50. NOTE[DIFF] their waves are summed directly, and people differ in form.

    Examples
    --------
    >>> hearts = heartbeats(3, seconds=5)
    >>> len(hearts), hearts[0].shape
    (3, (1800,))
    """
    if people < 1 or not seconds >= 2.0 or rate < 1:
        raise ValueError(
            f"heartbeats: expected people from 1 and seconds from 2 on, got people={people!r}, seconds={seconds!r}, "
            f"rate={rate!r}"
        )
    return [_person(np.random.default_rng([random_state, at]), seconds, rate) for at in range(people)]


def _person(rng: np.random.Generator, seconds: float, rate: int) -> Floats:
    signal = np.zeros(int(seconds * rate))
    interval, spread = np.exp(rng.uniform(np.log(0.45), np.log(1.25))), rng.uniform(0.005, 0.12)
    usual, early = _usual(rng), _premature(rng)
    share, breath = rng.choice([0.0, 0.0, 0.1, 0.3]), rng.uniform(0.0, 0.15)
    at = rng.uniform(0.0, interval)
    while at < seconds + 0.6:
        waves = early if rng.random() < share else usual
        following = interval * np.exp(spread * rng.standard_normal())
        size, slower = 1.0 + breath * np.sin(1.05 * at), np.sqrt(min(following, 1.2) / interval)
        for place, width, height in waves:
            _add(signal, at + place * (slower if place > LATE else 1.0), width, size * height, rate)
        at += following
    return np.asarray((signal - signal.mean()) / signal.std())


def _add(signal: Floats, place: float, width: float, height: float, rate: int) -> None:
    """One wave, out to five standard deviations."""
    first = max(0, int((place - 5 * width) * rate))
    last = min(len(signal), int((place + 5 * width) * rate) + 1)
    if last > first:
        steps = (np.arange(first, last) / rate - place) / width
        signal[first:last] += height * np.exp(-0.5 * steps**2)


def _sign(rng: np.random.Generator, odds: float) -> float:
    return -1.0 if rng.random() < odds else 1.0


def _usual(rng: np.random.Generator) -> list[Wave]:
    """The waves of a person's usual beat."""
    draw: Any = rng.uniform
    broad, found = draw(0.6, 1.6), list[Wave]()
    if rng.random() < 0.85:
        found.append((-draw(0.12, 0.22), draw(0.012, 0.03), draw(0.03, 0.25) * _sign(rng, 0.25)))
    found.append((-draw(0.02, 0.045) * broad, draw(0.006, 0.014) * broad, -draw(0.0, 0.3)))
    found.append((0.0, draw(0.008, 0.016) * broad, draw(0.3, 1.6) * _sign(rng, 0.25)))
    found.append((draw(0.02, 0.05) * broad, draw(0.007, 0.018) * broad, -draw(0.0, 0.8)))
    if rng.random() < 0.2:
        found.append((draw(0.04, 0.08) * broad, draw(0.008, 0.02), draw(-0.3, 0.3)))
    return found + _recovery(rng, draw(0.03, 0.5) * _sign(rng, 0.25), 1.0)


def _premature(rng: np.random.Generator) -> list[Wave]:
    """The waves of a premature ventricular beat: broad, without P, its T the other way up."""
    draw: Any = rng.uniform
    broad = draw(1.8, 3.2)
    main = (-draw(0.0, 0.03) * broad, draw(0.012, 0.022) * broad, draw(0.5, 2.0) * _sign(rng, 0.5))
    after = (draw(0.02, 0.05) * broad, draw(0.012, 0.025) * broad, draw(-1.2, 0.6))
    return [main, after, *_recovery(rng, -np.sign(main[2]) * draw(0.1, 0.7), 1.3)]


def _recovery(rng: np.random.Generator, height: float, broad: float) -> list[Wave]:
    """ST segment and T wave, which falls faster than it rises."""
    draw: Any = rng.uniform
    place, width = draw(0.22, 0.38), draw(0.03, 0.07) * broad
    tail = (place + width * draw(0.5, 1.0), width * draw(0.5, 0.8), height * draw(0.0, 0.5))
    return [(place, width, height), tail, (draw(0.08, 0.18), draw(0.03, 0.06), draw(-0.1, 0.1))]
