"""The stand-in's calls for assistants, their threads and their memories."""

import time
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from locomo_assets.standin import payloads
from locomo_assets.standin.retrieval import MOST_RETRIEVED
from locomo_assets.standin.service import Service

_TEXTS = (
    "description",
    "system_prompt",
    "llm_provider",
    "llm_model_name",
    "embedding_provider",
    "embedding_model_name",
    "custom_fact_extraction_prompt",
    "custom_update_memory_prompt",
)
_NUMBERS = {"tok_k": (1, MOST_RETRIEVED), "embedding_dims": (1, 65_536)}
"""The least and the greatest; nothing documents the greatest `embedding_dims`."""

_PAGE_SIZE = 25


class AssistantCalls:
    """Handlers over one service."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._state = service.state

    def routes(self) -> list[Route]:
        """Paths are below the API's root."""
        one = "/assistants/{assistant_id}"
        return [
            Route("/assistants", self.create, methods=["POST"]),
            Route("/assistants", self.list, methods=["GET"]),
            Route(one, self.get, methods=["GET"]),
            Route(one, self.update, methods=["PUT"]),
            Route(one, self.delete, methods=["DELETE"]),
            Route(f"{one}/clone", self.clone, methods=["POST"]),
            Route(f"{one}/threads", self.create_thread, methods=["POST"]),
            Route(f"{one}/threads", self.list_threads, methods=["GET"]),
            Route("/threads", self.list_all_threads, methods=["GET"]),
            Route("/threads/{thread_id}", self.get_thread, methods=["GET"]),
            Route("/threads/{thread_id}", self.delete_thread, methods=["DELETE"]),
        ]

    async def create(self, request: Request) -> JSONResponse:
        fields = await payloads.read_fields(request)
        name = payloads.text(fields, "name", largest=255)
        if name is None:
            raise payloads.invalid("name is missing")
        created = self._state.create_assistant(name, _kept(fields))
        await self._service.other_latency()
        return JSONResponse(payloads.assistant_json(created))

    async def list(self, request: Request) -> JSONResponse:
        skip, limit = _window(request)
        found = self._state.assistants(
            skip=skip, limit=limit, name=request.query_params.get("name")
        )
        await self._service.other_latency()
        return JSONResponse([payloads.assistant_json(one) for one in found])

    async def get(self, request: Request) -> JSONResponse:
        found = self._service.assistant(request.path_params["assistant_id"])
        await self._service.other_latency()
        return JSONResponse(payloads.assistant_json(found))

    async def update(self, request: Request) -> JSONResponse:
        fields = await payloads.read_fields(request)
        name = payloads.text(fields, "name", largest=255)
        changed = self._state.update_assistant(
            request.path_params["assistant_id"], name, _kept(fields)
        )
        if changed is None:
            raise payloads.not_found("Assistant")
        await self._service.other_latency()
        return JSONResponse(payloads.assistant_json(changed))

    async def delete(self, request: Request) -> JSONResponse:
        assistant_id = request.path_params["assistant_id"]
        if not self._state.delete_assistant(assistant_id):
            raise payloads.not_found("Assistant")
        await self._service.other_latency()
        return _deleted("Assistant", "assistant_id", assistant_id)

    async def clone(self, request: Request) -> JSONResponse:
        fields = await payloads.read_fields(request)
        prompt = payloads.text(fields, "system_prompt")
        # There are no documents, but a bad value is still refused.
        payloads.flag(fields, "copy_documents", True)
        cloned = self._state.clone_assistant(
            request.path_params["assistant_id"],
            name=payloads.text(fields, "name", largest=255),
            fields={} if prompt is None else {"system_prompt": prompt},
            copy_memories=payloads.flag(fields, "copy_memories", True),
        )
        if cloned is None:
            raise payloads.not_found("Assistant")
        created, memories = cloned
        await self._service.other_latency()
        return JSONResponse(
            {
                "assistant": payloads.assistant_json(created),
                "documents_cloned": 0,
                "memories_cloned": memories,
            }
        )

    async def create_thread(self, request: Request) -> JSONResponse:
        await payloads.read_fields(request)
        created = self._state.create_thread(request.path_params["assistant_id"])
        if created is None:
            raise payloads.not_found("Assistant")
        await self._service.other_latency()
        return JSONResponse(payloads.thread_json(created, []))

    async def list_threads(self, request: Request) -> JSONResponse:
        skip, limit = _window(request)
        assistant = self._service.assistant(request.path_params["assistant_id"])
        return await self._listed_threads(skip, limit, assistant.assistant_id)

    async def list_all_threads(self, request: Request) -> JSONResponse:
        skip, limit = _window(request)
        return await self._listed_threads(skip, limit, None)

    async def _listed_threads(
        self, skip: int, limit: int, assistant_id: str | None
    ) -> JSONResponse:
        found = self._state.threads(skip=skip, limit=limit, assistant_id=assistant_id)
        shown = [payloads.thread_json(one, self._state.messages(one.thread_id)) for one in found]
        await self._service.other_latency()
        return JSONResponse(shown)

    async def get_thread(self, request: Request) -> JSONResponse:
        thread = self._service.thread(request.path_params["thread_id"])
        shown = payloads.thread_json(thread, self._state.messages(thread.thread_id))
        await self._service.other_latency()
        return JSONResponse(shown)

    async def delete_thread(self, request: Request) -> JSONResponse:
        thread_id = request.path_params["thread_id"]
        if not self._state.delete_thread(thread_id):
            raise payloads.not_found("Thread")
        await self._service.other_latency()
        return _deleted("Thread", "thread_id", thread_id)


