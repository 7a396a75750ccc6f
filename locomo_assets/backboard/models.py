"""Backboard's JSON answers as frozen values.

Reading is tolerant: unknown fields are ignored, known ones may be in their older places, and text
that no file could hold is repaired.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from locomo_assets.http.calls import whole_number
from locomo_assets.http.errors import UnexpectedAnswerError

_LONGEST_QUOTE_CHARS, _MOST_ERRORS = 200, 5
FAILED_STATUSES = frozenset(("failed", "cancelled", "canceled", "error"))
"""Statuses, in lower case, of a message that came to nothing."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Which system answers: `backboard` unless it says otherwise."""

    system: str


@dataclass(frozen=True, slots=True)
class Assistant:
    """The owner of threads and memories."""

    assistant_id: str
    name: str | None
    created_at: datetime | None


@dataclass(frozen=True, slots=True)
class Clone:
    """A point-in-time copy of an assistant."""

    assistant: Assistant
    memories_cloned: int | None


@dataclass(frozen=True, slots=True)
class Message:
    """One message as a thread keeps it. `role` and `status` are in lower case."""

    message_id: str | None
    role: str | None
    content: str
    status: str | None
    created_at: datetime | None
    memory_operation_id: str | None


@dataclass(frozen=True, slots=True)
class Thread:
    """A thread; `messages` oldest first, empty where the call does not give them."""

    thread_id: str
    created_at: datetime | None
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Saved:
    """A message that was saved without asking a model; `latency_ms` excludes our own queue.

    `failure` is not None if its status is one of `FAILED_STATUSES`: the status, and why.
    """

    message_id: str | None
    memory_operation_id: str | None
    failure: str | None = None
    sent_at: datetime | None = None
    latency_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """A memory operation; `state` is `running`, `completed` or `error`."""

    operation_id: str
    state: str
    memory_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Retrieved:
    """What was retrieved without a model, best first; when, and in how many ms."""

    memories: tuple["Memory", ...]
    retrieved_at: datetime
    latency_ms: float


@dataclass(frozen=True, slots=True)
class Memory:
    """One memory. `metadata_json` is None if the service gives none."""

    memory_id: str | None
    memory: str
    metadata_json: str | None
    score: float | None
    created_at: datetime | None
    updated_at: datetime | None

    def dated(self, before: datetime) -> datetime | None:
        """When what it tells was said: by its metadata, else when it was made.

        Not after `before`, the end of the conversation: that is when it was stored.
        """
        metadata = json.loads(self.metadata_json or "{}")
        told = [time(metadata, name) for name in _DATES] if isinstance(metadata, dict) else []
        return next(
            (one for one in [*told, self.created_at] if one is not None and one <= before), None
        )


_DATES = ("custom_timestamp", "timestamp", "date")
"""Fields of a memory's metadata that may tell when it was said."""


def assistant(raw: object, endpoint: str) -> Assistant:
    """Raises `UnexpectedAnswerError` without its id, as the functions below do without theirs."""
    fields = _without_error(mapping(raw, endpoint), endpoint)
    return Assistant(
        assistant_id=required(fields, "assistant_id", endpoint),
        name=text(fields, "name"),
        created_at=time(fields, "created_at"),
    )


def clone(raw: object, endpoint: str) -> Clone:
    fields = mapping(raw, endpoint)
    if "assistant" not in fields:
        raise _undocumented(fields, "assistant", endpoint)
    return Clone(
        assistant=assistant(fields.get("assistant"), endpoint),
        memories_cloned=count(fields, "memories_cloned"),
    )


def thread(raw: object, endpoint: str) -> Thread:
    fields = _without_error(mapping(raw, endpoint), endpoint)
    if not isinstance(fields.get("messages"), list | None):
        raise _undocumented(fields, "messages", endpoint)
    messages = tuple(message(item) for item in items(fields.get("messages")))
    times = [item.created_at for item in messages if item.created_at is not None]
    if len(times) > 1 and times[0] > times[-1]:
        messages = messages[::-1]
    return Thread(
        thread_id=required(fields, "thread_id", endpoint),
        created_at=time(fields, "created_at"),
        messages=messages,
    )


def message(fields: Mapping[str, Any]) -> Message:
    inner = fields.get("metadata_") or fields.get("metadata")
    metadata = inner if isinstance(inner, dict) else {}
    return Message(
        message_id=text(fields, "message_id", "id"),
        role=_lower(text(fields, "role")),
        content=text(fields, "content") or "",
        status="error" if has_error(fields) else _status(fields),
        created_at=time(fields, "created_at"),
        memory_operation_id=text(fields, "memory_operation_id")
        or text(metadata, "memory_operation_id"),
    )


