"""Faults, injected for longer than the tests do: kills, and threads and processes at once.

python benchmarks/faults.py kills                        # 200 × kill −9 during training
SECONDS=300 python benchmarks/faults.py together         # 8 threads in each of 4 processes for five minutes
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from faults.killing import kills
from faults.together import together


def killed(options: argparse.Namespace) -> bool:
    """200 × kill −9: no unreadable checkpoint, and every run ends in the bits of the one that nothing stopped."""
    found = kills(options.kills, options.seed, lambda text: print(f"  {text}", flush=True))
    for what, count in found.items():
        print(f"  {count:>6}  {what}")
    return True


def at_once(options: argparse.Namespace) -> bool:
    """Scoring, saving, loading and training at once: no wrong answer, memory flat within 5 %."""
    found = together(options.seconds, options.threads, options.processes)
    print(f"  {options.threads} threads in each of {options.processes} processes, {options.seconds:g} s")
    for what, count in found["done"].items():
        print(f"  {count:>8,}  {what}")
    print(f"  wrong answers: {len(found['wrong'])} {found['wrong'][:3] or ''}")
    print(f"  temporary files left: {found['temporary files left']}")
    print(f"  growth of memory: {', '.join(f'{100 * part:+.1f} %' for part in found['growth of memory'])}")
    print(f"  MiB at the end: {', '.join(map(str, found['MiB at the end']))}")
    return not found["wrong"] and max(found["growth of memory"]) < 0.05


PARTS = {"kills": killed, "together": at_once}


def main() -> None:
    """Run the parts; exit status 1 where one does not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="*", choices=[[], *PARTS])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=float(os.environ.get("SECONDS", "300")))
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--processes", type=int, default=4)
    options = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    held = []
    for name in options.part or PARTS:
        print(f"\n{name}: {PARTS[name].__doc__}")
        begun = time.perf_counter()
        held.append(PARTS[name](options))
        print(f"  {time.perf_counter() - begun:.0f} s")
    sys.exit(0 if all(held) else 1)


if __name__ == "__main__":
    main()
