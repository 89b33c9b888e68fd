"""How time and memory grow, what a start costs, and the figure: parts of `speed.py`, which is what to run.

python benchmarks/speed.py --part growth --part memory --part start --figure growth.svg
"""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from arena import HERE, Case, contest, forget_peak, status

if TYPE_CHECKING:
    from pathlib import Path

# -- growth -----------------------------------------------------------------------------------------------------------


def _case(rows: int, columns: int, hidden: list[int], code: int) -> Case:
    side = [*["relu"] * len(hidden), "linear"]
    X = np.random.default_rng(0).standard_normal((rows, columns), dtype=np.float32)
    return Case(X, [columns, *hidden, code, *hidden[::-1], columns], [*side, *side], epochs=1)


def sweeps(options: Any) -> dict[str, dict[int, Case]]:
    """What grows → its sizes → the case; everything else stays."""
    cap = options.cap
    rows = sorted({cap(10**power) for power in (3, 4, 5, 6)})
    return {
        "rows": {n: _case(n, 30, [64], 32) for n in rows},
        "columns": {n: _case(cap(5_000), n, [64], 32) for n in (10, 100, 1_000, 10_000)},
        "code": {n: _case(cap(20_000), 100, [128], n) for n in (2, 8, 32, 128)},
        "hidden layers a side": {n: _case(cap(20_000), 30, [64] * n, 8) for n in (1, 2, 4, 8)},
    }


def growth(options: Any) -> dict[str, Any]:
    """Seconds of a fit of one epoch against rows, columns, code and depth, batch 256: ours and the eager loop."""
    found: dict[str, Any] = {}
    kinds = {title: options.contestants[title] for title in ("azogue", "torch, eager")}
    for what, cases in sweeps(options).items():
        rounds = min(options.rounds, 3)
        named = {str(size): options.race(case, rounds) for size, case in cases.items()}
        raced = contest(named, kinds, rounds, options.threads, options.patience)
        print(f"  {what:>22}" + "".join(f"{title + ' s':>16}{'µs/step':>10}" for title in kinds) + f"{'ratio':>8}")
        found[what] = {"sizes": list(cases), **{title: [] for title in kinds}}
        for size, rows in raced.items():
            cells = ""
            for row in rows:
                seconds = row.get("seconds")
                found[what][row["title"]].append(seconds)
                told = f"{seconds:.4g}" if seconds else row.get("error", row.get("absent", "?"))
                cells += f"{told:>16}" + (f"{1e6 * seconds / row['steps']:>10.0f}" if seconds else "")
            both = [row.get("seconds") for row in rows]
            print(f"  {size:>22}{cells}" + (f"{both[1] / both[0]:>8.2f}" if all(both) else ""))
    for title in kinds:
        slope(found["rows"], title)
    return found


def slope(sweep: dict[str, Any], title: str) -> None:
    """Print the exponent of time in rows: over all sizes, and between the last two, where fixed costs are gone."""
    seconds, sizes = sweep[title], sweep["sizes"]
    if None in seconds or len(sizes) < 2:
        return
    logs = np.log(sizes), np.log(seconds)
    overall = float(np.polyfit(*logs, 1)[0])
    last = float((logs[1][-1] - logs[1][-2]) / (logs[0][-1] - logs[0][-2]))
    sweep[f"{title}, exponent"], sweep[f"{title}, last exponent"] = overall, last
    print(f"  {title}: time grows with rows to the power {overall:.2f}, {last:.2f} between the last two sizes")


# -- memory -----------------------------------------------------------------------------------------------------------

#: what is measured → MiB allowed beyond the input
LIMITS = {"fit": 300, "fit, rows as they are": 300, "errors": 100, "transform": 100}


