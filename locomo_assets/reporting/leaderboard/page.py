"""The leaderboard as a page: one file that needs no network and runs no script."""

import base64
import hashlib
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from locomo_assets import __version__
from locomo_assets.backboard.protocols import is_reference
from locomo_assets.reporting.explorer import drawing
from locomo_assets.reporting.explorer.page_tables import PageTable
from locomo_assets.reporting.leaderboard.claims import CLAIM_HEADINGS, read_claims
from locomo_assets.reporting.leaderboard.data import HEADINGS, STANDIN_NOTE, Entry, Group, notes
from locomo_assets.reporting.leaderboard.scatter import Mark, scatter
from locomo_assets.reporting.tables import accuracy_text, fixed, interval_text

_FOLDER = Path(__file__).parent
_EXPLORER = Path(drawing.__file__).parent
_LEAST_MARKS = 2


class Figure(NamedTuple):
    """A drawing with its numbers."""

    title: str
    drawing: str
    caption: str
    table: PageTable


class Section(NamedTuple):
    """A group on the page."""

    group: Group
    table: PageTable
    figures: list[Figure]
    warning: str


class _Axis(NamedTuple):
    title: str
    unit: str
    decimals: int
    value: Callable[[Entry], float | None]


_AXES = (
    _Axis("memory tokens a question", "memory tokens", 0, lambda one: one.workload.memory_tokens),
    _Axis("input tokens a question", "input tokens", 0, lambda one: one.workload.input_tokens),
    _Axis("cost of an answer", "USD", 5, lambda one: one.workload.cost_usd),
    _Axis("time to answer", "ms", 0, lambda one: one.row.latency_p50_ms),
)


def write_leaderboard(groups: Sequence[Group], target: Path) -> None:
    """Writes the page, whole or not at all. Raises OSError: the file can't be written."""
    partial = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    try:
        partial.write_text(render(groups), encoding="utf-8")
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def render(groups: Sequence[Group]) -> str:
    """The page as HTML."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader([_FOLDER, _EXPLORER]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # The explorer's macros name filters that its own page has.
    environment.filters.update(bar=drawing.bar, words=str)
    style = (_EXPLORER / "page.css").read_text(encoding="utf-8") + (
        _FOLDER / "leaderboard.css"
    ).read_text(encoding="utf-8")
    claims = read_claims()
    return environment.get_template("leaderboard.html.j2").render(
        sections=[_section(group) for group in groups],
        claims=claims,
        claim_tables=[
            _telling(f"{one.name}; harness: {one.harness}", CLAIM_HEADINGS, one.rows())
            for one in claims.source
        ],
        notes=notes(groups),
        made_at=datetime.now(UTC),
        version=__version__,
        style=style,
        style_sha256=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
    )


def _section(group: Group) -> Section:
    rows = [_named_first(one.cells()) for one in group.entries]
    return Section(
        group,
        _telling("The most accurate first", _named_first(HEADINGS), rows),
        [found for axis in _AXES if (found := _figure(axis, group.entries))],
        STANDIN_NOTE if group.has_standin else "",
    )


def _telling(caption: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> PageTable:
    """A table without the columns in which nothing is known."""
    kept = [at for at in range(len(headings)) if any(row[at] not in ("–", "") for row in rows)]
    return PageTable(
        caption,
        tuple(headings[at] for at in kept),
        tuple(tuple(row[at] or "–" for at in kept) for row in rows),
    )


def _named_first(cells: Sequence[str]) -> tuple[str, ...]:
    """The place and the release as one cell, which names the row."""
    return (f"{cells[0]} {cells[1]}".strip(), *cells[2:])


def _figure(axis: _Axis, entries: Sequence[Entry]) -> Figure | None:
    known = [
        (one, value) for one in entries if one.row.valid and (value := axis.value(one)) is not None
    ]
    if len(known) < _LEAST_MARKS or not any(value for _, value in known):
        return None
    title = f"Accuracy against {axis.title}"
    marks = [
        Mark(one.place, f"{one.row.release} {one.row.question_protocol}", value,
             one.row.accuracy_percent or 0.0, one.row.interval_percent,
             is_reference(one.row.question_protocol))
        for one, value in known
    ]  # fmt: skip
    missing = len(entries) - len(known)
    return Figure(
        title,
        scatter(title, marks, axis.unit, axis.decimals),
        "The numbers are the rows' places; up and to the left is better."
        + (" Orange: references without a memory." if any(m.is_reference for m in marks) else "")
        + (f" Not drawn: {missing}, of which it is not known or not valid." if missing else ""),
        PageTable(
            title,
            ("release", "asked", "accuracy %", "95 % interval", axis.unit),
            tuple(
                (
                    f"{one.place} {one.row.release}",
                    one.row.question_protocol,
                    accuracy_text(one.row),
                    interval_text(one.row),
                    fixed(value, axis.decimals),
                )
                for one, value in known
            ),
        ),
    )
