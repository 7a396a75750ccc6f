"""Dagster's daemon, looking around every 2 s instead of every 5 or 30: what a test waits for.

Python imports this at the start of every process that has this folder on its PYTHONPATH (see
`daemon.hurried`); only the daemon's own process is changed, and only its intervals.
"""

import sys
from typing import Any

INTERVAL_S = 2

if any(one.endswith(("dagster._daemon", "/dagster-daemon")) for one in sys.orig_argv):
    from dagster import DagsterInstance
    from dagster._core.remote_representation.external import RemoteSensor
    from dagster._daemon import asset_daemon, controller, sensor
    from dagster._daemon import daemon as daemons

    controller.DEFAULT_DAEMON_INTERVAL_SECONDS = INTERVAL_S  # backfills
    sensor.MIN_INTERVAL_LOOP_TIME = INTERVAL_S
    asset_daemon.MIN_INTERVAL_LOOP_SECONDS = INTERVAL_S
    RemoteSensor.min_interval_seconds = property(lambda _self: INTERVAL_S)  # type: ignore[assignment]  # no setter
    _create = controller.create_daemon_of_type

    def _create_in_a_hurry(
        daemon_type: str, instance: DagsterInstance
    ) -> daemons.DagsterDaemon[Any]:
        daemon = _create(daemon_type, instance)
        if hasattr(daemon, "interval_seconds"):  # the queue's and the monitoring's
            daemon.interval_seconds = INTERVAL_S
        return daemon

    controller.create_daemon_of_type = _create_in_a_hurry
