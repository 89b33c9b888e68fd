"""The contestants of `speed.py`: our estimators and the peers' training loops, a class each (see `arena.Contestant`).

This file is not run by itself: `python benchmarks/speed.py` starts a process for each. Everybody trains the same
network from the same weights with Adam at a constant rate, without dropout, normalisation or weight decay; what a peer
does differently and has no switch for is in its `NOTE`, which the table prints.
"""

from __future__ import annotations

import logging
import tempfile
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from arena import Case, Contestant, Weights

if TYPE_CHECKING:
    from collections.abc import Iterator


# -- torch ------------------------------------------------------------------------------------------------------------


def dense(weights: Weights, activations: list[str]) -> Any:
    """A torch `Sequential` of dense layers with these weights."""
    from torch import nn

    layers: list[nn.Module] = []
    for (matrix, bias), activation in zip(weights, activations, strict=True):
        layer = nn.Linear(matrix.shape[1], matrix.shape[0])
        load(layer, matrix, bias)
        layers += [layer, *({"relu": [nn.ReLU()], "silu": [nn.SiLU()], "linear": []}[activation])]
    return nn.Sequential(*layers)


def load(layer: Any, matrix: np.ndarray, bias: np.ndarray) -> None:
    """Copy weights into a torch linear layer."""
    import torch

    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(matrix))
        layer.bias.copy_(torch.from_numpy(bias))


class Torch(Contestant):
    """What the torch contestants share: the network and how it is read."""

    IMPORTS = ("torch",)

    def make(self, seed: int) -> Any:
        """The network with the initial weights of `seed`."""
        import torch

        self.model = dense(self.case.weights[seed], self.case.activations)
        torch.manual_seed(seed)
        return self.model

    def reconstruct(self) -> np.ndarray:
        import torch

        with torch.no_grad():
            return self.model(torch.from_numpy(self.case.X)).numpy()


class Eager(Torch):
    """A plain loop: one permutation an epoch, `x[index]` a step, fused Adam."""

    title, fused = "torch, eager", True

    def epochs(self) -> Iterator[Any]:
        """The batches of all epochs."""
        import torch

        X = torch.from_numpy(self.case.X)
        for _ in range(self.case.epochs):
            for index in torch.randperm(len(X)).split(self.case.batch_size):
                yield X[index]

    def fit(self, seed: int) -> None:
        import torch
        from torch.nn import functional

        model = self.make(seed)
        optimizer = torch.optim.Adam(model.parameters(), lr=self.case.learning_rate, fused=self.fused)
        for x in self.epochs():
            optimizer.zero_grad()
            functional.mse_loss(model(x), x).backward()
            optimizer.step()


class Loader(Eager):
    """A plain loop over a `DataLoader`."""

    title, fused, NOTE = "torch, DataLoader", None, "torch's default Adam, not fused"

    def epochs(self) -> Iterator[Any]:
        import torch
        from torch.utils.data import DataLoader, TensorDataset

        loader = DataLoader(TensorDataset(torch.from_numpy(self.case.X)), self.case.batch_size, shuffle=True)
        for _ in range(self.case.epochs):
            yield from (x for (x,) in loader)


class Skorch(Torch):
    """skorch's `NeuralNet`."""

    title, pip, IMPORTS = "skorch", "skorch", ("skorch",)

    def fit(self, seed: int) -> None:
        import torch
        from skorch import NeuralNet

        case = self.case
        net = NeuralNet(
            dense,
            criterion=torch.nn.MSELoss,
            module__weights=case.weights[seed],
            module__activations=case.activations,
            optimizer=torch.optim.Adam,
            train_split=None,
            iterator_train__shuffle=True,
            **{"lr": case.learning_rate, "max_epochs": case.epochs, "batch_size": case.batch_size, "verbose": 0},
        )
        net.initialize()
        torch.manual_seed(seed)
        self.model = net.partial_fit(case.X, case.X).module_


# -- Keras and JAX ----------------------------------------------------------------------------------------------------


class KerasOnTorch(Contestant):
    """Keras 3 over torch."""

    title, pip, ENV, IMPORTS = "Keras on torch", "keras torch", {"KERAS_BACKEND": "torch"}, ("torch", "keras")
    NOTE = "built once, outside the timed fits; starts from reset weights and moments"

    def take(self, case: Case) -> None:
        import keras

        super().take(case)
        layers = [keras.layers.Input((case.widths[0],))]
        pairs = zip(case.widths[1:], case.activations, strict=True)
        layers += [keras.layers.Dense(units, activation=activation) for units, activation in pairs]
        self.model = keras.Sequential(layers)
        self.model.compile(keras.optimizers.Adam(case.learning_rate, epsilon=1e-8), loss="mse")
        self.model.optimizer.build(self.model.trainable_variables)
        self.fresh = [np.array(keras.ops.convert_to_numpy(one)) for one in self.model.optimizer.variables]

    def fit(self, seed: int) -> None:
        import keras

        case = self.case
        keras.utils.set_random_seed(seed)
        self.model.set_weights([part for matrix, bias in case.weights[seed] for part in (matrix.T, bias)])
        for variable, value in zip(self.model.optimizer.variables, self.fresh, strict=True):
            variable.assign(value)
        self.model.fit(case.X, case.X, batch_size=case.batch_size, epochs=case.epochs, shuffle=True, verbose=0)

    def reconstruct(self) -> np.ndarray:
        return np.asarray(self.model.predict(self.case.X, batch_size=4096, verbose=0))


