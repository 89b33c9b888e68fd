"""`azogue detect`: fit a detector or open one, score rows, say why, and sort pictures out."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from azogue.applications import AnomalyDetector, thresholds
from azogue.applications.grouping import take
from azogue.autoencoder import Autoencoder
from azogue.cli import carrying, data, models, reporting, results, tables
from azogue.cli.carrying import Carry
from azogue.cli.data import Given
from azogue.cli.options import Detecting, Reading, Training, parse_size
from azogue.cli.results import Made, Say
from azogue.modalities.dataset import Dataset
from azogue.modalities.frames import column_names
from azogue.modalities.pictures import Files, list_files, survey
from azogue.report.looking import first_of, groups_of, names_of, shown_cells
from azogue.training.loop import TrainingWarning

#: Pictures that a site needs, cells of which reasons are looked for in every row, and bytes of decoded pictures.
FEWEST, MOST_CELLS, MOST_BYTES = 5, 20_000, 2**30
#: Rows beyond the threshold, the worst ones, of which files that are not read at once are asked why.
EXPLAINED = 10_000


@dataclass(frozen=True)
class Verdict:
    """What is said of rows.

    Parameters
    ----------
    scores : ndarray of float64, shape (n,)
    beyond : ndarray of bool, shape (n,)
    p : ndarray of float64, shape (n,), or None
    """

    scores: np.ndarray
    beyond: np.ndarray
    p: np.ndarray | None = None


def detect(
    path: str, new: str | None, output: str | None, asked: Detecting, training: Training, reading: Reading, say: Say
) -> tuple[Made, dict[str, Any], Carry | None]:
    """Score the rows of `path`, or those of `new` by what `path` is.

    Parameters
    ----------
    path : str
        A model, or data to fit a detector on.
    new, output : str or None
    asked, training, reading : options of the command line
    say : callable
        Told what the user should know.

    Returns
    -------
    made, facts, carry
        The table, what JSON says besides it, and the files to move or copy, which is still to be done.

    Raises
    ------
    ValueError
        Naming the file or the option, and what is wrong with it.
    """
    reporting.check(asked.report, path, new, output, asked.save)
    thresholds.check_threshold("auto" if asked.contamination is None else asked.contamination, asked.threshold)
    _agree(path, asked)
    model, known, given = _read(path, new, asked, training, reading, say)
    results.check(output, "table", given.path, path, new, given=given)
    _check_places(path, new, output, asked, given)
    if model is not None:
        model, given = models.ready(model, given, training, say)
        detector: Any = models.quietly(_known, model, asked, about=path)
        inner, verdict = detector, models.quietly(_judged, detector, given.X, asked.fdr, about=given.path)
    elif known.kind == "image" and asked.by is not None:
        inner, verdict = _by_site(known, given, asked, training, say)
    else:
        detector, rows = _fitted(known, given, asked, training)
        if asked.save is not None:
            detector.save(asked.save)
            say(f"azogue: the detector is in {asked.save}")
        inner, verdict = detector, models.quietly(_judged, detector, rows, asked.fdr, about=given.path)
    _advise(inner, verdict, asked.fdr, say)
    reporting.write(asked.report, inner, given, say)
    made = _table(inner, given, verdict, plain=model is not None and not isinstance(model, AnomalyDetector))
    carry = _carry(given, verdict, asked, path, new)
    return made, {} if carry is None else {f"to_be_{carry.done}": len(carry.files), "folder": carry.folder}, carry


# -- what was asked for ------------------------------------------------------------------------------------------------


def _agree(path: str, asked: Detecting) -> None:
    """Refuse options that contradict one another."""
    if asked.fdr is not None:
        if not 0.0 < asked.fdr < 1.0:
            raise ValueError(f"--fdr: expected a part in (0, 1), got {asked.fdr!r}")
        if said := asked.given("contamination", "threshold"):
            raise ValueError(f"--fdr says by itself which rows are anomalies; leave {' and '.join(said)} out")
    if asked.move_to is not None and asked.copy_to is not None:
        raise ValueError("--move-to and --copy-to: give one of them, not both")
    if path.endswith(models.ENDING) and (said := asked.given("novelty", "by", "save")):
        raise ValueError(f"{path} is trained already; leave {', '.join(said)} out")
    models.check_ending(asked.save)


def _read(
    path: str, new: str | None, asked: Detecting, training: Training, reading: Reading, say: Say
) -> tuple[Any, Given, Given]:
    """The model, None where one is to be fitted; what to fit on; what to score."""
    models.check_order(path, new)
    if path.endswith(models.ENDING):
        model, given = models.found(path, new, training, reading, asked.by is None)
        return model, given, given
    known = data.for_fit(path, reading, training, asked.by is None)
    models.advised(known, say)
    if asked.fdr is not None and not _holds_rows_out(known, training):
        raise ValueError(
            f"--fdr needs rows that training does not see; a detector of tables or pictures has some: leave "
            f"{', '.join(_network_options(training)) or 'it'} out"
        )
    if new is None:
        return None, known, known
    table = isinstance(known.X, (pa.Table, Dataset)) and known.kind == "table"
    texts = [field.name for field in known.X.schema if pa.types.is_string(field.type)] if table else []
    given = data.read(new, reading, known.kind, training.window is not None, texts, asked.by is None)
    if table != isinstance(given.X, (pa.Table, Dataset)) and known.kind == "table":
        raise ValueError(f"{new}: the columns of {path} {'have names' if table else 'have none'}; use one kind of file")
    return None, known, given.having(_columns(known, given, say) if table else given.X)


def _columns(known: Given, given: Given, say: Say) -> Any:
    """The columns of the rows to score that are among those to fit on."""
    names, there = known.X.column_names, given.X.column_names
    if lacking := [name for name in names if name not in there]:
        raise ValueError(f"{given.path}: lacks the column{'s' * (len(lacking) > 1)} {', '.join(lacking[:10])}")
    if extra := [name for name in there if name not in names]:
        say(f"azogue: {given.path}: {', '.join(extra[:10])}: not in {known.path}, left out")
    return given.X.select(names)


def _network_options(training: Training) -> list[str]:
    """The options that speak of one network."""
    return [name for name in training.given() if name in ("--variant", "--network", "--epochs")]


def _holds_rows_out(known: Given, training: Training) -> bool:
    return known.kind in ("table", "image") and not _network_options(training)


def _check_places(path: str, new: str | None, output: str | None, asked: Detecting, given: Given) -> None:
    """Refuse files and folders that could not be written, before anything is trained."""
    if asked.save is not None:
        tables.check_output(asked.save, path, new, output, stream=False)
    sites = given.kind == "image" and asked.by is not None
    if sites and (asked.by != "site" or given.form != "folder"):
        raise ValueError(f"{given.path}: --by {asked.by}: pictures go by site, the first level of a folder's folders")
    if asked.by is not None and given.kind not in ("table", "image"):
        raise ValueError(f"{given.path}: --by is for tables and folders of pictures")
    if sites and asked.save is not None:
        raise ValueError("--save keeps one detector, and --by site makes one a site; name the folder of one site")
    folder = asked.move_to or asked.copy_to
    if folder is not None:
        if given.kind != "image" or given.form != "folder":
            raise ValueError(f"{given.path}: --move-to and --copy-to are for folders of pictures")
        carrying.check_folder(folder, path, new)


# -- detectors ---------------------------------------------------------------------------------------------------------


def _known(model: Any, asked: Detecting) -> AnomalyDetector:
    """A detector from a file, with another threshold if one is asked for."""
    if not isinstance(model, (AnomalyDetector, Autoencoder)):
        raise ValueError(f"holds {models.named(model)}; detect takes what azogue detect --save or fit wrote")
    detector = model if isinstance(model, AnomalyDetector) else AnomalyDetector.from_fitted(model)
    contamination = "auto" if asked.contamination is None else asked.contamination
    if asked.fdr is not None and not all(
        hasattr(one, "calibration_scores_") for one in (groups_of(detector) or {"": detector}).values()
    ):
        raise ValueError(
            "--fdr needs rows that training did not see, and the file remembers none; keep a detector by azogue detect "
            "DATA --save"
        )
    if asked.contamination is not None or asked.threshold is not None:
        for one in groups_of(detector).values() or [detector]:
            one.offset_ = -thresholds.threshold_of(one.quantiles_, contamination, asked.threshold)
    return detector


def _unfitted(known: Given, asked: Detecting, training: Training) -> AnomalyDetector:
    """A detector for some data from the options of the command line."""
    own = models.unfitted(training, known) if _network_options(training) else None
    by: Any = asked.by if known.kind == "table" else None
    if by is not None and isinstance(known.X, np.ndarray):
        width = known.X.shape[1]
        if not by.isdecimal() or not 1 <= int(by) <= width:
            raise ValueError(f"{known.path}: an array has no names; --by takes a number from 1 to {width}, got {by!r}")
        by = int(by) - 1
    return AnomalyDetector(
        own,
        contamination="auto" if asked.contamination is None else asked.contamination,
        threshold=asked.threshold,
        novelty=asked.novelty,
        by=by,
        modality=data.modality(known, training),
        scaling=training.scaling if known.kind == "table" else "auto",
        random_state=training.seed,
        verbose=1,
    )


def _fitted(known: Given, given: Given, asked: Detecting, training: Training) -> tuple[AnomalyDetector, Any]:
    """A detector, and the rows to score as it takes them fastest."""
    if known.kind == "image" and known.files is not None and (asked.save is None or training.size is None):
        known, given, training = models.quietly(_decoded, known, given, training, about=known.path)
    detector = _unfitted(known, asked, training)
    models.quietly(_whole, detector, known.X, about=known.path)
    return detector, given.X


def _whole(detector: AnomalyDetector, X: Any) -> None:
    """Fit to the end: a detector of which the keyboard ended a member's training is none."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "training was interrupted", TrainingWarning)
        try:
            detector.fit(X)
        except TrainingWarning as stopped:
            raise KeyboardInterrupt from stopped


