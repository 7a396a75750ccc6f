"""Backups: a consistent snapshot of a history in use, incremental, pruned, restored."""

import hashlib
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from locomo_assets.history.backup.create import BackupReport, create_backup
from locomo_assets.history.backup.restore import restore, verify
from locomo_assets.history.backup.snapshot import (
    BackupRefusedError,
    backup_names,
    open_backup_storage,
)
from locomo_assets.history.database import query, rebuild
from locomo_assets.history.errors import (
    HistoryDamagedError,
    HistoryUnreachableError,
    LeaseTakenError,
)
from locomo_assets.history.maintenance import check, prune
from locomo_assets.history.storage import LocalStorage, Storage, open_storage
from locomo_assets.history.store import HistoryStore
from locomo_assets_tests.history.factories import (
    answer,
    commit_answers,
    commit_dataset,
    commit_verdicts,
    judgement,
    lineage,
)

LATER = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture
def store(tmp_path: Path) -> HistoryStore:
    made = HistoryStore.open((tmp_path / "history").as_uri())
    commit_dataset(made)
    commit_answers(made, lineage("answers"))
    commit_verdicts(made, lineage("judgements"), ["correct"] * 7 + ["wrong"] * 3)
    return made


@pytest.fixture
def backups(tmp_path: Path) -> Storage:
    return open_backup_storage((tmp_path / "backups").as_uri())


def back_up(store: HistoryStore, backups: Storage, day: int = 0) -> BackupReport:
    now = datetime.now(UTC) + timedelta(days=day)
    return create_backup(store, backups, keep_days=60, run_id="run-b", now=now)


def hashes(storage: Storage) -> dict[str, str]:
    """Hashes of every file that a backup keeps."""
    derived = ("leases/", "commits/", "reports/", "history.duckdb")
    paths = [path for path in storage.list("") if not path.startswith(derived)]
    return {path: hashlib.sha256(storage.get(path)).hexdigest() for path in paths}


def restored(backups: Storage, folder: Path, name: str | None = None) -> HistoryStore:
    restore(backups, open_storage(folder.as_uri()), name)
    return HistoryStore.open(folder.as_uri())


def test_restored_as_it_was(store: HistoryStore, backups: Storage, tmp_path: Path) -> None:
    rebuild(store, tmp_path / "history" / "history.duckdb")
    store.storage.put("leases/asset=answers/00000001.json", b"{}")
    store.storage.put("reports/r1.html", b"<!doctype html>")
    store.storage.put("something/of/later.json", b"{}")
    report = back_up(store, backups)
    assert (report.backup_manifest.attempts, report.backup_manifest.rows["answers"]) == (3, 10)
    copy = restored(backups, tmp_path / "new")
    assert hashes(copy.storage) == hashes(store.storage)
    assert not list((tmp_path / "new").rglob("*.duckdb"))
    assert not (tmp_path / "new" / "leases").exists()
    assert not (tmp_path / "new" / "reports").exists()
    assert copy.history_id == store.history_id
    assert copy.manifests() == store.manifests()
    assert check(copy).problems == ()
    sql = "SELECT table_name, estimated_size FROM duckdb_tables() ORDER BY ALL"
    path = tmp_path / "copy.duckdb"
    rebuild(copy, path)
    assert query(path, sql) == query(tmp_path / "history" / "history.duckdb", sql)


def test_what_an_unfinished_attempt_saved_is_not_lost(
    store: HistoryStore, backups: Storage, tmp_path: Path
) -> None:
    killed = store.begin(lineage("answers", "r2"))
    for number in range(3):
        killed.append("answers", [answer(number, "paid")])
    report = back_up(store, backups)
    assert report.backup_manifest.unfinished == (killed.attempt_id,)
    copy = restored(backups, tmp_path / "new")
    (found,) = copy.unfinished("answers", "r2", "conv-1")
    assert copy.read("answers", [found]).num_rows == 3


