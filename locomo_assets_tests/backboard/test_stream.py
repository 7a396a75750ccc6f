"""Any bytes, cut anywhere, give a typed error or the right events; only an ended run answers."""

import json
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locomo_assets.backboard import stream
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


@pytest.mark.parametrize(
    "kind", ["run_failed", "error", "RUN_FAILED", "stream_error", "message_failed", "run_cancelled"]
)
def test_a_failure_after_200_is_no_answer(kind: str) -> None:
    with pytest.raises(RunFailedError, match="out of memory"):
        read_events(EVENTS[1], {"type": kind, "message": "out of memory"}, EVENTS[3])


@pytest.mark.parametrize("status", ["FAILED", "CANCELLED", "REQUIRES_ACTION", "IN_PROGRESS"])
def test_a_run_that_ended_otherwise_is_no_answer(status: str) -> None:
    with pytest.raises(RunFailedError, match=status):
        read_events(EVENTS[1], {"type": "run_ended", "status": status})


FIRST: list[dict[str, object]] = [
    {"type": "content_streaming", "content": "Let me look that up."},
    {"type": "run_ended", "status": "completed", "run_id": "r1", "output_tokens": 7},
]


@pytest.mark.parametrize("status", ["completed", "REQUIRES_ACTION", "requires_action"])
@pytest.mark.parametrize(
    "between",
    [
        [],
        [{"type": "tool_submit_required", "run_id": "r1"}],
        [{"type": "reasoning_streaming", "content": "Hm."}],
        [{"type": "unheard_of"}],
    ],
)
def test_text_of_an_earlier_run_is_not_the_answer(
    status: str, between: list[dict[str, object]]
) -> None:
    run = read_events(
        EVENTS[0], FIRST[0], FIRST[1] | {"status": status}, *between, EVENTS[1], EVENTS[3]
    )
    assert (run.text, run.output_tokens) == ("In May ", 3)
    assert [memory.memory_id for memory in run.retrieved] == ["m1"]


def test_a_tool_that_is_asked_for_within_a_run() -> None:
    tool: dict[str, object] = {"type": "tool_submit_required"}
    assert read_events(FIRST[0], tool, EVENTS[1], EVENTS[3]).text == "In May "
    assert read_events(FIRST[0], tool, FIRST[1], EVENTS[1], EVENTS[3]).text == "In May "
    with pytest.raises(RunFailedError, match="tool_submit_required"):
        read_events(FIRST[0], tool, FIRST[1])
    with pytest.raises(RunFailedError, match="tool_submit_required"):
        read_events(*FIRST, tool)


def test_a_last_run_without_text_has_that_of_its_end_or_none() -> None:
    assert read_events(*FIRST, EVENTS[3] | {"content": "In June"}).text == "In June"
    assert read_events(*FIRST, EVENTS[3]).text == ""
    # The end of one run told twice is no other run.
    assert read_events(*FIRST, FIRST[1]).text == "Let me look that up."


def test_a_last_run_that_does_not_end_or_fails_is_no_answer() -> None:
    with pytest.raises(StreamIncompleteError):
        read_events(*FIRST, EVENTS[1])
    with pytest.raises(RunFailedError, match="overloaded"):
        read_events(*FIRST, {"type": "error", "message": "overloaded"})
    with pytest.raises(RunFailedError, match="FAILED"):
        read_events(*FIRST, EVENTS[1], {"type": "run_ended", "status": "FAILED"})


@pytest.mark.parametrize(
    "error", ["overloaded", {"message": "overloaded", "code": 529}, [{"msg": "overloaded"}]]
)
def test_an_error_without_a_type_is_a_failure(error: object) -> None:
    with pytest.raises(RunFailedError, match="overloaded"):
        read_events(EVENTS[1], {"error": error})


def test_an_error_in_other_clothes_is_told_by_its_words() -> None:
    with pytest.raises(RunFailedError, match="run_ended with an error: overloaded"):
        read_events(EVENTS[1], {"type": "run_ended", "status": "COMPLETED", "error": "overloaded"})
    with pytest.raises(RunFailedError, match="error: overloaded"):
        read(b"event: error\ndata: overloaded\n\n")


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


