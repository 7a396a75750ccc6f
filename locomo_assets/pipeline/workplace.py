"""From settings to a workplace: which service, which judge, which history.

Here: the choices (a key present: the real service; none: the stand-in in this process, and the
lexical judge). What is done with them is `measurement`.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from locomo_assets.history.store import HistoryStore
from locomo_assets.measurement.bench import Bench, note_call
from locomo_assets.measurement.progress import Progress
from locomo_assets.settings import Settings

MESSAGES = "POST /threads/{id}/messages"


@dataclass
class Workplace:
    """A Dagster resource: settings, and who listens to the progress of this process."""

    settings: Settings
    progress: Progress = field(default_factory=Progress)

    def store(self) -> HistoryStore:
        """The history, opened (made where it does not exist yet)."""
        return HistoryStore.open(self.settings.history_url)

    @asynccontextmanager
    async def bench(self, run_id: str) -> AsyncIterator[Bench]:
        """Everything a run needs; closes what it opened.

        Raises:
            LocomoError: a key is refused, a server is down, the history can't be used.
        """
        from locomo_assets.backboard.asking import AskProtocol
        from locomo_assets.backboard.ingesting import IngestProtocol
        from locomo_assets.prices import PriceTable

        chosen = self.settings
        models = {"llm_provider": chosen.llm_provider, "llm_model": chosen.llm_model}
        prices = PriceTable.read(chosen.prices)
        async with AsyncExitStack() as stack:
            client, base_url = await stack.enter_async_context(self._client())
            system = (await client.probe()).system
            yield Bench(
                store=self.store(),
                client=client,
                judge=await stack.enter_async_context(self._judge(prices)),
                system=system,
                base_url=base_url,
                ingest_protocol=IngestProtocol(memory_wait=chosen.memory_wait, **models),
                ask_protocol=AskProtocol(name=chosen.question_protocol, **models),
                prices=prices,
                run_id=run_id,
                progress=self.progress,
            )
