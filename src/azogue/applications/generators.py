"""The networks that synthesis makes where it is given none."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from azogue.autoencoder import Autoencoder
from azogue.corruptions import Hiding
from azogue.layers import Autoregressive, Bottleneck, Dense, Input, LayerNorm, NetworkSpec, Output, Recurrent, Residual
from azogue.modalities import EventsSchema
from azogue.objectives import HeadLoss, SequenceAdversary
from azogue.optimizers import Adam, Cosine
from azogue.variants import AdversarialAutoencoder, VariationalAutoencoder

#: Steps of training for 10,000 rows and fewer, and rows below which the network is smaller and drops units out.
STEPS, FEW = 2400, 1000
#: Units of the recurrent layers that read and tell sequences of events, units of their code, and steps of training.
READS, TELLS, CODE, TOLD = 32, 96, 8, 2500
#: Weight of fooling the judge of sequences; more of it pulls the decoder away from what the rows say.
FOOLED = 0.01
#: Pictures and sequences of numbers that a training is shown in all, in 12 to 100 epochs.
SHOWN = 240_000


def masked(rows: int, **settings: Any) -> Autoencoder:
    """The network that tells hidden cells from the others.

    Parameters
    ----------
    rows : int
        That it trains on.
    settings : parameters of `Autoencoder`
    """
    few = rows < FEW
    width, rate = (128, 0.2) if few else (256, 0.0)
    size = int(np.clip(2 ** round(math.log2(max(rows, 1) / 32)), 16, 256))
    steps = STEPS * math.sqrt(max(rows, 10_000) / 10_000)
    body = () if settings.get("privacy") else (Residual(rate=rate), Residual(rate=rate), LayerNorm())
    hidden = (Dense(width), *body) if body else (Dense(width, "silu"), Dense(width, "silu"))
    return Autoencoder(
        NetworkSpec((*hidden, Bottleneck(width // 2)), (), Output()),
        corruption=Hiding(0.0, 1.0),
        epochs=max(1, round(steps * size / max(rows, 1))),
        batch_size="auto" if settings.get("privacy") else size,
        optimizer=Adam(clip=None if settings.get("privacy") else 1.0),
        learning_rate=Cosine(2e-3, warmup=0.05),
        weight_decay=1e-4,
        validation_fraction=0.0,
        patience=None,
        **settings,
    )


def latent(cls: Any, rows: int, **settings: Any) -> Autoencoder:
    """An autoencoder whose code has a prior."""
    made: Autoencoder = cls(
        (256, 128, 32),
        epochs=max(30, min(300, math.ceil(1_000_000 / max(rows, 1)))),
        batch_size=256,
        learning_rate=Cosine(1e-3, warmup=0.05),
        validation_fraction=0.0,
        patience=None,
        **settings,
    )
    return made


def pictured(cls: Any, rows: int, **settings: Any) -> Autoencoder:
    """An autoencoder of pictures or sequences of numbers whose code has a prior.

    Parameters
    ----------
    cls : type
        The variant.
    rows : int
        That it trains on.
    settings : parameters of `Autoencoder`
    """
    made: Autoencoder = cls(
        epochs=int(np.clip(SHOWN / max(rows, 1), 12, 100)),
        batch_size=_batch(rows),
        learning_rate=Cosine(2e-3, warmup=0.05),
        validation_fraction=0.0,
        patience=None,
        **settings,
    )
    return made


def _batch(rows: int) -> int:
    """Rows of a step: the power of two nearest to a part in 128, 16 to 128."""
    return int(np.clip(2 ** round(math.log2(max(rows, 1) / 128)), 16, 128))


def recurrent(schema: EventsSchema, rows: int, method: str, **settings: Any) -> Autoencoder:
    """The autoencoder of sequences of events: a recurrent encoder, and a decoder that tells symbol after symbol.

    Parameters
    ----------
    schema : EventsSchema
    rows : int
        That it trains on.
    method : {"recurrent", "adversarial"}
        A variational autoencoder; or one with two adversaries, of codes and of sequences.
    settings : parameters of `Autoencoder`
    """
    told = Autoregressive(TELLS if rows >= FEW else TELLS // 2, *schema.shape, rising=schema.rising)
    network = Input() + Recurrent(READS) + Bottleneck(CODE) + told
    if method == "adversarial":
        cls: Any = AdversarialAutoencoder
        settings |= {"adversary": 1.0, "objective": HeadLoss() + FOOLED * SequenceAdversary()}
    else:
        cls = VariationalAutoencoder
    size = _batch(rows)
    made: Autoencoder = cls(
        network,
        epochs=max(1, round(TOLD * size / max(rows, 1))),
        batch_size=size,
        optimizer=Adam(clip=1.0),
        learning_rate=Cosine(3e-3, warmup=0.05),
        validation_fraction=0.0,
        patience=None,
        **settings,
    )
    return made
