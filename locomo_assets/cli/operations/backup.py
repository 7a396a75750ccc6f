"""`backup`, `verify`, `restore`: copies of the history in another place."""

import uuid
from typing import TYPE_CHECKING, Annotated

import typer

from locomo_assets.settings import read_settings

if TYPE_CHECKING:
    from locomo_assets.history.backup.snapshot import BackupManifest

Which = Annotated[
    str | None,
    typer.Option("--backup", help="A backup, by the start of its name; default: the newest."),
]


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.command()(backup)
    app.command()(verify)
    app.command()(restore)


def _contents(backup_manifest: "BackupManifest") -> str:
    return (
        f"{backup_manifest.attempts} attempts and {len(backup_manifest.unfinished)} unfinished, "
        f"{sum(backup_manifest.rows.values())} rows, {len(backup_manifest.files)} files, "
        f"{backup_manifest.size_bytes} bytes"
    )


def backup() -> None:
    """Copy what is new in the history to LOCOMO_BACKUP, then remove old backups. Costs nothing.

    Runs may be writing. Backups older than LOCOMO_BACKUP_KEEP_DAYS are removed, except the newest
    two.
    """
    from locomo_assets.history.backup.create import create_backup
    from locomo_assets.history.backup.snapshot import open_backup_storage
    from locomo_assets.history.store import HistoryStore

    settings = read_settings()
    backups = open_backup_storage(settings.backup)
    report = create_backup(
        HistoryStore.open(settings.history_url),
        backups,
        keep_days=settings.backup_keep_days,
        run_id=f"backup-{uuid.uuid4()}",
    )
    for note in report.notes:
        print(f"note: {note}")
    print(
        f"backup {report.name} at {backups.url}: {_contents(report.backup_manifest)}; "
        f"{report.new_files} files ({report.new_bytes} bytes) were new; "
        f"{len(report.removed)} old backups removed, {report.kept} there; {report.duration_s:.1f} s"
    )


def verify(backup: Which = None) -> None:
    """Read a backup and compare every hash and count. Costs nothing; exit code 1 on damage."""
    from locomo_assets.history.backup.restore import verify as verify_backup
    from locomo_assets.history.backup.snapshot import open_backup_storage

    backups = open_backup_storage(read_settings().backup)
    report = verify_backup(backups, backup)
    print(
        f"backup {report.name} at {backups.url} is whole: {_contents(report.backup_manifest)}; "
        f"{report.duration_s:.1f} s"
    )


def restore(
    to: Annotated[
        str | None, typer.Option(help="URL of an empty place; default: LOCOMO_HISTORY.")
    ] = None,
    backup: Which = None,
) -> None:
    """Verify a backup, then copy it to an empty place. Costs nothing."""
    from locomo_assets.history.backup.restore import restore as restore_backup
    from locomo_assets.history.backup.snapshot import open_backup_storage
    from locomo_assets.history.storage import open_storage

    settings = read_settings()
    backups = open_backup_storage(settings.backup)
    target = open_storage(to or settings.history_url)
    report = restore_backup(backups, target, backup)
    print(
        f"backup {report.name} restored to {target.url}: {_contents(report.backup_manifest)}; "
        f"{report.duration_s:.1f} s; now LOCOMO_HISTORY={target.url} locomo-assets history rebuild"
    )
