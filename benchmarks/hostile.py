"""Files that mean harm: how soon they are refused, 100,000 mutated model files, and fuzzers for as long as one likes.

python benchmarks/hostile.py files
python benchmarks/hostile.py mutations --tries 100000
python benchmarks/hostile.py fuzz --seconds 60 --seed 0 [--only schema]
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path.insert(0, str(TESTS))


def hostile() -> int:
    """Time and memory of the refusal of each hostile file of the tests."""
    import hostile_files

    with tempfile.TemporaryDirectory() as folder:
        paths = {name: str(path) for name, path in hostile_files.make(Path(folder)).items()}
        run = [sys.executable, str(TESTS / "hostile_run.py")]
        done = subprocess.run(run, input=json.dumps(paths), stdout=subprocess.PIPE, text=True, check=True)
    told = json.loads(done.stdout)
    for name, one in told["files"].items():
        wall, cpu, mib = one["seconds"] * 1e3, one["cpu"] * 1e3, one["bytes"] / 2**20
        print(f"{name:<36} {wall:8.1f} ms ({cpu:7.1f} of CPU) {mib:7.1f} MiB  {one['error'][:1]}")
    accepted = [name for name, one in told["files"].items() if not one["error"]]
    slowest, cpu, most = (max(one[what] for one in told["files"].values()) for what in ("seconds", "cpu", "bytes"))
    print(
        f"{len(told['files'])} files, slowest {slowest:.3f} s, most CPU {cpu:.3f} s, most memory "
        f"{most / 2**20:.0f} MiB, accepted: {accepted or 'none'}, what else happened: {told['happened'] or 'nothing'}"
    )
    return bool(accepted or told["happened"])


def mutations(tries: int, seed: int) -> int:
    """Mutated model files: each is refused with a ModelFileError."""
    import azogue as az
    import fuzzers

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        seeds = fuzzers.models(place)
        path, took, worked, same, wrong = place / "mutated.azogue", [], [], 0, []
        path.touch()
        for number in range(tries):
            rng = random.Random(f"mutation {seed} {number}")
            good = rng.choice(seeds)
            bad = fuzzers.bytes_changed(good, rng)
            if bad == good:
                same += 1
                continue
            with path.open("r+b") as stream:
                stream.write(bad)
                stream.truncate()
            begun, cpu = time.perf_counter(), time.process_time()
            try:
                az.load(path)
                wrong.append(f"{number}: accepted")
            except az.ModelFileError:
                pass
            except Exception as error:
                wrong.append(f"{number}: {error!r}"[:300])
            took.append(time.perf_counter() - begun)
            worked.append(time.process_time() - cpu)
    ordered = sorted(took)
    sizes = [len(one) for one in seeds]
    print(
        f"{len(took):,} mutated files of {len(seeds)} models of {min(sizes):,} to {max(sizes):,} bytes ({same} changed "
        f"nothing): median {statistics.median(took) * 1e3:.3f} ms, 99.9 % below "
        f"{ordered[int(0.999 * len(ordered))] * 1e3:.2f} ms, slowest {ordered[-1] * 1e3:.1f} ms "
        f"({max(worked) * 1e3:.1f} of CPU); accepted, or refused "
        f"with another error: {len(wrong)}"
    )
    print("\n".join(wrong[:20]))
    return bool(wrong)


def fuzz(seconds: float, seed: int, only: str | None) -> int:
    """All fuzzers in turn, each for its share of the time."""
    import fuzzers

    names = [only] if only else list(fuzzers.TARGETS)
    findings = []
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            told = fuzzers.fuzzed(name, Path(folder, name), seed, seconds=seconds / len(names))
            findings += told["findings"]
            tries, accepted, found = told["tries"], told["accepted"], len(told["findings"])
            print(
                f"{name:<10} {tries:>8,} tries, {accepted:>7,} taken, at most {told['slowest']:.3f} s, {found} found",
                flush=True,
            )
    print("\n".join(findings[:100]))
    return bool(findings)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("part", choices=["files", "mutations", "fuzz"])
    parser.add_argument("--tries", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only")
    asked = parser.parse_args()
    if asked.part == "files":
        return hostile()
    return (
        mutations(asked.tries, asked.seed) if asked.part == "mutations" else fuzz(asked.seconds, asked.seed, asked.only)
    )


if __name__ == "__main__":
    sys.exit(main())
