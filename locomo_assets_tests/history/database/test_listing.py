"""What a refresh lists, and which attempts it finds so; the file that it works in."""

import os
import time
from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Self

import pytest

from locomo_assets.history import store
from locomo_assets.history.database import file as database_file
from locomo_assets.history.database import listing, open_read_only, query, rebuild, refresh
from locomo_assets.history.provenance import Manifest
from locomo_assets.history.storage import LocalStorage
from locomo_assets.history.store import HistoryStore
from locomo_assets_tests.history.database.test_database import everything, measure
from locomo_assets_tests.history.factories import commit_answers, commit_dataset, lineage

COUNT = "SELECT count(DISTINCT attempt_id) FROM answers"


class CountingStorage(LocalStorage):
    """A folder that notes what is listed and read."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.listed: list[str] = []
        self.read = 0

    def list(self, prefix: str) -> list[str]:
        self.listed.append(prefix)
        return super().list(prefix)

    def get(self, path: str) -> bytes:
        self.read += 1
        return super().get(path)


@pytest.fixture
def counted(tmp_path: Path) -> CountingStorage:
    return CountingStorage(tmp_path / "history")


@pytest.fixture
def history(counted: CountingStorage) -> HistoryStore:
    return HistoryStore(counted, "id")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "database" / "history.duckdb"


@pytest.fixture
def spares(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spares of small files, too."""
    monkeypatch.setattr(database_file, "SPARE_FROM_BYTES", 0)


def commit(history: HistoryStore, release: str) -> Manifest:
    return commit_answers(history, lineage("answers", release), 2)


def note_of(counted: CountingStorage, manifest: Manifest) -> str:
    (found,) = [path for path in counted.list("commits") if manifest.attempt_id in path]
    return found


def test_after_one_more_run_as_much_is_listed_and_read_in_a_long_history(
    history: HistoryStore, counted: CountingStorage, path: Path
) -> None:
    effort, runs = {}, 0
    for size in (10, 60):
        while runs < size:
            commit(history, f"r{runs}")
            runs += 1
        refresh(history, path)
        commit(history, f"r{runs}")
        runs += 1
        counted.listed, counted.read = [], 0
        assert refresh(history, path, recent_only=True).attempts_added == 1
        effort[size] = (len(counted.listed), counted.read)
        assert not [prefix for prefix in counted.listed if prefix.startswith("attempts")]
    assert effort[60][0] <= 5
    assert effort[60] == effort[10]
    assert query(path, COUNT)[1] == [(61,)]


