"""Options that several commands share, each with its one help text."""

from enum import StrEnum
from typing import Annotated

import typer


class Format(StrEnum):
    """How a result is printed."""

    text = "text"
    json = "json"


DatasetOption = Annotated[
    str | None, typer.Option(help="Path or https URL of a LoCoMo file; default: the sample.")
]
ConversationsOption = Annotated[str | None, typer.Option(help="Only these, separated by commas.")]
QuestionsOption = Annotated[
    int | None, typer.Option(min=1, help="Only the first N questions of each conversation.")
]
WideOption = Annotated[
    bool, typer.Option("--wide", help="Show all columns on a terminal; a pipe gets them anyway.")
]
AllOption = Annotated[
    bool, typer.Option("--all", help="Show all rows on a terminal, not the first 40.")
]
