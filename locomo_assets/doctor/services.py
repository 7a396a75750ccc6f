"""The doctor's look at memory service, answerer and judge, by the clients that a run uses.

Only what is free is asked, which shows no more than that something answers. To prove a key, a turn
is saved, an answer and a verdict are asked for: the only things that cost.
"""

import asyncio
import secrets
import statistics
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from locomo_assets.doctor.diagnosis import Diagnosis, DoctorError, checked, fail, ok, warn
from locomo_assets.errors import LocomoError
from locomo_assets.history.lease import TTL_S
from locomo_assets.locomo.sources import is_loopback
from locomo_assets.settings import Settings

if TYPE_CHECKING:
    from locomo_assets.backboard.client import BackboardClient
    from locomo_assets.completions.answerer import Answerer
    from locomo_assets.http.calls import CallOptions, CallRecord
    from locomo_assets.judging.judge import Judge
    from locomo_assets.runs.forecast import Usage

GOOD_MS = 200.0
ACCEPTABLE_MS = 500.0
_CALLS = 4
_CLOCK_GOOD_S = 5.0
_CLOCK_BAD_S = TTL_S / 2


@dataclass
class _Seen:
    """What a service's connections showed: TLS version, latencies, how far clocks differ.

    `is_page`: it answered with HTML, as no API does. `proof`: what showed that the key is taken.
    """

    url: str
    system: str = ""
    is_page: bool = False
    proof: str | None = None
    tls: str | None = None
    latencies_ms: list[float] = field(default_factory=list)
    ahead_s: float | None = None

    def watch(self, response: Any) -> None:
        """For responses of httpx and of httpx2, which are alike."""
        now = datetime.now(UTC)
        stream = response.extensions.get("network_stream")
        ssl_object = stream.get_extra_info("ssl_object") if stream is not None else None
        kind = response.headers.get("content-type", "")
        self.is_page = response.is_success and kind.startswith("text/html")
        self.tls = ssl_object.version() if ssl_object is not None else None
        try:
            self.ahead_s = (now - parsedate_to_datetime(response.headers["date"])).total_seconds()
        except (KeyError, ValueError, TypeError):
            self.ahead_s = None

    def record(self, call: "CallRecord") -> None:
        if call.latency_ms is not None and len(self.latencies_ms) < _CALLS:
            self.latencies_ms.append(call.latency_ms)

    def options(self, settings: Settings) -> "CallOptions":
        from locomo_assets.http.calls import CallOptions

        return CallOptions(record=self.record, watch=self.watch, min_tls=settings.min_tls)

    @property
    def round_trip_ms(self) -> float:
        """The median without the first call, which also made the connection."""
        return statistics.median(self.latencies_ms[1:] or self.latencies_ms)


def proof_cost(settings: Settings) -> str:
    """What `check_services` asks for to prove the keys, and what it costs."""
    from locomo_assets.runs.forecast import ASSUMED_FROM_MEMORIES, ASSUMED_VERDICT

    parts = []
    if settings.backboard_api_key is not None:
        parts.append(
            f"one saved message at {settings.backboard_base_url} (a message of its plan; no model "
            "answers), whose assistant is deleted afterwards"
        )
    if settings.question_protocol == "retrieval" and settings.answer_api_key is not None:
        cost = _cost(settings, settings.answer_model, ASSUMED_FROM_MEMORIES)
        parts.append(f"one answer by {settings.answer_model} ({cost})")
    if settings.openai_api_key is not None:
        cost = _cost(settings, settings.judge_model, ASSUMED_VERDICT)
        parts.append(f"one verdict by {settings.judge_model} ({cost})")
    if not parts:
        return "nothing: the packaged stand-in and the lexical judge take no key"
    return " and ".join(parts)


def _cost(settings: Settings, model: str, one: "Usage") -> str:
    from locomo_assets.prices import PriceTable

    tokens = round(one.input_tokens), round(one.output_tokens)
    cost_usd = PriceTable.read(settings.prices).cost_usd(model, *tokens)
    return "its price is not known" if cost_usd is None else f"about {cost_usd:.4f} USD"


def check_services(settings: Settings, *, prove: bool = False) -> Iterator[Diagnosis]:
    """The services, three lines each where they are remote, then the clock.

    `prove`: what `proof_cost` says is asked for, too.
    """
    seen: list[_Seen] = []
    yield from checked("memory service", lambda: _memory_service(settings, seen, prove))
    if settings.question_protocol == "retrieval":
        yield from checked("answerer", lambda: _answerer(settings, seen, prove))
    yield from checked("judge", lambda: _judge(settings, seen, prove))
    yield from _clock(seen)