def saved(raw: object, endpoint: str) -> Saved:
    """From `{messages: [...]}` of newer servers, or the flat message of older ones.

    Without times. An answer that names neither the message nor its operation is none, unless it
    says that the message failed, in a status or, beside an id, as an error.
    """
    fields = mapping(raw, endpoint)
    mine: Mapping[str, Any] = {}
    for item in items(fields.get("messages")):
        if (text(item, "role") or "user").lower() == "user":
            mine = item
    message_id = text(fields, "message_id") or text(mine, "message_id", "id")
    operation_id = text(fields, "memory_operation_id") or text(mine, "memory_operation_id")
    parts = [mine, fields, *(fields.get(name) for name in ("message", "run", "memory_operation"))]
    told = [(one, _failure(one)) for one in parts if isinstance(one, dict)]
    failed, of = next(((how, one) for one, how in told if how is not None), (None, fields))
    if not (message_id or operation_id) and failed in (None, _ERROR):
        raise _undocumented(fields, "message_id", endpoint)
    failure = failed and ": ".join(filter(None, (failed, quote(of) or quote(fields))))
    return Saved(message_id=message_id, memory_operation_id=operation_id, failure=failure)


def operation(operation_id: str, raw: object, endpoint: str) -> Operation:
    """`status` may be in either case; `memory_ids` lists ids, or objects with an `id`.

    Objects with event NONE are left out: nothing was remembered.
    """
    fields = mapping(raw, endpoint)
    if text(fields, "status") is None and (fields.get("error") or fields.get("detail")):
        raise _undocumented(fields, "status", endpoint)
    state = "completed" if _status(fields) == "completed" else "running"
    state = "error" if _failure(fields) is not None else state
    ids: list[str] = []
    listed = fields.get("memory_ids")
    for item in listed if isinstance(listed, list) else []:
        if isinstance(item, dict):
            memory_id = text(item, "id", "memory_id")
            if memory_id and (text(item, "event") or "").upper() != "NONE":
                ids.append(memory_id)
        elif isinstance(item, str):
            ids.append(storable(item))
    return Operation(operation_id=operation_id, state=state, memory_ids=tuple(ids))


def memory(fields: Mapping[str, Any]) -> Memory:
    """The text is in `memory`, `content` or `text`."""
    metadata = fields.get("metadata")
    return Memory(
        memory_id=text(fields, "id", "memory_id"),
        memory=text(fields, "memory", "content", "text") or "",
        metadata_json=storable(json.dumps(metadata, sort_keys=True)) if metadata else None,
        score=number(fields, "score"),
        created_at=time(fields, "created_at"),
        updated_at=time(fields, "updated_at"),
    )


def page_of_memories(raw: object, endpoint: str) -> tuple[tuple[Memory, ...], int, int]:
    """The memories of a page, and how many memories and pages there are: 0 where it is not said."""
    fields = _without_error(mapping(raw, endpoint), endpoint)
    if not isinstance(fields.get("memories"), list):
        raise _undocumented(fields, "memories", endpoint)
    totals = [count(fields, name) or 0 for name in ("total_count", "total_pages")]
    return memories(fields["memories"]), totals[0], totals[1]


def memories(raw: object) -> tuple[Memory, ...]:
    """The memories in a list, without what is no object."""
    return tuple(memory(item) for item in items(raw))


def search_results(raw: object, endpoint: str) -> tuple[Memory, ...]:
    """The memories that a search found, best first."""
    fields = _without_error(mapping(raw, endpoint), endpoint)
    if not isinstance(fields.get("memories"), list):
        raise _undocumented(fields, "memories", endpoint)
    return memories(fields["memories"])


def retrieved_by_message(raw: object, endpoint: str) -> tuple[Memory, ...]:
    """The `retrieved_memories` of a message that no model answered, best first."""
    fields = mapping(raw, endpoint)
    if (failure := saved(raw, endpoint).failure) is not None:
        raise UnexpectedAnswerError(f"{endpoint} failed ({failure})", endpoint=endpoint)
    told = [fields, *items(fields.get("messages"))]
    found = [one["retrieved_memories"] for one in told if "retrieved_memories" in one]
    if not found:
        raise _undocumented(fields, "retrieved_memories", endpoint)
    return next((some for one in found if (some := memories(one))), ())


def deleted(raw: object, endpoint: str) -> None:
    """What a DELETE answers does not matter, unless it is an error."""
    if isinstance(raw, dict) and (raw.get("error") or raw.get("detail")):
        raise _undocumented(raw, "deleted_at", endpoint)


def mapping(raw: object, endpoint: str) -> Mapping[str, Any]:
    """The object itself, or `UnexpectedAnswerError`."""
    if not isinstance(raw, dict):
        raise UnexpectedAnswerError(
            f"{endpoint} answered with {_kind(raw)} where an object was documented: {_CHECK_URL}",
            endpoint=endpoint,
        )
    return raw


