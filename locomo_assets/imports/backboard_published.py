"""Backboard's published results: one file per conversation, with answers and verdicts.

Source: the repository Backboard-io/Backboard-Locomo-Benchmark. It says that all questions of a
conversation were asked in one thread, answered by gemini-2.5-pro, and judged by gpt-4.1 with the
reference prompt. The files hold no retrieval, tokens or times.
"""

from collections.abc import Iterator, Mapping, Sequence

from locomo_assets.imports.results import (
    ImportedAnswer,
    ImportedFile,
    ImportedResults,
    ImportedVerdict,
    ImportRefusedError,
    StrictModel,
    decode_utf8,
    read_model,
)
from locomo_assets.judging.judge import Verdict
from locomo_assets.judging.llm import llm_identity
from locomo_assets.judging.prompts import REFERENCE_PROMPT
from locomo_assets.locomo.model import SCORED_CATEGORIES, Dataset, Question

FILES = "locomo_conversation_*.json"
"""The pattern of the files' names."""

_TYPES = {1: "single_hop", 2: "temporal_reasoning", 3: "multi_hop", 4: "open_domain"}
"""The files' names for the data set's categories."""

_JUDGE = llm_identity("openai", "gpt-4.1", REFERENCE_PROMPT).row()


class _Evaluation(StrictModel):
    is_correct: bool | None
    reasoning: str | None
    error: str | None

    @property
    def verdict(self) -> bool | None:
        return None if self.error is not None else self.is_correct


class _Response(StrictModel):
    conversation_id: str
    question_type: str
    category: int
    question: str
    expected_answer: str
    ai_response: str | None
    evaluation: _Evaluation | None

    @property
    def verdict(self) -> bool | None:
        return self.evaluation.verdict if self.evaluation else None


class _Section(StrictModel):
    total: int
    evaluated_count: int
    correct_count: int
    accuracy_percentage: float | None
    responses: list[_Response]


class _File(_Section):
    conversation_id: str
    by_type: dict[str, _Section]


def parse_published(files: Sequence[tuple[str, bytes]], dataset: Dataset) -> ImportedResults:
    """Read files, given as names and bytes, as results on the data set.

    Each conversation of the data set needs a file that holds every scored question once, in the
    data set's order, with correct counts. Raises ImportRefusedError at the first deviation.
    """
    questions = {
        one.conversation: [q for q in one.questions if q.category in SCORED_CATEGORIES]
        for one in dataset.conversations
    }
    file_of: dict[str, str] = {}
    imported: list[ImportedFile] = []
    answers: list[ImportedAnswer] = []
    for name, data in files:
        text = decode_utf8(data, name)
        file = read_model(_File, text, name)
        conversation = file.conversation_id
        if conversation not in questions:
            raise ImportRefusedError(
                f"{name}: conversation {conversation} is not in the data set {dataset.source}; "
                "name the right one with --dataset or LOCOMO_DATASET"
            )
        if conversation in file_of:
            raise ImportRefusedError(
                f"{name}: conversation {conversation} is in {file_of[conversation]} already; "
                "nothing was imported, give each conversation once"
            )
        file_of[conversation] = name
        _check_counts(file, name)
        answers += _answers(file, name, questions[conversation])
        imported.append(ImportedFile.of(name, data, len(file.responses), conversation))
    if missing := [one for one in questions if one not in file_of]:
        raise ImportRefusedError(
            f"conversation {missing[0]}: no file holds it (the data set {dataset.source} has "
            f"{len(questions)} conversations, the files {len(file_of)}); give all of them"
        )
    return ImportedResults(
        "backboard-published/1", "backboard", "published", tuple(imported), tuple(answers)
    )


def _answers(file: _File, name: str, questions: Sequence[Question]) -> Iterator[ImportedAnswer]:
    if len(file.responses) != len(questions):
        raise ImportRefusedError(
            f"{name}: {len(file.responses)} responses, but {file.conversation_id} has "
            f"{len(questions)} scored questions; nothing was imported"
        )
    for index, (response, question) in enumerate(zip(file.responses, questions, strict=True)):
        where = f"{name}: responses[{index}] (question {question.question_index})"
        _check_same(response, question, file.conversation_id, where)
        answer = (response.ai_response or "").strip() or None
        if answer is None and response.verdict is not None:
            raise ImportRefusedError(
                f"{where}: an empty answer has a verdict; nothing was imported"
            )
        error = response.evaluation.error if response.evaluation else None
        reason = error or ("not evaluated" if answer else "an empty answer") + " in the file"
        yield ImportedAnswer(
            conversation=file.conversation_id,
            question=question,
            answer=None if answer is None else response.ai_response,
            reason=reason if answer is None else None,
            llm_model="gemini-2.5-pro",
            llm_provider="google",
            memory_mode="Auto",
            verdicts=(_verdict(response, answer is not None, reason),),
        )


def _verdict(response: _Response, answered: bool, reason: str) -> ImportedVerdict:
    if response.verdict is None:
        verdict = Verdict.UNSCORED if answered else Verdict.UNANSWERED
        return ImportedVerdict(_JUDGE, verdict, reason=reason)
    return ImportedVerdict(
        _JUDGE,
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
        "expected_answer": (response.expected_answer, question.gold_answer),
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
    for kind, section in file.by_type.items():
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