def _memory_service(settings: Settings, seen: list[_Seen], prove: bool) -> Iterator[Diagnosis]:
    if settings.backboard_api_key is None:
        yield ok("memory service", "the packaged stand-in, in the run's own process")
        return
    from locomo_assets.backboard.client import BackboardClient

    key = settings.backboard_api_key.get_secret_value()
    found = _Seen(settings.backboard_base_url)

    async def ask() -> None:
        async with BackboardClient(found.url, key, found.options(settings)) as client:
            for _ in range(_CALLS):
                found.system = (await client.probe()).system
            if prove:
                found.proof = await _saved_turn(client, settings)

    asyncio.run(ask())
    seen.append(found)
    yield from _lines("memory service", found, "BACKBOARD_BASE_URL")


async def _saved_turn(client: "BackboardClient", settings: Settings) -> str:
    """Save a turn as a run does and read it back. The assistant is deleted, whatever happens."""
    # as runs name theirs, so that `remote list` finds it if it can't be deleted
    name = f"LoCoMo Test Assistant {secrets.token_hex(4)} doctor proof"

    async def delete() -> None:
        for left in await client.list_assistants(name=name):
            await client.delete_assistant(left.assistant_id)

    try:
        proof = await _save(client, settings, name)
    except BaseException:
        with suppress(LocomoError):
            await delete()
        raise
    await delete()
    return proof


async def _save(client: "BackboardClient", settings: Settings, name: str) -> str:
    from locomo_assets.backboard.ingest import IngestProtocol

    protocol = IngestProtocol()
    provider, model = settings.llm_provider, settings.llm_model
    assistant = await client.create_assistant(
        name, description=protocol.description, llm_provider=provider, llm_model=model
    )
    thread = await client.create_thread(assistant.assistant_id)
    text = "Ann: I went to the lake."
    saved = await client.add_message(
        thread.thread_id,
        text,
        memory=protocol.memory,
        custom_timestamp=datetime.now(UTC),
        llm_provider=provider,
        llm_model=model,
    )
    if saved.failure is not None:
        raise DoctorError(
            f"{client.base_url}: it failed at the turn that was sent ({saved.failure}); check that "
            "memory is part of the account's plan, or try again later"
        )
    kept = (await client.get_thread(thread.thread_id)).messages
    if [message.content for message in kept] != [text]:
        raise DoctorError(
            f"{client.base_url}: a turn was saved, and its thread holds {len(kept)} messages that "
            "are not just that turn; check BACKBOARD_BASE_URL and what is between"
        )
    if saved.memory_operation_id is None:
        raise DoctorError(
            f"{client.base_url}: a turn was saved, and no memory was begun for it; check that "
            "memory is part of the account's plan"
        )
    return "a turn was saved and read back, and its memory begun"


def _answerer(settings: Settings, seen: list[_Seen], prove: bool) -> Iterator[Diagnosis]:
    from locomo_assets.completions.asker import OPENAI_URL
    from locomo_assets.prices import STANDIN, PriceTable
    from locomo_assets.services.answerers import connected_answerer, planned_answerer

    identity = planned_answerer(settings)
    if identity.endpoint == STANDIN:
        yield ok("answerer", "the packaged stand-in, in the run's own process")
        return
    found = _Seen(settings.answer_base_url or OPENAI_URL)

    async def ask() -> None:
        async with connected_answerer(
            settings,
            prices=PriceTable.read(settings.prices),
            options=found.options(settings),
            max_retries=1,
            timeout_s=60.0 if prove else 20.0,
        ) as answerer:
            assert answerer is not None  # noqa: S101  # for this protocol
            found.system = f"{identity.model} of {answerer.system}, prompt {identity.prompt.label}"
            for _ in range(_CALLS - 1):
                await answerer.probe()
            if prove:
                found.proof = await _given_answer(answerer, found.url)

    asyncio.run(ask())
    seen.append(found)
    yield from _lines("answerer", found, "LOCOMO_ANSWER_BASE_URL")


async def _given_answer(answerer: "Answerer", url: str) -> str:
    given = await answerer.answer("Where does Ann live?", ["[2023-05-08] Ann lives in Lisbon."])
    if given.text is None:
        raise DoctorError(
            f"{url}: gave no answer ({given.reason}); check LOCOMO_ANSWER_BASE_URL and "
            "LOCOMO_ANSWER_MODEL"
        )
    cost = "" if given.cost_usd is None else f" for {given.cost_usd:.4f} USD"
    return f"it answered from a memory{cost}"


