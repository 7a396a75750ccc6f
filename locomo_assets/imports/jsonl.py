"""The generic import format: JSON lines, each with one question and one judge.

docs/import.md describes it for people who write such files.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

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
from locomo_assets.judging.judge import Verdict, majority
from locomo_assets.locomo.model import Dataset, Question

_Text = Annotated[str, Field(min_length=1, max_length=200)]
_Count = Annotated[int, Field(ge=0, lt=2**63)]
_Verdict = Literal["correct", "wrong", "unscored"]


class _Line(StrictModel):
    conversation: str
    question_index: int
    answer: str | None
    model: _Text
    judge: _Text
    verdict: _Verdict | None = None
    verdicts: Annotated[list[_Verdict], Field(min_length=1)] | None = None
    reasoning: str | None = None
    reason: str | None = None
    question: str | None = None
    category: int | None = None
    latency_ms: Annotated[float, Field(ge=0)] | None = None
    input_tokens: _Count | None = None
    output_tokens: _Count | None = None
    retrieved: list[str] | None = None

    @property
    def is_answered(self) -> bool:
        return bool((self.answer or "").strip())

    def answer_fields(self) -> dict[str, object]:
        """The fields that lines of one question by different judges must agree on."""
        return self.model_dump(exclude={"judge", "verdict", "verdicts", "reasoning", "reason"})


def parse_jsonl(
    name: str, data: bytes, dataset: Dataset, *, system: str, question_protocol: str
) -> ImportedResults:
    """Read a file's bytes as results on the data set. Raises ImportRefusedError with the line."""
    questions = {
        one.conversation: {q.question_index: q for q in one.questions}
        for one in dataset.conversations
    }
    first: dict[tuple[str, int], tuple[int, _Line]] = {}
    verdicts: dict[tuple[str, int], dict[str, tuple[int, ImportedVerdict]]] = {}
    for number, text in enumerate(decode_utf8(data, name).split("\n"), start=1):
        if not text.strip():
            continue
        where = f"{name}, line {number}"
        line = read_model(_Line, text, where)
        _check_question(line, questions, dataset, where)
        key = (line.conversation, line.question_index)
        earlier, earlier_line = first.setdefault(key, (number, line))
        if earlier_line.answer_fields() != line.answer_fields():
            raise ImportRefusedError(
                f"{where}: {_label(line)} is on line {earlier} already with different fields of "
                "the answer; nothing was imported"
            )
        by_judge = verdicts.setdefault(key, {})
        if line.judge in by_judge:
            raise ImportRefusedError(
                f"{where}: {_label(line)} already has a verdict by {line.judge} on line "
                f"{by_judge[line.judge][0]}; put several votes of one judge into `verdicts`"
            )
        by_judge[line.judge] = (number, _verdict(line, where))
    if not first:
        raise ImportRefusedError(f"{name}: holds no line; nothing was imported")
    answers = []
    for key, (_, line) in first.items():
        question = questions[line.conversation][line.question_index]
        given = tuple(verdict for _, verdict in verdicts[key].values())
        answers.append(_answer(line, question, given))
    return ImportedResults(
        "jsonl/1",
        system,
        question_protocol,
        (ImportedFile.of(name, data, len(answers)),),
        tuple(answers),
    )


def _check_question(
    line: _Line, questions: Mapping[str, Mapping[int, Question]], dataset: Dataset, where: str
) -> None:
    known = questions.get(line.conversation)
    if known is None:
        raise ImportRefusedError(
            f"{where}: conversation {line.conversation!r:.80} is not in the data set "
            f"{dataset.source}; name the right one with --dataset or LOCOMO_DATASET"
        )
    question = known.get(line.question_index)
    if question is None:
        raise ImportRefusedError(
            f"{where}: question_index {line.question_index} is not in {line.conversation}, which "
            f"has {len(known)} questions, counted from 0; nothing was imported"
        )
    for field, found, expected in (
        ("question", line.question, question.question),
        ("category", line.category, question.category),
    ):
        if found is not None and found != expected:
            raise ImportRefusedError(
                f"{where}: {field} is {found!r:.80}, not {expected!r:.80} as in the data set; "
                "nothing was imported"
            )


def _verdict(line: _Line, where: str) -> ImportedVerdict:
    judge = {"judge": line.judge}
    if not line.is_answered:
        if line.verdict or line.verdicts:
            raise ImportRefusedError(
                f"{where}: there is a verdict but no answer; leave the verdict out"
            )
        return ImportedVerdict(
            judge, Verdict.UNANSWERED, reason=line.reason or "no answer in the file"
        )
    if (line.verdict is None) == (line.verdicts is None):
        raise ImportRefusedError(
            f"{where}: an answer needs either `verdict` or `verdicts`; nothing was imported"
        )
    stated = line.verdicts if line.verdict is None else [line.verdict]
    votes = [Verdict(vote) for vote in stated or ()]
    verdict, agreement = majority(votes)
    if verdict is Verdict.UNSCORED:
        reason = line.reason or ("no majority" if len(votes) > 1 else "unscored in the file")
        return ImportedVerdict(judge, verdict, line.reasoning, reason, len(votes))
    if line.reason is not None:
        raise ImportRefusedError(
            f"{where}: `reason` is for a missing answer or verdict, and this line has both; use "
            "`reasoning`"
        )
    return ImportedVerdict(judge, verdict, line.reasoning, None, len(votes), agreement)


def _answer(
    line: _Line, question: Question, verdicts: tuple[ImportedVerdict, ...]
) -> ImportedAnswer:
    reason = None if line.is_answered else line.reason or "no answer in the file"
    return ImportedAnswer(
        conversation=line.conversation,
        question=question,
        answer=line.answer if line.is_answered else None,
        reason=reason,
        llm_model=line.model,
        latency_ms=line.latency_ms,
        input_tokens=line.input_tokens,
        output_tokens=line.output_tokens,
        retrieved=None if line.retrieved is None else tuple(line.retrieved),
        verdicts=verdicts,
    )


def _label(line: _Line) -> str:
    return f"question {line.question_index} of {line.conversation}"
