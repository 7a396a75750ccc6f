"""`import …`: results that others measured, as releases of their own. `judge-labels import`: what
somebody who read answers says of them, to measure judges by. `export` and `verify-export`: our own
results as files that others can check.
"""

import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from locomo_assets.bounded import DATASET_BYTES, UnusableBodyError, read_file
from locomo_assets.cli.options import WideOption
from locomo_assets.cli.shell import completion
from locomo_assets.cli.shell.place import stored_history_settings
from locomo_assets.file_urls import FileUrlError, local_path
from locomo_assets.redaction import printable
from locomo_assets.reporting.terminal.series import (
    print_accuracy,
    print_gold_faults,
    print_judge_errors,
)
from locomo_assets.reporting.terminal.table import console, print_left_out
from locomo_assets.settings import Settings, read_settings

if TYPE_CHECKING:
    from locomo_assets.imports.results import ImportedRelease
    from locomo_assets.locomo.model import Dataset

imports = typer.Typer(
    no_args_is_help=True,
    help="Bring in results that others measured, as releases of their own. Costs nothing.",
)

labels = typer.Typer(
    no_args_is_help=True,
    help="Labels of answers, right or wrong, by somebody who read them: they say what a judge "
    "lets pass. Costs nothing.",
)

DatasetOption = Annotated[
    str | None,
    typer.Option(
        "--dataset", help="The LoCoMo file they were measured on; default: LOCOMO_DATASET."
    ),
]
SystemOption = Annotated[str, typer.Option(help="Who was measured.")]
ModelOption = Annotated[
    str | None, typer.Option(help="The model that answered, where the files do not say.")
]
JudgeOption = Annotated[
    str | None,
    typer.Option(help="Who judged (model and prompt), where the files do not say."),
]
PublishedOption = Annotated[
    str | None,
    typer.Option(
        "--published-at", help="When it was published (2026-11-23): its place among the releases."
    ),
]


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.add_typer(imports, name="import")
    app.add_typer(labels, name="judge-labels")
    app.command()(export)
    app.command("verify-export")(verify_export)


@imports.command("backboard-published")
def backboard_published(
    folder: Annotated[Path, typer.Argument(help="Holds the locomo_conversation_*.json files.")],
    release: Annotated[
        str | None,
        typer.Option(
            help="What to call it. Default: backboard-published; files with a time in their names "
            "become one release a run, by its time."
        ),
    ] = None,
    dataset: DatasetOption = None,
    model: ModelOption = None,
    judge: JudgeOption = None,
    published_at: PublishedOption = None,
    wide: WideOption = False,
) -> None:
    """Import Backboard's published files, or what its benchmark script wrote. Costs nothing."""
    from locomo_assets.imports.backboard_published import FILES, SUMMARIES, parse_releases
    from locomo_assets.imports.results import ImportRefusedError

    settings = read_settings()
    time = _time(published_at)
    paths = sorted(folder.glob(FILES), key=lambda path: (len(path.name), path.name))
    if not paths:
        raise ImportRefusedError(
            f"{folder}: holds no {FILES}; give the folder of Backboard's published files, or the "
            "one that its benchmark script wrote"
        )
    files = [(path.name, read_import(path)) for path in paths]
    summaries = [path.name for path in folder.glob(SUMMARIES)]
    read = dataset_of_import(settings, dataset)
    releases = parse_releases(files, summaries, read, release, model=model, judge=judge)
    if time is not None and len(releases) > 1:
        raise ImportRefusedError(
            f"--published-at is of one release, but {folder} holds {len(releases)} runs; leave it "
            "out, or give all of them one name with --release"
        )
    dated = [replace(one, published_at=time or one.published_at) for one in releases]
    _save(settings, read, dated, wide=wide)


