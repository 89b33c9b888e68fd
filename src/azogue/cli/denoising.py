"""`azogue denoise`: fit a denoiser or open one, restore tables, pictures and sound, and tell what it did."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from azogue.applications import Denoiser
from azogue.cli import data, denoisers, models, reporting, restoring, results, tables
from azogue.cli.data import Given
from azogue.cli.options import Reading, Restoring, Training
from azogue.cli.restoring import Items, Measures, Place
from azogue.cli.results import Made, Say
from azogue.disk import atomic_write
from azogue.plots import plot_denoising

#: Pictures and signals that --compare shows.
SHOWN = {"image": 8, "sequence": 3, "table": 30}
Told = tuple[dict[str, Any], "Made | None", str]


def denoise(
    path: str, new: str | None, output: str | None, asked: Restoring, training: Training, reading: Reading, say: Say
) -> Told:
    """Restore the data of `new` by what `path` is, or those of `path` by themselves.

    Parameters
    ----------
    path : str
        A model, or data to fit a denoiser on.
    new, output : str or None
    asked, training, reading : options of the command line
    say : callable
        Told what the user should know.

    Returns
    -------
    facts, made, text
        What JSON says; what is still to be written, None where it is written already; and the measures as text.

    Raises
    ------
    ValueError
        Naming the file or the option, and what is wrong with it.
    """
    _agree(path, new, asked, training)
    reporting.check(asked.report, path, new, output, asked.save)
    opened = denoisers.opened(path) if path.endswith(models.ENDING) else None
    if opened is not None:
        known = given = data.for_model(str(new), reading, opened.autoencoder_.schema_)
        given = _without(given, asked)
        if opened.kind_ == "table":
            given = given.having(models.matched(given.X, models.known_columns(opened), say))
    else:
        known = _without(_read(path, reading, training), asked)
        given = known if new is None else _matched(_without(_read(new, reading, training, known), asked), known)
    places = [path, new, asked.clean, asked.reference, asked.mask, asked.noise]
    _check_places(given, output, asked, [place for place in places if place and Path(place).exists()])
    items = restoring.items_of(given, training.size) if restoring.in_files(given) else None
    clean = None if asked.reference is None else _beside(asked.reference, "--reference", given, items, reading, asked)
    mask = None if asked.mask is None else _masks(asked.mask, given, items)
    pairs = None
    if asked.clean is not None:
        own = items if known is given else restoring.items_of(known, training.size) if items is not None else None
        found = _beside(asked.clean, "--clean", known, own, reading, asked)
        pairs = known.having(found.given.X if isinstance(found, Items) else found)
    denoiser = opened or denoisers.fitted(known, new, pairs, asked, training, say)
    if asked.save is not None:
        denoiser.save(asked.save)
        say(f"azogue: the denoiser is in {asked.save}")
    measures, shown = Measures(given.kind), _Shown(given.kind)
    if items is not None:
        noun = "files" if given.kind == "sequence" else "pictures"
        models.quietly(_by_files, denoiser, items, output, asked, clean, mask, measures, shown, about=given.path)
        made = None
        facts: dict[str, Any] = {
            "output": output,
            "rows": len(items.shapes),
            "noun": noun if len(items.shapes) > 1 else noun[:-1],
        }
    else:
        made = models.quietly(_at_once, denoiser, given, asked, clean, mask, measures, shown, reading, about=given.path)
        facts = {}
    noise = None if opened is not None and not hasattr(denoiser, "noise_") else repr(denoiser.noise_)
    facts |= {"noise": noise, **({"measures": measures.means()} if clean is not None else {})}
    if asked.compare is not None:
        shown.draw(asked.compare, items.rate if items is not None else None)
    reporting.write(asked.report, denoiser, given, say)
    return facts, made, _text(measures.means())


# -- what was asked for ------------------------------------------------------------------------------------------------


def _agree(path: str, new: str | None, asked: Restoring, training: Training) -> None:
    """Refuse options that contradict one another."""
    models.check_order(path, new)
    if path.endswith(models.ENDING):
        said = [f"--{name}" for name in ("clean", "save") if getattr(asked, name) is not None]
        said += ["--noise"] * (asked.noise != "auto")
        if said := [*said, *(name for name in training.given() if name != "--size")]:
            raise ValueError(f"{path} is trained already; leave {', '.join(said)} out")
    if asked.mask is not None and not asked.inpaint:
        raise ValueError("--mask says what --inpaint fills; add --inpaint, or leave --mask out")
    if asked.clean is not None and asked.noise == "blind":
        raise ValueError("--noise blind learns from noisy data alone; leave --clean or --noise out")
    models.check_ending(asked.save)
    if asked.compare is not None and not asked.compare.lower().endswith((".png", ".svg", ".pdf")):
        raise ValueError(f"{asked.compare}: --compare writes a picture that ends in .png, .svg or .pdf")


def _check_places(given: Given, output: str | None, asked: Restoring, inputs: list[str]) -> None:
    """Refuse files and folders that could not be written, before anything is trained."""
    results.check(output, results.way_of(given), given.path, *inputs, given=given)
    if restoring.in_files(given) and not results.is_folder(str(output)):
        ending = ".png" if given.kind == "image" else ".wav"
        if Path(str(output)).suffix.lower() != ending:
            raise ValueError(f"{output}: what comes from {given.path} is written as {ending}; name such a file")
    for place in (asked.save, asked.compare):
        if place is not None:
            tables.check_output(place, *inputs, output, stream=False)
    if asked.compare is not None:
        results.check_outside(asked.compare, *inputs)


# -- reading -----------------------------------------------------------------------------------------------------------


def _read(path: str, reading: Reading, training: Training, like: Given | None = None) -> Given:
    """Data to learn from or to restore; of the kind of other data, where there are some."""
    kind = {"auto": None}.get(training.modality, training.modality) if like is None else like.kind
    form = data.form_of(path)
    if kind is None and form == "array" and tables.read_table(path).ndim == 1:
        kind = "sequence"
    if kind is None and training.window is not None and form in ("lines", "table"):
        kind = "sequence"
    if kind in ("text", "words", "characters"):
        raise ValueError(f"{path}: texts have no noise to take off; denoise takes tables, pictures and signals")
    texts = []
    if like is not None and isinstance(like.X, pa.Table):
        texts = [field.name for field in like.X.schema if pa.types.is_string(field.type)]
    given = data.read(path, reading, kind, True, texts)
    if given.kind == "text":
        raise ValueError(f"{path}: texts have no noise to take off; denoise takes tables, pictures and signals")
    if given.kind == "table" and not len(given.X):
        raise ValueError(f"{path}: has no rows")
    if training.size is not None and not (given.kind == "image" and given.files is not None):
        raise ValueError(f"{path}: --size is for picture files; leave it out")
    return given


def _matched(given: Given, like: Given) -> Given:
    """Data with the columns of other data, in their order; further ones are copied."""
    if isinstance(like.X, pa.Table):
        if not isinstance(given.X, pa.Table):
            raise ValueError(f"{given.path}: the columns of {like.path} have names; use one kind of file")
        if lacking := [name for name in like.X.column_names if name not in given.X.column_names]:
            raise ValueError(f"{given.path}: lacks the column{'s' * (len(lacking) > 1)} {', '.join(lacking[:10])}")
        given = given.having(given.X.select(like.X.column_names))
    return given


def _without(given: Given, asked: Restoring) -> Given:
    """Data without the columns that are copied."""
    names = list(asked.keep or ())
    if given.columns is None or not names:
        return restoring.kept_out(given, names)
    rest = [at for at, name in enumerate(given.columns) if name not in names]
    if missing := [name for name in names if name not in (*given.columns, *given.others)]:
        raise ValueError(f"{given.path}: has no column {missing[0]!r} to keep; it has {', '.join(given.columns[:20])}")
    if not rest:
        raise ValueError(f"{given.path}: no column is left to learn from")
    return replace(given, X=given.X[:, rest], columns=tuple(given.columns[at] for at in rest))


def _beside(path: str, option: str, given: Given, items: Items | None, reading: Reading, asked: Restoring) -> Any:
    """The clean version of data: items for files, values for others, of the same names and shapes.

    Raises
    ------
    ValueError
    """
    other = data.read(path, reading, given.kind, True)
    if items is None:
        other = _without(other, asked)
        if isinstance(given.X, pa.Table) and isinstance(other.X, pa.Table):
            other = other.having(other.X.select([n for n in given.X.column_names if n in other.X.column_names]))
        if np.shape(other.X) != np.shape(given.X):
            raise ValueError(
                f"{option}: {path} has the shape {np.shape(other.X)}, but {given.path} {np.shape(given.X)}"
            )
        return other.X
    found = restoring.items_of(other)
    _alike(option, items, found)
    return found


def _alike(option: str, items: Items, others: Items) -> None:
    """Refuse files that are not the same pictures or sounds without noise."""
    mine, theirs = items.given.path, others.given.path
    if len(items.shapes) != len(others.shapes):
        raise ValueError(f"{option}: {theirs} holds {len(others.shapes)} files, but {mine} holds {len(items.shapes)}")
    several = items.given.form == "folder"
    for name, other, a, b in zip(items.names, others.names, items.shapes, others.shapes, strict=True):
        if several and Path(name).with_suffix("") != Path(other).with_suffix(""):
            raise ValueError(f"{option}: {theirs} has {other} where {mine} has {name}; give files of the same names")
        if a != b:
            raise ValueError(f"{option}: {other} of {theirs} has the shape {b}, but {name} of {mine} has {a}")


def _masks(path: str, given: Given, items: Items | None) -> Any:
    """What is damaged, True where it is: a list for items, an array like the data otherwise.

    Raises
    ------
    ValueError
        For a mask of another shape, or for a table.
    """
    if given.kind == "table":
        raise ValueError("--mask is for pictures and signals; leave the missing cells of a table empty")
    if not Path(path).exists():
        raise ValueError(f"--mask: {path}: there is no such file")
    found: list[np.ndarray]
    if data.form_of(path) in ("folder", "picture"):
        read = restoring.items_of(data.read(path, Reading(), "image"))
        found = [(read.load(at) != 0).any(axis=2) for at in range(len(read.shapes))]
    else:
        array = np.asarray(tables.read_table(path)) != 0
        shape = items.shapes[0] if items is not None else np.shape(given.X)[1:]
        single = array.shape in (shape, shape[:2]) or (items is not None and len(items.shapes) == 1)
        found = [array] if single else list(array)
    if items is None:
        return _mask_of_array(path, given, found)
    if len(found) == 1:
        found *= len(items.shapes)
    if len(found) != len(items.shapes):
        raise ValueError(f"--mask: {path} holds {len(found)} masks for {len(items.shapes)} files; one or as many")
    for name, mask, shape in zip(items.names, found, items.shapes, strict=True):
        if mask.shape not in (shape, shape[:2]):
            raise ValueError(f"--mask: {path} has the shape {mask.shape}, but {name} has {shape[:2]}")
    return found


def _mask_of_array(path: str, given: Given, found: list[np.ndarray]) -> np.ndarray:
    shape = np.shape(given.X)
    whole = np.stack(found) if len({part.shape for part in found}) == 1 else np.zeros(0)
    for mask in (whole, whole[..., None], whole[0] if len(whole) else whole):
        if mask.shape == shape or (given.kind == "image" and mask.shape == shape[:3]):
            return mask
        if len(whole) == 1 and mask.shape[1:] in (shape[1:], shape[1:3]) and mask.ndim > 1:
            return np.repeat(mask, shape[0], axis=0)
    raise ValueError(f"--mask: {path} has the shape {whole.shape}, but {given.path} has {shape}")


# -- restoring ---------------------------------------------------------------------------------------------------------


class _Shown:
    """What --compare draws: the first pictures, signals or rows."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.parts: list[tuple[Any, Any, Any]] = []

    def add(self, noisy: Any, restored: Any, clean: Any) -> None:
        if len(self.parts) < SHOWN[self.kind]:
            self.parts.append((noisy, restored, clean))

    def draw(self, path: str, rate: int | None) -> None:
        import io

        noisy, restored, clean = (list(part) for part in zip(*self.parts, strict=True))
        if self.kind == "table":
            noisy, restored, clean = (part[0] for part in (noisy, restored, clean))
        none = clean is None or (isinstance(clean, list) and clean[0] is None)
        ax = plot_denoising(noisy, restored, None if none else clean, modality=self.kind, rate=rate)
        buffer = io.BytesIO()
        ax.figure.savefig(buffer, format=Path(path).suffix[1:].lower(), dpi=110)  # type: ignore[union-attr]
        atomic_write(path, buffer.getvalue())


