"""`make chaos`: kills runs over a whole data set at random points, and prints the counts."""

import random
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from locomo_assets.errors import LocomoError
from locomo_assets.locomo.parsing import read_dataset
from locomo_assets_tests.chaos.killing import STAGES, kill_runs
from locomo_assets_tests.chaos.place import served

SHARES = (0.5, 0.25, 0.25)
"""Of the kills: while turns are told, questions answered, verdicts given."""


def main(
    dataset: Annotated[str, typer.Argument(help="Path of a LoCoMo file.")],
    kills: Annotated[int, typer.Option(min=1)] = 20,
    seed: Annotated[int | None, typer.Option(help="To repeat a run's points.")] = None,
) -> None:
    """Kill runs at random points, then check the server's record against the history."""
    seed = random.randrange(2**32) if seed is None else seed
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


if __name__ == "__main__":
    typer.run(main)