def memory(options: Any) -> dict[str, Any]:
    """1,000,000 × 30 float32: growth of the peak above what the process held, rows included, before the call."""
    rows, found = options.cap(1_000_000), {}
    size = rows * 30 * 4 / 2**20
    print(
        f"  the input takes {size:.0f} MiB; limits are the input and 300 MiB for fit, the input and 100 for the others"
    )
    print(f"  {'':<24}{'growth':>10}{'limit':>10}{'seconds':>10}   MiB")
    for what, beyond in LIMITS.items():
        command = [sys.executable, str(HERE / "speed.py"), "--memory", what, str(rows)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            found[what] = {"error": done.stderr.strip().splitlines()[-1]}
            print(f"  {what:<24}  failed: {found[what]['error'][:150]}")
            continue
        grown, seconds = map(float, done.stdout.split())
        found[what] = {"growth": grown, "limit": size + beyond, "input": size, "seconds": seconds}
        word = "" if grown <= beyond else "more than the limit without a copy of the input"
        word = word if grown <= size + beyond else "MISSED"
        print(f"  {what:<24}{grown:>10.0f}{size + beyond:>10.0f}{seconds:>10.2f}   {word}")
    return found


def measure_memory(what: str, rows: int) -> str:
    """In a process of its own: MiB by which `what` raises the peak, and its seconds."""
    from azogue import Autoencoder

    X = np.random.default_rng(0).standard_normal((rows, 30), dtype=np.float32)
    ae = Autoencoder((64, 32), epochs=1, batch_size=256, random_state=0)
    if what == "fit, rows as they are":
        ae.set_params(scaling="none", validation_fraction=0.0)
    if not what.startswith("fit"):
        ae.fit(X[:20_000])
    call = {"errors": ae.errors, "transform": ae.transform}.get(what, ae.fit)
    base = status()
    forget_peak()
    begun = time.perf_counter()
    call(X)
    return f"{status('VmHWM') - base} {time.perf_counter() - begun}"


# -- start ------------------------------------------------------------------------------------------------------------

STARTS = {
    "python alone": ["-c", "pass"],
    "import azogue": ["-c", "import azogue"],
    "azogue --help": ["-m", "azogue", "--help"],
    "from azogue import Autoencoder": ["-c", "from azogue import Autoencoder"],
    "import torch": ["-c", "import torch"],
    "import jax": ["-c", "import jax"],
    "Keras on torch": ["-c", "import os; os.environ['KERAS_BACKEND'] = 'torch'; import keras"],
    "Keras on JAX": ["-c", "import os; os.environ['KERAS_BACKEND'] = 'jax'; import keras"],
    "skorch": ["-c", "import skorch"],
    "PyOD AutoEncoder": ["-c", "from pyod.models.auto_encoder import AutoEncoder"],
    "pythae": ["-c", "from pythae.models import AE; from pythae.pipelines import TrainingPipeline"],
}


def start(options: Any) -> dict[str, Any]:
    """Seconds of whole processes that import, or answer --help: medians, taking turns."""
    times: dict[str, list[float]] = {name: [] for name in STARTS}
    bad: dict[str, str] = {}
    for _ in range(2 * options.rounds):
        for name in [name for name in STARTS if name not in bad]:
            begun = time.perf_counter()
            done = subprocess.run([sys.executable, *STARTS[name]], capture_output=True, text=True, check=False)
            times[name].append(time.perf_counter() - begun)
            if done.returncode:
                bad[name] = done.stderr.strip().splitlines()[-1]
    print(f"  {'':<32}{'median':>9}{'least':>9}{'most':>9}")
    for name, values in times.items():
        told = (
            f"{np.median(values):>9.3f}{min(values):>9.3f}{max(values):>9.3f}" if name not in bad else "  " + bad[name]
        )
        print(f"  {name:<32}{told}")
    return {name: bad.get(name, {"median": float(np.median(seen)), "runs": seen}) for name, seen in times.items()}


# -- the figure -------------------------------------------------------------------------------------------------------


def races(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The races among the parts, by a heading; each draws as bars."""
    named = {name: found[name] for name in ("tabular", "iris", "vae", "deep", "population") if name in found}
    named |= {f"digits, {name}": race for name, race in found.get("wide", {}).items()}
    return {name: race for name, race in named.items() if any("ratio" in row for row in race["contestants"])}


def figure(found: dict[str, Any], path: Path) -> None:
    """Draw the races as bars of the time relative to ours, and growth as lines."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    bars, lines = races(found), found.get("growth", {})
    panels = len(bars) + len(lines)
    if not panels:
        print("  nothing to draw: no race and no growth among the parts")
        return
    across = 1 if panels == 1 else 2
    down = -(-panels // across)
    sizes = [0.6 + 0.24 * len(race["contestants"]) for race in bars.values()] + [2.8] * len(lines)
    heights = [max(1.6, *sizes[row * across : (row + 1) * across]) for row in range(down)]
    settings = {"layout": "constrained", "squeeze": False, "height_ratios": heights}
    drawn, axes = plt.subplots(down, across, figsize=(5.8 * across, sum(heights) + 0.4), **settings)
    places = iter(axes.flat)
    for name, race in bars.items():
        draw_race(next(places), name, race)
    for what, sweep in lines.items():
        draw_growth(next(places), what, sweep)
    for place in places:
        place.set_visible(False)
    drawn.savefig(path, dpi=150)
    plt.close(drawn)
    print(f"\ndrawn: {path}")


def draw_race(place: Any, name: str, race: dict[str, Any]) -> None:
    """Bars of the time of a fit relative to ours, slowest at the bottom, each with its ratio and loss."""
    rows = sorted((row for row in race["contestants"] if "ratio" in row), key=lambda row: -row["ratio"])
    values = [row["ratio"] for row in rows]
    shades = ["#b5651d" if row["title"].startswith("azogue") else "#8aa0b4" for row in rows]
    bars = place.barh([row["title"] for row in rows], values, color=shades, height=0.7)
    named = [f"{row['ratio']:.2f} ×   loss {row['loss']:.3g}" for row in rows]
    plain = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
    place.bar_label(bars, named, padding=4, fontsize=8, bbox=plain)
    if max(values) > 8:
        place.set_xscale("log")
        place.set_xlim(min(0.5, *values), max(values) ** 1.6)
    else:
        place.set_xlim(0, max(values) * 1.55)
    place.axvline(1, color="#b5651d", linewidth=0.8, linestyle=":", zorder=0)
    place.set_title(f"{name}: time of a fit, ours = 1", fontsize=10, loc="left")
    place.tick_params(labelsize=8)
    place.spines[["top", "right"]].set_visible(False)


def draw_growth(place: Any, what: str, sweep: dict[str, Any]) -> None:
    """Lines of seconds against a size, both logarithmic."""
    points: list[tuple[float, float]] = []
    for title, colour in (("azogue", "#b5651d"), ("torch, eager", "#5b7488")):
        mine = [(size, value) for size, value in zip(sweep["sizes"], sweep[title], strict=True) if value]
        place.loglog(*np.transpose(mine or [(1, np.nan)]), marker="o", markersize=4, color=colour, label=title)
        points += mine
    if not points:
        return
    place.set_xticks(sweep["sizes"], [f"{size:,}" for size in sweep["sizes"]])
    place.minorticks_off()
    low, high = (np.log10(edge(value for _, value in points)) for edge in (min, max))
    place.set_ylim(10 ** np.floor(low), 10 ** np.ceil(high))
    place.set_xlabel(what, fontsize=9)
    place.set_ylabel("seconds an epoch", fontsize=9)
    place.set_title(f"growth with {what}", fontsize=10, loc="left")
    place.tick_params(labelsize=8)
    place.legend(frameon=False, fontsize=8)
    place.spines[["top", "right"]].set_visible(False)
