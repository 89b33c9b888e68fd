"""A trained network as Keras 3 models.

The other direction needs no import: a pair of Keras models is given to an estimator as `network=`. Either way Keras has
to run on torch: set `KERAS_BACKEND=torch` before it is imported. Importing this module imports no Keras.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from torch import Tensor, nn

from azogue.codes import Gaussian, Point
from azogue.keras_module import KerasModule, copied, drawing, keras_on_torch
from azogue.layers import ACTIVATIONS
from azogue.modules import DenseModule, DropoutModule, Foreign, ResidualModule
from azogue.norms import BatchNormModule, LayerNormModule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from azogue.heads import Head
    from azogue.network import CodeLayer, Network


class KerasModels(NamedTuple):
    """What `to_keras` returns; the three share their layers.

    Parameters
    ----------
    encoder : keras.Model
        Scaled rows (n, width) → codes (n, size), as at inference.
    decoder : keras.Model
        Codes (n, size) → scaled values (n, width), after the heads' links.
    autoencoder : keras.Model
        One after the other.
    """

    encoder: Any
    decoder: Any
    autoencoder: Any


def to_keras(estimator: Any) -> KerasModels:
    """A fitted autoencoder's network as Keras models of their own, with copies of its weights.

    Their layers are Keras' own (Dense, Dropout, normalisation), so that they can be saved, inspected and trained on
    by Keras, except for codes and torch modules without a counterpart there: these become a `TorchModuleWrapper`,
    which Keras only loads again with `safe_mode=False`; a torch module stays at inference there. A network that was
    trained as a pair of Keras models comes back as copies of these. Rows go in and come out in scaled units, as
    `estimator.schema_.pack` makes them, in float32.

    Parameters
    ----------
    estimator : Autoencoder
        Fitted.

    Returns
    -------
    KerasModels
        `encoder`, `decoder` and `autoencoder`.

    Raises
    ------
    ImportError
        If Keras is not installed.
    ValueError
        If Keras does not run on torch.
    NotFittedError
        If the estimator is not fitted.

    Examples
    --------
    >>> import azogue as az
    >>> ae = az.Autoencoder(2).fit(X)  # doctest: +SKIP
    >>> encoder, decoder, autoencoder = ae.to_keras()  # doctest: +SKIP
    >>> z = encoder(ae.schema_.pack(X).x)  # doctest: +SKIP
    >>> autoencoder.save("autoencoder.keras")  # doctest: +SKIP
    """
    from sklearn.utils.validation import check_is_fitted

    check_is_fitted(estimator, "network_")
    network = estimator.network_
    if network.held != "all":
        raise ValueError(f"to_keras: this model was saved with its {network.held} alone; load the whole model")
    if network.skips:
        raise ValueError(
            "to_keras: its way back also sees the rows (skips or a cascade); its halves do not stand alone"
        )
    writer = _Writer(keras_on_torch(), network)
    with drawing(0):
        rows, codes = writer.input(estimator.schema_.width, "rows"), writer.input(network.size, "codes")
        encoder, decoder = writer.encoder(rows), writer.decoder(codes)
        return KerasModels(encoder, decoder, writer.model(rows, decoder(encoder(rows)), "autoencoder"))


class _Writer:
    """Writes a network down in Keras' layers."""

    def __init__(self, keras: Any, network: Network) -> None:
        self.keras, self.network = keras, network
        self.dtype = "float32"  # whatever Keras' global policy is

    def input(self, width: int, name: str) -> Any:
        return self.keras.Input((width,), dtype=self.dtype, name=name)

    def model(self, x: Any, y: Any, name: str) -> Any:
        model = self.keras.Model(x, y, name=name)
        model.dtype_policy = self.dtype
        return model

    def encoder(self, rows: Any) -> Any:
        code = self.network.code
        *before, last = self.network.encoder.steps
        point = isinstance(code.spec, Point)
        if point and isinstance(last, KerasModule):
            return _named(copied(last.model), "encoder")
        x = self._steps(before, rows, "encoder")
        x = self._step(last, x, "code" if point else "code_units", code.spec.width(code.size))
        return self.model(rows, x if point else self._code(code, x), "encoder")

    def decoder(self, codes: Any) -> Any:
        heads = self.network.heads
        *before, last = self.network.decoder.steps
        links = {head.link_name for head in heads} or {"linear"}
        link = links.pop() if len(links) == 1 else ""
        if link == "linear" and isinstance(last, KerasModule):
            return _named(copied(last.model), "decoder")
        x = self._steps(before, codes, "decoder")
        slots = heads[-1].stop if heads else 0
        if link in ACTIVATIONS and isinstance(last, DenseModule):
            x = self._dense(last, x, "output", link)
        elif link == "linear":
            x = self._step(last, x, "output", slots)
        else:
            x = self._links(heads, self._step(last, x, "output_units", slots))
        return self.model(codes, x, "decoder")

    def _steps(self, steps: Sequence[nn.Module], x: Any, name: str) -> Any:
        for number, step in enumerate(steps, 1):
            x = self._step(step, x, f"{name}_{number}", x.shape[1])
        return x

    def _step(self, step: nn.Module, x: Any, name: str, units: int) -> Any:
        layers = self.keras.layers
        if isinstance(step, DenseModule):
            return self._dense(step, x, name, step.activation)
        if isinstance(step, DropoutModule):
            return layers.Dropout(step.rate, name=name, dtype=self.dtype)(x)
        if isinstance(step, (BatchNormModule, LayerNormModule)):
            return self._norm(step, x, name)
        if isinstance(step, ResidualModule):
            change = self._dense(step.dense, self._norm(step.norm, x, f"{name}_norm"), name, step.dense.activation)
            return layers.Add(name=f"{name}_sum", dtype=self.dtype)([x, change])
        if isinstance(step, KerasModule):
            return _named(copied(step.model), name)(x)
        return self._wrapped(_Still(cast("Foreign", step).module), x, name, units)

    def _dense(self, step: DenseModule, x: Any, name: str, activation: str) -> Any:
        layers, plain = self.keras.layers, step.norm is None and step.active is None
        dense = layers.Dense(len(step.bias), activation if plain else None, name=name, dtype=self.dtype)
        x = dense(x)
        _fill(dense, (step.weight.t(), step.bias))
        if step.norm is not None:
            x = self._norm(step.norm, x, f"{name}_norm")
        if plain or activation == "linear":
            return x
        if step.active is None:
            return self._activated(x, activation, f"{name}_activation")
        active = self._activated(x[:, : step.active], activation, f"{name}_activation")
        return layers.Concatenate(name=f"{name}_statistics", dtype=self.dtype)([active, x[:, step.active :]])

    def _norm(self, norm: nn.Module, x: Any, name: str) -> Any:
        layers = self.keras.layers
        if isinstance(norm, BatchNormModule):
            momentum = 1.0 - float(norm.momentum or 0.0)
            layer = layers.BatchNormalization(momentum=momentum, epsilon=norm.eps, name=name, dtype=self.dtype)
            x = layer(x)
            _fill(layer, (norm.weight, norm.bias, norm.running_mean, norm.running_var))
        else:
            norm = cast("LayerNormModule", norm)
            layer = layers.LayerNormalization(epsilon=norm.eps, name=name, dtype=self.dtype)
            x = layer(x)
            _fill(layer, (norm.weight, norm.bias))
        return x

    def _activated(self, x: Any, activation: str, name: str) -> Any:
        return self.keras.layers.Activation(activation, name=name, dtype=self.dtype)(x)

    def _code(self, code: CodeLayer, h: Any) -> Any:
        if isinstance(code.spec, Gaussian):
            return self.keras.layers.Identity(name="code", dtype=self.dtype)(h[:, : code.size])
        return self._wrapped(_Code(code), h, "code", code.size)

    def _wrapped(self, module: nn.Module, x: Any, name: str, units: int) -> Any:
        wrapper = self.keras.layers.TorchModuleWrapper
        return wrapper(module, name=name, output_shape=(None, units), dtype=self.dtype)(x)

    def _links(self, heads: Sequence[Head], raw: Any) -> Any:
        parts = [self._link(head, raw[:, head.slots], f"output_{n}") for n, head in enumerate(heads, 1)]
        return self.keras.layers.Concatenate(name="output", dtype=self.dtype)(parts)

    def _link(self, head: Head, raw: Any, name: str) -> Any:
        ops, link = self.keras.ops, head.link_name
        if link == "exp":
            return ops.exp(ops.minimum(raw, 30.0))
        if link == "softmax" and raw.shape[1] == 1:  # Keras warns of it
            return ops.ones_like(raw)
        return raw if link == "linear" else self._activated(raw, link, name)


def _named(model: Any, name: str) -> Any:
    model.name = name
    return model


def _fill(layer: Any, values: Sequence[Tensor | None]) -> None:
    for variable, value in zip(layer.weights, values, strict=True):
        variable.assign(cast("Tensor", value).detach())


class _Code(nn.Module):
    """A code at inference: the encoder's output (n, width) → z (n, size)."""

    def __init__(self, code: CodeLayer) -> None:
        super().__init__()
        self.code = copy.deepcopy(code).float()

    def forward(self, h: Tensor) -> Tensor:
        return cast("Tensor", self.code(h, None).z)


class _Still(nn.Module):
    """A torch module at inference, whatever Keras says: it takes a call without `training=` for training."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = copy.deepcopy(module).float()
        super().train(False)

    def train(self, mode: bool = True) -> _Still:
        return self

    def forward(self, x: Tensor) -> Tensor:
        return cast("Tensor", self.module(x))
