"""The stand-in's calls for the catalogue of models, which holds its own and no other."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from locomo_assets.standin import payloads
from locomo_assets.standin.messages import CONTEXT_LIMIT, MODEL, PROVIDER
from locomo_assets.standin.service import Service

_MODEL: dict[str, Any] = {
    "name": MODEL,
    "provider": PROVIDER,
    "model_type": "llm",
    "description": "Quotes sentences of the memories it retrieves",
    "context_limit": CONTEXT_LIMIT,
    "max_output_tokens": CONTEXT_LIMIT,
    "supports_streaming": True,
    "supports_tools": False,
    "supports_vision": False,
    "input_cost_per_1m_tokens": 0.0,
    "output_cost_per_1m_tokens": 0.0,
}

_KINDS_WITHOUT_MODELS = ("embedding", "image", "video")


class ModelCalls:
    """Handlers over one service."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self) -> list[Route]:
        """Paths are below the API's root."""
        empty = [
            Route(f"/models/{kind}/{what}", self.none, methods=["GET"])
            for kind in _KINDS_WITHOUT_MODELS
            for what in ("all", "providers")
        ]
        return [
            *empty,
            Route("/models", self.list, methods=["GET"]),
            Route("/models/providers", self.providers, methods=["GET"]),
            Route("/models/provider/{provider}", self.list, methods=["GET"]),
            # Names of models hold slashes.
            Route("/models/{name:path}", self.get, methods=["GET"]),
        ]

    async def list(self, request: Request) -> JSONResponse:
        params = request.query_params
        skip = payloads.integer(params, "skip", 0, 0, 10_000)
        limit = payloads.integer(params, "limit", 100, 1, 1_000)
        wanted = {"provider": request.path_params.get("provider"), **params}
        smallest = payloads.integer(wanted, "min_context", 0, 0, 10**12)
        largest = payloads.integer(wanted, "max_context", 10**12, 0, 10**12)
        fits = (
            (wanted["provider"] or PROVIDER).lower() == PROVIDER
            and wanted.get("model_type", "llm") == "llm"
            and not payloads.flag(wanted, "supports_tools", False)
            and smallest <= CONTEXT_LIMIT <= largest
        )
        found = [_MODEL] if fits else []
        await self._service.other_latency()
        return JSONResponse({"models": found[skip : skip + limit], "total": len(found)})

    async def providers(self, _request: Request) -> JSONResponse:
        await self._service.other_latency()
        return JSONResponse({"providers": [PROVIDER], "total": 1})

    async def none(self, request: Request) -> JSONResponse:
        listed = "providers" if request.url.path.endswith("/providers") else "models"
        await self._service.other_latency()
        return JSONResponse({listed: [], "total": 0})

    async def get(self, request: Request) -> JSONResponse:
        if request.path_params["name"].lower() != MODEL:
            raise payloads.not_found("Model")
        await self._service.other_latency()
        return JSONResponse(_MODEL)
