"""Drawings: where marks stand, what they say, and which names have room."""

import re
from itertools import pairwise

import pytest

from locomo_assets.reporting.explorer.drawing import (
    Axis,
    Line,
    Point,
    Rule,
    bar,
    over_releases,
    track,
)

PERCENT = Axis(0.0, 100.0, "%", 1)


def drawn(*points: Point, reported: str = "r1", rules: tuple[Rule, ...] = ()) -> str:
    releases = [f"r{number}" for number in range(len(points))]
    return over_releases(
        "Accuracy", releases, [Line("all", points)], PERCENT, reported=reported, rules=rules
    )


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 100, [0, 20, 40, 60, 80, 100]),
        (30, 50, [30, 35, 40, 45, 50]),
        (20, 70, [20, 30, 40, 50, 60, 70]),
        (0, 0.003, [0, 0.001, 0.002, 0.003]),
    ],
)
def test_a_scale_has_round_ticks(low: float, high: float, ticks: list[float]) -> None:
    assert Axis(low, high, "%").ticks() == pytest.approx(ticks)


def test_every_mark_says_its_value_and_interval() -> None:
    found = drawn(Point(80.0, (75.0, 85.0)), Point(84.0), Point(None))
    assert re.findall(r"<title>(.*?)</title>", found) == [
        "Accuracy", "r0, all: 80.0 % (75.0 – 85.0)", "r1, all: 84.0 %",
    ]  # fmt: skip
    assert found.count('class="interval"') == 1


def test_what_is_not_valid_stands_beside_the_line() -> None:
    found = drawn(Point(80.0), Point(99.0, is_valid=False), Point(84.0))
    assert "r1, all: 99.0 %, not valid" in found
    # One segment, from the first release to the third.
    assert len(re.findall(r'<g class="c0"><line x1="25\.5%" x2="83\.5%"', found)) == 1


def test_the_reported_release_is_marked_and_named() -> None:
    found = drawn(Point(80.0), Point(84.0))
    assert found.count('class="reported"') == 1
    assert re.search(r'class="roomy is-reported"[^>]*>r1<', found)
    assert 'class="reported"' not in drawn(Point(80.0), reported="elsewhere")


def test_a_rule_is_named_and_escaped() -> None:
    found = drawn(Point(80.0), rules=(Rule("<floor>", 12.0),))
    assert "<title>&lt;floor&gt;: 12.0 %</title>" in found


def test_names_never_touch_and_the_reported_one_is_always_there() -> None:
    releases = [f"release-2026-11-{day:02d}" for day in range(1, 21)]
    points = [Point(float(day)) for day in range(20)]
    found = over_releases(
        "A", releases, [Line("all", points)], PERCENT, reported="release-2026-11-10"
    )
    narrow = re.findall(
        r'class="narrow[^"]*" text-anchor="(\w+)" x="([\d.]+)%"[^>]*>([^<]+)<', found
    )
    ends = []
    for anchor, x, name in narrow:
        wide, at = len(name) * 7.5, float(x) * 320 / 100
        begin = at - {"start": 0.0, "middle": wide / 2, "end": wide}[anchor]
        ends.append((begin, begin + wide))
    ends.sort()
    assert ends[0][0] >= 0
    assert ends[-1][1] <= 320
    assert all(one[1] < other[0] for one, other in pairwise(ends))
    assert "release-2026-11-10" in [name for _, _, name in narrow]


def test_a_bar_grows_from_its_side_and_leaves_room_for_its_number() -> None:
    assert 'x="0.00%" width="50.00%"' in bar(0.5, "half")
    lost = bar(1.0, "all", "37", to_the_left=True)
    assert 'x="18.00%" width="82.00%"' in lost
    assert 'text-anchor="end">37</text>' in lost


def test_a_track_shows_now_before_and_the_interval() -> None:
    found = track(PERCENT, 50.0, (40.0, 60.0), 45.0)
    assert 'x1="40.40%" x2="59.60%"' in found
    assert "<title>50.0 % (40.0 – 60.0)</title>" in found
    assert "<title>before: 45.0 %</title>" in found
    assert "<circle" not in track(PERCENT, None, None, None)
