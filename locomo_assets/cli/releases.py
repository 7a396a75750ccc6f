"""`releases`: which releases the history has, and which one is the baseline."""

from collections.abc import Mapping
from typing import Annotated
from uuid import uuid4

import typer

from locomo_assets.analysis.accuracy import Accuracy, by_release, release_dates
from locomo_assets.analysis.comparison.last_looks import LastLook, read_last_looks
from locomo_assets.analysis.comparison.series import UnknownReleaseError
from locomo_assets.cli.options import AllOption, WideOption
from locomo_assets.cli.shell import completion
from locomo_assets.cli.shell.place import released_settings, stored_history_settings
from locomo_assets.history import database
from locomo_assets.near_names import unknown_release
from locomo_assets.reporting.tables import ACCURACY_HEADINGS, BOUNDS, accuracy_cells
from locomo_assets.reporting.terminal.table import (
    Short,
    console,
    print_left_out,
    print_table,
)
from locomo_assets.settings import Settings, read_settings


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.add_typer(releases, name="releases")


releases = typer.Typer()

_SHORT = Short(only_wide=("errors %",), if_any=(BOUNDS, "marks"), if_varied=("protocol", "system"))


@releases.callback(invoke_without_command=True)
def list_releases(
    context: typer.Context, wide: WideOption = False, all_rows: AllOption = False
) -> None:
    """List the releases that were measured or imported, newest first; pin one as the baseline.

    The date (UTC) is that of publication, else of the first measurement. Costs nothing.
    """
    if context.invoked_subcommand is not None:
        return
    settings = released_settings()
    rows = by_release(settings.database_path, None, max_error_percent=settings.max_error_percent)
    shown = ["questions", "accuracy %", "judge", "protocol", "system", BOUNDS, "errors %"]
    if not any(row.bounds_percent for row in rows):
        shown.remove(BOUNDS)
    columns = [ACCURACY_HEADINGS.index(name) for name in shown]
    baseline, dates = _baseline(settings), release_dates(settings.database_path)
    looks = read_last_looks(settings.database_path)
    texts = [
        (
            row.release,
            dates.get(row.release) or "–",
            *(accuracy_cells(row)[i] for i in columns),
            "yes" if row.valid else "invalid",
            _marks(row, baseline, looks),
        )
        for row in rows
    ]
    out = console(wide=wide)
    print_table(
        out, ("release", "date", *shown, "valid", "marks"), texts, _SHORT, all_rows=all_rows
    )
    print_left_out(out)


@releases.command()
def pin(
    release: Annotated[
        str, typer.Argument(help="A release with verdicts.", autocompletion=completion.releases)
    ],
) -> None:
    """Compare later releases with this one, until another is pinned.

    The check `no_drift` then looks at this release and those after it. Pin the newest release to
    accept a change. Costs nothing.
    """
    settings = stored_history_settings()
    refuse_unknown(release)
    if _baseline(settings) == release:
        print(f"release {release} is pinned already")
        return
    _note(settings, release, pinned=True)
    print(f"release {release} is pinned: later releases are compared with it")


@releases.command()
def unpin() -> None:
    """Compare with no fixed release any more. Costs nothing."""
    settings = stored_history_settings()
    release = _baseline(settings)
    if release is None:
        print("no release is pinned")
        return
    _note(settings, release, pinned=False)
    print(f"release {release} is no longer pinned")


def _note(settings: Settings, release: str, *, pinned: bool) -> None:
    from locomo_assets.history.store import HistoryStore
    from locomo_assets.runs.releases import pin_baseline

    store = HistoryStore.open(settings.history_url)
    pin_baseline(store, release, f"pin-{uuid4().hex[:12]}", pinned=pinned)
    database.refresh(store, settings.database_path)


def _baseline(settings: Settings) -> str | None:
    _, rows = database.query(settings.database_path, "SELECT release FROM current_baseline")
    return str(rows[0][0]) if rows else None


def _marks(row: Accuracy, baseline: str | None, looks: Mapping[str, LastLook]) -> str:
    stopped = looks[row.release].mark if row.release in looks else ""
    marks = (
        "imported" if row.imported else "",
        "pinned" if row.release == baseline else "",
        stopped,
    )
    return ", ".join(mark for mark in marks if mark)


def refuse_unknown(release: str) -> None:
    """Raises UnknownReleaseError where the history has no verdict of this release."""
    _, rows = database.query(
        read_settings().database_path,
        "SELECT release FROM release_order SEMI JOIN accuracy_by_release USING (release) "
        "ORDER BY position DESC",
    )
    known = [str(row[0]) for row in rows]
    if release not in known:
        raise UnknownReleaseError(unknown_release(release, known))
