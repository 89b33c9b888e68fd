"""Texts and what a network makes of them: characters one below the other, words as bars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from azogue.drawing import FAINT, INK, new_axes
from azogue.modalities.text import read
from azogue.shades import COLORS, GREY, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from azogue.modalities.characters import CharacterSchema
    from azogue.modalities.words import WordSchema

    Texts = list[str | None]

#: Characters of a line, texts whose words are drawn, and words of each.
MOST_LETTERS, MOST_TEXTS, MOST_WORDS = 90, 6, 6
#: Points of a character's height, and its width as a part of that in DejaVu Sans Mono.
SIZE, WIDE = 9.0, 0.602
#: The colour of wrong characters.
WRONG = COLORS[5]
#: Of texts that take no room beside the Axes.
_INSIDE: dict[str, Any] = {"clip_on": True, "in_layout": False}
#: Characters that would not be seen, and what stands for them.
_SEEN = {"\n": "↵", "\r": "↵", "\t": "⇥"}
#: What stands where a reconstruction has ended too early.
_ENDED = "·"
_UNITS = {"count": "count", "binary": "probability", "tfidf": "weight (tf-idf)"}


def first_texts(X: Any, n: int) -> Texts:
    """The first n texts of any container or file, None where missing."""
    return next(read(X).parts(n))[:n]


def draw_characters(owner: Any, rows: Texts, seen: Texts | None, copies: Texts, ax: Axes | None) -> Axes:
    """Each text with its reconstruction below it, character by character; the wrong ones are in colour."""
    schema: CharacterSchema = owner.schema_
    places = min(schema.length, MOST_LETTERS)
    names = ["input", "reconstruction"] if seen is None else ["seen", "input", "reconstruction"]
    step = len(names) + 0.6
    texts = [text for part in (rows, copies, seen or ()) for text in part if text is not None]
    letters = min(max([12, *map(len, texts)]), places)
    if ax is None:
        ax = new_axes(max(1.5 + letters * SIZE * WIDE / 72, 4.0), 0.5 + 0.19 * step * len(rows))
    size = min(SIZE, 72 * ax.get_window_extent().width / ax.figure.dpi / (letters + 1) / WIDE)
    wrong = whole = 0
    for at, (text, copy) in enumerate(zip(rows, copies, strict=True)):
        top = at * step
        lines = [] if seen is None else [(seen[at], None)]
        for number, (line, truth) in enumerate([*lines, (text, None), (copy, text)]):
            _write(ax, top + number, line, None if truth is None else truth[: schema.length], size)
        if text is not None:
            faults = _faults(text[: schema.length], copy or "")
            wrong, whole = wrong + sum(faults), whole + len(faults)
    ax.set(xlim=(0, letters + 1), ylim=((len(rows) - 1) * step + len(names) - 0.3, -0.7))
    ax.spines[:].set_visible(False)
    ax.set_xticks([])
    heights = [at * step + number for at in range(len(rows)) for number in range(len(names))]
    ax.set_yticks(heights, names * len(rows), fontsize="x-small", color=FAINT)
    ax.tick_params(length=0)
    ax.set_xlabel(f"{wrong:,} of {whole:,} characters are wrong", color=WRONG if wrong else FAINT, fontsize="small")
    return ax


def _faults(text: str, copy: str) -> list[bool]:
    """For each place of either, whether they differ."""
    longest = max(len(text), len(copy))
    return [a != b for a, b in zip(text.ljust(longest, "\0"), copy.ljust(longest, "\0"), strict=True)]


def _write(ax: Axes, y: float, line: str | None, truth: str | None, size: float) -> None:
    """A line, its wrong characters in a colour of their own: two texts of one width, blanks where the other stands."""
    style = {"family": "DejaVu Sans Mono", "size": size, "va": "center_baseline", "parse_math": False, **_INSIDE}
    if line is None:
        ax.text(0, y, "missing", **style, color=GREY)
        return
    faults = [False] * len(line) if truth is None else _faults(truth, line)
    shown = [_SEEN.get(sign, sign if sign.isprintable() else "\ufffd") for sign in line]
    shown += [_ENDED] * (len(faults) - len(line))
    shown, faults = [*shown[:MOST_LETTERS], *"…"[: len(shown) > MOST_LETTERS]], [*faults[:MOST_LETTERS], False]
    good = "".join(" " if bad else sign for sign, bad in zip(shown, faults, strict=False))
    ax.text(0, y, good, **style, color=INK)
    if any(faults):
        bad = "".join((sign if sign != " " else "␣") if bad else " " for sign, bad in zip(shown, faults, strict=False))
        ax.text(0, y, bad, **style, color=WRONG, weight="bold")


def draw_words(owner: Any, rows: Texts, seen: Texts | None, copies: Texts, ax: Axes | None) -> Axes:
    """The largest words of each text and of its reconstruction as bars beside one another."""
    schema: WordSchema = owner.schema_
    rows, seen = rows[:MOST_TEXTS], None if seen is None else seen[:MOST_TEXTS]
    before = schema.pack(rows).x.numpy()
    bars = [
        ("input", before, COLORS[0]),
        ("reconstruction", _expected(owner, rows if seen is None else seen), COLORS[1]),
    ]
    if seen is not None:
        bars.insert(0, ("seen", schema.pack(seen).x.numpy(), GREY))
    thick = 0.8 / len(bars)
    ticks: list[float] = []
    words: list[str] = []
    y = 0.0
    ax = new_axes(7.0, 0.9 + 0.21 * (MOST_WORDS + 1.4) * len(rows)) if ax is None else ax
    for at, text in enumerate(rows):
        largest = np.max([values[at] for _, values, _ in bars], axis=0)
        chosen = [int(word) for word in np.argsort(-largest, kind="stable")[:MOST_WORDS] if largest[word] > 0]
        title = "missing" if text is None else f"“{short(' '.join(text.split()), 70)}”"
        ax.text(0, y, f" {title}", va="center", fontsize="small", color=FAINT, style="italic", **_INSIDE)
        places = y + 1 + np.arange(len(chosen))
        for number, (name, values, color) in enumerate(bars):
            offset = (number - (len(bars) - 1) / 2) * thick
            ax.barh(places + offset, values[at, chosen], thick, color=color, label="" if at else name)
        ticks += places.tolist()
        words += [short(schema.words[word], 24) for word in chosen]
        y += len(chosen) + 1.4
    ax.set_yticks(ticks, words, fontsize="small")
    ax.set(ylim=(y - 0.6, -0.8), xlabel=_UNITS[schema.weighting])
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="y", length=0)
    ax.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=len(bars), frameon=False, borderaxespad=0.0)
    return ax


def _expected(owner: Any, rows: Texts) -> NDArray[np.float32]:
    """What the network expects of each word, (n, words), in the units of the weighting."""
    from azogue.inference import Reader

    reader = Reader(owner.network_, owner.recipe_.objective)
    return np.asarray(reader.reconstructed(owner.schema_.pack(rows)).numpy())
