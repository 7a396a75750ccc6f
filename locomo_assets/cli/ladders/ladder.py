"""`ladder`: configurations one change at a time, measured, compared and printed.

The measuring belongs to `pipeline.ladder`, which the asset calls, too.
"""

import asyncio
from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from locomo_assets.analysis.accuracy import InvalidNumbersError
from locomo_assets.analysis.comparison.ladder import LadderResult, read_ladders
from locomo_assets.cli.options import (
    ConversationsOption,
    DatasetOption,
    QuestionsOption,
    WideOption,
)
from locomo_assets.cli.shell import completion
from locomo_assets.cli.shell.progress import showing_progress
from locomo_assets.history import database
from locomo_assets.redaction import printable
from locomo_assets.reporting.ladder import (
    FORECAST_HEADINGS,
    FORECAST_SHORT,
    HEADINGS,
    SHORT,
    forecast_cells,
    heading,
    ladder_cells,
    ladder_markdown,
    notes,
    step_texts,
)
from locomo_assets.reporting.terminal.table import (
    Screen,
    console,
    print_json,
    print_left_out,
    print_table,
)
from locomo_assets.settings import SettingsError, read_settings

if TYPE_CHECKING:
    from locomo_assets.pipeline.launch import Launch
    from locomo_assets.services import Services
    from locomo_assets.settings.variants import Ladder


class LadderFormat(StrEnum):
    """How a ladder's result is printed."""

    text = "text"
    json = "json"
    markdown = "markdown"


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.command(name="ladder")(measure_ladder)


def measure_ladder(
    file: Annotated[
        str | None, typer.Argument(help="A ladder's file, or the name of one that ships.")
    ] = None,
    release: Annotated[
        str | None,
        typer.Option(help="Label of what is measured.", autocompletion=completion.releases),
    ] = None,
    dataset: DatasetOption = None,
    conversations: ConversationsOption = None,
    questions: QuestionsOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Forecast each step and the whole; no call.")
    ] = False,
    format: Annotated[
        LadderFormat, typer.Option(help="json has everything; markdown is for a pull request.")
    ] = LadderFormat.text,
    list_them: Annotated[bool, typer.Option("--list", help="Show the ladders that ship.")] = False,
    wide: WideOption = False,
) -> None:
    """What is each change of configuration worth? Measures one after another, and compares.

    A ladder (docs/variants.md) is a base and steps that change one thing each. All are asked the
    same questions under one release. Equal memories, answers and verdicts are paid for once, and
    what the release has already not at all; LOCOMO_MAX_COST_USD holds for the whole. A ladder that
    was stopped or killed goes on by the same command; a finished one is only printed.
    """
    from locomo_assets.pipeline.launch import Launch
    from locomo_assets.services import Services
    from locomo_assets.settings.variants import read_ladder

    if list_them:
        _list(format)
        return
    if not file or not release:
        raise SettingsError(
            "ladder: give a ladder and --release; `locomo-assets ladder --list` shows those that "
            "ship, docs/variants.md how to write one"
        )
    named = [c.strip() for c in conversations.split(",")] if conversations else None
    wanted = Launch(release, dataset=dataset, conversations=named, questions=questions)
    ladder, services = read_ladder(file), Services(read_settings(), creates_history=not dry_run)
    if dry_run:
        _forecast(ladder, wanted, services, console(wide=wide))
        return
    settings = services.settings
    _measure(file, ladder, wanted, services)
    [found] = read_ladders(
        settings.database_path,
        release,
        ladder.name,
        margin_points=settings.margin_points,
        max_error_percent=settings.max_error_percent,
    )
    _show(found, format, console(wide=wide))
    if not found.valid:
        raise InvalidNumbersError(
            f"ladder {found.name}: a step has too many questions without a verdict "
            f"(LOCOMO_MAX_ERROR_PERCENT allows {settings.max_error_percent:g} %); the same command "
            "asks only what failed"
        )


def _list(format: LadderFormat) -> None:
    from locomo_assets.settings.variants import packaged_ladders

    if format is LadderFormat.json:
        print_json(packaged_ladders())
        return
    print_table(console(), ("ladder", "description"), list(packaged_ladders().items()))


def _measure(file: str, ladder: "Ladder", wanted: "Launch", services: "Services") -> None:
    """Measures what is missing; where nothing is, the database is only brought up to date."""
    from locomo_assets.pipeline.forecasts.ladder import forecast_ladder
    from locomo_assets.pipeline.ladder import check_ladder, is_noted, services_of
    from locomo_assets.pipeline.launch import check_launch, launch_ladder

    dataset, tasks = check_launch(wanted, services)
    for note in check_ladder(ladder, services):
        _say(Console(stderr=True), f"note: {note}")
    steps = forecast_ladder(ladder, dataset, tasks, services)
    store = services.store()
    if all(step.is_done for step in steps) and is_noted(store, ladder, wanted.release):
        database.refresh(store, services.settings.database_path)
        return
    for step in ladder.steps:
        own = services_of(services, step)
        own.check(dataset)
        asyncio.run(own.check_spending(dataset, tasks))
    with showing_progress(services):
        launch_ladder(file, ladder.name, wanted, services)


def _forecast(ladder: "Ladder", wanted: "Launch", services: "Services", out: Screen) -> None:
    from locomo_assets.pipeline.forecasts.ladder import forecast_ladder, whole
    from locomo_assets.pipeline.ladder import check_ladder, services_of
    from locomo_assets.pipeline.launch import check_launch

    dataset, tasks = check_launch(wanted, services)
    told = check_ladder(ladder, services)
    for step in ladder.steps:
        own = services_of(services, step)
        own.check(dataset)
        asyncio.run(own.check_spending(dataset, tasks))
    steps = forecast_ladder(ladder, dataset, tasks, services)
    rows = [forecast_cells(one.step, one.shares, one.items) for one in steps]
    rows.append(forecast_cells("all", "", whole(steps)))
    print_table(out, FORECAST_HEADINGS, rows, FORECAST_SHORT)
    _say(
        out,
        "A forecast: no call was made. Shared memories and answers are counted where they are paid "
        "for first, what is stored already not at all; USD where a price is known.",
    )
    for note in told:
        _say(out, f"note: {note}")
    print_left_out(out)


def _show(found: LadderResult, format: LadderFormat, out: Screen) -> None:
    if format is LadderFormat.json:
        print_json({**asdict(found), "valid": found.valid, "headline": found.headline})
        return
    if format is LadderFormat.markdown:
        print(printable(ladder_markdown(found)))
        return
    _say(out, heading(found))
    print_table(out, HEADINGS, [ladder_cells(step) for step in found.steps], SHORT)
    _say(out, f"\n{found.headline}\n")
    for title, lines in step_texts(found):
        _say(out, title)
        for line in lines:
            _say(out, f"  {line}")
    out.print()
    for line in notes(found):
        _say(out, line)
    print_left_out(out)


def _say(out: Console, line: str) -> None:
    out.print(printable(line), markup=False, highlight=False)
