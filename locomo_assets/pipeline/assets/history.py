"""The assets `results_history` and `history_backup`."""

import dagster as dg

from locomo_assets.errors import LocomoError
from locomo_assets.history import database
from locomo_assets.services import Services


@dg.asset(
    group_name="results",
    kinds={"duckdb"},
    owners=["team:evaluation"],
    deps=["judgements"],
    pool="history_lens",  # the instance lets one at a time
    automation_condition=dg.AutomationCondition.eager().without(
        ~dg.AutomationCondition.any_deps_missing()
    ),
    description="`history.duckdb`: all committed attempts, as tables and views for SQL. Brought up "
    "to date with what is new and swapped in whole. Costs nothing.",
)
def results_history(services: dg.ResourceParam[Services]) -> dg.MaterializeResult[None]:
    """Publishes the database; beside a remote history too."""
    try:
        report = database.publish(
            services.store(), services.settings.database_path, recent_only=True
        )
    except (LocomoError, OSError) as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    return dg.MaterializeResult(
        metadata={
            "history": dg.MetadataValue.path(str(report.path)),
            "attempts": report.attempts,
            "attempts_added": report.attempts_added,
            "rows_added": report.rows_added,
            "rebuilt": report.rebuilt,
            "duration_s": round(report.duration_s, 3),
        }
    )


@dg.asset(
    group_name="care",
    kinds={"parquet"},
    owners=["team:evaluation"],
    description="The history's committed attempts, and what unfinished ones have saved, copied to "
    "LOCOMO_BACKUP while runs write. Only what is new is copied; backups older than "
    "LOCOMO_BACKUP_KEEP_DAYS go afterwards. Costs nothing.",
)
def history_backup(
    context: dg.AssetExecutionContext, services: dg.ResourceParam[Services]
) -> dg.MaterializeResult[None]:
    """Makes one backup."""
    from locomo_assets.history.backup.create import create_backup
    from locomo_assets.history.backup.snapshot import open_backup_storage

    chosen = services.settings
    try:
        report = create_backup(
            services.store(),
            open_backup_storage(chosen.backup),
            keep_days=chosen.backup_keep_days,
            run_id=context.run.run_id,
        )
    except (LocomoError, OSError) as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    for note in report.notes:
        context.log.warning(note)
    return dg.MaterializeResult(
        metadata={
            "backup": report.name,
            "attempts": report.backup_manifest.attempts,
            "unfinished_attempts": len(report.backup_manifest.unfinished),
            "files": len(report.backup_manifest.files),
            "size_bytes": report.backup_manifest.size_bytes,
            "new_files": report.new_files,
            "new_bytes": report.new_bytes,
            "backups_kept": report.kept,
            "backups_removed": len(report.removed),
            "duration_s": round(report.duration_s, 3),
        }
    )
