"""`sql`, `report`, `releases`: what the history holds."""

import csv
import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer

from locomo_assets.analysis.accuracy import Accuracy, by_release, invalid_message
from locomo_assets.analysis.comparison.last_looks import LastLook, read_last_looks
from locomo_assets.history import database
from locomo_assets.history.errors import HistoryError
from locomo_assets.history.store import HistoryStore
from locomo_assets.redaction import printable
from locomo_assets.reporting.tables import ACCURACY_HEADINGS, BOUNDS, accuracy_cells
from locomo_assets.reporting.terminal import (
    console,
    print_accuracy,
    print_diagnosis,
    print_gold_faults,
    print_json,
    print_judge_errors,
    print_panels,
    print_recall,
    print_rows,
    print_scores,
    print_stopped,
    print_table,
    print_warnings,
)
from locomo_assets.runs.releases import pin_baseline
from locomo_assets.settings import SettingsError, read_settings


class Format(StrEnum):
    """How rows are printed."""

    table = "table"
    csv = "csv"
    json = "json"


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.command()(sql)
    app.command()(report)
    app.add_typer(releases, name="releases")


def sql(
    query: Annotated[str, typer.Argument(help="One SELECT over the history.")],
    format: Annotated[Format, typer.Option(help="How to print the rows.")] = Format.table,
) -> None:
    """Query the history, read-only. Costs nothing."""
    columns, rows = database.query(read_settings().database_path, query)
    if format is Format.table:
        print_rows(console(), columns, rows)
    elif format is Format.csv:
        # A pipe gets the texts as they are, and lines that a shell can read.
        shown = printable if sys.stdout.isatty() else str
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([shown(c) if isinstance(c, str) else c for c in row] for row in rows)
    else:
        records = [dict(zip(columns, row, strict=True)) for row in rows]
        print_json(records)


def report(
    release: Annotated[str | None, typer.Option(help="Only this release.")] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write a page with charts, comparison and flips here.")
    ] = None,
    leaderboard: Annotated[
        bool,
        typer.Option(
            "--leaderboard",
            help="All series side by side, in groups that may be compared; with what others claim.",
        ),
    ] = False,
) -> None:
    """Accuracy, F1, recall and more by category, of one release or of all. Costs nothing.

    With --html: one self-contained page on the release (or the newest), compared with the release
    before it. With --leaderboard: of each series, all releases beside each other.
    """
    from locomo_assets.services import Services

    if html is not None and (html.is_dir() or not html.parent.is_dir()):
        raise SettingsError(f"--html '{html}': give a file's name in a folder that exists")
    services = Services(read_settings())
    path, limit = services.settings.database_path, services.settings.max_error_percent
    audit_sha256 = services.keep_audit()
    if audit_sha256 is not None:
        database.refresh(services.store(), path)
    if leaderboard:
        _leaderboard(path, release, html, limit)
        return
    if html is not None:
        from locomo_assets.reporting.html import write_page

        written = write_page(
            path,
            html,
            release,
            max_error_percent=limit,
            margin_points=services.settings.margin_points,
            audit_sha256=audit_sha256,
        )
        print(f"{html}: release {written.whole.release}")
        return
    if release is not None:
        _refuse_unknown(release)
    out = console()
    wholes = print_accuracy(out, path, release, max_error_percent=limit)
    print_diagnosis(out, path, wholes)
    print_judge_errors(out, path, wholes)
    print_gold_faults(out, path, wholes, audit_sha256)
    print_panels(out, path, wholes)
    print_scores(out, path, release)
    print_recall(out, path, release)
    print_warnings(out, path, wholes)
    print_stopped(out, path, release)
    for row in wholes:
        if not row.valid:
            out.print(f"\n{invalid_message(row, limit)}", soft_wrap=True, highlight=False)


def _leaderboard(path: Path, release: str | None, html: Path | None, limit: float) -> None:
    from locomo_assets.reporting.leaderboard.data import read_leaderboard

    groups = read_leaderboard(path, release, max_error_percent=limit)
    if html is None:
        from locomo_assets.reporting.leaderboard.terminal import print_leaderboard

        print_leaderboard(console(), groups)
        return
    from locomo_assets.reporting.leaderboard.page import write_leaderboard

    write_leaderboard(groups, html)
    series = sum(len(group.entries) for group in groups)
    print(f"{html}: {series:,} series in {len(groups):,} group{'s' * (len(groups) != 1)}")


releases = typer.Typer()


@releases.callback(invoke_without_command=True)
def list_releases(context: typer.Context) -> None:
    """List the releases that were measured or imported, oldest first; pin one as the baseline.

    Costs nothing.
    """
    if context.invoked_subcommand is not None:
        return
    settings = read_settings()
    rows = by_release(settings.database_path, None, max_error_percent=settings.max_error_percent)
    shown = ["release", "system", "judge", "protocol", "questions", "accuracy %", "errors %"]
    if any(row.bounds_percent for row in rows):
        shown.insert(-1, BOUNDS)
    columns = [ACCURACY_HEADINGS.index(name) for name in shown]
    baseline = _baseline()
    newest_first = list(dict.fromkeys(row.release for row in rows))
    looks = read_last_looks(settings.database_path)
    texts = [
        (*(accuracy_cells(row)[i] for i in columns), _marks(row, baseline, looks))
        for row in sorted(rows, key=lambda row: -newest_first.index(row.release))
    ]
    print_table(console(), (*shown, ""), texts, may_go=("questions", "errors %", ""))


@releases.command()
def pin(
    release: Annotated[str, typer.Argument(help="A release with verdicts.")],
) -> None:
    """Compare later releases with this one, until another is pinned.

    The check `no_drift` then looks at this release and those after it. Pin the newest release to
    accept a change. Costs nothing.
    """
    _refuse_unknown(release)
    if _baseline() == release:
        print(f"release {release} is pinned already")
        return
    _note(release, pinned=True)
    print(f"release {release} is pinned: later releases are compared with it")


@releases.command()
def unpin() -> None:
    """Compare with no fixed release any more. Costs nothing."""
    release = _baseline()
    if release is None:
        print("no release is pinned")
        return
    _note(release, pinned=False)
    print(f"release {release} is no longer pinned")


def _note(release: str, *, pinned: bool) -> None:
    settings = read_settings()
    store = HistoryStore.open(settings.history_url)
    pin_baseline(store, release, f"pin-{uuid4().hex[:12]}", pinned=pinned)
    database.refresh(store, settings.database_path)


def _baseline() -> str | None:
    _, rows = database.query(read_settings().database_path, "SELECT release FROM current_baseline")
    return str(rows[0][0]) if rows else None


def _marks(row: Accuracy, baseline: str | None, looks: Mapping[str, LastLook]) -> str:
    stopped = looks[row.release].mark if row.release in looks else ""
    marks = (
        "imported" if row.imported else "",
        "pinned" if row.release == baseline else "",
        stopped,
    )
    return ", ".join(mark for mark in marks if mark)


def _refuse_unknown(release: str) -> None:
    path = read_settings().database_path
    _, known = database.query(path, "SELECT DISTINCT release FROM accuracy_by_release")
    if (release,) not in {tuple(row) for row in known}:
        raise HistoryError(
            f"release {release}: not in the history; `locomo-assets releases` lists those that are"
        )
