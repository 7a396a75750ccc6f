"""`run`: measures one release, with progress and a closing table.

The launch of the Dagster runs belongs to `pipeline.launch`.
"""

import logging
import os
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from locomo_assets.analysis.accuracy import InvalidNumbersError, invalid_message, of_series
from locomo_assets.reporting.terminal import (
    console,
    print_accuracy,
    print_forecast,
    print_gold_faults,
    print_judge_errors,
    print_reasons,
    print_warnings,
)
from locomo_assets.runs.context import Counts
from locomo_assets.settings import read_settings

LOG_EVERY_S = 10.0

_log = logging.getLogger(__name__)


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.command()(run)


def run(
    dataset: Annotated[
        str | None, typer.Option(help="Path or https URL of a LoCoMo file; default: the sample.")
    ] = None,
    release: Annotated[
        str | None, typer.Option(help="Label of what is measured; default: adhoc-<UTC time>.")
    ] = None,
    conversations: Annotated[
        str | None, typer.Option(help="Only these, separated by commas.")
    ] = None,
    questions: Annotated[
        int | None, typer.Option(min=1, help="Only the first N questions of each conversation.")
    ] = None,
    adversarial: Annotated[bool, typer.Option(help="Ask category 5 too.")] = False,
    force: Annotated[bool, typer.Option(help="Ask again what is stored: pays all again.")] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Forecast calls, tokens, USD and minutes; no call."),
    ] = False,
) -> None:
    """Measure a release: ingest, ask, judge, report.

    With BACKBOARD_API_KEY each turn is a paid message and each question a paid LLM answer (the
    real data set: 5,882 and 1,540; 1,986 with --adversarial); with OPENAI_API_KEY each answer is
    a paid judge call (about 0.001 USD with gpt-4.1). What is stored is not paid for again.
    Without keys: nothing is called, nothing costs.
    """
    from locomo_assets.pipeline.launch import Launch, launch
    from locomo_assets.services import Services

    wanted = Launch(
        release=release or f"adhoc-{datetime.now(UTC):%Y-%m-%dT%H-%M-%S}",
        dataset=dataset,
        conversations=[c.strip() for c in conversations.split(",")] if conversations else None,
        questions=questions,
        adversarial=adversarial,
        force=force,
    )
    services = Services(read_settings())
    if dry_run:
        from locomo_assets.pipeline.launch import forecast_launch

        print_forecast(console(), forecast_launch(wanted, services))
        return
    as_json = services.settings.log_format == "json"
    with _LogProgress() if as_json else _TerminalProgress() as progress:
        services.progress.listeners.append(progress)
        series = launch(wanted, services)
    out = console()
    path, limit = services.settings.database_path, services.settings.max_error_percent
    wholes = print_accuracy(out, path, wanted.release, max_error_percent=limit)
    measured = of_series(wholes, series) if wholes else None
    print_reasons(out, path, [measured] if measured else [])
    print_judge_errors(out, path, wholes)
    print_gold_faults(out, path, wholes, services.keep_audit())
    print_warnings(out, path, wholes)
    out.print(f"\nHistory   {path}", soft_wrap=True)
    instance = services.settings.home / "dagster"
    out.print(f"UI        make dev   (instance {instance})", soft_wrap=True)
    command = os.path.relpath(sys.argv[0]) if os.sep in sys.argv[0] else sys.argv[0]
    first_query = "SELECT question, gold_answer, answer, verdict FROM current_judgements LIMIT 5"
    out.print(f'SQL       {command} sql "{first_query}"', soft_wrap=True, highlight=False)
    if measured is not None and not measured.valid:
        raise InvalidNumbersError(invalid_message(measured, limit))


class _LogProgress:
    """Logs the progress periodically, for runs without a terminal."""

    def __enter__(self) -> "_LogProgress":
        self._last = time.monotonic()
        return self

    def __call__(self, counts: Counts) -> None:
        if time.monotonic() - self._last >= LOG_EVERY_S:
            self._last = time.monotonic()
            _log.info("progress", extra=asdict(counts))

    def __exit__(self, *_: object) -> None:
        pass


class _TerminalProgress:
    """Progress bars on the real stderr: Dagster redirects that of a step."""

    def __enter__(self) -> "_TerminalProgress":
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self._file = os.fdopen(os.dup(sys.stderr.fileno()), "w")
        self._console = Console(file=self._file)
        self._bars = Progress(
            TextColumn("{task.description:<10}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            console=self._console,
        )
        self._tasks = {
            name: self._bars.add_task(name, total=None, note="")
            for name in ("turns", "questions", "verdicts")
        }
        self._bars.start()
        self._waits_for = ""
        return self

    def __call__(self, counts: Counts) -> None:
        if bool(counts.waits_for) != bool(self._waits_for):
            self._waits_for = counts.waits_for
            if counts.waits_for:
                self._bars.console.print(f"waiting: {counts.waits_for}", soft_wrap=True)
        for name, task in self._tasks.items():
            note = f"errors {counts.errors}  cost {counts.cost_usd:.4f} USD"
            self._bars.update(
                task,
                completed=getattr(counts, name),
                total=getattr(counts, f"{name}_to_do") or None,
                note=note if name == "verdicts" else "",
            )

    def __exit__(self, *_: object) -> None:
        self._bars.stop()
        self._file.close()
