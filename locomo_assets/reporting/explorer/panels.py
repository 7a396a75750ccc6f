"""The page's charts over releases, each with its legend and its numbers as a table.

A panel that has nothing to show is left out: a line needs two releases.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from locomo_assets.analysis.accuracy import Accuracy
from locomo_assets.reporting.explorer.drawing import (
    Axis,
    Line,
    Point,
    Rule,
    over_releases,
    side_by_side,
)
from locomo_assets.reporting.explorer.page_tables import PageTable
from locomo_assets.reporting.panel import Table, band_table, base_line, letter
from locomo_assets.reporting.report_data import ReportData
from locomo_assets.reporting.tables import accuracy_text, asked_text, fixed, interval_text

_LEAST_RELEASES = 2


@dataclass(frozen=True, slots=True)
class Panel:
    """A drawing with what explains it. `legend` has a label for each colour, in order."""

    name: str
    title: str
    drawing: str
    legend: tuple[str, ...]
    caption: str
    warning: str
    table: PageTable


def panels(data: ReportData) -> list[Panel]:
    """Those panels that show something."""
    found = (_trend(data), _categories(data), _drift(data), _latency(data), _cost(data))
    return [panel for panel in found if panel is not None]


def judges_panel(data: ReportData) -> Panel | None:
    """The judges of the release's answers, where there are several; the strictest first."""
    found = data.panel
    if found is None:
        return None
    title = "Accuracy by judge, on the same answers"
    names = [letter(at) for at in range(len(found.judges))]
    points = [
        Point(
            100 * one.accuracy,
            one.interval and (100 * one.interval.low, 100 * one.interval.high),
        )
        for one in found.judges
    ]
    rules = [
        Rule("all judges say correct", 100 * found.certain),
        Rule("any judge says correct", 100 * found.possible),
    ]
    ends = [end for point in points for end in (point.value, *(point.interval or ()))]
    axis = _percent_axis([*ends, *(rule.value for rule in rules)])
    return Panel(
        "judges",
        title,
        side_by_side(title, names, points, axis, rules),
        (
            ", ".join(f"{name} {one.judge}" for name, one in zip(names, found.judges, strict=True)),
            *(f"{rule.label}: {rule.value:.2f} %" for rule in rules),
        ),
        f"{base_line(found)} With 95 % intervals, clustered by conversation.",
        "",
        page_table(band_table(found)),
    )


def page_table(table: Table) -> PageTable:
    """A table of a judges' panel, for the page."""
    return PageTable(table.caption, table.headings, table.rows)


def _trend(data: ReportData) -> Panel | None:
    rows = _scored(data.trend)
    if len(rows) < _LEAST_RELEASES:
        return None
    title = "Accuracy over releases"
    releases = [row.release for row in rows]
    line = Line(asked_text(rows[-1]), [_point(row) for row in rows])
    rules = [Rule(one.name, one.accuracy_percent) for one in data.references]
    caption = "Accuracy with its 95 % interval, clustered by conversation."
    if rules:
        caption += (
            " Lines: floors, ceilings and published results, each with its judge. A number by "
            "another judge or prompt is not comparable: prompts alone move tens of points."
        )
    if data.not_in_trend:
        others = ", ".join(f"{row.release} ({asked_text(row)})" for row in data.not_in_trend)
        caption += f" Not in this trend, because other questions were asked: {others}."
    known = [end for row in rows for end in (row.accuracy_percent, *(row.interval_percent or ()))]
    axis = _percent_axis([*known, *(rule.value for rule in rules)])
    return Panel(
        "trend",
        title,
        over_releases(title, releases, [line], axis, reported=data.whole.release, rules=rules),
        (line.label, *(f"{rule.label}: {rule.value:.1f} %" for rule in rules)),
        caption,
        "",
        PageTable(
            title,
            ("release", "accuracy %", "95 % interval", "correct", "scored"),
            tuple(
                (row.release, accuracy_text(row), interval_text(row), str(row.correct),
                 str(row.scored))
                for row in rows
            ),
        ),
    )  # fmt: skip


def _categories(data: ReportData) -> Panel | None:
    releases = [row.release for row in _scored(data.trend)]
    if len(releases) < _LEAST_RELEASES:
        return None
    title = "Accuracy by category over releases"
    of_release = [
        (name, {row.release: row for row in rows}) for name, rows in data.category_trends.items()
    ]
    lines = [
        Line(name, [_point(rows.get(one), bare=True) for one in releases])
        for name, rows in of_release
    ]
    axis = _percent_axis([point.value for line in lines for point in line.points])
    return Panel(
        "categories",
        title,
        over_releases(title, releases, lines, axis, reported=data.whole.release),
        tuple(line.label for line in lines),
        "Official names.",
        "",
        PageTable(
            title,
            ("release", *(name for name, _ in of_release)),
            tuple((one, *(_text(rows.get(one)) for _, rows in of_release)) for one in releases),
        ),
    )


