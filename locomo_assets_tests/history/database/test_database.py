"""The database: a refresh equals a rebuild, and damage leaves the last good state."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from locomo_assets.history import database
from locomo_assets.history.database import file as database_file
from locomo_assets.history.database import open_read_only, query, rebuild, refresh
from locomo_assets.history.database import tables as database_tables
from locomo_assets.history.errors import (
    HistoryDamagedError,
    HistoryError,
    HistoryQueryError,
    HistoryUnreachableError,
)
from locomo_assets.history.schema import TABLES, schema_texts
from locomo_assets.history.store import HistoryStore
from locomo_assets_tests.history.factories import (
    commit_answers,
    commit_dataset,
    commit_verdicts,
    lineage,
)

COUNT = "SELECT count(*) FROM answers"


@pytest.fixture
def store(tmp_path: Path) -> HistoryStore:
    return HistoryStore.open((tmp_path / "history").as_uri())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "database" / "history.duckdb"


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with ten answers, for those that only read it."""
    folder = tmp_path_factory.mktemp("measured")
    store = HistoryStore.open(folder.as_uri())
    commit_answers(store, lineage("answers"))
    return refresh(store, folder / "history.duckdb").path


def everything(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables and views, in one order."""
    working = {"touched_partitions", "touched_attempts", "last_listing"}
    with open_read_only(path) as connection:
        names = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'main'"
        ).fetchall()
        return {
            name: sorted(connection.execute(f"FROM {name}").fetchall(), key=repr)
            for (name,) in names
            if name not in working
        }


def measure(store: HistoryStore, release: str, mark: str, run_id: str = "run-1") -> None:
    commit_answers(store, lineage("answers", release, run_id=run_id), mark=mark)
    commit_verdicts(
        store,
        lineage("judgements", release, run_id=run_id),
        ["correct", "wrong"] * 5,
        mark=mark,
    )


def test_an_empty_history_has_all_tables_and_views(store: HistoryStore, path: Path) -> None:
    report = refresh(store, path)
    assert (report.attempts, report.rebuilt) == (0, True)
    assert query(path, "FROM accuracy_by_release")[1] == []
    assert all(
        rows == [] for name, rows in everything(path).items() if name in database_tables.DERIVED
    )


@pytest.mark.parametrize(
    ("batch", "rows"), [(1, 10**6), (4, 10**6), (4, 25), (2000, 25), (2000, 10**6)]
)
def test_refreshing_step_by_step_equals_rebuilding(
    store: HistoryStore, path: Path, monkeypatch: pytest.MonkeyPatch, batch: int, rows: int
) -> None:
    steps: list[Callable[[], object]] = [
        lambda: measure(store, "r1", "early"),
        lambda: commit_dataset(store),  # gold answers come late
        lambda: measure(store, "r2", "b"),
        lambda: measure(store, "r1", "again", "run-2"),
        lambda: commit_verdicts(
            store, lineage("judgements", "r1"), ["wrong"] * 10, mark="early"
        ),  # on answers no longer current
        lambda: commit_dataset(store, run_id="run-9"),
        lambda: commit_verdicts(
            store, lineage("judgements", "r2"), ["correct"] * 10, mark="b", judge="other"
        ),
    ]
    for step in steps:
        step()
        assert not refresh(store, path).rebuilt or step is steps[0]
    other = path.with_name("rebuilt.duckdb")
    monkeypatch.setattr(database, "_ATTEMPTS_PER_TRANSACTION", batch)
    monkeypatch.setattr(database, "_ROWS_PER_TRANSACTION", rows)
    assert rebuild(store, other).rebuilt
    assert everything(path) == everything(other)
    assert query(path, "SELECT count(*), count(gold_answer) FROM current_judgements") == (
        ["count_star()", "count(gold_answer)"],
        [(30, 30)],
    )


def test_what_batches_wrote_is_merged_once_at_the_end(
    store: HistoryStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = "SELECT count(DISTINCT row_group_id) FROM pragma_storage_info('answers')"
    seen = []

    def noted(connection: duckdb.DuckDBPyConnection, *args: Any) -> int:
        seen.append(connection.execute(groups).fetchone())
        return database_tables.add_attempts(connection, *args)

    for release in ("r1", "r2", "r3", "r4"):
        measure(store, release, release)
    monkeypatch.setattr(database, "add_attempts", noted)
    monkeypatch.setattr(database, "_ATTEMPTS_PER_TRANSACTION", 2)
    rebuild(store, path)
    assert seen == [(0,), (1,), (2,), (3,)]
    assert query(path, groups)[1] == [(1,)]


def test_a_refresh_without_new_attempts_keeps_the_file(store: HistoryStore, path: Path) -> None:
    measure(store, "r1", "a")
    assert refresh(store, path).attempts_added == 2
    before = path.stat()
    report = refresh(store, path)
    assert (report.attempts, report.attempts_added, report.rows_added) == (2, 0, 0)
    assert path.stat().st_ino == before.st_ino


def test_attempts_that_left_the_store_leave_the_database(store: HistoryStore, path: Path) -> None:
    commit_dataset(store)
    measure(store, "r1", "a")
    measure(store, "r2", "b")
    refresh(store, path)
    gone = [manifest.path for manifest in store.manifests(release="r2")]
    store.storage.delete(gone)
    report = refresh(store, path)
    assert (report.attempts, report.attempts_removed, report.rebuilt) == (3, 2, False)
    other = path.with_name("rebuilt.duckdb")
    rebuild(store, other)
    assert everything(path) == everything(other)
    assert query(path, "SELECT DISTINCT release FROM current_answers")[1] == [("r1",)]


@pytest.mark.parametrize("harm", ["flip", "tear", "remove", "manifest"])
def test_damage_leaves_the_database_at_its_last_good_state(
    store: HistoryStore, path: Path, tmp_path: Path, harm: str
) -> None:
    commit_answers(store, lineage("answers", "r1"))
    refresh(store, path)
    manifest = commit_answers(store, lineage("answers", "r2"), mark="b")
    name = manifest.path if harm == "manifest" else manifest.data_files[0].path
    victim = tmp_path / "history" / name
    whole = victim.read_bytes()
    if harm == "flip":
        middle = len(whole) // 2
        victim.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
    elif harm == "remove":
        victim.unlink()
    else:
        victim.write_bytes(whole[:-7])
    with pytest.raises(HistoryDamagedError, match=victim.name) as caught:
        refresh(store, path)
    assert "\n" not in str(caught.value)
    assert query(path, COUNT)[1] == [(10,)]
    assert sorted(os.listdir(path.parent)) == [".history.duckdb.lock", "history.duckdb"]
    victim.write_bytes(whole)
    refresh(store, path)
    assert query(path, COUNT)[1] == [(20,)]


def test_only_a_build_that_may_compute_all_anew_takes_more_than_a_gigabyte() -> None:
    asked = "SELECT current_setting('memory_limit')"
    with duckdb.connect() as connection:
        own = connection.execute(asked).fetchone()
        assert own is not None
        for is_small in (True, False):
            database._limit_memory(connection, is_small=is_small)
            is_more = str(own[0]).endswith(("GiB", "TiB"))
            wanted = ("1.0 GiB",) if is_small and is_more else own
            assert connection.execute(asked).fetchone() == wanted


@pytest.mark.parametrize("content", [b"", b"not a database", b"\0" * 20_000])
def test_a_broken_database_is_rebuilt(store: HistoryStore, path: Path, content: bytes) -> None:
    commit_answers(store, lineage("answers"))
    path.parent.mkdir()
    path.write_bytes(content)
    assert refresh(store, path).rebuilt
    assert query(path, COUNT)[1] == [(10,)]


def test_a_database_of_another_history_or_program_is_rebuilt(
    store: HistoryStore, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit_answers(store, lineage("answers"))
    refresh(store, path)
    other = HistoryStore.open((tmp_path / "other").as_uri())
    assert refresh(other, path).rebuilt
    assert query(path, COUNT)[1] == [(0,)]
    for room in (database, database_tables):
        monkeypatch.setattr(room, "definitions_sha256", lambda: "changed")
    assert refresh(other, path).rebuilt
    assert not refresh(other, path).rebuilt


def test_a_file_where_the_folder_should_be_is_named(store: HistoryStore, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HistoryUnreachableError, match="can't be written"):
        refresh(store, tmp_path / "file" / "history.duckdb")


def test_a_failed_build_leaves_the_database(
    store: HistoryStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit_answers(store, lineage("answers", "r1"))
    refresh(store, path)
    commit_answers(store, lineage("answers", "r2"), mark="b")

    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fails)
        with pytest.raises(HistoryUnreachableError, match="the old one is kept"):
            refresh(store, path)
    assert query(path, COUNT)[1] == [(10,)]
    assert refresh(store, path).attempts == 2


def test_concurrent_refreshes_take_turns(store: HistoryStore, path: Path) -> None:
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            commit_answers(store, lineage("answers", f"r{number}"), mark=str(number))
            refresh(store, path)
        except HistoryError as exc:
            failures.append(exc)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert query(path, COUNT)[1] == [(40,)]


def test_a_reader_keeps_its_state_and_the_next_one_sees_the_new(
    store: HistoryStore, path: Path
) -> None:
    commit_answers(store, lineage("answers", "r1"))
    refresh(store, path)
    with open_read_only(path) as reader:
        assert reader.execute(COUNT).fetchall() == [(10,)]
        commit_answers(store, lineage("answers", "r2"), mark="b")
        refresh(store, path)
        assert reader.execute(COUNT).fetchall() == [(10,)]
        assert query(path, COUNT)[1] == [(20,)]


def test_reads_of_one_state_share_it_and_the_next_one_sees_the_new(
    store: HistoryStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit_answers(store, lineage("answers"))
    refresh(store, path)
    other = refresh(
        HistoryStore.open((path.parent / "other").as_uri()), path.with_name("other.duckdb")
    )
    opened: list[Path] = []
    connect = database_file.connect_to_read

    def counted(file: Path) -> duckdb.DuckDBPyConnection:
        opened.append(file)
        return connect(file)

    monkeypatch.setattr(database_file, "connect_to_read", counted)
    with database.one_state(path):
        commit_answers(store, lineage("answers", run_id="run-2", conversation="conv-2"))
        refresh(store, path)
        with database.one_state(path):
            assert query(path, COUNT)[1] == [(10,)]
        with pytest.raises(HistoryQueryError):
            query(path, "DELETE FROM answers")
        assert query(path, "SELECT current_setting('TimeZone')")[1] == [("UTC",)]
        assert query(other.path, COUNT)[1] == [(0,)]
    assert opened == [path, other.path]
    assert query(path, COUNT)[1] == [(20,)]


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE answers",
        "DELETE FROM answers",
        "CREATE TABLE x AS SELECT 1",
        "ATTACH 'x.duckdb'",
        "COPY answers TO 'x.csv'",
        "EXPORT DATABASE 'x'",
        "SET memory_limit = '1MB'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SELECT * FROM read_csv('/etc/hostname')",
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT getenv('HOME')",
        "PRAGMA enable_profiling",
        "PRAGMA database_list; DROP TABLE answers",
        "EXPLAIN ANALYZE DELETE FROM answers",
        "CALL force_checkpoint()",
        "SELEC 1",
        "SELECT 1; SELECT 2",
        "",
    ],
)
def test_only_reading_is_allowed(
    measured: Path, sql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(HistoryQueryError, match=r"^SQL: ") as caught:
        query(measured, sql)
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == []
    assert query(measured, COUNT)[1] == [(10,)]


@pytest.mark.parametrize(
    "sql",
    [
        COUNT,
        "FROM answers LIMIT 1",
        "WITH a AS (SELECT 1) SELECT * FROM a",
        "DESCRIBE answers",
        "SUMMARIZE answers",
        "SHOW TABLES",
        "EXPLAIN SELECT 1",
        "SELECT extra_json ->> '$.note' FROM attempts",
    ],
)
def test_all_reading_is_allowed(measured: Path, sql: str) -> None:
    columns, rows = query(measured, sql)
    assert columns
    assert rows


def test_a_missing_or_broken_database_says_what_to_do(path: Path) -> None:
    with pytest.raises(HistoryUnreachableError, match="history refresh"):
        query(path, "SELECT 1")
    path.parent.mkdir()
    path.write_bytes(b"not a database")
    with pytest.raises(HistoryUnreachableError, match="history rebuild"):
        query(path, "SELECT 1")


def test_a_database_of_another_version_says_what_to_do(
    store: HistoryStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refresh(store, path)
    monkeypatch.setattr(database, "definitions_sha256", lambda: "changed")
    with pytest.raises(HistoryUnreachableError, match=r"another version .* history refresh"):
        query(path, "SELECT 1")


def test_the_file_is_in_the_storage_version_of_duckdb_1_5(store: HistoryStore, path: Path) -> None:
    commit_answers(store, lineage("answers"))
    refresh(store, path)
    commit_answers(store, lineage("answers"))
    assert not refresh(store, path).rebuilt
    with duckdb.connect(":memory:") as connection:
        connection.execute(f"ATTACH '{path}' AS history (READ_ONLY)")
        (tags,) = connection.execute(
            "SELECT tags['storage_version'] FROM duckdb_databases() WHERE database_name = 'history'"
        ).fetchall()
    assert tags == ("v1.5.0+",)


def test_the_file_opens_by_its_own_name_and_any_other(store: HistoryStore, path: Path) -> None:
    measure(store, "r1", "a")
    refresh(store, path)
    renamed = path.with_name("copy of it.duckdb")
    renamed.write_bytes(path.read_bytes())
    for file in (path, renamed):
        with duckdb.connect(str(file), read_only=True) as connection:
            assert connection.execute("SELECT count(*) FROM accuracy_trend").fetchone() == (6,)
            assert connection.execute("SELECT count(*) FROM flips").fetchone() == (0,)
            assert connection.execute("SELECT count(*) FROM flips('r1', 'r1')").fetchone() == (0,)


def test_what_identifies_the_definitions_is_known_without_arrow() -> None:
    texts = schema_texts()
    assert list(texts) == list(TABLES)
    assert texts == {table: str(schema) for table, schema in TABLES.items()}
    script = (
        "import sys; from locomo_assets.history.database import definitions_sha256; "
        "print(definitions_sha256()); sys.exit('pyarrow' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, database_tables.definitions_sha256())
