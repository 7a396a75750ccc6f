"""What Backboard's benchmark script writes: one file per conversation, answers and verdicts.

Backboard's published results (repository Backboard-io/Backboard-Locomo-Benchmark) are such files.
All questions of a conversation were asked in one thread, answered by gemini-2.5-pro, and judged by
gpt-4.1 with the reference prompt. Newer files also state each answer's time, and in their names
when they were written. They hold no retrieval and no tokens.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import Field

from locomo_assets.imports.results import (
    FileModel,
    ImportedAnswer,
    ImportedFile,
    ImportedRelease,
    ImportedResults,
    ImportedVerdict,
    ImportRefusedError,
    decode_utf8,
    read_json,
    read_model,
)
from locomo_assets.judging.judge import NO_WORDS, Verdict, has_words
from locomo_assets.judging.prompts import REFERENCE_PROMPT
from locomo_assets.judging.verdict_request import llm_identity
from locomo_assets.locomo.model import SCORED_CATEGORIES, Dataset, Question

FILES = "locomo_conversation_*.json"
"""The pattern of the files' names."""
SUMMARIES = "locomo_results_*.json"
"""The pattern of the names of the files that a run ends with."""
PUBLISHED = "backboard-published"
"""What the published results are called."""

_NAME = re.compile(r"locomo_conversation_(\d+)_.*_(\d{9,10})\.json")
_SUMMARY = re.compile(r"locomo_results_(\d{9,10})\.json")
_PAUSE = timedelta(hours=12)
"""Longer than a conversation takes: what comes later is another run's."""

_TYPES = {1: "single_hop", 2: "temporal_reasoning", 3: "multi_hop", 4: "open_domain"}
"""The files' names for the data set's categories."""

_JUDGE = llm_identity("openai", "gpt-4.1", REFERENCE_PROMPT).row()
_MODEL = "gemini-2.5-pro"


class _Evaluation(FileModel):
    is_correct: bool | None
    reasoning: str | None
    error: str | None

    @property
    def verdict(self) -> bool | None:
        return None if self.error is not None else self.is_correct


class _Response(FileModel):
    conversation_id: str
    question_type: str
    category: int
    question: str
    expected_answer: str | int | float
    ai_response: str | None
    response_time: Annotated[float, Field(ge=0)] | None = None
    evaluation: _Evaluation | None

    @property
    def verdict(self) -> bool | None:
        return self.evaluation.verdict if self.evaluation else None


class _Section(FileModel):
    total: int
    evaluated_count: int
    correct_count: int
    accuracy_percentage: float | None
    responses: list[_Response]


class _File(_Section):
    conversation_id: str
    by_type: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Source:
    """Who answered and who judged, where it was not the script's own."""

    model: str | None
    judge: str | None

    def given(self) -> dict[str, str]:
        return {name: value for name, value in asdict(self).items() if value is not None}


def parse_releases(
    files: Sequence[tuple[str, bytes]],
    summaries: Collection[str],
    dataset: Dataset,
    release: str | None = None,
    *,
    model: str | None = None,
    judge: str | None = None,
) -> list[ImportedRelease]:
    """The releases that a folder's files are: one a run, or all of them as `release`.

    Files without a time in their names are the published ones. `summaries` are the names of the
    files that runs end with. `model` and `judge` stand in for the script's own. Raises
    ImportRefusedError.
    """
    times = {name: _time(_NAME, name) for name, _ in files}
    unknown = [name for name, time in times.items() if time is None]
    if release is None and 0 < len(unknown) < len(files):
        raise ImportRefusedError(
            f"{unknown[0]}: does not say when it was written, as others here do "
            "(locomo_conversation_<n>_<id>_<unix time>.json); move it elsewhere, or give all one "
            "name with --release"
        )
    runs = [list(files)] if release or unknown else _runs(files, times, summaries)
    releases = []
    for run in runs:
        began = min((time for name, _ in run if (time := times[name])), default=None)
        results = parse_published(run, dataset, model=model, judge=judge)
        named = PUBLISHED if began is None else f"script-{began:%Y-%m-%dT%H-%M-%SZ}"
        releases.append(ImportedRelease(release or named, results, began))
    return releases