def _by_files(
    denoiser: Denoiser,
    items: Items,
    output: Any,
    asked: Restoring,
    clean: Items | None,
    mask: list[np.ndarray] | None,
    measures: Measures,
    shown: _Shown,
) -> None:
    """Restore pictures or sound, some at a time, and write them."""
    image = items.given.kind == "image"
    schema: Any = denoiser.autoencoder_.schema_
    if asked.inpaint and mask is None and image:
        raise ValueError("picture files say not what is damaged; name the damaged pixels by --mask")
    if not image and getattr(schema, "rate", None) not in (None, items.rate):
        raise ValueError(f"has {items.rate} samples a second, but the denoiser learned from {schema.rate}; resample it")
    with Place(str(output), items, results.is_folder(str(output))) as place:
        for group in items.groups():
            before = [items.load(at) for at in group]
            seen = before
            if image:
                seen = [
                    restoring.with_channels(p, schema.shape[2], items.names[k])
                    for p, k in zip(before, group, strict=True)
                ]
            marks = None if mask is None else [_like(mask[at], one) for at, one in zip(group, seen, strict=True)]
            made = denoiser.inpaint(seen, marks) if asked.inpaint else denoiser.transform(seen)
            for at, old, one in zip(group, before, made, strict=True):
                restored = restoring.as_before(np.asarray(one), old) if image else np.asarray(one)
                place.write(at, restored)
                reference = None if clean is None else clean.load(at)
                if reference is not None:
                    measures.add(reference, old, restored)
                shown.add(old, restored, reference)


