"""The HTML page: `report_data` rendered into one file that needs no network."""

import base64
import hashlib
import os
from pathlib import Path
from typing import Any

from locomo_assets.analysis.comparison import MARGIN_POINTS
from locomo_assets.analysis.comparison.decision import p_text
from locomo_assets.analysis.intervals import CORRECTION
from locomo_assets.reporting import charts
from locomo_assets.reporting.report_data import ReportData, read_report_data
from locomo_assets.reporting.tables import (
    CEILING_NOTE,
    GOLD_FAULT_HEADINGS,
    accuracy_text,
    asked_text,
    bounds_text,
    fixed,
    gold_fault_cells,
    interval_notes,
    interval_text,
)

_TEMPLATE = Path(__file__).with_name("page.html.j2")


def write_page(
    database_path: Path,
    target: Path,
    release: str | None = None,
    *,
    series_key: tuple[str, ...] | None = None,
    max_error_percent: float,
    margin_points: float = MARGIN_POINTS,
    audit_sha256: str | None = None,
) -> ReportData:
    """Writes the page of a release (or of the newest), whole or not at all; as `read_report_data`.

    Gold faults are those of the given audit, or of the newest in the history.

    Raises:
        UnknownReleaseError: the release has no verdicts.
        OSError: the file can't be written.
    """
    data = read_report_data(
        database_path,
        release,
        series_key=series_key,
        max_error_percent=max_error_percent,
        margin_points=margin_points,
        audit_sha256=audit_sha256,
    )
    text = render(data)
    partial = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return data


def render(data: ReportData) -> str:
    """The page as HTML."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["fixed"] = fixed
    environment.filters["fault_cells"] = gold_fault_cells
    environment.filters["accuracy"] = accuracy_text
    environment.filters["asked"] = asked_text
    environment.filters["interval"] = interval_text
    environment.filters["bounds"] = bounds_text
    environment.filters["points"] = _points
    environment.filters["p"] = _p
    drawn = {
        "trend": charts.svg(charts.trend(data.trend, data.references), "Accuracy over releases"),
        "drift": charts.svg(charts.drift(data.drift), "Drift"),
        "categories": charts.svg(charts.categories(data.category_trends), "By category"),
        "latency": charts.svg(charts.latency(data.trend), "Latency"),
        "cost": charts.svg(charts.cost(data.trend), "Cost"),
    }
    source = _TEMPLATE.read_text()
    script = source.partition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    template = environment.from_string(source)
    return template.render(
        data=data,
        charts=drawn,
        script_sha256=digest,
        correction=CORRECTION,
        fault_headings=GOLD_FAULT_HEADINGS,
        ceiling_note=CEILING_NOTE,
        interval_notes=interval_notes([*data.categories, data.whole]),
    )


def _points(value: Any) -> str:
    """A share as signed percentage points; an interval as two."""
    if value is None:
        return "–"
    if isinstance(value, tuple):
        return f"{_points(value[0])} … {_points(value[1])}"
    return f"{value * 100:+.2f}".replace("-", "−")


def _p(value: float | None) -> str:
    return "–" if value is None else p_text(value).removeprefix("p = ").removeprefix("p ")
