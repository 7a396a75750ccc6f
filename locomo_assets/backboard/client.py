"""Backboard's calls, one method each: its path, its fields, and what it answers.

How a call is sent and repeated is said in `transport`, what answers look like in `models`.
Source: docs.backboard.io and the vendor's Python SDK 1.5.19.
"""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx

from locomo_assets.backboard import models
from locomo_assets.backboard.failures import Call
from locomo_assets.backboard.options import PUBLISHED, ServiceOptions
from locomo_assets.backboard.transport import Answered, Timeouts, Transport
from locomo_assets.http.calls import CallOptions
from locomo_assets.http.errors import NotFoundError, RetrySettings
from locomo_assets.redaction import hide_in_answer

MESSAGES = "POST /threads/{id}/messages"
"""The endpoint that turns and questions go to, as `Limits` and `CallRecord` name it."""

_PAGE = 100
_PROBE_ATTEMPTS = 3

T = TypeVar("T")


class BackboardClient:
    """The service at `base_url`; an async context manager around its connections.

    The bound on TLS in the options does not hold for a `transport` that is given.

    Raises `KeyRefusedError` or `PermanentError` at once for an unusable key or URL. Every method
    may raise the errors of `http.errors`; a call that must not be sent twice raises
    `AmbiguousError` where others are repeated.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        options: CallOptions | None = None,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        timeouts: Timeouts | None = None,
        retry: RetrySettings | None = None,
    ) -> None:
        options = options or CallOptions()
        self.limits = options.limits
        self.retry = retry or RetrySettings()
        self._transport = Transport(
            base_url,
            api_key,
            options,
            transport=transport,
            timeouts=timeouts or Timeouts(),
            retry=self.retry,
        )

    def __repr__(self) -> str:
        return f"BackboardClient({self.base_url!r})"

    @property
    def base_url(self) -> str:
        """Without a slash at its end."""
        return self._transport.base_url

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._transport.__aexit__(*exc)

    async def probe(self) -> models.Probe:
        """Check that the service answers and accepts the key; tells which system it is."""
        call = Call("GET", "/assistants", "/assistants", True, params={"limit": 1})
        _, stats = await self._transport.json(call, models.listing, attempts=_PROBE_ATTEMPTS)
        return models.Probe(system=stats.system or "backboard")

    async def create_assistant(
        self,
        name: str,
        *,
        description: str,
        llm_provider: str | None = None,
        llm_model: str | None = None,
        options: ServiceOptions = PUBLISHED,
    ) -> models.Assistant:
        """A new assistant without tools. Not repeatable: in doubt, look for it by name."""
        body: dict[str, Any] = {"name": name, "description": description, "tools": []}
        body |= options.assistant_fields()
        if llm_provider is not None:
            body["llm_provider"] = llm_provider
        if llm_model is not None:
            body["llm_model_name"] = llm_model
        call = Call("POST", "/assistants", "/assistants", False, json=body)
        return await self._json(call, models.assistant)

    async def list_assistants(self, *, name: str | None = None) -> list[models.Assistant]:
        """All assistants of the account, or those with exactly this name."""
        named = {} if name is None else {"name": name}
        call_pages = self._pages("/assistants", "/assistants", named)
        found = [models.assistant(raw, "GET /assistants") async for raw in call_pages]
        # A server that does not know the parameter lists them all.
        return [one for one in found if name is None or one.name == hide_in_answer(name)]

    async def get_assistant(self, assistant_id: str) -> models.Assistant:
        """Raises `NotFoundError` if there is none."""
        return await self._json(_on_assistant("GET", "", assistant_id, True), models.assistant)

    async def delete_assistant(self, assistant_id: str) -> None:
        """Permanent, with threads and memories. A missing assistant is no error."""
        await self._delete(_on_assistant("DELETE", "", assistant_id, True))

    async def clone_assistant(self, assistant_id: str, name: str) -> models.Clone:
        """A copy with its current memories, without its threads. Not repeatable."""
        body = {"name": name, "copy_memories": True, "copy_documents": False}
        call = _on_assistant("POST", "/clone", assistant_id, False, json=body)
        return await self._json(call, models.clone)

    async def create_thread(self, assistant_id: str) -> models.Thread:
        """A new, empty thread. Not repeatable: in doubt, list the assistant's threads."""
        call = _on_assistant("POST", "/threads", assistant_id, False, json={})
        return await self._json(call, models.thread)

    async def list_threads(self, assistant_id: str) -> list[models.Thread]:
        """All threads of an assistant, with or without messages, as the server chooses."""
        path = f"/assistants/{quote(assistant_id, safe='')}/threads"
        pages = self._pages("/assistants/{id}/threads", path, {})
        return [models.thread(raw, "GET /assistants/{id}/threads") async for raw in pages]

    async def get_thread(self, thread_id: str) -> models.Thread:
        """A thread with its messages, oldest first."""
        return await self._json(_on_thread("GET", "", thread_id, True), models.thread)

    async def add_message(
        self,
        thread_id: str,
        content: str,
        *,
        memory: str,
        custom_timestamp: datetime,
        llm_provider: str | None = None,
        llm_model: str | None = None,
        options: ServiceOptions = PUBLISHED,
    ) -> models.Saved:
        """Save a dated message without asking a model; its memory forms in the background.

        Never repeated once it may have been sent: read the thread back on `AmbiguousError`.
        """
        stamp = custom_timestamp.strftime("%Y-%m-%dT%H:%M:%SZ")
        form = {
            "content": content,
            "stream": "false",
            **options.memory_field(memory),
            "send_to_llm": "false",
            "metadata": json.dumps({"custom_timestamp": stamp}),
            **_model(llm_provider, llm_model),
        }
        call = _on_thread("POST", "/messages", thread_id, False, form=form)
        saved, stats = await self._transport.json(call, models.saved)
        return replace(saved, sent_at=stats.sent_at, latency_ms=stats.latency_ms or 0.0)

    async def ask(
        self,
        thread_id: str,
        content: str,
        *,
        memory: str,
        llm_provider: str | None = None,
        llm_model: str | None = None,
        options: ServiceOptions = PUBLISHED,
    ) -> Answered:
        """Ask a model, streamed. Never repeated once it may have been sent.

        Raises `StreamIncompleteError` if the stream ends without `run_ended`, and `RunFailedError`
        if the service says so.
        """
        form = {
            "content": content,
            "stream": "true",
            **options.memory_field(memory),
            "send_to_llm": "true",
            **_model(llm_provider, llm_model),
            **options.question_fields(),
        }
        return await self._transport.run(
            _on_thread("POST", "/messages", thread_id, False, form=form)
        )

    async def search_memories(self, assistant_id: str, query: str, limit: int) -> models.Retrieved:
        """The memories that fit a query best, at most `limit` (1 to 50). It only reads."""
        body = {"query": query, "limit": limit}
        call = _on_assistant("POST", "/memories/search", assistant_id, True, json=body)
        found, stats = await self._transport.json(call, models.search_results)
        return models.Retrieved(found, stats.sent_at, stats.latency_ms or 0.0)

    async def retrieve_by_message(
        self, thread_id: str, content: str, *, options: ServiceOptions = PUBLISHED
    ) -> models.Retrieved:
        """The memories that the service retrieves for a message which no model answers.

        The message stays in its thread and forms no memory. Not repeatable in the same thread.
        """
        form = {
            "content": content,
            "stream": "false",
            **options.memory_field("Readonly"),
            "send_to_llm": "false",
        }
        call = _on_thread("POST", "/messages", thread_id, False, form=form)
        found, stats = await self._transport.json(call, models.retrieved_by_message)
        return models.Retrieved(found, stats.sent_at, stats.latency_ms or 0.0)

    async def list_memories(self, assistant_id: str) -> list[models.Memory]:
        """All memories of an assistant, each id once."""
        found: dict[str | None, models.Memory] = {}
        page, pages = 1, 1
        while page <= pages:
            params = {"page": page, "page_size": _PAGE}
            call = _on_assistant("GET", "/memories", assistant_id, True, params=params)
            memories, total, pages = await self._json(call, models.page_of_memories)
            before = len(found)
            found.update((one.memory_id, one) for one in memories)
            pages = pages or -(-total // _PAGE)
            page += 1
            # Its number of pages may be nonsense.
            if len(found) == before:
                break
        return list(found.values())

    async def memory_operation(self, operation_id: str) -> models.Operation:
        """The state of a memory operation, by which a message's memory is formed."""
        template = "/assistants/memories/operations/{id}"
        call = Call("GET", template, template.replace("{id}", quote(operation_id, safe="")), True)
        return await self._json(call, partial(models.operation, operation_id))

    async def _json(self, call: Call, read: Callable[[object, str], T]) -> T:
        answer, _ = await self._transport.json(call, read)
        return answer

    async def _delete(self, call: Call) -> None:
        try:
            await self._json(call, models.deleted)
        except NotFoundError:
            return

    async def _pages(
        self, template: str, path: str, params: dict[str, Any]
    ) -> AsyncIterator[dict[str, Any]]:
        skip = 0
        while True:
            paged = {"skip": skip, "limit": _PAGE, **params}
            call = Call("GET", template, path, True, params=paged)
            raw = await self._json(call, models.listing)
            for item in raw:
                yield dict(item)
            if len(raw) < _PAGE:
                return
            skip += len(raw)


def _on_assistant(method: str, rest: str, assistant_id: str, repeatable: bool, **more: Any) -> Call:
    path = f"/assistants/{quote(assistant_id, safe='')}{rest}"
    return Call(method, "/assistants/{id}" + rest, path, repeatable, **more)


def _on_thread(method: str, rest: str, thread_id: str, repeatable: bool, **more: Any) -> Call:
    path = f"/threads/{quote(thread_id, safe='')}{rest}"
    return Call(method, "/threads/{id}" + rest, path, repeatable, **more)


def _model(llm_provider: str | None, llm_model: str | None) -> dict[str, str]:
    fields = {"llm_provider": llm_provider, "model_name": llm_model}
    return {name: value for name, value in fields.items() if value is not None}
