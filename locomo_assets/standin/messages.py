"""The calls that take messages, turns to remember and questions to answer, and those on runs.

A POST saves its message before answering, and a run saves its answer before sending it. A client
that loses the connection finds both in the thread.
"""

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from locomo_assets.standin import payloads, retrieval
from locomo_assets.standin.answering.capability import capability_of, thinking_tokens
from locomo_assets.standin.middleware import ConnectionDroppedError
from locomo_assets.standin.records import Assistant, MemoryFate, Message, NewMemory, Thread
from locomo_assets.standin.retrieval import MEMORIES_RETRIEVED, SearchHit
from locomo_assets.standin.service import Service, pause

PROVIDER = "standin"
MODEL = "standin-extractive-1"

CONTEXT_LIMIT = 1_000_000
"""Invented: the stand-in reads whatever it is sent."""

_WORDS_PER_CHUNK = 8

_MODES = {"memory": ("Auto", "Readonly", "off", "On"), "memory_pro": ("Auto", "Readonly")}
_DEFAULT_ASSISTANT = "Default Assistant"
_FAILURE = "The run failed, as configured in the stand-in"


@dataclass(frozen=True, slots=True)
class _PostedMessage:
    """A message as posted. `mode` is in lower case; `said_at` is None without a timestamp.

    `pro`: the mode is one of Memory Pro.
    """

    content: str
    stream: bool
    mode: str
    send_to_llm: bool
    metadata: dict[str, Any]
    said_at: datetime | None
    pro: bool
    model: str | None
    system_prompt: str | None
    thinking_tokens: int


@dataclass(frozen=True, slots=True)
class _Run:
    """A question that was processed; `reply` is None if the run failed."""

    thread: Thread
    question: Message
    reply: Message | None
    found: Sequence[SearchHit]
    system_prompt: str
    thinking_tokens: int

    def usage(self) -> dict[str, Any]:
        read = payloads.tokens(
            self.system_prompt,
            self.question.content,
            *(hit.memory.content for hit in self.found),
        )
        written = payloads.tokens(self.reply.content) + self.thinking_tokens if self.reply else 0
        return {
            "model_provider": PROVIDER,
            "model_name": MODEL,
            "input_tokens": read,
            "output_tokens": written,
            "total_tokens": read + written,
        }


