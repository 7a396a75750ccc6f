"""Writing an export: read from the history, verified as a reader would, and only then in place."""

import hashlib
import json
import os
import platform
import re
import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

from locomo_assets import __version__
from locomo_assets.analysis.accuracy import Accuracy, by_category, by_release
from locomo_assets.errors import LocomoError
from locomo_assets.history import database
from locomo_assets.imports.export.lines import Row, lines_of, read_rows
from locomo_assets.imports.export.manifest import (
    FORMAT,
    FORMAT_VERSION,
    MANIFEST,
    README,
    SUMS,
    FileOf,
    Headline,
    JudgeOf,
    Manifest,
    Prices,
    ResultsFile,
    SeriesOf,
    distinct,
    span,
)
from locomo_assets.imports.export.signing import sign
from locomo_assets.imports.export.verify import verify_export
from locomo_assets.near_names import unknown_release
from locomo_assets.prices import LEXICAL, STANDIN, PriceTable
from locomo_assets.redaction import hide_all, hide_keys

_TEMPLATE = Path(__file__).with_name("readme.md.j2")
_SOFTWARE = ("duckdb", "dagster", "openai")
_NO_LIMIT = 100.0
_ANSWERED = (
    "SELECT release FROM release_order SEMI JOIN current_answers USING (release) "
    "ORDER BY position DESC"
)
_NOTES = {
    STANDIN: "stand-in: the memory service or the judge is the one packaged with this project; "
    "such numbers show that the pipeline works, and say nothing of any service",
    LEXICAL: "lexical: a judge that compares words, packaged with this project; no model judged",
}


class ExportError(LocomoError):
    """An export can't be written."""

    exit_code = 2


class _Part(NamedTuple):
    """A file of results in the making: its lines, and what the manifest says of it."""

    text: bytes
    about: ResultsFile


class _Measured(NamedTuple):
    """What the history has of one file: answers, the verdicts on each, and its accuracy."""

    release: str
    conditions: Row
    answers: list[Row]
    verdicts: list[list[Row]]
    cells: list[Accuracy]


def export_releases(
    database_path: Path,
    releases: Sequence[str],
    target: Path,
    *,
    with_gold: bool,
    prices: PriceTable,
    sign_key: Path | None = None,
) -> Manifest:
    """Writes the releases into the folder `target`, whole or not at all.

    The data set's texts (questions, gold answers) are left out unless `with_gold`. `sign_key` is
    a private key for ssh-keygen.

    Raises:
        ExportError: the folder is there already, a release has no answers, the key can't sign.
    """
    _refuse_taken(target)
    parts: list[_Part] = []
    for release in dict.fromkeys(releases):
        parts += _parts(database_path, release, len(parts), with_gold=with_gold)
    manifest = Manifest(
        format=FORMAT,
        format_version=FORMAT_VERSION,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        with_gold=with_gold,
        software={"locomo-assets": __version__, "python": platform.python_version(), **_versions()},
        prices=_prices(prices, [part.about for part in parts]),
        audits_sha256=_audits(database_path, [part.about for part in parts]),
        results=[part.about for part in parts],
    )
    files = {part.about.file: part.text for part in parts}
    files[README] = _readme(manifest, signed=sign_key is not None).encode()
    hashes = {
        name: FileOf(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))
        for name, data in sorted(files.items())
    }
    manifest = manifest.model_copy(update={"files": hashes})
    files[MANIFEST] = _json(manifest.model_dump()).encode()
    files[SUMS] = "".join(
        f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items())
    ).encode()
    _put_in_place(target, files, sign_key)
    return manifest


def _refuse_taken(target: Path) -> None:
    if not target.parent.is_dir():
        raise ExportError(f"--to {target}: give a folder in one that exists")
    if target.is_symlink() or (target.exists() and not (target.is_dir() and _is_empty(target))):
        raise ExportError(
            f"--to {target}: is there already and not an empty folder; name a new one, an export "
            "never overwrites"
        )


def _is_empty(folder: Path) -> bool:
    return not any(folder.iterdir())


def _put_in_place(target: Path, files: Mapping[str, bytes], sign_key: Path | None) -> None:
    target = target.absolute()
    partial = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        partial.mkdir()
        for name, data in files.items():
            (partial / name).write_bytes(data)
        if sign_key is not None:
            sign(partial / MANIFEST, sign_key)
        faults = [one.text for one in verify_export(partial) if one.is_fault]
        if faults:
            raise ExportError(
                f"{target}: was not written, because a recount differs from the history: "
                f"{faults[0]}; rebuild it with `locomo-assets history rebuild`"
            )
        # Replaces an empty folder, and fails on one that has been filled since.
        partial.rename(target)
    except OSError as error:
        raise ExportError(
            f"--to {target}: can't be written ({error.strerror}); name a folder that can"
        ) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _parts(database_path: Path, release: str, already: int, *, with_gold: bool) -> list[_Part]:
    with database.open_read_only(database_path) as connection:
        answers = read_rows(connection, "answers", release)
        verdicts = read_rows(connection, "verdicts", release)
        conditions = {_key(row): row for row in read_rows(connection, "conditions", release)}
        known = [one for (one,) in connection.execute(_ANSWERED).fetchall()]
    if not answers:
        raise ExportError(unknown_release(release, known, "no answers"))
    wholes = by_release(database_path, release, max_error_percent=_NO_LIMIT)
    categories = by_category(database_path, release, max_error_percent=_NO_LIMIT)
    grouped: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in answers:
        grouped[_key(row)].append(row)
    by_answer: dict[tuple[str, str, int], list[Row]] = defaultdict(list)
    for row in verdicts:
        by_answer[row["answer_id"], row["conversation"], row["question_index"]].append(row)
    parts = []
    for number, (key, rows) in enumerate(sorted(grouped.items()), start=already + 1):
        one = _Measured(
            release,
            conditions[key],
            rows,
            [by_answer[r["answer_id"], r["conversation"], r["question_index"]] for r in rows],
            [row for row in (*wholes, *categories) if _key_of(row) == key],
        )
        lines = [
            line
            for row, own in zip(one.answers, one.verdicts, strict=True)
            for line in lines_of(row, own, with_gold=with_gold)
        ]
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        file = _file_name(number, release, *key[1:])
        parts.append(_Part(text.encode(), _about(file, one, lines)))
    return parts


