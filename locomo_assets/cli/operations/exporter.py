"""`exporter`: serves the history as metrics for Prometheus."""

import signal
import sys
import threading
from typing import Annotated

import typer

from locomo_assets.cli.shell.place import nothing_measured
from locomo_assets.cli.shell.typed import as_typed
from locomo_assets.file_urls import is_file_url
from locomo_assets.redaction import printable
from locomo_assets.settings import read_settings


def register(app: typer.Typer) -> None:
    """Adds the command of this module."""
    app.command()(exporter)


def exporter(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0: any free one.")] = 9464,
) -> None:
    """Serve the history's newest releases as Prometheus metrics, until stopped. Costs nothing.

    It only reads. For a history elsewhere (s3://…) it keeps a database of its own, refreshed once
    a minute.
    """
    from locomo_assets.analysis.checks import MAX_API_ERROR_PERCENT
    from locomo_assets.history.store import HistoryStore
    from locomo_assets.reporting.exporter.metrics import Limits
    from locomo_assets.reporting.exporter.server import (
        HistoryCollector,
        refreshing,
        serving,
        watch,
    )

    settings = read_settings()
    if not HistoryStore.exists(settings.history_url):
        # It may be started before the first run, and serves what that measures.
        print(as_typed(printable(f"note: {nothing_measured(settings)}")), file=sys.stderr)
    limits = Limits(
        min_accuracy_percent=settings.min_accuracy_percent,
        max_api_error_percent=MAX_API_ERROR_PERCENT,
        max_run_minutes=settings.max_run_minutes,
        max_error_percent=settings.max_error_percent,
    )
    path, refresh = settings.database_path, None
    if not is_file_url(settings.history_url):
        refresh = refreshing(HistoryStore.open(settings.history_url), path)
        refresh()
    collector = HistoryCollector(path, limits)
    collector.update()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with serving(collector, host, port) as bound_port:
        print(f"http://{host}:{bound_port}/metrics", flush=True)
        watch(collector, refresh, stop)
