"""The parser of replies, and votes: their verdict, their identity, their cost."""

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locomo_assets.http.calls import CallOptions, CallRecord
from locomo_assets.judging.judge import (
    Judgement,
    Verdict,
    VotingJudge,
    count_votes,
    judge_alone,
    judged_here,
    on_corrected_gold,
    parse_reply,
)
from locomo_assets.judging.llm import LLMJudge
from locomo_assets.prices import PriceTable
from locomo_assets.standin.server import running_standin
from locomo_assets.standin.settings import DEFAULT_KEY, StandinSettings

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("text", "verdict", "reasoning"),
    [
        ('{"reasoning": "Same.", "label": "CORRECT"}', "correct", "Same."),
        ('  {"label": "WRONG", "reasoning": "Other.", "more": 1}\n', "wrong", "Other."),
        ('{"label": "WRONG", "reasoning": ["x"]}', "wrong", None),
        ('{"label": "CORRECT", "reasoning": "half \\ud83d"}', "correct", "half ?"),
    ],
)
def test_the_asked_form_is_read(text: str, verdict: str, reasoning: str | None) -> None:
    reply = parse_reply(text)
    assert (reply.verdict, reply.reasoning, reply.reason) == (verdict, reasoning, None)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("CORRECT", "is not JSON"),
        ('{"label": "CORRECT"', "is not JSON"),
        ('Well: {"label": "CORRECT"', "is not JSON"),
        ('{"inner": {"label": "CORRECT"}, "label": "WR', "is not JSON"),
        ('<think>{"label": "CORRECT"}', "is not JSON"),
        ('<think>{"label": "CORRECT"}</think>', "is not JSON"),
        ('{"label": "CORRECT"} {"label": "WRONG"}', "labels that disagree"),
        ('{"label": "CORRECT"} or {"label": "..."}', "labels that disagree"),
        ('{"verdict": {"label": "CORRECT"}} {}', "is not JSON with a label"),
        ("{'label': 'CORRECT'}", "is not JSON"),
        ("I say {} and {}.", "is not JSON with a label"),
        ('{"n": ' + "9" * 9999 + ', "label": "CORRECT"}', "is not JSON"),
        ('{"label": "CORRECT"} ' + '{"a":' * 30_000, "is not JSON"),
        ("{" * 150_000, "is not JSON"),
        ("x" * 200_001, "too long"),
        ("[" * 100_000, "is not JSON"),
        ('"CORRECT"', "is not a JSON object"),
        ('[{"label": "CORRECT"}]', "is not a JSON object"),
        ("{}", "neither CORRECT nor WRONG"),
        ('{"label": "INCORRECT"}', "neither CORRECT nor WRONG"),
        ('{"label": "not correct"}', "neither CORRECT nor WRONG"),
        ('{"label": ""}', "neither CORRECT nor WRONG"),
        ('{"label": "CORRECT or WRONG"}', "neither CORRECT nor WRONG"),
        ('{"label": true}', "neither CORRECT nor WRONG"),
        ('{"label": ["CORRECT"]}', "neither CORRECT nor WRONG"),
        ('{"label": "CORRECT", "label": "WRONG"}', "more than once"),
        ('{"a": {"label": 1, "label": 2}, "label": "CORRECT"}', "more than once"),
    ],
)
def test_anything_else_is_unscored_and_says_why(text: str, reason: str) -> None:
    reply = parse_reply(text)
    assert reply.verdict is Verdict.UNSCORED
    assert reason in (reply.reason or "")


