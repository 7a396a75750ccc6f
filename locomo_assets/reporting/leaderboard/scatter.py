"""SVG of the leaderboard: accuracy against what an answer took, a mark a row.

Like the explorer's drawings: percent of the width across, pixels down, a `<title>` at every mark.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from locomo_assets.reporting.explorer.drawing import Axis

_HEIGHT_PX, _BASE_PX = 250, 220
_LEFT, _RIGHT = 12.0, 95.0
_NARROW_PX = 300
_LOGARITHMIC_FROM = 20.0
"""A scale of powers where the largest value is so many times the smallest."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A row: its place, its name, what it took, its accuracy with the interval, both in percent."""

    place: int
    name: str
    taken: float
    accuracy: float
    interval: tuple[float, float] | None
    is_reference: bool = False


def scatter(title: str, marks: Sequence[Mark], across: str, decimals: int) -> str:
    """The drawing; `across` is the unit of what a question took, said with so many decimals."""
    up = _accuracy_axis(marks)
    scale = _Scale.of([mark.taken for mark in marks])
    parts = [_grid(up)]
    for tick in scale.ticks():
        x = scale.across(tick)
        parts.append(
            f'<line class="grid" x1="{x}%" x2="{x}%" y1="22" y2="{_BASE_PX}"/>'
            f'<text text-anchor="middle" x="{x}%" y="{_BASE_PX + 16}">{tick:g}</text>'
        )
    parts.append(
        f'<text text-anchor="end" x="100%" y="{_HEIGHT_PX - 1}" dy="-1">{escape(across)}</text>'
    )
    labels = _labels([(scale.across(one.taken), up.down(one.accuracy)) for one in marks])
    for mark, (dx, dy, anchor) in zip(marks, labels, strict=True):
        parts.append(
            _mark(mark, scale, up, f"{mark.taken:,.{decimals}f} {across}", (dx, dy, anchor))
        )
    return (
        f'<svg role="img" class="lines" height="{_HEIGHT_PX}"><title>{escape(title)}</title>'
        f"{''.join(parts)}</svg>"
    )


def _grid(up: Axis) -> str:
    parts = ['<text x="0" y="10">accuracy %</text>']
    for tick in up.ticks():
        down = f"{up.down(tick):.1f}"
        parts.append(
            f'<line class="grid" x1="{_LEFT - 3}%" x2="100%" y1="{down}" y2="{down}"/>'
            f'<text x="0" y="{float(down) + 4:.1f}">{tick:g}</text>'
        )
    return "".join(parts)


def _mark(
    mark: Mark, scale: "_Scale", up: Axis, taken: str, label: tuple[float, float, str]
) -> str:
    x, y = scale.across(mark.taken), up.down(mark.accuracy)
    said = f"{mark.place}: {mark.name}: {mark.accuracy:.2f} %"
    interval = ""
    if mark.interval is not None:
        low, high = mark.interval
        said += f" ({low:.1f} – {high:.1f})"
        interval = (
            f'<line class="interval" x1="{x}%" x2="{x}%" y1="{up.down(low):.1f}" '
            f'y2="{up.down(high):.1f}"/>'
        )
    dx, dy, anchor = label
    text = (
        f'<text text-anchor="{anchor}" x="{x}%" y="{y:.1f}" dx="{dx}" dy="{dy}">{mark.place}</text>'
        if anchor
        else ""
    )
    colour = "c1" if mark.is_reference else "c0"
    return (
        f'<g class="{colour}">{interval}<circle class="hit" cx="{x}%" cy="{y:.1f}" r="12"/>'
        f'<circle cx="{x}%" cy="{y:.1f}" r="4"/>{text}'
        f"<title>{escape(said)}, {escape(taken)}</title></g>"
    )


def _labels(places: Sequence[tuple[float, float]]) -> list[tuple[float, float, str]]:
    """Where each number stands beside its mark; without an anchor where there is no room for it."""
    taken = [(x * _NARROW_PX / 100, y) for x, y in places]
    found = []
    for number, (x, y) in enumerate(taken[: len(places)]):
        wide = 8.0 * len(str(number + 1))
        tried = (
            (8.0, 4.0, "start", x + 8 + wide / 2, y),
            (-8.0, 4.0, "end", x - 8 - wide / 2, y),
            (8.0, -8.0, "start", x + 8 + wide / 2, y - 12),
            (8.0, 16.0, "start", x + 8 + wide / 2, y + 12),
        )
        for dx, dy, anchor, middle, centre in tried:
            if all(abs(middle - u) > 10 or abs(centre - v) > 10 for u, v in taken):
                taken.append((middle, centre))
                found.append((dx, dy, anchor))
                break
        else:
            found.append((0.0, 0.0, ""))
    return found


def _accuracy_axis(marks: Sequence[Mark]) -> Axis:
    values = [end for one in marks for end in (one.accuracy, *(one.interval or ()))]
    low = max(0.0, 10.0 * math.floor(min(values) / 10))
    high = min(100.0, 10.0 * math.ceil(max(values) / 10))
    return (
        Axis(low, high, "%", 2)
        if high - low >= 20
        else Axis(max(0.0, high - 20), max(high, 20.0), "%", 2)
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    """From left to right, from `low` to `high`; in powers of ten if `logarithmic`."""

    low: float
    high: float
    logarithmic: bool

    @classmethod
    def of(cls, values: Sequence[float]) -> "_Scale":
        least, most = min(values), max(values)
        if least > 0 and most / least >= _LOGARITHMIC_FROM:
            return cls(least / 1.3, most * 1.3, logarithmic=True)
        return cls(0.0, most * 1.1 or 1.0, logarithmic=False)

    def across(self, value: float) -> float:
        """Where a value stands, in percent of the width."""
        if self.logarithmic:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return round(_LEFT + (_RIGHT - _LEFT) * share, 2)

    def ticks(self) -> list[float]:
        """Round values on the scale."""
        if not self.logarithmic:
            return Axis(self.low, self.high, "").ticks()[:6]
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        steps = (1,) if len(powers) > 3 else (1, 3)
        ticks = [step * 10.0**power for power in powers for step in steps]
        return [tick for tick in ticks if self.low <= tick <= self.high]
