"""Keras models as modules of a network: copied, called with the step's randomness, weights shared with torch."""

from __future__ import annotations

import copy
import random
import re
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from azogue.recipe import Rng

_BACKEND = "set KERAS_BACKEND=torch before keras is imported"


def is_keras(value: object) -> bool:
    """Whether `value` is a Keras layer or model, of any backend, told without importing Keras."""
    layer = getattr(sys.modules.get("keras"), "Layer", None)
    return layer is not None and isinstance(value, layer)


def reason(error: Exception) -> str:
    """What an error says, without what Keras prints around it."""
    inner = re.search(r"\x1b\[1m(.*?)\x1b\[0m", str(error), re.DOTALL)
    return str(error) if inner is None else inner[1]


def keras_on_torch() -> Any:
    """Keras on torch.

    Raises
    ------
    ImportError, ValueError
        If it is not installed, not Keras 3, or runs on something else.
    """
    try:
        import keras
    except ImportError as error:
        if error.name != "keras":
            raise ImportError(f"Keras does not start ({error}): {_BACKEND}") from error
        raise ImportError('Keras 3 is not installed: pip install "azogue[keras]"') from error
    if keras.__version__.startswith(("0.", "1.", "2.")):
        raise ImportError(f'Keras {keras.__version__} is installed, 3 is needed: pip install "azogue[keras]"')
    if keras.config.backend() != "torch":
        raise ValueError(f"Keras runs on {keras.config.backend()}, and azogue on torch: {_BACKEND}")
    return keras


@contextmanager
def drawing(seed: int, device: torch.device | str = "cpu") -> Iterator[None]:
    """Draw from `seed` alone; the global generators of Python, torch and Keras stay as they are."""
    from keras.src.backend.common import global_state

    python, theirs = random.getstate(), global_state.get_global_attribute("global_seed_generator")
    device = torch.device(device)
    cuda = [device] if device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices=cuda):
            random.seed(seed)
            torch.default_generator.manual_seed(seed)
            for place in cuda:
                torch.cuda.default_generators[place.index or 0].manual_seed(seed)
            global_state.set_global_attribute("global_seed_generator", None)
            yield
    finally:
        random.setstate(python)
        global_state.set_global_attribute("global_seed_generator", theirs)


