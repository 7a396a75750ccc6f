"""A streamed run: from bytes to events, and from events to the answer.

The framing is the WHATWG's event stream format (html.spec.whatwg.org, "Server-sent events"), with
two deviations towards safety: bytes that are not UTF-8 are an error instead of U+FFFD, because
they would alter an answer; and an event has a largest size.
"""

import codecs
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from locomo_assets.backboard.models import (
    Memory,
    count,
    has_error,
    memories,
    quote,
    storable,
    text,
)
from locomo_assets.http.errors import (
    BackboardError,
    RunFailedError,
    StreamIncompleteError,
    StreamMalformedError,
)
from locomo_assets.redaction import hide_in_answer, hide_in_body

LARGEST_EVENT_CHARS = 8_000_000

_LINE_END = re.compile(r"\r\n|\n|\r")
_FAILED = re.compile(r"(?:(?:run|stream|message|response)_)?(?:failed|error|cancell?ed)")
_TEXT_OR_THOUGHT = ("content_streaming", "reasoning_streaming")
_GOES_ON = ("REQUIRES_ACTION", "IN_PROGRESS")
"""Statuses after which another run of the same stream has to follow."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run that ended well. Tokens and ids are None if the service does not give them."""

    text: str
    message_id: str | None
    memory_operation_id: str | None
    retrieved: tuple[Memory, ...]
    input_tokens: int | None
    output_tokens: int | None
    model_provider: str | None
    model_name: str | None


class RunReader:
    """Takes events in order, and gives the `result`, without registered keys.

    Where tools are used a stream holds several runs, each with its `run_ended`. The answer is the
    last one's text alone; what was retrieved may have come in any.
    """

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._pieces: list[str] = []
        self._memories: tuple[Memory, ...] = ()
        self._ended: Mapping[str, Any] | None = None
        self._waits_for: str | None = None
        self.runs = 1

    @property
    def begun(self) -> bool:
        """Whether some of the run's text has come."""
        return bool(self._pieces)

    @property
    def ended(self) -> bool:
        """Whether the run has ended and no other has begun; another may yet follow."""
        return self._ended is not None and self._waits_for is None

    def take(self, event: "SseEvent") -> None:
        """Take one event.

        Raises `RunFailedError` if it says so, `StreamMalformedError` if it is not JSON and a run
        is under way.
        """
        if event.data.strip() in ("", "[DONE]"):
            return
        try:
            fields = json.loads(hide_in_answer(event.data))
        except (ValueError, RecursionError) as error:
            if self.ended:
                return
            raise self._malformed(event) from error
        if not isinstance(fields, dict):
            return
        kind = (text(fields, "type") or event.event).lower()
        if kind in _TEXT_OR_THOUGHT:
            # Kept raw, because a character may come as two halves in two events.
            piece = fields.get("content")
            if isinstance(piece, str) and piece:
                if self._ended is not None or self._waits_for is not None:
                    self._begin_another()
                if kind == "content_streaming":
                    self._pieces.append(piece)
        elif kind == "memory_retrieved":
            self._memories = memories(fields.get("memories")) or self._memories
        elif kind == "tool_submit_required":
            self._begin_another(waits_for=kind)
        elif kind == "run_ended":
            self._end(fields)
        elif _FAILED.fullmatch(kind) or ("type" not in fields and fields.get("error")):
            raise self._failure(fields, kind)

    def result(self) -> Run:
        """The last run's answer; raises `StreamIncompleteError` if it has not ended."""
        if self._waits_for is not None:
            raise self._failure(self._ended or {}, self._waits_for)
        if self._ended is None:
            raise StreamIncompleteError(
                f"{self._endpoint}: the stream ended without `run_ended`", endpoint=self._endpoint
            )
        ended = self._ended
        return Run(
            # Joined first, because a key may come in pieces as well.
            text=hide_in_answer(storable("".join(self._pieces))) or text(ended, "content") or "",
            message_id=text(ended, "message_id"),
            memory_operation_id=text(ended, "memory_operation_id"),
            retrieved=memories(ended.get("retrieved_memories")) or self._memories,
            input_tokens=count(ended, "input_tokens"),
            output_tokens=count(ended, "output_tokens"),
            model_provider=text(ended, "model_provider"),
            model_name=text(ended, "model_name"),
        )

    def _begin_another(self, waits_for: str | None = None) -> None:
        self._pieces, self._ended, self._waits_for = [], None, waits_for
        self.runs += 1

    def _end(self, fields: Mapping[str, Any]) -> None:
        status = text(fields, "status")
        if has_error(fields):
            raise self._failure(fields, "run_ended with an error")
        if self._ended is not None:
            # Nothing came since the last end: told twice, or a run without any text.
            run_id = text(fields, "run_id")
            if not self.ended or run_id is None or run_id != text(self._ended, "run_id"):
                self._begin_another()
        if status is not None and status.upper() in _GOES_ON:
            self._begin_another(waits_for=f"run_ended with status {status}")
        elif status is not None and status.upper() != "COMPLETED":
            raise self._failure(fields, f"run_ended with status {status[:40]}")
        self._ended = fields

    def _malformed(self, event: "SseEvent") -> BackboardError:
        if _FAILED.fullmatch(event.event):
            return self._failure({"error": hide_in_answer(event.data)}, event.event)
        return StreamMalformedError(
            f"{self._endpoint}: the stream holds an event that is not JSON",
            endpoint=self._endpoint,
        )

    def _failure(self, fields: Mapping[str, Any], kind: str) -> RunFailedError:
        line = ": ".join(part for part in (self._endpoint, kind, quote(fields)) if part)
        return RunFailedError(" ".join(line.split()), endpoint=self._endpoint)


