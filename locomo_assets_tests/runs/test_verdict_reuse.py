"""Verdicts of the whole history, found by their content: never lost, and read one by one."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import duckdb
import pytest

from locomo_assets.history.database import refresh
from locomo_assets.history.provenance import Manifest
from locomo_assets.history.store import HistoryStore
from locomo_assets.judging.judge import JudgeIdentity
from locomo_assets.runs.verdicts import stored_verdicts
from locomo_assets.services import Services
from locomo_assets.settings import read_settings
from locomo_assets_tests.history.database.test_listing import CountingStorage
from locomo_assets_tests.history.factories import judgement, lineage

JUDGE = JudgeIdentity("paid", "somewhere", "a model")
OTHER = JudgeIdentity("paid", "elsewhere", "a model")
SAME = {"a": "correct", "b": "wrong"}


@pytest.fixture
def counted(tmp_path: Path) -> CountingStorage:
    return CountingStorage(tmp_path / "history")


@pytest.fixture
def store(counted: CountingStorage) -> HistoryStore:
    return HistoryStore(counted, "id")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "database" / "history.duckdb"


def judge(
    store: HistoryStore,
    release: str,
    verdicts: Mapping[str, str] = SAME,
    judge: JudgeIdentity = JUDGE,
    conversation: str = "conv-1",
) -> Manifest:
    """Commits a verdict for each fingerprint, which says its release as its reasoning."""
    attempt = store.begin(lineage("judgements", release, conversation))
    rows = [
        judgement(index, verdict, release, fingerprint=print_, reasoning=release)
        for index, (print_, verdict) in enumerate(verdicts.items())
    ]
    attempt.append("judgements", rows)
    return attempt.commit(judge=judge.name, judge_digest=judge.digest())


def found(store: HistoryStore, path: Path | None) -> dict[str, str]:
    """Fingerprint → the release whose verdict is given again."""
    known = stored_verdicts(store, path, "conv-1", JUDGE)
    rows = known.read(["a", "b", "c", "d"])
    assert all((one in known) == (one in rows) for one in "abcd")
    assert all(
        row["judgement_id"] and row["verdict"] in ("correct", "wrong") for row in rows.values()
    )
    return {one: row["reasoning"] for one, row in rows.items()}


def cost(counted: CountingStorage, store: HistoryStore, path: Path | None) -> tuple[int, int]:
    counted.listed.clear()
    counted.read = 0
    assert set(found(store, path)) == {"a", "b"}
    return len(counted.listed), counted.read


def test_what_is_read_does_not_grow_with_the_runs_kept(
    store: HistoryStore, counted: CountingStorage, path: Path
) -> None:
    costs = []
    for runs in (range(10), range(10, 60)):
        for run in runs:
            judge(store, f"r{run}")
        refresh(store, path)
        costs.append(cost(counted, store, path))
    # One listing; the manifest and the data file of the newest.
    assert costs == [(1, 2), (1, 2)]
    judge(store, "r60")
    judge(store, "elsewhere", conversation="conv-2")
    assert cost(counted, store, path) == (1, 2)


def test_the_newest_that_counts_is_given_again(store: HistoryStore, path: Path) -> None:
    def both() -> dict[str, str]:
        alone = found(store, None)
        assert found(store, path) == alone
        return alone

    refresh(store, path)
    assert both() == {}
    judge(store, "r1", {"a": "correct", "b": "wrong", "c": "unscored"})
    assert both() == {"a": "r1", "b": "r1"}
    refresh(store, path)
    assert both() == {"a": "r1", "b": "r1"}
    judge(store, "r2", {"b": "correct", "c": "wrong", "d": "unanswered"})
    assert both() == {"a": "r1", "b": "r2", "c": "r2"}
    refresh(store, path)
    judge(store, "r3", {"a": "unscored", "c": "correct"})
    assert both() == {"a": "r1", "b": "r2", "c": "r3"}
    judge(store, "r4", conversation="conv-2")
    refresh(store, path)
    assert both() == {"a": "r1", "b": "r2", "c": "r3"}


def test_an_attempt_that_the_database_has_not_heard_of_may_be_the_older_one(
    store: HistoryStore, path: Path
) -> None:
    late = judge(store, "r1", {"a": "correct", "c": "correct"})
    judge(store, "r2")
    data = store.storage.get(late.path)
    store.storage.delete([late.path])
    refresh(store, path)
    store.storage.put(late.path, data)
    assert found(store, path) == {"a": "r2", "b": "r2", "c": "r1"}


def test_an_attempt_that_has_left_the_history_counts_no_more(
    store: HistoryStore, path: Path
) -> None:
    judge(store, "r1")
    gone = judge(store, "r2", {"a": "correct", "c": "correct"})
    refresh(store, path)
    store.storage.delete([gone.path])
    assert found(store, path) == {"a": "r1", "b": "r1"}


def test_another_judge_s_verdicts_are_its_own(store: HistoryStore, path: Path) -> None:
    judge(store, "r1")
    judge(store, "r2", {"x": "correct"}, OTHER)
    assert found(store, path) == {"a": "r1", "b": "r1"}
    refresh(store, path)
    assert found(store, path) == {"a": "r1", "b": "r1"}


def test_the_database_is_an_index_and_no_source(store: HistoryStore, path: Path) -> None:
    judge(store, "r1")
    refresh(store, path)
    with duckdb.connect(path) as connection:
        connection.execute("UPDATE judgements SET verdict = 'wrong', reasoning = 'edited'")
        connection.execute("UPDATE judgements SET fingerprint = 'c' WHERE fingerprint = 'b'")
    known = stored_verdicts(store, path, "conv-1", JUDGE)
    rows = known.read(["a", "c"])
    assert {one: (row["verdict"], row["reasoning"]) for one, row in rows.items()} == {
        "a": ("correct", "r1")
    }


def missing(path: Path) -> None:
    path.unlink()


def no_database(path: Path) -> None:
    path.write_bytes(os.urandom(5000))


def of_another_version(path: Path) -> None:
    with duckdb.connect(path) as connection:
        connection.execute("UPDATE lens_meta SET definitions_sha256 = 'another'")


def of_another_history(path: Path) -> None:
    with duckdb.connect(path) as connection:
        connection.execute("UPDATE lens_meta SET history_id = 'another'")


def without_tables(path: Path) -> None:
    with duckdb.connect(path) as connection:
        connection.execute("DROP TABLE judgements CASCADE")


@pytest.mark.parametrize(
    "spoil", [missing, no_database, of_another_version, of_another_history, without_tables]
)
def test_without_a_database_that_can_be_read_all_attempts_are(
    store: HistoryStore, counted: CountingStorage, path: Path, spoil: Callable[[Path], None]
) -> None:
    for run in range(3):
        judge(store, f"r{run}")
    refresh(store, path)
    spoil(path)
    assert cost(counted, store, path) == cost(counted, store, None) == (1, 6)
    assert found(store, path) == found(store, None)


def test_a_database_that_somebody_writes_in_is_passed_by(store: HistoryStore, path: Path) -> None:
    judge(store, "r1")
    refresh(store, path)
    with duckdb.connect(path):
        assert found(store, path) == {"a": "r1", "b": "r1"}


def test_a_run_knows_where_its_database_is(home: Path) -> None:
    services = Services(read_settings())
    assert services.planned_run([]).database_path == services.settings.database_path