def _decoded(known: Given, given: Given, training: Training) -> tuple[Given, Given, Training]:
    """Picture files as pixels, where these fit into memory: training looks at each of them many times."""
    shape = survey(known.X, None if training.size is None else parse_size(training.size))
    if (len(known.X) + len(given.X)) * math.prod(shape) > MOST_BYTES:
        return known, given, training

    def pixels(one: Given) -> Given:
        if one.files is None:
            return one
        return one.having(Files(*list_files(one.X), shape, training.size is not None).take(slice(None)))

    seen = pixels(known)
    return seen, seen if given is known else pixels(given), replace(training, size=None)


def _judged(detector: AnomalyDetector, X: Any, fdr: float | None = None) -> Verdict:
    scores = detector.anomaly_score(X)
    p = None if fdr is None else detector.p_values(X)
    if p is not None and fdr is not None:
        return Verdict(scores, thresholds.benjamini_hochberg(p, fdr), p)
    beyond = detector.predict(X) < 0 if groups_of(detector) else scores > -detector.offset_
    return Verdict(scores, beyond)


def _advise(detector: AnomalyDetector, verdict: Verdict, fdr: float | None, say: Say) -> None:
    """Say why nothing is called an anomaly, where no row could have been."""
    if fdr is None or verdict.beyond.any() or not len(verdict.scores):
        return
    held = [len(one.calibration_scores_) for one in groups_of(detector).values() or [detector]]
    least = 1.0 / (1.0 + max(held))
    if least > fdr / len(verdict.scores):
        say(
            f"azogue: no p-value can be below {least:.2g}, since training left out {max(held):,} rows; more training "
            "rows or a larger --fdr may find anomalies"
        )


