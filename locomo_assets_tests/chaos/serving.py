"""A faulty stand-in in a process of its own: `python -m … STATE PORT_FILE SETTINGS`, until it is
stopped. The signal `RECOVER` ends its faults.

Beside its state it keeps a journal (`STATE.events`, JSON lines) of what that does not show: each
verdict it gave, each fault, each answer and verdict whose connection was then lost, and when the
request of each message arrived.
"""

import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import asdict
from pathlib import Path
from typing import Any

from locomo_assets.standin import middleware, retrieval
from locomo_assets.standin.judging import judge
from locomo_assets.standin.records import Message
from locomo_assets.standin.retrieval import LARGE, Capability, SearchHit, Tokenizer
from locomo_assets.standin.server import LOOPBACK, serve
from locomo_assets.standin.settings import StandinSettings
from locomo_assets.standin.state import StandinState

FAULTY = StandinSettings(
    seed=7,
    message_latency_ms=10.0,
    first_chunk_latency_ms=250.0,
    verdict_latency_ms=50.0,
    memory_delay_ms=50.0,
    memory_failed_share=0.03,
    memory_stuck_share=0.002,
    rate_limited_share=0.05,
    retry_after_s=0,
    server_error_share=0.02,
    cut_stream_share=0.01,
    lost_answer_share=0.02,
)


# Whether the answer to the request at hand will be lost: the middleware draws that first.
_lost: ContextVar[bool] = ContextVar("lost", default=False)

# When the request at hand arrived, in epoch seconds; a late one is carried out long after.
_arrived: ContextVar[float] = ContextVar("arrived")


# From when it is set on, no fault strikes; what is late still takes effect.
_recovered = threading.Event()

RECOVER = signal.SIGUSR1
"""The signal that ends the faults."""


def events_path(state: Path) -> Path:
    """Where the journal of a stand-in with this state is."""
    return state.with_suffix(".events")


def _keep_journal(path: Path) -> None:
    file = path.open("a", buffering=1, encoding="utf-8")

    def note(kind: str, what: object) -> None:
        file.write(json.dumps({"at": time.time(), "kind": kind, "what": what}) + "\n")

    give: Callable[..., tuple[bool, str]] = judge.verdict

    def given(case: judge.Case, tokenizer: Tokenizer) -> tuple[bool, str]:
        note("verdict", [case.question, case.gold_answer, case.generated_answer])
        if _lost.get():
            note("lost", "verdict")
        return give(case, tokenizer)

    answer = retrieval.answer

    def answered(
        question: str,
        found: Sequence[SearchHit],
        tokenizer: Tokenizer,
        capability: Capability = LARGE,
    ) -> str:
        if _lost.get():
            note("lost", "answer")
        return answer(question, found, tokenizer, capability)

    occurs = middleware.FaultInjector.occurs

    def noted(self: middleware.FaultInjector, kind: str, share: float) -> bool:
        struck = occurs(self, kind, share) and not _recovered.is_set()
        if kind == "lost_answer":
            _lost.set(struck)
            _arrived.set(time.time())
        if struck:
            note("fault", kind)
        return struck

    save: Callable[..., Message | None] = StandinState.save_message

    def saved(self: StandinState, *arguments: object, **fields: object) -> Message | None:
        message = save(self, *arguments, **fields)
        if message is not None:
            note("message", [message.message_id, _arrived.get()])
        return message

    StandinState.save_message = saved  # type: ignore[method-assign]  # a journal, in this process alone
    judge.verdict = given
    retrieval.answer = answered
    middleware.FaultInjector.occurs = noted  # type: ignore[method-assign]  # a journal, in this process alone


def settings_argument(settings: StandinSettings) -> str:
    """The settings as an argument of this program."""
    return json.dumps(asdict(settings))


def _settings(argument: str) -> StandinSettings:
    fields: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in json.loads(argument).items()
    }
    return StandinSettings(**fields)


def main(state: Path, port_file: Path, settings: StandinSettings) -> None:
    """Serves until killed; the port stands in `port_file` once it answers."""
    _keep_journal(events_path(state))
    signal.signal(RECOVER, lambda *_: _recovered.set())

    def ready(port: int) -> None:
        made = port_file.with_suffix(".tmp")
        made.write_text(str(port))
        made.rename(port_file)

    serve(LOOPBACK, 0, settings, state, on_ready=ready)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), _settings(sys.argv[3]))
