"""A run's events: only a run that ended well is an answer."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locomo_assets.backboard.stream import Run, RunReader, SseDecoder, SseEvent
from locomo_assets.http.errors import (
    BackboardError,
    RunFailedError,
    StreamIncompleteError,
    StreamMalformedError,
)

EVENTS: list[dict[str, object]] = [
    {"type": "memory_retrieved", "memories": [{"id": "m1", "content": "likes jazz", "score": 0.5}]},
    {"type": "content_streaming", "content": "In May "},
    {"type": "content_streaming", "content": "2023, Zoë"},
    {
        "type": "run_ended",
        "status": "COMPLETED",
        "memory_operation_id": "op1",
        "retrieved_memories": [],
        "input_tokens": 12,
        "output_tokens": 3,
        "model_name": "m",
        "surprise": {"new": "field"},
    },
]
STREAM = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in EVENTS)


def read(data: bytes) -> Run:
    decoder, reader = SseDecoder(), RunReader("POST /x")
    for event in decoder.feed(data):
        reader.take(event)
    return reader.result()


def read_events(*events: dict[str, object]) -> Run:
    reader = RunReader("POST /x")
    for event in events:
        reader.take(SseEvent("message", json.dumps(event)))
    return reader.result()


def test_a_whole_run() -> None:
    run = read(STREAM)
    assert run.text == "In May 2023, Zoë"
    assert [(m.memory_id, m.memory, m.score) for m in run.retrieved] == [("m1", "likes jazz", 0.5)]
    assert (run.input_tokens, run.output_tokens) == (12, 3)
    assert (run.memory_operation_id, run.model_name, run.message_id) == ("op1", "m", None)


@given(length=st.integers(0, len(STREAM)))
def test_a_cut_stream_is_no_answer_wherever_it_is_cut(length: int) -> None:
    if length == len(STREAM):
        assert read(STREAM[:length]).text == "In May 2023, Zoë"
    else:
        with pytest.raises(StreamIncompleteError):
            read(STREAM[:length])


@given(data=st.binary(max_size=300), at=st.integers(0, len(STREAM)))
def test_bytes_in_between_give_a_typed_error_or_a_run(data: bytes, at: int) -> None:
    try:
        run = read(STREAM[:at] + data + STREAM[at:])
    except BackboardError:
        return
    assert run.text.encode()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["type", "content", "memories", "status", "input_tokens", "id", "score", "text"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_any_json_is_passed_over_or_a_typed_error(value: object) -> None:
    reader = RunReader("POST /x")
    try:
        reader.take(SseEvent("message", json.dumps(value)))
    except RunFailedError:
        return
    reader.take(SseEvent("message", json.dumps(EVENTS[3])))
    assert isinstance(reader.result().text, str)


@pytest.mark.parametrize("kind", ["run_failed", "error"])
def test_a_failure_after_200_is_no_answer(kind: str) -> None:
    with pytest.raises(RunFailedError, match="out of memory"):
        read_events(EVENTS[1], {"type": kind, "message": "out of memory"}, EVENTS[3])


@pytest.mark.parametrize("status", ["FAILED", "CANCELLED", "REQUIRES_ACTION", "IN_PROGRESS"])
def test_a_run_that_ended_otherwise_is_no_answer(status: str) -> None:
    with pytest.raises(RunFailedError, match=status):
        read_events(EVENTS[1], {"type": "run_ended", "status": status})


def test_a_run_may_end_without_or_with_lower_case_status() -> None:
    assert read_events(EVENTS[1], {"type": "run_ended"}).text == "In May "
    assert read_events(EVENTS[1], {"type": "run_ended", "status": "completed"}).text == "In May "


def test_saving_is_not_the_end_of_a_run() -> None:
    with pytest.raises(StreamIncompleteError):
        read_events(EVENTS[1], {"type": "message_saved", "message_id": "q"})


def test_events_that_are_not_json_are_malformed() -> None:
    with pytest.raises(StreamMalformedError):
        read(b"data: {oops\n\n")
    with pytest.raises(StreamMalformedError):
        read(b"data: " + b"[" * 100_000 + b"\n\n")


def test_halves_of_a_character_in_two_events_are_joined() -> None:
    whole = "\U0001f600"
    high, low = json.dumps(whole).strip('"').replace("\\u", " \\u").split()
    data = "".join(
        f'data: {{"type": "content_streaming", "content": "{x}"}}\n\n' for x in (high, low)
    )
    run = read(data.encode() + b'data: {"type": "run_ended"}\n\n')
    assert run.text == whole
    assert (
        read(data.encode()[: len(data) // 2] + b'data: {"type": "run_ended"}\n\n').text == "\ufffd"
    )
