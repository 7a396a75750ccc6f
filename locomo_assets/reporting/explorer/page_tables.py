"""The page's tables: headings and cells, ready for the template."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from locomo_assets.analysis.accuracy import Accuracy
from locomo_assets.analysis.comparison.decision import p_text
from locomo_assets.reporting.explorer.drawing import Axis, track
from locomo_assets.reporting.report_data import ConversationAccuracy, ReportData
from locomo_assets.reporting.tables import (
    BOUNDS,
    GOLD_FAULT_HEADINGS,
    accuracy_text,
    bounds_text,
    fixed,
    gold_fault_cells,
    interval_text,
    score_cells,
)


@dataclass(frozen=True, slots=True)
class PageTable:
    """Rows under headings; the first cell of a row names it.

    `drawn` has a drawing for each row, which stands at the end. `has_whole`: the last row is the
    whole of those before it.
    """

    caption: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    drawn: tuple[str, ...] = ()
    has_whole: bool = False


def accuracy_table(data: ReportData) -> PageTable:
    """Accuracy by category and overall, with what stands behind it."""
    rows = (*data.categories, data.whole)
    table = PageTable(
        "Accuracy by category",
        ("category", "accuracy %", "95 % interval", "correct", "scored", BOUNDS, "unscored",
         "unanswered", "errors %", "p50 ms", "p95 ms", "USD", "Wilson", "vendors say"),
        tuple(_accuracy_cells(row) for row in rows),
        has_whole=True,
    )  # fmt: skip
    complete = all(row.bounds_percent is None for row in rows)
    return _without(table, BOUNDS) if complete else table


def category_table(data: ReportData) -> PageTable:
    """Accuracy by category on a scale, beside the release before."""
    before = {
        name: next((row for row in rows if row.release == data.previous), None)
        for name, rows in data.category_trends.items()
    }
    return _on_a_scale(
        "Accuracy by category, with its 95 % interval",
        "category",
        [(row.category, row, before.get(row.category)) for row in data.categories],
        data,
    )


def conversation_table(data: ReportData) -> PageTable:
    """Accuracy by conversation on a scale, beside the release before."""
    sides: dict[str, dict[str, ConversationAccuracy]] = {}
    for row in data.conversations:
        sides.setdefault(row.conversation, {})[row.release] = row
    return _on_a_scale(
        "Accuracy by conversation, with Wilson's 95 % interval",
        "conversation",
        [
            (name, rows[data.whole.release], rows.get(data.previous or ""))
            for name, rows in sides.items()
            if data.whole.release in rows
        ],
        data,
    )


def comparison_table(data: ReportData) -> PageTable | None:
    """The comparison with the release before, by category."""
    if data.comparison is None:
        return None
    return PageTable(
        f"{data.whole.release} against {data.previous}, by category",
        ("category", f"{data.whole.release} %", f"{data.previous} %", "points", "95 % interval",
         "gained", "lost", "questions", "McNemar p", "Holm p", "verdict"),
        tuple(
            (
                f"{part.category} {part.name}",
                _percent(part.paired.accuracy_b),
                _percent(part.paired.accuracy_a),
                points(part.paired.difference),
                points_interval(part.paired.interval),
                str(part.paired.gains),
                str(part.paired.losses),
                str(part.paired.questions),
                p_value(part.paired.mcnemar_p),
                p_value(part.p_holm),
                part.verdict.word,
            )
            for part in data.comparison.categories
        ),
    )  # fmt: skip


def bridge_table(data: ReportData) -> PageTable | None:
    """At which step the questions were lost and gained, by category and by conversation."""
    if data.comparison is None or not data.comparison.bridges:
        return None
    names = [step.name for step in data.comparison.bridge.steps]
    rows = []
    for name, bridge in data.comparison.bridges.items():
        steps = {step.name: f"−{step.lost} +{step.gained}" for step in bridge.steps}
        rows.append((name, *(steps.get(one, "–") for one in names)))
    headings = ("part", *(name.replace("_", " ") for name in names))
    return PageTable("Lost and gained by category and conversation", headings, tuple(rows))


def gold_fault_table(data: ReportData) -> PageTable | None:
    """Accuracy with and without the faulty gold answers."""
    if not data.gold_faults:
        return None
    rows = tuple(gold_fault_cells(row, data.whole) for row in data.gold_faults)
    return PageTable(
        "Accuracy with and without faulty gold answers", GOLD_FAULT_HEADINGS, rows, has_whole=True
    )


def published_tables(data: ReportData) -> list[PageTable]:
    """What others published on this data set, a table a result."""
    tables = []
    for name, group in groupby(
        data.published,
        key=lambda one: (
            f"{one.release}: system {one.system} · answered by {one.llm_model} · judge {one.judge}"
        ),
    ):
        rows = tuple(
            (
                one.shown,
                fixed(one.accuracy_percent, 2),
                interval_text(one),
                str(one.correct),
                str(one.scored),
                bounds_text(one),
                one.vendor_shown,
            )
            for one in group
        )
        headings = ("category (paper)", "accuracy %", "95 % interval", "correct", "scored", BOUNDS,
                    "category (vendors)")  # fmt: skip
        tables.append(PageTable(name, headings, rows, has_whole=True))
    return tables


def score_table(data: ReportData) -> PageTable:
    """The scores that need no judge."""
    return PageTable(
        "Scores without a judge, by category",
        ("category", "F1 %", "exact %", "recall@1 %", "recall@5 %", "recall@10 %", "MRR",
         "traceable %", "words"),
        tuple(score_cells(row)[:-1] for row in data.scores),
        has_whole=True,
    )  # fmt: skip


def points(share: float | None) -> str:
    """A share as signed percentage points."""
    return "–" if share is None else f"{share * 100:+.2f}".replace("-", "−")


def points_interval(interval: tuple[float, float] | None) -> str:
    """An interval of shares as two numbers of points."""
    return "–" if interval is None else f"{points(interval[0])} … {points(interval[1])}"


def p_value(value: float | None) -> str:
    """A p-value under a heading that says p."""
    return "–" if value is None else p_text(value).removeprefix("p = ").removeprefix("p ")


def _accuracy_cells(row: Accuracy) -> tuple[str, ...]:
    return (
        row.category,
        accuracy_text(row),
        interval_text(row),
        str(row.correct),
        str(row.scored),
        bounds_text(row),
        str(row.unscored),
        str(row.unanswered),
        fixed(row.error_percent, 2),
        fixed(row.latency_p50_ms, 0),
        fixed(row.latency_p95_ms, 0),
        fixed(row.cost_usd, 2),
        f"{fixed(row.low_percent)} – {fixed(row.high_percent)}",
        row.vendor_category,
    )


_Scored = Accuracy | ConversationAccuracy


def _on_a_scale(
    caption: str,
    heading: str,
    rows: Sequence[tuple[str, _Scored, _Scored | None]],
    data: ReportData,
) -> PageTable:
    """Each row's accuracy, and the release before's, on one scale that has room for all."""
    known = [
        value
        for _, now, before in rows
        for value in (
            now.accuracy_percent,
            *(now.interval_percent or ()),
            _accuracy(before),
        )
        if value is not None
    ]
    low = max(0.0, 10 * (min(known, default=0.0) // 10))
    high = min(100.0, 10 * (max(known, default=100.0) // 10 + 1))
    axis = Axis(low, high, "%", 2)
    table = PageTable(
        f"{caption}; drawn from {low:g} to {high:g} %",
        (heading, f"{data.whole.release} %", "95 % interval", f"{data.previous} %", "correct"),
        tuple(
            (
                name,
                fixed(now.accuracy_percent, 2),
                _interval(now),
                fixed(_accuracy(before), 2),
                f"{now.correct} of {now.scored}",
            )
            for name, now, before in rows
        ),
        drawn=tuple(
            track(
                axis, now.accuracy_percent, now.interval_percent, _accuracy(before)
            )
            for _, now, before in rows
        ),
    )  # fmt: skip
    return _without(table, f"{data.previous} %") if data.previous is None else table


def _accuracy(row: _Scored | None) -> float | None:
    return None if row is None else row.accuracy_percent


def _interval(row: _Scored) -> str:
    if isinstance(row, Accuracy):
        return interval_text(row)
    ends = row.interval_percent
    return "–" if ends is None else f"{fixed(ends[0])} – {fixed(ends[1])}"


def _without(table: PageTable, heading: str) -> PageTable:
    at = table.headings.index(heading)
    return replace(
        table,
        headings=(*table.headings[:at], *table.headings[at + 1 :]),
        rows=tuple((*row[:at], *row[at + 1 :]) for row in table.rows),
    )


def _percent(share: float | None) -> str:
    return fixed(None if share is None else share * 100, 2)
