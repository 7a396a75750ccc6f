"""Imported results as values, and strict reading of the JSON they come from."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from locomo_assets.errors import LocomoError
from locomo_assets.judging.judge import Verdict, has_words
from locomo_assets.locomo.model import Question

UNKNOWN = "unknown"
"""The model or judge that neither a file nor the person names."""


class ImportRefusedError(LocomoError):
    """The files can't be imported; names file, place and cause. Nothing is stored."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class ImportedFile:
    """A file with results. `conversation` is None if it may hold several."""

    file: str
    sha256: str
    size_bytes: int
    questions: int
    conversation: str | None

    @classmethod
    def of(
        cls, file: str, data: bytes, questions: int, conversation: str | None = None
    ) -> "ImportedFile":
        """The file with these bytes."""
        return cls(file, hashlib.sha256(data).hexdigest(), len(data), questions, conversation)


@dataclass(frozen=True, slots=True)
class ImportedVerdict:
    """A verdict as its file states it.

    `judge` holds the columns of `judgements` that identify the judge, as far as stated, and
    `measured` those that say what the verdict took. `agreement` is the share of the `votes` for
    this verdict, None if it is unscored.
    """

    judge: Mapping[str, Any]
    verdict: Verdict
    reasoning: str | None = None
    reason: str | None = None
    votes: int = 1
    agreement: float | None = None
    measured: Mapping[str, Any] = field(default_factory=dict)


class RetrievedMemory(NamedTuple):
    """A memory as it was retrieved; its id and score where the file states them."""

    memory: str
    memory_id: str | None = None
    score: float | None = None


@dataclass(frozen=True, slots=True)
class ImportedAnswer:
    """A question's answer and its verdicts, one per judge; unanswered if there is a `reason`.

    What the file does not state is None, be it the answer. `retrieved` are the retrieved memories,
    by rank. `measured` has further columns of `answers`: what only a measurement of this project
    knows.
    """

    conversation: str
    question: Question
    answer: str | None
    reason: str | None
    llm_model: str | None
    llm_provider: str | None = None
    memory_mode: str | None = None
    latency_ms: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    retrieved: tuple[RetrievedMemory, ...] | None = None
    verdicts: tuple[ImportedVerdict, ...] = field(default=())
    measured: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_wordless(self) -> bool:
        """Whether the answer is there, and says nothing."""
        return self.answer is not None and not has_words(self.answer)


@dataclass(frozen=True, slots=True)
class ImportedResults:
    """The contents of one import's files. `format` is the importer's name and version.

    `assumed` is what the person said in place of the files (the model, the judge), and `unread`
    counts the fields that nothing was made of.
    """

    format: str
    system: str
    question_protocol: str
    files: tuple[ImportedFile, ...]
    answers: tuple[ImportedAnswer, ...]
    assumed: Mapping[str, str] = field(default_factory=dict)
    unread: Mapping[str, int] = field(default_factory=dict)

    @property
    def judges(self) -> set[str]:
        """The names of those who judged."""
        return {verdict.judge["judge"] for answer in self.answers for verdict in answer.verdicts}

    @property
    def wordless(self) -> int:
        """How many answers say nothing."""
        return sum(answer.is_wordless for answer in self.answers)

    @property
    def correct_without_words(self) -> int:
        """How many verdicts of the files are correct on an answer that says nothing, or is none."""
        return sum(
            verdict.verdict is Verdict.CORRECT
            for answer in self.answers
            if answer.is_wordless or answer.reason is not None
            for verdict in answer.verdicts
        )


@dataclass(frozen=True, slots=True)
class ImportedRelease:
    """Results, the release they become, and when that was published, if known."""

    release: str
    results: ImportedResults
    published_at: datetime | None = None


class FileModel(BaseModel):
    """A part of somebody's file: converts no values, accepts no NaN, counts unknown fields.

    They are counted in the Counter that `read_model` is given.
    """

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _count_unknown(cls, content: object, info: ValidationInfo) -> object:
        if isinstance(content, dict) and isinstance(info.context, Counter):
            info.context.update(content.keys() - set(cls.field_names()))
        return content

    @classmethod
    def field_names(cls) -> Iterator[str]:
        """What the fields are called in a file."""
        for name, of in cls.model_fields.items():
            alias = of.validation_alias
            if isinstance(alias, AliasChoices):
                yield from (str(choice) for choice in alias.choices)
            else:
                yield alias if isinstance(alias, str) else name


M = TypeVar("M", bound=FileModel)


def decode_utf8(data: bytes, where: str) -> str:
    """The text of a UTF-8 file. Raises ImportRefusedError."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ImportRefusedError(
            f"{where}: byte {error.start} is not UTF-8; give the file as it was published"
        ) from None


def read_json(text: str, where: str) -> object:
    """A JSON value. Raises ImportRefusedError, which begins with `where`."""
    try:
        content: object = json.loads(text, object_pairs_hook=_without_repeats)
        if "\\u" in text:
            json.dumps(content, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        in_line = f"character {error.pos}"
        at = f"line {error.lineno}, column {error.colno}" if "\n" in text else in_line
        raise ImportRefusedError(
            f"{where}: is not JSON ({error.msg} at {at}); nothing was imported"
        ) from None
    except UnicodeEncodeError:
        raise ImportRefusedError(
            f"{where}: a text holds half a character (\\ud800 to \\udfff alone), which can't be "
            "stored; nothing was imported"
        ) from None
    except (ValueError, RecursionError) as error:
        cause = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise ImportRefusedError(f"{where}: {cause}; nothing was imported") from None
    return content


def read_model(model: type[M], content: object, where: str, unread: Counter[str]) -> M:
    """A JSON value as a model. Raises ImportRefusedError, which begins with `where`."""
    try:
        return model.model_validate(content, context=unread)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        message = message.removesuffix(f" or instance of {model.__name__}")
        cause = f"{place.lstrip('.')}: {message}" if place else message
        raise ImportRefusedError(f"{where}: {cause}; nothing was imported") from None


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice}: the field is there more than once")
    return found
