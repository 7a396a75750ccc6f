"""The OpenAI-compatible `/v1/chat/completions` and `/v1/models`, for judges and for answerers.

What a judge says belongs to `judge`, what an answerer says to `answering`.
"""

import time
import uuid
from dataclasses import dataclass
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from locomo_assets.standin import payloads
from locomo_assets.standin.answering.answerer import answered
from locomo_assets.standin.judging import judge
from locomo_assets.standin.judging.judge import read_case
from locomo_assets.standin.service import Service, pause

OWNER = "standin"
MODELS = ("standin-overlap-1", "standin-extractive-1")
"""The judge and the answerer; any other name gets the same, and is told apart by its size only."""


class CompletionCalls:
    """Handlers over one service."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._started_s = int(time.time())

    def routes(self) -> list[Route]:
        """Paths are below `/v1`."""
        return [
            Route("/chat/completions", self.complete, methods=["POST"]),
            Route("/models", self.models, methods=["GET"]),
            Route("/models/{model:path}", self.model, methods=["GET"]),
        ]

    async def models(self, _request: Request) -> JSONResponse:
        await self._service.other_latency()
        return JSONResponse({"object": "list", "data": [self._model(name) for name in MODELS]})

    async def model(self, request: Request) -> JSONResponse:
        """Every model exists: the stand-in answers whatever its name is."""
        await self._service.other_latency()
        return JSONResponse(self._model(request.path_params["model"]))

    def _model(self, name: str) -> dict[str, Any]:
        return {"id": name, "object": "model", "created": self._started_s, "owned_by": OWNER}

    async def complete(self, request: Request) -> JSONResponse:
        completed = complete(await payloads.read_fields(request), self._service)
        settings = self._service.settings
        await pause(
            settings.verdict_latency_ms if completed.is_verdict else settings.first_chunk_latency_ms
        )
        return JSONResponse(completed.body)


@dataclass(frozen=True, slots=True)
class Completion:
    """The response to a request, and whether it is a judge's."""

    body: dict[str, Any]
    is_verdict: bool


def complete(fields: payloads.Fields, service: Service) -> Completion:
    """The response to a request of a judge or of an answerer.

    A judge asks for JSON (`response_format`), or its prompt can be read as a judge's; every other
    request is an answerer's.

    Raises:
        HTTPException: 400, the request is neither's.
    """
    model = payloads.text(fields, "model")
    if not model:
        raise HTTPException(400, "model is missing")
    if fields.get("stream"):
        raise HTTPException(400, "the stand-in does not stream here; leave `stream` out")
    texts = _texts(fields.get("messages"))
    asked = [text for role, text in texts if role == "user"]
    if not asked:
        raise HTTPException(400, "messages has none of the user")
    case = read_case(asked[-1])
    if case is not None:
        content = judge.reply(case, service.tokenizer)
    elif _asks_for_json(fields):
        raise HTTPException(
            400,
            "for JSON the stand-in judges only: the last user message needs lines that begin with "
            "`Question:`, `Gold answer:` and `Generated answer:`",
        )
    else:
        content = answered([text for _, text in texts], model, service)
    read, written = payloads.tokens(*(text for _, text in texts)), payloads.tokens(content)
    body = {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": f"{OWNER}:{model}",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": content, "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": read,
            "completion_tokens": written,
            "total_tokens": read + written,
        },
        "system_fingerprint": OWNER,
    }
    return Completion(body, case is not None)


def _asks_for_json(fields: payloads.Fields) -> bool:
    wanted = fields.get("response_format")
    return isinstance(wanted, dict) and wanted.get("type") in ("json_object", "json_schema")


def _texts(messages: object) -> list[tuple[str, str]]:
    """Role and text of each chat message; its content may be a text or a list of text parts."""
    if not isinstance(messages, list):
        raise HTTPException(400, "messages must be a list")
    texts = []
    for message in messages:
        if not isinstance(message, dict):
            raise HTTPException(400, "each of messages must be an object")
        content = message.get("content")
        parts = content if isinstance(content, list) else [{"text": content}]
        said = [part.get("text") for part in parts if isinstance(part, dict)]
        texts.append((str(message.get("role")), "".join(t for t in said if isinstance(t, str))))
    return texts
