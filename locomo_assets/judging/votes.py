"""Several votes on each answer, and what they come to.

Here: asking a judge several times, and counting. A language model judges a little differently each
time; how sure it is of a verdict is the share of votes that gave it.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from locomo_assets.backboard.tasks import first_failure
from locomo_assets.judging.judge import Judge, JudgeIdentity, Judgement
from locomo_assets.judging.verdict import Verdict

Number = TypeVar("Number", int, float)


class VotingJudge:
    """A judge that asks another one `votes` times (odd) for each verdict; each call is paid for."""

    def __init__(self, judge: Judge, votes: int) -> None:
        self._judge = judge
        self._votes = votes

    @property
    def identity(self) -> JudgeIdentity:
        """The other judge's, `with_votes`."""
        return with_votes(self._judge.identity, self._votes)

    async def judge(self, question: str, gold_answer: str, answer: str, category: int) -> Judgement:
        """See `judge.Judge`; the votes are given at the same time."""
        with first_failure():
            async with asyncio.TaskGroup() as group:
                votes = [
                    group.create_task(self._judge.judge(question, gold_answer, answer, category))
                    for _ in range(self._votes)
                ]
        return counted([vote.result() for vote in votes])


def with_votes(one: JudgeIdentity, votes: int) -> JudgeIdentity:
    """The identity with the number of votes in its name: their verdicts never mix."""
    return one if votes == 1 else replace(one, name=f"{one.name} ×{votes}", votes=votes)


def counted(votes: Sequence[Judgement]) -> Judgement:
    """What the votes come to by `majority`, with the first such vote's reasoning.

    Tokens and costs are sums, None if one is unknown; the latency is the longest, None if none is
    known.
    """
    counts = Counter(vote.verdict for vote in votes)
    verdict, agreement = majority([vote.verdict for vote in votes])
    decided = verdict is not Verdict.UNSCORED
    said = ", ".join(f"{counts[kind]} {kind.value}" for kind in Verdict if counts[kind])
    causes = dict.fromkeys(vote.reason for vote in votes if vote.reason)
    return Judgement(
        verdict=verdict,
        reasoning=next(v.reasoning for v in votes if v.verdict is verdict) if decided else None,
        reason=None if decided else f"no majority ({said}): {'; '.join(causes)}",
        input_tokens=_sum(vote.input_tokens for vote in votes),
        output_tokens=_sum(vote.output_tokens for vote in votes),
        cost_usd=_sum(vote.cost_usd for vote in votes),
        latency_ms=max((v.latency_ms for v in votes if v.latency_ms is not None), default=None),
        votes=len(votes),
        agreement=agreement,
    )


def majority(verdicts: Sequence[Verdict]) -> tuple[Verdict, float | None]:
    """The verdict of more than half of the votes asked for (at least one), and their share.

    Unscored and None where there is none, because of unscored votes or a tie: a verdict of a
    minority is no verdict.
    """
    verdict, most = max(Counter(verdicts).items(), key=lambda item: item[1])
    if verdict is Verdict.UNSCORED or 2 * most <= len(verdicts):
        return Verdict.UNSCORED, None
    return verdict, most / len(verdicts)


def _sum(values: Iterable[Number | None]) -> Number | None:
    every = list(values)
    known = [value for value in every if value is not None]
    return sum(known) if len(known) == len(every) else None
