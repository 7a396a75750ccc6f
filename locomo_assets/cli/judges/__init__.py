"""`judge`, `judge-panel`: verdicts of one's own on stored answers, imported ones too."""

import typer


def register(app: typer.Typer) -> None:
    """Adds the commands of this folder."""
    from locomo_assets.cli.judges.judge import judge
    from locomo_assets.cli.judges.panel import judge_panel

    app.command()(judge)
    app.command(name="judge-panel")(judge_panel)
