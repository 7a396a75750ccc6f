"""The known shapes of files with results: who writes them, and what an entry of each holds.

An entry is one object of a file: a question with its answer and verdict. Which question of the
data set it is, `matching` finds out. docs/import.md lists the shapes for people.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

from pydantic import AliasChoices, BeforeValidator, Field, ValidationInfo

from locomo_assets.imports.results import FileModel, ImportRefusedError, read_json, read_model
from locomo_assets.judging.judge import Verdict, has_words

_LABELS = {
    **dict.fromkeys(("correct", "true", "1", "1.0"), Verdict.CORRECT),
    **dict.fromkeys(("wrong", "incorrect", "false", "0", "0.0"), Verdict.WRONG),
    "unscored": Verdict.UNSCORED,
    "unanswered": Verdict.UNANSWERED,
}


def _read_verdict(value: object) -> object:
    """The verdict that a file says in words of its own."""
    if value is None or isinstance(value, Verdict):
        return value
    found = _LABELS.get(str(value).strip().rstrip(".").lower())
    if found is None or isinstance(value, list | dict):
        raise ValueError(
            f"{value!r:.40} is no verdict: it is CORRECT or WRONG, 1 or 0, true or false, or "
            "unscored where the judge failed"
        )
    return found


def _read_votes(value: object) -> object:
    """The votes as a list, also where each has a name of its own."""
    votes = list(value.values()) or None if isinstance(value, dict) else value
    return (
        [Verdict.UNSCORED if one is None else one for one in votes]
        if isinstance(votes, list)
        else votes
    )


def _read_category(value: object, info: ValidationInfo) -> object:
    """The data set's number, also as text. Names differ between vendors, so they say nothing."""
    text = str(value).strip()
    if isinstance(value, str | float) and re.fullmatch(r"\d+(\.0)?", text):
        return int(float(text))
    if isinstance(value, str):
        if isinstance(info.context, Counter):
            info.context["category (a name)"] += 1
        return None
    return value


