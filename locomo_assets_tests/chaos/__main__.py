"""`make chaos`: kills runs over a whole data set, and runs through each kind of fault."""

import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from locomo_assets.errors import LocomoError
from locomo_assets.locomo.parsing import read_dataset
from locomo_assets_tests.chaos.faults import FAULTS, run_fault
from locomo_assets_tests.chaos.killing import STAGES, kill_runs
from locomo_assets_tests.chaos.place import served
from locomo_assets_tests.chaos.result import PROTOCOLS, Result, markdown, write_between_marks
from locomo_assets_tests.chaos.takeovers import TAKEOVERS, run_takeover

SHARES = (0.5, 0.25, 0.25)
"""Of the kills: while turns are told, questions answered, verdicts given."""
AT_ONCE = 10
"""Faults that are run through side by side; they wait more than they work."""


class Part(StrEnum):
    """What is done."""

    KILLS = "kills"
    FAULTS = "faults"
    ALL = "all"


def main(
    dataset: Annotated[str, typer.Argument(help="Path of a LoCoMo file, for the kills.")],
    *,
    kills: Annotated[int, typer.Option(min=1)] = 20,
    seed: Annotated[int | None, typer.Option(help="To repeat a run's points.")] = None,
    part: Annotated[Part, typer.Option(help="Killed runs, the table of faults, or both.")] = (
        Part.ALL
    ),
    only: Annotated[str, typer.Option(help="Only faults with this in their name.")] = "",
    write: Annotated[Path | None, typer.Option(help="The page that gets the table.")] = None,
) -> None:
    """Disturb runs, then check the server's own record."""
    if part != Part.FAULTS:
        _kill(dataset, kills, random.randrange(2**32) if seed is None else seed)
    if part != Part.KILLS:
        _strike(only, write)


def _kill(dataset: str, kills: int, seed: int) -> None:
    print(f"{kills} kills, seed {seed}", flush=True)
    try:
        data = read_dataset(str(Path(dataset).absolute()))
    except LocomoError as error:
        raise SystemExit(f"error: {error}") from None
    shares = [round(kills * share) for share in SHARES[1:]]
    numbers = (kills - sum(shares), *shares)
    stages = [stage for stage, n in zip(STAGES, numbers, strict=True) for _ in range(n)]
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as home, served(Path(home), data) as place:
        done = kill_runs(place, stages, random.Random(seed))
        place.finish(timeout_s=3600)
        for name, number in place.counts(done).items():
            print(f"{name:<60} {number:>8,}")
        for name, number in place.may_be_repeated(done).items():
            print(f"{f'of {name}, repeated at most':<60} {number:>8,}")
        print(f"{'seconds':<60} {time.monotonic() - begun:>8,.0f}")
        place.assert_whole()
        place.assert_little_was_paid_twice(done)
    print(
        "each turn once and in order at the server; each question once, with a verdict; repeated: "
        "no more than what was lost or not yet saved"
    )


def rows() -> dict[tuple[str, str], Callable[[], Result]]:
    """Fault and protocol → what runs through it."""
    return {
        **{(one.name, p): partial(run_fault, one, p) for one in FAULTS for p in PROTOCOLS},
        **{(one.name, p): partial(run_takeover, one, p) for one in TAKEOVERS for p in PROTOCOLS},
    }


def _told(name: tuple[str, str], run: Callable[[], Result]) -> Result | None:
    try:
        result = run()
    except (AssertionError, subprocess.TimeoutExpired) as error:
        print(f"error: {', '.join(name)}: can't be made: {error}", file=sys.stderr, flush=True)
        return None
    print(*result.cells(), sep="  ", file=sys.stderr, flush=True)
    return result


def _strike(only: str, write: Path | None) -> None:
    begun = time.monotonic()
    cases = {name: run for name, run in rows().items() if only in name[0]}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        # The last ones wait longest, so they begin first.
        running = {name: pool.submit(_told, name, cases[name]) for name in reversed(cases)}
        made = {name: running[name].result() for name in cases}
    results = [result for result in made.values() if result is not None]
    table = markdown(results)
    print(table)
    print(f"{len(results)} rows, {time.monotonic() - begun:.0f} s", file=sys.stderr)
    if len(results) < len(made):
        raise SystemExit("error: rows are missing, so nothing is written: the lines above say why")
    if write is not None:
        write_between_marks(write, table)
    wrong = [f"{one.fault}, {one.protocol}" for one in results if not one.is_right()]
    if wrong:
        raise SystemExit(
            f"error: turns doubled unnoticed or lost, or paid twice: {'; '.join(wrong)}"
        )


if __name__ == "__main__":
    typer.run(main)
