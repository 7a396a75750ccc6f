"""Server-sent events out of a stream of bytes, however it is cut.

Here: the framing of the WHATWG's event stream format (html.spec.whatwg.org, "Server-sent
events"). What an event means is `streaming`.

Two deviations, both towards safety: bytes that are not UTF-8 are an error instead of U+FFFD,
because they would alter an answer; and an event has a largest size.
"""

import codecs
import re
from dataclasses import dataclass

from locomo_assets.http.errors import StreamMalformedError

LARGEST_EVENT_CHARS = 8_000_000

_LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True, slots=True)
class SseEvent:
    """One dispatched event: its type (`message` where none was given) and its data."""

    event: str
    data: str


class SseDecoder:
    """Feed it chunks of bytes; it gives the events completed by each.

    An event not ended by an empty line is never given, as the format asks: a cut stream must
    not pass for a whole one.
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
