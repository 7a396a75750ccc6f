"""What a measurement will take: calls, tokens, USD and minutes; and what was spent so far.

One turn, answer or verdict takes what earlier runs of the same kind took, else an assumed amount.
What is stored already is not paid for again and not counted.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tenacity import retry, retry_if_exception_type, stop_after_attempt

from locomo_assets.backboard.messages import conversation_text, with_evidence
from locomo_assets.completions.asker import host_of
from locomo_assets.history.errors import HistoryDamagedError
from locomo_assets.history.provenance import Manifest, UnfinishedAttempt, committed_ids, path_label
from locomo_assets.history.store import HistoryStore
from locomo_assets.locomo.model import ADVERSARIAL, Conversation
from locomo_assets.prices import ModelPrice


@dataclass(frozen=True, slots=True)
class Usage:
    """What one of a kind takes on average; `source` says whether that is measured or assumed."""

    seconds: float
    input_tokens: float
    output_tokens: float
    source: str


ASSUMED = "assumed"

# Rough, for a first run alone: a turn waits for its memory, an answer carries the memories that
# were retrieved, a verdict the judge's prompt.
ASSUMED_TURN = Usage(2.0, 0.0, 0.0, ASSUMED)
ASSUMED_ANSWER = Usage(8.0, 4000.0, 600.0, ASSUMED)
ASSUMED_VERDICT = Usage(2.0, 500.0, 100.0, ASSUMED)
ASSUMED_WITHOUT_MEMORY = Usage(8.0, 100.0, 600.0, ASSUMED)
ASSUMED_FROM_MEMORIES = Usage(2.0, 200.0, 60.0, ASSUMED)
"""By a model of one's own, beside the memories that it is given."""
_TOKENS_A_MEMORY = 40.0
NOTHING_INGESTED = Usage(0.0, 0.0, 0.0, "memory is off: nothing is ingested")
_CHARACTERS_A_TOKEN = 4
_NEWEST_ATTEMPTS = 50
_TOKENS = ("input_tokens", "output_tokens")


@dataclass(frozen=True, slots=True)
class Item:
    """One line: `cost_usd` is None where the model has no price, or the service tells no tokens."""

    kind: str
    calls: int
    input_tokens: float
    output_tokens: float
    cost_usd: float | None
    minutes: float
    source: str


def assumed_answer(question_protocol: str, conversation: Conversation, k: int = 0) -> Usage:
    """What a question to this conversation takes before any was measured.

    `k`: the memories that a model of one's own is given.
    """
    if question_protocol == "retrieval":
        read = ASSUMED_FROM_MEMORIES.input_tokens + k * _TOKENS_A_MEMORY
        return replace(ASSUMED_FROM_MEMORIES, input_tokens=read)
    if question_protocol == "no-memory":
        return ASSUMED_WITHOUT_MEMORY
    if question_protocol == "full-context":
        return _with_text(len(conversation_text(conversation)))
    if question_protocol == "evidence-only":
        message = with_evidence(conversation)
        asked = [one for one in conversation.questions if one.category != ADVERSARIAL]
        lengths = [len(message(one)) - len(one.question) for one in asked]
        return _with_text(sum(lengths) / len(lengths) if lengths else 0.0)
    return ASSUMED_ANSWER


def _with_text(characters: float) -> Usage:
    """What a question takes, asked without memory with so much text before it."""
    return replace(
        ASSUMED_WITHOUT_MEMORY,
        input_tokens=characters / _CHARACTERS_A_TOKEN + ASSUMED_WITHOUT_MEMORY.input_tokens,
        source="assumed, by the length of the text",
    )


def assumed_answers(
    question_protocol: str,
    conversations: Sequence[Conversation],
    counts: Sequence[int],
    k: int = 0,
) -> Usage:
    """The average of `assumed_answer` over so many questions of each conversation."""
    each = [assumed_answer(question_protocol, one, k) for one in conversations]
    asked = sum(counts)
    if asked == 0:
        return ASSUMED_ANSWER
    read = sum(one.input_tokens * count for one, count in zip(each, counts, strict=True))
    return replace(each[0], input_tokens=read / asked)


