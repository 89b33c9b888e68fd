"""What the studio can do with data: each use runs the verb of the command line of the same name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from azogue.applications import AnomalyDetector, Anonymizer, Denoiser, Imputer, SemanticHasher, Synthesizer
from azogue.applications.merging import gaps
from azogue.autoencoder import Autoencoder
from azogue.cli import anonymizing, data, denoising, detecting, imputing, models, results, samples, searching
from azogue.cli.options import Detecting, Filling, Hashing, Hiding, Reading, Restoring, Training
from azogue.cli.results import Made, Say
from azogue.shortcuts import kinds, load
from azogue.studio.fields import SEED, SIZE, Field


@dataclass(frozen=True)
class Place:
    """Where a run reads and writes.

    Parameters
    ----------
    path : str
        The data to learn from, or a model.
    new : str or None
        The data, where `path` is a model.
    folder : Path
        An empty one, for all that is made.
    reading : Reading
    """

    path: str
    new: str | None
    folder: Path
    reading: Reading

    @property
    def model(self) -> str:
        """The file of what is fitted; None of a model that is there already is written."""
        return str(self.folder / "model.azogue")

    def out(self, name: str) -> str:
        """The path of something else that is made."""
        return str(self.folder / name)

    @property
    def save(self) -> str | None:
        """Where verbs are told to save what they fit."""
        return None if self.new is not None else self.model

    def fitted(self) -> Any:
        """What was fitted, read back from its file, or the model that was there."""
        return load(self.path if self.new is not None else self.model)


@dataclass(frozen=True)
class Outcome:
    """What a run made.

    Parameters
    ----------
    model : fitted estimator
    made : Made or None
        The result as a table or pictures; None where files were written.
    result : str
        The name of the result's file or folder.
    lines : tuple of str
        What people read of it.
    table : list of dict
        Facts by column.
    pages : dict
        Pages that were written: name of the file → what it is.
    """

    model: Any
    made: Made | None
    result: str
    lines: tuple[str, ...] = ()
    table: list[dict[str, Any]] = field(default_factory=list)
    pages: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Use:
    """Something that an autoencoder is good for.

    Parameters
    ----------
    name, label, text : str
    run : callable
        `(place, options, say) → Outcome`.
    fields : tuple of Field
    kinds : tuple of str
        The kinds of data that it takes.
    takes : tuple of type
        The models that it goes on with.
    """

    name: str
    label: str
    text: str
    run: Callable[[Place, dict[str, Any], Say], Outcome]
    fields: tuple[Field, ...]
    takes: tuple[type, ...]
    kinds: tuple[str, ...] = ("table", "image")

    def refusal(self, given: Any) -> str | None:
        """Why it is not for some data; None if it is."""
        if given.kind not in self.kinds:
            return f"not for {data.ROWS[given.kind]}"
        if self.name == "impute" and not gaps(given.X).any():
            return "no cell is missing"
        return None


def _training(options: dict[str, Any], at: Place, **more: Any) -> Training:
    """What verbs take as options of training; nothing of it for a model that is trained."""
    if at.new is not None:
        return Training()
    return Training(seed=options["seed"], size=options.get("size") or None, **more)


def _reduce(at: Place, options: dict[str, Any], say: Say) -> Outcome:
    own = {"variant": options["variant"], "network": str(options["units"]), "epochs": options["epochs"]}
    training = _training(options, at, **own)
    model, given = models.ready(*models.found(at.path, at.new, training, at.reading), training, say)
    if at.new is None:
        model.save(at.model)
    made = models.codes(model, given)
    return Outcome(model, _written(made, at.out("codes.csv"), say), "codes.csv")


def _written(made: Made, path: str, say: Say) -> Made:
    results.write(made, path, say)
    return made


def _detect(at: Place, options: dict[str, Any], say: Say) -> Outcome:
    asked = Detecting(contamination=options["contamination"], save=at.save)
    out = at.out("scores.csv")
    made, _, _ = detecting.detect(at.path, at.new, out, asked, _training(options, at), at.reading, say)
    model = at.fitted()
    model = AnomalyDetector.from_fitted(model) if isinstance(model, Autoencoder) else model
    found = int(made.values["anomaly"].to_numpy(zero_copy_only=False).sum())
    line = f"{found:,} of {made.count:,} are beyond the threshold; 1 is usual, higher is worse"
    return Outcome(model, _written(made, out, say), "scores.csv", (line,))


def _denoise(at: Place, options: dict[str, Any], say: Say) -> Outcome:
    noise = options["noise"] if at.new is None else "auto"
    asked = Restoring(noise="auto" if noise == "from the data" else f"{noise}:{options['amount']:g}", save=at.save)
    given = data.read(at.new or at.path, at.reading, None)
    files = given.files is not None
    out = "restored" if files else f"restored{'.csv' if isinstance(given.X, pa.Table) else '.npy'}"
    training = replace(_training(options, at), size=options.get("size") or None) if files else _training(options, at)
    _, made, text = denoising.denoise(at.path, at.new, at.out(out), asked, training, at.reading, say)
    made = None if made is None else _written(made, at.out(out), say)
    return Outcome(at.fitted(), made, out, tuple(text.splitlines()))


def _impute(at: Place, options: dict[str, Any], say: Say) -> Outcome:
    asked = Filling(save=at.save, seed=options["seed"])
    out = at.out("filled.csv")
    facts, made, _ = imputing.impute(at.path, at.new, out, asked, at.reading, say)
    if made is not None:
        _written(made, out, say)
    line = f"{facts['filled']:,} cells of {facts['rows']:,} rows are filled; what was observed stays as it is"
    model = at.fitted()
    table = facts["by_column"]
    return Outcome(model if isinstance(model, Imputer) else None, made, "filled.csv", (line,), table)


def _anonymize(at: Place, options: dict[str, Any], say: Say) -> Outcome:
    audit = at.out("audit.html") if options["audit"] else None
    fresh = at.new is None
    asked = Hiding(
        sensitive=(options["sensitive"] or None) if fresh else None,
        utility=(options["utility"] or None) if fresh else None,
        strength=options["strength"] if fresh else 1.0,
        audit=audit,
        save=at.save,
        seed=options["seed"] if fresh else None,
    )
    out = at.out("released.csv")
    _, made, text = anonymizing.anonymize(at.path, at.new, out, asked, at.reading, say)
    lines = tuple(line for line in text.splitlines() if line.strip())
    lines = tuple(line.split("; --audit")[0] for line in lines if "findings and notes" not in line)
    pages = {} if audit is None else {"audit.html": "What attackers find"}
    return Outcome(at.fitted(), _written(made, out, say), "released.csv", lines, pages=pages)


def _hash(at: Place, options: dict[str, Any], say: Say) -> Outcome:
    fresh = at.new is None
    asked = Hashing(options["bits"]) if fresh else Hashing()
    index = at.out("index.azogue")
    _, text = searching.hash_rows(at.path, at.new, index, asked, _training(options, at), at.reading, say)
    model = load(index)
    made = Made("table", pa.table({"code": [code.tobytes().hex() for code in model.codes_]}), len(model.codes_), "")
    line = text.split(": ", 1)[-1].split(", from")[0]
    return Outcome(model, _written(made, at.out("codes.csv"), say), "codes.csv", (line,))


def _synthesise(at: Place, options: dict[str, Any], say: Say) -> Outcome:
    page = at.out("judged.html") if options["judge"] and at.new is None else None
    asked = samples.Asked(options["rows"], save=at.model, seed=options["seed"], evaluate=page)
    made, _, _ = samples.sample(at.path, at.out("drawn.csv"), asked, at.reading, say)
    pages = {} if page is None else {"judged.html": "Drawn rows beside real ones"}
    return Outcome(load(at.model), _written(made, at.out("drawn.csv"), say), "drawn.csv", pages=pages)


#: The uses, in the order of the page.
USES = (
    Use(
        "reduce",
        "Reduce",
        "A few numbers for each row: a map to look at, and a way back.",
        _reduce,
        (
            Field("units", "Units of the code", "whole", 2, least=1, most=1024),
            Field("variant", "Variant", "choice", "basic", choices=tuple(kinds())),
            Field("epochs", "Passes over the rows, at most", "whole", 100, least=1, most=100_000),
            SIZE,
            SEED,
        ),
        (Autoencoder,),
    ),
    Use(
        "detect",
        "Find anomalies",
        "Which rows do not fit, and which column is why.",
        _detect,
        (
            Field(
                "contamination",
                "Part of the rows beyond the threshold",
                "number",
                None,
                least=1e-6,
                most=0.5,
                help="Empty: 2.5 robust standard deviations.",
            ),
            SIZE,
            SEED,
        ),
        (AnomalyDetector,),
    ),
    Use(
        "denoise",
        "Take off noise",
        "Rows or pictures without the noise that nothing else tells of.",
        _denoise,
        (
            Field("noise", "Noise", "choice", "from the data", choices=("from the data", "gaussian", "masking")),
            Field("amount", "How much", "number", 0.1, least=0.001, most=1, help="Not used where it is from the data."),
            SIZE,
            SEED,
        ),
        (Denoiser,),
    ),
    Use(
        "impute",
        "Fill gaps",
        "Missing cells, told from the others of their row, and how surely.",
        _impute,
        (SEED,),
        (Imputer,),
        ("table",),
    ),
    Use(
        "anonymize",
        "Anonymise",
        "Rows of which a column is harder to tell: pseudonymised, not anonymous.",
        _anonymize,
        (
            Field("sensitive", "Columns that must not be told", "columns", (), help="None: whose row it is."),
            Field("utility", "Columns that must still be told", "columns", ()),
            Field("strength", "How much is given up for it", "number", 1.0, least=0, most=100),
            Field("audit", "Attack the result, and write a page on it", "yes", default=False),
            SEED,
        ),
        (Anonymizer,),
        ("table",),
    ),
    Use(
        "hash",
        "Hash",
        "Short binary codes that differ little where rows are alike: find the ones most like one.",
        _hash,
        (Field("bits", "Bits, a multiple of 8", "whole", 64, least=8, most=512), SIZE, SEED),
        (SemanticHasher,),
    ),
    Use(
        "synthesise",
        "Draw new rows",
        "Rows with the same columns that were never there, under conditions.",
        _synthesise,
        (
            Field("rows", "How many rows", "whole", 1000, least=1, most=1_000_000),
            Field("judge", "Judge them beside a quarter of the rows, held out", "yes", default=False),
            SEED,
        ),
        (Synthesizer,),
        ("table",),
    ),
)
BY_NAME = {use.name: use for use in USES}


def use_of(model: Any) -> Use | None:
    """What a fitted model is for."""
    return next((use for use in USES if isinstance(model, use.takes)), None)
