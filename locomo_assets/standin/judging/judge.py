"""An OpenAI-compatible judge: `/v1/models` and `/v1/chat/completions`.

Its verdict depends on the share of common words. It imports nothing of the project's judging, so
that neither depends on the other.
"""

import json
import re
import time
import uuid
from dataclasses import dataclass
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from locomo_assets.standin import payloads
from locomo_assets.standin.retrieval import Tokenizer
from locomo_assets.standin.service import Service, pause

OWNER = "standin"
MODEL = "standin-overlap-1"

_NEEDED_SHARE = 0.5
_LABEL = r"^[^\S\n]*{}:"
_INSTRUCTION = re.compile(r"\b(?:CORRECT|WRONG|JSON|label|reasoning)\b")


@dataclass(frozen=True, slots=True)
class Case:
    """What a judge prompt asks about."""

    question: str
    gold_answer: str
    generated_answer: str


def read_case(prompt: str) -> Case | None:
    """The three values of a judge prompt, or None if one is missing.

    They follow the last lines that begin with `Question:`, `Gold answer:` and `Generated answer:`,
    in this order, and may span lines. Paragraphs of instructions after the generated answer are
    not part of it.
    """
    rest, generated = _split_last(prompt, "Generated answer")
    rest, gold = _split_last(rest, "Gold answer")
    _, question = _split_last(rest, "Question")
    if question is None or gold is None or generated is None:
        return None
    paragraphs = re.split(r"\n\s*\n", generated)
    while len(paragraphs) > 1 and _INSTRUCTION.search(paragraphs[-1]):
        paragraphs.pop()
    return Case(question.strip(), gold.strip(), "\n\n".join(paragraphs).strip())


def verdict(case: Case, tokenizer: Tokenizer) -> tuple[bool, str]:
    """Whether the generated answer has half of the gold answer's words, and the reasoning."""
    wanted = set(tokenizer.stems(case.gold_answer)) or set(case.gold_answer.lower().split())
    given = set(tokenizer.stems(case.generated_answer)) or set(
        case.generated_answer.lower().split()
    )
    common = wanted & given
    correct = bool(wanted) and len(common) >= _NEEDED_SHARE * len(wanted)
    return correct, (
        f"The generated answer has {len(common)} of the gold answer's {len(wanted)} words."
    )


def _split_last(text: str, label: str) -> tuple[str, str | None]:
    """The text before the last line with this label, and the value after the label."""
    starts = list(re.finditer(_LABEL.format(label), text, re.MULTILINE | re.IGNORECASE))
    if not starts:
        return text, None
    return text[: starts[-1].start()], text[starts[-1].end() :]


class JudgeCalls:
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
        return JSONResponse({"object": "list", "data": [self._model(MODEL)]})

    async def model(self, request: Request) -> JSONResponse:
        """Every model exists: the stand-in answers whatever its name is."""
        await self._service.other_latency()
        return JSONResponse(self._model(request.path_params["model"]))

    def _model(self, name: str) -> dict[str, Any]:
        return {"id": name, "object": "model", "created": self._started_s, "owned_by": OWNER}

    async def complete(self, request: Request) -> JSONResponse:
        answer = completion(await payloads.read_fields(request), self._service.tokenizer)
        await pause(self._service.settings.verdict_latency_ms)
        return JSONResponse(answer)


def completion(fields: payloads.Fields, tokenizer: Tokenizer) -> dict[str, Any]:
    """The response to a request; HTTPException 400 if it is not a request for a judge."""
    model = payloads.text(fields, "model")
    if not model:
        raise HTTPException(400, "model is missing")
    if fields.get("stream"):
        raise HTTPException(400, "the stand-in's judge does not stream; leave `stream` out")
    texts = _texts(fields.get("messages"))
    asked = [text for role, text in texts if role == "user"]
    case = read_case(asked[-1]) if asked else None
    if case is None:
        raise HTTPException(
            400,
            "the stand-in judges only: the last user message needs lines that begin with "
            "`Question:`, `Gold answer:` and `Generated answer:`",
        )
    correct, reasoning = verdict(case, tokenizer)
    content = json.dumps({"reasoning": reasoning, "label": "CORRECT" if correct else "WRONG"})
    read, written = payloads.tokens(*(text for _, text in texts)), payloads.tokens(content)
    return {
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
