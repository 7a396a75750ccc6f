"""The commands of those who operate it: upkeep of the history, backups, alerts, doctor, remote."""

import typer


def register(app: typer.Typer) -> None:
    """Adds the commands of this folder."""
    from locomo_assets.cli.operations import alerts, backup, doctor, exporter, history, remote

    for module in (history, alerts, exporter, backup, remote, doctor):
        module.register(app)
