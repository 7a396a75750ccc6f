"""`history …`: the maintenance of the history: refresh, check, prune, register."""

from typing import Annotated

import typer

from locomo_assets.history import database
from locomo_assets.history.errors import HistoryDamagedError
from locomo_assets.history.store import HistoryStore
from locomo_assets.settings import read_settings

history = typer.Typer(no_args_is_help=True, help="Refresh, check and prune the history.")

DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would be done; do nothing.")]


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.add_typer(history, name="history")


def _store() -> HistoryStore:
    return HistoryStore.open(read_settings().history_url)


def _print_refresh(report: database.RefreshReport) -> None:
    print(
        f"{report.path}: {report.attempts} attempts ({report.attempts_added} new, "
        f"{report.attempts_removed} gone), {report.rows_added} rows added, "
        f"{'rebuilt' if report.rebuilt else 'brought up to date'} in "
        f"{report.duration_s:.2f} s"
    )


@history.command()
def refresh() -> None:
    """Bring history.duckdb up to the committed attempts. Costs nothing."""
    _print_refresh(database.publish(_store(), read_settings().database_path))


@history.command()
def rebuild() -> None:
    """Build history.duckdb anew; the result is the same. Costs nothing."""
    _print_refresh(database.publish(_store(), read_settings().database_path, from_scratch=True))


@history.command()
def check() -> None:
    """Read every manifest and data file; compare counts and hashes. Exit code 1 on damage."""
    from locomo_assets.history.maintenance import check as check_history

    report = check_history(_store())
    for problem in report.problems:
        print(f"damaged: {problem}")
    for attempt in report.unfinished:
        print(f"unfinished: {attempt} (in progress, or left by a run that ended early)")
    print(
        f"{report.attempts} attempts, {report.data_files} files, {report.rows} rows, "
        f"{report.size_bytes} bytes; {len(report.problems)} damaged, "
        f"{len(report.unfinished)} unfinished, {report.superseded_files} superseded"
    )
    if report.problems:
        raise HistoryDamagedError(
            f"history {read_settings().history_url}: {len(report.problems)} faults, listed above; "
            "restore those files from a backup"
        )


@history.command("register")
def register_partitions() -> None:
    """Make the history's conversations and releases partitions of a new Dagster instance.

    The instance is that of DAGSTER_HOME, else the local one. Nothing is launched; costs nothing.
    """
    from locomo_assets.pipeline.launch import register_history

    conversations, releases = register_history(_store(), read_settings().home)
    print(f"{len(conversations)} conversations and {len(releases)} releases are partitions now")


@history.command()
def compact(
    older_than_days: Annotated[int, typer.Option(min=0, help="Without effect.")] = 7,
    dry_run: DryRun = False,
) -> None:
    """Do nothing: each attempt is committed with one file a table, so nothing is left to merge."""
    print("nothing to compact: each attempt is committed with one file a table")


@history.command()
def prune(
    keep_days: Annotated[int, typer.Option(min=1, help="Remove only what is older than that.")],
    dry_run: DryRun = False,
) -> None:
    """Remove old attempts that no current result needs. What was paid for them is lost."""
    from locomo_assets.history.maintenance import prune as prune_history

    report = prune_history(
        _store(), read_settings().database_path, keep_days=keep_days, dry_run=dry_run
    )
    for attempt in (*report.attempts, *report.unfinished):
        print(f"{'would remove' if dry_run else 'removed'} {attempt}")
    print(
        f"{len(report.attempts)} attempts, {len(report.unfinished)} unfinished, "
        f"{report.data_files} files {'would go' if dry_run else 'went'}"
    )
