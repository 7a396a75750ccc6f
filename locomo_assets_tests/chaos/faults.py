"""The service's faults in the second part of `make chaos`, and a run through one of them."""

import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from locomo_assets.standin.settings import CONNECTION_DROPPED, GATEWAY_STATUSES, StandinSettings
from locomo_assets_tests.chaos.outcome import read_outcome
from locomo_assets_tests.chaos.place import Place, served
from locomo_assets_tests.chaos.result import Result
from locomo_assets_tests.chaos.small_dataset import small_dataset

SHARE = 0.15
"""Of the requests that a fault strikes."""
RUNS = 4
"""At most: the first while the fault strikes. A later one may be the first to notice damage."""
_RUN_S = 600.0


@dataclass(frozen=True, slots=True)
class Fault:
    """A row of the table: its name, the stand-in's settings, and the journal's name for it."""

    name: str
    kind: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def longest_s(self) -> float:
        """How late a request may take effect."""
        late_s: tuple[float, float] = self.settings.get("late_s", (0.0, 0.0))
        return late_s[1]


def _refused_after(status: int) -> Fault:
    settings = {"refused_after_share": SHARE, "refused_after_statuses": (status,)}
    return Fault(f"refused after the work, {status}", "refused_after", settings)


def _late(name: str, statuses: tuple[int, ...], late_s: tuple[float, float]) -> Fault:
    settings = {"late_share": SHARE, "late_statuses": statuses, "late_s": late_s}
    return Fault(f"late, {name}", "late", settings)


_EITHER = (CONNECTION_DROPPED, *GATEWAY_STATUSES)

FAULTS = (
    Fault("answer lost", "lost_answer", {"lost_answer_share": SHARE}),
    Fault("stream cut", "cut_stream", {"cut_stream_share": 2 * SHARE}),
    *map(_refused_after, GATEWAY_STATUSES),
    _late("connection dropped, by 0.2 to 8 s", (CONNECTION_DROPPED,), (0.2, 8.0)),
    *(_late(f"{status}, by 0.2 to 8 s", (status,), (0.2, 8.0)) for status in GATEWAY_STATUSES),
    *(
        _late(f"any, by {late_s:g} s", _EITHER, (late_s, late_s))
        for late_s in (0.3, 2.0, 8.0, 66.0)
    ),
)


def run_fault(fault: Fault, protocol: str) -> Result:
    """Runs while the fault strikes; and again, if need be, once the service has recovered.

    There is need where the numbers are not valid, or where they rest on a turn that landed late.
    """
    settings = StandinSettings(memory_delay_ms=20.0, **fault.settings)
    with tempfile.TemporaryDirectory() as folder:
        dataset = small_dataset(Path(folder))
        with served(Path(folder), dataset, settings=settings) as place:
            place.settings["LOCOMO_QUESTION_PROTOCOL"] = protocol
            codes: list[int] = []
            while len(codes) < RUNS:
                codes.append(_exit_code(place))
                place.end_faults()
                _wait_for_the_late(place, fault)
                outcome = read_outcome(place, valid=codes[-1] == 0)
                if codes[-1] == 0 and not outcome.doubled:
                    break
            injected = sum(what == fault.kind for _, what in place.events("fault"))
    return Result(fault.name, protocol, injected, outcome, codes)


def _exit_code(place: Place) -> int:
    with place.running() as process:
        _, errors = process.communicate(timeout=_RUN_S)
        if process.returncode != 0:
            lines = [line for line in errors.splitlines() if line.startswith("error: ")]
            print(*lines, sep="\n", file=sys.stderr, flush=True)
        return process.returncode


def _wait_for_the_late(place: Place, fault: Fault) -> None:
    """Waits until all that was late has landed, some time after the run's end."""
    struck = [at for at, what in place.events("fault") if what == fault.kind]
    due = max(struck, default=0.0) + fault.longest_s
    time.sleep(max(0.0, due - time.time()) + 0.5)
