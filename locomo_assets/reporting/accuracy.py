"""Accuracy as people read it: rows from the lens, as tables and a small chart.

Here: reading the `accuracy_*` views and laying them out. What the numbers mean is the views'; the
clustered standard error, which SQL has no quantiles for, is `statistics.intervals`'.
"""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from locomo_assets.history import lens
from locomo_assets.statistics.intervals import Cluster, clustered_mean


@dataclass(frozen=True)
class Accuracy:
    """One line of accuracy: a series, for a release or one category of it.

    `accuracy_percent` is None where nothing was scored; `cost_usd` where a price is unknown.
    `imported`: measured elsewhere, and read from files.
    `low_percent` and `high_percent` are Wilson's, `clustered_…` of the standard error clustered by
    conversation, and None with less than two conversations, or all alike.
    """

    release: str
    system: str
    judge: str
    question_protocol: str
    dataset_sha256: str
    category: str
    vendor_category: str
    questions: int
    scored: int
    correct: int
    unscored: int
    unanswered: int
    accuracy_percent: float | None
    low_percent: float | None
    high_percent: float | None
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    tokens: int | None
    cost_usd: float | None
    imported: bool = False
    clustered_se_percent: float | None = None
    clustered_low_percent: float | None = None
    clustered_high_percent: float | None = None


_SQL = Path(__file__).with_name("accuracy.sql")


def by_release(lens_path: Path, release: str | None) -> list[Accuracy]:
    """The series of one release (or of all), newest verdicts first."""
    return _read(lens_path, release, overall=True)


def by_category(lens_path: Path, release: str | None) -> list[Accuracy]:
    """The same, a row per category."""
    return _read(lens_path, release, overall=False)


def _read(lens_path: Path, release: str | None, *, overall: bool) -> list[Accuracy]:
    given = {"release": release, "overall": overall}
    with lens.open_read_only(lens_path) as connection:
        rows = connection.execute(_SQL.read_text(), given).fetchall()
    return [Accuracy(*row, *_clustered(by_conversation)) for *row, by_conversation in rows]


def _clustered(by_conversation: Sequence[tuple[int, int]] | None) -> tuple[float | None, ...]:
    """Standard error and bounds, in percent, of each conversation's scored and correct."""
    found = clustered_mean([Cluster(*counts) for counts in by_conversation or ()])
    if found.standard_error is None or found.interval is None:
        return None, None, None
    return tuple(round(100 * value, 2) for value in (found.standard_error, *found.interval))


HEADINGS = (
    "release",
    "category",
    "vendor's name",
    "questions",
    "correct",
    "scored",
    "accuracy %",
    "95 % interval",
    "clustered SE",
    "unscored",
    "unanswered",
    "p50 ms",
    "p95 ms",
    "cost USD",
    "system",
    "judge",
    "protocol",
)


def cells(row: Accuracy) -> tuple[str, ...]:
    """A row as text, in the order of `HEADINGS`."""
    return (
        row.release,
        row.category,
        row.vendor_category,
        str(row.questions),
        str(row.correct),
        str(row.scored),
        _fixed(row.accuracy_percent, 2),
        f"{_fixed(row.low_percent, 1)} – {_fixed(row.high_percent, 1)}",
        _fixed(row.clustered_se_percent, 2),
        str(row.unscored),
        str(row.unanswered),
        _fixed(row.latency_p50_ms, 0),
        _fixed(row.latency_p95_ms, 0),
        _fixed(row.cost_usd, 4),
        row.system,
        row.judge,
        row.question_protocol,
    )


def _fixed(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def markdown_table(rows: Sequence[Accuracy]) -> str:
    """The rows as a Markdown table."""
    lines = ["| " + " | ".join(HEADINGS) + " |", "|" + " --- |" * len(HEADINGS)]
    for row in rows:
        safe = (cell.replace("|", "\\|") for cell in cells(row))
        lines.append("| " + " | ".join(safe) + " |")
    return "\n".join(lines)


def trend_chart(rows: Sequence[Accuracy]) -> str:
    """Accuracy over releases with its interval, a line a series, as Markdown with an inline PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3), layout="constrained")
    axes = FigureCanvasAgg(figure).figure.add_subplot()
    series: dict[tuple[str, ...], list[Accuracy]] = {}
    for row in reversed(rows):  # oldest first
        if row.accuracy_percent is not None:
            name = (row.system, row.question_protocol, row.judge, row.dataset_sha256[:8])
            series.setdefault(name, []).append(row)
    for key, points in series.items():
        middle = [p.accuracy_percent or 0.0 for p in points]
        below = [m - (p.low_percent or m) for m, p in zip(middle, points, strict=True)]
        above = [(p.high_percent or m) - m for m, p in zip(middle, points, strict=True)]
        names = [p.release for p in points]
        axes.errorbar(
            names, middle, yerr=(below, above), marker="o", capsize=3, label=" · ".join(key)
        )
    axes.set(ylim=(0, 100), ylabel="accuracy %")
    axes.tick_params(axis="x", rotation=20, labelsize=7)
    if series:
        axes.legend(fontsize=7)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    encoded = base64.b64encode(picture.getvalue()).decode()
    return f"![accuracy over releases](data:image/png;base64,{encoded})"
