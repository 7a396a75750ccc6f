"""What the stand-in's calls share: its state, settings, faults and retrieval."""

import asyncio
from dataclasses import dataclass

from locomo_assets.standin import payloads
from locomo_assets.standin.facts import Extract
from locomo_assets.standin.middleware import FaultInjector
from locomo_assets.standin.records import Assistant, Thread
from locomo_assets.standin.retrieval import ContextReader, Retriever, Tokenizer
from locomo_assets.standin.settings import StandinSettings
from locomo_assets.standin.state import StandinState


@dataclass(frozen=True, slots=True)
class Service:
    """The stand-in in one process; other processes may share its state."""

    state: StandinState
    settings: StandinSettings
    faults: FaultInjector
    tokenizer: Tokenizer
    retriever: Retriever
    context: ContextReader
    extract: Extract

    def assistant(self, assistant_id: str) -> Assistant:
        """The assistant; raises the error 404 if there is none."""
        found = self.state.assistant(assistant_id)
        if found is None:
            raise payloads.not_found("Assistant")
        return found

    def thread(self, thread_id: str) -> Thread:
        """The thread; raises the error 404 if there is none."""
        found = self.state.thread(thread_id)
        if found is None:
            raise payloads.not_found("Thread")
        return found

    async def other_latency(self) -> None:
        """Wait as long as a call takes that is neither a message, a question nor a verdict."""
        await pause(self.settings.other_latency_ms)


async def pause(latency_ms: float) -> None:
    """Wait, without yielding to the event loop if the latency is 0."""
    if latency_ms > 0:
        await asyncio.sleep(latency_ms / 1000.0)
