"""From a run's events to its answer.

Here: what each event means (`backboard-api`: Streamed), as a fold over decoded events that
ends at `run_ended`. Framing is `sse`, the connection is `exchange`.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from locomo_assets.backboard import shapes
from locomo_assets.backboard.errors import (
    RunFailedError,
    StreamIncompleteError,
    StreamMalformedError,
)
from locomo_assets.backboard.sse import SseEvent

_FAILED = ("run_failed", "error")


@dataclass(frozen=True, slots=True)
class Run:
    """A run that ended well. Tokens and ids are None where the service did not give them."""

    text: str
    message_id: str | None
    memory_operation_id: str | None
    retrieved: tuple[shapes.Memory, ...]
    input_tokens: int | None
    output_tokens: int | None
    model_provider: str | None
    model_name: str | None


class RunReader:
    """Takes events in order; `result` after the run ended. `clean` takes keys out of a text."""

    def __init__(self, endpoint: str, clean: Callable[[str], str] = str) -> None:
        self._endpoint = endpoint
        self._clean = clean
        self._pieces: list[str] = []
        self._memories: tuple[shapes.Memory, ...] = ()
        self._message_id: str | None = None
        self._ended: Mapping[str, Any] | None = None

    @property
    def begun(self) -> bool:
        """Whether any of the answer's text has come."""
        return bool(self._pieces)

    @property
    def ended(self) -> bool:
        """Whether `run_ended` has come; events after it are of no account."""
        return self._ended is not None

    def take(self, event: SseEvent) -> None:
        """One event.

        Raises `RunFailedError` where it says so, `StreamMalformedError` where it is not JSON.
        """
        if self.ended or event.data.strip() in ("", "[DONE]"):
            return
        try:
            fields = json.loads(event.data)
        except (ValueError, RecursionError) as error:
            raise StreamMalformedError(
                f"{self._endpoint}: the stream holds an event that is not JSON",
                endpoint=self._endpoint,
            ) from error
        if not isinstance(fields, dict):
            return
        kind = shapes.text(fields, "type") or event.event
        if kind == "content_streaming":
            # Kept raw: a character may come as two halves, each no text of its own.
            piece = fields.get("content")
            if isinstance(piece, str) and piece:
                self._pieces.append(piece)
        elif kind == "memory_retrieved":
            self._memories = shapes.memories(fields.get("memories"))
        elif kind == "run_ended":
            self._end(fields)
        elif kind in _FAILED:
            raise self._failure(fields, kind)

    def result(self) -> Run:
        """The answer, or `StreamIncompleteError` where the run has not ended."""
        if self._ended is None:
            raise StreamIncompleteError(
                f"{self._endpoint}: the stream ended without `run_ended`", endpoint=self._endpoint
            )
        ended = self._ended
        return Run(
            text=shapes.storable("".join(self._pieces)) or shapes.text(ended, "content") or "",
            message_id=shapes.text(ended, "message_id"),
            memory_operation_id=shapes.text(ended, "memory_operation_id"),
            retrieved=shapes.memories(ended.get("retrieved_memories")) or self._memories,
            input_tokens=shapes.count(ended, "input_tokens"),
            output_tokens=shapes.count(ended, "output_tokens"),
            model_provider=shapes.text(ended, "model_provider"),
            model_name=shapes.text(ended, "model_name"),
        )

    def _end(self, fields: Mapping[str, Any]) -> None:
        status = shapes.text(fields, "status")
        if status is not None and status.upper() != "COMPLETED":
            raise self._failure(fields, f"run_ended with status {self._clean(status)[:40]}")
        self._ended = fields

    def _failure(self, fields: Mapping[str, Any], kind: str) -> RunFailedError:
        said = [shapes.text(fields, name) for name in ("message", "error", "detail")]
        line = ": ".join(dict.fromkeys(part for part in (self._endpoint, kind, *said) if part))
        line = self._clean(" ".join(line.split()))
        return RunFailedError(line[:300], endpoint=self._endpoint)
