"""The verb that draws new rows: what it takes, and what it calls."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from azogue.cli.guarding import guarded, taking
from azogue.cli.options import Cells, Json, Place, emit, say

Page = Annotated[
    str | None,
    typer.Option(
        "--evaluate",
        "--report",
        metavar="FILE",
        help="Page to write (.html, .json, .md): drawn rows, without --where, judged beside a quarter of DATA that "
        "is not learned from then.",
    ),
]
Target = Annotated[str | None, typer.Option(help="With --evaluate: a column that drawn rows should teach to tell.")]
Histories = Annotated[
    str | None,
    typer.Option(
        "--events",
        metavar="ID,ORDER,EVENT",
        help="The columns of a long table that has a line for each event: whose, when, which. Then -n counts records, "
        "such as patients.",
    ),
]


@guarded
@taking(reading=Cells)
def sample(
    data: Annotated[
        str, typer.Argument(metavar="MODEL|DATA", help="A table to learn from, or a saved model that draws rows.")
    ],
    n: Annotated[int, typer.Option("-n", "--rows", min=0, metavar="N", help="How many rows.")] = 1000,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            metavar="COLUMN=VALUE",
            help="What every row must be: sex=Male, age>=40, 'age<50', sex!=Male; COLUMN= is missing. May be repeated: "
            "values of one column are alternatives, everything else holds together.",
        ),
    ] = None,
    output: Place = None,
    constraint: Annotated[
        list[str] | None,
        typer.Option("--constraint", metavar="TEXT", help="What holds in every row, such as 'start <= end'."),
    ] = None,
    method: Annotated[
        Literal["auto", "masked", "recurrent", "variational", "adversarial"],
        typer.Option(help="How rows are learned; auto: masked, column by column; recurrent where --events is given."),
    ] = "auto",
    events: Histories = None,
    epsilon: Annotated[
        float | None, typer.Option(help="Trains with differential privacy (extra privacy): ε of the network's weights.")
    ] = None,
    save: Annotated[str | None, typer.Option(help="Model file to write the fitted synthesizer to.")] = None,
    evaluate: Page = None,
    target: Target = None,
    seed: Annotated[int | None, typer.Option(help="Same seed, same result.")] = None,
    json_: Json = False,
    *,
    reading: Cells,
) -> None:
    """Draw new rows like those of DATA, with the same columns; of a saved variational model, what it was fitted on.

    Drawn rows are not anonymous because they are drawn: what they tell of real ones is to be measured.
    """
    from azogue.cli import samples
    from azogue.cli.writing import write

    asked = samples.Asked(
        n, tuple(where or ()), tuple(constraint or ()), method, epsilon, save, seed, evaluate, target, events
    )
    made, facts, text = samples.sample(data, output, asked, reading, say)
    if output is None and json_:
        emit(facts | samples.rows_of(made), True, "")
        return
    write(made, output, json_, facts)
    if text:
        say(text)
