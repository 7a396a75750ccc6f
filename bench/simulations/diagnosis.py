"""How often the diagnosis is right about where an answer's evidence was lost.

The pipeline measures conversations of the data set at a stand-in that loses some memories. The
truth is read from the stand-in's own state, by code that knows nothing of the tracing.
"""

import asyncio
import json
import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from bench.simulations.page import markdown
from bench.simulations.shared_data import DATASET, present
from locomo_assets.backboard.answers import AskProtocol
from locomo_assets.backboard.client import BackboardClient
from locomo_assets.backboard.ingest import IngestProtocol
from locomo_assets.backboard.messages import message_text
from locomo_assets.history.database import query, refresh
from locomo_assets.history.store import HistoryStore
from locomo_assets.http.calls import CallOptions
from locomo_assets.http.limits import Limits
from locomo_assets.judging.lexical import LexicalJudge
from locomo_assets.locomo.model import (
    ADVERSARIAL,
    Conversation,
    Dataset,
    Question,
    resolve_evidence,
)
from locomo_assets.locomo.parsing import read_dataset
from locomo_assets.prices import PriceTable
from locomo_assets.runs.context import RunContext, Task, note_call
from locomo_assets.runs.datasets import store_dataset
from locomo_assets.runs.runner import STAGES, measure
from locomo_assets.standin import facts
from locomo_assets.standin.retrieval import MEMORIES_RETRIEVED, Retriever, Tokenizer
from locomo_assets.standin.server import BaseUrls, running_standin
from locomo_assets.standin.settings import DEFAULT_KEY, StandinSettings
from locomo_assets.standin.state import StandinState

CONVERSATIONS = ("conv-44", "conv-48")
"""Those that are measured. `locomo.tracing` must not be tuned on them."""

FAILED, STUCK, SEED = 0.05, 0.05, 1
STAGES_OF_EVIDENCE = ("never_stored", "not_retrieved", "retrieved")
_LINKS = "memory → turn"


Form = Literal["observed", "extracted", "verbatim"]
"""What a turn becomes: the data set's own observations of it (sentences that a model wrote, each
with the turns it rests on), the stand-in's facts, or itself.
"""
FORMS: tuple[Form, ...] = ("observed", "extracted", "verbatim")


@dataclass
class Tally:
    """How many there are in truth, how many were found, and how many of those are right."""

    true: int = 0
    found: int = 0
    right: int = 0

    def cells(self) -> list[object]:
        """Found, precision, recall."""
        return [
            f"{self.found:,}",
            f"{self.right / self.found:.3f}" if self.found else "–",
            f"{self.right / self.true:.3f}" if self.true else "–",
        ]


@dataclass
class Outcome:
    """Of one case: links of memories to turns, and the stages of questions."""

    links: Tally = field(default_factory=Tally)
    stages: dict[str, Tally] = field(
        default_factory=lambda: {stage: Tally() for stage in STAGES_OF_EVIDENCE}
    )
    questions: int = 0
    unknown: int = 0

    def add(self, truth: "Truth", links: set[tuple[str, str]], stages: Mapping[int, str]) -> None:
        self.links.true += len(truth.links)
        self.links.found += len(links)
        self.links.right += len(links & truth.links)
        for index, true_stage in truth.stages.items():
            found = stages[index]
            self.questions += 1
            self.unknown += found == "unknown"
            self.stages[true_stage].true += 1
            if found in self.stages:
                self.stages[found].found += 1
                self.stages[found].right += found == true_stage


@dataclass(frozen=True)
class Truth:
    """(memory, turn) of every memory, and by question index where its evidence was lost.

    A memory holds the turns whose operations added it, changed it, or found it said already.
    """

    links: set[tuple[str, str]]
    stages: Mapping[int, str]


def table() -> str:
    """Markdown: for each form the links and the stages, by operations and by words."""
    dataset, rows = read_dataset(str(present(DATASET))), []
    for form in FORMS:
        told = simulate(dataset, CONVERSATIONS, form)
        untold = simulate(dataset, CONVERSATIONS, form, without_ids=True)
        tallies = [(_LINKS, told.links, untold.links)]
        tallies += [(f"`{name}`", told.stages[name], untold.stages[name]) for name in told.stages]
        rows += [
            [
                f"{form}: {name}",
                f"{by_operations.true:,}",
                *by_operations.cells(),
                *by_words.cells(),
            ]
            for name, by_operations, by_words in tallies
        ]
        unknown = (told.unknown, "–", "–", untold.unknown, "–", "–")
        rows.append([f"{form}: `unknown`, of {told.questions} questions", "–", *unknown])
    by = ("found", "precision", "recall")
    head = ["what", "true", *(f"operations: {one}" for one in by), *(f"words: {one}" for one in by)]
    return markdown(head, rows)


