"""The strict parser of judge replies."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locomo_assets.judging.judge import Verdict, parse_reply

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
        ('```json\n{"label": "CORRECT"}\n```', "is not JSON"),
        ('{"label": "CORRECT"', "is not JSON"),
        ('{"label": "CORRECT"} {"label": "WRONG"}', "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ('"CORRECT"', "is not a JSON object"),
        ('[{"label": "CORRECT"}]', "is not a JSON object"),
        ("{}", "neither CORRECT nor WRONG"),
        ('{"label": "correct"}', "neither CORRECT nor WRONG"),
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