def measured_answers(
    store: HistoryStore, system: str, model: str | None, question_protocol: str, assumed: Usage
) -> Usage:
    """The average answered question of this system, protocol and model (None: any; a service may
    answer with a version of it, `model-001`), else the assumed one.
    """
    manifests = [m for m in _newest(store, "answers") if m.lineage.system == system]
    columns = (
        "outcome",
        "question_protocol",
        "llm_model",
        "latency_ms",
        "input_tokens",
        "output_tokens",
    )
    rows = [
        row
        for row in store.read("answers", manifests, columns).to_pylist()
        if row["outcome"] == "answered"
        and row["question_protocol"] == question_protocol
        and (row["llm_model"] or "").startswith(model or "")
    ]
    return _average(rows, assumed, "answers")


def measured_verdicts(store: HistoryStore, host: str, model: str) -> Usage:
    """The average paid vote of this model at this host (or `openai`), else the assumed one."""
    columns = ("judge_system", "judge_model", "votes", "latency_ms", *_TOKENS)
    rows = [
        {**row, **{name: row[name] and row[name] / (row["votes"] or 1) for name in _TOKENS}}
        for row in store.read("judgements", _newest(store, "judgements"), columns).to_pylist()
        if row["judge_model"] == model and host_of(row["judge_system"]) == host
    ]
    return _average(rows, ASSUMED_VERDICT, "verdicts")


def measured_turns(store: HistoryStore, system: str, ingest_protocol: str) -> Usage:
    """The average turn, its share of the waiting included, else the assumed one."""
    manifests = [m for m in _newest(store, "ingested_memories") if m.lineage.system == system]
    columns = ("ingest_protocol", "turns_ingested", "duration_s")
    rows = [
        row
        for row in store.read("ingestions", manifests, columns).to_pylist()
        if row["ingest_protocol"] == ingest_protocol and row["duration_s"] is not None
    ]
    turns = sum(row["turns_ingested"] or 0 for row in rows)
    if turns == 0:
        return ASSUMED_TURN
    seconds = sum(row["duration_s"] for row in rows) / turns
    return Usage(seconds, 0.0, 0.0, f"measured, {turns:,} turns")


def _newest(store: HistoryStore, asset: str) -> list[Manifest]:
    """Enough to go by; a long history need not be read whole before each run."""
    names = store.manifest_names(f"attempts/asset={path_label(asset)}")
    return store.read_manifests(names[-_NEWEST_ATTEMPTS:])


def _average(rows: Sequence[dict[str, float | None]], assumed: Usage, what: str) -> Usage:
    known = [row for row in rows if None not in (row["input_tokens"], row["output_tokens"])]
    timed = [row for row in rows if row["latency_ms"] is not None]
    if not known:
        return assumed
    # What batches gave tells its tokens, and no time.
    seconds = (
        sum(row["latency_ms"] or 0.0 for row in timed) / len(timed) / 1000.0 if timed else None
    )
    return Usage(
        assumed.seconds if seconds is None else seconds,
        sum(row["input_tokens"] or 0.0 for row in known) / len(known),
        sum(row["output_tokens"] or 0.0 for row in known) / len(known),
        f"measured, {len(known):,} {what}",
    )


def ingestion(conversations: Sequence[Conversation], turn: Usage, *, free: bool) -> Item:
    """Conversations go side by side, their turns in order: the longest one sets the time.

    Calls are an assistant, a thread a session and one look at it in the end, a message and one
    look at its operation a turn.
    """
    turns = [len(one.turns) for one in conversations]
    sessions = sum(len(one.sessions) for one in conversations)
    calls = len(turns) + 2 * sessions + 2 * sum(turns)
    minutes = max(turns, default=0) * turn.seconds / 60.0
    cost = 0.0 if free or not turns else None
    return Item("turns", calls, 0.0, 0.0, cost, minutes, turn.source)


