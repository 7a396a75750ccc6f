"""The HTML page: a release's numbers and every question, in one file that needs no network."""

import base64
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from locomo_assets.analysis.comparison import MARGIN_POINTS
from locomo_assets.analysis.intervals import CORRECTION
from locomo_assets.history import database
from locomo_assets.reporting.explorer import drawing, page_tables
from locomo_assets.reporting.explorer.ladder import ladder_sections
from locomo_assets.reporting.explorer.panels import judges_panel, page_table, panels
from locomo_assets.reporting.explorer.questions import packed, read_questions
from locomo_assets.reporting.panel import agreement_table, bounds_line, category_rows, headline
from locomo_assets.reporting.report_data import ReportData, read_report_data
from locomo_assets.reporting.summary import warning_lines
from locomo_assets.reporting.tables import (
    CEILING_NOTE,
    accuracy_text,
    asked_text,
    bounds_text,
    fixed,
    interval_notes,
    interval_text,
)

_FOLDER = Path(__file__).parent / "explorer"
_WARNING = "warning: "


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
    with database.one_state(database_path):
        data = read_report_data(
            database_path,
            release,
            series_key=series_key,
            max_error_percent=max_error_percent,
            margin_points=margin_points,
            audit_sha256=audit_sha256,
        )
        flips = data.comparison.flips if data.comparison else ()
        questions = read_questions(
            database_path,
            data.whole,
            data.previous,
            [row.release for row in data.trend],
            {(flip.conversation, flip.question_index): flip.step for flip in flips},
        )
    text = render(data, questions)
    partial = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return data


def render(data: ReportData, questions: Mapping[str, Any]) -> str:
    """The page as HTML; `questions` are those of `read_questions`."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        accuracy=accuracy_text,
        asked=asked_text,
        bar=drawing.bar,
        bounds=bounds_text,
        fixed=fixed,
        interval=interval_text,
        p=page_tables.p_value,
        points=page_tables.points,
        points_interval=page_tables.points_interval,
        sha256=_sha256,
        words=_words,
    )
    steps = data.comparison.bridge.steps if data.comparison else ()
    return environment.get_template("page.html.j2").render(
        data=data,
        warnings=[line.removeprefix(_WARNING) for line in warning_lines(data)],
        score_notes=[line for line in data.score_notes if not line.startswith(_WARNING)],
        before=next((row for row in data.trend if row.release == data.previous), None),
        most_steps=max((count for step in steps for count in (step.lost, step.gained)), default=1),
        accuracy=page_tables.accuracy_table(data),
        categories=page_tables.category_table(data),
        conversations=page_tables.conversation_table(data),
        comparison=page_tables.comparison_table(data),
        bridges=page_tables.bridge_table(data),
        gold_faults=page_tables.gold_fault_table(data),
        published=page_tables.published_tables(data),
        scores=page_tables.score_table(data),
        panels=panels(data),
        ladders=ladder_sections(data.ladders),
        **_judges(data),
        interval_notes=interval_notes([*data.categories, data.whole]),
        correction=CORRECTION,
        ceiling_note=CEILING_NOTE,
        style=(_FOLDER / "page.css").read_text(encoding="utf-8"),
        script=(_FOLDER / "explorer.js").read_text(encoding="utf-8"),
        questions=packed(questions),
    )


def _judges(data: ReportData) -> dict[str, object]:
    """What the page says of several judges on the same answers; nothing of one alone."""
    found = data.panel
    if found is None:
        return {"judges": None}
    return {
        "judges": judges_panel(data),
        "judges_headline": headline(found),
        "judges_bounds": bounds_line(found),
        "judges_tables": [page_table(agreement_table(found)), page_table(category_rows(found))],
    }


def _sha256(text: str) -> str:
    """The hash by which the page's policy lets a style or script through."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _words(name: str) -> str:
    return name.replace("_", " ")
