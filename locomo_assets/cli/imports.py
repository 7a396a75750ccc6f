"""`import …`: results that others measured, as releases of their own."""

import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from locomo_assets.bounded import DATASET_BYTES, UnusableBodyError, read_file
from locomo_assets.reporting.terminal import console, print_accuracy, print_gold_faults
from locomo_assets.settings import Settings, read_settings

if TYPE_CHECKING:
    from locomo_assets.imports.results import ImportedResults
    from locomo_assets.locomo.model import Dataset

imports = typer.Typer(
    no_args_is_help=True,
    help="Bring in results that others measured, as releases of their own. Costs nothing.",
)

DatasetOption = Annotated[
    str | None,
    typer.Option(
        "--dataset", help="The LoCoMo file they were measured on; default: LOCOMO_DATASET."
    ),
]
SystemOption = Annotated[str, typer.Option(help="Who was measured.")]


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.add_typer(imports, name="import")


@imports.command("backboard-published")
def backboard_published(
    folder: Annotated[Path, typer.Argument(help="Holds the locomo_conversation_*.json files.")],
    release: Annotated[str, typer.Option(help="What to call it.")] = "backboard-published",
    dataset: DatasetOption = None,
) -> None:
    """Import Backboard's published answers and verdicts. Costs nothing."""
    from locomo_assets.imports.backboard_published import FILES, parse_published
    from locomo_assets.imports.results import ImportRefusedError

    settings = read_settings()
    paths = sorted(folder.glob(FILES), key=lambda path: (len(path.name), path.name))
    if not paths:
        raise ImportRefusedError(
            f"{folder}: holds no {FILES}; give the folder of Backboard's published files"
        )
    files = [(path.name, _read(path)) for path in paths]
    read = _dataset(settings, dataset)
    _save(settings, read, parse_published(files, read), release)


@imports.command("jsonl")
def jsonl(
    file: Annotated[Path, typer.Argument(help="JSON lines, as docs/import.md describes them.")],
    release: Annotated[str, typer.Option(help="What to call it.")],
    system: SystemOption,
    protocol: Annotated[
        str, typer.Option(help="How the questions were asked: isolated, published, …")
    ] = "unknown",
    dataset: DatasetOption = None,
) -> None:
    """Import anybody's answers and verdicts from a file of JSON lines. Costs nothing."""
    from locomo_assets.imports.jsonl import parse_jsonl

    settings = read_settings()
    data = _read(file)
    read = _dataset(settings, dataset)
    results = parse_jsonl(file.name, data, read, system=system, question_protocol=protocol)
    _save(settings, read, results, release)


def _read(path: Path) -> bytes:
    from locomo_assets.imports.results import ImportRefusedError

    try:
        return read_file(path, DATASET_BYTES)
    except UnusableBodyError as error:
        raise ImportRefusedError(f"{path}: {error}") from None
    except OSError as error:
        raise ImportRefusedError(
            f"{path}: can't be read ({error.strerror}); give the file's path"
        ) from None


def _dataset(settings: Settings, source: str | None) -> "Dataset":
    from locomo_assets.locomo.parsing import read_dataset
    from locomo_assets.locomo.sample import packaged_sample

    chosen = source or settings.dataset
    if chosen is None:
        return read_dataset(packaged_sample())
    return read_dataset(chosen, settings.dataset_sha256)


def _save(settings: Settings, dataset: "Dataset", results: "ImportedResults", release: str) -> None:
    from locomo_assets.history import database
    from locomo_assets.imports.save import save_import
    from locomo_assets.services import Services

    services = Services(settings)
    audit_sha256 = services.keep_audit(dataset)
    store, path, limit = services.store(), settings.database_path, settings.max_error_percent
    manifest = save_import(store, dataset, results, release, f"import-{uuid.uuid4()}")
    verdicts = sum(len(answer.verdicts) for answer in results.answers)
    counts = f"{len(results.files)} files, {len(results.answers):,} answers, {verdicts:,} verdicts"
    print(f"release {release}: {counts} " + ("imported" if manifest else "are there already"))
    database.publish(store, path)
    out = console()
    wholes = print_accuracy(out, path, release, max_error_percent=limit)
    print_gold_faults(out, path, wholes, audit_sha256)
