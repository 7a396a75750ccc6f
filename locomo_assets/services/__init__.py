"""The composition root: from settings to clients, judge, history and prices.

With a key the real service or judge is used; without one the stand-in in this process, and the
lexical judge.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from locomo_assets.errors import LocomoError
from locomo_assets.history.store import HistoryStore
from locomo_assets.http.calls import log_call
from locomo_assets.logs import telling
from locomo_assets.prices import is_free
from locomo_assets.redaction import keep_out_of_logs
from locomo_assets.runs.context import Progress, RunContext, Task, note_call, stored_conversations
from locomo_assets.runs.releases import OTHER, ReleaseGuard, other_release
from locomo_assets.runs.run_slots import hold_run_slots, services_at
from locomo_assets.runs.stages import is_answered
from locomo_assets.settings import CHANGELOG_URL, Settings

if TYPE_CHECKING:
    from locomo_assets.backboard.answers import AskProtocol
    from locomo_assets.backboard.client import BackboardClient
    from locomo_assets.backboard.ingest import IngestProtocol
    from locomo_assets.feeds.feed import ReleaseFeed
    from locomo_assets.http.calls import CallOptions, CallRecord
    from locomo_assets.http.limits import Budget, Limits
    from locomo_assets.judging.judge import Judge, JudgeIdentity
    from locomo_assets.locomo.model import Conversation, Dataset
    from locomo_assets.prices import PriceTable
    from locomo_assets.runs.forecast import Usage

# Requests at once for endpoints without a setting of their own: they cost nothing.
_LARGEST_WIDTH = 16

_STANDIN_URL = "http://standin.invalid/api"


class UnpricedError(LocomoError):
    """A cost limit is set, and a model has no price."""

    exit_code = 2


@dataclass
class Services:
    """A Dagster resource: settings, and who listens to the progress of this process.

    `is_variant`: they are those of a ladder's step, whose series also tells models apart.
    `creates_history`: not where a forecast only looks at what is stored.
    `dataset`: the one that whoever launched the run has read and checked already.
    """

    settings: Settings
    progress: Progress = field(default_factory=Progress)
    is_variant: bool = False
    creates_history: bool = True
    dataset: "Dataset | None" = field(default=None, repr=False)

    def store(self) -> HistoryStore:
        """The history, opened (made where it does not exist yet, if `creates_history`)."""
        return HistoryStore.open(self.settings.history_url, create=self.creates_history)

    def keep_audit(self, dataset: "Dataset | None" = None, run_id: str | None = None) -> str | None:
        """Stores the settings' audit for a data set (None: for the history's); its SHA-256.

        None where no audit is set. Raises AuditError: it can't be read, or does not fit.
        """
        if self.settings.audit is None:
            return None
        from locomo_assets.runs.datasets import keep_audit

        chosen = self.settings
        return keep_audit(self.store(), chosen.audit or "", chosen.audit_sha256, dataset, run_id)

    def feed(self) -> "ReleaseFeed | None":
        """Where new releases show, if the settings say."""
        from locomo_assets.feeds.feed import ReleaseFeed

        kind, url = self.settings.release_feed, self.settings.release_feed_url
        if kind is None:
            return None
        return ReleaseFeed(kind, url.get_secret_value() if url else CHANGELOG_URL)

    @asynccontextmanager
    async def run_context(
        self, run_id: str, tasks: Sequence[Task] = ()
    ) -> AsyncIterator[RunContext]:
        """Everything a run needs; closes what it opened. A cost limit counts what `tasks` cost.

        Waits until the run may be at the services it asks.

        Raises:
            LocomoError: a key is refused, a server is down, the history can't be used.
        """
        from locomo_assets.prices import PriceTable
        from locomo_assets.services.answerers import connected_answerer
        from locomo_assets.services.judges import connected_judge

        chosen = self.settings
        prices = PriceTable.read(chosen.prices)
        async with AsyncExitStack() as stack:
            stack.enter_context(telling(run_id=run_id))
            # Before either service answers, because each might tell the other's key.
            for given in chosen.given_keys():
                keep_out_of_logs(given)
            store = self.store()
            await stack.enter_async_context(
                hold_run_slots(
                    store.storage,
                    self._services(),
                    run_id,
                    slots=chosen.runs_at_once,
                    on_wait=self.progress.wait_for,
                )
            )
            corrected = chosen.gold == "corrected"
            audit_sha256 = self.keep_audit(run_id=run_id) if corrected else None
            budget = self._budget(store, tasks)
            options = self._call_options(self.limits(), budget)
            client, base_url = await stack.enter_async_context(self.client(options))
            system = (await client.probe()).system

            def price(judge: "JudgeIdentity") -> None:
                if budget is not None:
                    answer = self._expected_answer(stored_conversations(store, tasks))
                    answering = system if answerer is None else answerer.system
                    self._price(budget, prices, answering, judge, answer)

            answerer = await stack.enter_async_context(
                connected_answerer(chosen, prices=prices, options=options)
            )
            judge, batching = await stack.enter_async_context(
                connected_judge(chosen, store, run_id, prices=prices, options=options, price=price)
            )
            run = self._run_context(
                run_id,
                store=store,
                client=client,
                base_url=base_url,
                system=system,
                judge=judge,
                prices=prices,
            )
            yield replace(run, audit_sha256=audit_sha256, batching=batching, answerer=answerer)

    def _run_context(
        self,
        run_id: str,
        *,
        store: HistoryStore,
        client: "BackboardClient",
        base_url: str,
        system: str,
        judge: "Judge",
        prices: "PriceTable",
    ) -> RunContext:
        chosen = self.settings
        return RunContext(
            store=store,
            client=client,
            judge=judge,
            system=system,
            base_url=base_url,
            ingest_protocol=self.ingest_protocol(),
            ask_protocol=self.ask_protocol(),
            prices=prices,
            run_id=run_id,
            database_path=chosen.database_path,
            progress=self.progress,
            watch=ReleaseGuard(self.feed(), override=chosen.allow_other_release),
        )

    def ingest_protocol(self) -> "IngestProtocol":
        """How the conversations are ingested. Raises PromptFileError."""
        from locomo_assets.services.protocols import ingest_protocol

        return ingest_protocol(self.settings)

    def ask_protocol(self) -> "AskProtocol":
        """How the questions are asked. Raises PromptFileError."""
        from locomo_assets.services.protocols import ask_protocol

        return ask_protocol(self.settings, names_models=self.is_variant)

    def check(self, dataset: "Dataset") -> None:
        """Refuses what every run refuses before its first call; makes none, and stores nothing.

        Raises LocomoError: keys, URLs, prompt, prices or audit can't be used.
        """
        from locomo_assets.network import check_network
        from locomo_assets.prices import PriceTable
        from locomo_assets.runs.datasets import check_audit

        chosen = self.settings
        PriceTable.read(chosen.prices)
        if self._services():
            check_network()
        self._planned_client()
        self.planned_judge()
        self.ask_protocol()
        if chosen.audit is not None:
            check_audit(self.store(), chosen.audit, chosen.audit_sha256, dataset)

    async def check_spending(self, dataset: "Dataset", tasks: Sequence[Task]) -> None:
        """Refuses what a run of these tasks would stop at, by what is stored of them.

        The feed is read; neither service is asked, so the system is the one the settings mean.

        Raises:
            OtherReleaseError: there is something to ask, and another release is current.
            UnpricedError: a limit is set, and a model has no price.
            BudgetReachedError: the next answer or verdict would pass the limit.
        """
        from locomo_assets.http.limits import ANSWER, BATCHED_VERDICT, VERDICT
        from locomo_assets.prices import LEXICAL

        chosen, run = self.settings, self.planned_run(tasks)
        known = {one.conversation: one for one in dataset.conversations}
        to_ask = [
            task
            for task in tasks
            if not is_answered(run, task, known[task.conversation], dataset.sha256)
        ]
        judge = self.planned_judge()
        budget = self._budget(run.store, tasks)
        if budget is not None:
            answer = self._expected_answer([known[task.conversation] for task in tasks])
            retrieval = run.ask_protocol.retrieval
            answering = run.system if retrieval is None else retrieval.answerer.system
            self._price(budget, run.prices, answering, judge, answer)
        for release in sorted({task.release for task in to_ask}):
            check = await run.watch.check(release, "answers", "before")
            if check.verdict == OTHER:
                raise other_release(release, check)
        if to_ask and budget is not None:
            budget.check(ANSWER)
            if judge.system != LEXICAL:
                budget.check(BATCHED_VERDICT if chosen.judge_mode == "batch" else VERDICT)

    def planned_run(self, tasks: Sequence[Task]) -> RunContext:
        """A run that asks nothing, to see what is stored for the tasks; nothing is connected."""
        from locomo_assets.judging.lexical import LexicalJudge
        from locomo_assets.prices import STANDIN, PriceTable
        from locomo_assets.runs.ingest import system_at

        store = self.store()
        client, base_url = self._planned_client()
        system = STANDIN if self.settings.backboard_api_key is None else "backboard"
        return self._run_context(
            "dry-run",
            store=store,
            client=client,
            base_url=base_url,
            system=system_at(store, base_url, {task.release for task in tasks}) or system,
            judge=LexicalJudge(),
            prices=PriceTable.read(self.settings.prices),
        )

    def _planned_client(self) -> tuple["BackboardClient", str]:
        """The client of a run, not connected, and its base URL; an error where it can't be."""
        import httpx

        from locomo_assets.backboard.client import BackboardClient
        from locomo_assets.standin.settings import DEFAULT_KEY

        key = self.settings.backboard_api_key
        url = _STANDIN_URL if key is None else self.settings.backboard_base_url
        given = DEFAULT_KEY if key is None else key.get_secret_value()
        # The stand-in's is never sent anything, and must not need a usable network.
        way = httpx.AsyncBaseTransport() if key is None else None
        return BackboardClient(url, given, self._call_options(), transport=way), url

    def planned_judge(self) -> "JudgeIdentity":
        """Who judges, as far as the settings say; an error where it can't."""
        from locomo_assets.services.judges import planned_judge

        return planned_judge(self.settings)

    def limits(self) -> "Limits":
        """One run's share of the limits on requests."""
        from locomo_assets.backboard.transport import SERVICE
        from locomo_assets.completions.answer_request import ANSWERER
        from locomo_assets.completions.asker import COMPLETIONS
        from locomo_assets.http.limits import Limits

        chosen = self.settings
        share = chosen.runs_at_once
        return Limits(
            max(1, _LARGEST_WIDTH // share),
            {
                SERVICE: chosen.max_requests_in_flight // share,
                ANSWERER.limited_as(COMPLETIONS): chosen.max_requests_in_flight // share,
                COMPLETIONS: chosen.max_verdicts_in_flight // share,
            },
        )

    def _services(self) -> list[str]:
        """Those that are asked over the network."""
        from locomo_assets.completions.asker import OPENAI_URL

        chosen = self.settings
        memory = chosen.backboard_base_url if chosen.backboard_api_key else None
        judge = (chosen.openai_base_url or OPENAI_URL) if chosen.openai_api_key else None
        is_asked = chosen.question_protocol == "retrieval" and chosen.answer_api_key
        answerer = (chosen.answer_base_url or OPENAI_URL) if is_asked else None
        return services_at(url for url in (memory, judge, answerer) if url)

    def _budget(self, store: HistoryStore, tasks: Sequence[Task]) -> "Budget | None":
        from locomo_assets.http.limits import Budget
        from locomo_assets.runs.forecast import spent_usd

        if self.settings.max_cost_usd is None:
            return None
        partitions = {(task.release, task.conversation) for task in tasks}
        return Budget(self.settings.max_cost_usd, spent_usd(store, sorted(partitions)))

    def _expected_answer(self, conversations: Sequence["Conversation"]) -> "Usage":
        """The dearest that the first answers may be: with the longest conversation in them."""
        from locomo_assets.runs.forecast import ASSUMED_ANSWER, assumed_answer

        protocol = self.settings.question_protocol
        k = self.settings.retrieval_k
        each = [assumed_answer(protocol, conversation, k) for conversation in conversations]
        return max(each, key=lambda one: one.input_tokens, default=ASSUMED_ANSWER)

    def _price(
        self,
        budget: "Budget",
        prices: "PriceTable",
        answering: str,
        judge: "JudgeIdentity",
        answer: "Usage",
    ) -> None:
        """`answering`: the system that answers the questions."""
        from locomo_assets.http.limits import ANSWER, BATCHED_VERDICT, VERDICT
        from locomo_assets.runs.forecast import ASSUMED_VERDICT

        is_batch = self.settings.judge_mode == "batch"
        paid = (
            (ANSWER, answering, self.ask_protocol().llm_model or "", answer, False),
            (VERDICT, judge.system, judge.model, ASSUMED_VERDICT, False),
            (BATCHED_VERDICT, judge.system, judge.model, ASSUMED_VERDICT, True),
        )
        for kind, who, model, one, batch in paid:
            if is_free(who):
                continue
            cost_usd = partial(prices.cost_usd, model, batch=batch)
            expected = cost_usd(round(one.input_tokens), round(one.output_tokens))
            if expected is not None:
                budget.price(kind, cost_usd, expected)
            elif is_batch or not batch:
                what = "price in a batch (batch_factor)" if batch else "price"
                raise UnpricedError(
                    f"LOCOMO_MAX_COST_USD cannot be kept: {model} has no {what}; add it to a table "
                    "of your own (LOCOMO_PRICES), or unset the limit"
                )

    @asynccontextmanager
    async def client(
        self, options: "CallOptions | None" = None
    ) -> AsyncIterator[tuple["BackboardClient", str]]:
        """The service that the settings name, and its base URL."""
        from locomo_assets.backboard.client import BackboardClient

        options = options or self._call_options()
        chosen = self.settings
        if (key := await asyncio.to_thread(lambda: chosen.backboard_api_key)) is not None:
            async with BackboardClient(
                chosen.backboard_base_url, key.get_secret_value(), options
            ) as client:
                yield client, chosen.backboard_base_url
            return
        from locomo_assets.standin.server import standin_transport
        from locomo_assets.standin.settings import DEFAULT_KEY

        chosen.standin_path.parent.mkdir(parents=True, exist_ok=True)
        async with (
            standin_transport(chosen.standin_path) as transport,
            BackboardClient(_STANDIN_URL, DEFAULT_KEY, options, transport=transport) as client,
        ):
            yield client, _STANDIN_URL

    def _call_options(
        self, limits: "Limits | None" = None, budget: "Budget | None" = None
    ) -> "CallOptions":
        from locomo_assets.http.calls import CallOptions
        from locomo_assets.http.limits import Budget, Limits

        return CallOptions(
            limits=limits or Limits(),
            budget=budget or Budget(),
            record=self._note,
            min_tls=self.settings.min_tls,
        )

    def _note(self, record: "CallRecord") -> None:
        note_call(record)
        log_call(record)
        self.progress.add(
            requests=1,
            retries=record.attempt > 1,
            input_tokens=record.input_tokens or 0,
            output_tokens=record.output_tokens or 0,
        )
