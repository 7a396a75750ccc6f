"""Whether a first paid run would find all that it needs, a line for each thing.

Only what is free is asked: one assistant listed, the judge's model looked up, by the clients that
a run uses. The history and the backups are really written to: one object, which is deleted again.
"""

import asyncio
import secrets
import shutil
import statistics
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from locomo_assets.analysis.checks import KNOWN_COUNTS, counts_by_category, schema
from locomo_assets.errors import LocomoError
from locomo_assets.history.backup.snapshot import backup_names, backup_time, open_backup_storage
from locomo_assets.history.errors import HistoryDamagedError
from locomo_assets.history.lease import TTL_S
from locomo_assets.history.storage import Storage, open_storage
from locomo_assets.history.store import HistoryStore
from locomo_assets.locomo.parsing import read_dataset
from locomo_assets.locomo.sample import packaged_sample
from locomo_assets.locomo.sources import is_loopback
from locomo_assets.pipeline.launch import local_instance
from locomo_assets.settings import Settings, SettingsError, read_settings

if TYPE_CHECKING:
    from locomo_assets.http.calls import CallOptions, CallRecord


class Level(StrEnum):
    """Good; usable, but worth a look; a run would fail or its results could be lost."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One line. `way_out` says what to do where it is not ok."""

    subject: str
    level: Level
    found: str
    way_out: str | None = None


class DoctorError(LocomoError):
    """Something fails; the lines say what and the way out."""


def ok(subject: str, found: str) -> Diagnosis:
    return Diagnosis(subject, Level.OK, found)


def warn(subject: str, found: str, way_out: str) -> Diagnosis:
    return Diagnosis(subject, Level.WARN, found, way_out)


def fail(subject: str, found: str, way_out: str | None = None) -> Diagnosis:
    return Diagnosis(subject, Level.FAIL, found, way_out)


def checked(subject: str, check: Callable[[], Iterable[Diagnosis]]) -> list[Diagnosis]:
    """What a check found; one that fails is a line too, because the others are still wanted."""
    try:
        return list(check())
    except LocomoError as error:
        # these texts hold their way out themselves
        return [fail(subject, str(error))]
    except Exception as error:
        text = " ".join(str(error).split())[:300]
        return [fail(subject, f"{type(error).__name__}: {text}")]


_RIVALS = 8
_GIB = 2**30
# A full run writes some 20 MB, but a history's database is copied while it is brought up to date.
_ROOMY = 2 * _GIB
_TIGHT = _GIB // 4
# The runbook promises to lose a day at most; a daily backup may be some hours late.
_BACKUP_IS_OLD = timedelta(hours=26)


def check_settings(settings: Settings) -> Iterator[Diagnosis]:
    """Whether each key is there; never the key."""
    paid = {
        "BACKBOARD_API_KEY": settings.backboard_api_key,
        "OPENAI_API_KEY": settings.openai_api_key,
    }
    missing = [name for name, key in paid.items() if key is None]
    found = "; ".join(f"{name} {'not set' if name in missing else 'set'}" for name in paid)
    if missing:
        yield warn(
            "settings",
            found,
            "without the first the packaged stand-in is measured, without the second the lexical "
            "judge judges: set them where that is not meant",
        )
    else:
        yield ok("settings", found)


def check_dataset(settings: Settings) -> Iterator[Diagnosis]:
    """Read, hash and count it as a run would."""
    dataset = read_dataset(settings.dataset or packaged_sample(), settings.dataset_sha256)
    for finding in (counts_by_category(dataset), schema(dataset)):
        if not finding.passed:
            yield fail(
                "data set",
                f"{dataset.source}: expected {finding.expected}; found {finding.actual}",
                "give the right file (LOCOMO_DATASET)",
            )
            return
    known = "the known file" if dataset.sha256 in KNOWN_COUNTS else "no known file"
    if settings.dataset is None:
        known = "the packaged sample"
    questions = sum(len(one.questions) for one in dataset.conversations)
    yield ok(
        "data set",
        f"{len(dataset.conversations)} conversations, {questions} questions, SHA-256 "
        f"{dataset.sha256} ({known})",
    )


def check_history(settings: Settings) -> Iterator[Diagnosis]:
    """Written, exclusively created, read, listed and deleted; and of a version that is known."""
    storage = open_storage(settings.history_url)
    if (amiss := probe(storage)) is not None:
        yield fail(
            "history",
            f"{storage.url}: {amiss}",
            "runs would pay twice or lose attempts there: set LOCOMO_HISTORY to a store that "
            "creates objects atomically and exclusively",
        )
        return
    try:
        storage.get("format.json")
    except HistoryDamagedError:
        yield ok("history", f"{storage.url}: writable and atomic; empty, the first run makes it")
        return
    attempts = len(HistoryStore.open(settings.history_url).manifest_names())
    yield ok("history", f"{storage.url}: writable and atomic; {attempts} attempts")


