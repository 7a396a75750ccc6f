"""The calls about memories and the operations that form them.

Here: listing, searching, counting, and how an operation stands. How memories come about is
`messages`; when they can be seen is `state`.
"""

import time

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from locomo_assets.standin import wire
from locomo_assets.standin.service import Service


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
            Route(f"{of_one}/search", self.search, methods=["POST"]),
            Route(f"{of_one}/stats", self.stats, methods=["GET"]),
        ]

    async def list(self, request: Request) -> JSONResponse:
        assistant = self._service.assistant(request.path_params["assistant_id"])
        params = request.query_params
        memories = self._state.memories(assistant.assistant_id, now=time.time())
        total = len(memories)
        page, size = 1, max(1, total)
        if "page" in params:
            page = wire.whole(params, "page", 1, 1, 1_000_000)
            size = wire.whole(params, "page_size", 20, 1, 100)
        shown = memories[(page - 1) * size : page * size]
        await self._service.other_latency()
        return JSONResponse(
            {
                "memories": [wire.memory_json(memory) for memory in shown],
                "total_count": total,
                "page": page,
                "page_size": size,
                "total_pages": -(-total // size),
            }
        )

    async def search(self, request: Request) -> JSONResponse:
        assistant = self._service.assistant(request.path_params["assistant_id"])
        fields = await wire.read_fields(request)
        query = wire.text(fields, "query")
        if not query:
            raise wire.bad("query is missing")
        limit = wire.whole(fields, "limit", 5, 1, 50)
        found = self._service.retriever.search(assistant.assistant_id, query, limit)
        await self._service.other_latency()
        return JSONResponse(
            {
                "memories": [wire.memory_json(hit.memory, hit.score) for hit in found],
                "total_count": len(found),
            }
        )

    async def stats(self, request: Request) -> JSONResponse:
        assistant = self._service.assistant(request.path_params["assistant_id"])
        total, last = self._state.memory_stats(assistant.assistant_id, now=time.time())
        await self._service.other_latency()
        return JSONResponse(
            {
                "total_memories": total,
                "last_updated": None if last is None else wire.iso(last),
                "limits": {},
            }
        )

    async def operation(self, request: Request) -> JSONResponse:
        found = self._state.operation(request.path_params["operation_id"])
        if found is None:
            raise wire.missing("Memory operation")
        ids = [] if found.memory_id is None else [found.memory_id]
        await self._service.other_latency()
        return JSONResponse(
            {
                "operation_id": found.operation_id,
                "status": found.status,
                "memory_ids": ids,
                "result_count": len(ids),
            }
        )
