"""A release or a comparison in about ten lines: what a message or a comment says of it.

Whole tables belong to `tables`, `terminal` and `html`.
"""

import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING

from locomo_assets.analysis.accuracy import Accuracy
from locomo_assets.analysis.comparison import CategoryComparison, Comparison
from locomo_assets.analysis.intervals import Interval
from locomo_assets.prices import STANDIN
from locomo_assets.reporting.markdown import escaped, table_row
from locomo_assets.reporting.tables import accuracy_text, asked_text, fixed

if TYPE_CHECKING:
    from locomo_assets.reporting.report_data import ReportData

_MAX_WARNINGS = 3
_MAX_NOTES = 3
_CELL_CHARACTERS = 37
"""What an asset's page shows of a cell on a screen of 1,440 pixels."""
_SHOWN_IN_PLACE = 1000


def summary_lines(data: "ReportData") -> list[str]:
    """At most ten lines of text: warnings, the decision, the number, the changes, the cost."""
    warnings = warning_lines(data)
    if len(warnings) > _MAX_WARNINGS:
        shown = warnings[: _MAX_WARNINGS - 1]
        warnings = [*shown, f"warning: {len(warnings) - len(shown)} more, in the report"]
    lines = [
        *warnings,
        data.headline,
        _number(data.whole),
        _stages(data),
        *(_changes(data.comparison) if data.comparison else ()),
        _cost(data.whole),
    ]
    return [line for line in lines if line]


def summary_markdown(data: "ReportData") -> str:
    """The lines as Markdown for Dagster's UI, which shows less than 1,000 characters in place.

    Its cells do not break lines by their own width, so these are broken here. The last ones are
    left out where there are too many.
    """
    paragraphs = [
        "\\\n".join(map(escaped, textwrap.wrap(line, _CELL_CHARACTERS, break_on_hyphens=False)))
        for line in summary_lines(data)
    ]
    while len(text := "\n\n".join(paragraphs)) >= _SHOWN_IN_PLACE and len(paragraphs) > 1:
        paragraphs.pop()
    return text


def warning_lines(data: "ReportData") -> list[str]:
    """What must be known before a number is read, the gravest first."""
    whole = data.whole
    found = []
    if not whole.valid:
        found.append(
            f"these numbers are not valid: {whole.error_percent:.2f} % of the questions have no "
            "verdict"
        )
    if whole.system == STANDIN:
        found.append("the packaged stand-in was measured, no real service")
    found += [
        line.removeprefix("warning: ") for line in data.score_notes if line.startswith("warning: ")
    ]
    found += [row.ceiling_warning() for row in data.gold_faults if row.is_above_ceiling]
    if data.drift.raised:
        found.append(f"accuracy {data.drift.in_words}")
    return [f"warning: {line}" for line in found]


def comparison_markdown(found: Comparison, link: str | None = None) -> str:
    """A comparison as a comment on a pull request; `link` leads to the whole report."""
    a, b = found.a.release, found.b.release
    systems = " and ".join(dict.fromkeys((found.a.system, found.b.system)))
    names = ("", "questions", f"{a} %", f"{b} %", "points", "95 % interval", "gained", "lost",
             f"{b} is")  # fmt: skip
    whole = [f"**{cell}**" for cell in _cells(found.overall, found.category_names)]
    rows = [_cells(part, f"{part.category} {part.name}") for part in found.categories]
    lines = [
        f"**LoCoMo: {escaped(found.headline)}**",
        "",
        table_row(map(escaped, names)),
        "|" + " --- |" * len(names),
        table_row(whole),
        *map(table_row, rows),
        "",
        escaped(
            f"Judge {found.judge} · questions {found.question_protocol} · system {systems} · "
            f"margin {found.margin_points:g}"
        ),
    ]
    bounds = found.overall.bounds
    if bounds is not None:
        lines += ["", escaped(
            f"Bounds: {_points(bounds.low)} … {_points(bounds.high)} points, if the "
            f"{bounds.unanswered} questions without a verdict count against {b}, or for it."
        )]  # fmt: skip
    if found.bridge.steps:
        lines += ["", escaped(" ".join(found.bridge.sentences()))]
    if found.notes:
        more = len(found.notes) - _MAX_NOTES
        notes = "; ".join(found.notes[:_MAX_NOTES]) + (f"; and {more} more" if more > 0 else "")
        lines += ["", escaped(f"Notes: {notes}.")]
    if link is not None:
        lines += ["", f"[The whole report](<{link}>)"]
    return "\n".join(lines)


def _number(row: Accuracy) -> str:
    number = f"{accuracy_text(row)} %" if row.valid else accuracy_text(row)
    interval = row.interval_percent
    shown = "" if interval is None else f" (95 % {fixed(interval[0])} – {fixed(interval[1])})"
    bounds = row.bounds_percent
    missing = "" if bounds is None else f", {fixed(bounds[0])} – {fixed(bounds[1])} by the bounds"
    return (
        f"Accuracy of {row.release}: {number}{shown}, {row.correct:,} of "
        f"{row.scored:,} scored{missing}; {asked_text(row)}, judge {row.judge}."
    )


def _stages(data: "ReportData") -> str:
    return f"Where it fails: {data.diagnosis.line()}" if data.diagnosis.wrong else ""


def _changes(found: Comparison) -> Iterable[str]:
    paired = found.overall.paired
    interval = "" if paired.interval is None else f" (95 % {_interval(paired.interval)})"
    yield (
        f"Against {found.a.release}: {paired.gains:,} gained, {paired.losses:,} lost of "
        f"{paired.questions:,} questions; {_points(paired.difference)} points{interval}."
    )
    categories = ", ".join(
        f"{part.category} {part.name} {_points(part.paired.difference)}"
        for part in found.categories
    )
    yield f"By category, in points: {categories}." if categories else ""
    yield " ".join(found.bridge.sentences())


def _cost(row: Accuracy) -> str:
    cost = "not known" if row.cost_usd is None else f"{row.cost_usd:,.2f} USD"
    times = [
        f"{one:,.0f} ms ({name})"
        for one, name in ((row.latency_p50_ms, "median"), (row.latency_p95_ms, "p95"))
        if one is not None
    ]
    return f"Cost {cost}; answers took {', '.join(times) or 'a time that is not known'}."


def _cells(part: CategoryComparison, name: str) -> list[str]:
    paired = part.paired
    accuracies = [
        "–" if one is None else f"{one * 100:.2f}" for one in (paired.accuracy_a, paired.accuracy_b)
    ]
    interval = "–" if paired.interval is None else _interval(paired.interval)
    return [name, str(paired.questions), *accuracies, _points(paired.difference), interval,
            str(paired.gains), str(paired.losses), str(part.verdict.word)]  # fmt: skip


def _points(share: float | None) -> str:
    return "–" if share is None else f"{share * 100:+.2f}"


def _interval(interval: Interval) -> str:
    return f"{_points(interval.low)} … {_points(interval.high)}"