def simulate(
    dataset: Dataset,
    names: Sequence[str],
    form: Form,
    *,
    without_ids: bool = False,
    failed: float = FAILED,
    stuck: float = STUCK,
) -> Outcome:
    """Measure each conversation at a stand-in of its own, so that its faults repeat."""
    settings = StandinSettings(
        seed=SEED,
        memory_form="verbatim" if form == "verbatim" else "extracted",
        operations_without_ids=without_ids,
        memory_failed_share=failed,
        memory_stuck_share=stuck,
    )
    extract = _observations(dataset) if form == "observed" else facts.extract
    outcome = Outcome()
    for conversation in dataset.conversations:
        if conversation.conversation in names:
            alone = replace(dataset, conversations=(conversation,))
            with TemporaryDirectory() as folder:
                _measure_one(Path(folder), alone, settings, extract, outcome)
    return outcome


def _observations(dataset: Dataset) -> facts.Extract:
    """From a turn's message to the observations that rest on it."""
    by_message: dict[str, list[facts.Fact]] = defaultdict(list)
    told = json.loads(Path(dataset.source).read_text())
    for one, conversation in zip(told, dataset.conversations, strict=True):
        messages = {turn.dia_id: message_text(turn) for turn in conversation.turns}
        for session in one["observation"].values():
            for speaker, observed in session.items():
                for text, rests_on in observed:
                    written = [rests_on] if isinstance(rests_on, str) else rests_on
                    for dia_id in resolve_evidence(written, messages)[0]:
                        by_message[messages[dia_id]].append(facts.Fact(speaker, text))
    return lambda content, _said_on: by_message[content]


def _measure_one(
    folder: Path,
    dataset: Dataset,
    settings: StandinSettings,
    extract: facts.Extract,
    outcome: Outcome,
) -> None:
    store = HistoryStore.open((folder / "history").as_uri())
    store_dataset(store, dataset, "simulation")
    state = folder / "standin.sqlite"
    (conversation,) = dataset.conversations
    with running_standin(settings, state, extract) as urls:
        asyncio.run(_run(store, urls, conversation.conversation))
    truth = read_truth(state, conversation)
    path = refresh(store, folder / "history.duckdb").path
    _, links = query(path, "SELECT memory_key, dia_id FROM memory_turns")
    _, stages = query(path, "SELECT question_index, stage FROM answer_evidence")
    outcome.add(truth, {(key, dia_id) for key, dia_id in links}, dict(stages))


async def _run(store: HistoryStore, urls: BaseUrls, conversation: str) -> None:
    options = CallOptions(limits=Limits(8), record=note_call)
    async with BackboardClient(urls.backboard, DEFAULT_KEY, options) as client:
        run = RunContext(
            store=store,
            client=client,
            judge=LexicalJudge(),
            system="standin",
            base_url=urls.backboard,
            ingest_protocol=IngestProtocol(memory_wait="conversation", memory_time_out_s=2.0),
            ask_protocol=AskProtocol(),
            prices=PriceTable.read(None),
            run_id="simulation",
        )
        task = Task(release="simulated", conversation=conversation)
        failures = await measure(run, [task], list(STAGES), lambda _task, _report: None)
    if failures:
        raise failures[0].error


def read_truth(state_path: Path, conversation: Conversation) -> Truth:
    """What the stand-in's state says, whatever its responses said."""
    with sqlite3.connect(f"file:{state_path}?mode=ro", uri=True) as db:
        told = db.execute(
            "SELECT m.content, o.memory_id, o.results_json, o.assistant_id FROM messages AS m"
            " JOIN threads AS t USING (thread_id)"
            " JOIN operations AS o ON o.operation_id = m.memory_operation_id"
            " ORDER BY t.seq, m.seq"
        ).fetchall()
    db.close()
    turns = conversation.turns
    if [row[0] for row in told] != [message_text(turn) for turn in turns]:
        raise ValueError(f"{conversation.conversation}: its messages are not its turns")
    links: set[tuple[str, str]] = set()
    for turn, (_, memory_id, results_json, _) in zip(turns, told, strict=True):
        if memory_id is not None:
            links.add((memory_id, turn.dia_id))
        links.update((one[0], turn.dia_id) for one in json.loads(results_json or "[]"))
    stored = {dia_id for _, dia_id in links}
    stages = {}
    with StandinState(state_path) as state:
        retriever = Retriever(state, Tokenizer())
        for question in conversation.questions:
            if question.evidence and question.category != ADVERSARIAL:
                hits = retriever.search(told[0][3], question.question, MEMORIES_RETRIEVED)
                found = {hit.memory.memory_id for hit in hits}
                retrieved = {dia_id for memory_id, dia_id in links if memory_id in found}
                stages[question.question_index] = _stage(question, stored, retrieved)
    return Truth(links, stages)


def _stage(question: Question, stored: set[str], retrieved: set[str]) -> str:
    """Where the first piece of the evidence was lost."""
    wanted = set(question.evidence)
    if not wanted <= stored:
        return "never_stored"
    return "retrieved" if wanted <= retrieved else "not_retrieved"
