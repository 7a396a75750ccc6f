"""`judge-panel`: a release's stored answers, judged by every judge of a file."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from locomo_assets.analysis.panel import read_panels, scoring_judges
from locomo_assets.cli.judges.judge import ProtocolOption, ReleaseOption
from locomo_assets.cli.judges.judging import (
    JudgingError,
    JudgingPendingError,
    canaries_note,
    failure_of,
    forecast_judging,
    judge_sets,
)
from locomo_assets.cli.options import WideOption
from locomo_assets.cli.shell.place import stored_history_settings
from locomo_assets.cli.shell.progress import showing_progress
from locomo_assets.errors import LocomoError
from locomo_assets.history import database
from locomo_assets.judging.judge import JudgeError
from locomo_assets.redaction import printable
from locomo_assets.reporting.panel import Spending, panel_markdown, panel_records
from locomo_assets.reporting.terminal.series import (
    print_forecast,
    print_panel,
    print_spending,
)
from locomo_assets.reporting.terminal.table import Screen, console, print_json, print_left_out
from locomo_assets.runs.panel.judges import STORED, PanelFileError, PanelJudge, read_judges
from locomo_assets.runs.panel.stored import AnswerSet, answer_sets
from locomo_assets.services import Services
from locomo_assets.services.judging import judging_services
from locomo_assets.settings import Settings


class PanelFormat(StrEnum):
    """How a panel is printed."""

    text = "text"
    json = "json"
    markdown = "markdown"


@dataclass
class _Outcome:
    """`labels`: a judge's name in the history → in the file. `failed`: name in the file → why."""

    labels: dict[str, str] = field(default_factory=dict)
    failed: dict[str, LocomoError | OSError] = field(default_factory=dict)
    spent: list[Spending] = field(default_factory=list)


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.command(name="judge-panel")(judge_panel)


def judge_panel(
    file: Annotated[Path, typer.Argument(help="The judges: TOML (docs/judges.md).")],
    release: ReleaseOption,
    question_protocol: ProtocolOption = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Forecast each judge's calls, tokens and USD; no call."),
    ] = False,
    show: Annotated[
        int, typer.Option(min=0, help="How many questions that hang on the judge to list.")
    ] = 5,
    format: Annotated[
        PanelFormat, typer.Option(help="json has everything; markdown is for a page.")
    ] = PanelFormat.text,
    wide: WideOption = False,
) -> None:
    """Judge a release's stored answers by several judges: how far does the number hang on them?

    Each judge is asked for the verdicts that it has not given yet; a model's are paid for, at
    each vote. A judge that fails is named, and leaves the others standing. The same command goes
    on where it was stopped. No memory service is asked.
    """
    judges, settings = read_judges(file), stored_history_settings()
    asked = [(one, judging_services(settings, one)) for one in judges if one.kind != STORED]
    for one, services in asked:
        _check(file, one, services)
    sets = answer_sets(judging_services(settings).store(), release, question_protocol)
    if dry_run:
        out = console(wide=wide)
        items = [forecast_judging(services, sets, one.name) for one, services in asked]
        print_forecast(out, items)
        out.print(canaries_note(), markup=False, highlight=False)
        print_left_out(out)
        return
    outcome = _Outcome()
    for one in judges:
        _judge(settings, one, sets, outcome)
    _show(settings, release, sets, outcome, format, show, console(wide=wide))
    _end(judges, outcome)


def _check(file: Path, judge: PanelJudge, services: Services) -> None:
    """Raises PanelFileError where the judge can't be asked, before any is."""
    try:
        services.planned_judge()
    except JudgeError as error:
        raise PanelFileError(f"{file}: judges.{judge.name}: {error}") from None


def _judge(
    settings: Settings, judge: PanelJudge, sets: Sequence[AnswerSet], outcome: _Outcome
) -> None:
    """Has one judge asked for what is missing; its failure is kept."""
    if judge.kind == STORED:
        outcome.labels[str(judge.judge)] = judge.name
        return
    services = judging_services(settings, judge)
    item = forecast_judging(services, sets, judge.name)
    conversations = {one.task.conversation for one in sets}
    try:
        with showing_progress(services, ("verdicts",), said=judge.name):
            judged = judge_sets(services, sets)
        if judged.failures:
            raise failure_of(judged.failures, len(conversations))
        for report in judged.reports:
            known = outcome.labels.get(report.judge, judge.name)
            same = known in (judge.name, report.judge)
            outcome.labels[report.judge] = judge.name if same else f"{known} = {judge.name}"
    except (LocomoError, OSError) as error:
        outcome.failed[judge.name] = error
    counts = services.progress.counts
    outcome.spent.append(Spending(judge.name, item, counts.requests, counts.cost_usd))


def _show(
    settings: Settings,
    release: str,
    sets: Sequence[AnswerSet],
    outcome: _Outcome,
    format: PanelFormat,
    show: int,
    out: Screen,
) -> None:
    path = settings.database_path
    database.refresh(judging_services(settings).store(), path)
    keys = {one.key for one in sets}
    panels = [
        panel for panel in read_panels(path, release, list(outcome.labels)) if panel.series in keys
    ]
    for judge in sorted(set(outcome.labels) - scoring_judges(path, release)):
        outcome.failed.setdefault(
            outcome.labels[judge],
            JudgingError(f"has scored none of these answers under the name {judge}"),
        )
    match format:
        case PanelFormat.json:
            print_json(panel_records(panels, outcome.spent, outcome.labels))
        case PanelFormat.markdown:
            print(printable(panel_markdown(panels, outcome.spent, outcome.labels, show)))
        case PanelFormat.text:
            for panel in panels:
                print_panel(out, panel, outcome.labels, show)
            print_spending(out, outcome.spent)
            print_left_out(out)


def _by_the_file(text: str, judge: PanelJudge | None) -> str:
    """A cause that names settings, with what the panel's file has in their place."""
    if judge is None:
        return text
    own = {"OPENAI_API_KEY": judge.api_key_env, "LOCOMO_JUDGE_MODEL": "its model"}
    if judge.base_url is not None:
        own["OPENAI_BASE_URL"] = "its base_url"
    for setting, key in own.items():
        text = text.replace(setting, key)
    return text


def _end(judges: Sequence[PanelJudge], outcome: _Outcome) -> None:
    """Raises where a judge failed, with each one's name and cause."""
    if not outcome.failed:
        return
    named = {one.name: one for one in judges}
    causes = "; ".join(
        f"{name}: {_by_the_file(str(error), named.get(name))}"
        for name, error in outcome.failed.items()
    )
    count = len(outcome.failed)
    are = "is" if count == 1 else "are"
    text = f"{count} of {len(judges)} judges {are} missing in the panel: {causes}"
    pending = all(isinstance(one, JudgingPendingError) for one in outcome.failed.values())
    raise (JudgingPendingError if pending else JudgingError)(text)