def _read_gold(value: object) -> object:
    """The gold answer as text; some data sets have numbers there."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if is_number else value


def _read_time(value: object) -> object:
    """A time with its zone, as ISO 8601 writes it."""
    if not isinstance(value, str):
        return value
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(f"{value!r:.40} is no time like 2026-11-23T14:05:00+00:00") from None
    if found.tzinfo is None:
        raise ValueError(f"{value!r:.40} names no time zone")
    return found.astimezone(UTC)


_Text = Annotated[str, Field(min_length=1, max_length=200)]
_Count = Annotated[int, Field(ge=0, lt=2**63)]
_Ms = Annotated[float, Field(ge=0)]
_Usd = Annotated[float, Field(ge=0)]
_Time = Annotated[datetime, BeforeValidator(_read_time)]
_Verdict = Annotated[Verdict, BeforeValidator(_read_verdict)]
_Votes = Annotated[list[_Verdict], Field(min_length=1)]
_Gold = Annotated[str | None, BeforeValidator(_read_gold)]


class Memory(FileModel):
    """A retrieved memory with what the service says of it."""

    memory: str
    memory_id: str | None = None
    score: Annotated[float, Field(allow_inf_nan=False)] | None = None


def _read_memory(value: object) -> object:
    """A memory that is its text alone has no more to say."""
    if isinstance(value, str):
        return {"memory": value}
    if not isinstance(value, dict):
        raise ValueError("Input should be a valid string, or an object with `memory`")
    return value


class Entry(FileModel):
    """What an entry of any shape may hold; the shapes name some fields differently."""

    shape: ClassVar[str] = "jsonl"
    marks: ClassVar[tuple[str, ...]] = ("verdict", "verdicts")

    conversation: str | None = Field(
        None, validation_alias=AliasChoices("conversation", "conversation_id", "sample_id")
    )
    question_index: int | None = None
    question_id: Any = None
    question: str | None = None
    category: Annotated[int | None, BeforeValidator(_read_category)] = None
    gold_answer: _Gold = Field(None, validation_alias=AliasChoices("golden_answer", "gold_answer"))
    answer: str | None = None
    model: _Text | None = None
    judge: _Text | None = None
    verdict: _Verdict | None = None
    verdicts: Annotated[_Votes | None, BeforeValidator(_read_votes)] = None
    reasoning: str | None = None
    reason: str | None = None
    error: Any = None
    latency_ms: _Ms | None = None
    input_tokens: _Count | None = None
    output_tokens: _Count | None = None
    retrieved: list[Annotated[Memory, BeforeValidator(_read_memory)]] | None = None
    not_judged: bool = False

    @property
    def is_answered(self) -> bool:
        """Whether there is an answer, be it one that the file leaves out or one without words.

        One without words that has an error or a reason beside it never came.
        """
        if "answer" not in self.model_fields_set:
            return True
        if self.answer is None:
            return False
        return has_words(self.answer) or self.why_missing is None

    @property
    def is_wordless(self) -> bool:
        """Whether the answer is there, and says nothing."""
        return self.answer is not None and self.is_answered and not has_words(self.answer)

    @property
    def why_missing(self) -> str | None:
        """What the file says of an answer or verdict that is missing."""
        if self.reason is None and self.error:
            return self.error if isinstance(self.error, str) else "an error in the file"
        return self.reason

    def answer_fields(self) -> dict[str, object]:
        """The fields that entries of one question by different judges must agree on."""
        measured = {"latency_ms", "input_tokens", "output_tokens", "retrieved"}
        return self.model_dump(include={"answer", "model", *measured, *self.answer_columns})

    answer_columns: ClassVar[Mapping[str, str]] = {}
    """Further fields that are columns of `answers`, by the field's name."""
    verdict_columns: ClassVar[Mapping[str, str]] = {}
    """Likewise of `judgements`."""
    judge_columns: ClassVar[Mapping[str, str]] = {}
    """Likewise, where they identify the judge."""

    def columns(self, names: Mapping[str, str]) -> dict[str, Any]:
        """Those of the named fields that the entry states, by column."""
        return {
            column: getattr(self, field)
            for field, column in names.items()
            if field in self.model_fields_set
        }


class Line(Entry):
    """An entry of this project's own JSON lines, with all that its own measurements know."""

    provider: _Text | None = None
    memory_mode: _Text | None = None
    retrieved_count: _Count | None = None
    first_chunk_ms: _Ms | None = None
    in_flight: _Count | None = None
    cost_usd: _Usd | None = None
    asked_at: _Time | None = None
    options_json: str | None = None
    answer_system: _Text | None = None
    answer_prompt_name: _Text | None = None
    answer_prompt_sha256: _Text | None = None
    memory_tokens: _Count | None = None
    judge_system: _Text | None = None
    judge_model: _Text | None = None
    judge_prompt_name: _Text | None = None
    judge_prompt_sha256: _Text | None = None
    judge_parameters_json: str | None = None
    votes: Annotated[int, Field(ge=0, lt=2**31)] | None = None
    agreement: Annotated[float, Field(ge=0, le=1)] | None = None
    judge_input_tokens: _Count | None = None
    judge_output_tokens: _Count | None = None
    judge_cost_usd: _Usd | None = None
    judge_latency_ms: _Ms | None = None
    judged_at: _Time | None = None
    asked_by: _Text | None = None
    audit_sha256: _Text | None = None
    corrected_gold_answer: str | None = None
    reasoning_left_out: bool = False
    """The judge's reasoning quotes the gold answer, and was exported without gold answers."""

    answer_columns: ClassVar[Mapping[str, str]] = {
        "provider": "llm_provider",
        "memory_mode": "memory_mode",
        "retrieved_count": "retrieved",
        "first_chunk_ms": "first_chunk_ms",
        "in_flight": "in_flight",
        "cost_usd": "cost_usd",
        "asked_at": "asked_at",
        "options_json": "options_json",
        "answer_system": "answer_system",
        "answer_prompt_name": "prompt_name",
        "answer_prompt_sha256": "prompt_sha256",
        "memory_tokens": "memory_tokens",
    }
    judge_columns: ClassVar[Mapping[str, str]] = {
        "judge_system": "judge_system",
        "judge_model": "judge_model",
        "judge_prompt_name": "prompt_name",
        "judge_prompt_sha256": "prompt_sha256",
        "judge_parameters_json": "judge_parameters_json",
    }
    verdict_columns: ClassVar[Mapping[str, str]] = {
        "votes": "votes",
        "agreement": "agreement",
        "judge_input_tokens": "input_tokens",
        "judge_output_tokens": "output_tokens",
        "judge_cost_usd": "cost_usd",
        "judge_latency_ms": "latency_ms",
        "judged_at": "judged_at",
        "asked_by": "asked_by",
        "audit_sha256": "audit_sha256",
        "corrected_gold_answer": "corrected_gold_answer",
    }


