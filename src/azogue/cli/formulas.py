"""Texts that a spreadsheet would take for formulas, in CSV files that are written.

A CSV knows no types: a cell `=HYPERLINK(...)` is a text here and a program in a spreadsheet (CWE-1236). Results are
written as they are, for whoever reads them again, and a warning says which texts would be run; `azogue --safe-csv VERB`
puts an apostrophe before them, which spreadsheets take for "this is text". Numbers are never touched.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from azogue.cli.options import SAFE_CSV, say

#: What formulas begin with; the wide forms too, which some spreadsheets take for the narrow ones.
_BEGINS = "^[=@\\t\\r\\n＝＠＋－]|^[+\\-]"
#: Signs that begin none: of numbers, and alone.
_HARMLESS = r"^[+\-]*$|^[+\-]\s?[0-9.,][0-9.,\s]*([eE][+\-]?[0-9]+)?\s?%?$"


def for_spreadsheets(table: pa.Table, path: str) -> pa.Table:
    """The table as it is, with a warning, or with apostrophes where `--safe-csv` asks for them.

    Parameters
    ----------
    table : pyarrow.Table
        Without dictionary columns.
    path : str
        For the warning.
    """
    names = pa.array(table.column_names, pa.string())
    columns, found, example = list(table.columns), 0, ""
    for at, column in enumerate([*columns, names]):
        if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
            continue
        runs = formulas(column)
        if count := pc.sum(runs).as_py() or 0:
            found += count
            example = example or pc.filter(column, runs)[0].as_py()
            safe = pc.if_else(runs, pc.binary_join_element_wise(pa.scalar("'", column.type), column, ""), column)
            if at < len(columns):
                columns[at] = safe
            else:
                names = safe
    if not found:
        return table
    if SAFE_CSV.get():
        return pa.table(columns, names=names.to_pylist())
    say(
        f"azogue: {path}: {found:,} text{'s' * (found > 1)} such as {example[:40]!r} would be run by a "
        "spreadsheet that opens it; azogue --safe-csv puts an apostrophe before them"
    )
    return table


def formulas(texts: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Which texts a spreadsheet would take for formulas; missing ones are none.

    Examples
    --------
    >>> formulas(pa.array(["=1+1", "-1.5", "-", "@SUM(A1)", "+34 600 111", "-x", None, "a=b"])).to_pylist()
    [True, False, False, True, False, True, False, False]
    """
    begins = pc.match_substring_regex(texts, _BEGINS)
    harmless = pc.match_substring_regex(texts, _HARMLESS)
    return pc.fill_null(pc.and_not(begins, harmless), False)
