"""The rounds of a launch that measures a release several times, and what each has still to do.

What is stored is neither asked again nor priced. What makes two answers repeats is said in
`runs.stages` and in the view `repeats`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from locomo_assets.judging.canaries import packaged_canaries
from locomo_assets.judging.judge import JudgeIdentity
from locomo_assets.locomo.model import Conversation, Dataset
from locomo_assets.runs.context import RunContext, Task
from locomo_assets.runs.retrieval.stored import times_retrieved
from locomo_assets.runs.stages import (
    chosen_questions,
    is_ingested,
    memory_source,
    questions_to_ask,
    stored_answers,
    times_answered,
    usable_ingestions,
)
from locomo_assets.services import Services


@dataclass(frozen=True)
class Missing:
    """What one round has still to do: whom to ingest, and questions to ask by conversation.

    `retrieved`: of those questions, how many have their memories retrieved already.
    """

    to_ingest: Sequence[Conversation]
    conversations: Sequence[Conversation]
    counts: Sequence[int]
    retrieved: int = 0


def once(task: Task) -> Task:
    """The task of the first round."""
    return replace(task, repeat=1)


def missing_rounds(
    run: RunContext, dataset: Dataset, tasks: Sequence[Task], repeats: int
) -> list[Missing]:
    """What each of the rounds 1 … `repeats` lacks."""
    known = {one.conversation: one for one in dataset.conversations}
    conversations = [known[task.conversation] for task in tasks]
    by_task = [_rounds(run, task, known[task.conversation], dataset, repeats) for task in tasks]
    return [
        Missing(
            [one for one, rounds in zip(conversations, by_task, strict=True) if rounds[at][0]],
            conversations,
            [rounds[at][1] for rounds in by_task],
            sum(rounds[at][2] for rounds in by_task),
        )
        for at in range(repeats)
    ]


def first_round(services: Services, dataset: Dataset, tasks: Sequence[Task], repeats: int) -> int:
    """The last round that is complete, whose verdicts may be missing; the first where none is."""
    if repeats == 1:
        return 1
    rounds = missing_rounds(services.planned_run(tasks), dataset, tasks, repeats)
    for number, missing in enumerate(rounds, 1):
        if missing.to_ingest or any(missing.counts):
            return max(1, number - 1)
    return repeats


def _rounds(
    run: RunContext, task: Task, conversation: Conversation, dataset: Dataset, repeats: int
) -> list[tuple[bool, int, int]]:
    """For each round: whether the conversation is to be ingested, how many are to be asked, and how
    many of these have their memories retrieved.
    """
    wanted = chosen_questions(conversation, task)
    first = once(task)
    is_there = not run.ask_protocol.needs_ingestion or is_ingested(run, first, dataset.sha256)
    missing, retrieved = wanted, 0
    if is_there:
        source = memory_source(run, first, dataset.sha256)
        missing = questions_to_ask(run, first, source, wanted)
        retrieved = times_retrieved(run, first, source, missing)
    rounds = [(not is_there, len(missing), retrieved)]
    if task.repeat_ingestion:
        there = len(usable_ingestions(run, task, dataset.sha256))
        return rounds + [
            (number > there, len(wanted) if number > there else 0, 0)
            for number in range(2, repeats + 1)
        ]
    times = times_answered(run, task, dataset.sha256) if repeats > 1 else {}
    # Answers under other conditions than today's are no repeats of what is still to be asked.
    times |= {question.question_index: 0 for question in missing}
    again = [
        sum(times.get(question.question_index, 0) < number for question in wanted)
        for number in range(2, repeats + 1)
    ]
    return rounds + [(False, count, count) for count in again]


def canaries_missing(run: RunContext, release: str, judge: JudgeIdentity, *, votes: int) -> int:
    """How many canaries have no verdict by such a judge under the release yet."""
    manifests = run.store.manifests(asset="judge_canaries", release=release)
    judged = {
        row["canary_id"]
        for row in run.store.read("canary_verdicts", manifests).to_pylist()
        if row["verdict"] in ("correct", "wrong")
        and (row["judge_model"], row["prompt_sha256"], row["votes"] or 1)
        == (judge.model, judge.prompt_sha256, votes)
    }
    return sum(one.canary_id not in judged for one in packaged_canaries().canaries)


def unjudged(
    run: RunContext,
    dataset: Dataset,
    tasks: Sequence[Task],
    judge: JudgeIdentity,
    *,
    votes: int,
    corrected: bool,
) -> int:
    """How many stored answers lack a verdict by such a judge, as far as the settings name it."""
    known = {one.conversation: one for one in dataset.conversations}
    by = (judge.model, judge.prompt_sha256, votes, corrected)
    return sum(
        _unjudged(run, task, known[task.conversation], dataset, by)
        for task in tasks
        if not run.ask_protocol.needs_ingestion or is_ingested(run, once(task), dataset.sha256)
    )


def _unjudged(
    run: RunContext,
    task: Task,
    conversation: Conversation,
    dataset: Dataset,
    by: tuple[str, str | None, int, bool],
) -> int:
    stored = stored_answers(run, task, memory_source(run, once(task), dataset.sha256).answers)
    wanted = {question.question_index for question in chosen_questions(conversation, task)}
    answers = {
        row["answer_id"]
        for index, row in stored.items()
        if index in wanted and row["outcome"] == "answered"
    }
    manifests = run.store.manifests(
        asset="judgements", release=task.release, conversation=task.conversation
    )
    judged = {
        row["answer_id"]
        for row in run.store.read("judgements", manifests).to_pylist()
        if row["verdict"] in ("correct", "wrong")
        and by
        == (
            row["judge_model"],
            row["prompt_sha256"],
            row["votes"] or 1,
            row["audit_sha256"] is not None,
        )
    }
    return len(answers - judged)
