"""Pictures of any sizes as patches of one size, and patches as pictures again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from azogue.modalities.pictures import Files, is_files, list_files, survey
from azogue.modalities.pixels import as_container, cast, laid_out, layout_of, read_array
from azogue.modalities.windows import step_of, weights

#: Values of patches that are held at once, about.
CELLS = 2**24
#: Patches that a network learns from, at most.
MOST = 20_000
#: Pixels along each side of a patch, where pictures are that large and nothing else was asked for.
SIDE = 64


@dataclass(frozen=True)
class Tiling:
    """Patches of one size that cover a picture.

    Along each axis patch `k` begins at pixel `k · step`, and the last one ends where the picture ends. A picture that
    is smaller is continued by its mirror image.

    Parameters
    ----------
    size : (int, int)
        Height and width of a patch.
    overlap : float
        The part of a patch, in [0, 1), that the next one shares with it.

    Examples
    --------
    >>> tiling = Tiling((4, 4), 0.5)
    >>> tiling.cut(np.zeros((6, 9, 3))).shape
    (8, 4, 4, 3)
    """

    size: tuple[int, int]
    overlap: float = 0.5

    def places(self, shape: Sequence[int]) -> list[tuple[int, int]]:
        """The first row and column of each patch of a picture (h, w, …)."""
        starts = []
        for length, size in zip(shape, self.size, strict=False):
            count = 1 - (-max(length - size, 0) // step_of(size, self.overlap))
            starts.append([min(k * step_of(size, self.overlap), max(length - size, 0)) for k in range(count)])
        return [(top, left) for top in starts[0] for left in starts[1]]

    def cut(self, picture: NDArray[Any], places: Sequence[tuple[int, int]] | None = None) -> NDArray[Any]:
        """A picture (h, w, c) → patches (m, *size, c)."""
        lacking = [max(size - length, 0) for length, size in zip(picture.shape, self.size, strict=False)]
        whole = np.pad(picture, [(0, lacking[0]), (0, lacking[1]), (0, 0)], "symmetric") if any(lacking) else picture
        h, w = self.size
        places = self.places(picture.shape) if places is None else places
        return np.stack([whole[top : top + h, left : left + w] for top, left in places])

    def join(self, patches: Iterator[NDArray[Any]], shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Patches, some at a time and in the order of `places` → a picture (h, w, c); where they overlap, averages.

        A patch counts most in its middle: its weights are the product of two triangles.
        """
        h, w = self.size
        total, weight = np.zeros(shape), np.zeros((*shape[:2], 1))
        factors = (weights(h)[:, None] * weights(w))[..., None]
        places = iter(self.places(shape))
        for some in patches:
            for patch, (top, left) in zip(some, places, strict=False):
                down, across = min(h, shape[0] - top), min(w, shape[1] - left)
                where = slice(top, top + down), slice(left, left + across)
                total[where] += (patch * factors)[:down, :across]
                weight[where] += factors[:down, :across]
        return total / weight


@dataclass(frozen=True, eq=False)
class Album:
    """Pictures as they came, one at a time.

    Parameters
    ----------
    take : callable
        The number of a picture → the picture, (h, w, c).
    shapes : list of tuple of int
        Height, width and channels of each.
    container : {"numpy", "torch", "list", "files"}
    layout : {"grey", "last", "first"}
        See `modalities.pixels.Arrays`.
    array : ndarray or None
        All of them, (n, h, w, c), where they came as one array.
    names : list of str or None
        Of files.
    """

    take: Callable[[int], NDArray[Any]]
    shapes: list[tuple[int, int, int]]
    container: str
    layout: str
    array: NDArray[Any] | None = None
    names: list[str] | None = None

    def __len__(self) -> int:
        return len(self.shapes)

    def back(self, pictures: list[NDArray[Any]]) -> Any:
        """Pictures (h, w, c) in the container and layout that these came in; those of files of one size as an array."""
        if self.container in ("numpy", "torch"):
            return as_container(laid_out(np.stack(pictures), self.layout), self.container)
        one_size = self.container == "files" and len({picture.shape for picture in pictures}) == 1
        if one_size:
            return laid_out(np.stack(pictures), "grey" if pictures[0].shape[2] == 1 else "last")
        grey = [picture[..., 0] if picture.shape[2] == 1 else picture for picture in pictures]
        return grey if self.layout == "grey" or self.container == "files" else pictures


def read_album(X: Any, channels: str | None = None) -> Album:
    """Pictures in an array, a tensor, a list of arrays of any sizes, a folder, or a list of files.

    Raises
    ------
    TypeError, ValueError
        For what are no pictures, or pictures with different numbers of channels. The message names it.
    """
    if is_files(X):
        paths, names = list_files(X)
        shapes = [survey([path], None) for path in paths]
        colour = any(shape[2] == 3 for shape in shapes)
        shapes = [(*shape[:2], 3 if colour else 1) for shape in shapes]

        def opened(at: int) -> NDArray[Any]:
            return np.asarray(Files(paths[at : at + 1], names[at : at + 1], shapes[at], False).take(slice(0, 1))[0])

        return Album(opened, shapes, "files", "last", None, names)
    if isinstance(X, (list, tuple)) and len(X) and getattr(X[0], "ndim", 0) in (2, 3):
        return _listed(X)
    array, container = read_array(X)
    layout = layout_of(array.shape, channels)
    if layout == "grey":
        array = array[..., None]
    elif layout == "first":
        array = np.moveaxis(array, 1, -1)
    return Album(array.__getitem__, [array.shape[1:]] * len(array), container, layout, array)


