"""The Dagster instance and its run launcher.

Here: whether its storage answers and is of this version, and whether the launcher can be made
where the doctor is run.
"""

import os
from collections.abc import Iterator

from locomo_assets.doctor.diagnosis import Diagnosis, ok, warn
from locomo_assets.pipeline.launch import prepare_home
from locomo_assets.settings import Settings


def look_at_instance(settings: Settings) -> Iterator[Diagnosis]:
    """That of DAGSTER_HOME, or the local one of LOCOMO_HOME, as a run takes it."""
    import dagster as dg

    home = os.environ.setdefault("DAGSTER_HOME", str(prepare_home(settings.home)))
    with dg.DagsterInstance.get() as instance:
        runs = instance.get_runs_count()
        storage = type(instance.run_storage).__name__
        version = instance.run_storage.alembic_version()
        found = f"{home}: {storage}, {runs} runs"
        if version and version[0] != version[1]:
            yield warn(
                "Dagster instance",
                f"{found}; its tables are of an older version ({version[0]}, not {version[1]})",
                "run `dagster instance migrate`",
            )
        else:
            yield ok("Dagster instance", found)


def look_at_launcher(_: Settings) -> Iterator[Diagnosis]:
    """Loaded as the daemon loads it; one for Kubernetes needs a cluster's credentials."""
    import dagster as dg

    with dg.DagsterInstance.get() as instance:
        yield ok("run launcher", type(instance.run_launcher).__name__)
