"""Charts for Dagster's UI, drawn with matplotlib as PNG. The page's are in `explorer.panels`.

What they show is chosen in `report_data`.
"""

import base64
import io
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from locomo_assets.analysis.accuracy import Accuracy
from locomo_assets.analysis.drift.history import Drift
from locomo_assets.reporting.report_data import Reference, SeriesTrends
from locomo_assets.reporting.tables import asked_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TEXT, _LINE = "#1c1f23", "#d5dae0"
# Okabe and Ito's palette: the colour-blind can tell these apart, on white and on black.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a7a00", "#56b4e9")
_LONGEST_NAME, _LONGEST_TICK = 100, 40
"""In characters: longer ones would leave no room for the lines."""
_DASHES = (":", "--", "-.", (0, (1, 4)))


def series_charts(data: SeriesTrends) -> dict[str, str]:
    """Drift, categories, latency and cost of a release's series, by name, as Markdown."""
    return {
        "drift": png(drift(data.drift), "accuracy on the questions all releases have"),
        "categories": png(categories(data.category_trends), "by category"),
        "latency": png(latency(data.trend), "latency"),
        "cost": png(cost(data.trend), "cost"),
    }


def trend(rows: Sequence[Accuracy], references: Sequence[Reference] = ()) -> "Figure":
    """Accuracy over releases (oldest first) with its 95 % interval, and the references.

    A line follows one series on the same questions, and says how many they are.
    """
    shown = _scored(rows)
    series: dict[tuple[str, ...], list[Accuracy]] = {}
    for row in shown:
        series.setdefault(row.trend_key, []).append(row)

    def draw(axes: "Axes") -> None:
        # Puts the releases on the axis in their order, whichever series they belong to.
        axes.plot([row.release for row in shown], [math.nan] * len(shown))
        for number, points in enumerate(series.values()):
            *names, dataset = points[0].series if len(series) > 1 else ("",)
            label = " · ".join((*names, dataset[:8], asked_text(points[0]))).removeprefix(" · ")
            _line(axes, points, _COLOURS[number % len(_COLOURS)], _named(label))
        for number, one in enumerate(references, len(series) - 1):
            axes.axhline(
                one.accuracy_percent,
                color=_COLOURS[(number + 1) % len(_COLOURS)],
                linestyle=_DASHES[number % len(_DASHES)],
                linewidth=1.2,
                label=_named(f"{one.name}: {one.accuracy_percent:.1f} %"),
            )
        axes.set(ylim=(0, 100), ylabel="accuracy %")

    return _figure(draw)


def drift(found: Drift) -> "Figure":
    """Accuracy on the questions that all releases have, the fitted line, and what alarms."""

    def draw(axes: "Axes") -> None:
        names, values = list(found.releases), list(found.accuracies_percent)
        if not values:
            _empty(axes, "no questions that all releases have")
            return
        axes.plot(names, values, marker="o", color=_COLOURS[0])
        if found.slope is not None:
            change = 100 * found.slope.change
            middle, centre = sum(values) / len(values), (len(values) - 1) / 2
            fitted = [middle + change * (n - centre) for n in range(len(values))]
            label = f"slope {change:+.2f} points a release".replace("-", "−")
            axes.plot(names, fitted, color=_COLOURS[1], linewidth=1.2, label=label)
        if found.baseline is not None:
            axes.axhline(values[0], color=_COLOURS[2], linestyle="--", linewidth=1.2,
                         label=f"pinned baseline {found.baseline}")  # fmt: skip
        if found.raised:
            label = f"alarm: {', '.join(test.alarm for test in found.raised)}"
            axes.plot(names[-1:], values[-1:], "x", markersize=11, color=_COLOURS[1], label=label)
        axes.set(ylabel="accuracy %")

    return _figure(draw)


def categories(trends: Mapping[str, Sequence[Accuracy]]) -> "Figure":
    """Accuracy over releases, a line a category."""

    def draw(axes: "Axes") -> None:
        for number, (name, rows) in enumerate(trends.items()):
            _line(axes, rows, _COLOURS[number % len(_COLOURS)], _named(name), bars=False)
        axes.set(ylim=(0, 100), ylabel="accuracy %")

    return _figure(draw)


def latency(rows: Sequence[Accuracy]) -> "Figure":
    """Latency of answers over releases: the median and the 95th percentile."""

    def draw(axes: "Axes") -> None:
        names = [row.release for row in rows]
        if all(row.latency_p50_ms is None for row in rows):
            _empty(axes, "no latency is known")
            return
        for colour, label, values in (
            (_COLOURS[0], "median", [row.latency_p50_ms for row in rows]),
            (_COLOURS[1], "95 % of answers within", [row.latency_p95_ms for row in rows]),
        ):
            points = [(n, v) for n, v in zip(names, values, strict=True) if v is not None]
            axes.plot([n for n, _ in points], [v for _, v in points], marker="o", color=colour,
                      label=label)  # fmt: skip
        axes.set(ylabel="ms")
        axes.set_ylim(bottom=0)

    return _figure(draw)


