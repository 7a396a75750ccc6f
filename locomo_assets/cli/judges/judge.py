"""`judge`: a release's stored answers, judged by the judge that the settings name."""

from typing import Annotated

import typer

from locomo_assets.analysis.accuracy import InvalidNumbersError, invalid_message
from locomo_assets.cli.judges.judging import (
    canaries_note,
    failure_of,
    forecast_judging,
    judge_sets,
)
from locomo_assets.cli.options import WideOption
from locomo_assets.cli.shell import completion
from locomo_assets.cli.shell.place import stored_history_settings
from locomo_assets.cli.shell.progress import showing_progress
from locomo_assets.reporting.terminal.series import (
    print_accuracy,
    print_diagnosis,
    print_forecast,
    print_judge_errors,
    print_reasons,
)
from locomo_assets.reporting.terminal.table import console, print_left_out
from locomo_assets.runs.panel.stored import answer_sets
from locomo_assets.services.judging import judging_services

ReleaseOption = Annotated[
    str,
    typer.Option(
        help="The release whose stored answers are judged: measured or imported.",
        autocompletion=completion.releases,
    ),
]
ProtocolOption = Annotated[
    str | None, typer.Option(help="Only answers to questions asked so; default: all.")
]


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.command()(judge)


def judge(
    release: ReleaseOption,
    question_protocol: ProtocolOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Forecast calls, tokens, USD and minutes; no call.")
    ] = False,
    wide: WideOption = False,
) -> None:
    """Judge a release's stored answers, imported ones too, by the judge of the settings.

    With OPENAI_API_KEY each answer is a paid judge call (about 0.001 USD with gpt-4.1); without
    it the lexical judge judges, which is free. Verdicts that are stored are not paid for again,
    and stay as they are: another judge's stand beside them. No memory service is asked.
    """
    services = judging_services(stored_history_settings())
    sets = answer_sets(services.store(), release, question_protocol)
    out = console(wide=wide)
    if dry_run:
        print_forecast(out, [forecast_judging(services, sets, "verdicts")])
        out.print(canaries_note(), markup=False, highlight=False)
        print_left_out(out)
        return
    with showing_progress(services, ("verdicts",)):
        judged = judge_sets(services, sets)
    path, limit = services.settings.database_path, services.settings.max_error_percent
    series = {(one.system, one.question_protocol, one.judge, one.dataset_sha256)
              for one in judged.reports}  # fmt: skip
    wholes = print_accuracy(out, path, release, max_error_percent=limit)
    own = [row for row in wholes if row.series in series]
    print_reasons(out, path, own)
    print_diagnosis(out, path, own)
    print_judge_errors(out, path, own)
    print_left_out(out)
    if judged.failures:
        raise failure_of(judged.failures, len({one.task.conversation for one in sets}))
    for row in own:
        if not row.valid:
            raise InvalidNumbersError(invalid_message(row, limit))
