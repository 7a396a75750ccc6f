"""What a release took: requests, retries, failures, time; limits as they moved; samples."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from locomo_assets.analysis.accuracy import Accuracy
from locomo_assets.history import database
from locomo_assets.http.limits import LimitChange

_WORKLOAD = Path(__file__).with_name("effort.sql")


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


def effort_of(database_path: Path, row: Accuracy) -> Effort:
    """The effort behind a row of `reporting.accuracy.by_release`."""
    given = {
        name: getattr(row, name)
        for name in ("release", "system", "judge", "question_protocol", "dataset_sha256")
    }
    with database.open_read_only(database_path) as connection:
        [found] = connection.execute(_WORKLOAD.read_text(), given).fetchall()
    return Effort(*found)


_SAMPLES = Path(__file__).with_name("samples.sql")
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class SampleRow:
    """One day's sample of a series. `change_points` is against the sample before it."""

    release: str
    sample_id: str
    system: str
    judge: str
    question_protocol: str
    questions: int
    scored: int
    correct: int
    error_percent: float
    accuracy_percent: float | None
    low_percent: float | None
    high_percent: float | None
    change_points: float | None
    latency_p50_ms: float | None
    cost_usd: float
    memory_of: str


def sample_rows(database_path: Path) -> list[SampleRow]:
    """All samples, newest first."""
    with database.open_read_only(database_path) as connection:
        return [SampleRow(*row) for row in connection.execute(_SAMPLES.read_text()).fetchall()]


def sample_table(rows: Sequence[SampleRow], max_error_percent: float) -> str:
    """The newest rows as a Markdown table; what has too many errors is called invalid."""
    names = (
        *("sample", "accuracy %", "95 % interval", "change", "correct", "scored", "questions"),
        *("errors %", "USD", "memory of", "system", "judge", "protocol", "sample id"),
    )
    lines = ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    for row in rows[:_SHOWN]:
        number = _text(row.accuracy_percent)
        cells = (
            row.release,
            number if row.error_percent <= max_error_percent else f"invalid ({number})",
            f"{_text(row.low_percent)} – {_text(row.high_percent)}",
            _text(row.change_points),
            str(row.correct),
            str(row.scored),
            str(row.questions),
            _text(row.error_percent),
            f"{row.cost_usd:.4f}",
            row.memory_of,
            row.system,
            row.judge,
            row.question_protocol,
            row.sample_id,
        )
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def _text(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


SHOWN = 100


def limits_table(changes: Sequence[LimitChange]) -> str:
    """Markdown, oldest change first; of more than `SHOWN` changes the last ones."""
    lines = ["| time (UTC) | line | at once | why |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {one.changed_at:%H:%M:%S.%f} | {one.endpoint} | {one.limit} | {one.why} |"
        for one in changes[-SHOWN:]
    ]
    left_out = len(changes) - SHOWN
    return "\n".join([*lines, *([f"\n{left_out} earlier changes are left out."] * (left_out > 0))])
