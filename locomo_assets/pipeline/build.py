"""The code location, put together: `build_defs(settings)` is the seam for tests and the CLI.

Here: which assets, resources, sensors and executor there are. What they do is elsewhere.
"""

import warnings
from datetime import timedelta

import dagster as dg

from locomo_assets.pipeline.workplace import Workplace
from locomo_assets.settings import Settings, read_settings


def build_defs(
    settings: Settings | None = None, *, workplace: Workplace | None = None
) -> dg.Definitions:
    """Definitions over these settings (the environment's where None).

    Raises:
        SettingsError: a setting can't be used.
    """
    # Mapping a release to its conversations is beta in Dagster 1.13; the version is pinned.
    warnings.filterwarnings("ignore", category=dg.BetaWarning)
    from locomo_assets.pipeline.assets.accuracy import accuracy_metrics, accuracy_trends
    from locomo_assets.pipeline.assets.conversations import conversation_assets
    from locomo_assets.pipeline.assets.history_backup import history_backup
    from locomo_assets.pipeline.assets.locomo_dataset import locomo_dataset
    from locomo_assets.pipeline.assets.results_history import results_history

    place = workplace or Workplace(settings or read_settings())
    stale = timedelta(days=place.settings.max_trend_age_days)
    policy = dg.FreshnessPolicy.time_window(fail_window=stale, warn_window=stale / 2)
    trends = accuracy_trends.map_asset_specs(
        lambda spec: spec.replace_attributes(freshness_policy=policy)
    )
    results = [results_history, accuracy_metrics, trends]
    return dg.Definitions(
        assets=[
            locomo_dataset,
            conversation_assets(place.settings.partitions_per_run),
            *results,
            history_backup,
        ],
        resources={"workplace": dg.ResourceDefinition.hardcoded_resource(place)},
        sensors=[
            dg.AutomationConditionSensorDefinition(
                "results_automation",
                target=dg.AssetSelection.assets(*results),
                # On from the start, unlike whatever costs money: these only read.
                default_status=dg.DefaultSensorStatus.RUNNING,
            )
        ],
        executor=dg.in_process_executor,
    )
