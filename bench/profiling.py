"""Where a run's processor time goes: `python -m bench.profiling DATASET`.

Here: py-spy over one `locomo-assets run` against a served stand-in without latency, and its
samples counted by package, by function, and within functions of the project.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.serving import served
from bench.work import cut
from locomo_assets.standin.settings import StandinSettings

_RATE = 100
_TOP = 25


def stacks(source: Path, share: float) -> Iterator[tuple[list[str], int]]:
    """(frames from the outermost in, samples) of whichever thread held the interpreter."""
    with tempfile.TemporaryDirectory() as folder, served(StandinSettings()) as server:
        work = cut(source, Path(folder) / "work.json", share=share)
        raw = Path(folder) / "stacks.txt"
        spy = Path(sys.executable).with_name("py-spy")
        subprocess.run(
            [
                *(
                    str(spy),
                    "record",
                    "--gil",
                    "--format",
                    "raw",
                    "--rate",
                    str(_RATE),
                    "-o",
                    str(raw),
                ),
                *("--", sys.executable, "-m", "locomo_assets.cli", "run"),
                *("--dataset", str(work.path), "--release", "r1"),
            ],
            env={**os.environ, **server.environment(), "LOCOMO_HOME": f"{folder}/home"},
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for line in raw.read_text().splitlines():
            frames, _, count = line.rpartition(" ")
            yield frames.split(";"), int(count)


def top(counted: Counter[str], total: int) -> list[str]:
    """Markdown rows: share of all samples, and name."""
    return [
        f"| {100 * count / total:.1f} % | `{name}` |" for name, count in counted.most_common(_TOP)
    ]


def tables(sampled: Sequence[tuple[list[str], int]]) -> str:
    """Markdown: time by package and by function, then within each function, callees included."""
    packages: Counter[str] = Counter()
    own: Counter[str] = Counter()
    within: Counter[str] = Counter()
    for frames, count in sampled:
        named = [_named(frame) for frame in frames]
        packages[_package(named)] += count
        own[named[-1]] += count
        for name in set(named):
            within[name] += count
    total = sum(own.values())
    ours = Counter({name: count for name, count in within.items() if "locomo_assets" in name})
    head = ["| share | where |", "| --- | --- |"]
    lines = ["By package (imports apart):", "", *head, *top(packages, total), ""]
    lines += ["Own time:", "", *head, *top(own, total), ""]
    lines += ["Within functions of the project, what they call included:", "", *head]
    lines += top(ours, total)
    return "\n".join(lines)


def _package(named: Sequence[str]) -> str:
    """Of the innermost frame; whatever happens while a module is loaded is importing."""
    if any("_find_and_load" in name for name in named):
        return "importing"
    place = named[-1].split(" ")[0]
    return place.split("/")[0] if "/" in place else place.removesuffix(".py") or "none"


def _named(frame: str) -> str:
    name, _, place = frame.rpartition(" (")
    path = place.rstrip(")").rsplit(":", 1)[0]
    return f"{path.split('site-packages/')[-1]} {name}"


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--share", type=float, default=0.3)
    given = parser.parse_args()
    print(tables(list(stacks(given.dataset, given.share))))


if __name__ == "__main__":
    main()
