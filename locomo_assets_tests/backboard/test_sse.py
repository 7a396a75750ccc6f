"""The stream reader: any bytes, cut anywhere, give a typed error or the right events."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locomo_assets.backboard import stream
from locomo_assets.backboard.stream import SseDecoder, SseEvent
from locomo_assets.http.errors import StreamMalformedError

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