def check_backups(settings: Settings) -> Iterator[Diagnosis]:
    """Whether there is a place for them that can be written, and how old the newest is."""
    if settings.backup is None:
        yield warn("backups", "no place is set, so none is made", "set LOCOMO_BACKUP")
        return
    storage = open_backup_storage(settings.backup)
    names = backup_names(storage)
    if (amiss := probe(storage)) is not None:
        yield fail("backups", f"{storage.url}: {amiss}", "set LOCOMO_BACKUP elsewhere")
    elif not names:
        yield warn("backups", f"{storage.url}: none yet", "make one with `locomo-assets backup`")
    elif (age := datetime.now(UTC) - backup_time(names[-1])) > _BACKUP_IS_OLD:
        yield warn(
            "backups",
            f"{storage.url}: the newest is {age.total_seconds() / 3600:.0f} hours old",
            "see why the daily one is not made, or make one with `locomo-assets backup`",
        )
    else:
        yield ok("backups", f"{storage.url}: {len(names)}, the newest {names[-1]}")


def check_disk(settings: Settings) -> Iterator[Diagnosis]:
    """Room for the database, the instance and a local history."""
    place = settings.home
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    found = f"{free / _GIB:.1f} GiB free for {settings.home}"
    if free < _TIGHT:
        yield fail("disk", found, "make room, or set LOCOMO_HOME elsewhere")
    elif free < _ROOMY:
        yield warn(
            "disk", found, "make room: the database is copied while it is brought up to date"
        )
    else:
        yield ok("disk", found)


def probe(storage: Storage) -> str | None:
    """What a store does not do that the history relies on; None if it does everything.

    `HistoryUnreachableError` where it can't be read or written at all.
    """
    path = f"doctor/{secrets.token_hex(8)}"
    rivals = [f"rival {number}".encode() for number in range(_RIVALS)]
    try:
        with ThreadPoolExecutor(_RIVALS) as pool:
            list(pool.map(lambda data: storage.put_new(path, data), rivals))
        won = storage.get(path)
        if won not in rivals:
            return "an object that several created at once is none of theirs"
        storage.put_new(path, b"late")
        if storage.get(path) != won:
            return "an object that exists was replaced by one that was to be created"
        storage.put(path, b"replaced")
        if storage.get(path) != b"replaced":
            return "an object that was replaced reads as before"
        if path not in storage.list("doctor"):
            return "an object that was written is not listed"
    finally:
        storage.delete([path])
    return "a deleted object is still listed" if path in storage.list("doctor") else None


GOOD_MS = 200.0
ACCEPTABLE_MS = 500.0
_CALLS = 4
_CLOCK_GOOD_S = 5.0
_CLOCK_BAD_S = TTL_S / 2


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

    def options(self, settings: Settings) -> "CallOptions":
        from locomo_assets.http.calls import CallOptions

        return CallOptions(record=self.record, watch=self.watch, min_tls=settings.min_tls)

    @property
    def round_trip_ms(self) -> float:
        """The median without the first call, which also made the connection."""
        return statistics.median(self.latencies_ms[1:] or self.latencies_ms)


def check_services(settings: Settings) -> Iterator[Diagnosis]:
    """Both services, three lines each where they are remote, then the clock."""
    seen: list[_Seen] = []
    yield from checked("memory service", lambda: _memory_service(settings, seen))
    yield from checked("judge", lambda: _judge(settings, seen))
    yield from _clock(seen)


def _memory_service(settings: Settings, seen: list[_Seen]) -> Iterator[Diagnosis]:
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
            options=found.options(settings),
            max_retries=1,
            timeout_s=20.0,
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


def check_instance(settings: Settings) -> Iterator[Diagnosis]:
    """That of DAGSTER_HOME, or the local one of LOCOMO_HOME, as a run takes it."""
    with local_instance(settings.home) as instance:
        runs = instance.get_runs_count()
        storage = type(instance.run_storage).__name__
        version = instance.run_storage.alembic_version()
        found = f"{instance.root_directory}: {storage}, {runs} runs"
        if version and version[0] != version[1]:
            yield warn(
                "Dagster instance",
                f"{found}; its tables are of an older version ({version[0]}, not {version[1]})",
                "run `dagster instance migrate`",
            )
        else:
            yield ok("Dagster instance", found)


def check_launcher(settings: Settings) -> Iterator[Diagnosis]:
    """Loaded as the daemon loads it; one for Kubernetes needs a cluster's credentials."""
    with local_instance(settings.home) as instance:
        yield ok("run launcher", type(instance.run_launcher).__name__)


_CHECKS = (
    ("settings", check_settings),
    ("data set", check_dataset),
    ("history", check_history),
    ("backups", check_backups),
    ("services", check_services),
    ("Dagster instance", check_instance),
    ("run launcher", check_launcher),
    ("disk", check_disk),
)


def examine() -> list[Diagnosis]:
    """What this process's environment would give a run. Raises nothing."""
    try:
        settings = read_settings()
    except SettingsError as error:
        return [fail("settings", str(error))]
    return [line for name, check in _CHECKS for line in checked(name, partial(check, settings))]