@imports.command("jsonl")
def jsonl(
    file: Annotated[
        Path, typer.Argument(help="JSON lines, or another shape that docs/import.md lists.")
    ],
    release: Annotated[str, typer.Option(help="What to call it.")],
    system: SystemOption,
    protocol: Annotated[
        str, typer.Option(help="How the questions were asked: isolated, published, …")
    ] = "unknown",
    dataset: DatasetOption = None,
    model: ModelOption = None,
    judge: JudgeOption = None,
    published_at: PublishedOption = None,
    wide: WideOption = False,
) -> None:
    """Import anybody's answers and verdicts: JSON lines, mem0's, Zep's, … Costs nothing."""
    from locomo_assets.imports.jsonl import parse_jsonl
    from locomo_assets.imports.results import ImportedRelease

    settings = read_settings()
    time = _time(published_at)
    data = read_import(file)
    read = dataset_of_import(settings, dataset)
    results = parse_jsonl(
        file.name,
        data,
        read,
        system=system,
        question_protocol=protocol,
        model=model,
        judge=judge,
    )
    _save(settings, read, [ImportedRelease(release, results, time)], wide=wide)


@imports.command("export")
def import_export(
    folder: Annotated[Path, typer.Argument(help="What `locomo-assets export` wrote.")],
    release: Annotated[
        str | None, typer.Option(help="Another name for it. Default: the one it has.")
    ] = None,
    dataset: DatasetOption = None,
    wide: WideOption = False,
) -> None:
    """Import what `export` wrote, once every hash and count in it fits. Costs nothing."""
    from locomo_assets.imports.export.read import read_export

    settings = read_settings()
    read = dataset_of_import(settings, dataset)
    _save(settings, read, read_export(folder, read, release), wide=wide)


def export(
    releases: Annotated[
        list[str], typer.Argument(help="Releases with answers.", autocompletion=completion.releases)
    ],
    to: Annotated[Path, typer.Option("--to", help="The folder to make.")],
    with_gold: Annotated[
        bool,
        typer.Option(
            "--with-gold",
            help="With the data set's questions and gold answers, which are CC BY-NC.",
        ),
    ] = False,
    sign: Annotated[
        Path | None,
        typer.Option(help="Sign the manifest with this private SSH key (by ssh-keygen)."),
    ] = None,
) -> None:
    """Write releases as plain files that others can check and import. Costs nothing."""
    from locomo_assets.history import database
    from locomo_assets.imports.export.verify import in_words
    from locomo_assets.imports.export.write import export_releases
    from locomo_assets.prices import PriceTable
    from locomo_assets.services import Services

    services = Services(stored_history_settings())
    path = services.settings.database_path
    database.refresh(services.store(), path)
    prices = PriceTable.read(services.settings.prices)
    manifest = export_releases(
        path, releases, to, with_gold=with_gold, prices=prices, sign_key=sign
    )
    for one in manifest.results:
        print(printable(f"{to}/{one.file}: {one.answers:,} answers, {one.lines:,} lines"))
        for series in one.series:
            print(printable(f"  judge {series.judged_by.judge}: {in_words(series.headline)}"))
        for note in one.notes:
            print(f"  {note}")
    signed = "" if sign is None else ", signed"
    print(f"{to}: {len(manifest.files) + 2} files, verified{signed}")


def verify_export(
    folder: Annotated[Path, typer.Argument(help="What `locomo-assets export` wrote.")],
    allowed_signers: Annotated[
        Path | None,
        typer.Option(help="Who may have signed: a file of people and public keys (ssh-keygen)."),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option("--dataset", help="Also compare the questions with this LoCoMo file."),
    ] = None,
) -> None:
    """Check an export by its files alone, and count its results anew. Costs nothing.

    Needs no history, and no data set unless one is named. Exits with 1 where something differs.
    """
    from locomo_assets.imports.export import verify

    findings = list(verify.verify_export(folder, allowed_signers))
    for one in findings:
        print(printable(f"{'NOT ' if one.is_fault else 'ok  '} {one.file}: {one.text}"))
    faults = verify.faults_in(findings)
    if faults:
        raise verify.ChangedExportError(
            f"{folder}: {len(faults)} {'things do' if len(faults) > 1 else 'thing does'} not fit; "
            f"{faults[0].file}: {faults[0].text}; get the folder anew from whoever made it"
        )
    if dataset is not None:
        from locomo_assets.imports.export.read import read_export

        read = dataset_of_import(read_settings(), dataset)
        read_export(folder, read)
        print(printable(f"ok   every question is of {read.source}"))


