"""What the verbs share: their options, and how faults become one line and an exit status. Nothing heavy is imported."""

from __future__ import annotations

import json
import re
import sys
from contextvars import ContextVar
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal

import typer

from azogue.cli.spoken import spoken

Data = Annotated[
    str, typer.Argument(metavar="MODEL|DATA", help="A model with data behind it, or data to fit on the spot.")
]
New = Annotated[str | None, typer.Argument(metavar="DATA", help="The data, where a model comes first.")]
Output = Annotated[str | None, typer.Option("--output", "-o", help="File to write; standard output if none.")]
Place = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        help="File to write, or folder for pictures and WAV files; standard output if none, for tables and texts.",
    ),
]
Page = Annotated[
    str | None,
    typer.Option(
        "--report",
        metavar="FILE",
        help="Page to write besides (.html, .json, .md): the model, and these data in it.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")]


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version as installed

        print(f"azogue {installed('azogue')}")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which version this is.")
]
#: Whether texts that a spreadsheet would run get an apostrophe in CSV files that are written.
SAFE_CSV: ContextVar[bool] = ContextVar("azogue_safe_csv", default=False)


def _safely(context: typer.Context, asked: bool) -> bool:
    token = SAFE_CSV.set(asked)
    context.call_on_close(lambda: SAFE_CSV.reset(token))
    return asked


SafeCsv = Annotated[
    bool,
    typer.Option("--safe-csv", callback=_safely, help="In CSV, put ' before texts that a spreadsheet would run."),
]


def parse_size(text: str) -> tuple[int, int]:
    """`28x32` → height and width.

    Examples
    --------
    >>> parse_size("28x32")
    (28, 32)
    """
    found = re.fullmatch(r"([1-9][0-9]{0,8})[xX×]([1-9][0-9]{0,8})", text.strip())
    if found is None:
        raise ValueError(f"expected height and width such as 28x28, got {text!r}")
    return int(found[1]), int(found[2])