class Mem0Entry(Entry):
    """mem0's evaluation/evals.py, and Memobase's, which is made of it."""

    shape: ClassVar[str] = "mem0"
    marks: ClassVar[tuple[str, ...]] = ("llm_score",)

    gold_answer: _Gold = Field(None, validation_alias="answer")
    answer: str | None = Field(None, validation_alias="response")
    verdict: _Verdict | None = Field(None, validation_alias="llm_score")


class ZepEntry(Entry):
    """zep-papers' locomo_eval/zep_locomo_eval.py."""

    shape: ClassVar[str] = "zep"
    marks: ClassVar[tuple[str, ...]] = ("grade",)

    verdict: _Verdict | None = Field(None, validation_alias="grade")


class JudgmentsEntry(Entry):
    """EverMemOS' and MemOS' evaluations. The time is of searching and answering together."""

    shape: ClassVar[str] = "evermemos"
    marks: ClassVar[tuple[str, ...]] = ("llm_judgments",)

    answer: str | None = Field(None, validation_alias=AliasChoices("generated_answer", "answer"))
    verdicts: Annotated[_Votes | None, BeforeValidator(_read_votes)] = Field(
        None, validation_alias="llm_judgments"
    )
    latency_ms: _Ms | None = Field(None, validation_alias="total_duration_ms")