def listing(raw: object, endpoint: str) -> list[Mapping[str, Any]]:
    """A list of objects, or `UnexpectedAnswerError`."""
    if not isinstance(raw, list):
        said = quote(raw)
        raise UnexpectedAnswerError(
            f"{endpoint} answered with {_kind(raw)} where a list was documented"
            f"{f' ({said})' if said else ''}: {_CHECK_URL}",
            endpoint=endpoint,
        )
    return items(raw)


def items(raw: object) -> list[Mapping[str, Any]]:
    """The objects in a list; none if it is no list."""
    return [item for item in raw if isinstance(item, dict)] if isinstance(raw, list) else []


def required(fields: Mapping[str, Any], name: str, endpoint: str) -> str:
    """A required text, or `UnexpectedAnswerError`."""
    value = text(fields, name)
    if not value:
        raise _undocumented(fields, name, endpoint)
    return value


_ERROR = "an error"
_NO_ERROR = ("", "none", "null", "false", "0")


def _failure(fields: Mapping[str, Any]) -> str | None:
    """The status by which a part of an answer says that it failed; `_ERROR` where it is none."""
    status = _status(fields)
    if status in FAILED_STATUSES:
        return status
    return _ERROR if has_error(fields) else None


def has_error(fields: Mapping[str, Any]) -> bool:
    """Whether an answer's own fields say that something failed; `"error": "none"` does not."""
    told = [fields.get("error"), fields.get("errors")]
    return fields.get("success") is False or any(
        bool(one) and str(one).strip().lower() not in _NO_ERROR for one in told
    )


def _status(fields: Mapping[str, Any]) -> str | None:
    status = text(fields, "status", "state")
    return None if status is None else status.strip().lower()


def _without_error(fields: Mapping[str, Any], endpoint: str) -> Mapping[str, Any]:
    """The object itself. Raises `UnexpectedAnswerError` if it holds an error, whatever else."""
    if has_error(fields):
        raise UnexpectedAnswerError(
            f"{endpoint} answered with an error ({quote(fields) or 'not told'}): {_CHECK_URL}",
            endpoint=endpoint,
        )
    return fields


_CHECK_URL = "check that the base URL is Backboard's API, and what its status page says"


def _undocumented(fields: Mapping[str, Any], name: str, endpoint: str) -> UnexpectedAnswerError:
    """For a success without its documented field, with what the service says instead."""
    said = quote(fields)
    return UnexpectedAnswerError(
        f"{endpoint} answered without `{name}`{f' ({said})' if said else ''}: {_CHECK_URL}",
        endpoint=endpoint,
    )


_SAYS_WHY = ("error", "errors", "error_message", "detail", "message", "msg", "reason", "title")


def quote(raw: object) -> str:
    """What an answer or event says is wrong, in a few words; empty if it says nothing.

    Without what we sent (`input` of a 422), which may repeat the whole message.
    """
    if not isinstance(raw, dict):
        return ""
    said = [_words(raw.get(name)) for name in _SAYS_WHY]
    line = " ".join(": ".join(dict.fromkeys(part for part in said if part)).split())
    return storable(line)[:_LONGEST_QUOTE_CHARS]


def _words(raw: object) -> str:
    """The words of an error: a text, an object's, or those of each one in a list."""
    if isinstance(raw, list):
        return "; ".join(filter(None, map(_words, raw[:_MOST_ERRORS])))
    if not isinstance(raw, dict):
        return raw if isinstance(raw, str) else ""
    where = f"{raw['loc']}: " if "loc" in raw else ""
    names = ("message", "msg", "detail", "error", "code", "type")
    return next(
        (f"{where}{one}" for one in map(raw.get, names) if isinstance(one, str) and one), ""
    )


def text(fields: Mapping[str, Any], *names: str) -> str | None:
    """The first of these fields that is a text."""
    for name in names:
        value = fields.get(name)
        if isinstance(value, str):
            return storable(value)
    return None


def number(fields: Mapping[str, Any], name: str) -> float | None:
    """A finite number."""
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        result = float(value)
    except OverflowError:
        return None
    return result if math.isfinite(result) else None


def count(fields: Mapping[str, Any], name: str) -> int | None:
    """A whole number, not negative, that fits 64 bits."""
    return whole_number(fields.get(name))


def time(fields: Mapping[str, Any], name: str) -> datetime | None:
    """An ISO 8601 time as UTC, also if it has no zone."""
    value = fields.get(name)
    if not isinstance(value, str):
        return None
    try:
        read = datetime.fromisoformat(value)
        return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def storable(value: str) -> str:
    """The text with lone surrogates (JSON allows them, UTF-8 does not) replaced by U+FFFD."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


def _lower(value: str | None) -> str | None:
    return value.lower() if value is not None else None


def _kind(raw: object) -> str:
    return {dict: "an object", list: "a list", str: "a text", type(None): "null"}.get(
        type(raw), "something else"
    )