def _time(text: str | None) -> datetime | None:
    from locomo_assets.imports.results import ImportRefusedError

    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ImportRefusedError(
            f"--published-at {text!r:.80}: is no date; write it like 2026-11-23 or "
            "2026-11-23T14:05:00Z"
        ) from None


def read_import(path: Path) -> bytes:
    """A file's bytes, up to the size of a data set. Raises ImportRefusedError."""
    from locomo_assets.imports.results import ImportRefusedError

    try:
        return read_file(local_path(path), DATASET_BYTES)
    except (FileUrlError, UnusableBodyError) as error:
        raise ImportRefusedError(f"{path}: {error}") from None
    except OSError as error:
        raise ImportRefusedError(
            f"{path}: can't be read ({error.strerror}); give the file's path"
        ) from None


def dataset_of_import(settings: Settings, source: str | None) -> "Dataset":
    """The data set that is named, or that of the settings, or the packaged sample."""
    from locomo_assets.locomo.parsing import read_dataset
    from locomo_assets.locomo.sample import packaged_sample

    chosen = source or settings.dataset
    if chosen is None:
        return read_dataset(packaged_sample())
    return read_dataset(chosen, settings.dataset_sha256)


def _save(
    settings: Settings, dataset: "Dataset", releases: "Sequence[ImportedRelease]", *, wide: bool
) -> None:
    from locomo_assets.history import database
    from locomo_assets.imports.results import UNKNOWN
    from locomo_assets.imports.save import save_imports
    from locomo_assets.services import Services

    services = Services(settings)
    audit_sha256 = services.keep_audit(dataset)
    store, path, limit = services.store(), settings.database_path, settings.max_error_percent
    manifests = save_imports(store, dataset, releases, f"import-{uuid.uuid4()}")
    unread: Counter[str] = Counter()
    for one, manifest in zip(releases, manifests, strict=True):
        results = one.results
        verdicts = sum(len(answer.verdicts) for answer in results.answers)
        files = "1 file" if len(results.files) == 1 else f"{len(results.files)} files"
        counts = f"{files}, {len(results.answers):,} answers, {verdicts:,} verdicts"
        # An export has a file for each system and protocol of a release.
        alike = sum(other.release == one.release for other in releases) > 1
        asked = f" ({results.system}, {results.question_protocol})" if alike else ""
        told = "imported" if manifest else "are there already"
        print(printable(f"release {one.release}{asked}: {counts} {told}"))
        if results.correct_without_words:
            print(
                f"{results.correct_without_words:,} verdicts are correct on an answer without "
                "words; they are kept as the file gives them, look at them before you compare"
            )
        unread.update(results.unread)
    if any(UNKNOWN in one.results.judges for one in releases):
        print(
            "who judged is not in the file; name model and prompt with --judge, so that results "
            "of different judges are not compared"
        )
    if unread:
        print(f"fields without a meaning here, left out: {listed(unread)}")
    database.publish(store, path)
    out = console(wide=wide)
    for release in dict.fromkeys(one.release for one in releases):
        wholes = print_accuracy(out, path, release, max_error_percent=limit)
        print_judge_errors(out, path, wholes)
        print_gold_faults(out, path, wholes, audit_sha256)
    print_left_out(out)


_MOST_FIELDS = 12


def listed(unread: "Counter[str]") -> str:
    """Names and counts; the names are others' words, so they are kept short and on one line."""
    common = sorted(unread.items(), key=lambda one: (-one[1], one[0]))[:_MOST_FIELDS]
    names = [f"{repr(name)[1:-1]:.40} ({count:,}×)" for name, count in common]
    further = len(unread) - len(common)
    return ", ".join(names) + (f", and {further:,} more" if further else "")


@labels.callback()
def _labels_group() -> None:
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
