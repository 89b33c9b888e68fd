"""Rows that a code makes: how codes are drawn, and what is drawn besides where a decoder tells symbol after symbol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from azogue.applications import densities
from azogue.autoencoder import Autoencoder
from azogue.codes import Gaussian, Point
from azogue.modalities import EventsSchema
from azogue.recipe import Rng
from azogue.telling import AutoregressiveModule

#: What draws rows of a kind where nothing is said; "variational" for all others.
USUAL = {"table": "masked", "events": "recurrent"}


def chosen(method: str, kind: str) -> str:
    """The method for rows of a kind.

    Raises
    ------
    ValueError
        For a method that is not for such rows.
    """
    usual = USUAL.get(kind, "variational")
    method = usual if method == "auto" else method
    if method in USUAL.values() and method != usual:
        made_for = "tables" if method == "masked" else "sequences of events"
        raise ValueError(
            f"method: {method!r} is for {made_for}; use {usual!r} or 'adversarial' for these data, or say by modality= "
            "what they are"
        )
    if kind == "events" and method == "variational":
        raise ValueError("method: sequences of events are drawn by 'recurrent', which is variational")
    return method


def teller(autoencoder: Autoencoder) -> AutoregressiveModule | None:
    """What draws symbol after symbol; None where a code alone makes a row."""
    steps: Any = getattr(autoencoder.network_.decoder, "steps", [None])
    return steps[-1] if isinstance(steps[-1], AutoregressiveModule) else None


def mixed(autoencoder: Autoencoder, X: Any, components: Any, seed: int) -> dict[str, np.ndarray]:
    """How the codes of rows are spread, see `densities.fitted`.

    Nothing of private rows, of variational codes whose decoder draws symbols, nor where codes are of few values.
    """
    if components == 0 or autoencoder.privacy_ is not None:
        return {}
    if not isinstance(autoencoder.code_, Point if teller(autoencoder) is not None else (Gaussian, Point)):
        return {}
    return densities.fitted(autoencoder.encode(X), None if components == "auto" else int(components), seed)


def made(autoencoder: Autoencoder, mixture: Mapping[str, np.ndarray], n: int, seed: int) -> Any:
    """So many new rows, of codes from the mixture, or from the prior where there is none."""
    rng, schema, telling = np.random.default_rng(seed), autoencoder.schema_, teller(autoencoder)
    if telling is not None and isinstance(schema, EventsSchema):
        z = autoencoder.network_.code.draw(n, Rng(seed))
        if mixture:
            z = torch.from_numpy(densities.drawn(mixture, n, rng)).to(z)
        uniform = torch.from_numpy(rng.random((n, schema.length)))
        return schema.write(telling.draw(z, uniform).numpy())
    if mixture:
        return autoencoder.decode(densities.drawn(mixture, n, rng)) if n else autoencoder.decode(mixture["means"])[:0]
    return autoencoder.sample(max(n, 1), seed)[:n]