class KerasOnJax(KerasOnTorch):
    """Keras 3 over JAX, compiled as is its default."""

    title, pip, IMPORTS = "Keras on JAX", "keras jax", ("jax", "keras")
    ENV = {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}  # noqa: RUF012


class Jax(Contestant):
    """Pure JAX: a compiled scan over the steps of an epoch."""

    title, pip, ENV, IMPORTS = "JAX scan", "jax", {"JAX_PLATFORMS": "cpu"}, ("jax",)
    NOTE = "an epoch is one compiled lax.scan"

    def take(self, case: Case) -> None:
        super().take(case)
        self.forward, self.epoch = jax_functions(case)

    def fit(self, seed: int) -> None:
        import jax

        case, rng = self.case, np.random.default_rng(seed)
        X = jax.device_put(case.X)
        weights = [(jax.device_put(matrix.T.copy()), jax.device_put(bias)) for matrix, bias in case.weights[seed]]
        zeros = jax.tree.map(lambda part: 0 * part, weights)
        state = (weights, zeros, jax.tree.map(lambda part: 0 * part, weights), jax.numpy.zeros(()))
        for _ in range(case.epochs):
            state = self.epoch(state, X, rng.permutation(len(case.X)).astype(np.int32))
        self.weights = jax.block_until_ready(state[0])

    def reconstruct(self) -> np.ndarray:
        return np.asarray(self.forward(self.weights, self.case.X))


def jax_functions(case: Case) -> tuple[Any, Any]:
    """(forward, epoch) of a case: Adam over a scan of the full batches, then the rest as a smaller one."""
    import jax
    from jax import numpy as jnp

    functions = {"relu": jax.nn.relu, "silu": jax.nn.silu, "linear": lambda x: x}

    def forward(weights: Any, x: Any) -> Any:
        for (matrix, bias), activation in zip(weights, case.activations, strict=True):
            x = functions[activation](x @ matrix + bias)
        return x

    def step(state: Any, x: Any) -> Any:
        weights, first, second, count = state
        gradients = jax.grad(lambda w: jnp.mean((forward(w, x) - x) ** 2))(weights)
        count = count + 1
        first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradients)
        second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradients)
        rate, unbiased = case.learning_rate / (1 - 0.9**count), 1 - 0.999**count
        weights = jax.tree.map(lambda w, m, v: w - rate * m / (jnp.sqrt(v / unbiased) + 1e-8), weights, first, second)
        return (weights, first, second, count), None

    def epoch(state: Any, X: Any, order: Any) -> Any:
        full = len(order) // case.batch_size * case.batch_size
        state, _ = jax.lax.scan(step, state, X[order[:full]].reshape(-1, case.batch_size, X.shape[1]))
        return state if full == len(order) else step(state, X[order[full:]])[0]

    return jax.jit(forward), jax.jit(epoch, donate_argnums=0)


# -- PyOD and pythae --------------------------------------------------------------------------------------------------


class PyOD(Contestant):
    """PyOD's `AutoEncoder`."""

    title, pip, IMPORTS = "PyOD AutoEncoder", "pyod", ("pyod.models.auto_encoder", "pyod.models.vae")
    NOTE = "drops the last short batch; its fit also scores the rows"

    @property
    def batches(self) -> int:
        return len(self.case.X) // self.case.batch_size

    def common(self, seed: int) -> dict[str, Any]:
        """The parameters that both detectors take: everything beyond plain Adam off."""
        case = self.case
        plain = {"preprocessing": False, "batch_norm": False, "dropout_rate": 0.0, "optimizer_params": {}, "verbose": 0}
        sizes = {"lr": case.learning_rate, "epoch_num": case.epochs, "batch_size": case.batch_size}
        return {**plain, **sizes, "hidden_activation_name": case.activations[0], "random_state": seed}

    def detector(self, seed: int) -> Any:
        from pyod.models.auto_encoder import AutoEncoder

        return AutoEncoder(**self.common(seed), hidden_neuron_list=self.case.widths[1 : self.case.code + 2])

    def fit(self, seed: int) -> None:
        detector, case = self.detector(seed), self.case
        build, train = detector.build_model, detector.train

        def from_weights() -> None:
            build()
            layers = [module for module in detector.model.modules() if hasattr(module, "in_features")]
            for layer, (matrix, bias) in zip(layers, self.weights(seed), strict=True):
                load(layer, matrix, bias)

        def timed(loader: Any) -> None:
            begun = time.perf_counter()
            train(loader)
            self.loop = time.perf_counter() - begun

        detector.build_model, detector.train = from_weights, timed
        self.model = detector.fit(case.X).model

    def weights(self, seed: int) -> Weights:
        """Initial weights in the order of its linear layers."""
        return self.case.weights[seed]

    def reconstruct(self) -> np.ndarray:
        import torch

        with torch.no_grad():
            return self.read(torch.from_numpy(self.case.X)).numpy()

    def read(self, x: Any) -> Any:
        """Reconstruct."""
        return self.model(x)


