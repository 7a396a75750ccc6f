"""The page's section on ladders: a waterfall of each one's steps, and its table."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from locomo_assets.analysis.comparison.ladder import LadderResult, LadderStep
from locomo_assets.reporting.explorer.drawing import Axis
from locomo_assets.reporting.explorer.page_tables import PageTable, points, points_interval
from locomo_assets.reporting.ladder import heading, notes, step_texts
from locomo_assets.reporting.tables import fixed

_ROW_PX, _BAR_PX, _LABEL_PX, _SCALE_PX = 46, 12, 16, 22
_LEFT_PERCENT, _RIGHT_PERCENT = 2.0, 98.0


@dataclass(frozen=True, slots=True)
class LadderSection:
    """One ladder: its drawing, its table, and what is said of them."""

    name: str
    headline: str
    heading: str
    drawing: str
    table: PageTable
    texts: tuple[tuple[str, tuple[str, ...]], ...]
    notes: tuple[str, ...]


def ladder_sections(ladders: Sequence[LadderResult]) -> list[LadderSection]:
    """A section for each ladder that was measured of the release."""
    return [
        LadderSection(
            found.name,
            found.headline,
            heading(found),
            waterfall(found),
            _table(found),
            tuple(step_texts(found)),
            tuple(notes(found)),
        )
        for found in ladders
    ]


def waterfall(found: LadderResult) -> str:
    """The steps below each other: a bar from the step that it changes to it, and its interval."""
    axis = _axis(found)
    values = {step.name: step.accuracy_percent for step in found.steps}
    rows = []
    for at, step in enumerate(found.steps):
        before = values[step.change.against] if step.change else None
        rows.append(_row(step, before, at * _ROW_PX, axis))
    height = len(found.steps) * _ROW_PX + _SCALE_PX
    title = f"Ladder {found.name}: accuracy at each step"
    return (
        f'<svg role="img" class="waterfall" height="{height}"><title>{escape(title)}</title>'
        f"{_grid(axis, height)}{''.join(rows)}</svg>"
    )


def _row(step: LadderStep, before: float | None, top: int, axis: Axis) -> str:
    middle = top + _LABEL_PX + 4 + _BAR_PX / 2
    now, interval = step.accuracy_percent, step.interval_percent
    change = points(step.change.paired.difference) if step.change else ""
    said = f"{step.name}: " + ("not known" if now is None else axis.text(now))
    if interval is not None:
        said += f" ({interval[0]:.1f} – {interval[1]:.1f})"
    label = f"{step.name}  {fixed(now, 2)} %" + (f" ({change})" if change else "")
    parts = [
        f'<text x="{_LEFT_PERCENT}%" y="{top + _LABEL_PX - 3}">'
        f"{escape(label if step.valid else f'{label}, not valid')}</text>"
    ]
    if now is not None:
        if before is not None:
            kind = "gained" if now >= before else "lost"
            left, wide = min(now, before), abs(now - before)
            parts.append(
                f'<rect class="{kind}" x="{_across(left, axis)}%" y="{middle - _BAR_PX / 2}" '
                f'width="{_wide(wide, axis)}%" height="{_BAR_PX}"/>'
            )
        if interval is not None:
            ends = (_across(interval[0], axis), _across(interval[1], axis))
            parts.append(
                f'<line class="interval" x1="{ends[0]}%" x2="{ends[1]}%" y1="{middle}" '
                f'y2="{middle}"/>'
            )
        parts.append(f'<circle cx="{_across(now, axis)}%" cy="{middle}" r="4.5"/>')
    return f"<g>{''.join(parts)}<title>{escape(said)}</title></g>"


def _grid(axis: Axis, height: int) -> str:
    lines = []
    for tick in axis.ticks():
        across = _across(tick, axis)
        anchor = "start" if across < 10 else "end" if across > 90 else "middle"
        lines.append(
            f'<line class="grid" x1="{across}%" x2="{across}%" y1="0" y2="{height - _SCALE_PX}"/>'
            f'<text text-anchor="{anchor}" x="{across}%" y="{height - 6}">{tick:g} %</text>'
        )
    return "".join(lines)


def _axis(found: LadderResult) -> Axis:
    """Whole tens around every accuracy and interval."""
    known = [
        value
        for step in found.steps
        for value in (step.accuracy_percent, *(step.interval_percent or ()))
        if value is not None
    ]
    low = max(0.0, 10.0 * math.floor(min(known, default=0.0) / 10))
    high = min(100.0, 10.0 * math.ceil(max(known, default=100.0) / 10))
    return Axis(low, max(high, low + 10.0), "%", 2)


def _across(value: float, axis: Axis) -> float:
    share = (min(max(value, axis.low), axis.high) - axis.low) / (axis.high - axis.low)
    return round(_LEFT_PERCENT + share * (_RIGHT_PERCENT - _LEFT_PERCENT), 2)


def _wide(points_wide: float, axis: Axis) -> float:
    share = points_wide / (axis.high - axis.low)
    return round(share * (_RIGHT_PERCENT - _LEFT_PERCENT), 2)


def _table(found: LadderResult) -> PageTable:
    return PageTable(
        f"Ladder {found.name}, step by step",
        ("step", "accuracy %", "points", "95 % interval", "is", "lost", "gained",
         "from base", "USD a question", "context tokens", "memory tokens", "p50 ms"),
        tuple(_cells(step) for step in found.steps),
    )  # fmt: skip


def _cells(step: LadderStep) -> tuple[str, ...]:
    paired = step.change.paired if step.change else None
    return (
        step.name,
        fixed(step.accuracy_percent, 2) if step.valid else "invalid",
        points(paired.difference if paired else None),
        points_interval(paired.interval if paired else None),
        str(step.change.decision.word) if step.change else "–",
        str(paired.losses) if paired else "–",
        str(paired.gains) if paired else "–",
        points(step.since_base.difference if step.since_base else None),
        fixed(step.cost_usd, 5),
        fixed(step.context_tokens, 0),
        fixed(step.memory_tokens, 0),
        fixed(step.latency_p50_ms, 0),
    )