class KerasModule(nn.Module):
    """A copy of a user's Keras model as a module of a network.

    Weights and running statistics are registered by position (`0_kernel`): the names that Keras gives depend on what
    else the process has built. Random layers draw from the step's randomness. A model without an input shape is built
    at the first call.

    Parameters
    ----------
    model : keras.Model
    stream : str
        Name of its randomness.
    seed : int
        What initial weights of a model that is not built yet depend on.
    device : torch device
        Where the copy is made.

    Raises
    ------
    ValueError
        For a model of another backend, or one that Keras cannot copy.
    TypeError
        For a bare layer, and for losses or constraints inside the model, which only Keras' own `fit` applies.
    """

    def __init__(self, model: Any, stream: str = "module", seed: int = 0, device: torch.device | str = "cpu") -> None:
        super().__init__()
        keras = keras_on_torch()
        self.stream, self.seed = stream, seed
        with keras.device(str(device)), drawing(seed):
            held = copied(model)
        self._held = [held]  # in a list, so that torch does not find Keras' own registration of the same tensors
        self._variables: dict[str, Any] = {}
        self._dtypes: dict[str, torch.dtype] | None = None
        if held.built:
            self._register()

    @property
    def model(self) -> Any:
        """The Keras model; it shares its weights with this module."""
        return self._held[0]

    def rowwise(self, x: Tensor, rng: Rng | None) -> Callable[[Tensor], Tensor]:
        """As at inference, where any model treats rows one by one."""
        return lambda row: self(row, None)

    def forward(self, x: Tensor, rng: Rng | None) -> Tensor:
        with keras_on_torch().device(str(x.device)):
            if self._dtypes is None:
                self._build(x)
            if rng is None:
                return self._called(x, training=False)
            with drawing(rng.integer(self.stream), x.device):
                states = [v for v in self.model.variables if v.name == "seed_generator_state"]
                for number, state in enumerate(states):
                    state.assign([rng.integer(f"{self.stream}/{number}") & 0x7FFFFFFF, 0])
                return self._called(x, training=True)

    def _called(self, x: Tensor, *, training: bool) -> Tensor:
        out = self.model(x, training=training)
        if not isinstance(out, Tensor):
            raise TypeError(f"network: {self.model!r} returned {type(out).__name__}; one tensor (n, k) is needed")
        if self.model.losses:
            self._refuse()
        return out.to(x.dtype)

    def _build(self, x: Tensor) -> None:
        with drawing(self.seed, x.device), torch.no_grad():
            self._called(x, training=False)
        self._register()

    def _register(self) -> None:
        layers = self.model._flatten_layers()
        modules = [layer.module for layer in layers if type(layer).__name__ == "TorchModuleWrapper"]
        inside = {id(p) for module in modules for p in module.parameters()}
        self.torch_modules = nn.ModuleList(modules)
        for number, variable in enumerate(self.model.weights):
            name, value = f"{number}_{variable.name}".replace(".", "_"), variable.value
            if id(value) in inside:
                continue
            self._variables[name] = variable
            if variable.trainable:
                self.register_parameter(name, value)
            else:
                self.register_buffer(name, value.detach())
                variable._value = self.get_buffer(name)
        self._dtypes = {name: value.dtype for name, value in self.state_dict().items()}
        if any(getattr(variable, "constraint", None) is not None for variable in self.model.weights):
            self._refuse()

    def _refuse(self) -> None:
        raise TypeError(
            f"network: {self.model!r} has losses, regularisers or constraints of its own, which only Keras' fit "
            "applies; leave them out and use objective=, penalties such as az.L1(), or weight_decay="
        )

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> KerasModule:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        # recent Keras rounds products of float64 to float32 on torch, so there is no training in float64
        for name, value in self.state_dict().items():
            if self._dtypes is not None and value.dtype != self._dtypes[name]:
                own, other = (str(kind).removeprefix("torch.") for kind in (self._dtypes[name], value.dtype))
                raise ValueError(
                    f"precision: {self.model!r} has weights in {own} and cannot follow to {other}; build it with "
                    "dtype='float32' and choose precision='auto'"
                )
        for name, variable in self._variables.items():
            variable._value = getattr(self, name)
        for layer in self.model._flatten_layers():
            if hasattr(layer, "finalize_state"):  # Normalization computes with views of its variables
                layer.finalize_state()
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> KerasModule:
        tensor = next(iter(self.state_dict().values()), None)
        return KerasModule(self.model, self.stream, self.seed, "cpu" if tensor is None else tensor.device)

    def __reduce__(self) -> tuple[Any, ...]:
        return KerasModule, (self.model, self.stream, self.seed)

    def extra_repr(self) -> str:
        return " → ".join(type(layer).__name__ for layer in self._leaves())

    def __repr__(self) -> str:
        return f"KerasModule({', '.join(map(_told, self._leaves()))})"

    def _leaves(self) -> list[Any]:
        return [
            layer for layer in self.model._flatten_layers() if not layer._layers and not hasattr(layer, "batch_shape")
        ]


def _told(layer: Any) -> str:
    """A layer and what it was made with, without names, which no two processes share."""
    if hasattr(layer, "module"):
        return repr(layer.module)
    told = {k: v for k, v in layer.get_config().items() if k != "name" and isinstance(v, (bool, int, float, str))}
    return f"{type(layer).__name__}({', '.join(f'{k}={v!r}' for k, v in told.items())})"


def copied(model: Any) -> Any:
    """A Keras model with the same layers, weights and running statistics, and nothing shared.

    Raises
    ------
    ValueError
        If its backend is not torch, or Keras cannot make it again from its configuration.
    TypeError
        If it is a layer and no model.
    """
    keras = keras_on_torch()
    if not isinstance(model, keras.Model):
        raise TypeError(f"network: {model!r} is a layer; put it into a model: keras.Sequential([...])")
    try:
        if type(model).__module__.startswith("keras."):  # a subclass may have a call of its own, which a graph lacks
            clone = keras.models.clone_model(model, clone_function=_copied_layer, recursive=True)
        else:
            clone = keras.models.clone_model(model)
    except (TypeError, NotImplementedError) as error:
        raise ValueError(f"network: Keras cannot copy {model!r}: {reason(error)}") from error
    if model.built:
        if [v.shape for v in clone.weights] != [v.shape for v in model.weights]:
            raise ValueError(
                f"network: Keras made {model!r} again with other weights than it has; use a Functional or Sequential "
                "model, or give its class a get_config that says everything"
            )
        for old, new in zip(model.weights, clone.weights, strict=True):
            new.assign(old.value)
            new.trainable = old.trainable
    return clone


def _copied_layer(layer: Any) -> Any:
    if type(layer).__name__ == "TorchModuleWrapper":
        module, shape = copy.deepcopy(layer.module), layer.output_shape
        return type(layer)(module, name=layer.name, output_shape=shape, dtype=layer.dtype_policy)
    return layer.__class__.from_config(layer.get_config())
