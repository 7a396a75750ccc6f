"""SVG for the page: lines over releases, an interval on a scale, a bar.

Across, everything is in percent of the width, so that letters keep their size on a phone. Colours
and letters are the page's style; every mark says its value in a `<title>`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_HEIGHT_PX, _TOP_PX, _BOTTOM_PX = 250, 22, 30
_LEFT_PERCENT, _RIGHT_PERCENT = 11.0, 98.0
_NARROW_PX, _ROOMY_PX, _LETTER_PX = 320, 520, 7.5
_TRACK_PX = 22
_LONGEST_PERCENT = 82.0
"""What the longest bar takes of its width where its number stands beside it."""


@dataclass(frozen=True, slots=True)
class Point:
    """A value at a release, with its interval; None where it is not known."""

    value: float | None
    interval: tuple[float, float] | None = None
    is_valid: bool = True


@dataclass(frozen=True, slots=True)
class Line:
    """One point a release. A `dashed` line joins no marks: it is fitted, not measured."""

    label: str
    points: Sequence[Point]
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """A value that holds for all releases."""

    label: str
    value: float


@dataclass(frozen=True, slots=True)
class Axis:
    """A scale from `low` to `high`; values are said with so many `decimals` and the unit."""

    low: float
    high: float
    unit: str
    decimals: int = 0

    def text(self, value: float) -> str:
        """A value with its unit."""
        return f"{value:.{self.decimals}f} {self.unit}"

    def ticks(self) -> list[float]:
        """Round values on the scale, three to six of them."""
        least = (self.high - self.low) / 5
        power = 10.0 ** math.floor(math.log10(least))
        step = next(one * power for one in (1, 2, 5, 10) if one * power >= least * 0.999)
        first, last = math.ceil(self.low / step), math.floor(self.high / step + 1e-9)
        return [step * n for n in range(first, last + 1)]

    def down(self, value: float) -> float:
        """Where a value stands, in pixels from the top."""
        share = (value - self.low) / ((self.high - self.low) or 1.0)
        return _HEIGHT_PX - _BOTTOM_PX - share * (_HEIGHT_PX - _BOTTOM_PX - _TOP_PX)


def over_releases(
    title: str,
    releases: Sequence[str],
    lines: Sequence[Line],
    axis: Axis,
    *,
    reported: str,
    rules: Sequence[Rule] = (),
) -> str:
    """Lines over releases, oldest first; the reported one is marked."""
    parts = [_grid(axis), _names(releases, reported)]
    if reported in releases:
        across = _across(releases.index(reported), len(releases))
        end = _HEIGHT_PX - _BOTTOM_PX
        parts.append(
            f'<line class="reported" x1="{across}%" x2="{across}%" y1="{_TOP_PX}" y2="{end}"/>'
        )
    for number, rule in enumerate(rules, len(lines)):
        down = f"{axis.down(rule.value):.1f}"
        parts.append(
            f'<g class="rule c{number % 6}"><line x1="{_LEFT_PERCENT}%" x2="100%" y1="{down}" '
            f'y2="{down}"/><title>{escape(rule.label)}: {axis.text(rule.value)}</title></g>'
        )
    for number, line in enumerate(lines):
        parts.append(f'<g class="c{number % 6}">{_joined(releases, line, axis)}</g>')
    return (
        f'<svg role="img" class="lines" height="{_HEIGHT_PX}"><title>{escape(title)}</title>'
        f"{''.join(parts)}</svg>"
    )


def side_by_side(
    title: str,
    names: Sequence[str],
    points: Sequence[Point],
    axis: Axis,
    rules: Sequence[Rule] = (),
) -> str:
    """Points that no time joins, each with its interval over its name, and values beside them."""
    parts = [_grid(axis)]
    for number, rule in enumerate(rules, 1):
        down = f"{axis.down(rule.value):.1f}"
        parts.append(
            f'<g class="rule c{number % 6}"><line x1="{_LEFT_PERCENT}%" x2="100%" y1="{down}" '
            f'y2="{down}"/><title>{escape(rule.label)}: {axis.text(rule.value)}</title></g>'
        )
    parts.append('<g class="c0">')
    for at, (name, point) in enumerate(zip(names, points, strict=True)):
        across = _across(at, len(names))
        if point.value is not None:
            parts.append(_mark(name, point, (across, axis.down(point.value)), axis))
        parts.append(
            f'<text text-anchor="middle" x="{across}%" y="{_HEIGHT_PX - 8}">{escape(name)}</text>'
        )
    return (
        f'<svg role="img" class="lines" height="{_HEIGHT_PX}"><title>{escape(title)}</title>'
        f"{''.join(parts)}</g></svg>"
    )


def track(
    axis: Axis, value: float | None, interval: tuple[float, float] | None, before: float | None
) -> str:
    """A value with its interval on a scale from left to right; `before` is a hollow mark."""

    def across(one: float) -> str:
        share = (one - axis.low) / ((axis.high - axis.low) or 1.0)
        return f"{2 + 96 * min(max(share, 0.0), 1.0):.2f}%"

    middle = _TRACK_PX / 2
    parts = [f'<line class="grid" x1="2%" x2="98%" y1="{middle}" y2="{middle}"/>']
    if interval is not None:
        low, high = interval
        parts.append(
            f'<line class="interval" x1="{across(low)}" x2="{across(high)}" y1="{middle}" '
            f'y2="{middle}"/>'
        )
    if before is not None:
        parts.append(
            f'<circle class="before" cx="{across(before)}" cy="{middle}" r="5">'
            f"<title>before: {axis.text(before)}</title></circle>"
        )
    if value is not None:
        ends = "" if interval is None else f" ({interval[0]:.1f} – {interval[1]:.1f})"
        parts.append(
            f'<circle class="now" cx="{across(value)}" cy="{middle}" r="5">'
            f"<title>{axis.text(value)}{ends}</title></circle>"
        )
    return f'<svg aria-hidden="true" class="track c0" height="{_TRACK_PX}">{"".join(parts)}</svg>'


def bar(share: float, title: str, said: str = "", *, to_the_left: bool = False) -> str:
    """A bar as long as its share of the width, from the right or from the left, and its number."""
    width = share * (_LONGEST_PERCENT if said else 100.0)
    start, end, anchor, off = (100 - width, 100 - width, "end", -6) if to_the_left else (
        0.0, width, "start", 6
    )  # fmt: skip
    number = f'<text x="{end:.2f}%" y="12.5" dx="{off}" text-anchor="{anchor}">{said}</text>'
    return (
        f'<svg role="img" class="bar" height="16"><title>{escape(title)}</title>'
        f'<rect x="{start:.2f}%" width="{width:.2f}%" height="16"/>{number if said else ""}</svg>'
    )


def _grid(axis: Axis) -> str:
    parts = []
    for tick in axis.ticks():
        down = f"{axis.down(tick):.1f}"
        parts.append(
            f'<line class="grid" x1="{_LEFT_PERCENT}%" x2="100%" y1="{down}" y2="{down}"/>'
            f'<text x="0" y="{float(down) + 4:.1f}">{tick:g}</text>'
        )
    parts.append(f'<text x="0" y="10">{escape(axis.unit)}</text>')
    return "".join(parts)


def _joined(releases: Sequence[str], line: Line, axis: Axis) -> str:
    """The segments between points that follow each other, then the points and their intervals."""
    parts, count = [], len(releases)
    where = [
        None if point.value is None else (_across(at, count), axis.down(point.value))
        for at, point in enumerate(line.points)
    ]
    kind = ' class="dashed"' if line.dashed else ""
    last: tuple[float, float] | None = None
    for point, here in zip(line.points, where, strict=True):
        if here is None or not point.is_valid:
            continue
        if last is not None:
            parts.append(
                f'<line{kind} x1="{last[0]}%" x2="{here[0]}%" y1="{last[1]:.1f}" '
                f'y2="{here[1]:.1f}"/>'
            )
        last = here
    if line.dashed:
        return f"{''.join(parts)}<title>{escape(line.label)}</title>"
    for name, point, here in zip(releases, line.points, where, strict=True):
        if here is not None:
            parts.append(_mark(f"{name}, {line.label}", point, here, axis))
    return "".join(parts)


def _mark(name: str, point: Point, here: tuple[float, float], axis: Axis) -> str:
    across, down = here
    said = f"{name}: {axis.text(point.value or 0.0)}"
    interval = ""
    if point.interval is not None:
        low, high = point.interval
        said += f" ({low:.1f} – {high:.1f})"
        interval = (
            f'<line class="interval" x1="{across}%" x2="{across}%" y1="{axis.down(low):.1f}" '
            f'y2="{axis.down(high):.1f}"/>'
        )
    if not point.is_valid:
        return (
            f'<g class="invalid-mark"><text text-anchor="middle" x="{across}%" '
            f'y="{down + 5:.1f}">×</text><title>{escape(said)}, not valid</title></g>'
        )
    return (
        f'<g>{interval}<circle class="hit" cx="{across}%" cy="{down:.1f}" r="12"/>'
        f'<circle cx="{across}%" cy="{down:.1f}" r="4"/><title>{escape(said)}</title></g>'
    )


def _names(releases: Sequence[str], reported: str) -> str:
    """The releases below the scale: all that have room, fewer of them on a phone."""
    narrow = _with_room(releases, reported, _NARROW_PX)
    roomy = _with_room(releases, reported, _ROOMY_PX)
    parts = []
    for shown, kind in ((narrow, "narrow"), (roomy, "roomy")):
        for at, anchor in shown.items():
            across = _across(at, len(releases))
            x = {"start": 0.0, "end": 100.0}.get(anchor, across)
            bold = " is-reported" if releases[at] == reported else ""
            parts.append(
                f'<text class="{kind}{bold}" text-anchor="{anchor}" x="{x}%" '
                f'y="{_HEIGHT_PX - 8}">{escape(releases[at])}</text>'
            )
    return "".join(parts)


def _with_room(releases: Sequence[str], reported: str, width_px: int) -> dict[int, str]:
    """The places of names that don't touch at this width, each with its anchor."""
    count = len(releases)
    wanted = [releases.index(reported)] if reported in releases else []
    wanted += [0, count - 1, *range(count)]
    taken: dict[int, tuple[float, float]] = {}
    shown: dict[int, str] = {}
    for at in wanted:
        if not 0 <= at < count or at in shown:
            continue
        centre = _across(at, count) * width_px / 100
        wide = len(releases[at]) * _LETTER_PX
        begin, end, anchor = centre - wide / 2, centre + wide / 2, "middle"
        if end > width_px:
            begin, end, anchor = width_px - wide, float(width_px), "end"
        elif begin < 0:
            begin, end, anchor = 0.0, wide, "start"
        if all(end + 8 < left or right + 8 < begin for left, right in taken.values()):
            taken[at], shown[at] = (begin, end), anchor
    return shown


def _across(at: int, count: int) -> float:
    """Where a release stands, in percent of the width."""
    return round(_LEFT_PERCENT + (_RIGHT_PERCENT - _LEFT_PERCENT) * (at + 0.5) / max(count, 1), 2)
