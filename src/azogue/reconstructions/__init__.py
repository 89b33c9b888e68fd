"""What a network makes of rows, beside them: tables, pictures, signals and texts, each drawn in its own way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azogue.modalities import ImageSchema, SequenceSchema
from azogue.modalities.textual import TextSchema
from azogue.reconstructions.pictures import draw_pictures, first_pictures
from azogue.reconstructions.signals import draw_signals, first_signals
from azogue.reconstructions.tables import draw_rows, first_rows
from azogue.reconstructions.texts import draw_characters, draw_words, first_texts

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_reconstructions"]


def plot_reconstructions(
    estimator: Any, X: Any, n: int = 10, *, seen: Any = None, shape: Any = None, ax: Axes | None = None
) -> Axes:
    """The first rows and what the network makes of them.

    - Pictures: lines of pictures, the input, its reconstruction and the absolute error, on one scale: bytes from 0 to
      255, fractions from 0 to 1, anything else between the extremes of the input. Of a folder, only the files that
      are drawn are read.
    - Sequences: a panel each, the reconstruction over the pale signal, up to three channels, each in a colour. Of long
      series, as many samples as the first `n` windows cover. Several channels are drawn in scaled units.
    - Texts as characters: each reconstruction below its text, the wrong characters in colour.
    - Texts as words: for the first six texts the largest words of both as bars.
    - A table: three heat maps in scaled units, a line a row, a column a slot of the packed row, such as a numeric
      column or one of the categories of another. Rows that are pixels are drawn as pictures, the largest value black.

    Parameters
    ----------
    estimator : fitted autoencoder, or what owns one
    X : table, pictures, sequences or texts
        What the model was fitted on, or of the same kind.
    n : int
        Rows to draw.
    seen : as X, optional
        What the network is shown instead of X, such as the same rows with noise. It is drawn besides, and
        reconstructions are made from it; errors are still those against X.
    shape : (height, width), False or None
        Of the pictures that the rows of a table hold; False draws a table. None takes an array of numbers as square
        pictures where its width is a square of at least 16, and anything else as a table.
    ax : Axes, optional

    Returns
    -------
    Axes
        Of several sequences, the panels are its `child_axes`.

    Raises
    ------
    ValueError
        For `n` below 1, fewer rows in `seen` than are drawn, a `shape` that the rows do not fill, or one for a model
        of pictures, sequences or texts.

    Examples
    --------
    >>> import azogue as az
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> ax = plot_reconstructions(az.Autoencoder(2, epochs=5, random_state=0).fit(X), X)
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['input', 'reconstruction', 'absolute error']
    """
    if n < 1:
        raise ValueError(f"plot_reconstructions: n must be at least 1, got {n!r}")
    owner = getattr(estimator, "autoencoder_", estimator)
    schema = getattr(owner, "schema_", None)
    known = isinstance(schema, (ImageSchema, SequenceSchema, TextSchema))
    if known and shape is not None:
        raise ValueError(
            "plot_reconstructions: shape= is for tables whose rows are pixels; this model knows the shape of its rows"
        )
    rows: Any = _first(schema, X, n)
    shown: Any = None if seen is None else _first(schema, seen, n)
    if shown is not None and len(shown) != len(rows):
        raise ValueError(f"plot_reconstructions: {len(rows)} rows of X are drawn, but seen has {len(shown)} for them")
    copies = owner.reconstruct(rows if shown is None else shown)
    if isinstance(schema, ImageSchema):
        return draw_pictures(owner, rows, shown, copies, ax)
    if isinstance(schema, SequenceSchema):
        return draw_signals(owner, rows, shown, copies, ax)
    if isinstance(schema, TextSchema):
        draw = draw_characters if schema.unit == "character" else draw_words
        return draw(owner, rows, shown, copies, ax)
    return draw_rows(owner, rows, shown, copies, shape, ax)


def _first(schema: Any, X: Any, n: int) -> Any:
    """The first rows of X, in a container that the model takes."""
    if isinstance(schema, ImageSchema):
        return first_pictures(X, n)
    if isinstance(schema, SequenceSchema):
        return first_signals(schema, X, n)
    return first_texts(X, n) if isinstance(schema, TextSchema) else first_rows(X, n)
