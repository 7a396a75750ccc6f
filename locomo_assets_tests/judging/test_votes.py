"""Votes: what they come to, who is named, and what they cost through a real client."""

from pathlib import Path

import pytest

from locomo_assets.http.calls import CallOptions, CallRecord
from locomo_assets.judging.judge import Judgement, Verdict, VotingJudge, count_votes
from locomo_assets.judging.llm import LLMJudge
from locomo_assets.prices import PriceTable
from locomo_assets.standin.server import running_standin
from locomo_assets.standin.settings import DEFAULT_KEY, StandinSettings

CORRECT, WRONG, UNSCORED = Verdict.CORRECT, Verdict.WRONG, Verdict.UNSCORED


def vote(verdict: Verdict, cost_usd: float | None = 0.001) -> Judgement:
    return Judgement(
        verdict=verdict,
        reasoning=None if verdict is UNSCORED else f"said {verdict}",
        reason="HTTP 500" if verdict is UNSCORED else None,
        input_tokens=100,
        output_tokens=20,
        cost_usd=cost_usd,
        latency_ms=10.0,
    )


@pytest.mark.parametrize(
    ("votes", "verdict", "agreement"),
    [
        ((CORRECT, CORRECT, CORRECT), CORRECT, 1.0),
        ((WRONG, CORRECT, WRONG), WRONG, 2 / 3),
        ((UNSCORED, CORRECT, CORRECT), CORRECT, 2 / 3),
        ((CORRECT, UNSCORED, WRONG), UNSCORED, None),
        ((CORRECT, UNSCORED, UNSCORED), UNSCORED, None),
        ((UNSCORED, UNSCORED, UNSCORED), UNSCORED, None),
        ((CORRECT, CORRECT, WRONG, WRONG, UNSCORED), UNSCORED, None),
    ],
)
def test_more_than_half_decide(
    votes: tuple[Verdict, ...], verdict: Verdict, agreement: float | None
) -> None:
    found = count_votes([vote(one) for one in votes])
    assert (found.verdict, found.votes) == (verdict, len(votes))
    assert found.agreement == pytest.approx(agreement)
    assert found.input_tokens == 100 * len(votes)
    assert found.cost_usd == pytest.approx(0.001 * len(votes))
    if verdict is UNSCORED:
        assert str(found.reason).startswith("no majority (")
        assert "HTTP 500" in str(found.reason)
    else:
        assert found.reasoning == f"said {verdict}"


def test_unknown_cost_stays_unknown() -> None:
    assert count_votes([vote(CORRECT), vote(CORRECT, None), vote(CORRECT)]).cost_usd is None


async def test_each_vote_is_a_call_and_the_name_says_so(tmp_path: Path) -> None:
    calls: list[CallRecord] = []
    with running_standin(StandinSettings(), tmp_path / "served.sqlite") as urls:
        async with LLMJudge.connect(
            api_key=DEFAULT_KEY,
            base_url=urls.openai,
            prices=PriceTable.read(None),
            options=CallOptions(record=calls.append),
        ) as one:
            judge = VotingJudge(one, 3)
            calls.clear()
            judgement = await judge.judge("When?", "7 May 2023", "On 7 May 2023.", 2)
    assert len(calls) == 3
    assert (judgement.verdict, judgement.votes, judgement.agreement) == (CORRECT, 3, 1.0)
    assert judge.identity.name == f"{one.identity.name} ×3"
    assert judge.identity.votes == 3
    assert judge.identity.digest() != one.identity.digest()
