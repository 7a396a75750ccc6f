"""The memory service and the judge: reached, key accepted, quick, by which TLS; and the clock.

Here: free calls only (one assistant listed, the judge's model looked up), by the clients that a
run uses, whose connections are watched meanwhile.
"""

import asyncio
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from locomo_assets.doctor.diagnosis import Diagnosis, fail, looked_at, ok, warn
from locomo_assets.history.lease import TTL_S
from locomo_assets.settings import Settings

if TYPE_CHECKING:
    from locomo_assets.http.calls import CallRecord

GOOD_MS = 200.0
ACCEPTABLE_MS = 500.0
_CALLS = 4
_CLOCK_GOOD_S = 5.0
_CLOCK_BAD_S = TTL_S / 2
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass
class _Seen:
    """What a service's connections showed: TLS version, latencies, how far clocks differ."""

    url: str
    system: str = ""
    tls: str | None = None
    latencies_ms: list[float] = field(default_factory=list)
    ahead_s: float | None = None

    def watch(self, response: Any) -> None:
        """For responses of httpx and of httpx2, which are alike."""
        now = datetime.now(UTC)
        stream = response.extensions.get("network_stream")
        ssl_object = stream.get_extra_info("ssl_object") if stream is not None else None
        self.tls = ssl_object.version() if ssl_object is not None else None
        try:
            self.ahead_s = (now - parsedate_to_datetime(response.headers["date"])).total_seconds()
        except (KeyError, ValueError, TypeError):
            self.ahead_s = None

    def record(self, call: "CallRecord") -> None:
        if call.latency_ms is not None:
            self.latencies_ms.append(call.latency_ms)

    @property
    def round_trip_ms(self) -> float:
        """The median without the first call, which also made the connection."""
        return statistics.median(self.latencies_ms[1:] or self.latencies_ms)


def look_at_services(settings: Settings) -> Iterator[Diagnosis]:
    """Both services, three lines each where they are remote, then the clock."""
    seen: list[_Seen] = []
    yield from looked_at("memory service", lambda: _memory_service(settings, seen))
    yield from looked_at("judge", lambda: _judge(settings, seen))
    yield from _clock(seen)


def _memory_service(settings: Settings, seen: list[_Seen]) -> Iterator[Diagnosis]:
    if settings.backboard_api_key is None:
        yield ok("memory service", "the packaged stand-in, in the run's own process")
        return
    from locomo_assets.backboard.client import BackboardClient

    key = settings.backboard_api_key.get_secret_value()
    found = _Seen(settings.backboard_base_url)

    async def ask() -> None:
        async with BackboardClient(
            found.url, key, record=found.record, min_tls=settings.min_tls, watch=found.watch
        ) as client:
            for _ in range(_CALLS):
                found.system = (await client.probe()).system

    asyncio.run(ask())
    seen.append(found)
    yield from _lines("memory service", found)


def _judge(settings: Settings, seen: list[_Seen]) -> Iterator[Diagnosis]:
    if settings.openai_api_key is None:
        yield ok("judge", "the lexical judge, in the run's own process")
        return
    from locomo_assets.judging.judge import OPENAI_URL
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
            record=found.record,
            max_retries=1,
            timeout_s=20.0,
            min_tls=settings.min_tls,
            watch=found.watch,
        ) as judge:
            found.system = judge.identity.name
            for _ in range(_CALLS - 1):
                await judge.probe()

    asyncio.run(ask())
    seen.append(found)
    yield from _lines("judge", found)


def _lines(subject: str, found: _Seen) -> Iterator[Diagnosis]:
    yield ok(subject, f"{found.url} answers as {found.system} and takes the key")
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
    elif urlsplit(found.url).hostname in _LOOPBACK:
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
