"""The lens as an asset: `history.duckdb`, published for everybody who reads it."""

import dagster as dg

from locomo_assets.errors import LocomoError
from locomo_assets.history import lens
from locomo_assets.pipeline.workplace import Workplace


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
def results_history(workplace: dg.ResourceParam[Workplace]) -> dg.MaterializeResult[None]:
    """Publishes the lens; beside a remote history too."""
    try:
        report = lens.publish(workplace.store(), workplace.settings.lens_path)
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
