"""Charts: what is drawn, and in which form."""

import base64
from typing import Any

import numpy as np
import pytest
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure

from locomo_assets.analysis.accuracy import Accuracy
from locomo_assets.reporting.charts import png, trend
from locomo_assets.reporting.report_data import Reference
from locomo_assets_tests.analysis.factories import accuracy_row


def row(release: str, percent: float, **columns: Any) -> Accuracy:
    return accuracy_row(
        release=release,
        accuracy_percent=percent,
        low_percent=percent - 1.0,
        high_percent=percent + 1.0,
        **columns,
    )


ASKED = "100 questions of 1 conversation"
R0, INVALID, R2 = row("r0", 75.0), row("r1", 99.0, valid=False), row("r2", 84.0)


def lines(figure: Figure) -> dict[str, list[tuple[str, float]]]:
    """The drawn points of each named line of a chart over releases."""
    (axes,) = figure.axes
    releases = [text.get_text() for text in axes.get_xticklabels()]
    named = {str(one.get_label()): one for one in axes.lines}
    for bars in axes.containers:
        assert isinstance(bars, ErrorbarContainer)
        named[str(bars.get_label())] = bars[0]
    return {
        label: [
            (releases[int(x)], y)
            for x, y in np.asarray(line.get_xydata()).tolist()
            if not np.isnan(y)
        ]
        for label, line in named.items()
        if not label.startswith("_")
    }


def legend(figure: Figure) -> list[str]:
    return sorted(text.get_text() for one in figure.legends for text in one.get_texts())


def test_what_is_not_valid_is_drawn_beside_the_line() -> None:
    other = row("r0", 50.0, judge="strict")
    drawn = lines(trend([R0, other, INVALID, R2]))
    assert drawn[f"backboard · isolated · gpt-4.1/generous · dddddddd · {ASKED}"] == [
        ("r0", 75.0),
        ("r2", 84.0),
    ]
    assert drawn["not valid: too many errors"] == [("r1", 99.0)]


def test_several_series_are_named_and_releases_keep_their_order() -> None:
    rows = [row("r0", 50.0, judge="strict"), INVALID, R2, row("r3", 50.0, judge="strict")]
    figure = trend(rows, [Reference("no-memory", 12.0)])
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.get_xticklabels()] == ["r0", "r1", "r2", "r3"]
    assert legend(figure) == [
        f"backboard · isolated · gpt-4.1/generous · dddddddd · {ASKED}",
        f"backboard · isolated · strict · dddddddd · {ASKED}",
        "no-memory: 12.0 %",
        "not valid: too many errors",
    ]
    assert legend(trend([R0, R2])) == [ASKED]


def test_releases_on_other_questions_are_never_joined() -> None:
    few = row("r1", 60.0, question_set="few", questions=75, conversations=3)
    assert lines(trend([R0, few, R2])) == {
        f"backboard · isolated · gpt-4.1/generous · dddddddd · {ASKED}": [
            ("r0", 75.0),
            ("r2", 84.0),
        ],
        "backboard · isolated · gpt-4.1/generous · dddddddd · 75 questions of 3 conversations": [
            ("r1", 60.0)
        ],
    }


def test_the_bars_are_the_clustered_interval() -> None:
    shown = row(
        "r0", 75.0, conversations=2, clustered_low_percent=60.0, clustered_high_percent=90.0
    )
    alike = row("r1", 75.0, conversations=2)
    (axes,) = trend([shown, alike]).axes
    (bars,) = axes.containers
    assert isinstance(bars, ErrorbarContainer)
    _, _, (drawn,) = bars.lines
    first, second = drawn.get_segments()
    assert first[:, 1].tolist() == [60.0, 90.0]
    assert not second.size  # no spread is seen: no bar


@pytest.mark.parametrize("rows", [[], [accuracy_row(accuracy_percent=None)], [R0, R2]])
def test_every_trend_becomes_a_png(rows: list[Accuracy]) -> None:
    figure = trend(rows)
    encoded = png(figure, "accuracy").partition("base64,")[2].removesuffix(")")
    assert base64.b64decode(encoded).startswith(b"\x89PNG")


def test_a_label_in_letters_that_the_font_lacks_is_drawn_without_a_warning() -> None:
    assert png(trend([row("漢字", 75.0), R2]), "trend").startswith("![trend](data:image/png")