class MessageCalls:
    """Handlers over one service."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self) -> list[Route]:
        """Paths are below the API's root."""
        run = "/threads/{thread_id}/runs/{run_id}"
        return [
            Route("/threads/{thread_id}/messages", self.post_to_thread, methods=["POST"]),
            Route("/threads/messages", self.post, methods=["POST"]),
            Route(f"{run}/cancel", self.cancel_run, methods=["POST"]),
            Route(f"{run}/submit-tool-outputs", self.refuse_tool_outputs, methods=["POST"]),
            Route("/threads/tool-outputs", self.refuse_tool_outputs, methods=["POST"]),
        ]

    async def post_to_thread(self, request: Request) -> Response:
        """The call the published benchmark uses; it returns one flat object."""
        fields = await payloads.read_fields(request)
        posted = _parse_message(fields)
        thread = self._service.thread(request.path_params["thread_id"])
        return await self._handle(thread, posted, flat=True)

    async def post(self, request: Request) -> Response:
        """The newer call: the thread is in the body or created; it returns a list."""
        fields = await payloads.read_fields(request)
        posted = _parse_message(fields)
        return await self._handle(self._thread_of(fields), posted, flat=False)

    async def cancel_run(self, request: Request) -> JSONResponse:
        """A run has answered before anybody learns its id, so that there is nothing to cancel."""
        thread = self._service.thread(request.path_params["thread_id"])
        run_id = request.path_params["run_id"]
        questions = self._service.state.messages(thread.thread_id)
        if not any(one.message_id == run_id and one.role == "user" for one in questions):
            raise payloads.not_found("Run")
        await self._service.other_latency()
        return JSONResponse({"thread_id": thread.thread_id, "run_id": run_id, "cancelled": False})

    async def refuse_tool_outputs(self, request: Request) -> JSONResponse:
        fields = await payloads.read_fields(request)
        thread_id = request.path_params.get("thread_id") or payloads.text(fields, "thread_id")
        if not thread_id:
            raise payloads.invalid("thread_id is missing")
        self._service.thread(thread_id)
        raise payloads.refused("No run waits for tool outputs: the stand-in calls no tools")

    def _thread_of(self, fields: payloads.Fields) -> Thread:
        thread_id = payloads.text(fields, "thread_id")
        assistant_id = payloads.text(fields, "assistant_id")
        if thread_id is not None:
            thread = self._service.thread(thread_id)
            if assistant_id not in (None, thread.assistant_id):
                raise payloads.invalid("thread_id is not a thread of assistant_id")
            return thread
        state = self._service.state
        if assistant_id is None:
            assistant_id = state.create_assistant(_DEFAULT_ASSISTANT, {}).assistant_id
        created = state.create_thread(assistant_id)
        if created is None:
            raise payloads.not_found("Assistant")
        return created

    async def _handle(self, thread: Thread, posted: _PostedMessage, *, flat: bool) -> Response:
        settings = self._service.settings
        if not posted.send_to_llm:
            found = []
            if posted.mode == "readonly":
                found = self._search(self._service.assistant(thread.assistant_id), posted)
            saved = self._save(thread, "user", posted, remember=posted.mode in ("on", "auto"))
            await pause(settings.message_latency_ms)
            answer = _flat(thread, saved, "Message saved", _retrieved(found))
            if posted.stream:
                return _stream(_saved_events(answer))
            return JSONResponse(answer if flat else _listed([answer]))
        run = self._run(thread, posted)
        if posted.stream:
            return _stream(self._events(run))
        await pause(settings.first_chunk_latency_ms)
        return JSONResponse(_answered(run) if flat else _answered_list(run))

    def _run(self, thread: Thread, posted: _PostedMessage) -> _Run:
        service = self._service
        assistant = service.assistant(thread.assistant_id)
        # Search before the question itself can become a memory.
        found = self._search(assistant, posted) if posted.mode != "off" else []
        question = self._save(thread, "user", posted, remember=posted.mode in ("on", "auto"))
        asked, in_message = service.context.read(posted.content, MEMORIES_RETRIEVED)
        reply = None
        if not service.faults.occurs("run_failed", service.settings.run_failed_share):
            silent = service.faults.occurs("wordless", service.settings.wordless_share)
            memories = found or in_message
            capability = capability_of(posted.model or assistant.fields.get("llm_model_name"))
            text = ""
            if not silent:
                text = retrieval.answer(asked, memories, service.tokenizer, capability)
            reply = service.state.save_message(
                thread,
                role="assistant",
                content=text,
                status="COMPLETED",
                metadata={},
                memory=None,
            )
            if reply is None:
                raise payloads.not_found("Thread")
        system_prompt = posted.system_prompt or assistant.fields.get("system_prompt") or ""
        return _Run(thread, question, reply, found, system_prompt, posted.thinking_tokens)

    def _search(self, assistant: Assistant, posted: _PostedMessage) -> list[SearchHit]:
        tok_k = assistant.fields.get("tok_k") or MEMORIES_RETRIEVED
        return self._service.retriever.search(
            assistant.assistant_id, posted.content, tok_k, pro=posted.pro
        )

    def _save(
        self, thread: Thread, role: str, posted: _PostedMessage, *, remember: bool
    ) -> Message:
        memory = self._new_memory(posted) if remember else None
        saved = self._service.state.save_message(
            thread,
            role=role,
            content=posted.content,
            status="COMPLETED",
            metadata=posted.metadata,
            memory=memory,
        )
        if saved is None:
            raise payloads.not_found("Thread")
        return saved

    def _new_memory(self, posted: _PostedMessage) -> NewMemory:
        settings = self._service.settings
        said_at = posted.said_at or datetime.now(UTC)
        extracted = settings.memory_form == "extracted"
        return NewMemory(
            said_at=said_at,
            delay_s=settings.memory_delay_ms / 1000.0,
            fate=self._fate(),
            facts=self._service.extract(posted.content, said_at.date()) if extracted else None,
            pro=posted.pro,
        )

    def _fate(self) -> MemoryFate:
        settings = self._service.settings
        if settings.memory_failed_share + settings.memory_stuck_share == 0:
            return "formed"
        drawn = self._service.faults.draw("memory")
        if drawn < settings.memory_failed_share:
            return "failed"
        if drawn < settings.memory_failed_share + settings.memory_stuck_share:
            return "stuck"
        return "formed"

    async def _events(self, run: _Run) -> AsyncIterator[str]:
        service = self._service
        cut = service.faults.occurs("cut_stream", service.settings.cut_stream_share)
        broken = cut and service.faults.draw("cut_stream") < 0.5
        yield _event("memory_retrieved", memories=_retrieved(run.found))
        await pause(service.settings.first_chunk_latency_ms)
        if run.reply is None:
            yield _event("run_failed", error=_FAILURE, run_id=run.question.message_id)
            return
        pieces = _pieces(run.reply.content)
        if cut:
            pieces = pieces[: len(pieces) // 2]
        for number, piece in enumerate(pieces):
            if number:
                await pause(service.settings.chunk_latency_ms)
            yield _event("content_streaming", content=piece)
        if broken:
            raise ConnectionDroppedError
        if not cut:
            ended = _outcome(run)
            # Events carry the status in lower case, messages in upper.
            yield _event("run_ended", **{**ended, "status": ended["status"].lower()})


def _parse_message(fields: payloads.Fields) -> _PostedMessage:
    content = payloads.text(fields, "content")
    if not content:
        raise payloads.invalid("content is missing")
    modes = {name: given for name in _MODES if (given := payloads.text(fields, name))}
    if len(modes) > 1:
        raise payloads.invalid("memory and memory_pro cannot be combined: give one of them")
    for name, mode in modes.items():
        if mode.lower() not in [one.lower() for one in _MODES[name]]:
            raise payloads.invalid(f"{name} must be one of {', '.join(_MODES[name])}")
    given_metadata = payloads.metadata(fields)
    payloads.json_object(fields, "openrouter")  # routes nothing, but a bad value is refused
    payloads.text(fields, "llm_provider")
    return _PostedMessage(
        content=content,
        stream=payloads.flag(fields, "stream", False),
        mode=next(iter(modes.values()), "off").lower(),
        send_to_llm=payloads.flag(fields, "send_to_llm", True),
        metadata=given_metadata,
        said_at=payloads.custom_time(given_metadata),
        pro="memory_pro" in modes,
        model=payloads.text(fields, "model_name"),
        system_prompt=payloads.text(fields, "system_prompt"),
        thinking_tokens=thinking_tokens(payloads.json_object(fields, "thinking") or {}),
    )


def _pieces(text: str) -> list[str]:
    """The text in chunks of a few words; joined, they are the text again."""
    words = text.split(" ")
    cut = [
        " ".join(words[start : start + _WORDS_PER_CHUNK])
        for start in range(0, len(words), _WORDS_PER_CHUNK)
    ]
    return [piece if number == 0 else f" {piece}" for number, piece in enumerate(cut)]


def _stream(events: AsyncIterator[str]) -> StreamingResponse:
    return StreamingResponse(
        events, media_type="text/event-stream", headers={"Cache-Control": "no-cache"}
    )


def _event(kind: str, **fields: Any) -> str:
    return f"data: {json.dumps({'type': kind, **fields})}\n\n"


async def _saved_events(answer: dict[str, Any]) -> AsyncIterator[str]:
    if answer["retrieved_memories"]:
        yield _event("memory_retrieved", memories=answer["retrieved_memories"])
    yield _event("message_saved", **answer)


def _retrieved(found: Sequence[SearchHit]) -> list[dict[str, Any]]:
    return [
        {"id": hit.memory.memory_id, "memory": hit.memory.content, "score": hit.score}
        for hit in found
    ]


def _flat(
    thread: Thread, message: Message, text: str, retrieved: list[dict[str, Any]]
) -> dict[str, Any]:
    shown = payloads.message_json(message)
    return {
        "message": text,
        "thread_id": thread.thread_id,
        "assistant_id": thread.assistant_id,
        **shown,
        "run_id": None,
        "retrieved_memories": retrieved,
        "model_provider": None,
        "model_name": None,
        "input_tokens": 0,
        "output_tokens": 0,
        "total_tokens": 0,
        "timestamp": shown["created_at"],
    }


def _listed(messages: list[dict[str, Any]]) -> dict[str, Any]:
    used: int = messages[-1]["total_tokens"]
    return {
        "messages": messages,
        "context_usage": {
            "percent": 100 * used / CONTEXT_LIMIT,
            "used_tokens": used,
            "context_limit": CONTEXT_LIMIT,
            "summary_tokens": 0,
            "model": MODEL,
        },
    }


def _outcome(run: _Run) -> dict[str, Any]:
    """How a run ended, for `run_ended` and for a response that is not streamed."""
    last = run.reply or run.question
    return {
        "run_id": run.question.message_id,
        "thread_id": run.thread.thread_id,
        "assistant_id": run.thread.assistant_id,
        "message_id": last.message_id,
        "status": "COMPLETED" if run.reply else "FAILED",
        "memory_operation_id": run.question.memory_operation_id,
        "retrieved_memories": _retrieved(run.found),
        **run.usage(),
    }


def _answered(run: _Run) -> dict[str, Any]:
    text = "Message answered" if run.reply else _FAILURE
    return {
        **_flat(run.thread, run.reply or run.question, text, []),
        **_outcome(run),
        "role": "assistant",
        "content": run.reply.content if run.reply else "",
    }


def _answered_list(run: _Run) -> dict[str, Any]:
    return _listed([_flat(run.thread, run.question, "Message saved", []), _answered(run)])
