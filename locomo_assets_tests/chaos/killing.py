"""Which run is killed when: at random points, some in each stage."""

import random
import time
from collections.abc import Sequence
from functools import partial

from locomo_assets_tests.chaos.place import Done, Kill, Place, until

STAGES = ("turns", "answers", "verdicts")
"""What the server does for each stage, by the names of `Done`."""


def kill_runs(place: Place, stages: Sequence[str], dice: random.Random) -> list[Kill]:
    """Starts a run and kills it (SIGKILL) while the stage goes on, for each stage given."""
    kills = []
    for number, stage in enumerate(stages):
        same_to_come = stages[number:].count(stage)
        with place.running() as process:
            begun: Done = place.done()
            goal = _goal(place, stage, begun, same_to_come, dice)
            until(partial(_has_come_to, place, stage, goal), process)
            process.kill()
            kills.append(Kill(stage, time.time(), place.done()))
    return kills


def _has_come_to(place: Place, stage: str, goal: int) -> bool:
    return int(getattr(place.done(), stage)) >= goal


def _goal(place: Place, stage: str, begun: Done, to_come: int, dice: random.Random) -> int:
    """A random point of the work that is left, early enough for the kills to come."""
    now = int(getattr(begun, stage))
    whole = place.turns if stage == "turns" else place.questions
    return now + dice.randint(1, max(1, (whole - now) // (to_come + 1)))
