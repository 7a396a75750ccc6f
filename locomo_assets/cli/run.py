"""`run`: measures one release, with progress and a closing table.

The launch of the Dagster runs belongs to `pipeline.launch`.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from locomo_assets.analysis.accuracy import (
    Accuracy,
    InvalidNumbersError,
    invalid_message,
    of_series,
)
from locomo_assets.analysis.comparison import compare
from locomo_assets.analysis.comparison.decision import Conclusion
from locomo_assets.analysis.comparison.gate import check_decision, check_gate
from locomo_assets.analysis.comparison.last_looks import read_last_looks
from locomo_assets.analysis.fail_on import FailOn
from locomo_assets.cli.options import (
    ConversationsOption,
    DatasetOption,
    QuestionsOption,
    WideOption,
)
from locomo_assets.cli.plan import detectable_line
from locomo_assets.cli.shell import completion
from locomo_assets.cli.shell.progress import showing_progress
from locomo_assets.cli.shell.typed import name_option, typed_name
from locomo_assets.history import database
from locomo_assets.reporting.preload import preloading
from locomo_assets.reporting.terminal.series import (
    print_accuracy,
    print_diagnosis,
    print_forecast,
    print_gold_faults,
    print_judge_errors,
    print_reasons,
    print_stopped,
    print_warnings,
)
from locomo_assets.reporting.terminal.table import Screen, console, print_left_out, print_line
from locomo_assets.runs.releases import adhoc_label
from locomo_assets.settings import SettingsError, read_settings

if TYPE_CHECKING:
    from locomo_assets.pipeline.launch import Launch
    from locomo_assets.services import Services


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.command()(run)


def run(
    dataset: DatasetOption = None,
    release: Annotated[
        str | None,
        typer.Option(
            help="Label of what is measured; default: adhoc-<UTC time>-<letters>.",
            autocompletion=completion.releases,
        ),
    ] = None,
    conversations: ConversationsOption = None,
    questions: QuestionsOption = None,
    adversarial: Annotated[bool, typer.Option(help="Ask category 5 too.")] = False,
    force: Annotated[bool, typer.Option(help="Ask again what is stored: pays all again.")] = False,
    repeats: Annotated[
        int, typer.Option(min=1, help="Until each question has N answers: pays each one.")
    ] = 1,
    repeat_ingestion: Annotated[
        bool, typer.Option(help="With --repeats: N memories, too, each asked once: pays each.")
    ] = False,
    until_decided: Annotated[
        bool,
        typer.Option(
            "--until-decided",
            help="Stop once it is better, worse or equivalent. All conversations are ingested.",
        ),
    ] = False,
    against: Annotated[
        str | None,
        typer.Option(
            help="With --until-decided: the release to compare with.",
            autocompletion=completion.releases,
        ),
    ] = None,
    gate_against: Annotated[
        str | None,
        typer.Option(
            help="Compare with this release afterwards; the exit code says the outcome.",
            autocompletion=completion.releases,
        ),
    ] = None,
    fail_on: Annotated[
        FailOn | None,
        typer.Option(
            help="With --gate-against: end with 4 (worse), 5 (cannot tell) or 6 (not equivalent); "
            "default: worse."
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Forecast calls, tokens, USD and minutes; no call."),
    ] = False,
    wide: WideOption = False,
) -> None:
    """Measure a release: ingest, ask, judge, report.

    With BACKBOARD_API_KEY each turn is a paid message and each question a paid LLM answer (the
    real data set: 5,882 and 1,540; 1,986 with --adversarial); with OPENAI_API_KEY each answer is
    a paid judge call (about 0.001 USD with gpt-4.1). What is stored is not paid for again.
    --repeats asks and judges anew from the same memories, which shows the noise of both.
    Without keys: nothing is called, nothing costs.
    """
    from locomo_assets.history.data_files import do_without_pandas
    from locomo_assets.pipeline.launch import Launch, launch
    from locomo_assets.services import Services

    do_without_pandas()
    if release is None:
        release = adhoc_label()
        name_option("--release", release)
    wanted = Launch(
        release=release,
        dataset=dataset,
        conversations=[c.strip() for c in conversations.split(",")] if conversations else None,
        questions=questions,
        adversarial=adversarial,
        force=force,
        repeats=repeats,
        repeat_ingestion=repeat_ingestion,
        until_decided=until_decided,
        against=against,
        gate_against=gate_against,
    )
    if fail_on is not None and gate_against is None:
        raise SettingsError("--fail-on: say which release to compare with by --gate-against")
    services = Services(read_settings(), creates_history=not dry_run)
    if dry_run:
        _forecast(wanted, services, console(wide=wide))
        return
    path, limit = services.settings.database_path, services.settings.max_error_percent
    with showing_progress(services), preloading(services.progress, path):
        series = launch(wanted, services)
    out = console(wide=wide)
    audit_sha256 = services.keep_audit()
    with database.one_state(path):
        wholes = print_accuracy(out, path, wanted.release, max_error_percent=limit)
        measured = of_series(wholes, series) if wholes else None
        print_reasons(out, path, [measured] if measured else [])
        print_diagnosis(out, path, wholes)
        print_judge_errors(out, path, wholes)
        print_gold_faults(out, path, wholes, audit_sha256)
        print_warnings(out, path, wholes)
        print_stopped(out, path, wholes, wanted.release)
    print_left_out(out)
    out.print(f"\nHistory   {path}", soft_wrap=True, markup=False)
    instance = services.settings.home / "dagster"
    out.print(f"UI        make dev   (instance {instance})", soft_wrap=True, markup=False)
    first_query = "SELECT question, gold_answer, answer, verdict FROM current_judgements LIMIT 5"
    sql = f'{typed_name()} sql "{first_query}"'
    out.print(f"SQL       {sql}", soft_wrap=True, highlight=False, markup=False)
    if measured is not None and not measured.valid:
        raise InvalidNumbersError(invalid_message(measured, limit))
    if gate_against is not None:
        end_with_gate(services, wanted, measured, gate_against, fail_on or FailOn.worse)


def end_with_gate(
    services: "Services",
    wanted: "Launch",
    measured: Accuracy | None,
    against: str,
    fail_on: FailOn,
) -> None:
    """Says how the release compares, and ends with the gate's exit code where it fails.

    Of a run until it is decided the last look's decision counts, which allows for the looks.
    """
    settings, release = services.settings, wanted.release
    last = read_last_looks(settings.database_path).get(release)
    by_look = last is not None and (wanted.until_decided or last.is_stopped)
    if last is not None and by_look and last.against == against:
        # `print_stopped` has said it.
        check_decision(against, release, Conclusion(last.decision), (), fail_on)
        return
    found = compare(
        settings.database_path,
        against,
        release,
        judge=None if measured is None else measured.judge,
        question_protocol=None if measured is None else measured.question_protocol,
        intersection=True,
        margin_points=settings.margin_points,
        max_error_percent=settings.max_error_percent,
    )
    out = console()
    print_line(out, f"\n{found.headline}", unwrapped_on_a_pipe=True)
    if not found.valid:
        raise InvalidNumbersError(
            f"{found.overall.verdict.because}; run {against} again, which asks only what failed"
        )
    check_gate(found, fail_on)


def _forecast(wanted: "Launch", services: "Services", out: Screen) -> None:
    from locomo_assets.pipeline.forecasts.plan import plan
    from locomo_assets.pipeline.launch import check_launch, forecast_launch

    print_forecast(out, forecast_launch(wanted, services))
    if wanted.until_decided:
        out.print(
            "That is the most it can cost: --until-decided ingests all these conversations, and "
            "stops asking and judging once the comparison is decided.",
            markup=False,
        )
    found = plan(services, *check_launch(wanted, services), repeats=wanted.repeats)
    line = f"{detectable_line(found)} `{typed_name()} plan` says what to add to see less."
    out.print(line, markup=False, highlight=False)
    print_left_out(out)
