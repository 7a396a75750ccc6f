"""The run launcher on AWS (`deploy/aws/dagster.yaml`): a run's tags may say its size, nothing else.

Dagster's own lets tags replace the command, the roles and the network of the task that may read the
keys, and whoever reaches the UI can set tags. Apart from `launcher`, for `dagster_aws` takes
seconds to import.
"""

from dagster import DagsterRun
from dagster_aws import ecs

from locomo_assets.pipeline.unexported import MAX_RETRIES_TAG, LaunchRunContext, ResumeRunContext

_SIZE = ("ecs/cpu", "ecs/memory", "ecs/ephemeral_storage")
# Dagster writes these when it has launched a run, and copies them to the retry of one.
_OF_THE_LAUNCH = ("ecs/task_arn", "ecs/cluster")


class EcsRunLauncher(ecs.EcsRunLauncher):
    """Fails a run with another `ecs/` tag before there is a task, and says why."""

    def launch_run(self, context: LaunchRunContext) -> None:
        """As Dagster does, or refuses."""
        if not self._refuse(context.dagster_run):
            super().launch_run(context)

    def resume_run(self, context: ResumeRunContext) -> None:
        """As Dagster does, or refuses."""
        if not self._refuse(context.dagster_run):
            super().resume_run(context)

    def _refuse(self, run: DagsterRun) -> bool:
        """Whether the run has a tag that is refused; it has failed then."""
        allowed = {*_SIZE, *_OF_THE_LAUNCH}
        refused = sorted(tag for tag in run.tags if tag.startswith("ecs/") and tag not in allowed)
        if not refused:
            return False
        self._instance.add_run_tags(run.run_id, {MAX_RETRIES_TAG: "0"})  # each would be refused
        self._instance.report_run_failed(
            run,
            f"run tag {', '.join(refused)}: refused, since it can change what a task that may read "
            f"the keys executes; launch again without it (allowed: {', '.join(_SIZE)})",
        )
        return True