def _key(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["dataset_sha256"], row["system"] or "unknown", row["question_protocol"]


def _key_of(row: Accuracy) -> tuple[str, str, str]:
    return row.dataset_sha256, row.system, row.question_protocol


def _file_name(number: int, release: str, system: str, protocol: str) -> str:
    words = re.sub(r"[^A-Za-z0-9.]+", "-", f"{release} {system} {protocol}").strip("-.")
    return f"{number:02d}-{words[:80]}.jsonl"


def _about(file: str, one: _Measured, lines: Sequence[Row]) -> ResultsFile:
    conditions, answers = one.conditions, one.answers
    verdicts = [row for own in one.verdicts for row in own]
    first, last = span([row["asked_at"] for row in answers])
    judges: dict[str, list[Row]] = defaultdict(list)
    for row in verdicts:
        judges[row["judge"]].append(row)
    published_at = conditions["published_at"]
    systems = {conditions["system"], *(row["judge_system"] for row in verdicts)}
    return ResultsFile(
        file=file,
        release=one.release,
        published_at=published_at and published_at.astimezone(UTC).isoformat(),
        imported=conditions["imported"],
        system=conditions["system"],
        notes=[note for system, note in _NOTES.items() if system in systems],
        question_protocol=conditions["question_protocol"],
        dataset_sha256=conditions["dataset_sha256"],
        models=distinct(
            "/".join(filter(None, (row["llm_provider"], row["llm_model"]))) or None
            for row in answers
        ),
        memory_modes=distinct(row["memory_mode"] for row in answers),
        options=distinct(row["options_json"] for row in answers),
        answer_prompts=distinct(
            row["prompt_sha256"] and f"{row['prompt_name']}@{row['prompt_sha256']}"
            for row in answers
        ),
        ingest_protocols=conditions["ingest_protocols"] or [],
        ingest_models=conditions["ingest_models"] or [],
        ingest_options=conditions["ingest_options"] or [],
        measured_by_version=conditions["versions"] or [],
        asked_from=first,
        asked_until=last,
        lines=len(lines),
        answers=len(answers),
        reasonings_left_out=sum("reasoning_left_out" in line for line in lines),
        series=[_series(rows, one.cells) for _, rows in sorted(judges.items())],
    )


def _series(verdicts: Sequence[Row], cells: Sequence[Accuracy]) -> SeriesOf:
    newest = verdicts[-1]
    own = [row for row in cells if row.judge == newest["judge"]]
    by_number = {row.category.partition(" ")[0]: Headline.of(row) for row in own}
    # A release that was asked category 5 alone has no score.
    headline = by_number.pop("all", None)
    judge = {
        name: newest[name]
        for name in JudgeOf.model_fields
        if name not in ("votes", "judge_system", "judge_parameters_json")
    }
    return SeriesOf(
        judged_by=JudgeOf(
            **judge,
            judge_system=newest["judge_system"] and hide_all(newest["judge_system"], ()),
            judge_parameters_json=newest["judge_parameters_json"]
            and hide_keys(newest["judge_parameters_json"]),
            votes=max((row["votes"] for row in verdicts if row["votes"] is not None), default=None),
        ),
        headline=headline,
        categories=by_number,
    )


def _prices(table: PriceTable, results: Sequence[ResultsFile]) -> Prices:
    models = [model for one in results for model in (*one.models, *one.ingest_models)]
    judges = [series.judged_by.judge_model for one in results for series in one.series]
    named = {model.rpartition("/")[2] for model in (*models, *filter(None, judges))}
    usd = table.usd_per_million_tokens
    return Prices(
        as_of=table.as_of.isoformat(),
        usd_per_million_tokens={name: list(usd[name]) for name in sorted(named & usd.keys())},
    )


def _audits(database_path: Path, results: Sequence[ResultsFile]) -> list[str]:
    """The audits of these data sets that the history has."""
    datasets = sorted({one.dataset_sha256 for one in results})
    with database.open_read_only(database_path) as connection:
        rows = connection.execute(
            "SELECT DISTINCT audit_sha256 FROM gold_faults WHERE list_contains(?, dataset_sha256)",
            [datasets],
        ).fetchall()
    return distinct(sha256 for (sha256,) in rows)


def _versions() -> dict[str, str]:
    found = {}
    for name in _SOFTWARE:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _readme(manifest: Manifest, *, signed: bool) -> str:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(  # noqa: S701  # Markdown, not HTML
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        manifest=manifest, signed=signed
    )


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"