def _time(pattern: re.Pattern[str], name: str) -> datetime | None:
    found = pattern.fullmatch(name)
    return datetime.fromtimestamp(int(found[found.lastindex or 0]), UTC) if found else None


def _runs(
    files: Sequence[tuple[str, bytes]],
    times: Mapping[str, datetime | None],
    summaries: Collection[str],
) -> list[list[tuple[str, bytes]]]:
    """The files of each run. A run takes the conversations by number, and ends with a summary."""
    ends = [time for name in summaries if (time := _time(_SUMMARY, name))]
    numbered = [
        (time, int(found[1]), (name, data))
        for name, data in files
        if (time := times[name]) and (found := _NAME.fullmatch(name))
    ]
    runs: list[list[tuple[str, bytes]]] = []
    last: tuple[datetime, int] | None = None
    for time, number, file in sorted(numbered, key=lambda one: one[:2]):
        if (
            last is None
            or number <= last[1]
            or time - last[0] > _PAUSE
            or any(last[0] <= end < time for end in ends)
        ):
            runs.append([])
        runs[-1].append(file)
        last = (time, number)
    return runs


def parse_published(
    files: Sequence[tuple[str, bytes]],
    dataset: Dataset,
    *,
    model: str | None = None,
    judge: str | None = None,
) -> ImportedResults:
    """Read files of one run, given as names and bytes, as results on the data set.

    A file holds every scored question of its conversation once, in the data set's order, with
    correct counts. The published ones, without a time in their names, are of all conversations.
    Raises ImportRefusedError at the first deviation.
    """
    questions = {
        one.conversation: [q for q in one.questions if q.category in SCORED_CATEGORIES]
        for one in dataset.conversations
    }
    file_of: dict[str, str] = {}
    imported: list[ImportedFile] = []
    answers: list[ImportedAnswer] = []
    unread: Counter[str] = Counter()
    source = _Source(model, judge)
    for name, data in files:
        file = read_model(_File, read_json(decode_utf8(data, name), name), name, unread)
        conversation = file.conversation_id
        if conversation not in questions:
            raise ImportRefusedError(
                f"{name}: conversation {conversation:.80} is not in the data set "
                f"{dataset.source}; name the right one with --dataset or LOCOMO_DATASET"
            )
        if conversation in file_of:
            raise ImportRefusedError(
                f"{name}: conversation {conversation} is in {file_of[conversation]} already; "
                "nothing was imported, give each conversation once, or leave --release out for a "
                "release a run"
            )
        file_of[conversation] = name
        _check_counts(file, name)
        answers += _answers(file, name, questions[conversation], source)
        imported.append(ImportedFile.of(name, data, len(file.responses), conversation))
    has_times = any(_NAME.fullmatch(name) for name, _ in files)
    missing = [one for one in questions if one not in file_of]
    if missing and not has_times:
        raise ImportRefusedError(
            f"conversation {missing[0]}: no file holds it (the data set {dataset.source} has "
            f"{len(questions)} conversations, the files {len(file_of)}); give all of them"
        )
    return ImportedResults(
        "backboard-script/1" if has_times else "backboard-published/1",
        "backboard",
        "published",
        tuple(imported),
        tuple(answers),
        source.given(),
        unread,
    )