def _drift(data: ReportData) -> Panel | None:
    found, title = data.drift, "Accuracy on the questions that all releases have"
    values = list(found.accuracies_percent)
    if len(values) < _LEAST_RELEASES:
        return None
    lines = [Line(f"{found.questions} questions", [Point(value) for value in values])]
    if found.slope is not None:
        change = 100 * found.slope.change
        middle, centre = sum(values) / len(values), (len(values) - 1) / 2
        fitted = [Point(middle + change * (n - centre)) for n in range(len(values))]
        label = f"slope {change:+.2f} points a release".replace("-", "−")
        lines.append(Line(label, fitted, dashed=True))
    rules = [Rule(f"pinned baseline {found.baseline}", values[0])] if found.baseline else []
    axis = _percent_axis([point.value for line in lines for point in line.points])
    return Panel(
        "drift",
        title,
        over_releases(title, found.releases, lines, axis, reported=data.whole.release, rules=rules),
        (*(line.label for line in lines), *(rule.label for rule in rules)),
        "" if found.raised else f"Drift: {found.in_words}.",
        f"Accuracy {found.in_words}." if found.raised else "",
        PageTable(
            title,
            ("release", "accuracy %"),
            tuple(zip(found.releases, map(_two, values), strict=True)),
        ),
    )


def _latency(data: ReportData) -> Panel | None:
    rows, title = data.trend, "Latency"
    if sum(row.latency_p50_ms is not None for row in rows) < _LEAST_RELEASES:
        return None
    lines = [
        Line("median", [Point(row.latency_p50_ms) for row in rows]),
        Line("95 % of answers within", [Point(row.latency_p95_ms) for row in rows]),
    ]
    most = max(row.latency_p95_ms or row.latency_p50_ms or 0.0 for row in rows)
    return Panel(
        "latency",
        title,
        over_releases(
            title,
            [row.release for row in rows],
            lines,
            Axis(0.0, _round_up(most), "ms"),
            reported=data.whole.release,
        ),
        tuple(line.label for line in lines),
        "Time to the last chunk of an answer.",
        "",
        PageTable(
            title,
            ("release", "p50 ms", "p95 ms"),
            tuple(
                (row.release, fixed(row.latency_p50_ms, 0), fixed(row.latency_p95_ms, 0))
                for row in rows
            ),
        ),
    )


def _cost(data: ReportData) -> Panel | None:
    rows, title = data.trend, "Cost of answers and verdicts"
    known = [row.cost_usd for row in rows if row.cost_usd is not None]
    if len(known) < _LEAST_RELEASES or not any(known):
        return None
    line = Line("answers and verdicts", [Point(row.cost_usd) for row in rows])
    axis = Axis(0.0, _round_up(max(known)), "USD", 2)
    return Panel(
        "cost",
        title,
        over_releases(
            title, [row.release for row in rows], [line], axis, reported=data.whole.release
        ),
        (line.label,),
        "No point stands where a price is unknown.",
        "",
        PageTable(
            title,
            ("release", "USD"),
            tuple((row.release, fixed(row.cost_usd, 4)) for row in rows),
        ),
    )


def _point(row: Accuracy | None, *, bare: bool = False) -> Point:
    if row is None:
        return Point(None)
    return Point(row.accuracy_percent, None if bare else row.interval_percent, row.valid)


def _percent_axis(values: Sequence[float | None]) -> Axis:
    """A scale of whole tens that has room for the values, at least 20 points high."""
    known = [value for value in values if value is not None]
    low = max(0.0, 10.0 * math.floor(min(known, default=0.0) / 10))
    high = min(100.0, 10.0 * math.ceil(max(known, default=100.0) / 10))
    if high - low < 20.0:
        low, high = (low - 20.0 + (high - low), high) if low >= 20.0 else (low, low + 20.0)
    return Axis(low, high, "%", 2)


def _round_up(value: float) -> float:
    """The next number with one telling digit."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return power * math.ceil(value / power)


def _scored(rows: Sequence[Accuracy]) -> list[Accuracy]:
    return [row for row in rows if row.accuracy_percent is not None]


def _text(row: Accuracy | None) -> str:
    return "–" if row is None else accuracy_text(row)


def _two(value: float) -> str:
    return f"{value:.2f}"
