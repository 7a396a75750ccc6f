"""Audits of a data set's gold answers: reading them, and checking them against the data set.

The effect of faults on scores belongs in the history's views. docs/audit.md describes the format;
`question_id` is `locomo_<conversation>_qa<question>`, with positions in the data set's file from 0.
Source: github.com/dial481/locomo-audit.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Literal, NoReturn

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from locomo_assets.locomo.model import AuditError, Conversation, Dataset, Question
from locomo_assets.locomo.sources import read_bytes

WRONG_CITATION = "WRONG_CITATION"
"""The only error type where the gold answer is right and just its evidence is wrong."""

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
    """A file's claims, not yet checked against a data set."""

    sha256: str
    source: str
    entries: tuple[_Entry, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault in the data set. `corrupts_score`: a right answer may be judged wrong.

    `correct_answer` corrects the gold answer; None if that is right or the audit has no
    correction.
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
    """Read the audit at a path, or at an https URL with its SHA-256 (hex).

    Raises AuditError if it is not found, does not match the hash, or is not in the format.
    """
    name, data = read_bytes(source, expected_sha256, what="audit", error=AuditError)
    try:
        entries = _ENTRIES.validate_json(data)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = "".join(f", {part}" for part in first["loc"]).replace(", ", ": fault ", 1)
        raise AuditError(
            f"audit {name}{where}: {' '.join(first['msg'].split())}; give a file in the format of "
            "docs/audit.md"
        ) from None
    if not entries:
        raise AuditError(
            f"audit {name}: names no fault; give a file in the format of docs/audit.md"
        )
    return Audit(hashlib.sha256(data).hexdigest(), name, tuple(entries))


def match_faults(audit: Audit, dataset: Dataset) -> tuple[Fault, ...]:
    """The audit's faults, with every claim checked against the data set.

    Raises AuditError, naming the first claim that does not match; then no fault may be used.
    """
    found: dict[str, Fault] = {}
    for entry in audit.entries:
        if entry.question_id in found:
            _refuse(audit, dataset, entry, "is there twice")
        conversation, question = _find_question(audit, dataset, entry)
        for what, claimed, actual in (
            ("question", entry.question, question.question),
            ("gold answer", entry.golden_answer, question.gold_answer),
            ("category", entry.category, question.category),
            ("evidence", entry.cited_evidence, list(question.evidence_as_written)),
        ):
            if claimed != actual:
                why = f"its {what} is {claimed!r:.120}, not {actual!r:.120}"
                _refuse(audit, dataset, entry, why)
        turns = {turn.dia_id for turn in conversation.turns}
        for dia_id in entry.correct_evidence:
            if dia_id not in turns:
                name = conversation.conversation
                why = f"its correct evidence {dia_id!r:.40} is not a turn of {name}"
                _refuse(audit, dataset, entry, why)
        found[entry.question_id] = _fault(entry, conversation, question)
    return tuple(found.values())


def _find_question(audit: Audit, dataset: Dataset, entry: _Entry) -> tuple[Conversation, Question]:
    match = _ID.fullmatch(entry.question_id)
    if match is None:
        _refuse(audit, dataset, entry, "is not an id like locomo_0_qa1")
    index, question_index = int(match[1]), int(match[2])
    if index >= len(dataset.conversations):
        _refuse(audit, dataset, entry, f"the file has {len(dataset.conversations)} conversations")
    conversation = dataset.conversations[index]
    if question_index >= len(conversation.questions):
        name, count = conversation.conversation, len(conversation.questions)
        _refuse(audit, dataset, entry, f"{name} has {count} questions")
    return conversation, conversation.questions[question_index]


def _fault(entry: _Entry, conversation: Conversation, question: Question) -> Fault:
    corrupts = entry.error_type != WRONG_CITATION
    # Where the gold answer is right, the file has remarks in this field.
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
        f"{why}; give the audit of exactly this data set (LOCOMO_AUDIT), or unset it"
    )
