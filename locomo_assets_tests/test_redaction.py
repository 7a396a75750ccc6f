"""Keys taken out of what is received, however they are written; and nothing else."""

import json
import time
from typing import Any

import pytest

from locomo_assets import redaction
from locomo_assets.backboard.messages import same_text
from locomo_assets.backboard.stream import RunReader, SseEvent
from locomo_assets.redaction import hide_everywhere, hide_in_body, hide_keys, keep_out_of_logs
from locomo_assets_tests.secrets.echoing import escaped

KEY = 'nvapi/Zq7R"kX2m+Vt9L'


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_keys", (KEY,))


def events(*texts: str) -> list[SseEvent]:
    each = [{"type": "content_streaming", "content": text} for text in texts]
    return [SseEvent("message", json.dumps(one)) for one in [*each, {"type": "run_ended"}]]


@pytest.mark.parametrize(
    "written",
    [
        json.dumps(KEY),
        json.dumps(KEY).replace("/", "\\/"),
        f'"{escaped(KEY)}"',
        f'"{escaped(KEY).upper().replace("U00", "u00")}"',
        f'"{escaped(KEY[:3])}{json.dumps(KEY[3:])[1:]}',
        json.dumps(json.dumps({"inner": KEY})),
        json.dumps(f'{{"inner": "{escaped(KEY)}"}}'),
    ],
)
def test_a_key_in_any_spelling_of_json(written: str) -> None:
    raw = f'{{"a": [{{{json.dumps(KEY)}: {written}}}], "b": "\\n\\u00e9"}}'.encode()
    hidden = json.loads(hide_in_body(raw))
    assert hidden["b"] == "\né"
    assert "nvapi" not in json.dumps(hidden)
    ((name, value),) = hidden["a"][0].items()
    assert name == "***"
    assert "***" in value
    # What stands in a text as JSON may be read once more.
    if value != "***":
        assert "Zq7R" not in str(json.loads(value))


@pytest.mark.parametrize("raw", [b"", b"\xff\xfe\x00 no UTF-8 \\u00", b'{"a": "\\ud83d\\u0041"}'])
def test_bytes_without_a_key_are_the_same(raw: bytes) -> None:
    assert hide_in_body(raw) == raw
    assert hide_in_body(raw + KEY.encode()) == raw + b"***"


@pytest.mark.parametrize("cut", range(1, len(KEY)))
def test_a_key_in_pieces_of_a_stream(cut: int) -> None:
    reader = RunReader("POST /x")
    for event in events("It is ", KEY[:cut], KEY[cut:], "."):
        reader.take(event)
    assert reader.result().text == "It is ***."


def test_a_key_within_another_leaves_no_rest() -> None:
    keep_out_of_logs(f"{KEY}-and-more")
    assert hide_keys(f"{KEY}-and-more, {KEY}") == "***, ***"


def test_a_short_key_stays_in_answers_for_it_may_be_a_word() -> None:
    keep_out_of_logs("test")
    assert hide_in_body(b"a test") == b"a test"
    assert hide_keys("a test") == "a ***"


def test_a_turn_with_a_key_is_the_same_when_it_is_read_back() -> None:
    sent = f"Ann: my key is {KEY}, keep it"
    received: dict[str, Any] = json.loads(hide_in_body(json.dumps({"content": sent}).encode()))
    assert KEY not in received["content"]
    assert same_text(received["content"], sent)
    assert not same_text(received["content"], "Ann: my key is another, keep it")


def test_plain_data() -> None:
    told = {KEY: [(KEY, 1, None)], "n": {"of": ValueError(f"no {KEY}")}}
    assert hide_everywhere(told) == {"***": [["***", 1, None]], "n": {"of": "no ***"}}


def test_an_answer_costs_microseconds() -> None:
    keep_out_of_logs("sk-proj-Wc5JvM1xQe8KzTn4RyLh7DsBg2PfUa9E")
    body = json.dumps({"content": "Ann said “hello”\n" * 40, "message_id": "m" * 36}).encode()
    began = time.process_time()
    for _ in range(20_000):
        hide_in_body(body)
    # 20,000 requests, as a run makes.
    assert time.process_time() - began < 2.0
