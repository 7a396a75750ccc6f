"""Whether a first paid run would find all that it needs, a line for each thing.

The history and the backups are really written to: one object, which is deleted again. What is
asked of the services is in `services`.
"""

import secrets
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial

from locomo_assets.analysis.checks import KNOWN_COUNTS, counts_by_category, schema
from locomo_assets.doctor.diagnosis import (
    Diagnosis,
    DoctorError,
    Level,
    checked,
    fail,
    ok,
    warn,
)
from locomo_assets.doctor.services import check_services, proof_cost
from locomo_assets.history.backup.snapshot import backup_names, backup_time, open_backup_storage
from locomo_assets.history.database import file as database_file
from locomo_assets.history.errors import (
    DatabaseLockedError,
    HistoryDamagedError,
    HistoryUnreachableError,
)
from locomo_assets.history.storage import Storage, open_storage
from locomo_assets.history.store import HistoryStore
from locomo_assets.locomo.parsing import read_dataset
from locomo_assets.locomo.sample import packaged_sample
from locomo_assets.network import ALERT_BUNDLES, STORE_BUNDLES, check_network, network_settings
from locomo_assets.pipeline.launch import local_instance
from locomo_assets.prices import PriceError
from locomo_assets.settings import Settings, SettingsError, read_settings

__all__ = ["Diagnosis", "DoctorError", "Level", "check_services", "checked", "examine"]

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


def check_network_settings(settings: Settings) -> Iterator[Diagnosis]:
    """Proxies and certificates of the environment, for whatever these settings let be asked."""
    check_network((*STORE_BUNDLES, *ALERT_BUNDLES))
    told = network_settings()
    yield ok("network", "; ".join(told) if told else "no proxy, and the system's certificates")


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


def check_database(settings: Settings) -> Iterator[Diagnosis]:
    """Whether `history.duckdb` can be read, and nobody has left anything beside it."""
    path = settings.database_path
    if not path.exists():
        yield ok("database", f"{path}: none yet; the first run makes it")
        return
    logs = ", ".join(log.name for log in database_file.logs_beside(path))
    try:
        database_file.connect(path, read_only=True).close()
    except DatabaseLockedError as error:
        found, _, way_out = str(error).partition("; ")
        yield warn("database", found, way_out)
    except HistoryUnreachableError:
        if not logs:
            raise
        yield fail(
            "database",
            f"{path}: can't be read by others; {logs} beside it is of another file",
            "run `locomo-assets history refresh`, which removes it",
        )
    else:
        if logs:
            yield warn(
                "database",
                f"{path}: {logs} beside it holds what somebody changed in it",
                "the next run drops that; open it read-only (docs/sql.md)",
            )
        else:
            yield ok("database", f"{path}: readable")


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


_Check = Callable[[Settings], Iterator[Diagnosis]]
_CHECKS: dict[str, _Check] = {
    "settings": check_settings,
    "network": check_network_settings,
    "data set": check_dataset,
    "history": check_history,
    "database": check_database,
    "backups": check_backups,
    "services": check_services,
    "Dagster instance": check_instance,
    "run launcher": check_launcher,
    "disk": check_disk,
}


def examine(
    *, prove: bool = False, tell: Callable[[str], None] = lambda _: None
) -> list[Diagnosis]:
    """What this process's environment would give a run. Raises nothing.

    `prove`: the keys, too; `tell` gets what that costs, before it is asked for.
    """
    try:
        settings = read_settings()
        if prove:
            tell(proof_cost(settings))
    except (SettingsError, PriceError) as error:
        return [fail("settings", str(error))]
    checks: dict[str, _Check] = {**_CHECKS, "services": partial(check_services, prove=prove)}
    return [line for name in checks for line in checked(name, partial(checks[name], settings))]
