"""How questions are asked, and what comes of one: values without behaviour.

A failure is an outcome, never an answer; a reply without words is an answer. Asking belongs to
`ask`, judging to `judging`.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from locomo_assets.backboard.models import Memory
from locomo_assets.backboard.options import PUBLISHED, ServiceOptions
from locomo_assets.backboard.protocols import MEMORY_MODES, ProtocolName, protocol_label
from locomo_assets.backboard.transport import Answered
from locomo_assets.completions.answer_request import AnswererIdentity
from locomo_assets.errors import LocomoError
from locomo_assets.locomo.model import Question

RETRIEVED = 50
"""How many memories a search asks for, whatever the answering model is given."""


@dataclass(frozen=True, slots=True)
class Retrieval:
    """Memories retrieved without a model, of which the answering model is given the first `k`.

    `path`: by `/memories/search`, or by a message that is sent with memory Readonly and no model.
    """

    answerer: AnswererIdentity
    path: Literal["search", "message"] = "search"
    k: int = 20

    def words(self) -> tuple[str, ...]:
        """For people: part of a series' name."""
        path = () if self.path == "search" else (f"by {self.path}",)
        return (*path, f"k {self.k}", *self.answerer.words())

    def canonical(self) -> dict[str, object]:
        """For hashing."""
        return {
            "path": self.path,
            "k": self.k,
            "retrieved": RETRIEVED,
            "answerer": self.answerer.canonical(),
        }


@dataclass(frozen=True, slots=True)
class AskProtocol:
    """How the questions are asked.

    `published`: all in one new thread, in the data set's order, with memory Auto. A question sees
    the earlier ones and may write memory.
    `isolated`: each in a thread of its own, side by side, with memory Readonly.
    `no-memory`: like `isolated`, with memory off, to an assistant that was told nothing.
    `full-context`: like `no-memory`, with the whole conversation before the question.
    `evidence-only`: like `no-memory`, with the question's evidence turns before it.
    The last three show what a memory adds, and what no memory would mend.
    `retrieval`: memories are retrieved without a model, and one of our own answers from them; the
    service's model is then not asked, and `retrieval` says the rest. `also_differs`: what
    else differs from the published measurement, and tells this series from others, in words.
    """

    name: ProtocolName = "isolated"
    llm_provider: str | None = "google"
    llm_model: str | None = "gemini-2.5-pro"
    version: int = 1
    options: ServiceOptions = PUBLISHED
    also_differs: tuple[str, ...] = ()
    retrieval: Retrieval | None = None

    def __post_init__(self) -> None:
        if (self.name == "retrieval") != (self.retrieval is not None):
            raise ValueError("the protocol `retrieval`, and no other, has a Retrieval")
        if self.name not in MEMORY_MODES:
            raise LocomoError(
                f"question protocol {self.name!r} is unknown: choose one of "
                + ", ".join(MEMORY_MODES)
            )

    @property
    def memory_mode(self) -> str:
        """Backboard's memory mode for the questions."""
        return MEMORY_MODES[self.name]

    @property
    def needs_ingestion(self) -> bool:
        """Whether the assistant must have been told the conversation."""
        return self.memory_mode != "off"

    @property
    def writes_memory(self) -> bool:
        """Whether asking may change what the assistant remembers."""
        return self.name == "published"

    def label(self) -> str:
        """Its name in the history: `isolated`, or with what differs, `isolated, memory pro`."""
        own = () if self.retrieval is None else self.retrieval.words()
        return protocol_label(self.name, (*own, *self.options.words(), *self.also_differs))

    def options_json(self) -> str | None:
        """What is set of the service's options, as stored; None where nothing is."""
        told = {**self.options.of_ingestion(), **self.options.of_answers()}
        return json.dumps(told, sort_keys=True) if told else None

    def canonical(self) -> dict[str, object]:
        """All that shapes the answers beside the ingestion, for hashing.

        What is not set is left out, so that an answer of before there were options counts still.
        """
        own = self.options.of_answers()
        if not self.needs_ingestion:
            own |= self.options.of_ingestion()
        return {
            **({"options": own} if own else {}),
            **({"also_differs": list(self.also_differs)} if self.also_differs else {}),
            **({} if self.retrieval is None else {"retrieval": self.retrieval.canonical()}),
            "kind": "ask",
            "version": self.version,
            "name": self.name,
            "memory_mode": self.memory_mode,
            "llm_provider": self.llm_provider,
            "llm_model": self.llm_model,
        }


