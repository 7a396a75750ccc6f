"""The workload behind a series: its requests, retries, failures and time."""

from dataclasses import dataclass
from pathlib import Path

from locomo_assets.analysis.accuracy import Accuracy
from locomo_assets.history import database

_SQL = Path(__file__).with_name("workload.sql")


@dataclass(frozen=True, slots=True)
class Workload:
    """What measuring a series took: `requests`, of which `requests_failed` for good.

    `tries` counts every attempt at a request; `repeats` are the tries after a failed one.
    `minutes` is the time at work, without the pauses between runs.
    """

    judge_system: str | None
    requests: int
    tries: int
    repeats: int
    requests_failed: int
    minutes: float


def read_workload(database_path: Path, row: Accuracy) -> Workload:
    """The workload behind a row of `accuracy.by_release`."""
    parameters = {
        name: getattr(row, name)
        for name in ("release", "system", "judge", "question_protocol", "dataset_sha256")
    }
    with database.open_read_only(database_path) as connection:
        [found] = connection.execute(_SQL.read_text(encoding="utf-8"), parameters).fetchall()
    return Workload(*found)
