"""Reading requests' fields, and building the JSON objects of responses.

Their structure follows Backboard's public documentation and its Python SDK 1.5.19.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request

from locomo_assets.standin.records import (
    Assistant,
    Memory,
    Message,
    Operation,
    OperationResult,
    Thread,
)

Fields = Mapping[str, Any]


def refused(detail: str) -> HTTPException:
    """The error 400 for a request that is valid but can't be carried out."""
    return HTTPException(400, detail)


def invalid(detail: str) -> HTTPException:
    """The error 422 for an invalid request."""
    return HTTPException(422, detail)


def not_found(what: str) -> HTTPException:
    """The error 404 for something that does not exist."""
    return HTTPException(404, f"{what} not found")


async def read_fields(request: Request) -> dict[str, Any]:
    """The fields of a JSON object or a form; an empty body has none."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in ("application/x-www-form-urlencoded", "multipart/form-data"):
        async with request.form() as form:
            return {name: value for name, value in form.items() if isinstance(value, str)}
    body = await request.body()
    if not body:
        return {}
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        raise invalid("The body is not JSON") from None
    if not isinstance(fields, dict):
        raise invalid("The body is not a JSON object")
    return fields


def text(fields: Fields, name: str, *, largest: int | None = None) -> str | None:
    """A text field, or None if it is not given."""
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise invalid(f"{name} must be a text")
    if largest is not None and not 1 <= len(value) <= largest:
        raise invalid(f"{name} must have 1 to {largest} characters")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise invalid(f"{name} holds half a character (a lone surrogate)") from None
    return value


def flag(fields: Fields, name: str, default: bool) -> bool:
    """A boolean field, also as text from a form."""
    value = fields.get(name)
    if value is None:
        return default
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise invalid(f"{name} must be true or false")


def integer(fields: Fields, name: str, default: int, smallest: int, largest: int) -> int:
    """An integer field within limits, also as text from a query."""
    value = fields.get(name, default)
    try:
        number = int(value) if not isinstance(value, bool | float) else None
    except (TypeError, ValueError):
        number = None
    if number is None or not smallest <= number <= largest:
        raise invalid(f"{name} must be a whole number from {smallest} to {largest}")
    return number


def optional_integer(fields: Fields, name: str, smallest: int, largest: int) -> int | None:
    """An integer field within limits, or None if it is not given."""
    if fields.get(name) is None:
        return None
    return integer(fields, name, smallest, smallest, largest)


def metadata(fields: Fields) -> dict[str, Any]:
    """The metadata; empty if it is not given."""
    return json_object(fields, "metadata") or {}


def json_object(fields: Fields, name: str) -> dict[str, Any] | None:
    """An object, or its JSON text as forms carry it; None if it is not given."""
    value = fields.get(name)
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.strip() else None
        except (ValueError, RecursionError):
            raise invalid(f"{name} is not JSON") from None
    if value is not None and not isinstance(value, dict):
        raise invalid(f"{name} must be a JSON object")
    return value


def custom_time(given: Fields) -> datetime | None:
    """The metadata's `custom_timestamp` in UTC; without a zone it counts as UTC."""
    value = given.get("custom_timestamp")
    if value is None:
        return None
    try:
        read = datetime.fromisoformat(value)
        return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise invalid("custom_timestamp must be a time in ISO 8601") from None


def iso(epoch_s: float) -> str:
    """ISO 8601 in UTC."""
    return datetime.fromtimestamp(epoch_s, UTC).isoformat()


def tokens(*texts: str) -> int:
    """A rough count of tokens, four characters each, as there is no real model."""
    return sum((len(one) + 3) // 4 for one in texts)


def assistant_json(assistant: Assistant) -> dict[str, Any]:
    return {
        "description": None,
        "system_prompt": None,
        "tools": [],
        **assistant.fields,
        "assistant_id": assistant.assistant_id,
        "name": assistant.name,
        "created_at": iso(assistant.created_at),
    }


def thread_json(thread: Thread, messages: list[Message]) -> dict[str, Any]:
    return {
        "thread_id": thread.thread_id,
        "assistant_id": thread.assistant_id,
        "created_at": iso(thread.created_at),
        "messages": [message_json(message) for message in messages],
        "metadata_": {},
    }


def message_json(message: Message) -> dict[str, Any]:
    return {
        "message_id": message.message_id,
        "role": message.role,
        "content": message.content,
        "created_at": iso(message.created_at),
        "status": message.status,
        "metadata_": message.metadata,
        "memory_operation_id": message.memory_operation_id,
    }


def operation_json(operation: Operation, told: Sequence[OperationResult]) -> dict[str, Any]:
    """Lists ids where all were added, and says what was done to each where not."""
    ids: list[Any] = [one.memory_id for one in told]
    if any(one.event != "ADD" for one in told):
        ids = [{"id": one.memory_id, "event": one.event, "memory": one.memory} for one in told]
    return {
        "operation_id": operation.operation_id,
        "status": operation.status,
        "memory_ids": ids,
        "result_count": len(ids),
    }


def memory_json(memory: Memory, score: float | None = None) -> dict[str, Any]:
    return {
        "id": memory.memory_id,
        "content": memory.content,
        "metadata": dict(memory.metadata),
        "score": score,
        "created_at": iso(memory.visible_at),
        "updated_at": iso(memory.updated_at or memory.visible_at),
    }