def test_only_what_is_new_is_copied(store: HistoryStore, backups: Storage) -> None:
    first = back_up(store, backups)
    assert first.new_files == len(first.backup_manifest.files)
    assert back_up(store, backups).new_files == 0
    commit_answers(store, lineage("answers", "r2"), mark="b")
    third = back_up(store, backups)
    assert third.new_files == 3  # answers, calls, manifest
    assert third.kept == 3
    assert verify(backups, first.name).backup_manifest == first.backup_manifest


def test_a_stored_data_file_is_not_read_again(
    store: HistoryStore, backups: Storage, tmp_path: Path
) -> None:
    """Damage of the history after a backup neither spoils nor stops the next one."""
    back_up(store, backups)
    data_file = store.manifests()[1].data_files[0].path
    store.storage.put(data_file, b"damaged")
    report = back_up(store, backups)
    assert check(restored(backups, tmp_path / "new", report.name)).problems == ()


def test_damage_since_the_last_backup_prevents_the_next(
    store: HistoryStore, backups: Storage
) -> None:
    data_file = store.manifests()[1].data_files[0].path
    store.storage.put(data_file, b"damaged")
    with pytest.raises(HistoryDamagedError, match="was changed after it was committed"):
        back_up(store, backups)
    assert backup_names(backups) == []
    store.storage.delete([data_file])
    with pytest.raises(HistoryDamagedError, match="is missing"):
        back_up(store, backups)
    assert backup_names(backups) == []


def test_old_backups_go_and_the_newest_two_stay(store: HistoryStore, backups: Storage) -> None:
    old = store.begin(lineage("answers", "r9"))
    old.append("answers", [answer(0, "old")])
    first = back_up(store, backups)
    store.storage.delete([path for path in store.storage.list("tables") if "release=r9" in path])
    back_up(store, backups, day=10)
    assert back_up(store, backups, day=59).removed == ()
    objects = len(backups.list("objects"))
    fourth = back_up(store, backups, day=61)
    assert fourth.removed == (first.name,)
    assert len(backups.list("objects")) == objects - 1  # what only the first one needed
    late = back_up(store, backups, day=1000)
    assert late.kept == 2
    assert backup_names(backups) == [fourth.name, late.name]
    for name in backup_names(backups):
        verify(backups, name)


def test_nothing_is_removed_while_a_manifest_cannot_be_read(
    store: HistoryStore, backups: Storage
) -> None:
    first = back_up(store, backups)
    second = back_up(store, backups, day=10)
    backups.put(f"manifests/{second.name}.json.gz", b"torn")
    third = back_up(store, backups, day=65)
    assert third.removed == ()
    assert "was changed" in third.notes[0]
    verify(backups, first.name)