def _listed(X: Sequence[Any]) -> Album:
    grey = getattr(X[0], "ndim", 0) == 2
    pictures = []
    for at, picture in enumerate(X):
        if getattr(picture, "ndim", 0) != (2 if grey else 3):
            raise ValueError(f"picture {at}: expected the shape {'(h, w)' if grey else '(h, w, c)'} like picture 0's")
        array = read_array(picture[None])[0][0]
        pictures.append(array[..., None] if grey else array)
        if pictures[-1].shape[2] != pictures[0].shape[2] or array.dtype != pictures[0].dtype:
            raise ValueError(f"picture {at}: its channels or its dtype are not those of picture 0; convert it")
    shapes = [picture.shape for picture in pictures]
    return Album(pictures.__getitem__, shapes, "list", "grey" if grey else "last")


def patch_size(album: Album, most: int) -> tuple[int, int]:
    """Height and width of patches: of the smallest picture, and at most `most`."""
    h, w = (min(shape[axis] for shape in album.shapes) for axis in (0, 1))
    return min(h, most), min(w, most)


def patches_of(album: Album, size: tuple[int, int], rng: np.random.Generator) -> NDArray[Any]:
    """Patches to learn from, (m, *size, c): all pictures where they have that size, else patches side by side.

    Where there are more than `MOST`, a random part of them.
    """
    if album.array is not None and album.array.shape[1:3] == size:
        return album.array
    tiling = Tiling(size, 0.0)
    places = [(at, place) for at, shape in enumerate(album.shapes) for place in tiling.places(shape)]
    if len(places) > MOST:
        places = [places[at] for at in np.sort(rng.choice(len(places), MOST, replace=False))]
    by_picture: dict[int, list[tuple[int, int]]] = {}
    for at, place in places:
        by_picture.setdefault(at, []).append(place)
    return np.concatenate([tiling.cut(album.take(at), found) for at, found in by_picture.items()])


def restored(album: Album, tiling: Tiling, restore: Callable[[NDArray[Any], Any], NDArray[Any]], damage: Any) -> Any:
    """Each picture through `restore`, which takes patches (m, *size, c) and where they are damaged, or None.

    Parameters
    ----------
    album : Album
    tiling : Tiling
    restore : callable
    damage : Album or None
        Where pictures are damaged.

    Returns
    -------
    What `album` came as
    """
    if album.array is not None and album.array.shape[1:3] == tiling.size:
        marks = None if damage is None else np.stack([damage.take(at) for at in range(len(damage))])
        return album.back(list(restore(album.array, marks)))
    found = []
    for at, shape in enumerate(album.shapes):
        picture, marks = album.take(at), None if damage is None else damage.take(at)
        places = tiling.places(shape)
        some = max(1, CELLS // (tiling.size[0] * tiling.size[1] * shape[2]))

        def parts(picture: Any = picture, marks: Any = marks, places: Any = places, some: int = some) -> Iterator[Any]:
            for start in range(0, len(places), some):
                part = places[start : start + some]
                yield restore(tiling.cut(picture, part), None if marks is None else tiling.cut(marks, part))

        found.append(cast(tiling.join(parts(), shape), picture.dtype))
    return album.back(found)


def marks_like(album: Album, damage: Any, channels: str | None) -> Album:
    """Where pictures are damaged: a mask like them, or one (n, h, w) for all channels.

    Raises
    ------
    ValueError
        For other shapes.
    """
    if isinstance(damage, (list, tuple)):
        found = [np.asarray(mask, dtype=bool) for mask in damage]
    else:
        found = list(np.asarray(damage, dtype=bool))
    if len(found) != len(album):
        raise ValueError(f"mask: expected one for each of {len(album)} pictures, got {len(found)}")
    marks = []
    for at, (given, (h, w, c)) in enumerate(zip(found, album.shapes, strict=True)):
        first = album.layout == "first" and given.shape == (c, h, w)
        mask = np.moveaxis(given, 0, -1) if first else given[..., None] if given.ndim == 2 else given
        if mask.shape not in ((h, w, c), (h, w, 1)):
            raise ValueError(
                f"mask: expected the shape ({h}, {w}) or ({h}, {w}, {c}) for picture {at}, got {given.shape}"
            )
        marks.append(np.broadcast_to(mask, (h, w, c)))
    return Album(marks.__getitem__, album.shapes, album.container, album.layout)


def merged(X: Any, whole: Any, mask: Any, channels: str | None) -> Any:
    """The pictures as they came, with what is damaged or missing taken from those made whole."""
    album, other = read_album(X, channels), read_album(whole, channels)
    marks = None if mask is None else marks_like(album, mask, channels)
    found = []
    for at in range(len(album)):
        picture = album.take(at)
        damaged = np.zeros(picture.shape, bool) if marks is None else marks.take(at)
        if picture.dtype.kind == "f":
            damaged = damaged | np.isnan(picture)
        found.append(np.where(damaged, other.take(at), picture))
    return album.back(found)
