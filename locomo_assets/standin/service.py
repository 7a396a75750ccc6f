"""What every call of the stand-in works with.

Here: the bundle and the waiting. Making one is `app`.
"""

import asyncio
from dataclasses import dataclass

from locomo_assets.standin import wire
from locomo_assets.standin.faults import Dice
from locomo_assets.standin.reading import Reader
from locomo_assets.standin.records import Assistant, Thread
from locomo_assets.standin.retrieval import Retriever, Words
from locomo_assets.standin.settings import StandinSettings
from locomo_assets.standin.state import StandinState


@dataclass(frozen=True, slots=True)
class Service:
    """One process's stand-in over a state that others may share."""

    state: StandinState
    settings: StandinSettings
    dice: Dice
    words: Words
    retriever: Retriever
    reader: Reader

    def assistant(self, assistant_id: str) -> Assistant:
        """The assistant, or 404."""
        found = self.state.assistant(assistant_id)
        if found is None:
            raise wire.missing("Assistant")
        return found

    def thread(self, thread_id: str) -> Thread:
        """The thread, or 404."""
        found = self.state.thread(thread_id)
        if found is None:
            raise wire.missing("Thread")
        return found

    async def other_latency(self) -> None:
        """What a call takes that is neither a message, a question nor a verdict."""
        await pause(self.settings.other_latency_ms)


async def pause(latency_ms: float) -> None:
    """Wait, without touching the event loop where there is nothing to wait for."""
    if latency_ms > 0:
        await asyncio.sleep(latency_ms / 1000.0)