def cost(rows: Sequence[Accuracy]) -> "Figure":
    """Cost of answers and verdicts over releases; none where a price is unknown."""

    def draw(axes: "Axes") -> None:
        known = [(row.release, row.cost_usd) for row in rows if row.cost_usd is not None]
        if not known:
            _empty(axes, "no cost is known")
            return
        axes.bar([n for n, _ in known], [v for _, v in known], color=_COLOURS[2], width=0.5)
        axes.set(ylabel="USD")
        axes.set_ylim(bottom=0)

    return _figure(draw)


def _named(label: str) -> str:
    """A name for the legend, which leaves out those that begin with an underscore."""
    return f" {label}" if label.startswith("_") else label


def _cut(text: str, longest: int) -> str:
    """On one line, and so short that it leaves room for the chart; its ends stay."""
    line, end = text.replace("\n", " "), longest // 3
    return line if len(line) <= longest else f"{line[: longest - end - 1]}…{line[-end:]}"


def _empty(axes: "Axes", text: str) -> None:
    axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes)
    axes.set(xticks=[], yticks=[])


def png(figure: "Figure", title: str) -> str:
    """The figure as Markdown with an inline picture."""
    import matplotlib as mpl

    picture = io.BytesIO()
    with mpl.rc_context({"text.parse_math": False}), warnings.catch_warnings():
        # A label may have letters that the packaged font lacks: they become boxes.
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font", UserWarning)
        figure.savefig(picture, format="png", dpi=110)
    return f"![{title}](data:image/png;base64,{base64.b64encode(picture.getvalue()).decode()})"


def _figure(draw: Callable[["Axes"], None]) -> "Figure":
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context(
        {
            # A label's `$` is a sign; of ticks as well, which are made when it is drawn (`png`).
            "text.parse_math": False,
            "font.family": "sans-serif",
            "font.size": 9,
            "text.color": _TEXT,
            "axes.labelcolor": _TEXT,
            "xtick.color": _TEXT,
            "ytick.color": _TEXT,
            "axes.edgecolor": _LINE,
            "grid.color": _LINE,
            "axes.spines.top": False,
            "axes.spines.right": False,
        }
    ):
        figure = Figure(figsize=(6.4, 3.2), layout="constrained")
        axes = FigureCanvasAgg(figure).figure.add_subplot()
        draw(axes)
        axes.grid(axis="y", linewidth=0.6)
        axes.set_axisbelow(True)
        ticks = len(axes.get_xticks())
        names = [text.get_text() for text in axes.get_xticklabels()]
        if (short := [_cut(name, _LONGEST_TICK) for name in names]) != names:
            axes.set_xticks(axes.get_xticks(), short)
        axes.tick_params(axis="x", rotation=0 if ticks < 4 else 30, labelsize=8)
        handles, labels = axes.get_legend_handles_labels()
        if named := dict(zip(labels, handles, strict=True)):  # each label once
            # A long legend makes the figure taller; the lines keep their height.
            figure.set_figheight(3.2 + 0.18 * max(0, len(named) - 4))
            figure.legend(
                list(named.values()),
                [_cut(name, _LONGEST_NAME) for name in named],
                loc="outside lower center",
                fontsize=8,
                frameon=False,
                ncols=1,
            )
    return figure


def _line(
    axes: "Axes",
    rows: Sequence[Accuracy],
    colour: str,
    label: str | None,
    *,
    bars: bool = True,
) -> None:
    known = _scored(rows)
    # Where the accuracy is not valid, the line has a gap and a grey cross stands there.
    middle = [row.accuracy_percent or 0.0 if row.valid else math.nan for row in known]
    names = [row.release for row in known]
    invalid = [row for row in known if not row.valid]
    axes.plot(names, [math.nan] * len(names))
    if invalid:
        axes.plot(
            [row.release for row in invalid],
            [row.accuracy_percent or 0.0 for row in invalid],
            "x",
            color="grey",
            label="not valid: too many errors",
        )
    if not bars:
        axes.plot(names, middle, marker="o", color=colour, label=label)
        return
    ends = [row.interval_percent or (math.nan, math.nan) for row in known]
    # No interval is no bar: `max` gives its first argument where that is not a number.
    below = [max(m - low, 0.0) for m, (low, _) in zip(middle, ends, strict=True)]
    above = [max(high - m, 0.0) for m, (_, high) in zip(middle, ends, strict=True)]
    axes.errorbar(names, middle, yerr=(below, above), marker="o", capsize=3, color=colour,
                  label=label)  # fmt: skip


def _scored(rows: Sequence[Accuracy]) -> list[Accuracy]:
    return [row for row in rows if row.accuracy_percent is not None]