# -- sites -------------------------------------------------------------------------------------------------------------


def _by_site(
    known: Given, given: Given, asked: Detecting, training: Training, say: Say
) -> tuple[AnomalyDetector, Verdict]:
    """Each site's pictures, judged by a detector of that site's own; the last detector, and the verdict on all."""
    fits, news = _sites(known), _sites(given)
    for site, rows in fits.items():
        if len(rows) < FEWEST:
            count = f"{len(rows)} picture{'s' * (len(rows) > 1)}"
            raise ValueError(f"{known.path}: site {site!r} has {count}, and a detector needs {FEWEST}")
    if strange := [site for site in news if site not in fits]:
        raise ValueError(
            f"{given.path}: {', '.join(map(repr, strange[:10]))}: no site of {known.path}, which has {', '.join(fits)}"
        )
    scores, beyond, p = (np.zeros(len(given.X)) for _ in range(3))
    for site, rows in news.items():
        own = known.having([known.X[row] for row in fits[site]])
        new = own if given is known else given.having([given.X[row] for row in rows])
        detector, pictures = _fitted(own, new, asked, training)
        part = models.quietly(_judged, detector, pictures, asked.fdr, about=given.path)
        scores[rows], beyond[rows] = part.scores, part.beyond
        if part.p is None:
            say(f"azogue: {site}: {int(part.beyond.sum())} of {len(rows):,} beyond {-detector.offset_:.4g}")
        else:
            p[rows] = part.p
    if asked.fdr is None:
        return detector, Verdict(scores, beyond > 0)
    return detector, Verdict(scores, thresholds.benjamini_hochberg(p, asked.fdr), p)


