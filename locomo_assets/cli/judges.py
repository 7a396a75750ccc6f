"""`judge-agreement`: two judges on the same answers."""

from typing import Annotated

import typer

from locomo_assets.reporting.terminal import console, print_table
from locomo_assets.settings import read_settings


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.command(name="judge-agreement")(judge_agreement)


def judge_agreement(
    a: Annotated[str, typer.Argument(help="A judge, as `locomo-assets releases` names it.")],
    b: Annotated[str, typer.Argument(help="The other one.")],
    release: Annotated[str | None, typer.Option(help="Only answers of this release.")] = None,
) -> None:
    """How far two judges agree on the same answers, beyond chance. Costs nothing."""
    from locomo_assets.analysis.agreement import judge_agreement as read_agreement

    found = read_agreement(read_settings().database_path, a, b, release)
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
        ("agreement", _fixed(found.agreement)),
        ("Cohen's kappa", _fixed(found.kappa)),
        (f"balanced accuracy of {b}, {a} taken as right", _fixed(found.balanced_accuracy)),
    ):
        out.print(f"{name}: {value}", markup=False, highlight=False)


def _fixed(value: float | None) -> str:
    return "– (only one kind of verdict)" if value is None else f"{value:.3f}"
