"""The format for everybody else's results: JSON lines, a question and a judge each.

Here: the lines' form, checked against each other and against the data set. For whoever writes
such a file it is described in docs/import.md.
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
    decoded,
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

    def said_of_answer(self) -> dict[str, object]:
        """What two lines of the same question, by different judges, must agree on."""
        own = {"judge", "verdict", "verdicts", "reasoning", "reason"}
        return self.model_dump(exclude=own)


def parse_jsonl(
    name: str, data: bytes, dataset: Dataset, *, system: str, question_protocol: str
) -> ImportedResults:
    """A file's bytes as results on the data set. Raises ImportRefusedError, naming the line."""
    questions = {
        one.conversation: {q.question_index: q for q in one.questions}
        for one in dataset.conversations
    }
    first: dict[tuple[str, int], tuple[int, _Line]] = {}
    verdicts: dict[tuple[str, int], dict[str, tuple[int, ImportedVerdict]]] = {}
    for number, text in enumerate(decoded(data, name).split("\n"), start=1):
        if not text.strip():
            continue
        where = f"{name}, line {number}"
        line = read_model(_Line, text, where)
        _check_question(line, questions, dataset, where)
        key = (line.conversation, line.question_index)
        earlier, same = first.setdefault(key, (number, line))
        if same.said_of_answer() != line.said_of_answer():
            raise ImportRefusedError(
                f"{where}: {_named(line)} stands on line {earlier} already and says other things "
                "of the answer; nothing was imported"
            )
        by_judge = verdicts.setdefault(key, {})
        if line.judge in by_judge:
            raise ImportRefusedError(
                f"{where}: {_named(line)} has a verdict by {line.judge} on line "
                f"{by_judge[line.judge][0]} already; put several votes of one judge into "
                "`verdicts`"
            )
        by_judge[line.judge] = (number, _verdict(line, where))
    if not first:
        raise ImportRefusedError(f"{name}: holds no line; nothing was imported")
    answers = [
        _answer(line, questions[line.conversation][line.question_index],
                tuple(verdict for _, verdict in verdicts[key].values()))
        for key, (_, line) in first.items()
    ]  # fmt: skip
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
    for field, said, expected in (
        ("question", line.question, question.question),
        ("category", line.category, question.category),
    ):
        if said is not None and said != expected:
            raise ImportRefusedError(
                f"{where}: {field} is {said!r:.80}, not {expected!r:.80} as in the data set; "
                "nothing was imported"
            )


def _verdict(line: _Line, where: str) -> ImportedVerdict:
    judge = {"judge": line.judge}
    if not line.is_answered:
        if line.verdict or line.verdicts:
            raise ImportRefusedError(
                f"{where}: there is no answer but a verdict; leave the verdict out"
            )
        return ImportedVerdict(
            judge, Verdict.UNANSWERED, reason=line.reason or "no answer in the file"
        )
    if (line.verdict is None) == (line.verdicts is None):
        raise ImportRefusedError(
            f"{where}: an answer has either `verdict` or `verdicts`; nothing was imported"
        )
    stated = line.verdicts if line.verdict is None else [line.verdict]
    votes = [Verdict(vote) for vote in stated or ()]
    verdict, agreement = majority(votes)
    if verdict is Verdict.UNSCORED:
        reason = line.reason or ("no majority" if len(votes) > 1 else "unscored in the file")
        return ImportedVerdict(judge, verdict, line.reasoning, reason, len(votes))
    if line.reason is not None:
        raise ImportRefusedError(
            f"{where}: `reason` says why there is no answer or no verdict, and here are both; use "
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


def _named(line: _Line) -> str:
    return f"question {line.question_index} of {line.conversation}"
