"""Faults of a data set's gold answers that somebody's audit found, held against the data set.

Here: reading an audit and checking each of its facts. What they do to a score is the history's
views; which verdicts are given on corrected answers is `measurement`'s.

Format: a JSON list, an object a fault, with `question_id` (`locomo_<conversation>_qa<question>`,
both positions in the data set's file, from 0), `question`, `golden_answer` and `category` as the
data set has them, `error_type`, `cited_evidence` (the data set's evidence) and `correct_evidence`,
`correct_answer`, `reasoning`. Source: github.com/dial481/locomo-audit.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Literal, NoReturn

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from locomo_assets.locomo.model import AuditError, Conversation, Dataset, Question
from locomo_assets.locomo.parsing import read_bytes

WRONG_CITATION = "WRONG_CITATION"
"""The one kind of fault that leaves the gold answer right: only its evidence is not."""

_ID = re.compile(r"locomo_(\d{1,6})_qa(\d{1,6})", re.ASCII)


class _Entry(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, hide_input_in_errors=True)

    question_id: str
    question: str
    golden_answer: str
    category: int
    error_type: Literal[
        "HALLUCINATION", "TEMPORAL_ERROR", "ATTRIBUTION_ERROR", "AMBIGUOUS", "INCOMPLETE",
        "WRONG_CITATION",
    ]  # fmt: skip
    cited_evidence: list[str]
    correct_evidence: list[str]
    correct_answer: str | None = None
    reasoning: str | None = None


_ENTRIES = TypeAdapter(list[_Entry])


@dataclass(frozen=True, slots=True)
class Audit:
    """A file's claims, not yet held against any data set."""

    sha256: str
    source: str
    entries: tuple[_Entry, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault, found in the data set. `corrupts_score`: a right answer may be judged wrong.

    `correct_answer` stands in for the gold answer, and is None where that is right or the audit
    has none.
    """

    conversation: str
    question_index: int
    category: int
    question: str
    gold_answer: str | None
    error_type: str
    corrupts_score: bool
    cited_evidence: tuple[str, ...]
    correct_evidence: tuple[str, ...]
    correct_answer: str | None
    reasoning: str | None


def read_audit(source: str, expected_sha256: str | None = None) -> Audit:
    """Read the audit at a path or an https URL, which needs its SHA-256 (hex).

    Raises AuditError for whatever is not found, not as pinned, or not in the format.
    """
    name, data = read_bytes(source, expected_sha256, what="audit", error=AuditError)
    try:
        entries = _ENTRIES.validate_json(data)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = "".join(f", {part}" for part in first["loc"]).replace(", ", ": fault ", 1)
        raise AuditError(
            f"audit {name}{place}: {' '.join(first['msg'].split())}; give a file in the format of "
            "docs/audit.md"
        ) from None
    if not entries:
        raise AuditError(
            f"audit {name}: names no fault; give a file in the format of docs/audit.md"
        )
    return Audit(hashlib.sha256(data).hexdigest(), name, tuple(entries))


def faults_in(audit: Audit, dataset: Dataset) -> tuple[Fault, ...]:
    """The faults, each of whose facts the data set bears out.

    Raises AuditError, naming the first fact that it does not: then none of it is used.
    """
    found: dict[str, Fault] = {}
    for entry in audit.entries:
        if entry.question_id in found:
            _refuse(audit, dataset, entry, "is there twice")
        conversation, question = _place(audit, dataset, entry)
        for what, said, there in (
            ("question", entry.question, question.question),
            ("gold answer", entry.golden_answer, question.gold_answer),
            ("category", entry.category, question.category),
            ("evidence", entry.cited_evidence, list(question.evidence_as_written)),
        ):
            if said != there:
                _refuse(audit, dataset, entry, f"its {what} is {said!r:.120}, not {there!r:.120}")
        turns = {turn.dia_id for turn in conversation.turns}
        for dia_id in entry.correct_evidence:
            if dia_id not in turns:
                name = conversation.conversation
                why = f"its correct evidence {dia_id!r:.40} is no turn of {name}"
                _refuse(audit, dataset, entry, why)
        found[entry.question_id] = _fault(entry, conversation, question)
    return tuple(found.values())


def _place(audit: Audit, dataset: Dataset, entry: _Entry) -> tuple[Conversation, Question]:
    match = _ID.fullmatch(entry.question_id)
    if match is None:
        _refuse(audit, dataset, entry, "is no id like locomo_0_qa1")
    index, question_index = int(match[1]), int(match[2])
    if index >= len(dataset.conversations):
        _refuse(audit, dataset, entry, f"the file has {len(dataset.conversations)} conversations")
    conversation = dataset.conversations[index]
    if question_index >= len(conversation.questions):
        name, there = conversation.conversation, len(conversation.questions)
        _refuse(audit, dataset, entry, f"{name} has {there} questions")
    return conversation, conversation.questions[question_index]


def _fault(entry: _Entry, conversation: Conversation, question: Question) -> Fault:
    corrupts = entry.error_type != WRONG_CITATION
    # Beside a right gold answer the file has remarks in this place.
    correct = (entry.correct_answer or "").strip() if corrupts else ""
    return Fault(
        conversation=conversation.conversation,
        question_index=question.question_index,
        category=question.category,
        question=question.question,
        gold_answer=question.gold_answer,
        error_type=entry.error_type,
        corrupts_score=corrupts,
        cited_evidence=tuple(entry.cited_evidence),
        correct_evidence=tuple(entry.correct_evidence),
        correct_answer=correct or None,
        reasoning=entry.reasoning,
    )


def _refuse(audit: Audit, dataset: Dataset, entry: _Entry, why: str) -> NoReturn:
    raise AuditError(
        f"audit {audit.source} does not fit data set {dataset.source}: {entry.question_id!r:.40}: "
        f"{why}; give the audit of just this data set (LOCOMO_AUDIT), or unset it"
    )
