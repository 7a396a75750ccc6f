"""What the numbers of a release took: requests, repeats, failures, time at work.

Here: reading it. Whether it was too much is decided in `quality.release`.
"""

from dataclasses import dataclass
from pathlib import Path

from locomo_assets.history import lens
from locomo_assets.reporting.accuracy import Accuracy

_SQL = Path(__file__).with_name("effort.sql")


@dataclass(frozen=True, slots=True)
class Effort:
    """What a series took: `requests` of which `requests_failed` for good, in `tries` of which
    `repeats` followed a failed one; `minutes` at work.
    """

    judge_system: str | None
    requests: int
    tries: int
    repeats: int
    requests_failed: int
    minutes: float


def effort_of(lens_path: Path, row: Accuracy) -> Effort:
    """The effort behind a row of `reporting.accuracy.by_release`."""
    given = {
        name: getattr(row, name)
        for name in ("release", "system", "judge", "question_protocol", "dataset_sha256")
    }
    with lens.open_read_only(lens_path) as connection:
        [found] = connection.execute(_SQL.read_text(), given).fetchall()
    return Effort(*found)