_CLOTHES = (
    "@",
    "\ufeff@",
    "```json\n@\n```",
    "```\n@\n```",
    '<think>{"label": "WRONG"} or {"label": "CORRECT"}?</think>\n@',
    '<Thinking>\n{"lab</Thinking>\n\n```json\n@```',
    'Let me see, {"label</think>@',
    "Here is my verdict: @ I hope {this} helps.",
    "The set {a, b} says: @",
    '@ {"more": 1}',
    "@\n@",
    '[THINK]Is {"label": "WRONG"} or {"label": "CORRECT"} right?[/THINK]@',
    '<seed:think>{"label": "WRONG"} {"label": "CORRECT"}</seed:think>@',
    '<reasoning type="long">{"label": "WRONG"} {"label": "CORRECT"}</reasoning>@',
    '<|channel|>analysis<|message|>{"label": ""}<|end|><|channel|>final<|message|>@<|return|>',
)
_DRESSED_LABELS = (
    "{}",
    " {}",
    "{}.",
    "{}\n",
    "**{}**",
    '"{}"',
    "{}:",
    "“{}”",
    "[{}],",
    "Label: {}",
)


@given(
    st.sampled_from(["CORRECT", "WRONG", "correct", "Wrong"]),
    # No model says in its reasoning how thinking is marked.
    st.text(st.characters(exclude_characters="<", exclude_categories=["Cs"])),
    st.sampled_from(_CLOTHES),
    st.sampled_from(_DRESSED_LABELS),
    st.booleans(),
)
def test_one_label_is_read_in_any_clothes(
    label: str, reasoning: str, clothes: str, dressed: str, is_ascii: bool
) -> None:
    said = {"reasoning": reasoning, "label": dressed.format(label)}
    reply = parse_reply(clothes.replace("@", json.dumps(said, ensure_ascii=is_ascii)))
    assert (reply.verdict, reply.reasoning) == (label.lower(), reasoning)


def test_a_line_that_ends_within_a_text_is_read() -> None:
    reply = parse_reply('{"reasoning": "One.\n\tTwo.", " label ": "WRONG"}')
    assert (reply.verdict, reply.reasoning) == ("wrong", "One.\n\tTwo.")


@pytest.mark.parametrize("mark", ["<think>", "<think><thought>", "</think>", "<think ", "[THINK]"])
def test_marks_without_end_take_no_long_time(mark: str) -> None:
    began = time.monotonic()
    assert parse_reply(mark * (200_000 // len(mark))).verdict is Verdict.UNSCORED
    assert time.monotonic() - began < 2


@given(st.sampled_from(["CORRECT", "WRONG"]), st.text(max_size=9))
def test_two_labels_that_disagree_are_unscored(label: str, between: str) -> None:
    other = {"CORRECT": "WRONG", "WRONG": "CORRECT"}[label]
    first, second = (json.dumps({"label": one}) for one in (label, other))
    assert parse_reply(f"{first}{between}{second}").verdict is Verdict.UNSCORED


@given(st.binary())
def test_arbitrary_bytes_never_give_a_verdict(data: bytes) -> None:
    assert parse_reply(data.decode("utf-8", "replace")).verdict is Verdict.UNSCORED


@given(_JSON)
def test_arbitrary_json_gives_a_verdict_only_by_its_label(content: object) -> None:
    label = content.get("label") if isinstance(content, dict) else None
    expected = {"CORRECT": "correct", "WRONG": "wrong"}.get(str(label), "unscored")
    assert parse_reply(json.dumps(content)).verdict == expected


@given(st.sampled_from(["CORRECT", "WRONG"]), st.text(), st.integers(0, 200))
def test_a_cut_reply_is_unscored(label: str, reasoning: str, at: int) -> None:
    text = json.dumps({"reasoning": reasoning, "label": label})
    assert parse_reply(text[: min(at, len(text) - 1)]).verdict is Verdict.UNSCORED


@given(st.sampled_from(["CORRECT", "WRONG"]), st.text(st.characters(codec="utf-8")))
def test_reasoning_that_names_the_other_label_changes_nothing(label: str, text: str) -> None:
    reply = parse_reply(json.dumps({"reasoning": f"{text} CORRECT WRONG", "label": label}))
    assert (reply.verdict, reply.reasoning) == (label.lower(), f"{text} CORRECT WRONG")


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


@pytest.mark.parametrize(
    "name", ["m/generous@1", judged_here("m/generous@1"), on_corrected_gold("m/generous@1", "5e6f")]
)
def test_the_judge_behind_a_series_is_known(name: str) -> None:
    assert judge_alone(name) == "m/generous@1"
