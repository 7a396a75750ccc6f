"""The simulations behind docs/statistics.md, small and with wide margins, and their page."""

from pathlib import Path

import numpy as np
import pytest

from bench.simulations import __main__ as simulations
from bench.simulations import page
from bench.simulations.comparing import SIZES, Service, power
from bench.simulations.coverage import coverage
from bench.simulations.drift import Truth, found
from locomo_assets.analysis.drift.alarms import Alarm


def test_every_table_has_its_place_in_the_page_and_was_made() -> None:
    for name in simulations.TABLES:
        text = page.page_of(name).read_text()
        assert f"<!-- simulation {name} -->\n| " in text, name


def test_a_table_is_put_in_its_place(tmp_path: Path) -> None:
    at = tmp_path / "page.md"
    at.write_text("before\n<!-- simulation one -->\nold\n<!-- end -->\nafter\n")
    table = page.markdown(("what", "share"), [("a", 0.5)])
    page.write({"one": table}, at)
    page.write({"one": table}, at)
    assert at.read_text() == (
        "before\n<!-- simulation one -->\n| what | share |\n| --- | ---: |\n| a | 0.5 |\n"
        "<!-- end -->\nafter\n"
    )
    with pytest.raises(ValueError, match="no place for the simulation two"):
        page.write({"two": table}, at)


def test_the_simulated_service_is_what_it_says() -> None:
    service = Service(np.random.default_rng(1), SIZES)
    chances = service.moved(0.0)
    one, other = service.run(chances), service.run(chances)
    assert (one != other).mean() == pytest.approx(0.10, abs=0.03)
    assert one.mean() == pytest.approx(0.82, abs=0.04)
    assert service.moved(1.0).mean() - chances.mean() == pytest.approx(0.01, abs=0.002)


def test_ten_repeats_see_one_point_that_one_does_not() -> None:
    assert power(1.0, repeats=10, trials=30, seed=1) >= 0.75
    assert power(1.0, repeats=1, trials=60, seed=1) <= 0.45
    assert power(0.0, repeats=10, trials=60, seed=1) <= 0.15


def test_wilson_is_too_narrow_where_conversations_differ() -> None:
    wilson, clustered = coverage(8.0, trials=1000)
    assert wilson < 0.65
    assert clustered == pytest.approx(0.94, abs=0.03)
    assert min(coverage(0.0, trials=1000)) > 0.92


def test_a_slow_fall_is_found_by_the_tenth_release_and_no_change_is_no_alarm() -> None:
    falls, by_alarm = found(Truth([-0.4 * n for n in range(10)]), trials=60, first=6)
    assert falls >= 0.85
    assert by_alarm[Alarm.SLOPE] >= 0.8
    false, _ = found(Truth([0.0] * 20, shift_points=0.3), trials=40)
    assert false <= 0.125
