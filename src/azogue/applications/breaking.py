"""How ciphers are judged in the literature on neural cryptography, and how they are broken.

Scores (entropy, NPCR, UACI, key sensitivity) say how a cryptogram looks. Attacks say what somebody without the key
reads. A scheme may have perfect scores and no security at all: a cipher is judged by attacks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from azogue.privacy import maps

Numbers = NDArray[np.float64]
#: Scores of a random function of bytes: bits a byte, % of bytes that change, % by which they do.
IDEAL = {"entropy": 8.0, "npcr": 100 * (1 - 2**-8), "uaci": 100 * (2**8 + 1) / (3 * 2**8)}


@dataclass(frozen=True)
class Attack:
    """One attack on one scheme.

    Parameters
    ----------
    name, metric : str
    value : float
        Of what the attack recovers: R² of held-out records, or the part of symbols; 1 is everything.
    needs : str
        What the attacker has.
    """

    name: str
    metric: str
    value: float
    needs: str


@dataclass
class Audit:
    """What scores say of a scheme, and what attacks do to it.

    Parameters
    ----------
    scheme : str
    scores : dict of str to float
    attacks : dict of str to Attack
    control : dict of str to float
        The same of an age container with the same records: scores, and `known_plaintext`.
    """

    scheme: str
    scores: dict[str, float]
    attacks: dict[str, Attack]
    control: dict[str, float] = field(default_factory=dict)

    @property
    def best(self) -> Attack:
        """The attack that recovers most."""
        return max(self.attacks.values(), key=lambda one: one.value)

    @property
    def broken(self) -> bool:
        """Whether an attack reads more than nothing: above 0.05."""
        return self.best.value > 0.05

    def __str__(self) -> str:
        lines = [f"scheme {self.scheme!r}: NOT A SECURE CIPHER", "  how it looks:"]
        for name, value in self.scores.items():
            told = f"  (ideal {IDEAL[name]:.2f})" if name in IDEAL else ""
            told += f"  (age: {self.control[name]:.3g})" if name in self.control else ""
            lines.append(f"    {name.replace('_', ' '):<18} {value:9.4g}{told}")
        lines.append("  what an attacker reads:")
        lines += [
            f"    {one.name:<18} {one.metric} {one.value:6.3f}  with {one.needs}" for one in self.attacks.values()
        ]
        if "known_plaintext" in self.control:
            lines.append(f"    the same on an age container: R² {self.control['known_plaintext']:.3f}")
        return "\n".join(lines)


# -- scores ----------------------------------------------------------------------------------------------------------


def entropy(cryptogram: NDArray[np.uint8]) -> float:
    """Bits a byte, `−Σ p log₂ p` over the frequencies of the 256 bytes; at most 8."""
    p = np.bincount(cryptogram.reshape(-1), minlength=256) / max(cryptogram.size, 1)
    return float(-(p[p > 0] * np.log2(p[p > 0])).sum())


def npcr(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Number of pixels' change rate: % of bytes that differ (Wu, Noonan & Agaian 2011); 99.61 at random."""
    return float(100 * (a != b).mean())


def uaci(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Unified average changing intensity: mean difference in % of 255 (Wu, Noonan & Agaian 2011); 33.46 at random."""
    return float(100 * abs(a.astype(float) - b.astype(float)).mean() / 255)


def r2(truth: Numbers, guess: Numbers, middle: Numbers) -> float:
    """`1 − Σ‖x − x̂‖² / Σ‖x − c‖²`, with c what is told without a cryptogram."""
    rest = float(np.square(truth - middle).sum())
    return 1.0 - float(np.square(truth - guess).sum()) / rest if rest else 0.0


# -- attacks ---------------------------------------------------------------------------------------------------------


def features(cryptogram: NDArray[Any]) -> list[Numbers]:
    """Ways to look at cryptograms: as numbers, and bytes as bits, where an unknown XOR is a change of sign."""
    flat = cryptogram.reshape(len(cryptogram), -1)
    found = [flat.astype(np.float64)]
    if flat.dtype == np.uint8:
        found.append(np.unpackbits(flat, axis=1).astype(np.float64))
    return found


def known_plaintext(records: Numbers, cryptograms: NDArray[Any], known: int, rng: np.random.Generator) -> float:
    """R² of the other records, to somebody who has `known` pairs of records and cryptograms and no key.

    Parameters
    ----------
    records : ndarray, shape (n, d)
    cryptograms : ndarray, shape (n, ...)
    known : int
        At most half of the rows.
    rng : numpy generator

    Notes
    -----
    Ridge regression, plain and with a kernel (`privacy.maps`); the known pairs decide, and where none is clearly better
    than the mean, it is the mean.
    """
    order = rng.permutation(len(records))
    pairs, rest = order[: min(known, len(order) // 2)], order[min(known, len(order) // 2) :]
    x = records[pairs]
    tries, seen = {"mean": maps.mean(x, x)}, {"mean": x}
    for z in features(cryptograms):
        for way in (maps.ridge, maps.kernel):
            name = f"{way.__name__} of {z.shape[1]} numbers"
            tries[name], seen[name] = way(z[pairs], x), z[rest]
    best = maps.chosen(tries, x)
    guess = np.tile(x.mean(axis=0), (len(rest), 1)) if best == "mean" else tries[best].predict(seen[best])
    return r2(records[rest], guess, x.mean(axis=0))


def chosen_plaintext(records: Numbers, cryptograms: NDArray[Any], encrypt: Callable[[Numbers], NDArray[Any]]) -> float:
    """R² of records, to somebody who may have records of his own encrypted: the mean, and it with each cell moved.

    Their cryptograms give the derivative J of the cipher; `x̂ = x₀ + J⁺(z − z₀)`, shrunk a little.
    """
    middle, step = records.mean(axis=0), records.std(axis=0)
    moved = np.diag(np.where(step > 0, step, 1.0))
    plus, minus = (encrypt(middle + sign * moved).astype(np.float64) for sign in (1, -1))
    slope = ((plus - minus) / 2).reshape(len(moved), -1) / np.diag(moved)[:, None]
    z = cryptograms.astype(np.float64).reshape(len(cryptograms), -1)
    start = encrypt(middle[None]).astype(np.float64).reshape(1, -1)
    weighted = slope * step[:, None]
    inner = weighted.T @ weighted
    shrunk = inner + 1e-2 * np.trace(inner) / len(inner) * np.eye(len(inner)) + 1e-12 * np.eye(len(inner))
    guess = middle + ((z - start) @ np.linalg.solve(shrunk, weighted.T)) * step
    return r2(records, guess, middle)
