"""One conversation of one release: ingested, asked, judged, each as an attempt in the history.

Here: what is reused, what is done, what is written. The wire is `backboard`, verdicts are
`judging`, files are `history`; many conversations side by side are `runner`.

Each stage reads what the stage before it committed, so that any of them can run alone and later.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from locomo_assets.backboard.answers import AnswerResult
from locomo_assets.backboard.asking import ask_all
from locomo_assets.backboard.ingesting import IngestProgress, ingest
from locomo_assets.backboard.journal import MemoryJournal
from locomo_assets.history.lineage import Marker
from locomo_assets.locomo.model import Conversation, Question
from locomo_assets.measurement.bench import (
    Bench,
    NothingToMeasureError,
    Order,
    noted_calls,
    stored_conversation,
)
from locomo_assets.measurement.gathering import gather_limited
from locomo_assets.measurement.identity import fingerprint
from locomo_assets.measurement.rows import (
    Numbers,
    Row,
    answer_numbers,
    call_rows,
)


@dataclass(frozen=True)
class StageReport:
    """What a stage did: `attempt_id` is None where everything was there already."""

    asset: str
    attempt_id: str | None
    numbers: Numbers = field(default_factory=dict)


def ingest_fingerprint(bench: Bench, order: Order, dataset_sha256: str) -> str:
    """What an ingestion depends on: data set, conversation, release, protocol, system."""
    return fingerprint(
        {
            "dataset": dataset_sha256,
            "conversation": order.conversation,
            "release": order.release,
            "protocol": bench.ingest_protocol.canonical(),
            "system": bench.system,
            "base_url": bench.base_url,
        }
    )


def current_ingestion(bench: Bench, order: Order, dataset_sha256: str) -> Marker | None:
    """The newest committed ingestion of the partition with today's fingerprint."""
    wanted = ingest_fingerprint(bench, order, dataset_sha256)
    markers = bench.store.markers(
        asset="ingested_memories", release=order.release, conversation=order.conversation
    )
    return next((m for m in reversed(markers) if m.extra.get("fingerprint") == wanted), None)


async def ingest_conversation(bench: Bench, order: Order) -> StageReport:
    """Feeds the conversation, turn by turn, to a new assistant; or finds it already fed."""
    conversation, sha256 = stored_conversation(bench.store, order.conversation)
    bench.progress.add(turns_to_do=len(conversation.turns))
    known = current_ingestion(bench, order, sha256)
    if known is not None and not order.force:
        bench.progress.add(turns=len(conversation.turns))
        return StageReport("ingested_memories", None, {**known.extra["numbers"], "requests": 0})
    attempt = bench.store.begin(bench.lineage("ingested_memories", order, sha256))
    name = f"LoCoMo Test Assistant {uuid.uuid4().hex[:8]} {order.conversation} {order.release}"
    done = 0

    def told(now: IngestProgress) -> None:
        nonlocal done
        bench.progress.add(turns=now.turns - done)
        done = now.turns

    with noted_calls() as calls:
        result = await ingest(
            bench.client,
            conversation,
            bench.ingest_protocol,
            assistant_name=name[:255],
            journal=MemoryJournal(),
            progress=told,
        )
    numbers = result.numbers()
    own = {"ingestion_id": attempt.attempt_id}
    protocol = bench.ingest_protocol
    head = {
        **own,
        **numbers,
        "fingerprint": ingest_fingerprint(bench, order, sha256),
        "assistant_id": result.assistant_id,
        "base_url": bench.base_url,
        "ingest_protocol": protocol.label(),
        "llm_provider": protocol.llm_provider,
        "llm_model": protocol.llm_model,
        "started_at": result.started_at,
        "ended_at": result.ended_at,
    }
    attempt.append("ingestions", [head])
    attempt.append("ingested_turns", [{**own, **row} for row in result.turn_rows()])
    attempt.append("memory_operations", [{**own, **row} for row in result.operation_rows()])
    attempt.append("memories", [{**own, **row} for row in result.memory_rows()])
    attempt.append("calls", call_rows(calls, bench.prices, protocol.llm_model or ""))
    attempt.commit(
        fingerprint=head["fingerprint"], assistant_id=result.assistant_id, numbers=numbers
    )
    return StageReport("ingested_memories", attempt.attempt_id, {**numbers, "requests": len(calls)})


