"""`plan`: what a comparison would see before it is paid for, and what to add."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from locomo_assets.analysis.comparison.paired import FEW_CONVERSATIONS
from locomo_assets.cli.options import (
    ConversationsOption,
    DatasetOption,
    Format,
    QuestionsOption,
    WideOption,
)
from locomo_assets.cli.shell import completion
from locomo_assets.cli.shell.place import history_settings
from locomo_assets.reporting.terminal.table import (
    Screen,
    Short,
    console,
    print_json,
    print_left_out,
    print_line,
    print_table,
)
from locomo_assets.settings import read_settings

if TYPE_CHECKING:
    from locomo_assets.pipeline.forecasts.plan import Plan, Step

_PLANNED = "plan"
_SHORT = Short(only_wide=("standard error",))


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.command(name="plan")(plan_comparison)


def plan_comparison(
    detect: Annotated[
        float, typer.Option(min=0.01, help="The difference to see, in points of accuracy.")
    ] = 1.0,
    against: Annotated[
        str | None,
        typer.Option(
            help="The earlier release; its repeats are in the history.",
            autocompletion=completion.releases,
        ),
    ] = None,
    dataset: DatasetOption = None,
    conversations: ConversationsOption = None,
    questions: QuestionsOption = None,
    repeats: Annotated[int, typer.Option(min=1, help="Times each question is asked.")] = 1,
    format: Annotated[Format, typer.Option(help="json has everything.")] = Format.text,
    wide: WideOption = False,
) -> None:
    """What difference would a comparison see, and what to add to see less? Costs nothing.

    By the flips of repeats in the history and the spread between conversations of its newest two
    releases; what it does not know is assumed, and named so. Prices are those of `run --dry-run`.
    """
    from locomo_assets.pipeline.forecasts.plan import plan
    from locomo_assets.pipeline.launch import Launch, check_launch
    from locomo_assets.services import Services

    settings = read_settings() if against is None else history_settings()
    services = Services(settings, creates_history=False)
    named = [c.strip() for c in conversations.split(",")] if conversations else None
    wanted = Launch(_PLANNED, dataset=dataset, conversations=named, questions=questions)
    known, tasks = check_launch(wanted, services)
    found = plan(services, known, tasks, detect, repeats=repeats, against=against)
    if format is Format.json:
        print_json(asdict(found))
        return
    _show(console(wide=wide), found)


def _show(out: Screen, found: "Plan") -> None:
    print_line(out, detectable_line(found))
    if found.conversations < FEW_CONVERSATIONS:
        print_line(
            out,
            f"Below {FEW_CONVERSATIONS} conversations the test over questions has to agree, and "
            "nothing is called equivalent.",
        )
    print_line(out, f"Noise: {_noise(found)}.\n")
    headings = ("repeats", "detectable", "standard error", "calls", "USD", "minutes")
    print_table(out, headings, [_row(step) for step in found.steps], _SHORT)
    print_line(out, f"\n{_to_see(found)}")
    of_a = (
        f"{found.against} stays as it is measured"
        if found.against
        else "the earlier release needs as many repeats"
    )
    print_line(
        out,
        f"Detectable: points called in 80 of 100 comparisons. Costs are of the new release, "
        f"ingested once; {of_a}.",
    )
    print_left_out(out)


def detectable_line(found: "Plan") -> str:
    """What the first step of a plan would see, as a sentence."""
    step = found.steps[0]
    asked = (
        f"{found.conversations} conversation{'s' * (found.conversations != 1)}, "
        f"{found.questions:,} questions, {_times(step.repeats)}"
        + (f" ({_times(step.repeats_a)} of the earlier release)")
        * (step.repeats_a != step.repeats)
    )
    if step.detectable_points is None:
        return f"{asked}: no comparison can be made; it takes several conversations."
    return (
        f"{asked}: a comparison calls a true difference of {step.detectable_points:.2f} points in "
        "80 of 100 cases."
    )


def _times(repeats: int) -> str:
    return "1 repeat" if repeats == 1 else f"{repeats} repeats"


def _noise(found: "Plan") -> str:
    noise = found.noise
    return (
        f"{noise.flip_rate * 100:.1f} % of answers flip ({noise.flip_source}); the true "
        f"difference spreads by {noise.spread_points:.2f} points between conversations "
        f"({noise.spread_source}); a whole run moves by {noise.run_shift_points:.2f} points "
        f"({noise.run_shift_source})"
    )


def _row(step: "Step") -> tuple[object, ...]:
    return (
        step.repeats,
        _points(step.detectable_points),
        _points(step.error_points),
        f"{step.calls:,}",
        "no price" if step.cost_usd is None else f"{step.cost_usd:,.2f}",
        f"{step.minutes:,.1f}",
    )


def _points(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _to_see(found: "Plan") -> str:
    wanted = f"To see {found.wanted_points:g} point{'s' * (found.wanted_points != 1)}"
    ways = []
    if (step := found.enough) is not None:
        cost = "" if step.cost_usd is None else f", {step.cost_usd:,.2f} USD in all"
        ways.append(f"{_times(step.repeats)} of these questions{cost}")
    if (number := found.conversations_needed) is not None:
        ways.append(f"{number} conversations like these, {_times(found.steps[0].repeats)}")
    if not ways:
        return f"{wanted}: neither 50 repeats nor 1,000 conversations like these are enough."
    enough = "" if found.enough else " (50 repeats of these questions are not enough)"
    return f"{wanted}: {', or '.join(ways)}{enough}."
