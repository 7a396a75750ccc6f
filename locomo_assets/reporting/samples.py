"""The daily samples as people read them.

Here: reading `sample_trend` and laying it out. A sample's accuracy stands beside other days' of the
same sample and nothing else: its questions are few, and its memory is that of an earlier run.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from locomo_assets.history import lens

_SQL = Path(__file__).with_name("samples.sql")
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


def sample_rows(lens_path: Path) -> list[SampleRow]:
    """All samples, newest first."""
    with lens.open_read_only(lens_path) as connection:
        return [SampleRow(*row) for row in connection.execute(_SQL.read_text()).fetchall()]


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