def _judge(settings: Settings, seen: list[_Seen], prove: bool) -> Iterator[Diagnosis]:
    if settings.openai_api_key is None:
        yield ok("judge", "the lexical judge, in the run's own process")
        return
    from locomo_assets.completions.asker import OPENAI_URL
    from locomo_assets.judging.llm import LLMJudge
    from locomo_assets.prices import PriceTable

    key = settings.openai_api_key.get_secret_value()
    found = _Seen(settings.openai_base_url or OPENAI_URL)

    async def ask() -> None:
        async with LLMJudge.connect(
            api_key=key,
            base_url=found.url,
            model=settings.judge_model,
            prompt=settings.judge_prompt,
            prices=PriceTable.read(settings.prices),
            options=found.options(settings),
            max_retries=1,
            timeout_s=60.0 if prove else 20.0,
        ) as judge:
            found.system = judge.identity.name
            for _ in range(_CALLS - 1):
                await judge.probe()
            if prove:
                found.proof = await _given_verdict(judge, found.url)

    asyncio.run(ask())
    seen.append(found)
    yield from _lines("judge", found, "OPENAI_BASE_URL")


async def _given_verdict(judge: "Judge", url: str) -> str:
    """A verdict on a canary, whose answer is right."""
    from locomo_assets.judging.canaries import packaged_canaries
    from locomo_assets.judging.judge import Verdict

    canary = next(one for one in packaged_canaries().canaries if one.kind == "right")
    given = await judge.judge(canary.question, canary.gold_answer, canary.answer, canary.category)
    if given.verdict is Verdict.UNSCORED:
        raise DoctorError(
            f"{url}: gave no verdict ({given.reason}); check OPENAI_BASE_URL and LOCOMO_JUDGE_MODEL"
        )
    cost = "" if given.cost_usd is None else f" for {given.cost_usd:.4f} USD"
    return f"it called a right answer {given.verdict.value}{cost}"


def _lines(subject: str, found: _Seen, setting: str) -> Iterator[Diagnosis]:
    if found.proof is not None:
        yield ok(subject, f"{found.url} answers as {found.system}; key proven: {found.proof}")
    elif found.is_page:
        yield warn(
            subject,
            f"{found.url} answers with a web page, as no API does: reached, key not proven",
            f"check {setting}, which mostly ends in /v1 or /api; `doctor --prove` asks in earnest",
        )
    else:
        yield ok(subject, f"{found.url} answers as {found.system}: reached, key not proven")
    trip = f"{found.round_trip_ms:.0f} ms, median of {len(found.latencies_ms) - 1}"
    if found.round_trip_ms < GOOD_MS:
        yield ok(f"{subject} round trip", f"{trip}: good")
    elif found.round_trip_ms < ACCEPTABLE_MS:
        yield ok(f"{subject} round trip", f"{trip}: acceptable")
    else:
        yield warn(
            f"{subject} round trip",
            f"{trip}: degraded",
            "runs take longer: move them nearer to the service, or see what is between",
        )
    if found.tls == "TLSv1.3":
        yield ok(f"{subject} TLS", found.tls)
    elif found.tls is not None:
        yield warn(
            f"{subject} TLS", f"{found.tls}, as LOCOMO_MIN_TLS allows", "renew what is between"
        )
    elif is_loopback(urlsplit(found.url).hostname):
        yield ok(f"{subject} TLS", "none, on this machine")
    else:
        yield warn(
            f"{subject} TLS", "none: the key and all texts are readable on the way", "use https://"
        )


def _clock(seen: list[_Seen]) -> Iterator[Diagnosis]:
    compared = [(one.ahead_s, one.url) for one in seen if one.ahead_s is not None]
    if not compared:
        yield ok("clock", "compared with nothing: no service was asked")
        return
    # a Date header is cut to whole seconds
    ahead_s, url = max(compared, key=lambda one: abs(one[0] - 0.5))
    found = f"{abs(ahead_s):.0f} s {'ahead of' if ahead_s > 0 else 'behind'} {url}"
    way_out = "let NTP set it: leases and the order of attempts go by the machines' clocks"
    if abs(ahead_s - 0.5) < _CLOCK_GOOD_S:
        yield ok("clock", found)
    elif abs(ahead_s - 0.5) < _CLOCK_BAD_S:
        yield warn("clock", found, way_out)
    else:
        yield fail("clock", found, way_out)