def split_code(weights: Weights, at: int) -> Weights:
    """Weights with the code's layer as two, the means' and the log variances'."""
    parts = zip(*(np.split(part, 2) for part in weights[at]), strict=True)
    return [*weights[:at], *parts, *weights[at + 1 :]]


class PyODVAE(PyOD):
    """PyOD's `VAE`."""

    title = "PyOD VAE"
    NOTE = "its capacity=0 switches the divergence off: set to inf, beta = 2/columns; drops the last short batch"

    def detector(self, seed: int) -> Any:
        from pyod.models.vae import VAE

        widths, code = self.case.widths, self.case.code
        return VAE(
            **self.common(seed),
            beta=2 / widths[0],
            capacity=float("inf"),
            encoder_neuron_list=widths[1 : code + 1],
            decoder_neuron_list=widths[code + 2 : -1],
            latent_dim=widths[code + 1],
        )

    def weights(self, seed: int) -> Weights:
        at = self.case.code
        parts = split_code(self.case.weights[seed], at)
        return [*parts[:at], *parts[at + 2 :], *parts[at : at + 2]]  # it registers the code's layers last

    def read(self, x: Any) -> Any:
        return self.model.decode(self.model.encode(x)[0])


class Pythae(Contestant):
    """pythae's `AE`, by its `TrainingPipeline`."""

    title, pip, ENV, IMPORTS = "pythae AE", "pythae", {"TQDM_DISABLE": "1"}, ("pythae.models", "pythae.pipelines")
    NOTE = "copies the model each epoch and saves it at the end"

    def parts(self, seed: int) -> tuple[Any, Any]:
        """The encoder and the decoder as pythae's modules."""
        case, at = self.case, self.case.code
        weights, activations = case.weights[seed], case.activations
        encoder, decoder = pythae_modules()
        back = decoder(dense(weights[at + 1 :], activations[at + 1 :]))
        if not case.variational:
            return encoder(dense(weights[: at + 1], activations[: at + 1])), back
        heads = [dense([part], ["linear"]) for part in split_code(weights, at)[at : at + 2]]
        return encoder(dense(weights[:at], activations[:at]), *heads), back

    def fit(self, seed: int) -> None:
        from pythae import models, trainers
        from pythae.pipelines import TrainingPipeline

        case = self.case
        logging.disable(logging.WARNING)
        shape = {"input_dim": (case.widths[0],), "latent_dim": case.widths[case.code + 1]}
        encoder, decoder = self.parts(seed)
        model, settings = (models.VAE, models.VAEConfig) if case.variational else (models.AE, models.AEConfig)
        self.model = model(settings(**shape), encoder, decoder)
        sizes = {"per_device_train_batch_size": case.batch_size, "num_epochs": case.epochs}
        with tempfile.TemporaryDirectory() as folder:
            config = trainers.BaseTrainerConfig(
                output_dir=folder, learning_rate=case.learning_rate, seed=seed, no_cuda=True, **sizes
            )
            TrainingPipeline(self.model, config)(train_data=case.X)

    def reconstruct(self) -> np.ndarray:
        import torch

        with torch.no_grad():
            return self.model.predict(torch.from_numpy(self.case.X)).recon_x.numpy()


class PythaeVAE(Pythae):
    """pythae's `VAE`."""

    title = "pythae VAE"
    NOTE = "½ squared error + divergence, as ours with variance=1; copies the model each epoch and saves it at the end"


def pythae_modules() -> tuple[type, type]:
    """Classes that wrap torch modules as pythae's encoder and decoder."""
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder

    class Encoder(BaseEncoder):
        def __init__(self, body: Any, *heads: Any) -> None:
            super().__init__()
            self.body, self.mean, self.spread = body, *(heads or (None, None))

        def forward(self, x: Any) -> Any:
            h = self.body(x)
            if self.mean is None:
                return ModelOutput(embedding=h)
            return ModelOutput(embedding=self.mean(h), log_covariance=self.spread(h))

    class Decoder(BaseDecoder):
        def __init__(self, body: Any) -> None:
            super().__init__()
            self.body = body

        def forward(self, z: Any) -> Any:
            return ModelOutput(reconstruction=self.body(z))

    return Encoder, Decoder


KINDS = (Eager, Loader, Jax, KerasOnTorch, KerasOnJax, Skorch, PyOD, PyODVAE, Pythae, PythaeVAE)
PEERS: dict[str, type[Contestant]] = {kind.title: kind for kind in KINDS}
