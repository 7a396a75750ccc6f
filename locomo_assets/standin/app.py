"""The stand-in as one application: the memory service under `/api`, the judge under `/v1`.

Here: putting the parts together. Serving it is `server` (a socket) and `in_process`.
"""

from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount

from locomo_assets.standin.assistants import AssistantCalls
from locomo_assets.standin.batches import BatchCalls
from locomo_assets.standin.faults import Dice
from locomo_assets.standin.gate import JUDGE_PREFIX, Gate, error_response
from locomo_assets.standin.judge import JudgeCalls
from locomo_assets.standin.memories import MemoryCalls
from locomo_assets.standin.messages import MessageCalls
from locomo_assets.standin.reading import Reader
from locomo_assets.standin.retrieval import Retriever, Words
from locomo_assets.standin.service import Service
from locomo_assets.standin.settings import StandinSettings
from locomo_assets.standin.state import StandinState

API_PREFIX = "/api"


def create_app(state: StandinState, settings: StandinSettings) -> Starlette:
    """The application over `state`, which stays the caller's to close."""
    dice = Dice(settings.seed)
    words = Words()
    service = Service(state, settings, dice, words, Retriever(state, words), Reader(words))
    api = [
        # The two calls a run makes thousands of come first.
        *MessageCalls(service).routes(),
        *MemoryCalls(service).routes(),
        *AssistantCalls(service).routes(),
    ]
    return Starlette(
        routes=[
            Mount(API_PREFIX, routes=api),
            Mount(
                JUDGE_PREFIX,
                routes=[*JudgeCalls(service).routes(), *BatchCalls(service).routes()],
            ),
        ],
        middleware=[Middleware(Gate, settings=settings, dice=dice)],
        exception_handlers={HTTPException: _error, Exception: _defect},
    )


def _error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for nothing else
    headers = dict(error.headers) if error.headers else None
    return error_response(request.url.path, error.status_code, error.detail, headers)


def _defect(request: Request, _error: Exception) -> JSONResponse:
    return error_response(request.url.path, 500, HTTPStatus(500).phrase)
