"""The trend over releases: one series or several, and what is not valid."""

import base64
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from matplotlib.axes import Axes

from locomo_assets.analysis.accuracy import Accuracy
from locomo_assets.reporting import charts
from locomo_assets.reporting.report_data import Reference
from locomo_assets_tests.analysis.test_accuracy import ROW

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OTHER = replace(ROW, judge="another")


def legend(figure: "Figure") -> list[str]:
    return [text.get_text() for one in figure.legends for text in one.get_texts()]


def releases(figure: "Figure") -> list[str]:
    return [text.get_text() for text in figure.axes[0].get_xticklabels()]


def test_what_is_not_valid_is_beside_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[list[str], list[float]]] = []
    marked: list[tuple[list[str], list[float]]] = []
    errorbar, plot = Axes.errorbar, Axes.plot

    def watched_errorbar(self: Axes, x: list[str], y: list[float], **how: Any) -> object:
        drawn.append((x, y))
        return errorbar(self, x, y, **how)

    def watched_plot(self: Axes, *given: Any, **how: Any) -> object:
        if how.get("color") == "grey":
            marked.append(given[:2])
        return plot(self, *given, **how)

    monkeypatch.setattr(Axes, "errorbar", watched_errorbar)
    monkeypatch.setattr(Axes, "plot", watched_plot)
    rows = [replace(ROW, release="r0", valid=False, accuracy_percent=99.0), ROW]
    figure = charts.trend(rows)
    ((names, middle),) = drawn
    points = zip(names, middle, strict=True)
    assert [(name, one) for name, one in points if not math.isnan(one)] == [("r1", 75.0)]
    assert marked == [(["r0"], [99.0])]
    assert legend(figure) == ["not valid: too many errors"]


def test_several_series_are_named_and_releases_keep_their_order() -> None:
    rows = [
        replace(OTHER, release="r0"),
        ROW,
        replace(ROW, release="r2", valid=False),
        replace(OTHER, release="r3"),
        replace(OTHER, release="r4", valid=False),
    ]
    figure = charts.trend(rows, [Reference("no-memory", 12.0)])
    assert releases(figure) == ["r0", "r1", "r2", "r3", "r4"]
    assert sorted(legend(figure)) == [
        "no-memory: 12.0 %",
        "not valid: too many errors",
        "standin · isolated · another · 01234567",
        "standin · isolated · a|judge · 01234567",
    ]
    assert legend(charts.trend([ROW])) == []


@pytest.mark.parametrize(
    "rows", [[], [replace(ROW, accuracy_percent=None)], [ROW, replace(ROW, release="r0")]]
)
def test_a_png_even_where_nothing_is_scored(rows: list[Accuracy]) -> None:
    shown = charts.png(charts.trend(rows), "accuracy over releases")
    assert shown.startswith("![accuracy over releases](data:image/png;base64,")
    encoded = shown.partition("base64,")[2].removesuffix(")")
    assert base64.b64decode(encoded).startswith(b"\x89PNG")