def test_a_killed_backup_is_none_and_the_next_one_goes_on(
    store: HistoryStore, backups: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    back_up(store, backups)
    commit_answers(store, lineage("answers", "r2"), mark="b")
    put = LocalStorage.put

    def full(self: LocalStorage, path: str, data: bytes) -> None:
        if path.startswith("manifests/"):
            raise HistoryUnreachableError(f"history {self.url} can't be written: the disk is full")
        put(self, path, data)

    with monkeypatch.context() as patch:
        patch.setattr(LocalStorage, "put", full)
        with pytest.raises(HistoryUnreachableError, match=r"^backup file:.*disk is full"):
            back_up(store, backups)
    assert len(backup_names(backups)) == 1
    assert back_up(store, backups).new_files == 0
    verify(backups)


def test_only_one_backup_runs_at_a_time(store: HistoryStore, backups: Storage) -> None:
    class Meeting(LocalStorage):
        def put(self, path: str, data: bytes) -> None:
            if path.startswith("manifests/"):
                with pytest.raises(LeaseTakenError, match=r"backup file:.* is at work on it"):
                    back_up(store, backups)
            super().put(path, data)

    back_up(store, Meeting(Path(backups.url.removeprefix("file://"))))
    assert len(backup_names(backups)) == 1


def test_another_history_may_not_replace_it(
    store: HistoryStore, backups: Storage, tmp_path: Path
) -> None:
    back_up(store, backups)
    emptied = HistoryStore.open((tmp_path / "emptied").as_uri())
    with pytest.raises(BackupRefusedError, match="backups of another history"):
        back_up(emptied, backups)


@pytest.mark.parametrize("url", ["history/backups", "history", "."])
def test_a_folder_within_the_history_is_refused(
    store: HistoryStore, tmp_path: Path, url: str
) -> None:
    before = hashes(store.storage)
    with pytest.raises(BackupRefusedError, match="history's own folder"):
        back_up(store, open_backup_storage((tmp_path / url).as_uri()))
    assert hashes(store.storage) == before


class Between(LocalStorage):
    """A history in which something happens during one listing or before one read."""

    def __init__(self, folder: Path, in_listing: str, then: Callable[[], object]) -> None:
        super().__init__(folder)
        self._in_listing = in_listing
        self._then: Callable[[], object] | None = then

    def _happen(self) -> None:
        if self._then:
            then, self._then = self._then, None
            then()

    def list(self, prefix: str) -> list[str]:
        before = super().list(prefix)
        if prefix != self._in_listing:
            return before
        self._happen()
        seen_late = [path for path in super().list(prefix) if "asset=answers" not in path]
        return sorted({*before, *seen_late})

    def get_many(self, paths: Sequence[str]) -> dict[str, bytes]:
        if not self._in_listing and any("release=r2" in path for path in paths):
            self._happen()
        return dict(super().get_many(paths))


def test_no_verdict_without_its_answer(
    store: HistoryStore, backups: Storage, tmp_path: Path
) -> None:
    """Both are committed while the manifests are listed, and only the later one is seen."""

    def then() -> None:
        commit_answers(store, lineage("answers", "r2"), mark="b")
        commit_verdicts(store, lineage("judgements", "r2"), ["wrong"], mark="b")

    slow = HistoryStore(Between(tmp_path / "history", "attempts", then), store.history_id)
    back_up(slow, backups)
    assets = [m.lineage.asset for m in restored(backups, tmp_path / "new").manifests(release="r2")]
    assert assets == ["answers", "judgements"]


def test_what_commits_meanwhile_is_taken_as_committed(
    store: HistoryStore, backups: Storage, tmp_path: Path
) -> None:
    """Its small data files, just listed, are gone when they are read."""
    attempt = store.begin(lineage("answers", "r2"))
    for number in range(4):
        attempt.append("answers", [answer(number, "b")])

    def then() -> None:
        attempt.merge()
        attempt.commit()

    slow = HistoryStore(Between(tmp_path / "history", "", then), store.history_id)
    report = back_up(slow, backups)
    assert report.backup_manifest.unfinished == ()
    copy = restored(backups, tmp_path / "new")
    assert copy.read("answers", copy.manifests(release="r2")).num_rows == 4


class Busy(LocalStorage):
    """A history in which an attempt commits whenever one of its small data files is read."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.store = HistoryStore.open(folder.as_uri())
        self.committed = 0
        self._begin()

    def _begin(self) -> None:
        self._attempt = self.store.begin(lineage("answers", f"busy-{self.committed}"))
        for number in range(4):
            self._attempt.append("answers", [answer(number, "b")])

    def get(self, path: str) -> bytes:
        if self._attempt.attempt_id in path and path.startswith("tables"):
            self._attempt.merge()
            self._attempt.commit()
            self.committed += 1
            self._begin()
        return super().get(path)


def test_however_much_is_committed_meanwhile_a_backup_is_made(
    store: HistoryStore, backups: Storage, tmp_path: Path
) -> None:
    busy = Busy(tmp_path / "history")
    report = back_up(HistoryStore(busy, store.history_id), backups)
    assert busy.committed
    assert report.backup_manifest.unfinished == ()
    copy = restored(backups, tmp_path / "new")
    assert copy.read("answers", copy.manifests(release="busy-0")).num_rows == 4
    assert check(copy).problems == ()


def test_what_commits_after_the_snapshot_is_kept_as_unfinished(
    store: HistoryStore, backups: Storage, tmp_path: Path
) -> None:
    """Its data files were read before; the commit is seen, but is later than the snapshot."""
    attempt = store.begin(lineage("answers", "r2"))
    attempt.append("answers", [answer(0, "b")])

    class Late(LocalStorage):
        """Each listing of the manifests shows one more commit; the attempt's is the last."""

        listings = 0

        def list(self, prefix: str) -> list[str]:
            if prefix == "attempts":
                self.listings += 1
                commit_answers(store, lineage("answers", f"later-{self.listings}"), mark="c")
                if self.listings == 7:
                    attempt.commit()
            return super().list(prefix)

    slow = Late(tmp_path / "history")
    report = back_up(HistoryStore(slow, store.history_id), backups)
    assert slow.listings == 7
    assert report.backup_manifest.unfinished == (attempt.attempt_id,)
    copy = restored(backups, tmp_path / "new")
    (found,) = copy.unfinished("answers", "r2", "conv-1")
    assert copy.read("answers", [found]).num_rows == 1


def test_backups_while_runs_write_and_the_history_is_pruned(
    store: HistoryStore, backups: Storage, tmp_path: Path
) -> None:
    stop = threading.Event()
    failures: list[BaseException] = []

    def write(name: str) -> None:
        number = 0
        try:
            while not stop.is_set():
                release = f"{name}-{number}"
                attempt = store.begin(lineage("answers", release))
                for index in range(3):
                    attempt.append("answers", [answer(index, release)])
                if number % 2:
                    attempt.merge()
                attempt.commit()
                verdicts = store.begin(lineage("judgements", release))
                for index in range(3):
                    verdicts.append("judgements", [judgement(index, "wrong", release)])
                verdicts.merge()
                verdicts.commit()
                number += 1
        except BaseException as failure:
            failures.append(failure)

    def prune_repeatedly() -> None:
        try:
            while not stop.is_set():
                prune(store, tmp_path / "pruned.duckdb", keep_days=1, dry_run=False)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=write, args=(name,)) for name in "ab"]
    threads.append(threading.Thread(target=prune_repeatedly))
    for thread in threads:
        thread.start()
    try:
        names = [back_up(store, backups).name for _ in range(4)]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []
    for number, name in enumerate(names):
        copy = restored(backups, tmp_path / f"new-{number}", name)
        assert check(copy).problems == ()
        answered = {m.lineage.release for m in copy.manifests(asset="answers")}
        judged = {m.lineage.release for m in copy.manifests(asset="judgements")}
        assert judged <= answered
        for manifest in copy.manifests(asset="judgements")[1:]:
            assert manifest.rows["judgements"] == 3
    assert len(answered) > 1


def test_no_storage_is_set() -> None:
    with pytest.raises(BackupRefusedError, match="LOCOMO_BACKUP"):
        open_backup_storage(None)


def test_to_and_from_a_bucket(store: HistoryStore, s3_url: str, tmp_path: Path) -> None:
    backups = open_backup_storage(f"{s3_url}-backups")
    report = back_up(store, backups)
    assert verify(backups).backup_manifest == report.backup_manifest
    restore(backups, open_storage(s3_url))
    assert hashes(open_storage(s3_url)) == hashes(store.storage)
    assert HistoryStore.open(s3_url).manifests() == store.manifests()
    with pytest.raises(BackupRefusedError, match="is not empty"):
        restore(backups, open_storage(s3_url))
    of_a_bucket = back_up(HistoryStore.open(s3_url), backups)
    assert (of_a_bucket.new_files, of_a_bucket.kept) == (0, 2)
