"""The doctor: each line ok, warn and fail; nothing that costs is asked; no key is shown."""

import json
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner, Result

from locomo_assets.doctor import (
    Diagnosis,
    DoctorError,
    Level,
    check_backups,
    check_database,
    check_dataset,
    check_history,
    check_services,
    checked,
    examine,
    probe,
)
from locomo_assets.history.backup.create import create_backup
from locomo_assets.history.database import rebuild
from locomo_assets.history.storage import LocalStorage, open_storage
from locomo_assets.history.store import HistoryStore
from locomo_assets.locomo.sample import packaged_sample
from locomo_assets.settings import Settings, read_settings
from locomo_assets.standin.server import BaseUrls, running_standin
from locomo_assets.standin.settings import StandinSettings
from locomo_assets_tests.doctor.serving import make_certificate, odd_backboard, tls_proxy

KEY = "planted-key-5531"


@pytest.fixture(autouse=True)
def _instance(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a look sets for the process goes with the test."""
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.delenv("DAGSTER_HOME")


@pytest.fixture
def standin(home: Path) -> Iterator[BaseUrls]:
    with running_standin(StandinSettings(keys=(KEY,)), home / "server.sqlite") as urls:
        yield urls


def served(monkeypatch: pytest.MonkeyPatch, backboard: str, openai: str | None = None) -> None:
    monkeypatch.setenv("BACKBOARD_BASE_URL", backboard)
    monkeypatch.setenv("BACKBOARD_API_KEY", KEY)
    if openai:
        monkeypatch.setenv("OPENAI_BASE_URL", openai)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)


def by_subject(lines: list[Diagnosis]) -> dict[str, Diagnosis]:
    assert all("\n" not in f"{line.found}{line.way_out}" for line in lines)
    assert all(line.way_out for line in lines if line.level is Level.WARN)
    assert KEY not in repr(lines)
    return {line.subject: line for line in lines}


def looks(look: Callable[[Settings], Iterable[Diagnosis]]) -> dict[str, Diagnosis]:
    """What one look finds."""
    return by_subject(checked("it", lambda: look(read_settings())))


def test_all_is_well(
    home: Path, standin: BaseUrls, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    certificate = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setenv("LOCOMO_BACKUP", (tmp_path / "backups").as_uri())
    store = HistoryStore.open((home / "history").as_uri())
    create_backup(store, open_storage((tmp_path / "backups").as_uri()), keep_days=60, run_id="b")
    with (
        tls_proxy(standin.backboard, certificate, ssl.TLSVersion.TLSv1_3) as backboard,
        tls_proxy(standin.openai, certificate, ssl.TLSVersion.TLSv1_3) as openai,
    ):
        served(monkeypatch, backboard, openai)
        found = by_subject(examine())
    assert {line.level for line in found.values()} == {Level.OK}, found
    assert list(found) == [
        "settings",
        "network",
        "data set",
        "history",
        "database",
        "backups",
        "memory service",
        "memory service round trip",
        "memory service TLS",
        "judge",
        "judge round trip",
        "judge TLS",
        "clock",
        "Dagster instance",
        "run launcher",
        "disk",
    ]
    assert found["settings"].found == "BACKBOARD_API_KEY set; OPENAI_API_KEY set"
    for service in ("memory service", "judge"):
        assert found[service].found.endswith("reached, key not proven")
    assert found["memory service TLS"].found == "TLSv1.3"
    assert found["run launcher"].found == "LocalRunLauncher"
    assert store.storage.list("doctor") == []


def test_an_old_proxy(
    home: Path, standin: BaseUrls, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    certificate = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with tls_proxy(standin.openai, certificate, ssl.TLSVersion.TLSv1_2) as openai:
        served(monkeypatch, standin.backboard, openai)
        found = looks(check_services)
        assert found["judge"].level is Level.FAIL
        assert "LOCOMO_MIN_TLS" in found["judge"].found
        assert found["memory service"].level is Level.OK
        monkeypatch.setenv("LOCOMO_MIN_TLS", "1.2")
        found = looks(check_services)
    assert found["judge"].level is Level.OK
    assert (found["judge TLS"].level, found["judge TLS"].found[:7]) == (Level.WARN, "TLSv1.2")
    assert found["memory service TLS"].found == "none, on this machine"


def test_a_refused_key_and_a_server_that_is_down(
    home: Path, standin: BaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    served(monkeypatch, standin.backboard, "http://127.0.0.1:9/v1")
    monkeypatch.setenv("BACKBOARD_API_KEY", "another-key")
    found = looks(check_services)
    assert "another-key" not in repr(found)
    assert found["memory service"].level is Level.FAIL
    assert "BACKBOARD_API_KEY" in found["memory service"].found
    assert found["judge"].level is Level.FAIL
    assert "127.0.0.1" in found["judge"].found


@pytest.mark.parametrize(
    ("ahead_s", "level"), [(0, Level.OK), (-15, Level.WARN), (3600, Level.FAIL)]
)
def test_the_clock_against_the_servers(
    home: Path, monkeypatch: pytest.MonkeyPatch, ahead_s: int, level: Level
) -> None:
    with odd_backboard(ahead=timedelta(seconds=ahead_s)) as url:
        served(monkeypatch, url)
        clock = looks(check_services)["clock"]
    assert clock.level is level
    assert ("behind" if ahead_s > 0 else "ahead") in clock.found


def test_a_slow_service_is_degraded(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with odd_backboard(takes_s=0.51) as url:
        served(monkeypatch, url)
        found = looks(check_services)
    trip = found["memory service round trip"]
    assert (trip.level, "degraded" in trip.found) == (Level.WARN, True)
    assert found["memory service"].level is Level.OK


def test_the_dataset(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "(the packaged sample)" in looks(check_dataset)["data set"].found
    monkeypatch.setenv("LOCOMO_DATASET", packaged_sample())
    assert "(no known file)" in looks(check_dataset)["data set"].found
    monkeypatch.setenv("LOCOMO_DATASET_SHA256", "0" * 64)
    found = looks(check_dataset)["it"]
    assert (found.level, "its SHA-256 is" in found.found) == (Level.FAIL, True)


def test_settings_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCOMO_JUDGE_VOTES", "2")
    (line,) = examine()
    assert (line.subject, line.level) == ("settings", Level.FAIL)
    assert "LOCOMO_JUDGE_VOTES" in line.found


def test_what_lies_beside_the_database(home: Path) -> None:
    assert looks(check_database)["database"].found.endswith("none yet; the first run makes it")
    store = HistoryStore.open((home / "history").as_uri())
    path = rebuild(store, read_settings().database_path).path
    assert looks(check_database)["database"].level is Level.OK
    code = (
        f"import duckdb, os; c = duckdb.connect({str(path)!r}); "
        "c.execute('CREATE TABLE n (a INT)'); os._exit(1)"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    log = path.with_name(f"{path.name}.wal")
    late = log.read_bytes()
    line = looks(check_database)["database"]
    assert (line.level, "holds what somebody changed" in line.found) == (Level.WARN, True)
    rebuild(store, path)
    log.write_bytes(late)
    line = looks(check_database)["database"]
    assert (line.level, "is of another file" in line.found) == (Level.FAIL, True)
    assert log.exists()
    rebuild(store, path)
    with duckdb.connect(str(path)):
        line = looks(check_database)["database"]
    assert (line.level, "has it open to write" in line.found) == (Level.WARN, True)
    path.write_bytes(b"no database" * 1000)
    line = looks(check_database)["it"]
    assert (line.level, "history rebuild" in f"{line.found} {line.way_out}") == (Level.FAIL, True)


def test_an_old_backup_and_none(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = (home / "backups").as_uri()
    monkeypatch.setenv("LOCOMO_BACKUP", place)
    assert "none yet" in looks(check_backups)["backups"].found
    store = HistoryStore.open((home / "history").as_uri())
    old = datetime.now(UTC) - timedelta(hours=30)
    create_backup(store, open_storage(place), keep_days=60, run_id="b", now=old)
    line = looks(check_backups)["backups"]
    assert (line.level, line.found[-12:]) == (Level.WARN, "30 hours old")


class Overwriting(LocalStorage):
    """A store that knows no exclusive creation."""

    def put_new(self, path: str, data: bytes) -> None:
        self.put(path, data)


class Stale(LocalStorage):
    """A store whose listings are late."""

    def list(self, prefix: str) -> list[str]:
        return []


def test_what_a_store_must_do(tmp_path: Path) -> None:
    assert probe(LocalStorage(tmp_path)) is None
    assert "was replaced by one that was to be created" in str(probe(Overwriting(tmp_path)))
    assert "is not listed" in str(probe(Stale(tmp_path)))
    assert LocalStorage(tmp_path).list("") == []


def test_a_bucket_does_it(s3_url: str) -> None:
    storage = open_storage(s3_url)
    assert probe(storage) is None
    assert storage.list("") == []


def test_a_history_that_cannot_be_written(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "file").write_text("")
    monkeypatch.setenv("LOCOMO_HISTORY", (home / "file" / "history").as_uri())
    found = looks(check_history)["it"]
    assert (found.level, "can't be written" in found.found) == (Level.FAIL, True)


def run(*arguments: str) -> Result:
    import typer

    from locomo_assets.cli.operations import doctor

    app = typer.Typer()
    app.callback()(lambda: None)
    doctor.register(app)
    return CliRunner().invoke(app, ["doctor", *arguments])


def test_exit_codes_and_json(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Warnings let a pod start; a failure does not."""
    done = run()
    assert done.exit_code == 0
    assert done.stdout.startswith("warn  settings")
    monkeypatch.setenv("LOCOMO_DATASET", str(home / "none.json"))
    done = run("--format", "json")
    assert isinstance(done.exception, DoctorError)
    assert str(done.exception) == "1 of 11 fail: data set"
    levels = {line["subject"]: line["level"] for line in json.loads(done.stdout)}
    assert (levels["data set"], levels["backups"], levels["disk"]) == ("fail", "warn", "ok")
