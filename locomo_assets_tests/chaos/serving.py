"""A faulty stand-in in a process of its own: `python -m … STATE PORT_FILE`, until it is stopped.

Beside its state it keeps a journal (`STATE.events`, JSON lines) of what that does not show: each
verdict it gave, each fault, and each answer and verdict whose connection was then lost.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from pathlib import Path

from locomo_assets.standin import judge, middleware, retrieval
from locomo_assets.standin.retrieval import SearchHit, Tokenizer
from locomo_assets.standin.server import LOOPBACK, serve
from locomo_assets.standin.settings import StandinSettings

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

    def answered(question: str, found: Sequence[SearchHit], tokenizer: Tokenizer) -> str:
        if _lost.get():
            note("lost", "answer")
        return answer(question, found, tokenizer)

    occurs = middleware.FaultInjector.occurs

    def noted(self: middleware.FaultInjector, kind: str, share: float) -> bool:
        struck = occurs(self, kind, share)
        if kind == "lost_answer":
            _lost.set(struck)
        if struck:
            note("fault", kind)
        return struck

    judge.verdict = given
    retrieval.answer = answered
    middleware.FaultInjector.occurs = noted  # type: ignore[method-assign]  # a journal, in this process alone


def main(state: Path, port_file: Path) -> None:
    """Serves until killed; the port stands in `port_file` once it answers."""
    _keep_journal(events_path(state))

    def ready(port: int) -> None:
        made = port_file.with_suffix(".tmp")
        made.write_text(str(port))
        made.rename(port_file)

    serve(LOOPBACK, 0, FAULTY, state, on_ready=ready)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
