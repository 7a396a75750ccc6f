"""The history's backup as an asset, so that a schedule can make it and the UI shows its age."""

import dagster as dg

from locomo_assets.errors import LocomoError
from locomo_assets.pipeline.workplace import Workplace


@dg.asset(
    group_name="care",
    kinds={"parquet"},
    owners=["team:evaluation"],
    description="The history's committed attempts, and what unfinished ones have saved, copied to "
    "LOCOMO_BACKUP while runs write. Only what is new is copied; backups older than "
    "LOCOMO_BACKUP_KEEP_DAYS go afterwards. Costs nothing.",
)
def history_backup(
    context: dg.AssetExecutionContext, workplace: dg.ResourceParam[Workplace]
) -> dg.MaterializeResult[None]:
    """Makes one backup."""
    from locomo_assets.backups.errors import open_backups
    from locomo_assets.backups.making import make_backup

    chosen = workplace.settings
    try:
        report = make_backup(
            workplace.store(),
            open_backups(chosen.backup),
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
            "attempts": report.manifest.attempts,
            "unfinished_attempts": len(report.manifest.unfinished),
            "files": len(report.manifest.files),
            "size_bytes": report.manifest.size_bytes,
            "new_files": report.new_files,
            "new_bytes": report.new_bytes,
            "backups_kept": report.kept,
            "backups_removed": len(report.removed),
            "duration_s": round(report.duration_s, 3),
        }
    )