def questions(
    counts: Sequence[int],
    answer: Usage,
    price: ModelPrice,
    *,
    width: int,
    retrieved_by: int | None = None,
) -> Item:
    """`counts`: questions of each conversation. `width` of all at once; 1 each in one thread.

    `retrieved_by`: the calls that retrieve memories, where a model of one's own answers.
    """
    asked = sum(counts)
    in_order = width == 1
    rounds = max(counts, default=0) if in_order else asked / width
    tokens = (asked * answer.input_tokens, asked * answer.output_tokens)
    cost = price.cost_usd(round(tokens[0]), round(tokens[1])) if asked else 0.0
    threads = len(counts) if in_order else asked
    calls = asked + (threads if retrieved_by is None else retrieved_by)
    return Item("questions", calls, *tokens, cost, rounds * answer.seconds / 60.0, answer.source)


def verdicts(
    count: int, verdict: Usage, price: ModelPrice, *, width: int, batched: int = 0
) -> Item:
    """One call a question, `width` at once; and `batched` more, whose time nobody knows."""

    def cost_usd(number: int, *, batch: bool) -> float | None:
        if number == 0:
            return 0.0
        read, written = number * verdict.input_tokens, number * verdict.output_tokens
        return price.cost_usd(round(read), round(written), batch=batch)

    costs = (cost_usd(count, batch=False), cost_usd(batched, batch=True))
    whole = count + batched
    return Item(
        "verdicts",
        whole,
        whole * verdict.input_tokens,
        whole * verdict.output_tokens,
        None if None in costs else sum(filter(None, costs)),
        count / width * verdict.seconds / 60.0,
        verdict.source + (f"; {batched:,} by batch, within 24 hours" if batched else ""),
    )


def renamed(item: Item, kind: str) -> Item:
    """The same line under another name."""
    return replace(item, kind=kind)


def in_turn(rounds: Sequence[Sequence[Item]]) -> list[Item]:
    """What rounds of the same items take one after another; each item tells its first source."""
    return [
        Item(
            same[0].kind,
            sum(one.calls for one in same),
            sum(one.input_tokens for one in same),
            sum(one.output_tokens for one in same),
            None
            if any(one.cost_usd is None for one in same)
            else sum(one.cost_usd or 0.0 for one in same),
            sum(one.minutes for one in same),
            same[0].source,
        )
        for same in zip(*rounds, strict=True)
    ]


PAID_ASSETS = ("answers", "judgements")


def spent_usd(store: HistoryStore, partitions: Iterable[tuple[str, str]]) -> float:
    """USD of all requests for these (release, conversation); unknown costs count as nothing."""
    return sum(
        cost or 0.0
        for release, conversation in partitions
        for asset in PAID_ASSETS
        for cost in _costs_usd(store, asset, release, conversation)
    )


# Others may be at work: the small parts of an attempt that commits before they are read are gone.
@retry(retry=retry_if_exception_type(HistoryDamagedError), stop=stop_after_attempt(5), reraise=True)
def _costs_usd(
    store: HistoryStore, asset: str, release: str, conversation: str
) -> list[float | None]:
    # unfinished ones first: what commits in between is found twice, not never
    unfinished = store.unfinished(asset, release, conversation)
    manifests = store.manifests(asset=asset, release=release, conversation=conversation)
    done = committed_ids(manifests)
    attempts: list[Manifest | UnfinishedAttempt] = [
        *manifests,
        *(attempt for attempt in unfinished if attempt.attempt_id not in done),
    ]
    costs: list[float | None] = store.read("calls", attempts, ("cost_usd",))["cost_usd"].to_pylist()
    return costs
