"""What a run works with: its services, its tasks, its progress, and its records of calls.

Fingerprints address by content: a stored row with an equal fingerprint need not be paid for again.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from locomo_assets import __version__
from locomo_assets.backboard.answers import AskProtocol
from locomo_assets.backboard.client import BackboardClient
from locomo_assets.backboard.ingest import IngestProtocol
from locomo_assets.errors import LocomoError
from locomo_assets.history.provenance import Lineage
from locomo_assets.history.store import HistoryStore
from locomo_assets.http.calls import CallRecord
from locomo_assets.judging.judge import BatchingJudge, Judge
from locomo_assets.locomo.model import Conversation, from_rows
from locomo_assets.prices import PriceTable, is_free
from locomo_assets.runs.releases import FULL, SAMPLE, ReleaseGuard

if TYPE_CHECKING:
    from locomo_assets.completions.answerer import Answerer


def fingerprint(parts: Mapping[str, object]) -> str:
    """SHA-256, in hexadecimal, of the parts as canonical JSON (order of keys does not matter)."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Counts:
    """How much is done of what is to do.

    `requests` counts HTTP requests, each attempt, with the tokens they used; `retries` those of
    them that repeat a failed one. `errors` counts what remained: questions without an answer, and
    answers without a verdict. `waits_for` names who holds the slot that a run waits for before it
    begins.
    """

    turns: int = 0
    turns_to_do: int = 0
    questions: int = 0
    questions_to_do: int = 0
    verdicts: int = 0
    verdicts_to_do: int = 0
    requests: int = 0
    errors: int = 0
    retries: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    waits_for: str = ""


@dataclass
class Progress:
    """The counts of one run, and those who listen. Used from one event loop only."""

    listeners: list[Callable[[Counts], None]] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)

    def add(self, **more: float) -> None:
        """Adds to the named counts and tells the listeners."""
        now = {name: getattr(self.counts, name) + value for name, value in more.items()}
        self._tell(replace(self.counts, **now))

    def wait_for(self, whom: str) -> None:
        """Tell the listeners who holds the slot; an empty text: nobody any more."""
        if whom or self.counts.waits_for:
            self._tell(replace(self.counts, waits_for=whom))

    def _tell(self, counts: Counts) -> None:
        self.counts = counts
        for listener in self.listeners:
            listener(self.counts)


_calls: ContextVar[list[CallRecord] | None] = ContextVar("calls", default=None)


class NothingToMeasureError(LocomoError):
    """Something that must be in the history first is not there."""

    exit_code = 2


@dataclass(frozen=True)
class Task:
    """What one run measures of one conversation.

    `questions`: at most so many, the first of the data set's list; None: all.
    `adversarial`: category 5 too. `force`: ask and judge again what is already there.
    `sample`: just these questions (indices), of the memory that the newest full run ingested.
    `repeat`: ask until each question has so many answers, of the memories that are there; with
    `repeat_ingestion` of so many ingestions. `share`: only this share of the questions, in the
    random order of `order_seed`.
    """

    release: str
    conversation: str
    questions: int | None = None
    adversarial: bool = False
    force: bool = False
    sample: frozenset[int] | None = None
    sample_id: str | None = None
    repeat: int = 1
    repeat_ingestion: bool = False
    share: float | None = None
    order_seed: str = ""

    @property
    def judges_anew(self) -> bool:
        """Whether no verdict on an equal answer is taken over: it would hide the judge's noise."""
        return self.force or self.repeat > 1

    @property
    def kind(self) -> str:
        """`full` or `sample`: the two are never mixed."""
        return FULL if self.sample is None else SAMPLE


@dataclass(frozen=True)
class Batching:
    """How verdicts are had by batches: `wanted` for new ones, and waited for `wait_s` at most.

    Batches that earlier runs left are collected even where no new one is wanted.
    """

    judge: BatchingJudge
    wanted: bool
    wait_s: float


@dataclass
class RunContext:
    """The store, the service under test, the judge, and what is said of both in every row.

    `batching` is None for a judge that cannot be asked by batches.
    """

    store: HistoryStore
    client: BackboardClient
    judge: Judge
    system: str
    base_url: str
    ingest_protocol: IngestProtocol
    ask_protocol: AskProtocol
    prices: PriceTable
    run_id: str
    database_path: Path | None = None
    """Where `history.duckdb` may be, as an index of what is stored; None: nowhere."""
    audit_sha256: str | None = None
    """The stored audit whose gold answers the judge is given; None: the data set's own."""
    batching: Batching | None = None
    answerer: "Answerer | None" = None
    """The answering model of the protocol `retrieval`; None where the service itself answers."""
    progress: Progress = field(default_factory=Progress)
    watch: ReleaseGuard = field(default_factory=ReleaseGuard)

    _conversations: dict[str, tuple[Conversation, str]] = field(default_factory=dict, repr=False)

    def conversation(self, name: str) -> tuple[Conversation, str]:
        """As `stored_conversation`, which see; read once, so that all stages measure the same."""
        if name not in self._conversations:
            self._conversations[name] = stored_conversation(self.store, name)
        return self._conversations[name]

    @property
    def is_free(self) -> bool:
        """Whether the service takes nothing for what it does."""
        return is_free(self.system)

    @property
    def answers_are_free(self) -> bool:
        """Whether whoever answers the questions takes nothing for it."""
        return self.is_free if self.answerer is None else is_free(self.answerer.system)

    @property
    def by_batch(self) -> bool:
        """Whether new verdicts are asked for by batches."""
        return self.batching is not None and self.batching.wanted

    def lineage(self, asset: str, task: Task, dataset_sha256: str) -> Lineage:
        """What every row of an attempt carries."""
        return Lineage(
            asset=asset,
            run_id=self.run_id,
            release=task.release,
            conversation=task.conversation,
            code_version=__version__,
            dataset_sha256=dataset_sha256,
            system=self.system,
            extra={"kind": task.kind},
        )


def note_call(record: CallRecord) -> None:
    """Keeps a request for the attempt at work in this context; the clients' `record` callback."""
    calls = _calls.get()
    if calls is not None:
        calls.append(record)


@contextmanager
def noted_calls() -> Iterator[list[CallRecord]]:
    """Collects the requests that are made inside, child tasks included."""
    calls: list[CallRecord] = []
    token = _calls.set(calls)
    try:
        yield calls
    finally:
        _calls.reset(token)


def stored_conversation(
    store: HistoryStore, conversation: str, dataset_sha256: str | None = None
) -> tuple[Conversation, str]:
    """A conversation of a data set in the history (None: the newest), and that one's SHA-256.

    Raises:
        NothingToMeasureError: no data set with that conversation was materialized.
    """
    manifests = [
        manifest
        for manifest in store.manifests(asset="locomo_dataset", conversation=conversation)
        if dataset_sha256 in (None, manifest.lineage.dataset_sha256)
    ]
    if not manifests:
        raise NothingToMeasureError(
            f"conversation {conversation}: not in the history; materialize locomo_dataset with a "
            "data set that has it first"
        )
    newest = [manifests[-1]]
    rows = {
        table: store.read(table, newest).to_pylist()
        for table in ("conversations", "sessions", "turns", "questions")
    }
    return from_rows(rows, conversation), str(manifests[-1].lineage.dataset_sha256)


def stored_conversations(store: HistoryStore, tasks: Sequence[Task]) -> list[Conversation]:
    """The tasks' conversations, as far as the history has them."""
    return [
        stored_conversation(store, name)[0]
        for name in sorted({task.conversation for task in tasks})
        if store.manifests(asset="locomo_dataset", conversation=name)
    ]