def chosen_questions(conversation: Conversation, order: Order) -> list[Question]:
    """The questions an order asks for: without category 5 unless it is wanted."""
    questions = [q for q in conversation.questions if order.adversarial or q.category != 5]
    return questions[: order.questions]


def stored_answers(bench: Bench, order: Order, answer_fingerprint: str) -> dict[int, Row]:
    """Question index → the newest stored row under a fingerprint, answered or not."""
    markers = bench.store.markers(
        asset="answers", release=order.release, conversation=order.conversation
    )
    markers = [m for m in markers if m.extra.get("fingerprint") == answer_fingerprint]
    return {row["question_index"]: row for row in bench.store.read("answers", markers).to_pylist()}


def answer_fingerprint(bench: Bench, ingestion: Marker) -> str:
    """What an answer depends on besides its question: the ingestion and the question protocol."""
    return fingerprint(
        {"ingestion": ingestion.attempt_id, "protocol": bench.ask_protocol.canonical()}
    )


def _ingestion_or_raise(bench: Bench, order: Order, sha256: str) -> Marker:
    ingestion = current_ingestion(bench, order, sha256)
    if ingestion is None:
        raise NothingToMeasureError(
            f"{order.conversation} of release {order.release}: nothing is ingested under the "
            "present data set, protocol and system; materialize ingested_memories first"
        )
    return ingestion


async def answer_questions(bench: Bench, order: Order) -> StageReport:
    """Asks what has no stored answer yet, and commits the answers as one attempt."""
    conversation, sha256 = stored_conversation(bench.store, order.conversation)
    ingestion = _ingestion_or_raise(bench, order, sha256)
    wanted = chosen_questions(conversation, order)
    print_ = answer_fingerprint(bench, ingestion)
    stored = {} if order.force else stored_answers(bench, order, print_)
    kept = {index for index, row in stored.items() if row["outcome"] == "answered"}
    to_ask = [q for q in wanted if q.question_index not in kept]
    bench.progress.add(questions_to_do=len(wanted), questions=len(wanted) - len(to_ask))
    if not to_ask:
        return StageReport(
            "answers", None, {"questions": len(wanted), "reused": len(wanted), "requests": 0}
        )
    attempt = bench.store.begin(bench.lineage("answers", order, sha256))

    async def keep(answer: AnswerResult) -> None:
        bench.progress.add(questions=1, cost_usd=_answer_cost(bench, answer) or 0.0)

    with noted_calls() as calls:
        assistant_id = str(ingestion.extra["assistant_id"])
        if bench.ask_protocol.writes_memory:
            # Its questions form memories: they go to a copy, so that the ingested assistant
            # stays what was ingested and can be asked again.
            name = f"LoCoMo Test Assistant {uuid.uuid4().hex[:8]} clone"
            clone = await bench.client.clone_assistant(assistant_id, name)
            assistant_id = clone.assistant.assistant_id
        answers = await ask_all(
            bench.client, assistant_id, to_ask, bench.ask_protocol, on_answer=keep
        )
    rows: list[Row] = []
    retrieved: list[Row] = []
    for answer in answers:
        answer_id = f"{attempt.attempt_id}/{answer.question_index}"
        rows.append(
            {
                **answer.row(),
                "answer_id": answer_id,
                "fingerprint": print_,
                "ingestion_id": ingestion.attempt_id,
                "cost_usd": _answer_cost(bench, answer),
            }
        )
        retrieved += [{"answer_id": answer_id, **row} for row in answer.retrieved_rows()]
    attempt.append("answers", rows)
    attempt.append("retrieved_memories", retrieved)
    attempt.append("calls", call_rows(calls, bench.prices, bench.ask_protocol.llm_model or ""))
    attempt.commit(fingerprint=print_, ingestion_id=ingestion.attempt_id)
    return StageReport("answers", attempt.attempt_id, answer_numbers(rows, len(wanted), len(calls)))


def _answer_cost(bench: Bench, answer: AnswerResult) -> float | None:
    if bench.system == "standin":
        return 0.0
    if answer.output_tokens is None:
        return None
    return bench.prices.cost_usd(
        answer.llm_model or "", answer.input_tokens or 0, answer.output_tokens
    )


