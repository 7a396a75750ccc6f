"""Between JSON (or a form) and the stand-in's values.

Here: reading a request's fields with the errors a client gets for bad ones, and the objects that
answers are made of. What a call does with them is `assistants`, `messages` and `memories`. The
shapes are those of Backboard's public documentation and its Python SDK 1.5.19.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request

from locomo_assets.standin.records import Assistant, Memory, Message, Thread

Fields = Mapping[str, Any]


def bad(detail: str) -> HTTPException:
    """A request that can't be understood: 422."""
    return HTTPException(422, detail)


def missing(what: str) -> HTTPException:
    """Something that is not there: 404."""
    return HTTPException(404, f"{what} not found")


async def read_fields(request: Request) -> dict[str, Any]:
    """A JSON object's or a form's fields; a body that is empty has none."""
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
        raise bad("The body is not JSON") from None
    if not isinstance(fields, dict):
        raise bad("The body is not a JSON object")
    return fields


def text(fields: Fields, name: str, *, largest: int | None = None) -> str | None:
    """A text, or None where it is not given."""
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise bad(f"{name} must be a text")
    if largest is not None and not 1 <= len(value) <= largest:
        raise bad(f"{name} must have 1 to {largest} characters")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise bad(f"{name} holds half a character (a lone surrogate)") from None
    return value


def flag(fields: Fields, name: str, default: bool) -> bool:
    """True or false, also as a form's text."""
    value = fields.get(name)
    if value is None:
        return default
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise bad(f"{name} must be true or false")


def whole(fields: Fields, name: str, default: int, smallest: int, largest: int) -> int:
    """A whole number within limits, also as a query's text."""
    value = fields.get(name, default)
    try:
        number = int(value) if not isinstance(value, bool | float) else None
    except (TypeError, ValueError):
        number = None
    if number is None or not smallest <= number <= largest:
        raise bad(f"{name} must be a whole number from {smallest} to {largest}")
    return number


def metadata(fields: Fields) -> dict[str, Any]:
    """The metadata: an object, or an object's JSON text; empty where it is not given."""
    value = fields.get("metadata")
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.strip() else None
        except (ValueError, RecursionError):
            raise bad("metadata is not JSON") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise bad("metadata must be a JSON object")
    return value


def custom_time(given: Fields) -> datetime | None:
    """`custom_timestamp` of the metadata as UTC; without a zone it is taken for UTC."""
    value = given.get("custom_timestamp")
    if value is None:
        return None
    try:
        read = datetime.fromisoformat(value)
        return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise bad("custom_timestamp must be a time in ISO 8601") from None


def iso(epoch_s: float) -> str:
    """ISO 8601 in UTC."""
    return datetime.fromtimestamp(epoch_s, UTC).isoformat()


def tokens(*texts: str) -> int:
    """A rough count of tokens: four characters each, as there is no model to count for."""
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


def memory_json(memory: Memory, score: float | None = None) -> dict[str, Any]:
    formed_at = iso(memory.visible_at)
    return {
        "id": memory.memory_id,
        "content": memory.content,
        "metadata": memory.metadata,
        "score": score,
        "created_at": formed_at,
        "updated_at": formed_at,
    }
