"""The lines of a batch's files: its requests, and whatever comes back."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locomo_assets.judging.batch_files import (
    RequestResult,
    custom_id,
    read_results,
    request_lines,
)
from locomo_assets.judging.judge import unscored

MISSING = RequestResult(unscored("batch b1 gives no result for it"))


def body(content: str = '{"reasoning": "Same.", "label": "CORRECT"}', tokens: int = 100) -> Any:
    return {
        "choices": [{"message": {"content": content}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": tokens, "completion_tokens": 20},
    }


def line(name: str, status: int = 200, content: Any = None, error: Any = None) -> bytes:
    response = {"status_code": status, "request_id": "r1", "body": content or body()}
    return json.dumps(
        {"custom_id": name, "response": None if error else response, "error": error}
    ).encode()


def result_of(*lines: bytes) -> RequestResult:
    return read_results([b"\n".join(lines)], ["a"], MISSING).results["a"]


def test_a_result_is_tied_by_its_name_whatever_the_order() -> None:
    wrong = body('{"label": "WRONG"}')
    files = [line("b", content=wrong) + b"\n", line("a") + b"\n\n"]
    read = read_results(files, ["a", "b"], MISSING)
    assert {name: str(one.reply.verdict) for name, one in read.results.items()} == {
        "a": "correct",
        "b": "wrong",
    }
    one = read.results["a"]
    assert (one.status, one.error, one.request_id) == (200, None, "r1")
    assert (one.input_tokens, one.output_tokens) == (100, 20)


@pytest.mark.parametrize(
    ("lines", "reason", "tokens"),
    [
        ([], "gives no result for it", None),
        ([line("x")], "gives no result for it", None),
        ([b"{", b"[1]", b'{"custom_id": 1}'], "3 of its lines can't be read", None),
        ([line("a", 500, {"error": {"message": "boom"}})], "HTTP 500: boom", 0),
        ([line("a", 400, ["?"])], "HTTP 400: ?", 0),
        ([line("a", error={"code": "batch_expired", "message": "late"})], "batch_expired: late", 0),
        ([line("a", error={"code": None, "message": "?"})], "was not carried out: ?", 0),
        ([line("a", error="late")], "was not carried out: late", 0),
        ([line("a", error={"code": 10**30})], "was not carried out", 0),
        ([line("a", 0)], "1 of its lines can't be read", None),
        ([line("a", 10**30)], "1 of its lines can't be read", None),
        ([line("a", content=body(tokens=-1))], None, None),
        ([line("a", content=body(tokens=10**30))], None, None),
        ([line("a", content=["?"])], "not a chat completion", None),
        ([line("a", content=body("hm"))], "not JSON", 100),
        ([line("a"), line("a")], "gives 2 results for it", 200),
    ],
)
def test_what_is_no_verdict_says_why(
    lines: list[bytes], reason: str | None, tokens: int | None
) -> None:
    result = result_of(*lines)
    assert (result.reply.verdict == "unscored") == (reason is not None)
    reason = reason or ""
    assert reason in (result.reply.reason or "")
    assert result.input_tokens == tokens


def test_lines_that_are_not_ours_are_counted() -> None:
    read = read_results([b"\n".join([b"\xff", line("x"), line("a")])], ["a"], MISSING)
    assert (read.unreadable, read.unknown) == (1, 1)
    assert read.results["a"].reply.verdict == "correct"


def test_a_request_line_is_whole_whatever_is_in_it() -> None:
    name = custom_id("f" * 64, 3)
    assert len(name) <= 64
    (written,) = request_lines({name: {"model": "m", "text": "one\ntwo é"}}).splitlines()
    assert json.loads(written) == {
        "custom_id": name,
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {"model": "m", "text": "one\ntwo é"},
    }


_ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=4,
)


@given(st.sampled_from(["status_code", "request_id", "body", "response", "error"]), _ODD)
def test_no_odd_value_in_a_line_raises(field: str, odd: object) -> None:
    response = {"status_code": 200, "request_id": "r1", "body": body(), field: odd}
    whole: dict[str, object] = {"custom_id": "a", "response": response, "error": None}
    if field in ("response", "error"):
        whole[field] = odd
    result = result_of(json.dumps(whole).encode())
    assert result.status is None or 100 <= result.status <= 599
    assert result.request_id is None or isinstance(result.request_id, str)