def _size(text: str | None) -> str | None:
    try:
        _ = text is None or parse_size(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return text


@dataclass(frozen=True)
class Cells:
    """How a table is read from a file."""

    drop: Annotated[list[str] | None, typer.Option("--drop", help="A column to leave out; may be repeated.")] = None
    header: Annotated[bool, typer.Option(help="Whether the first line of a CSV names the columns.")] = True
    missing: Annotated[str | None, typer.Option(help="A further text that marks a missing cell, such as '?'.")] = None


@dataclass(frozen=True)
class Reading(Cells):
    """How data of any kind are read."""

    column: Annotated[
        str | None, typer.Option(help="The column of a table that holds the texts, where the data are texts.")
    ] = None


@dataclass(frozen=True)
class Training:
    """What is trained, where a verb trains."""

    modality: Annotated[
        Literal["auto", "table", "image", "sequence", "text", "words", "characters"],
        typer.Option(
            help="What the data are; auto goes by the file, and takes .csv and .txt as tables. text is words: one text "
            "a line of a .txt, or a --column."
        ),
    ] = "auto"
    window: Annotated[
        int | None, typer.Option(min=1, help="Samples of a row that is cut from a long series or a WAV file.")
    ] = None
    size: Annotated[
        str | None,
        typer.Option(metavar="HxW", callback=_size, help="Height and width that picture files are brought to."),
    ] = None
    variant: Annotated[
        str,
        typer.Option(
            help="A variant by its short name, such as basic, denoising or variational; a wrong name lists all."
        ),
    ] = "basic"
    network: Annotated[str, typer.Option(help="auto, a code size (2), widths (64,32,2) or fractions (0.5,0.1).")] = (
        "auto"
    )
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the rows, at most.")] = 100
    scaling: Annotated[str, typer.Option(help="auto, standard, minmax, robust or none.")] = "auto"
    seed: Annotated[int | None, typer.Option(help="Same seed, same result.")] = None

    def given(self) -> list[str]:
        """The options that say something."""
        return [f"--{item.name}" for item in fields(self) if getattr(self, item.name) != item.default]


@dataclass(frozen=True)
class Keeping:
    """Where the state of a training is kept, and how often."""

    checkpoint: Annotated[
        str | None, typer.Option(help="File that keeps the state of training; an interrupted run goes on from it.")
    ] = None
    checkpoint_minutes: Annotated[
        float | None, typer.Option(help="Save it every so many minutes instead of after each epoch.")
    ] = None
    checkpoint_epochs: Annotated[int | None, typer.Option(min=1, help="Save it every so many epochs.")] = None
    resume: Annotated[bool, typer.Option(help="Whether to go on from the checkpoint where it is there.")] = True

    def place(self) -> Any:
        """What `checkpoint=` takes."""
        if self.checkpoint is None:
            if self.checkpoint_minutes is not None or self.checkpoint_epochs is not None:
                raise ValueError("--checkpoint-minutes and --checkpoint-epochs need --checkpoint, the file to write")
            return None
        from azogue.training.checkpoint import Checkpoint

        try:
            return Checkpoint(self.checkpoint, self.checkpoint_minutes, self.checkpoint_epochs)
        except ValueError as error:
            raise ValueError(str(error).replace("Checkpoint: ", "--checkpoint-")) from None


@dataclass(frozen=True)
class Mapping(Training):
    """What is trained for a map: a code of two units."""

    network: Annotated[
        str, typer.Option(help="A code size (2 or 3 to see all of it), widths (64,32,2), fractions or auto.")
    ] = "2"


@dataclass(frozen=True)
class Detecting:
    """What is called an anomaly, and what is done with it."""

    contamination: Annotated[float | None, typer.Option(help="Part of the training rows beyond the threshold.")] = None
    threshold: Annotated[
        str | None,
        typer.Option(help="Instead: mean+6sd of the training rows' scores, with any number, or a quantile: q0.99."),
    ] = None
    fdr: Annotated[
        float | None,
        typer.Option(help="Instead: the part of the rows called anomalies that may be usual ones; adds p_value."),
    ] = None
    novelty: Annotated[bool, typer.Option("--novelty", help="All training rows are usual.")] = False
    by: Annotated[
        str | None,
        typer.Option(
            help="One detector for each value of this column; of a .npy or .npz file, its number from 1. Of a folder "
            "of pictures: site, its first level of folders."
        ),
    ] = None
    save: Annotated[str | None, typer.Option(help="Model file to write the fitted detector to.")] = None
    move_to: Annotated[
        str | None, typer.Option(metavar="DIR", help="Folder that pictures beyond the threshold are moved to.")
    ] = None
    copy_to: Annotated[str | None, typer.Option(metavar="DIR", help="The same; the pictures stay where they are.")] = (
        None
    )
    report: Page = None

    def given(self, *names: str) -> list[str]:
        """Those of some options that say something."""
        return [f"--{name.replace('_', '-')}" for name in names if getattr(self, name) not in (None, False)]


@dataclass(frozen=True)
class Filling:
    """How cells are filled, and what is told of it."""

    m: Annotated[
        int | None,
        typer.Option(
            "-m", min=1, metavar="M", help="Draw M completed tables, OUT-01.csv and so on, for multiple imputation."
        ),
    ] = None
    keep: Annotated[
        list[str] | None,
        typer.Option("--keep", help="A column that is copied and not learned from, such as an id; may be repeated."),
    ] = None
    save: Annotated[str | None, typer.Option(help="Model file to write the fitted imputer to.")] = None
    report: Annotated[
        str | None, typer.Option(metavar="FILE", help="Page to write (.html, .json, .md): what was filled, how surely.")
    ] = None
    seed: Annotated[int | None, typer.Option(help="Same seed, same result.")] = None


@dataclass(frozen=True)
class Locking:
    """Where secrets come from. A passphrase is never an argument, which other users of a machine can see."""

    key_file: Annotated[
        str | None, typer.Option(metavar="FILE", help="A secret key, as --new-key or age-keygen write it.")
    ] = None
    passphrase: Annotated[
        bool, typer.Option("--passphrase", help="Use a passphrase: of AZOGUE_PASSPHRASE, or asked for.")
    ] = False
    passphrase_file: Annotated[
        str | None, typer.Option(metavar="FILE", help="Use a passphrase: the first line of this file.")
    ] = None


@dataclass(frozen=True)
class Restoring:
    """How noise is taken off, and what is told of it."""

    noise: Annotated[
        str,
        typer.Option(
            help="auto; blind: DATA are noisy; a corruption such as gaussian or gaussian:0.1; or a WAV file or folder "
            "of recorded noise, mixed at --snr."
        ),
    ] = "auto"
    snr: Annotated[
        str, typer.Option(metavar="LOW,HIGH", help="dB between which recorded noise is mixed in while training.")
    ] = "0,20"
    clean: Annotated[
        str | None, typer.Option(metavar="CLEAN", help="The same as DATA without noise, to learn from pairs.")
    ] = None
    reference: Annotated[
        str | None,
        typer.Option(metavar="CLEAN", help="IN without noise: how near the result comes to it is measured."),
    ] = None
    inpaint: Annotated[
        bool, typer.Option("--inpaint", help="Fill only what is damaged or missing; all else stays as it is.")
    ] = False
    mask: Annotated[
        str | None,
        typer.Option(help="What is damaged for --inpaint: a picture, a folder of them or an array, not 0 where it is."),
    ] = None
    compare: Annotated[
        str | None, typer.Option(metavar="FILE", help="Picture to write (.png, .svg, .pdf): before and after.")
    ] = None
    keep: Annotated[
        list[str] | None,
        typer.Option("--keep", help="A column that is copied as it is, such as a time; may be repeated."),
    ] = None
    save: Annotated[str | None, typer.Option(help="Model file to write the fitted denoiser to.")] = None
    report: Page = None


@dataclass(frozen=True)
class Hiding:
    """What must not be told of rows that are released, what must, and how it is measured."""

    sensitive: Annotated[
        list[str] | None,
        typer.Option(
            "--sensitive",
            help="A column that must not be told from the others; may be repeated. Of a .npy or .npz table its number "
            "from 1; of windows and pictures a file with a label for each.",
        ),
    ] = None
    utility: Annotated[
        list[str] | None,
        typer.Option("--utility", help="A column that must still be told, named in the same way; may be repeated."),
    ] = None
    method: Annotated[
        Literal["auto", "adversarial", "average", "replace", "reconstruct"],
        typer.Option(help="How rows are changed; auto: adversarial in tables with --sensitive, else average."),
    ] = "auto"
    strength: Annotated[float, typer.Option(min=0.0, help="How much is given up for it.")] = 1.0
    replace: Annotated[
        list[str] | None,
        typer.Option("--replace", help="A value of the sensitive label whose windows or pictures are replaced."),
    ] = None
    epsilon: Annotated[
        float | None,
        typer.Option(help="Trains with differential privacy: what is protected are the weights, not released rows."),
    ] = None
    audit: Annotated[
        str | None,
        typer.Option(
            "--audit", "--report", metavar="FILE", help="Page to write (.html, .json, .md): what attackers find."
        ),
    ] = None
    save: Annotated[
        str | None, typer.Option(help="Model file to write the fitted anonymizer to; to be kept as safe as the data.")
    ] = None
    seed: Annotated[int | None, typer.Option(help="Same seed, same result.")] = None

    def given(self) -> list[str]:
        """The options of fitting that say something."""
        fitting = [item for item in fields(self) if item.name != "audit"]
        return [f"--{item.name}" for item in fitting if getattr(self, item.name) not in (item.default, [])]


@dataclass(frozen=True)
class Hashing:
    """How rows become binary codes."""

    bits: Annotated[int, typer.Option(help="Bits of a code, a multiple of 8 from 8 to 512.")] = 64
    labels: Annotated[
        str | None,
        typer.Option(
            help="A column whose equal values shall have near codes, never an input; of an array, its number from 1."
        ),
    ] = None
    report: Page = None
    groups: Annotated[
        int | None,
        typer.Option(min=0, metavar="BITS", help="Say which rows are in one group: codes that differ in so few bits."),
    ] = None

    def given(self) -> list[str]:
        """The options of fitting that say something."""
        return [name for name, said in (("--bits", self.bits != 64), ("--labels", self.labels is not None)) if said]


def say(text: str) -> None:
    """Tell the user something besides the result."""
    sys.stderr.write(f"{spoken(text)}\n")


def emit(result: dict[str, Any], as_json: bool, text: str) -> None:
    """Print the result."""
    print(json.dumps(result) if as_json else spoken(text))


def tell(text: str) -> None:
    """Print a result for people."""
    print(spoken(text))