def no_stream(endpoint: str, body: bytes) -> StreamIncompleteError:
    """For a success without any event, such as `{"error": …}`; `body` is how it begins."""
    try:
        said = quote(json.loads(hide_in_body(body)))
    except (ValueError, RecursionError):
        said = ""
    return StreamIncompleteError(
        f"{endpoint} answered with no stream of events{f' ({said})' if said else ''}",
        endpoint=endpoint,
    )


@dataclass(frozen=True, slots=True)
class SseEvent:
    """One event: its type (`message` if none was given) and its data."""

    event: str
    data: str


class SseDecoder:
    """Takes chunks of bytes, however they are cut, and gives the events that each completes.

    An event without an empty line at its end is never given: a cut stream must not pass for a
    whole one.
    """

    def __init__(self) -> None:
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._begun = False
        self._after_cr = False
        self._line: list[str] = []
        self._event = ""
        self._data: list[str] = []
        self._chars = 0

    def feed(self, chunk: bytes) -> list[SseEvent]:
        """The events that end in this chunk.

        Raises `StreamMalformedError` on bytes that are not UTF-8 and on an event without end.
        """
        try:
            text = self._utf8.decode(chunk)
        except UnicodeDecodeError as error:
            raise StreamMalformedError("the stream holds bytes that are not UTF-8") from error
        if not text:
            return []
        if not self._begun:
            self._begun = True
            text = text.removeprefix("\ufeff")
        if self._after_cr:
            text = text.removeprefix("\n")
        # A chunk may end between CR and LF; the line has ended either way.
        self._after_cr = text.endswith("\r")
        self._chars += len(text)
        *whole, rest = _LINE_END.split(text)
        events: list[SseEvent] = []
        for end_of_line in whole:
            line = "".join((*self._line, end_of_line)) if self._line else end_of_line
            self._line.clear()
            event = self._take(line)
            if event is not None:
                events.append(event)
        if rest:
            self._line.append(rest)
        if self._chars > LARGEST_EVENT_CHARS:
            raise StreamMalformedError(
                f"an event is longer than {LARGEST_EVENT_CHARS:,} characters"
            )
        return events

    def _take(self, line: str) -> SseEvent | None:
        if not line:
            return self._dispatch()
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            self._data.append(value)
        elif field == "event":
            self._event = value
        return None

    def _dispatch(self) -> SseEvent | None:
        event = SseEvent(self._event or "message", "\n".join(self._data)) if self._data else None
        self._event = ""
        self._data.clear()
        self._chars = 0
        return event
