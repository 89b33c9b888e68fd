"""What a fitted autoencoder does with rows: codes and back, reconstructions, errors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from azogue.inference import Reader, by_column, joined
from azogue.metrics import as_metrics
from azogue.modalities.dataset import Dataset, check_result, in_parts
from azogue.planning import describe
from azogue.recipe import Batch, Lazy
from azogue.validation import remember_columns

if TYPE_CHECKING:
    from azogue.modalities.base import Pieces, Schema
    from azogue.network import Network
    from azogue.recipe import Recipe


class Reflecting(
    ClassNamePrefixFeaturesOutMixin,  # type: ignore[misc]
    TransformerMixin,  # type: ignore[misc]
):
    """The methods of an autoencoder that need it fitted."""

    network_: Network
    recipe_: Recipe
    schema_: Schema
    code_size_: int

    @property
    def _reader(self) -> Reader:
        check_is_fitted(self, "network_")
        return Reader(self.network_, self.recipe_.objective)

    def _pack(self, X: Any) -> Batch:
        check_is_fitted(self, "network_")
        remember_columns(self, X, reset=False)
        return self.schema_.pack(X)

    def _stored(self, X: Any) -> Batch | Lazy:
        """Rows packed for training: those of a data set stay on the disk."""
        return getattr(self.schema_, "store", self._pack)(X) if isinstance(X, Dataset) else self._pack(X)

    def _pieces(self, X: Any) -> Batch | Pieces:
        reader = self._reader
        remember_columns(self, X, reset=False)
        return reader.packed(self.schema_, X)

    # -- use --------------------------------------------------------------------------------------------------------

    def transform(self, X: Any) -> Any:
        """Rows → their codes.

        Parameters
        ----------
        X : table, shape (n, columns)

        Returns
        -------
        ndarray of float32, shape (n, code size), or what `set_output` asked for
        """
        check_is_fitted(self, "network_")
        check_result(X, 4 * self.code_size_, "transform")
        return self._reader.codes(self._pieces(X)).numpy()

    def encode(self, X: Any) -> Any:
        """Rows → their codes; `transform` under its own name."""
        return self.transform(X)

    def inverse_transform(self, Z: Any) -> Any:
        """Codes → rows in the user's kind of object, units, columns and dtypes.

        Parameters
        ----------
        Z : array, shape (n, code size)

        Raises
        ------
        ValueError
            For codes of another width.
        """
        check_is_fitted(self, "network_")
        codes = torch.as_tensor(np.array(Z, dtype=np.float32))
        if codes.ndim != 2 or codes.shape[1] != self.code_size_:
            raise ValueError(f"decode: expected codes of shape (n, {self.code_size_}), got {tuple(codes.shape)}")
        return self.schema_.unpack(self._reader.decoded(codes))

    def decode(self, Z: Any) -> Any:
        """Codes → rows; `inverse_transform` under its own name."""
        return self.inverse_transform(Z)

    @in_parts
    def reconstruct(self, X: Any) -> Any:
        """Rows → what the network makes of them, as the same kind of object with the same row labels.

        Missing cells come back filled with what the network expects there.
        """
        rows = self._pieces(X)
        return self.schema_.unpack(Batch(self._reader.reconstructed(rows), None, rows.rows))

    def errors(self, X: Any, *, per_feature: bool = False) -> np.ndarray:
        """How badly each row is reconstructed, in the units of the objective; higher is worse.

        Parameters
        ----------
        X : table, shape (n, columns)
        per_feature : bool
            One error a cell instead of a row's weighted mean over its observed cells.

        Returns
        -------
        ndarray of float64, shape (n,) or (n, columns)
            NaN for missing cells and columns never observed in training. Cells of pictures, sequences and texts come
            in the layout of X, such as (n, h, w).
        """
        rows = self._pieces(X)
        if per_feature:
            check_result(X, 8 * self.schema_.n_columns, "errors")
            cells = joined(by_column(self._reader.cell_errors(rows), self.schema_), len(rows))
            return self.schema_.arrange(cells, rows.rows)  # type: ignore[no-any-return]
        return self._reader.errors(rows).double().numpy()

    def cell_errors(self, X: Any) -> Iterator[np.ndarray]:
        """Each cell's error, (k, cells) some rows at a time: for whoever makes something smaller of them."""
        return by_column(self._reader.cell_errors(self._pieces(X)), self.schema_)

    def score(self, X: Any, y: Any = None) -> float:
        """Minus the mean error: higher is better, as model selection expects."""
        return -float(self.errors(X).mean())

    def evaluate(self, X: Any, metrics: Any = ("mse", "mae", "r2")) -> dict[str, float]:
        """The mean objective's reconstruction (`error`) and metrics over rows, in scaled units.

        Parameters
        ----------
        X : table, shape (n, columns)
        metrics : str, function or sequence of them
        """
        batch = self._pack(X)
        out = self._reader.reconstructed(batch)
        found = {name: float(metric(batch.x, out, batch.mask)) for name, metric in as_metrics(metrics).items()}
        return {"error": float(self._reader.errors(batch).double().mean()), **found}

    def summary(self) -> str:
        """The fitted network as text: layers, shapes, parameters."""
        check_is_fitted(self, "network_")
        return describe(self.network_, type(self).__name__)

    def to_keras(self) -> Any:
        """The fitted network as Keras 3 models `(encoder, decoder, autoencoder)` over scaled rows; extra `keras`.

        See `azogue.keras.to_keras`.
        """
        from azogue.keras import to_keras

        return to_keras(self)

    def to_onnx(self, path: Any = None, *, part: str = "all", preparation: bool = True) -> Any:
        """The fitted autoencoder, or a part of it, as an ONNX model over rows as they are in `fit`; extra `onnx`.

        See `azogue.onnx.to_onnx`.
        """
        from azogue.onnx import to_onnx

        return to_onnx(self, path, part=part, preparation=preparation)

    def to_torch(self, path: Any = None, *, part: str = "all", preparation: bool = True) -> Any:
        """The fitted autoencoder, or a part of it, as a torch program that needs no Azogue.

        See `azogue.exporting.to_torch`.
        """
        from azogue.exporting import to_torch

        return to_torch(self, path, part=part, preparation=preparation)

    @property
    def _n_features_out(self) -> int:
        return self.code_size_
