"""How failures are told, and when a release's canaries are judged."""

import asyncio
from unittest.mock import Mock

import pytest

from locomo_assets.errors import LocomoError
from locomo_assets.http.limits import BudgetReachedError
from locomo_assets.runs import runner
from locomo_assets.runs.context import RunContext, Task
from locomo_assets.runs.runner import STAGES, Failed, measure, summarize_failures
from locomo_assets.runs.stages import StageReport


def _failed(conversation: str, error: LocomoError) -> Failed:
    return Failed(Task("r1", conversation), "answers", error)


def test_each_cause_is_told_once() -> None:
    failures = [
        _failed("conv-1", BudgetReachedError("cost limit: 0.1 of 1 USD")),
        _failed("conv-2", LocomoError("the service lost it")),
        _failed("conv-3", BudgetReachedError("cost limit: 0.2 of 1 USD")),
    ]
    assert summarize_failures(failures) == (
        "conv-1, conv-3 at answers: cost limit: 0.2 of 1 USD; "
        "conv-2 at answers: the service lost it"
    )


class _Measured:
    """A run whose stages do nothing but what `through` says of a conversation."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.canaries: list[str] = []
        self.judged = asyncio.Event()
        monkeypatch.setattr(runner, "STAGES", dict.fromkeys(STAGES, self.stage))
        monkeypatch.setattr(runner, "judge_canaries", self.judge_canaries)
        for name in ("_begin", "check_again", "record_unanswered"):
            is_async = name != "_begin"
            monkeypatch.setattr(runner, name, self._nothing if is_async else Mock())

    async def through(self, task: Task) -> None:
        """Ends once the conversation is through."""

    async def stage(self, run: RunContext, task: Task, *_queue: object) -> StageReport:
        await self.through(task)
        return Mock(StageReport, skipped=None)

    async def judge_canaries(self, run: RunContext, release: str) -> bool:
        self.canaries.append(release)
        self.judged.set()
        return True

    async def _nothing(self, *_given: object, **_named: object) -> None:
        pass

    async def run(self, *tasks: Task) -> list[Failed]:
        return await measure(Mock(RunContext), tasks, STAGES, Mock())


async def test_canaries_are_judged_once_while_other_conversations_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class SlowOne(_Measured):
        async def through(self, task: Task) -> None:
            if task.conversation == "slow":
                await asyncio.wait_for(self.judged.wait(), 10)

    measured = SlowOne(monkeypatch)
    tasks = [Task("r1", name) for name in ("slow", "quick", "quick-too")]
    assert await measured.run(*tasks) == []
    assert measured.canaries == ["r1"]


async def test_where_no_conversation_gets_through_no_canary_is_paid_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class OnlyOfR1(_Measured):
        async def through(self, task: Task) -> None:
            if task.release == "r2":
                raise LocomoError("the service lost it")

    measured = OnlyOfR1(monkeypatch)
    sample = Task("r3", "one", sample=frozenset({0}))
    (failed,) = await measured.run(Task("r1", "one"), Task("r2", "one"), sample)
    assert failed.task == Task("r2", "one")
    assert measured.canaries == ["r1"]


async def test_canaries_that_fail_are_told_and_stop_no_conversation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Refusing(_Measured):
        async def judge_canaries(self, run: RunContext, release: str) -> bool:
            raise LocomoError("no judge")

    (failed,) = await Refusing(monkeypatch).run(Task("r1", "one"), Task("r1", "two"))
    assert summarize_failures([failed]) == "the judge's canaries at judgements: no judge"
