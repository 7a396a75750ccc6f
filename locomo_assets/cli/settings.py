"""`settings`: every setting with its default and meaning, as the page docs/settings.md."""

import sys
from typing import get_args

import typer
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from locomo_assets.reporting.terminal.table import console, print_line, print_pairs

_INTRODUCTION = """\
Everything is set by environment variables; none is needed. A variable whose name is nearly one of
these is refused, lest a misspelled limit be none. An empty variable counts as not set."""
_BAR = r"\|"
_HEAD = f"""# Settings

{_INTRODUCTION}

| variable | default | meaning |
| --- | --- | --- |"""


def register(app: typer.Typer) -> None:
    """Adds the command of this module."""
    app.command()(settings)


def settings() -> None:
    """List every setting with its default and meaning; on a pipe as Markdown. Costs nothing."""
    from locomo_assets.settings import Settings

    told = [
        (f"`{field.validation_alias}`", _default(field), f"{field.description}{_choices(field)}")
        for field in Settings.model_fields.values()
    ]
    if sys.stdout.isatty():
        out = console()
        print_line(out, _INTRODUCTION.replace("\n", " "))
        for name, default, meaning in told:
            print_line(out, f"\n{name} = {default}".replace("`", ""))
            print_pairs(out, [("", meaning.replace("`", ""))])
        return
    print(_HEAD)
    for name, default, meaning in told:
        print(f"| {name} | {default} | {meaning.replace('|', _BAR)} |")


def _default(field: FieldInfo) -> str:
    if field.default is None or isinstance(field.default, SecretStr):
        return "–"
    return f"`{str(field.default).lower() if field.annotation is bool else field.default}`"


def _choices(field: FieldInfo) -> str:
    texts = [one for one in _literals(field.annotation) if isinstance(one, str)]
    missing = [text for text in texts if f"`{text}`" not in str(field.description)]
    return f" ({', '.join(f'`{text}`' for text in texts)})" if missing else ""


def _literals(annotation: object) -> list[object]:
    return [
        inner
        for one in get_args(annotation)
        for inner in ([one] if isinstance(one, str) else _literals(one))
    ]