def _sites(given: Given) -> dict[str, list[int]]:
    """The rows of each site: of each folder of the first level."""
    found: dict[str, list[int]] = {}
    for row, name in enumerate(given.files or ()):
        site, _, rest = name.partition("/")
        if not rest:
            raise ValueError(f"{given.path}: {name} lies in no site's folder; leave --by out, or move it to one")
        found.setdefault(site, []).append(row)
    return found


def _carry(given: Given, verdict: Verdict, asked: Detecting, *read: str | None) -> Carry | None:
    folder = asked.move_to or asked.copy_to
    if folder is None:
        return None
    names: Sequence[str] = given.files or ()
    files = [(Path(given.X[row]), names[row]) for row in np.flatnonzero(verdict.beyond).tolist()]
    folders = [name for name in read if name is not None and Path(name).is_dir()]
    return carrying.planned(files, folder, asked.move_to is not None, *folders)


# -- the table ---------------------------------------------------------------------------------------------------------


def _table(detector: AnomalyDetector, given: Given, verdict: Verdict, plain: bool) -> Made:
    """Where each row is, its score and verdict, and for tables the column that adds most."""
    where = data.places(given, first_of(detector).autoencoder_.schema_)
    columns = {"row": np.arange(len(verdict.scores)), **where, "score": verdict.scores, "anomaly": verdict.beyond}
    if verdict.p is not None:
        columns["p_value"] = verdict.p
    if given.kind == "table":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # said once already
            columns |= models.quietly(partial(_reasons, plain=plain), detector, given.X, verdict, about=given.path)
    return Made("table", pa.table(columns), len(verdict.scores), given.path, where.get("file"))


def _reasons(detector: AnomalyDetector, X: Any, verdict: Verdict, plain: bool) -> dict[str, Any]:
    """The column that adds most to each row's score; beyond the threshold its value, and what was expected there.

    A pass for each column: of large tables only the rows beyond the threshold are looked at.
    """
    count, beyond = len(verdict.scores), np.flatnonzero(verdict.beyond)
    if isinstance(X, Dataset) and len(beyond) > EXPLAINED:
        beyond = np.sort(beyond[np.argsort(-verdict.scores[beyond], kind="stable")[:EXPLAINED]])
    few = count * len(column_names(X, np.shape(X)[1])) <= MOST_CELLS
    X = X.read() if few and isinstance(X, Dataset) else X
    rows = np.arange(count) if few else beyond
    found: dict[str, np.ndarray] = {"column": np.full(count, "", object)}
    if not plain:
        found |= {"value": np.full(count, "", object), "expected": np.full(count, "", object)}
    if len(rows):
        reasons = detector.explain(X if few else take(X, rows))
        names = np.array(names_of(detector, X), object)
        matrix = tables.as_array(reasons) if isinstance(reasons, pa.Table) else np.asarray(reasons)
        found["column"][rows] = names[matrix.argmax(axis=1)]
    if len(beyond) and not plain:
        part = take(X, beyond)
        wanted = found["column"][beyond].tolist()
        found["value"][beyond] = shown_cells(part, column_names(X, np.shape(X)[1]), wanted)
        found["expected"][beyond] = shown_cells(detector.expected(part), names_of(detector, X), wanted)
    return {name: pa.array(values.tolist(), pa.string()) for name, values in found.items()}
