"""Somebody works in `history.duckdb` read-write, is killed or stays: it can still be read."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from locomo_assets.history.database import file as database_file
from locomo_assets.history.database import open_read_only, query, rebuild, refresh
from locomo_assets.history.errors import DatabaseLockedError, HistoryUnreachableError
from locomo_assets.history.store import HistoryStore
from locomo_assets_tests.history.factories import commit_answers, lineage

COUNT = "SELECT count(*) FROM answers"
WRITER = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1])
connection.execute("CREATE TABLE notes (note VARCHAR)")
print("open", flush=True)
for line in sys.stdin:
    connection.execute(line)
    print("done", flush=True)
"""


class Writer:
    """Another program that has the file open to write."""

    def __init__(self, path: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = self._process.pid
        assert self._answer() == "open"

    def do(self, sql: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{sql}\n")
        self._process.stdin.flush()
        assert self._answer() == "done"

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.communicate()

    def close(self) -> None:
        self._process.communicate()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@pytest.fixture
def writing(path: Path) -> Iterator[Callable[[], Writer]]:
    made: list[Writer] = []

    def start() -> Writer:
        made.append(Writer(path))
        return made[-1]

    yield start
    for one in made:
        one.kill()


@pytest.fixture
def store(tmp_path: Path) -> HistoryStore:
    return HistoryStore.open(tmp_path.as_uri())


@pytest.fixture
def path(store: HistoryStore, tmp_path: Path) -> Path:
    commit_answers(store, lineage("answers", "r1"))
    return refresh(store, tmp_path / "history.duckdb").path


def log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.wal")


def answers(path: Path) -> int:
    return int(query(path, COUNT)[1][0][0])


def assert_as_any_other_opens_it(path: Path, expected: int) -> None:
    """By its plain name, as DuckDB's own command line would."""
    code = f"import duckdb; print(duckdb.connect({str(path)!r}).execute({COUNT!r}).fetchone()[0])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == str(expected)


def assert_stale(path: Path) -> None:
    """DuckDB refuses the log beside the file; what finds that out changes nothing."""
    with pytest.raises(HistoryUnreachableError, match="WAL"):
        database_file.connect(path, read_only=True)
    assert database_file.logs_beside(path) == [log_of(path)]


def test_a_killed_writer_s_log_goes_with_its_file(
    store: HistoryStore, path: Path, writing: Callable[[], Writer]
) -> None:
    writing().kill()
    assert log_of(path).exists()
    assert answers(path) == 10
    commit_answers(store, lineage("answers", "r2"))
    assert refresh(store, path).attempts_added == 1
    assert not log_of(path).exists()
    assert answers(path) == 20
    assert_as_any_other_opens_it(path, 20)


@pytest.mark.parametrize("ends", [Writer.kill, Writer.close])
def test_one_who_stays_in_the_old_file_disturbs_nobody(
    store: HistoryStore, path: Path, writing: Callable[[], Writer], ends: Callable[[Writer], None]
) -> None:
    writer = writing()
    commit_answers(store, lineage("answers", "r2"))
    assert refresh(store, path).rebuilt
    assert answers(path) == 20
    writer.do("INSERT INTO notes VALUES ('late')")
    writer.do("CHECKPOINT")
    writer.do("INSERT INTO notes VALUES ('later')")
    assert answers(path) == 20
    ends(writer)
    assert answers(path) == 20
    commit_answers(store, lineage("answers", "r3"))
    assert not refresh(store, path).rebuilt
    assert_as_any_other_opens_it(path, 30)


def test_a_log_of_another_file_is_removed_by_who_reads(
    store: HistoryStore, path: Path, writing: Callable[[], Writer]
) -> None:
    # As an end between two steps would leave it, or a writer that is late.
    writing().kill()
    late = log_of(path).read_bytes()
    commit_answers(store, lineage("answers", "r2"))
    refresh(store, path)
    log_of(path).write_bytes(late)
    assert_stale(path)
    assert log_of(path).exists()
    assert answers(path) == 20
    assert not log_of(path).exists()
    log_of(path).write_bytes(late)
    report = refresh(store, path)
    assert (report.attempts_added, report.rebuilt) == (0, False)
    assert not log_of(path).exists()


def test_two_files_built_by_one_process_do_not_fit_each_other_s_logs(
    store: HistoryStore, path: Path, writing: Callable[[], Writer]
) -> None:
    rebuild(store, path)
    writing().kill()
    late = log_of(path).read_bytes()
    rebuild(store, path)
    log_of(path).write_bytes(late)
    assert_stale(path)


def test_nothing_is_lost_when_the_end_comes_between_two_steps(
    store: HistoryStore,
    path: Path,
    writing: Callable[[], Writer],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    writing().kill()
    commit_answers(store, lineage("answers", "r2"))

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", end)
    with pytest.raises(KeyboardInterrupt):
        refresh(store, path)
    monkeypatch.undo()
    assert answers(path) == 10
    assert [one.name for one in path.parent.glob(".*.tmp*")] == []
    refresh(store, path)
    assert answers(path) == 20


def test_a_lock_is_named_as_a_lock(path: Path, writing: Callable[[], Writer]) -> None:
    writer = writing()
    with pytest.raises(DatabaseLockedError) as caught:
        open_read_only(path)
    text = str(caught.value)
    assert f"(process {writer.pid}) has it open to write" in text
    assert text.endswith("close it there, or open it read-only; nothing that was measured is lost")
    assert "rebuild" not in text
    writer.close()
    assert answers(path) == 10


def test_the_same_process_may_have_it_open_to_write(path: Path) -> None:
    with (
        duckdb.connect(str(path)),
        pytest.raises(DatabaseLockedError, match="this process has it open to write"),
    ):
        open_read_only(path)


def _a_log(path: Path) -> None:
    log_of(path).write_bytes(b"no log")


def _a_corrupt_file(path: Path) -> None:
    path.write_bytes(b"no database" * 1000)


def _an_empty_file(path: Path) -> None:
    path.write_bytes(b"")


def _a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _a_full_folder(path: Path) -> None:
    _a_folder(path)
    (path / "mine.txt").write_text("mine")


def _a_dangling_link(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.with_name("nowhere"))


def _a_folder_as_log(path: Path) -> None:
    log_of(path).mkdir()


def _a_folder_as_lock(path: Path) -> None:
    lock = path.with_name(f".{path.name}.lock")
    lock.unlink(missing_ok=True)
    lock.mkdir()


def _a_folder_as_copy(path: Path) -> None:
    (path.with_name(f".{path.name}.tmp") / "in").mkdir(parents=True)


def _spilled(path: Path) -> None:
    path.with_name(f"{path.name}.tmp").mkdir()
    path.with_name(f"{path.name}.tmp").joinpath("duckdb_temp_storage-0.tmp").write_bytes(b"x")


@pytest.mark.parametrize(
    "lies",
    [
        _a_log,
        _a_corrupt_file,
        _an_empty_file,
        _a_folder,
        _a_full_folder,
        _a_dangling_link,
        _a_folder_as_log,
        _a_folder_as_lock,
        _a_folder_as_copy,
        _spilled,
    ],
)
def test_rebuild_cures_whatever_lies_there(
    store: HistoryStore, path: Path, lies: Callable[[Path], None]
) -> None:
    lies(path)
    assert rebuild(store, path).rebuilt
    assert answers(path) == 10
    assert not log_of(path).exists()
    assert not path.with_name(f"{path.name}.tmp").exists()
    assert [one.name for one in path.parent.glob(".*.tmp*")] == []
    kept = [one.read_text() for one in path.parent.rglob("mine.txt")]
    assert kept == (["mine"] if lies is _a_full_folder else [])


def test_a_log_that_can_t_be_removed_is_named(
    store: HistoryStore,
    path: Path,
    writing: Callable[[], Writer],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    writing().kill()
    late = log_of(path).read_bytes()
    rebuild(store, path)
    log_of(path).write_bytes(late)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(HistoryUnreachableError) as caught:
        open_read_only(path)
    assert "history.duckdb.wal) is of another file and can't be removed" in str(caught.value)


@pytest.mark.parametrize("room", [0.5, 1.05], ids=["for no copy", "for a copy only"])
def test_a_full_disk_is_named_and_the_old_file_stays(
    store: HistoryStore, path: Path, tiny_disk: Path, room: float
) -> None:
    subprocess.run(["mount", "-o", "remount,size=32m", str(tiny_disk)], check=True)
    there = rebuild(store, tiny_disk / path.name).path
    left = int(room * there.stat().st_size)
    (tiny_disk / "filling").write_bytes(b"x" * (shutil.disk_usage(tiny_disk).free - left))
    commit_answers(store, lineage("answers", "r2"))
    with pytest.raises(HistoryUnreachableError) as caught:
        refresh(store, there)
    assert str(caught.value) == (
        f"database {there} can't be written: the disk is full; the old one is kept; make room and "
        "refresh again"
    )
    assert answers(there) == 10
    assert {one.name for one in tiny_disk.iterdir()} - {f".{path.name}.lock"} == {
        "filling",
        path.name,
    }
    (tiny_disk / "filling").unlink()
    assert refresh(store, there).attempts_added == 1


def test_a_read_only_place_is_read_and_named(
    store: HistoryStore, path: Path, writing: Callable[[], Writer], tiny_disk: Path
) -> None:
    writing().kill()
    late = log_of(path).read_bytes()
    subprocess.run(["mount", "-o", "remount,size=32m", str(tiny_disk)], check=True)
    there = tiny_disk / path.name
    for _ in range(2):  # the first is made as `path` was, and so its log would fit
        rebuild(store, there)
    subprocess.run(["mount", "-o", "remount,ro", str(tiny_disk)], check=True)
    assert answers(there) == 10
    with pytest.raises(HistoryUnreachableError, match=r"can't be written: .*Read-only file system"):
        refresh(store, there)
    subprocess.run(["mount", "-o", "remount,rw", str(tiny_disk)], check=True)
    log_of(there).write_bytes(late)
    subprocess.run(["mount", "-o", "remount,ro", str(tiny_disk)], check=True)
    with pytest.raises(HistoryUnreachableError, match="is of another file and can't be removed"):
        answers(there)
