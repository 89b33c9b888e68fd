"""`HammingIndex`: binary codes that are searched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from azogue import files
from azogue.files import ModelFileError
from azogue.hamming.buckets import Buckets, bucketed
from azogue.hamming.engines import ENGINES, Core, Faiss, engine_for, imported
from azogue.hamming.scan import Found
from azogue.hamming.stages import by_vectors
from azogue.hamming.words import Codes, as_codes, check_bits

if TYPE_CHECKING:
    import os

KIND = "index"


class HammingIndex:
    """Packed binary codes, and which of them are nearest to others: exactly, equals by position.

    Codes are numbered in the order in which they are added. Nothing is approximate: both engines give the answers of
    comparing with every code.

    Parameters
    ----------
    n_bits : int, optional
        Bits of a code, a multiple of 8 from 8 to 512; None: what the first codes have.
    engine : {"core", "faiss"}
        `"core"` counts bits with numpy, and looks codes up by their parts where there are more than 100,000 of up to
        128 bits (multi-index hashing). `"faiss"` asks `IndexBinaryFlat` and `IndexBinaryMultiHash`, which are faster;
        it needs `pip install "azogue[faiss]"`.

    Raises
    ------
    ValueError, ImportError
        For other numbers of bits and engines, and where faiss is not installed.

    References
    ----------
    Norouzi, Punjani & Fleet (2012), Fast search in Hamming space with multi-index hashing, CVPR.

    Examples
    --------
    >>> import numpy as np
    >>> import azogue as az
    >>> index = az.HammingIndex().add(np.array([[0], [3], [255]], np.uint8))
    >>> distances, positions = index.query(np.array([[1]], np.uint8), k=2)
    >>> distances.tolist(), positions.tolist()
    ([[1, 1]], [[0, 1]])
    >>> [positions.tolist() for _, positions in index.radius(np.array([[254]], np.uint8), 1)]
    [[2]]
    """

    def __init__(self, n_bits: int | None = None, *, engine: str = "core") -> None:
        if engine not in ENGINES:
            raise ValueError(f"HammingIndex: engine must be one of {', '.join(map(repr, ENGINES))}, got {engine!r}")
        if engine == "faiss":
            imported()
        self.n_bits = None if n_bits is None else check_bits(n_bits, "HammingIndex: n_bits")
        self.engine = engine
        self._parts: list[Codes] = []
        self._engine: Core | Faiss | None = None

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def __repr__(self) -> str:
        return f"HammingIndex({self.n_bits}, engine={self.engine!r}) of {len(self):,} codes"

    @property
    def codes(self) -> Codes:
        """All codes, (n, bytes), in the order of their numbers."""
        if len(self._parts) != 1:
            width = (self.n_bits or 8) // 8
            self._parts = [np.concatenate(self._parts) if self._parts else np.empty((0, width), np.uint8)]
        return self._parts[0]

    def add(self, codes: Any) -> Self:
        """Add codes behind those that are there.

        Parameters
        ----------
        codes : ndarray of uint8, shape (n, n_bits/8)

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            For arrays that are no packed codes, and codes of another width.
        """
        found = as_codes(codes, self.n_bits, "add")
        self.n_bits = 8 * found.shape[1]
        if len(found):
            self._parts.append(np.array(found))
        return self

    def _ready(self, codes: Any, what: str) -> tuple[Codes, Core | Faiss]:
        """Queries, and the engine that knows all codes."""
        queries = as_codes(codes, self.n_bits, what)
        if not len(self):
            raise ValueError(f"{what}: the index is empty; add codes first")
        if self._engine is None:
            self._engine = engine_for(self.engine, self.codes)
        elif len(self._engine.codes) < len(self):
            self._engine = self._engine.grown(self.codes)
        return queries, self._engine

    def query(self, codes: Any, k: int = 10) -> Found:
        """The k nearest codes of each one that is asked for.

        Parameters
        ----------
        codes : ndarray of uint8, shape (m, n_bits/8)
        k : int

        Returns
        -------
        distances : ndarray of uint16, shape (m, k)
            Bits that differ, in rising order.
        positions : ndarray of int64, shape (m, k)
            Numbers of the codes; of equal distances, the smaller number first.

        Raises
        ------
        TypeError, ValueError
            For codes of another width, an empty index, and k beyond the number of codes.
        """
        queries, engine = self._ready(codes, "query")
        _check_k(k, len(self))
        if not len(queries):
            return np.empty((0, k), np.uint16), np.empty((0, k), np.int64)
        return engine.query(queries, int(k))

    def radius(self, codes: Any, r: int) -> list[Found]:
        """All codes that differ in at most r bits, for each one that is asked for.

        Returns
        -------
        list of pairs (distances, positions), m of them, ordered as in `query`
        """
        queries, engine = self._ready(codes, "radius")
        if isinstance(r, bool) or not isinstance(r, (int, np.integer)) or r < 0:
            raise ValueError(f"radius: expected a whole number of bits of at least 0, got {r!r}")
        return engine.within(queries, min(int(r), 8 * queries.shape[1])) if len(queries) else []

    def rerank(
        self, codes: Any, k: int, queries: Any, vectors: Any, *, candidates: int | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Two stages: candidates by their codes, and the k nearest of them by Euclidean distance of vectors.

        Parameters
        ----------
        codes : ndarray of uint8, shape (m, n_bits/8)
        k : int
        queries, vectors : array or sparse matrix, shapes (m, d) and (len(index), d)
            What stands behind the codes: rows of length 1, for instance, whose order is that of the cosine.
        candidates : int, optional
            How many are taken by code; None: 10 · k, at most all.

        Returns
        -------
        distances : ndarray of float32, shape (m, k)
        positions : ndarray of int64, shape (m, k)

        Raises
        ------
        TypeError, ValueError
            As `query`; for other numbers of vectors, and fewer candidates than k.
        """
        count = min(10 * k, len(self)) if candidates is None else candidates
        if count < k:
            raise ValueError(f"rerank: {k} neighbours need as many candidates, got candidates={count}")
        if queries.shape[0] != np.shape(codes)[0] or vectors.shape[0] != len(self):
            raise ValueError(
                f"rerank: expected a vector for each of {np.shape(codes)[0]} queries and {len(self)} codes, got "
                f"{queries.shape[0]} and {vectors.shape[0]}"
            )
        _, near = self.query(codes, count)
        return by_vectors(queries, vectors, np.sort(near, axis=1), k)

    def buckets(
        self,
        radius: int = 0,
        *,
        labels: Any = None,
        texts: Any = None,
        members: int = 3,
        terms: int = 5,
        most: int = 100,
    ) -> Buckets:
        """Rows in groups by their codes, and how evenly the codes use their bits; see `Buckets`.

        The code of most rows makes a group of all that differ from it in at most `radius` bits; then that of most of
        the remaining rows does, and so on.

        Parameters
        ----------
        radius : int
        labels : array, shape (n,), optional
            For each group's most frequent label and its part, the purity.
        texts : sequence of str, length n, optional
            For the terms that tell each group from all texts, by TF-IDF.
        members, terms : int
            Typical members (nearest to the group's mean code), and terms, that are named.
        most : int
            Groups that are made, at most; of the rows beyond them, the number is told.
        """
        if not len(self):
            raise ValueError("buckets: the index is empty; add codes first")
        return bucketed(self.codes, radius, labels, texts, members, terms, most)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the codes into one file, atomically; `HammingIndex.load(path)` brings them back.

        Raises
        ------
        ModelFileError
            If the file cannot be written; what stood there before is untouched.
        """
        import torch

        codes = self.codes
        held = codes if codes.flags.writeable else codes.copy()
        files.write(path, KIND, {"n_bits": self.n_bits, "codes": len(codes)}, {"codes": torch.from_numpy(held)})

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, mmap: bool = False, engine: str = "core") -> HammingIndex:
        """The index that `save` wrote.

        Parameters
        ----------
        path : path-like
        mmap : bool
            Leave the codes in the file, which is then read as it is searched; their SHA-256 is not verified. Codes that
            are added stay in memory until the index is saved.
        engine : {"core", "faiss"}

        Raises
        ------
        ModelFileError
            If the file is no index, damaged, or newer than this program.
        """
        if mmap:
            manifest, arrays = files.mapped(path, KIND)
        else:
            manifest, tensors = files.read(path, KIND)
            arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
        bits, count = manifest.get("n_bits"), manifest.get("codes")
        if set(manifest) != {"n_bits", "codes"} or set(arrays) != {"codes"}:
            raise ModelFileError(f"{path}: the index's description has other parts than an index has; save it again")
        codes = np.asarray(arrays["codes"])
        if codes.dtype != np.uint8 or codes.ndim != 2 or len(codes) != count:
            raise ModelFileError(f"{path}: the index's description does not fit its codes; save it again")
        if bits is not None and 8 * codes.shape[1] != bits:
            raise ModelFileError(f"{path}: the index states {bits} bits, but its codes have {8 * codes.shape[1]}")
        try:
            index = cls(bits, engine=engine)
        except (ValueError, TypeError) as error:
            raise ModelFileError(f"{path}: {error}; the index's description is inconsistent") from error
        if len(codes):
            index._parts = [codes]
        return index


def _check_k(k: Any, count: int) -> None:
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 1:
        raise ValueError(f"query: k must be a whole number of at least 1, got {k!r}")
    if k > count:
        raise ValueError(f"query: k={k} neighbours were asked for, but the index has {count} codes; ask for fewer")