def _answers(
    file: _File, name: str, questions: Sequence[Question], source: _Source
) -> Iterator[ImportedAnswer]:
    if len(file.responses) != len(questions):
        raise ImportRefusedError(
            f"{name}: {len(file.responses)} responses, but {file.conversation_id} has "
            f"{len(questions)} scored questions; nothing was imported"
        )
    for index, (response, question) in enumerate(zip(file.responses, questions, strict=True)):
        where = f"{name}: responses[{index}] (question {question.question_index})"
        _check_same(response, question, file.conversation_id, where)
        answered = _is_answered(response)
        error = response.evaluation.error if response.evaluation else None
        reason = error or ("not evaluated" if answered else "an empty answer") + " in the file"
        yield ImportedAnswer(
            conversation=file.conversation_id,
            question=question,
            answer=response.ai_response if answered else None,
            reason=None if answered else reason,
            llm_model=source.model or _MODEL,
            llm_provider=None if source.model else "google",
            memory_mode="Auto",
            latency_ms=None if response.response_time is None else response.response_time * 1000,
            verdicts=(_verdict(response, answered, reason, source),),
        )


def _is_answered(response: _Response) -> bool:
    """The script records a question that failed as an empty answer that it does not judge."""
    if response.ai_response is None:
        return False
    return bool(response.ai_response.strip()) or response.verdict is not None


def _verdict(response: _Response, answered: bool, reason: str, source: _Source) -> ImportedVerdict:
    judge = _JUDGE if source.judge is None else {"judge": source.judge}
    if response.verdict is None and answered and not has_words(response.ai_response or ""):
        return ImportedVerdict(judge, Verdict.WRONG, NO_WORDS)
    if response.verdict is None:
        verdict = Verdict.UNSCORED if answered else Verdict.UNANSWERED
        return ImportedVerdict(judge, verdict, reason=reason)
    return ImportedVerdict(
        judge,
        Verdict.CORRECT if response.verdict else Verdict.WRONG,
        reasoning=response.evaluation.reasoning if response.evaluation else None,
        agreement=1.0,
    )


def _check_same(response: _Response, question: Question, conversation: str, where: str) -> None:
    fields: Mapping[str, tuple[object, object]] = {
        "conversation_id": (response.conversation_id, conversation),
        "category": (response.category, question.category),
        "question_type": (response.question_type, _TYPES[question.category]),
        "question": (response.question, question.question),
        "expected_answer": (str(response.expected_answer), question.gold_answer),
    }
    for field, (found, expected) in fields.items():
        if found != expected:
            raise ImportRefusedError(
                f"{where}: {field} is {found!r:.80}, not {expected!r:.80} as in the data set; "
                "nothing was imported"
            )


def _check_counts(file: _File, name: str) -> None:
    """Check the file's own counts, overall and by type, against its responses."""
    _check_section(file, f"{name}:")
    by_type: dict[str, list[_Response]] = {}
    for response in file.responses:
        by_type.setdefault(response.question_type, []).append(response)
    if by_type.keys() != file.by_type.keys():
        raise ImportRefusedError(
            f"{name}: by_type has {', '.join(sorted(file.by_type))}, the responses "
            f"{', '.join(sorted(by_type))}; nothing was imported"
        )
    for kind, content in file.by_type.items():
        # The responses stand here once more, and their unknown fields are counted already.
        section = read_model(_Section, content, f"{name}: by_type.{kind}", Counter())
        _check_section(section, f"{name}: by_type.{kind}:")
        if section.responses != by_type[kind]:
            raise ImportRefusedError(
                f"{name}: by_type.{kind}: its responses differ from those in the file's list; "
                "nothing was imported"
            )


def _check_section(section: _Section, where: str) -> None:
    verdicts = [response.verdict for response in section.responses]
    counts = {
        "total": (section.total, len(verdicts)),
        "evaluated_count": (section.evaluated_count, sum(v is not None for v in verdicts)),
        "correct_count": (section.correct_count, sum(v is True for v in verdicts)),
    }
    for field, (stated, counted) in counts.items():
        if stated != counted:
            raise ImportRefusedError(
                f"{where} {field} is {stated}, but its responses make {counted}; nothing was "
                "imported"
            )
