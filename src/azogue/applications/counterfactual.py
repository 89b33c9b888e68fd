"""Rows as they might be if their sensitive columns said something else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self, cast

import narwhals as nw
import numpy as np
import torch
from numpy.typing import NDArray

from azogue.applications.censoring import started
from azogue.applications.generators import masked
from azogue.applications.labelling import Label
from azogue.applications.releasing import Draws
from azogue.autoencoder import Autoencoder
from azogue.autoregression import Teller, log_likelihood
from azogue.corruptions import Following
from azogue.coupling import kept, ranked
from azogue.modalities import Coded, schema_from_dict
from azogue.modalities.coded import CodedSchema
from azogue.modalities.columns import values
from azogue.modalities.numeric import Numeric
from azogue.modalities.reading import read

#: The share of rows, at strength 1, whose other columns are told another utility label: it tells of sensitive ones.
BLUR = 0.1
#: Rows that are worked on at once: fewer are filled up, so that a row's bits do not depend on how many there are.
BLOCK = 1056
#: Combinations of sensitive cells that are tried for rows whose own are not known.
TRIED = 24
#: Training rows whose sensitive codes are kept to draw from.
POOL = 2000

Codes = NDArray[np.int64]


def in_order(X: Any, places: list[int]) -> Any:
    """A table with its columns in another order."""
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        return frame.select([frame.columns[at] for at in places]).to_native()
    return np.asarray(X)[:, places]


@dataclass(frozen=True, eq=False)
class Counterfactual:
    r"""What a network says of each column given those before it, the sensitive and the utility columns first.

    For a row (s, y, x) other sensitive cells s′ are drawn from the training rows, apart from all else. Then every
    column is moved from what it is likely to be after its own predecessors to what it would be after the exchanged
    ones,

    .. math:: x'_j = T_j(x_j), \quad T_j: p(\cdot \mid s, y, x_{<j}) \to p(\cdot \mid s', y', x'_{<j}),

    so that x′ follows p(x | s′, y′) and says nothing of s but through y. y′ is y, but for a share of
    0.1 · strength of the rows, where it is moved as the other columns are. Numbers come before categories: they keep
    their ranks, and what is moved by chance is then moved with them in view.

    Parameters
    ----------
    autoencoder : Autoencoder
        Of rows as codes, their columns in the order of `places`.
    whole : CodedSchema
        Of the columns in the user's order.
    places : list of int
        The user's columns: sensitive ones, utility ones, other numbers, other categories.
    first, second : int
        How many are sensitive, and how many are utility.
    pool : ndarray of int, shape (rows, first)
        Sensitive codes of training rows.
    """

    autoencoder: Autoencoder
    whole: CodedSchema
    places: list[int]
    first: int
    second: int
    pool: Codes

    @classmethod
    def learned(cls, autoencoder: Any, X: Any, hidden: list[Label], useful: list[Label], **shared: Any) -> Self:
        """From training rows whose labels are columns."""
        own = [cast("int", one.column) for one in hidden]
        told = [cast("int", one.column) for one in useful if one.column not in own]
        modality = shared["modality"] if isinstance(shared["modality"], Coded) else Coded()
        whole = modality.fit(X)
        rest = [at for at in range(len(whole.table.columns)) if at not in own + told]
        rest.sort(key=lambda at: not isinstance(whole.table.columns[at], Numeric))
        places = [*own, *told, *rest]
        rows = in_order(X, places)
        settings = {**shared, "modality": modality, "scaling": "auto"}
        default = masked(len(hidden[0].codes), **settings)
        model = started(autoencoder, default, settings, corruption=Following(len(own)), modality=modality)
        model.fit(rows)
        schema: Any = model.schema_
        rng = np.random.default_rng([settings["random_state"] % 2**63, 4])
        pool = rng.permutation(schema.codes(rows)[:, : len(own)])[:POOL]
        return cls(model, whole, places, len(own), len(told), pool)

    def to_dict(self) -> dict[str, Any]:
        """What a file holds of it besides the autoencoder."""
        plain = {name: getattr(self, name) for name in ("places", "first", "second", "pool")}
        return {**plain, "whole": self.whole.to_dict()}

    @classmethod
    def from_dict(cls, autoencoder: Autoencoder, data: dict[str, Any]) -> Self:
        """What `to_dict` wrote."""
        whole, pool = schema_from_dict(data["whole"]), np.asarray(data["pool"])
        return cls(autoencoder, **{**data, "whole": cast("CodedSchema", whole), "pool": pool})

    # -- releasing ----------------------------------------------------------------------------------------------------

    def released(self, X: Any, strength: float, seed: int) -> Any:
        """Rows to release, in the user's schema.

        Utility cells are those of X, and so are categories that stay the same; numbers whose code stays are drawn
        again within their bin (about a hundredth of the rows). A missing cell is a code like others: some are filled
        and others become missing, as they would be after the exchanged cells.
        """
        schema: Any = self.autoencoder.schema_
        rows = in_order(X, self.places)
        source = read(rows)
        read_codes = schema.codes(source)
        rng = Draws.of_rows(read_codes, seed)
        level = rng.random((len(read_codes), read_codes.shape[1] + 1, 2))
        codes = self._known(read_codes, rng)
        drawn = self.pool[rng.integers(len(self.pool))] if len(codes) else codes[:, : self.first]
        given = np.where(level[:, :1, 0] < min(1.0, strength), drawn, codes[:, : self.first])
        blurred = min(1.0, BLUR * strength)
        made = np.concatenate([self._moved(part, blurred) for part in _parts(codes, given, level)] or [codes])
        whole = self.first + self.second
        made[:, self.first : whole] = codes[:, self.first : whole]
        cells = []
        for at, (book, kind, column) in enumerate(zip(schema.books, schema.table.columns, source.each(), strict=True)):
            own = made[:, at]
            new = schema.settled(at, book.draw(np.where(own < 0, book.values, own), *level[:, at].T))
            stays = (own == read_codes[:, at]) & (own >= 0)
            if book.size and (at < whole or not isinstance(kind, Numeric)):
                new = np.where(stays, values(kind, column), new)
            cells.append(new)
        back = [cells[at] for at in np.argsort(self.places)]
        return self.whole.write(back, read(X).rows)

    def _moved(self, part: tuple[Codes, Codes, NDArray[np.float64]], blurred: float) -> Codes:
        """A block of rows, column after column."""
        codes, given, level = part
        count = len(codes)
        schema: Any = self.autoencoder.schema_
        own, new = (torch.from_numpy(_filled(array)) for array in (codes, codes))
        new[:count, : self.first] = torch.from_numpy(given)
        uniform = torch.from_numpy(_filled(level))
        before, after = Teller(self.autoencoder.network_, schema), Teller(self.autoencoder.network_, schema)
        with torch.inference_mode():
            before.clear(BLOCK)
            after.clear(BLOCK)
            for at in range(codes.shape[1]):
                if at >= self.first and schema.books[at].size:
                    new[:, at] = self._coupled(before, after, at, own[:, at], uniform[:, at])
                    if at < self.first + self.second:
                        stays = uniform[:, -1, 0] >= blurred
                        new[:, at] = torch.where(stays, own[:, at], new[:, at])
                for teller, told in ((before, own), (after, new)):
                    rows = np.flatnonzero(told[:, at].numpy() >= 0)
                    if len(rows):
                        teller.tell(at, told[rows, at], rows)
        return new[:count].numpy()

    def _coupled(self, before: Teller, after: Teller, at: int, codes: torch.Tensor, level: torch.Tensor) -> Any:
        """What a column becomes; cells that are not known stay so."""
        schema: Any = self.autoencoder.schema_
        p, q = (teller.logits(teller.hidden(), at).double().softmax(1) for teller in (before, after))
        known = codes.clamp(min=0)
        if isinstance(schema.table.columns[at], Numeric):
            found = ranked(p, q, known, level[:, 0])
        else:
            found = kept(p, q, known, level[:, 0], level[:, 1])
        return torch.where(codes >= 0, found, codes)

    def _known(self, codes: Codes, rng: Draws) -> Codes:
        """Rows whose sensitive cells are not known get some, drawn by how likely each is given the others."""
        lost = np.flatnonzero((codes[:, : self.first] < 0).any(1))
        if not len(lost):
            return codes
        tried, counts = np.unique(self.pool, axis=0, return_counts=True)
        most = np.argsort(-counts, kind="stable")[:TRIED]
        tried, part = tried[most], codes[lost]
        odds = np.stack([self._likelihood(part, one) for one in tried], 1)
        for at in range(self.first):
            ruled = (part[:, at, None] >= 0) & (part[:, at, None] != tried[None, :, at])
            odds[ruled] = -1e9
        odds = np.exp(odds - odds.max(1, keepdims=True)).cumsum(1)
        chosen = (odds < rng.take(lost).random((len(lost), 1)) * odds[:, -1:]).sum(1)
        found = codes.copy()
        found[lost, : self.first] = tried[chosen.clip(max=len(tried) - 1)]
        return found

    def _likelihood(self, codes: Codes, sensitive: Codes) -> NDArray[np.float64]:
        """The log probability of rows if their sensitive cells were these, up to a constant, (n,)."""
        schema: Any = self.autoencoder.schema_
        whole = codes.copy()
        whole[:, : self.first] = sensitive
        order = [at for at in range(codes.shape[1]) if schema.books[at].size]
        return log_likelihood(self.autoencoder.network_, schema, whole, [order])


def _filled(array: NDArray[Any]) -> NDArray[Any]:
    """A block of rows, filled up with cells that are not known."""
    block = np.full((BLOCK, *array.shape[1:]), -1, array.dtype)
    block[: len(array)] = array
    return block


def _parts(*arrays: NDArray[Any]) -> list[tuple[Any, ...]]:
    """The arrays, a block of rows at a time."""
    return [tuple(one[at : at + BLOCK] for one in arrays) for at in range(0, len(arrays[0]), BLOCK)]