async def judge_answers(bench: Bench, order: Order) -> StageReport:
    """Gives each current answer its verdict by today's judge, where it has none yet."""
    conversation, sha256 = stored_conversation(bench.store, order.conversation)
    ingestion = _ingestion_or_raise(bench, order, sha256)
    answers = stored_answers(bench, order, answer_fingerprint(bench, ingestion))
    wanted = [q for q in chosen_questions(conversation, order) if q.question_index in answers]
    if not wanted:
        raise NothingToMeasureError(
            f"{order.conversation} of release {order.release}: no answers under the present "
            "question protocol; materialize answers first"
        )
    by_answer, by_content = _stored_verdicts(bench, order)
    if order.force:
        by_answer, by_content = set(), {}
    to_judge = [q for q in wanted if answers[q.question_index]["answer_id"] not in by_answer]
    bench.progress.add(verdicts_to_do=len(wanted), verdicts=len(wanted) - len(to_judge))
    if not to_judge:
        return StageReport(
            "judgements", None, {"verdicts": len(wanted), "reused": len(wanted), "requests": 0}
        )
    attempt = bench.store.begin(bench.lineage("judgements", order, sha256))

    async def verdict(question: Question) -> dict[str, Any]:
        row = await _verdict_row(bench, question, answers[question.question_index], by_content)
        bench.progress.add(verdicts=1, cost_usd=_as_float(row["cost_usd"]))
        return {**row, "judgement_id": f"{attempt.attempt_id}/{question.question_index}"}

    with noted_calls() as calls:
        rows = await gather_limited(verdict, to_judge)
    attempt.append("judgements", rows)
    attempt.append("calls", call_rows(calls, bench.prices, bench.judge.identity.model))
    attempt.commit(judge=bench.judge.identity.name, ingestion_id=ingestion.attempt_id)
    verdicts = [str(row["verdict"]) for row in rows]
    return StageReport(
        "judgements",
        attempt.attempt_id,
        {
            "verdicts": len(wanted),
            "reused": len(wanted) - len(rows),
            **{
                kind: verdicts.count(kind)
                for kind in ("correct", "wrong", "unscored", "unanswered")
            },
            "cost_usd": sum(_as_float(row["cost_usd"]) for row in rows),
            "judge": bench.judge.identity.name,
            "requests": len(calls),
        },
    )


def _as_float(value: object) -> float:
    return value if isinstance(value, float) else 0.0


def _stored_verdicts(bench: Bench, order: Order) -> tuple[set[Any], dict[str, Row]]:
    """Answer ids that today's judge has judged, and its verdicts by content.

    Unscored verdicts count for neither: the judge failed there, and is asked again.
    """
    markers = bench.store.markers(
        asset="judgements", release=order.release, conversation=order.conversation
    )
    markers = [m for m in markers if m.extra.get("judge") == bench.judge.identity.name]
    rows = bench.store.read("judgements", markers).to_pylist()
    settled = [row for row in rows if row["verdict"] != "unscored"]
    by_content: dict[str, Row] = {
        row["fingerprint"]: row for row in settled if row["verdict"] != "unanswered"
    }
    return {row["answer_id"] for row in settled}, by_content


async def _verdict_row(
    bench: Bench, question: Question, answer: Row, by_content: Mapping[str, Row]
) -> dict[str, Any]:
    identity = bench.judge.identity
    gold = question.gold_answer or ""
    if question.category == 5:
        # Right is to decline: what the speaker never said can't be known.
        gold = question.gold_answer or "Not mentioned in the conversation"
    content = fingerprint(
        {
            "question": question.question,
            "gold": gold,
            "answer": answer["answer"],
            "judge": identity.digest(),
        }
    )
    row: dict[str, Any] = {
        "fingerprint": content,
        "answer_id": answer["answer_id"],
        "ingestion_id": answer["ingestion_id"],
        "question_index": question.question_index,
        "category": question.category,
        "question_protocol": answer["question_protocol"],
        **identity.row(),
        "judged_at": datetime.now(UTC),
    }
    if answer["outcome"] != "answered":
        return {**row, "verdict": "unanswered", "reason": answer["reason"], "cost_usd": 0.0}
    known = by_content.get(content)
    if known is not None:
        copied = ("verdict", "reasoning", "reason", "agreement")
        return {
            **row,
            **{name: known[name] for name in copied},
            "reused_from_judgement_id": known["judgement_id"],
            "cost_usd": 0.0,
        }
    judgement = await bench.judge.judge(
        question.question, gold, str(answer["answer"]), question.category
    )
    return {**row, **judgement.row()}
