"""The code location: `build_defs(settings)` is the seam for tests and the command line."""

from datetime import timedelta

import dagster as dg

from locomo_assets.services import Services
from locomo_assets.settings import Settings, read_settings


def build_defs(
    settings: Settings | None = None, *, services: Services | None = None
) -> dg.Definitions:
    """Definitions over these settings (the environment's where None).

    Raises:
        SettingsError: a setting can't be used.
    """
    from locomo_assets.pipeline.assets.accuracy import accuracy_metrics, accuracy_trends
    from locomo_assets.pipeline.assets.conversations import conversation_assets
    from locomo_assets.pipeline.assets.daily_sample import daily_sample
    from locomo_assets.pipeline.assets.history import history_backup, results_history
    from locomo_assets.pipeline.assets.ladder import ladder_asset
    from locomo_assets.pipeline.assets.locomo_dataset import locomo_dataset
    from locomo_assets.pipeline.schedules import RELEASE_JOB, schedules
    from locomo_assets.pipeline.sensors.alerts import alerts_sensor
    from locomo_assets.pipeline.sensors.releases import release_sensor
    from locomo_assets.pipeline.sensors.results import ResultsAutomation

    place = services or Services(settings or read_settings())
    stale = timedelta(days=place.settings.max_trend_age_days)
    policy = dg.FreshnessPolicy.time_window(fail_window=stale, warn_window=stale / 2)
    trends = accuracy_trends.map_asset_specs(
        lambda spec: spec.replace_attributes(freshness_policy=policy)
    )
    results = [results_history, accuracy_metrics, trends]
    return dg.Definitions(
        assets=[
            locomo_dataset,
            conversation_assets(place.settings.partitions_per_run, place.settings.runs_at_once),
            daily_sample,
            ladder_asset(place.settings.runs_at_once),
            *results,
            history_backup,
        ],
        jobs=[RELEASE_JOB],
        schedules=schedules(place.settings),
        resources={"services": dg.ResourceDefinition.hardcoded_resource(place)},
        sensors=[
            ResultsAutomation(place.settings, dg.AssetSelection.assets(*results)),
            release_sensor(place.settings),
            alerts_sensor(place.settings),
        ],
        executor=dg.in_process_executor,
    )