_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=30)
_EVENTS = st.lists(
    st.tuples(
        st.text(st.characters(codec="ascii", categories=["L"]), max_size=8),
        st.lists(_TEXT, min_size=1, max_size=3),
    ),
    max_size=6,
)
_LINE_END = st.sampled_from(["\n", "\r\n", "\r"])


def decode(data: bytes, cuts: list[int]) -> list[SseEvent]:
    decoder = SseDecoder()
    bounds = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    events: list[SseEvent] = []
    for begin, end in pairwise(bounds):
        events += decoder.feed(data[begin:end])
    return events


def by_the_book(data: bytes) -> list[SseEvent]:
    """The format read whole, as its specification words it, with nothing kept between chunks."""
    text = data.decode().removeprefix("\ufeff")
    lines = re.split(r"\r\n|\r|\n", text)[:-1]
    events: list[SseEvent] = []
    kind, values = "", list[str]()
    for line in lines:
        if line == "":
            if values:
                events.append(SseEvent(kind or "message", "\n".join(values)))
            kind, values = "", []
            continue
        name, _, value = line.partition(":")
        value = value[1:] if value.startswith(" ") else value
        if name == "data":
            values.append(value)
        if name == "event":
            kind = value
    return events


@given(events=_EVENTS, end=_LINE_END, cuts=st.lists(st.integers(0, 10_000), max_size=8))
def test_events_survive_any_cut(
    events: list[tuple[str, list[str]]], end: str, cuts: list[int]
) -> None:
    lines: list[str] = []
    for kind, values in events:
        lines += [f"event: {kind}"] if kind else []
        lines += [f"data: {value}" for value in values]
        lines.append("")
    data = "".join(line + end for line in lines).encode()
    expected = [SseEvent(kind or "message", "\n".join(values)) for kind, values in events]
    assert decode(data, cuts) == expected


_PIECES = st.sampled_from(
    [b"data", b":", b" ", b"\r", b"\n", b"\r\n", b"event", b"x", "é".encode(), b"\xef\xbb\xbf"]
)
_BYTES = st.one_of(st.binary(max_size=200), st.lists(_PIECES, max_size=40).map(b"".join))


@given(data=_BYTES, cuts=st.lists(st.integers(0, 10_000), max_size=8))
def test_arbitrary_bytes_give_a_typed_error_or_the_right_events(
    data: bytes, cuts: list[int]
) -> None:
    try:
        events = decode(data, cuts)
    except StreamMalformedError:
        with pytest.raises(UnicodeDecodeError):
            data.decode()
        return
    # An incomplete character at the very end may yet be completed: it is no error so far.
    whole = data.decode(errors="ignore").encode()
    assert data.startswith(whole)
    assert events == by_the_book(whole)


def test_an_event_without_its_empty_line_is_not_given() -> None:
    assert decode(b"data: half", []) == []
    assert decode(b"data: half\n", []) == []
    assert decode(b"data: whole\n\n", []) == [SseEvent("message", "whole")]


def test_a_carriage_return_ends_a_line_without_waiting_for_the_next_chunk() -> None:
    decoder = SseDecoder()
    assert decoder.feed(b"data: a\r\n\r") == [SseEvent("message", "a")]
    assert decoder.feed(b"\n") == []
    assert decoder.feed(b"\ndata: b\r\r") == [SseEvent("message", "b")]


def test_comments_and_unknown_fields_are_passed_over() -> None:
    data = b": ping\nid: 7\nretry: 9\nnonsense\ndata: a\n\n"
    assert decode(data, []) == [SseEvent("message", "a")]


def test_an_event_without_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "LARGEST_EVENT_CHARS", 100)
    decoder = SseDecoder()
    for _ in range(20):
        decoder.feed(b"data: short\n\n")
    decoder.feed(b"data: ")
    for _ in range(9):
        decoder.feed(b"x" * 10)
    with pytest.raises(StreamMalformedError, match="longer than 100"):
        decoder.feed(b"x" * 10)