_OTHERS: tuple[type[Entry], ...] = (Mem0Entry, ZepEntry, JudgmentsEntry)
_SHAPES: tuple[type[Entry], ...] = (Line, *_OTHERS)
_MARKS = ", ".join(f"`{mark}`" for shape in _SHAPES for mark in shape.marks)
_WRAPPERS = ("detailed_results", "results")
_ENTRY_FIELDS = {"question", "question_index", "question_id"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a file something stands. `group` is the key of the list that holds it."""

    file: str
    place: str
    group: str | None = None

    def __str__(self) -> str:
        return f"{self.file}{', ' if self.place.startswith('line ') else ': '}{self.place}"


@dataclass(frozen=True, slots=True)
class ReadEntries:
    """The entries of a file, the shape they have, and the fields that nothing was made of."""

    shape: str
    entries: Sequence[tuple[Place, Entry]]
    unread: Counter[str]


def read_entries(name: str, text: str) -> ReadEntries:
    """The entries of a file of any known shape: JSON lines, or one document that holds them.

    Raises ImportRefusedError with the line, or the place in the document.
    """
    unread: Counter[str] = Counter()
    found = list(_find_entries(name, text, unread))
    if not found:
        raise ImportRefusedError(f"{name}: holds no line; nothing was imported")
    model = _shape_of(name, [content for _, content in found])
    entries = [(place, read_model(model, content, str(place), unread)) for place, content in found]
    return ReadEntries(model.shape, entries, unread)


def _find_entries(name: str, text: str, unread: Counter[str]) -> Iterator[tuple[Place, object]]:
    lines = [(at, line) for at, line in enumerate(text.split("\n"), start=1) if line.strip()]
    if len(lines) > 1 and _is_document(text, lines[0][0]):
        yield from _walk(Place(name, ""), read_json(text, name), unread)
        return
    for at, line in lines:
        place = Place(name, f"line {at}")
        content = read_json(line, str(place))
        if len(lines) == 1 and isinstance(content, dict | list):
            yield from _walk(Place(name, ""), content, unread, alone=place)
        else:
            yield place, content


def _is_document(text: str, first_line: int) -> bool:
    """Whether this is one document, rather than lines; a broken one fails after its first line."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return error.msg != "Extra data" and error.lineno > first_line
    except (ValueError, RecursionError):
        return False
    return True


def _walk(
    at: Place, content: object, unread: Counter[str], alone: Place | None = None
) -> Iterator[tuple[Place, object]]:
    """The entries below a value; `alone` is the place of a document that is an entry itself."""
    if isinstance(content, list):
        for index, one in enumerate(content):
            yield Place(at.file, f"{at.place}[{index}]", at.group), one
        return
    if not isinstance(content, dict):
        raise ImportRefusedError(f"{at}: is no list of results; nothing was imported")
    if "by_type" in content and "responses" in content:
        raise ImportRefusedError(
            f"{at.file}: is of Backboard's benchmark; give its folder to `import "
            "backboard-published`"
        )
    if content.keys() & _ENTRY_FIELDS or not content:
        yield alone or Place(at.file, "the document"), content
        return
    wrapper = next((name for name in _WRAPPERS if isinstance(content.get(name), dict | list)), None)
    lists = {name: value for name, value in content.items() if isinstance(value, list)}
    # Beside lists of entries there may be others: of models, of scores by category.
    below = [name for name, value in lists.items() if _holds_entries(value)] or list(lists)
    unread.update(content.keys() - ({wrapper} if wrapper else set(below)))
    if wrapper:
        yield from _walk(Place(at.file, wrapper), content[wrapper], unread)
    for group in () if wrapper else below:
        path = f"{at.place}.{group}" if at.place else group
        yield from _walk(Place(at.file, path, group), content[group], unread)
    if not wrapper and not below:
        raise ImportRefusedError(
            f"{at.file}: holds no results of a known shape ({_MARKS}); docs/import.md lists them"
        )


def _holds_entries(values: list[Any]) -> bool:
    return any(isinstance(one, dict) and one.keys() & _ENTRY_FIELDS for one in values)


def _shape_of(name: str, contents: Sequence[object]) -> type[Entry]:
    """The shape by the fields that hold the verdicts; those of our own go before others'."""
    fields = {key for content in contents if isinstance(content, dict) for key in content}
    if fields & set(Entry.marks):
        if {"answer", "response"} <= fields:
            raise ImportRefusedError(
                f"{name}: has `verdict` beside `answer` and `response`, one of which may be the "
                "gold answer; call the system's `answer` and the gold one `golden_answer`, or the "
                "verdict `llm_score` if the file is of mem0's shape"
            )
        return Line
    shapes = [shape for shape in _OTHERS if fields & set(shape.marks)]
    if len(shapes) > 1:
        marks = " and ".join(f"`{shape.marks[0]}`" for shape in shapes)
        raise ImportRefusedError(
            f"{name}: has verdicts in {marks}; leave in the ones that count, nothing was imported"
        )
    if shapes:
        return shapes[0]
    if any(isinstance(content, dict) for content in contents) and "question_index" not in fields:
        raise ImportRefusedError(
            f"{name}: no entry has a verdict ({_MARKS}); give the file that the judge's "
            "verdicts were written to"
        )
    return Line
