"""`report`: accuracy and what lies behind it, of one release or all."""

from pathlib import Path
from typing import Annotated

import typer

from locomo_assets.analysis.accuracy import invalid_message
from locomo_assets.cli.options import WideOption
from locomo_assets.cli.releases import refuse_unknown
from locomo_assets.cli.shell import completion
from locomo_assets.cli.shell.place import released_settings
from locomo_assets.history import database
from locomo_assets.reporting.terminal.series import (
    print_accuracy,
    print_diagnosis,
    print_gold_faults,
    print_judge_errors,
    print_panels,
    print_recall,
    print_scores,
    print_stopped,
    print_warnings,
)
from locomo_assets.reporting.terminal.table import Screen, console, print_left_out, print_line
from locomo_assets.settings import Settings, SettingsError


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.command()(report)


def report(
    release: Annotated[
        str | None, typer.Option(help="Only this release.", autocompletion=completion.releases)
    ] = None,
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
    wide: WideOption = False,
) -> None:
    """Accuracy, F1, recall and more by category, of one release or of all. Costs nothing.

    With --html: one self-contained page on the release (or the newest), compared with the release
    before it. With --leaderboard: of each series, all releases beside each other.
    """
    if html is not None and (html.is_dir() or not html.parent.is_dir()):
        raise SettingsError(f"--html '{html}': give a file's name in a folder that exists")
    settings = released_settings()
    path, limit = settings.database_path, settings.max_error_percent
    audit_sha256 = None if settings.audit is None else _keep_audit(settings)
    if leaderboard:
        _leaderboard(path, release, html, limit, console(wide=wide))
        return
    if html is not None:
        from locomo_assets.reporting.html import write_page

        written = write_page(
            path,
            html,
            release,
            max_error_percent=limit,
            margin_points=settings.margin_points,
            audit_sha256=audit_sha256,
        )
        print(f"{html}: release {written.whole.release}")
        return
    if release is not None:
        refuse_unknown(release)
    with database.one_state(path):
        _print_report(console(wide=wide), path, release, limit, audit_sha256)


def _print_report(
    out: Screen, path: Path, release: str | None, limit: float, audit_sha256: str | None
) -> None:
    wholes = print_accuracy(out, path, release, max_error_percent=limit)
    print_diagnosis(out, path, wholes)
    print_judge_errors(out, path, wholes)
    print_gold_faults(out, path, wholes, audit_sha256)
    print_panels(out, path, wholes)
    print_scores(out, path, release, wholes)
    print_recall(out, path, release, wholes)
    print_warnings(out, path, wholes)
    print_stopped(out, path, wholes, release)
    for row in wholes:
        if not row.valid:
            print_line(out, f"\n{invalid_message(row, limit)}", unwrapped_on_a_pipe=True)
    print_left_out(out)


def _keep_audit(settings: Settings) -> str | None:
    from locomo_assets.services import Services

    services = Services(settings)
    audit_sha256 = services.keep_audit()
    if audit_sha256 is not None:
        database.refresh(services.store(), settings.database_path)
    return audit_sha256


def _leaderboard(
    path: Path, release: str | None, html: Path | None, limit: float, out: Screen
) -> None:
    from locomo_assets.reporting.leaderboard.data import read_leaderboard

    groups = read_leaderboard(path, release, max_error_percent=limit)
    if html is None:
        from locomo_assets.reporting.leaderboard.terminal import print_leaderboard

        print_leaderboard(out, groups)
        print_left_out(out)
        return
    from locomo_assets.reporting.leaderboard.page import write_leaderboard

    write_leaderboard(groups, html)
    series = sum(len(group.entries) for group in groups)
    print(f"{html}: {series:,} series in {len(groups):,} group{'s' * (len(groups) != 1)}")
