"""The sensor `results_automation`: makes what follows from verdicts, and costs nothing.

It evaluates in the code location, as partitions that Dagster takes and can't go on with, such as
`pi|pe`, would end every evaluation: they are removed first, and somebody is told.
"""

import warnings
from datetime import UTC, datetime

import dagster as dg

from locomo_assets.labels import bad_labels
from locomo_assets.pipeline.partitions import CONVERSATION, LADDER, RELEASE
from locomo_assets.pipeline.sensors.alerts import alert_urls, formatter
from locomo_assets.pipeline.unexported import MULTIPARTITION_KEY_DELIMITER, SensorExecutionData
from locomo_assets.reporting.alerts.channels import Channels
from locomo_assets.reporting.alerts.model import Notification, Severity
from locomo_assets.settings import Settings

NAME = "results_automation"


class ResultsAutomation(dg.AutomationConditionSensorDefinition):
    """The sensor; `settings` say whom it tells."""

    def __init__(self, settings: Settings, target: dg.AssetSelection) -> None:
        with warnings.catch_warnings():
            # Evaluating in the code location is beta in Dagster 1.13; the version is pinned.
            warnings.simplefilter("ignore", category=dg.BetaWarning)
            super().__init__(
                NAME,
                target=target,
                # On from the start, unlike whatever costs money: these only read.
                default_status=dg.DefaultSensorStatus.RUNNING,
                use_user_code_server=True,
            )
        self._settings = settings

    def evaluate_tick(self, context: dg.SensorEvaluationContext) -> SensorExecutionData:
        """One tick, on partitions that have keys."""
        removed = remove_bad_partitions(context.instance)
        for line in removed:
            context.log.warning(line)
        if removed:
            self._alert(context, removed)
        return super().evaluate_tick(context)

    def _alert(self, context: dg.SensorEvaluationContext, lines: list[str]) -> None:
        urls = alert_urls(self._settings)
        if not urls:
            return
        text = formatter(self._settings).line("; ".join(lines))
        told = Notification(
            key="bad partition",
            severity=Severity.MEDIUM,
            recovered=False,
            title="LoCoMo: bad partition removed",
            text=text,
            next_try_at=datetime.now(UTC),
        )
        if Channels(urls).send(told):
            context.log.error("not every alert channel accepted that")


def remove_bad_partitions(instance: dg.DagsterInstance) -> list[str]:
    """Takes out partitions that can be no part of a key with two dimensions; a line for each.

    What else is refused as a label fails at its run: an older version may have measured it.
    """
    lines = []
    for name in (RELEASE, CONVERSATION, LADDER):
        for label, fault in bad_labels(instance.get_dynamic_partitions(name)).items():
            if MULTIPARTITION_KEY_DELIMITER in label:
                instance.delete_dynamic_partition(name, label)
                line = f"bad partition: {name} {label!r:.120}: {fault}; it is removed again"
                instance.report_runless_asset_event(
                    dg.AssetObservation("results_history", metadata={"bad_partition": line})
                )
                lines.append(line)
    return lines
