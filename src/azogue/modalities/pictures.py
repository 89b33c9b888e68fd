"""Folders of picture files ↔ arrays of bytes. Files are read by Pillow, one at a time, when their row is asked for."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from azogue.disk import FaultError, atomic_write, naming, opened
from azogue.limits import current, remedy
from azogue.modalities.folders import walk
from azogue.modalities.pixels import ImageRows, Index, Shape

if TYPE_CHECKING:
    from PIL.Image import Image

    from azogue.disk import AnyPath

Size: TypeAlias = "tuple[int, int]"

#: How names of picture files end, in small or capital letters.
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"})
#: What Pillow is asked to read; some of its other formats would start programs.
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP")
_GREY = frozenset({"1", "L", "LA", "I;16", "I;16L", "I;16B", "I;16N"})
_COLOUR = frozenset({"P", "PA", "RGB", "RGBA", "RGBX", "RGBa", "CMYK", "YCbCr", "HSV"})
_ALPHA = frozenset({"LA", "PA", "RGBA", "RGBa"})


def checked_size(size: Any) -> Size:
    """A height and a width."""
    whole = isinstance(size, (tuple, list)) and all(isinstance(x, Integral) and not isinstance(x, bool) for x in size)
    if not whole or len(size) != 2 or min(size) < 1:
        raise ValueError(f"Image: size must be (height, width), whole numbers of at least 1, got {size!r}")
    return int(size[0]), int(size[1])


def is_files(X: Any) -> bool:
    """Whether `X` is a folder or a list of paths."""
    several = isinstance(X, (list, tuple)) and len(X) > 0
    return isinstance(X, (str, os.PathLike)) or (several and all(isinstance(item, (str, os.PathLike)) for item in X))


def list_files(X: Any) -> tuple[tuple[Path, ...], list[str]]:
    """The paths of a folder or a list of paths, and their names relative to the deepest folder that holds them all."""
    if isinstance(X, (str, os.PathLike)):
        paths, root = picture_files(X), _normal(Path(os.fsdecode(X)))
    else:
        paths = [Path(os.fsdecode(item)) for item in X]
        root = Path(os.path.commonpath([_normal(path).parent for path in paths]))
    return tuple(paths), [_normal(path).relative_to(root).as_posix() for path in paths]


def _normal(path: Path) -> Path:
    return Path(os.path.normpath(path.absolute()))


def picture_files(folder: AnyPath) -> list[Path]:
    """The picture files of a folder and its subfolders, sorted by their paths relative to it.

    Hidden files and folders are skipped, and links to folders are not followed.

    Raises
    ------
    ValueError
        If there is no such folder, no picture in it, or a subfolder that cannot be read.
    """
    root = Path(os.fsdecode(folder))
    with naming(root):
        try:
            if not root.is_dir():
                file = root.exists()
                raise FaultError(f"it is {'a file' if file else 'not there'}; give a folder, or a list of paths")
            found = [Path(place, name) for place, names in walk(root) for name in names]
        except OSError as error:
            raise FaultError(f"{error.filename} cannot be read: {error.strerror}; check the permissions") from error
        found = [path for path in found if path.suffix.lower() in SUFFIXES]
        if not found:
            raise FaultError(
                f"the folder holds no picture; give one with files that end in {', '.join(sorted(SUFFIXES))}"
            )
    return sorted(found, key=lambda path: path.relative_to(root).as_posix())


@dataclass(frozen=True, eq=False)
class Files:
    """Picture files as rows of bytes.

    Parameters
    ----------
    paths : tuple of Path
    names : list of str
    shape : tuple of int
        Height, width and channels of a row: one channel for grey, three for red, green and blue.
    resized : bool
        Whether files of another size are brought to this one; else they are refused.
    """

    paths: tuple[Path, ...]
    names: list[str]
    shape: Shape
    resized: bool = False

    @property
    def rows(self) -> ImageRows:
        """What to give back besides the pixels."""
        return ImageRows("files", self.names, "grey" if self.shape[2] == 1 else "last", "uint8")

    def __len__(self) -> int:
        return len(self.paths)

    def take(self, index: Index) -> NDArray[np.uint8]:
        """The rows of a slice or an array of positions, shape (n, h, w, c).

        - An alpha channel is laid over white.
        - 16 bit grey `u` becomes `u / 257`, rounded.
        - Sizes are changed by bilinear interpolation over all the pixels that a new one covers.
        - Of several frames the first is read, and pixels lie as they are stored, whatever a camera notes of its turn.

        Raises
        ------
        ValueError
            For a file that is broken, truncated, in colour where grey is expected, or of another size; with its name.
        """
        chosen = self.paths[index] if isinstance(index, slice) else [self.paths[place] for place in index]
        result = np.empty((len(chosen), *self.shape), np.uint8)
        for row, path in zip(result, chosen, strict=True):
            with _picture(path) as picture:
                row[...] = _pixels(picture, self.shape, self.resized)
        return result


def survey(paths: Iterable[Path], size: Size | None) -> Shape:
    """The common height, width and channels of picture files, from their headers alone.

    Parameters
    ----------
    paths : iterable of Path, at least one
    size : tuple of int, or None
        The height and width that files will be brought to; None demands that all are of one size.

    Raises
    ------
    ValueError
        For a header that cannot be read, pixels that are no bytes, and the first file whose size differs.
    """
    expected, first, grey = size, None, True
    for path in paths:
        with _picture(path) as picture:
            _check_mode(picture)
            found = (picture.height, picture.width)
            if expected is None:
                expected, first = found, path
            if size is None and found != expected:
                raise FaultError(f"{_sizes(found, expected)} as in {first}; {_remedy(expected)}")
            grey = grey and _is_grey(picture)
    if expected is None:
        raise ValueError("there is no picture file to look at; give at least one")
    return (*expected, 1 if grey else 3)


def _sizes(found: Size, expected: Size) -> str:
    return f"its height × width is {found[0]} × {found[1]}, but {expected[0]} × {expected[1]} is expected"


def _remedy(expected: Size) -> str:
    return f"bring all files to one size, or let Image(size={expected}) do it"


@contextmanager
def _picture(path: Path) -> Iterator[Image]:
    """A picture whose header was read; errors in the block name the file."""
    import PIL.Image

    with naming(path), opened(path) as (stream, _):
        try:
            with PIL.Image.open(stream, formats=_FORMATS) as picture:
                _check_pixels(picture.width * picture.height)
                yield picture
        except (FaultError, MemoryError):
            raise
        except (PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning) as error:
            raise FaultError(
                f"{str(error).rstrip('.')}; make it smaller, or raise PIL.Image.MAX_IMAGE_PIXELS if you trust it"
            ) from error
        except PIL.UnidentifiedImageError as error:
            raise FaultError(f"it is no picture ({', '.join(_FORMATS)}), or its header is broken; remove it") from error
        except Exception as error:  # what decoders raise is as various as they are
            raise FaultError(f"the picture is broken: {error}; replace or remove it") from error


def _check_pixels(count: int) -> None:
    if count > (most := current().pixels):
        raise FaultError(
            f"it has {count:,} pixels, more than the {most:,} allowed; make it smaller, or {remedy('pixels', count)}"
        )


def _check_mode(picture: Image) -> None:
    if not (_is_grey(picture) or picture.mode in _COLOUR):
        raise FaultError(
            f"its pixels (Pillow's mode {picture.mode!r}) are no bytes of grey or colour; read the files into an array "
            "and pass that"
        )


def _is_grey(picture: Image) -> bool:
    return picture.mode in _GREY or _is_wide(picture)


def _is_wide(picture: Image) -> bool:
    """Whether it is 16 bit grey, which old versions of Pillow call `"I"`."""
    return picture.mode.startswith("I;16") or (picture.mode == "I" and picture.format == "PNG")


def _pixels(picture: Image, shape: Shape, resized: bool) -> NDArray[np.uint8]:
    """The bytes of a picture, shape (h, w, c)."""
    import PIL.Image

    height, width, channels = shape
    _check_mode(picture)
    if not resized and picture.size != (width, height):
        raise FaultError(f"{_sizes((picture.height, picture.width), (height, width))}; {_remedy((height, width))}")
    if channels == 1 and not _is_grey(picture):
        raise FaultError("it is in colour, but grey pictures are expected; convert it, or fit on pictures in colour")
    plain: Image = picture
    if _is_wide(picture):
        levels = np.asarray(picture).astype(np.uint32)
        plain = PIL.Image.fromarray(((levels + 128) // 257).astype(np.uint8))
    elif picture.mode in _ALPHA or "transparency" in picture.info:
        seen = picture.convert("RGBA")
        plain = PIL.Image.alpha_composite(PIL.Image.new("RGBA", seen.size, "white"), seen)
    plain = plain.convert("L" if channels == 1 else "RGB")
    if plain.size != (width, height):
        plain = plain.resize((width, height), PIL.Image.Resampling.BILINEAR)
    return np.asarray(plain).reshape(shape)


def write_pictures(array: Any, folder: AnyPath, names: Sequence[str]) -> list[Path]:
    """Write pictures as PNG files, each of them wholly or not at all.

    Parameters
    ----------
    array : array of uint8 or bool, shape (n, h, w) or (n, h, w, c)
        With 1 channel (grey), 3 (red, green, blue), or 2 and 4, whose last one is alpha. True is white.
    folder : path-like
        Made if it is not there.
    names : sequence of str
        A path within the folder for each picture. A picture's ending is replaced by `.png`; to other names it is added.

    Returns
    -------
    list of Path
        The files, in the order of the names.

    Raises
    ------
    ValueError
        For other arrays, names that lead out of the folder, two names of one file, and what cannot be written.
    """
    pictures = _writable(array, len(names))
    targets = _targets(Path(os.fsdecode(folder)), names)
    for picture, target in zip(pictures, targets, strict=True):
        with naming(target):
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise FaultError(f"its folder cannot be made: {error.strerror}; choose another place") from error
        atomic_write(target, _png(picture))
    return targets


def _writable(array: Any, count: int) -> NDArray[np.uint8]:
    pictures = np.asarray(array)
    if pictures.ndim == 4 and pictures.shape[3] == 1:
        pictures = pictures[..., 0]
    depth = pictures.shape[3:] in ((), (2,), (3,), (4,))
    if pictures.dtype not in (np.uint8, np.bool_) or pictures.ndim not in (3, 4) or not depth:
        raise ValueError(
            "write_pictures: expected pictures of dtype uint8 or bool and shape (n, h, w) or (n, h, w, 1 to 4), got "
            f"{pictures.dtype} and {pictures.shape}; bring floats to 0 to 255 and convert with astype('uint8')"
        )
    if len(pictures) != count or 0 in pictures.shape[1:]:
        raise ValueError(
            f"write_pictures: {count} names do not go with pictures of shape {pictures.shape}; give one each"
        )
    if pictures.dtype == np.bool_:
        return pictures.astype(np.uint8) * np.uint8(255)
    return pictures


def _targets(folder: Path, names: Sequence[str]) -> list[Path]:
    """Where each picture goes; different files within the folder."""
    taken: dict[Path, str] = {}
    for name in names:
        path = Path(name)
        if path.anchor or ".." in path.parts or not path.name or "\0" in name:
            raise ValueError(f"write_pictures: the name {name!r} leads out of the folder or names no file; change it")
        target = folder / (path.with_suffix("") if path.suffix.lower() in SUFFIXES else path)
        target = target.with_name(f"{target.name}.png")
        if target in taken:
            raise ValueError(f"write_pictures: {taken[target]!r} and {name!r} would both become {target}; rename one")
        taken[target] = name
    return list(taken)


def _png(picture: NDArray[np.uint8]) -> bytes:
    import PIL.Image

    buffer = io.BytesIO()
    PIL.Image.fromarray(np.ascontiguousarray(picture)).save(buffer, "PNG")
    return buffer.getvalue()