def _like(mask: np.ndarray, values: np.ndarray) -> np.ndarray:
    """A mask with the axes of what it is for."""
    if mask.ndim > values.ndim:
        return np.asarray(mask.any(axis=-1))
    return mask if mask.ndim == values.ndim else np.array(np.broadcast_to(mask[..., None], values.shape))


def _at_once(
    denoiser: Denoiser,
    given: Given,
    asked: Restoring,
    clean: Any,
    mask: Any,
    measures: Measures,
    shown: _Shown,
    reading: Reading,
) -> Made:
    """Restore a table, an array or a series."""
    X, series_of_table = denoisers.for_denoiser(given), given.kind == "sequence" and given.columns is not None
    marks = [mask] if series_of_table and mask is not None else mask
    made = denoiser.inpaint(X, marks) if asked.inpaint else denoiser.transform(X)
    made = made[0] if series_of_table else made
    several = given.kind != "table" and (np.ndim(given.X) > 2 or (np.ndim(given.X) == 2 and np.shape(given.X)[1] > 16))
    several = several and not series_of_table
    for at in range(len(given.X)) if several else [slice(None)]:
        reference = None if clean is None else clean[at] if not isinstance(clean, pa.Table) else clean
        noisy, restored = (one if isinstance(one, pa.Table) else one[at] for one in (given.X, made))
        if reference is not None:
            measures.add(reference, noisy, restored)
        shown.add(noisy, restored, reference)
    way, count = results.way_of(given), len(given.X)
    if series_of_table:
        whole = data.cells(given.path, reading, series=True)
        return Made("table", restoring.around(whole, given.columns or (), np.asarray(made)), count, given.path)
    if isinstance(given.X, pa.Table):
        made = restoring.put_back(data.cells(given.path, reading), made)
    return Made(way, made, count, given.path, None, given.columns)


def _text(means: dict[str, dict[str, float | None]]) -> str:
    """Measures as lines."""
    called = {"psnr": "PSNR", "ssim": "SSIM", "snr": "SNR", "si_sdr": "SI-SDR", "rmse": "RMSE"}
    units = {"psnr": " dB", "snr": " dB", "si_sdr": " dB", "rmse": " standard deviations"}
    lines = []
    for name, pair in means.items():
        told = ["∞" if value is None else f"{value:.3f}" for value in (pair["before"], pair["after"])]
        lines.append(f"{called[name]:<7} {told[0]} → {told[1]}{units.get(name, '')}")
    return "\n".join(lines)
