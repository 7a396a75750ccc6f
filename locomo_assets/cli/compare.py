"""`compare`: two releases on the same questions. `judge-agreement`: two judges, same answers."""

import re
from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from locomo_assets.analysis.fail_on import FailOn
from locomo_assets.cli.options import WideOption
from locomo_assets.cli.shell import completion

if TYPE_CHECKING:
    from locomo_assets.analysis.comparison import Comparison


class ComparisonFormat(StrEnum):
    """How a comparison is printed."""

    text = "text"
    json = "json"
    markdown = "markdown"
    junit = "junit"


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.command(name="compare")(compare_releases)
    app.command(name="judge-agreement")(compare_judges)


def compare_releases(
    a: Annotated[
        str,
        typer.Argument(
            help="The release to compare with, the earlier one.", autocompletion=completion.releases
        ),
    ],
    b: Annotated[
        str, typer.Argument(help="The release in question.", autocompletion=completion.releases)
    ],
    judge: Annotated[
        str | None, typer.Option(help="By this judge's verdicts; default: the newest of both.")
    ] = None,
    protocol: Annotated[
        str | None, typer.Option(help="Questions asked by this protocol; default: the newest.")
    ] = None,
    intersection: Annotated[
        bool, typer.Option("--intersection", help="Only the questions both have, if they differ.")
    ] = False,
    margin: Annotated[
        float | None,
        typer.Option(
            min=0, help="Points of difference that matter; default: LOCOMO_MARGIN_POINTS."
        ),
    ] = None,
    flips: Annotated[int, typer.Option(min=0, help="How many changed questions to list.")] = 5,
    format: Annotated[
        ComparisonFormat,
        typer.Option(help="json has everything; markdown is a pull request's comment."),
    ] = ComparisonFormat.text,
    fail_on: Annotated[
        FailOn | None,
        typer.Option(help="End with exit code 4 (worse), 5 (cannot tell) or 6 (not equivalent)."),
    ] = None,
    link: Annotated[
        str | None, typer.Option(help="URL of the whole report, for markdown and junit.")
    ] = None,
    wide: WideOption = False,
) -> None:
    """Is release B better than A, worse, equivalent, or can't one tell? Costs nothing.

    The decision follows the difference's interval, clustered by conversation; a question counts
    with the mean of its repeats (`run --repeats`). It has to hold whatever the unanswered
    questions' answers were. Judge, protocol, data set and questions must be alike. Exit code 3:
    a side has too many questions without a verdict. Each --fail-on also fails on those before it.
    """
    from locomo_assets.analysis.accuracy import InvalidNumbersError
    from locomo_assets.analysis.comparison import compare
    from locomo_assets.analysis.comparison.gate import check_gate
    from locomo_assets.cli.shell.place import history_settings
    from locomo_assets.history import database
    from locomo_assets.settings import SettingsError

    settings = history_settings()
    _check_link(link, format)
    if margin is not None and not 0 < margin <= 100:
        raise SettingsError(f"--margin {margin:g}: points, above 0 and at most 100")
    with database.one_state(settings.database_path):
        found = compare(
            settings.database_path,
            a,
            b,
            judge=judge,
            question_protocol=protocol,
            intersection=intersection,
            margin_points=settings.margin_points if margin is None else margin,
            max_error_percent=settings.max_error_percent,
        )
    _print(found, format, fail_on=fail_on, link=link, flips=flips, wide=wide)
    if not found.valid:
        raise InvalidNumbersError(
            f"{found.overall.verdict.because}; if it was measured here, run it again with the same "
            "--release, which asks only what failed"
        )
    check_gate(found, fail_on)


def _print(
    found: "Comparison",
    format: ComparisonFormat,
    *,
    fail_on: FailOn | None,
    link: str | None,
    flips: int,
    wide: bool,
) -> None:
    from locomo_assets.redaction import printable

    match format:
        case ComparisonFormat.json:
            _print_json(found, fail_on)
        case ComparisonFormat.markdown:
            from locomo_assets.reporting.summary import comparison_markdown

            print(printable(comparison_markdown(found, link)))
        case ComparisonFormat.junit:
            from locomo_assets.reporting.junit import comparison_junit

            print(comparison_junit(found, fail_on, link))
        case ComparisonFormat.text:
            from locomo_assets.reporting.terminal.comparison import WIDTH, print_comparison
            from locomo_assets.reporting.terminal.table import console

            print_comparison(console(wide=wide, pipe_width=WIDTH), found, flips)


def _print_json(found: "Comparison", fail_on: FailOn | None) -> None:
    from locomo_assets.analysis.comparison.gate import fails
    from locomo_assets.reporting.terminal.table import print_json

    decision = found.overall.verdict
    more = {
        "headline": found.headline,
        "valid": found.valid,
        "bridge": asdict(found.bridge),
        "bridges": {name: asdict(one) for name, one in found.bridges.items()},
        "fail_on": fail_on,
        "gate_failed": bool(fails(decision.word, decision.claims, fail_on)),
    }
    print_json(asdict(found) | more)


def _check_link(link: str | None, format: ComparisonFormat) -> None:
    from locomo_assets.settings import SettingsError

    if link is None:
        return
    if format not in (ComparisonFormat.markdown, ComparisonFormat.junit):
        raise SettingsError(f"--link: --format {format} has no place for it; use markdown, junit")
    if not re.fullmatch(r"https?://[^\s<>]+", link):
        raise SettingsError(f"--link {link!r}: give a whole URL, such as https://ci.example.org/1")


def compare_judges(
    a: Annotated[str, typer.Argument(help="A judge, as `locomo-assets releases` names it.")],
    b: Annotated[str, typer.Argument(help="The other one.")],
    release: Annotated[
        str | None,
        typer.Option(help="Only answers of this release.", autocompletion=completion.releases),
    ] = None,
) -> None:
    """How far two judges agree on the same answers, beyond chance. Costs nothing."""
    from locomo_assets.analysis.agreement import judge_agreement
    from locomo_assets.cli.shell.place import history_settings
    from locomo_assets.reporting.terminal.table import console, print_table

    found = judge_agreement(history_settings().database_path, a, b, release)
    out = console()
    print_table(
        out,
        ("", f"{b}: correct", f"{b}: wrong"),
        (
            (f"{a}: correct", found.both_correct, found.only_a_correct),
            (f"{a}: wrong", found.only_b_correct, found.both_wrong),
        ),
    )
    for name, value in (
        ("answers judged by both", f"{found.answers}"),
        ("agreement", _measure(found.agreement)),
        ("Cohen's kappa", _measure(found.kappa)),
        (f"balanced accuracy of {b}, {a} taken as right", _measure(found.balanced_accuracy)),
    ):
        out.print(f"{name}: {value}", markup=False, highlight=False)


def _measure(value: float | None) -> str:
    return "– (only one kind of verdict)" if value is None else f"{value:.3f}"