@dataclass(frozen=True, slots=True)
class AnsweredApart:
    """What is known of an answer that a model of one's own gave from retrieved memories.

    `cost_usd` is None where a price or the tokens are unknown.
    """

    retrieval_id: str | None = None
    system: str | None = None
    memory_tokens: int | None = None
    cost_usd: float | None = 0.0


@dataclass(frozen=True, slots=True)
class AnswerResult:
    """The answer to one question, or the `reason` why there is none.

    Times in ms are those of the request that gave the answer, without our own queue. `read_back`
    says that the answer was lost on the way and found in its thread: its memories, tokens and
    times are unknown. `asks` counts how often the question was asked, 0 if by an earlier process.
    """

    question: Question
    protocol: AskProtocol
    outcome: Literal["answered", "unanswered"]
    asked_at: datetime
    asks: int
    reason: str | None = None
    answer: str | None = None
    thread_id: str | None = None
    message_id: str | None = None
    memory_operation_id: str | None = None
    retrieved: tuple[Memory, ...] = ()
    input_tokens: int | None = None
    output_tokens: int | None = None
    first_chunk_ms: float | None = None
    latency_ms: float | None = None
    in_flight: int | None = None
    model_provider: str | None = None
    model_name: str | None = None
    read_back: bool = False
    apart: AnsweredApart | None = None

    @property
    def question_index(self) -> int:
        return self.question.question_index

    @property
    def llm_model(self) -> str | None:
        """The model that served it, or the one that was asked for."""
        return self.model_name or self.protocol.llm_model

    def row(self) -> dict[str, object]:
        """The columns of the history's `answers` that are known here."""
        return {
            "question_index": self.question.question_index,
            "category": self.question.category,
            "question": self.question.question,
            "question_protocol": self.protocol.label(),
            "memory_mode": self.protocol.memory_mode,
            "options_json": self.protocol.options_json(),
            "llm_provider": self.model_provider or self.protocol.llm_provider,
            "llm_model": self.llm_model,
            "outcome": self.outcome,
            "reason": self.reason,
            "answer": self.answer,
            "thread_id": self.thread_id,
            "message_id": self.message_id,
            "memory_operation_id": self.memory_operation_id,
            "retrieved": None if self.read_back else len(self.retrieved),
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "first_chunk_ms": self.first_chunk_ms,
            "latency_ms": self.latency_ms,
            "in_flight": self.in_flight,
            "asked_at": self.asked_at,
            **self._apart_row(),
        }

    def _apart_row(self) -> dict[str, object]:
        if (retrieval := self.protocol.retrieval) is None:
            return {}
        apart, prompt = self.apart or AnsweredApart(), retrieval.answerer.prompt
        return {
            "answer_system": apart.system or retrieval.answerer.system,
            "prompt_name": prompt.name,
            "prompt_sha256": prompt.sha256,
            "memory_tokens": apart.memory_tokens,
            "retrieval_id": apart.retrieval_id,
        }

    def retrieved_rows(self) -> list[dict[str, object]]:
        """Rows of the history's `retrieved_memories`, without the answer's id."""
        return [
            {
                "question_index": self.question.question_index,
                "rank": rank,
                "memory_id": memory.memory_id,
                "memory": memory.memory,
                "score": memory.score,
            }
            for rank, memory in enumerate(self.retrieved, start=1)
        ]


def answered(
    question: Question, protocol: AskProtocol, thread_id: str, got: Answered, asks: int
) -> AnswerResult:
    """What a run said, be it nothing: it ended well, so its silence is the service's answer."""
    run = got.run
    return AnswerResult(
        question=question,
        protocol=protocol,
        outcome="answered",
        answer=run.text,
        thread_id=thread_id,
        message_id=run.message_id,
        memory_operation_id=run.memory_operation_id,
        retrieved=run.retrieved,
        input_tokens=run.input_tokens,
        output_tokens=run.output_tokens,
        first_chunk_ms=got.first_chunk_ms,
        latency_ms=got.latency_ms,
        in_flight=got.in_flight,
        asked_at=got.asked_at,
        model_provider=run.model_provider,
        model_name=run.model_name,
        asks=asks,
    )


def unanswered(
    question: Question,
    protocol: AskProtocol,
    reason: str,
    *,
    thread_id: str | None = None,
    asked_at: datetime | None = None,
    asks: int = 0,
) -> AnswerResult:
    """No answer, and why. Without `asked_at` it was given up now, before it was sent."""
    return AnswerResult(
        question=question,
        protocol=protocol,
        outcome="unanswered",
        asked_at=asked_at or datetime.now(UTC),
        asks=asks,
        reason=reason,
        thread_id=thread_id,
    )
