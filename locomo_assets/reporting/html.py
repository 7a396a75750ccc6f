"""The page itself: content into the template, one file that needs no network.

What it says is in `report_data`; its charts are in `charts`.
"""

import os
from pathlib import Path
from typing import Any

from locomo_assets.analysis import gold_faults
from locomo_assets.analysis.accuracy import accuracy_text
from locomo_assets.analysis.decision import Conclusion
from locomo_assets.analysis.intervals import CORRECTION
from locomo_assets.analysis.series import UnknownReleaseError
from locomo_assets.reporting import charts
from locomo_assets.reporting.report_data import Content, read_content

_TEMPLATE = Path(__file__).with_name("page.html.j2")


def write_page(
    database_path: Path,
    target: Path,
    release: str | None = None,
    *,
    max_error_percent: float,
    audit_sha256: str | None = None,
) -> Content:
    """Writes the report of a release (or the newest), whole or not at all.

    Gold faults are shown by that audit, or by the newest in the history.

    Raises UnknownReleaseError: the release has no verdicts. OSError: it can't be written.
    """
    content = read_content(
        database_path, release, max_error_percent=max_error_percent, audit_sha256=audit_sha256
    )
    text = render(content)
    half = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    try:
        half.write_text(text, encoding="utf-8")
        half.replace(target)
    finally:
        half.unlink(missing_ok=True)
    return content


def trend_pictures(database_path: Path, *, max_error_percent: float) -> dict[str, str]:
    """The newest release's series over time, as Markdown pictures; none without verdicts."""
    try:
        content = read_content(database_path, max_error_percent=max_error_percent)
    except UnknownReleaseError:
        return {}
    return {
        "categories": charts.png(charts.categories(content.category_trends), "by category"),
        "latency": charts.png(charts.latency(content.trend), "latency"),
        "cost": charts.png(charts.cost(content.trend), "cost"),
    }


def render(content: Content) -> str:
    """The page as text."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["fixed"] = _fixed
    environment.filters["fault_cells"] = gold_faults.cells
    environment.filters["accuracy"] = accuracy_text
    environment.filters["points"] = _points
    environment.filters["p"] = _p
    drawn = {
        "trend": charts.svg(
            charts.trend(content.trend, content.references), "Accuracy over releases"
        ),
        "categories": charts.svg(charts.categories(content.category_trends), "By category"),
        "latency": charts.svg(charts.latency(content.trend), "Latency"),
        "cost": charts.svg(charts.cost(content.trend), "Cost"),
    }
    template = environment.from_string(_TEMPLATE.read_text())
    return template.render(c=content, charts=drawn, headline=_headline(content),
                           correction=CORRECTION, fault_headings=gold_faults.HEADINGS)  # fmt: skip


def _headline(content: Content) -> str:
    if content.comparison is None:
        return f"{content.whole.release} is not compared: {content.not_compared}."
    said = content.comparison.overall.verdict
    if said.word is Conclusion.CANNOT_TELL:
        return (
            f"Cannot tell whether {content.whole.release} is better or worse than "
            f"{content.previous}: {said.because}."
        )
    return f"{content.whole.release} is {said.word} than {content.previous}: {said.because}."


def _fixed(value: float | None, digits: int = 1) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _points(value: Any) -> str:
    """A share as signed percentage points; an interval as two."""
    if value is None:
        return "–"
    if isinstance(value, tuple):
        return f"{_points(value[0])} … {_points(value[1])}"
    return f"{value * 100:+.2f}".replace("-", "−")


def _p(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}" if value >= 0.001 else "< 0.001"
