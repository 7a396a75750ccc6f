"""Reading an export back: each release of it as an import, once everything in it fits."""

from datetime import datetime
from pathlib import Path

from locomo_assets.bounded import DATASET_BYTES, read_file
from locomo_assets.imports.export.manifest import ResultsFile
from locomo_assets.imports.export.verify import faults_in, read_manifest, verify_export
from locomo_assets.imports.jsonl import parse_jsonl
from locomo_assets.imports.results import ImportedRelease, ImportRefusedError
from locomo_assets.locomo.model import Dataset


def read_export(
    folder: Path, dataset: Dataset, release: str | None = None
) -> list[ImportedRelease]:
    """The results of an export on their data set, one import a file; `release` renames the one.

    Raises:
        NotAnExportError: there is no manifest.
        ImportRefusedError: something does not fit the manifest or the data set; `release` is given
            and there are several.
    """
    faults = faults_in(verify_export(folder))
    if faults:
        raise ImportRefusedError(
            f"{folder}: {faults[0].file}: {faults[0].text}; nothing was imported, "
            "`locomo-assets verify-export` tells all"
        )
    results = read_manifest(folder).results
    releases = sorted({one.release for one in results})
    if release is not None and len(releases) > 1:
        raise ImportRefusedError(
            f"--release is for one release, and {folder} holds {', '.join(releases)}; leave it out"
        )
    other = sorted({one.dataset_sha256 for one in results} - {dataset.sha256})
    if other:
        raise ImportRefusedError(
            f"{folder}: was measured on the data set {other[0][:12]}…, and {dataset.source} is "
            f"{dataset.sha256[:12]}…; name the right one with --dataset or LOCOMO_DATASET"
        )
    return [_imported(folder, one, dataset, release or one.release) for one in results]


def _imported(folder: Path, one: ResultsFile, dataset: Dataset, release: str) -> ImportedRelease:
    results = parse_jsonl(
        one.file,
        read_file(folder / one.file, DATASET_BYTES),
        dataset,
        system=one.system,
        question_protocol=one.question_protocol,
        unnamed_model=None,
    )
    published_at = None if one.published_at is None else datetime.fromisoformat(one.published_at)
    return ImportedRelease(release, results, published_at)
