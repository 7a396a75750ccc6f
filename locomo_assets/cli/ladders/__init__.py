"""Commands over ladders of configurations."""

import typer

from locomo_assets.cli.ladders import ladder


def register(app: typer.Typer) -> None:
    """Adds the commands of this room."""
    ladder.register(app)