def test_a_commit_without_a_note_is_found_by_the_next_listing_of_all(
    history: HistoryStore,
    counted: CountingStorage,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    commit(history, "r1")
    refresh(history, path)
    for release, later in (("r2", False), ("r3", True)):
        counted.delete([note_of(counted, commit(history, release))])
        assert refresh(history, path, recent_only=True).attempts_added == 0
        with monkeypatch.context() as patch:
            if later:
                patch.setattr(listing, "_LISTED_AGAIN_AFTER", timedelta())
            assert refresh(history, path, recent_only=later).attempts_added == 1
    counted.delete([commit(history, "r4").path])
    assert refresh(history, path, recent_only=True).attempts_added == 0


def test_an_attempt_that_is_about_to_commit_is_found_once_it_has(
    history: HistoryStore, counted: CountingStorage, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(history, "r1")
    refresh(history, path)
    seen: list[int] = []
    put = counted.put

    def looked_at(place: str, data: bytes) -> None:
        if place.startswith("attempts/"):
            seen.append(refresh(history, path, recent_only=True).attempts_added)
        put(place, data)

    monkeypatch.setattr(counted, "put", looked_at)
    commit(history, "r2")
    assert seen == [0]
    assert refresh(history, path, recent_only=True).attempts_added == 1
    assert query(path, COUNT)[1] == [(2,)]


@pytest.mark.parametrize("hours", [-23, -1, 1, 23])
def test_a_writer_whose_clock_is_wrong_by_hours_is_found(
    history: HistoryStore, path: Path, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    commit(history, "r1")
    refresh(history, path)

    class Wrong(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls.fromtimestamp(time.time() + 3600 * hours, tz)

    with monkeypatch.context() as patch:
        patch.setattr(store, "datetime", Wrong)
        commit(history, "r2")
    assert refresh(history, path, recent_only=True).attempts_added == 1


def test_a_note_that_leads_elsewhere_is_left_alone(
    history: HistoryStore, counted: CountingStorage, path: Path
) -> None:
    manifest = commit(history, "r1")
    refresh(history, path)
    note = note_of(counted, manifest)
    for number, content in enumerate([b"", b"\xff", b"format.json", b"attempts/../format.json"]):
        counted.put(f"{note[:-1]}{number}x", content)
    assert refresh(history, path, recent_only=True).attempts == 1


def steps(history: HistoryStore) -> Sequence[tuple[str, bool]]:
    """Releases to measure, and whether the refresh after it lists recent commits only."""
    commit_dataset(history)
    return [("r1", False), ("r2", True), ("r3", True), ("r1", False), ("r4", True), ("r5", True)]


@pytest.mark.usefixtures("spares")
def test_a_refresh_works_in_the_file_published_before(history: HistoryStore, path: Path) -> None:
    inodes = []
    for number, (release, recent_only) in enumerate(steps(history)):
        measure(history, release, f"m{number}", f"run-{number}")
        report = refresh(history, path, recent_only=recent_only)
        assert report.rebuilt == (number == 0)
        inodes.append(path.stat().st_ino)
        other = path.with_name("rebuilt.duckdb")
        rebuild(history, other)
        assert everything(path) == everything(other)
    # The second one is a copy, the first time that there is a file; from then on they take turns.
    assert inodes[2:] == [inodes[0], inodes[1], inodes[0], inodes[1]]


@pytest.mark.usefixtures("spares")
def test_a_reader_of_the_file_published_before_keeps_its_state(
    history: HistoryStore, path: Path
) -> None:
    commit(history, "r1")
    refresh(history, path)
    with open_read_only(path) as reader:
        for release in ("r2", "r3", "r4"):
            commit(history, release)
            refresh(history, path, recent_only=True)
            assert reader.execute(COUNT).fetchall() == [(1,)]
    assert query(path, COUNT)[1] == [(4,)]


@pytest.mark.usefixtures("spares")
@pytest.mark.parametrize("harm", ["linked", "published", "broken"])
def test_a_spare_that_is_not_ones_own_is_not_worked_in(
    history: HistoryStore, path: Path, tmp_path: Path, harm: str
) -> None:
    for release in ("r1", "r2"):
        commit(history, release)
        refresh(history, path)
    spare = database_file.spare_of(path)
    kept = tmp_path / "kept"
    if harm == "linked":
        kept.hardlink_to(spare)
    elif harm == "published":  # a refresh was killed before the new file took its place
        spare.unlink()
        spare.hardlink_to(path)
    else:
        spare.write_bytes(b"no database")
    before = os.stat(path).st_ino, kept.read_bytes() if kept.exists() else b""
    commit(history, "r3")
    assert refresh(history, path, recent_only=True).attempts == 3
    assert path.stat().st_ino != before[0]
    assert (kept.read_bytes() if kept.exists() else b"") == before[1]
    assert query(path, COUNT)[1] == [(3,)]


@pytest.mark.usefixtures("spares")
def test_what_only_a_listing_of_all_has_found_stays(
    history: HistoryStore, counted: CountingStorage, path: Path
) -> None:
    for release in ("r1", "r2"):
        commit(history, release)
        refresh(history, path)
    counted.delete([note_of(counted, commit(history, "r3"))])
    assert refresh(history, path).attempts_added == 1
    for release in ("r4", "r5"):  # the spare lacks r3, of which there is no note
        commit(history, release)
        refresh(history, path, recent_only=True)
    assert query(path, COUNT)[1] == [(5,)]
