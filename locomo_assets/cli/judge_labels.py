"""`judge-labels import`: what somebody who read answers says of them, to measure judges by."""

import uuid
from pathlib import Path
from typing import Annotated

import typer

from locomo_assets.cli.imports import DatasetOption, dataset_of_import, listed, read_import
from locomo_assets.redaction import printable
from locomo_assets.settings import read_settings

labels = typer.Typer(
    no_args_is_help=True,
    help="Labels of answers, right or wrong, by somebody who read them: they say what a judge "
    "lets pass. Costs nothing.",
)


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.add_typer(labels, name="judge-labels")


@labels.callback()
def _group() -> None:
    """Keeps `import` a command of its own while it is the only one."""


@labels.command("import")
def import_labels(
    file: Annotated[
        Path,
        typer.Argument(
            help="JSON lines or CSV: conversation, question_index (or question), answer, label."
        ),
    ],
    by: Annotated[str, typer.Option(help="Who labelled: a name, or how it was done.")],
    dataset: DatasetOption = None,
) -> None:
    """Import labels, and say which verdicts in the history they apply to. Costs nothing.

    A label is `right` or `wrong`. It applies to each judge that has judged just this answer to
    just this question.
    """
    from locomo_assets.analysis.judge_error import label_coverage
    from locomo_assets.history import database
    from locomo_assets.imports.judge_labels import read_labels, save_labels
    from locomo_assets.services import Services

    settings = read_settings()
    data = read_import(file)
    read = dataset_of_import(settings, dataset)
    found = read_labels(file.name, data, read)
    store = Services(settings).store()
    manifest = save_labels(store, read, found, by, f"labels-{uuid.uuid4()}")
    right = sum(one.label == "right" for one in found.labels)
    print(
        f"{file.name}: {len(found.labels):,} labels ({right:,} right, "
        f"{len(found.labels) - right:,} wrong) " + ("imported" if manifest else "are there already")
    )
    if found.unread:
        print(f"fields without a meaning here, left out: {listed(found.unread)}")
    database.publish(store, settings.database_path)
    for line in label_coverage(settings.database_path, found.sha256):
        print(printable(line))
