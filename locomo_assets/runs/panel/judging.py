"""Judging stored answers by one judge: what is missing, doing it, and what that takes.

The verdicts themselves are `runs.judge`'s, with its leases, checkpoints, batches and reuse.
"""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from locomo_assets.completions.asker import host_of
from locomo_assets.errors import LocomoError
from locomo_assets.history.provenance import Manifest, UnfinishedAttempt
from locomo_assets.history.store import HistoryStore
from locomo_assets.judging.canaries import packaged_canaries
from locomo_assets.judging.judge import JudgeIdentity, has_words
from locomo_assets.logs import telling
from locomo_assets.prices import STANDIN
from locomo_assets.runs.checkpoint import Row
from locomo_assets.runs.context import RunContext, Task
from locomo_assets.runs.judge import ASSET, judge_answers
from locomo_assets.runs.panel.stored import AnswerSet
from locomo_assets.runs.runner import CANARIES, CANARIES_ASSET, Failed, judge_canaries
from locomo_assets.runs.stages import JudgementsReport, chosen_questions

_log = logging.getLogger(__name__)
_SETTLED = ("correct", "wrong")


@dataclass(frozen=True)
class Judged:
    """What a judge gave, a report a conversation and answer set, and where it failed."""

    reports: tuple[JudgementsReport, ...]
    failures: tuple[Failed, ...]


async def judge_stored(run: RunContext, sets: Sequence[AnswerSet]) -> Judged:
    """Gives stored answers their verdicts by the run's judge, and judges the release's canaries.

    Conversations go side by side. One that fails fails alone, and its error is kept: nothing
    is raised but faults of ours.
    """
    by_conversation: dict[str, list[AnswerSet]] = {}
    for one in sets:
        by_conversation.setdefault(one.task.conversation, []).append(one)
    questions = sum(len(chosen_questions(one.given.conversation, one.task)) for one in sets)
    run.progress.add(verdicts_to_do=questions)
    reports: list[JudgementsReport] = []

    async def conversation(same: Sequence[AnswerSet]) -> list[Failed]:
        # One after another: they have one lease.
        failures = []
        for one in same:
            try:
                with telling(partition=f"{one.task.conversation}|{one.task.release}"):
                    of_system = replace(run, system=one.system)
                    reports.append(await judge_answers(of_system, one.task, given=one.given))
            except (LocomoError, OSError) as error:
                _log.warning("%s failed: %s", ASSET, error)
                failures.append(Failed(one.task, ASSET, error))
        return failures

    each = await asyncio.gather(*(conversation(same) for same in by_conversation.values()))
    failures = [failed for same in each for failed in same]
    if not failures:
        for release, system in sorted({(one.task.release, one.system) for one in sets}):
            try:
                await judge_canaries(replace(run, system=system), release)
            except (LocomoError, OSError) as error:
                failures.append(Failed(Task(release, CANARIES), ASSET, error))
    return Judged(tuple(reports), tuple(failures))


def missing_verdicts(
    store: HistoryStore,
    sets: Sequence[AnswerSet],
    judge: JudgeIdentity,
    *,
    corrected: bool = False,
) -> int:
    """How many answers lack a verdict by such a judge, as far as is known before it is asked.

    An answer without words needs none. Equal answers in other releases are not looked for.
    """
    judged = {
        row["answer_id"]
        for row in _rows(store, sets)
        if row["verdict"] in _SETTLED
        and (row["audit_sha256"] is not None) == corrected
        and is_such(row, judge)
    }
    return sum(
        answer["answer_id"] not in judged
        for one in sets
        for answer in one.given.answers.values()
        if answer["outcome"] == "answered" and has_words(answer["answer"] or "")
    )


def missing_canaries(store: HistoryStore, sets: Sequence[AnswerSet], judge: JudgeIdentity) -> int:
    """How many canaries lack a verdict by such a judge, over the systems of the answer sets."""
    missing = 0
    for release, system in {(one.task.release, one.system) for one in sets}:
        manifests = [
            manifest
            for manifest in store.manifests(asset=CANARIES_ASSET, release=release)
            if manifest.lineage.system == system
        ]
        judged = {
            row["canary_id"]
            for row in store.read("canary_verdicts", manifests).to_pylist()
            if row["verdict"] in _SETTLED and is_such(row, judge)
        }
        missing += sum(one.canary_id not in judged for one in packaged_canaries().canaries)
    return missing


def is_such(row: Row, judge: JudgeIdentity) -> bool:
    """Whether a verdict is by this model with this prompt and as many votes, at this host.

    What the model's server calls itself, and which parameters it takes, is known only once it is
    asked: the stand-in may be at any host.
    """
    same = (row["judge_model"], row["prompt_sha256"], row["votes"] or 1)
    host = host_of(row["judge_system"] or "")
    wanted = (judge.model, judge.prompt_sha256, judge.votes)
    return same == wanted and host in (host_of(judge.system), STANDIN)


def _rows(store: HistoryStore, sets: Sequence[AnswerSet]) -> Iterator[Row]:
    """The verdicts under the answers' release, those that a killed run saved included."""
    for release, name in sorted({(one.task.release, one.task.conversation) for one in sets}):
        # Unfinished ones first: what commits in between is found twice, not never.
        attempts: list[Manifest | UnfinishedAttempt] = [*store.unfinished(ASSET, release, name)]
        attempts += store.manifests(asset=ASSET, release=release, conversation=name)
        yield from store.read(ASSET, attempts).to_pylist()
