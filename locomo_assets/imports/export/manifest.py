"""`manifest.json` of an export, as values: what was measured, the headline, each file's hash.

`verify` recounts what stands here; `write` takes it from the history.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from pydantic import Field

from locomo_assets.analysis.accuracy import Accuracy
from locomo_assets.imports.results import FileModel

FORMAT = "locomo-assets-export"
FORMAT_VERSION = 1

MANIFEST, README, SUMS, SIGNATURE = "manifest.json", "README.md", "SHA256SUMS", "manifest.json.sig"
"""The names of the files beside those with results."""

CLUSTERED = "clustered by conversation: CR2, Student's t, Bell-McCaffrey degrees of freedom"
WILSON = "Wilson: one conversation only"


class Headline(FileModel):
    """The counts of some questions by one judge, and the accuracy of those with a verdict."""

    questions: int
    scored: int
    correct: int
    wrong: int
    unscored: int
    unanswered: int
    not_judged: int
    accuracy_percent: float | None
    interval_percent: list[float] | None
    interval_method: str | None

    @classmethod
    def of(cls, row: Accuracy) -> "Headline":
        """What the history says."""
        interval = row.interval_percent
        return cls(
            questions=row.questions,
            scored=row.scored,
            correct=row.correct,
            wrong=row.scored - row.correct,
            unscored=row.unscored,
            unanswered=row.unanswered,
            not_judged=row.not_judged,
            accuracy_percent=row.accuracy_percent,
            interval_percent=None if interval is None else [round(end, 2) for end in interval],
            interval_method=None if interval is None else _method(row.conversations),
        )


def _method(conversations: int) -> str:
    return WILSON if conversations == 1 else CLUSTERED


class JudgeOf(FileModel):
    """Who judged; what is not known of an imported judge is null."""

    judge: str
    judge_system: str | None
    judge_model: str | None
    prompt_name: str | None
    prompt_sha256: str | None
    judge_parameters_json: str | None
    votes: int | None
    audit_sha256: str | None


class SeriesOf(FileModel):
    """The results by one judge: of categories 1-4, and of each category by its number."""

    judged_by: JudgeOf
    headline: Headline | None
    categories: dict[str, Headline]


class ResultsFile(FileModel):
    """One file of lines: the answers of one release, system and question protocol."""

    file: str
    release: str
    published_at: str | None
    imported: bool
    system: str
    notes: list[str]
    question_protocol: str
    dataset_sha256: str
    models: list[str]
    memory_modes: list[str]
    options: list[str]
    answer_prompts: list[str]
    ingest_protocols: list[str]
    ingest_models: list[str]
    ingest_options: list[str]
    measured_by_version: list[str]
    asked_from: str | None
    asked_until: str | None
    lines: int
    answers: int
    reasonings_left_out: int
    series: list[SeriesOf]


class FileOf(FileModel):
    """A file's hash and size."""

    sha256: str
    bytes: int


class Prices(FileModel):
    """The table at the time of the export: USD per million tokens, input and output."""

    as_of: str
    usd_per_million_tokens: dict[str, list[float]]


class Manifest(FileModel):
    """The whole manifest."""

    format: str
    format_version: int
    created_at: str
    with_gold: bool
    software: dict[str, str]
    prices: Prices
    audits_sha256: list[str]
    results: list[ResultsFile]
    files: dict[str, FileOf] = Field(default_factory=dict)


def distinct(values: Iterable[Any]) -> list[str]:
    """What is known among the values, each once, sorted."""
    return sorted({str(value) for value in values if value is not None})


def span(times: Sequence[datetime | None]) -> tuple[str | None, str | None]:
    """The first and the last of the times, as ISO 8601."""
    known = [time for time in times if time is not None]
    return (min(known).isoformat(), max(known).isoformat()) if known else (None, None)