def _kept(fields: payloads.Fields) -> dict[str, Any]:
    """An assistant's fields besides its name; ignores unknown ones, as the service does."""
    given: dict[str, Any] = {name: payloads.text(fields, name) for name in _TEXTS if name in fields}
    for name, limits in _NUMBERS.items():
        if name in fields:
            given[name] = payloads.optional_integer(fields, name, *limits)
    return given | ({"tools": fields["tools"]} if "tools" in fields else {})


def _window(request: Request) -> tuple[int, int]:
    params = request.query_params
    return payloads.integer(params, "skip", 0, 0, 10_000), payloads.integer(
        params, "limit", 100, 1, 200
    )


def _deleted(what: str, name: str, value: str) -> JSONResponse:
    return JSONResponse(
        {
            "message": f"{what} deleted",
            name: value,
            "deleted_at": payloads.iso(time.time()),
        }
    )


class MemoryCalls:
    """Handlers over one service."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._state = service.state

    def routes(self) -> list[Route]:
        """Paths are below the API's root."""
        of_one = "/assistants/{assistant_id}/memories"
        operation = "/assistants/memories/operations/{operation_id}"
        return [
            Route(operation, self.operation, methods=["GET"]),
            Route(of_one, self.list, methods=["GET"]),
            Route(of_one, self.add, methods=["POST"]),
            Route(of_one, self.reset, methods=["DELETE"]),
            Route(f"{of_one}/search", self.search, methods=["POST"]),
            Route(f"{of_one}/stats", self.stats, methods=["GET"]),
            Route(f"{of_one}/insights", self.insights, methods=["GET"]),
            Route(f"{of_one}/{{memory_id}}", self.get, methods=["GET"]),
            Route(f"{of_one}/{{memory_id}}", self.update, methods=["PUT"]),
            Route(f"{of_one}/{{memory_id}}", self.delete, methods=["DELETE"]),
        ]

    async def list(self, request: Request) -> JSONResponse:
        assistant = self._service.assistant(request.path_params["assistant_id"])
        params = request.query_params
        memories = self._state.memories(assistant.assistant_id, now=time.time())
        total = len(memories)
        page, size = 1, max(1, total)
        if "page" in params:
            page = payloads.integer(params, "page", 1, 1, 1_000_000)
            size = payloads.integer(params, "page_size", _PAGE_SIZE, 1, 100)
        shown = memories[(page - 1) * size : page * size]
        await self._service.other_latency()
        return JSONResponse(
            {
                "memories": [payloads.memory_json(memory) for memory in shown],
                "total_count": total,
                "page": page,
                "page_size": size,
                "total_pages": -(-total // size),
            }
        )

    async def search(self, request: Request) -> JSONResponse:
        assistant = self._service.assistant(request.path_params["assistant_id"])
        fields = await payloads.read_fields(request)
        query = payloads.text(fields, "query")
        if not query:
            raise payloads.invalid("query is missing")
        limit = payloads.integer(fields, "limit", 5, 1, 50)
        # The call has no mode: it searches as the memory was formed.
        found = self._service.retriever.search(assistant.assistant_id, query, limit, pro=None)
        await self._service.other_latency()
        return JSONResponse(
            {
                "memories": [payloads.memory_json(hit.memory, hit.score) for hit in found],
                "total_count": len(found),
            }
        )

    async def add(self, request: Request) -> JSONResponse:
        """Unlike what a message forms, it is there at once, without an operation."""
        assistant = self._service.assistant(request.path_params["assistant_id"])
        fields = await payloads.read_fields(request)
        metadata = payloads.metadata(fields)
        written = self._state.write_memory(
            assistant.assistant_id,
            _content(fields),
            metadata,
            payloads.custom_time(metadata) or datetime.now(UTC),
        )
        if written is None:
            raise payloads.not_found("Assistant")
        await self._service.other_latency()
        return _succeeded("Memory added", memory_id=written.memory_id)

    async def get(self, request: Request) -> JSONResponse:
        found = self._state.memory(*self._named(request), now=time.time())
        if found is None:
            raise payloads.not_found("Memory")
        await self._service.other_latency()
        return JSONResponse(payloads.memory_json(found))

    async def update(self, request: Request) -> JSONResponse:
        """Without metadata it keeps those it has."""
        fields = await payloads.read_fields(request)
        metadata = payloads.metadata(fields)
        changed = self._state.update_memory(
            *self._named(request),
            _content(fields),
            metadata=metadata or None,
            said_at=payloads.custom_time(metadata),
        )
        if changed is None:
            raise payloads.not_found("Memory")
        await self._service.other_latency()
        return JSONResponse(payloads.memory_json(changed))

    async def delete(self, request: Request) -> JSONResponse:
        assistant_id, memory_id = self._named(request)
        if not self._state.delete_memory(assistant_id, memory_id):
            raise payloads.not_found("Memory")
        await self._service.other_latency()
        return _succeeded("Memory deleted", memory_id=memory_id)

    async def reset(self, request: Request) -> JSONResponse:
        assistant = self._service.assistant(request.path_params["assistant_id"])
        deleted = self._state.delete_memories(assistant.assistant_id)
        await self._service.other_latency()
        return _succeeded(f"{deleted} memories deleted")

    async def stats(self, request: Request) -> JSONResponse:
        shown = self._snapshot(request)
        await self._service.other_latency()
        return JSONResponse({**shown, "limits": {}})

    async def insights(self, request: Request) -> JSONResponse:
        """What can be counted; the stand-in finds no signals in what it remembers."""
        shown = self._snapshot(request)
        await self._service.other_latency()
        return JSONResponse(
            {"snapshot": shown, "contentSignals": {}, "breakdown": {}, "operations": []}
        )

    def _snapshot(self, request: Request) -> dict[str, Any]:
        assistant = self._service.assistant(request.path_params["assistant_id"])
        stats = self._state.memory_stats(assistant.assistant_id, now=time.time())
        last = None if stats.last_updated is None else payloads.iso(stats.last_updated)
        return {"total_memories": stats.total, "last_updated": last}

    def _named(self, request: Request) -> tuple[str, str]:
        """The ids of the assistant, which must exist, and of the memory, which need not."""
        assistant = self._service.assistant(request.path_params["assistant_id"])
        return assistant.assistant_id, request.path_params["memory_id"]

    async def operation(self, request: Request) -> JSONResponse:
        found = self._state.operation(request.path_params["operation_id"])
        if found is None:
            raise payloads.not_found("Memory operation")
        told = () if self._service.settings.operations_without_ids else found.results
        await self._service.other_latency()
        return JSONResponse(payloads.operation_json(found, told))


def _content(fields: payloads.Fields) -> str:
    content = payloads.text(fields, "content")
    if not content:
        raise payloads.invalid("content is missing")
    return content


def _succeeded(message: str, **fields: str) -> JSONResponse:
    return JSONResponse({"success": True, "message": message, **fields})
