"""Attempts: invisible until committed, complete afterwards, independent of each other."""

import json
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from locomo_assets.history import store as store_module
from locomo_assets.history.errors import (
    HistoryDamagedError,
    HistoryRowError,
    HistoryUnreachableError,
    HistoryVersionError,
)
from locomo_assets.history.schema import SCHEMA_VERSION, TABLES
from locomo_assets.history.store import HistoryStore
from locomo_assets_tests.history.factories import answer, call, commit, commit_answers, lineage

ODD = "r/1 ä|x"


@pytest.fixture
def store(tmp_path: Path) -> HistoryStore:
    return HistoryStore.open(tmp_path.as_uri())


def test_opening_twice_finds_the_same_history(tmp_path: Path) -> None:
    first, again = (HistoryStore.open(tmp_path.as_uri()) for _ in range(2))
    assert first.history_id == again.history_id
    assert json.loads((tmp_path / "format.json").read_text())["schema_version"] == SCHEMA_VERSION


def test_a_newer_history_is_refused(tmp_path: Path) -> None:
    HistoryStore.open(tmp_path.as_uri())
    found = json.loads((tmp_path / "format.json").read_text())
    (tmp_path / "format.json").write_text(json.dumps({**found, "schema_version": 999}))
    with pytest.raises(HistoryVersionError, match=r"version 999.*upgrade") as caught:
        HistoryStore.open(tmp_path.as_uri())
    assert "\n" not in str(caught.value)


WRONG_FORMATS: tuple[object, ...] = (
    *({"schema_version": one, "history_id": "x"} for one in (None, "4", 0, True, 1e308, ["4"])),
    *({"schema_version": 4, "history_id": one} for one in (None, 7, ["x"])),
    {"schema_version": float("inf"), "history_id": "x"},
)


def test_a_history_without_its_format_is_not_recreated(tmp_path: Path) -> None:
    commit_answers(HistoryStore.open(tmp_path.as_uri()), lineage("answers"))
    (tmp_path / "format.json").unlink()
    with pytest.raises(HistoryDamagedError, match=r"format\.json"):
        HistoryStore.open(tmp_path.as_uri())
    for wrong in ("{", "[]", "null", *map(json.dumps, WRONG_FORMATS)):
        (tmp_path / "format.json").write_text(wrong)
        with pytest.raises(HistoryDamagedError, match=r"format\.json can't be read"):
            HistoryStore.open(tmp_path.as_uri())


def test_an_attempt_is_invisible_until_committed(store: HistoryStore) -> None:
    attempt = store.begin(lineage("answers"))
    attempt.append("answers", [answer(0)])
    assert store.manifests() == []
    manifest = attempt.commit(note="ä")
    assert store.manifests() == [manifest]
    assert manifest.extra == {"note": "ä"}
    assert manifest.rows == {"answers": 1}
    assert store.read("answers", [manifest]).num_rows == 1
    with pytest.raises(HistoryRowError, match="committed"):
        attempt.append("answers", [answer(1)])
    with pytest.raises(HistoryRowError, match="committed"):
        attempt.commit()


def test_manifests_hold_the_size_of_data_files(store: HistoryStore, tmp_path: Path) -> None:
    manifest = commit_answers(store, lineage("answers"))
    for data_file in manifest.data_files:
        assert (tmp_path / data_file.path).stat().st_size == data_file.size_bytes


def test_odd_labels_keep_their_text(store: HistoryStore) -> None:
    who = lineage("answers", ODD, "c/../d", "run?*")
    manifest = commit_answers(store, who)
    commit_answers(store, lineage("answers", "r/1 ä", "c"))
    assert store.manifests("answers", ODD, "c/../d") == [manifest]
    row = store.read("answers", [manifest]).to_pylist()[0]
    assert (row["release"], row["conversation"], row["run_id"]) == (ODD, "c/../d", "run?*")


def test_manifests_are_filtered_and_oldest_first(store: HistoryStore) -> None:
    made = [
        commit_answers(store, lineage("answers", release, conversation))
        for release in ("r2", "r1")
        for conversation in ("c2", "c1")
    ]
    assert store.manifests() == made
    assert store.manifests(asset="answers", release="r1") == made[2:]
    assert store.manifests(conversation="c1") == [made[1], made[3]]
    assert store.manifests(asset="judgements") == []


def test_manifests_of_others_are_not_read(
    store: HistoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [commit_answers(store, lineage("answers", "r1", f"c{number}")) for number in range(3)]
    read: list[str] = []
    get_many = store.storage.get_many

    def reading(paths: Sequence[str]) -> Mapping[str, bytes]:
        read.extend(paths)
        return get_many(paths)

    monkeypatch.setattr(store.storage, "get_many", reading)
    assert store.manifests(asset="answers", conversation="c1") == [made[1]]
    assert len(read) == 1


def test_two_data_sets_of_one_release_do_not_collide(store: HistoryStore) -> None:
    one = commit_answers(store, lineage("answers", dataset_sha256="1" * 64), mark="a")
    two = commit_answers(store, lineage("answers", dataset_sha256="2" * 64), mark="b")
    rows = store.read("answers", [one, two], ["dataset_sha256", "answer_id"]).to_pylist()
    assert {(row["dataset_sha256"][0], row["answer_id"][0]) for row in rows} == {
        ("1", "a"),
        ("2", "b"),
    }


def test_reading_nothing_gives_an_empty_table_of_the_schema(store: HistoryStore) -> None:
    assert store.read("calls", []).schema == TABLES["calls"]
    with pytest.raises(HistoryRowError, match="no table"):
        store.read("nonsense", [])


def test_what_an_asset_may_not_write_is_refused(store: HistoryStore) -> None:
    with pytest.raises(HistoryRowError, match="does not write table judgements"):
        store.begin(lineage("answers")).append("judgements", [])
    with pytest.raises(HistoryRowError, match="has no tables"):
        store.begin(lineage("accuracy_metrics"))
    with pytest.raises(HistoryRowError, match="needs a release"):
        store.begin(lineage("answers", release=None))
    with pytest.raises(HistoryRowError, match="needs a conversation"):
        store.begin(lineage("answers", conversation=None))
    with pytest.raises(HistoryRowError, match="needs a release"):
        store.begin(lineage("imported_results", release=None, conversation=None))


def test_bad_rows_leave_nothing_behind(store: HistoryStore, tmp_path: Path) -> None:
    attempt = store.begin(lineage("answers"))
    with pytest.raises(HistoryRowError):
        attempt.append("answers", [answer(0), {"question_index": "one"}])
    assert not (tmp_path / "tables").exists()


def test_extra_that_is_not_json_is_refused_and_can_be_fixed(store: HistoryStore) -> None:
    attempt = store.begin(lineage("answers"))
    with pytest.raises(HistoryRowError, match="not JSON"):
        attempt.commit(what=object())
    assert attempt.commit().rows == {}


def test_an_unfinished_attempt_is_found_and_adopted(store: HistoryStore) -> None:
    killed = store.begin(lineage("answers", ODD, run_id="killed"))
    killed.append("answers", [answer(0)])
    killed.append("answers", [answer(1)])
    killed.append("calls", [call(0)])
    other = store.begin(lineage("judgements", ODD))
    other.append("calls", [call(7)])

    (found,) = store.unfinished("answers", ODD, "conv-1")
    assert (found.attempt_id, found.lineage) == (killed.attempt_id, killed.lineage)
    rows = store.read("answers", [found]).to_pylist()
    assert [row["question_index"] for row in rows] == [0, 1]

    resumed = store.begin(lineage("answers", ODD, run_id="resumed"))
    resumed.adopt(store, found)
    resumed.append("answers", [answer(2)])
    manifest = resumed.commit()
    assert manifest.continued == (killed.attempt_id,)
    rows = store.read("answers", [manifest]).to_pylist()
    assert [(row["question_index"], row["run_id"]) for row in rows] == [
        (0, "resumed"),
        (1, "resumed"),
        (2, "resumed"),
    ]
    assert manifest.rows == {"answers": 3, "calls": 1}
    assert store.unfinished("answers", ODD, "conv-1") == []
    assert [u.attempt_id for u in store.unfinished("judgements", ODD, "conv-1")] == [
        other.attempt_id
    ]


def test_what_a_kill_before_the_commit_leaves_is_found_once(store: HistoryStore) -> None:
    first = store.begin(lineage("answers", run_id="killed"))
    first.append("answers", [answer(0)])
    first.append("answers", [answer(1)])
    first.merge()
    second = store.begin(lineage("answers", run_id="killed again"))
    second.append("answers", [answer(2)])
    second.append("calls", [call(0)], is_derived=True)
    for found in store.unfinished("answers", "r1", "conv-1")[:1]:
        second.adopt(store, found)
    second.merge()

    last = store.begin(lineage("answers", run_id="resumed"))
    for found in store.unfinished("answers", "r1", "conv-1"):
        last.adopt(store, found)
    last.merge()
    manifest = last.commit()
    rows = store.read("answers", [manifest]).to_pylist()
    assert [row["question_index"] for row in rows] == [0, 1, 2]
    assert manifest.rows == {"answers": 3}


def test_threads_append_to_one_attempt(store: HistoryStore) -> None:
    attempt = store.begin(lineage("answers"))

    def work(worker: int) -> None:
        for number in range(5):
            attempt.append("answers", [answer(worker * 5 + number)])

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    manifest = attempt.commit()
    assert len({data_file.path for data_file in manifest.data_files}) == 20
    indexes = store.read("answers", [manifest]).column("question_index").to_pylist()
    assert len(indexes) == 20
    assert set(indexes) == set(range(20))


def test_a_commit_is_newer_than_every_visible_one_whatever_the_clock(
    store: HistoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = commit_answers(store, lineage("answers"))

    class Behind(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]  # narrower is enough
            return datetime.now(UTC) - timedelta(hours=1)

    monkeypatch.setattr(store_module, "datetime", Behind)
    second = commit_answers(store, lineage("answers"))
    assert second.begun_at < first.begun_at
    assert second.committed_at > first.committed_at
    assert store.manifests() == [first, second]


def test_damage_is_named(store: HistoryStore, tmp_path: Path) -> None:
    manifest = commit(store, lineage("answers"), {"answers": [answer(0)]})
    path = tmp_path / manifest.data_files[0].path
    whole = path.read_bytes()
    path.write_bytes(whole[:-4])
    with pytest.raises(HistoryDamagedError, match=path.name):
        store.read("answers", [manifest])
    path.unlink()
    with pytest.raises(HistoryDamagedError, match=f"{path.name} is missing"):
        store.read("answers", [manifest])


def test_a_history_that_cant_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HistoryUnreachableError, match="file"):
        HistoryStore.open((tmp_path / "file").as_uri())


def test_what_only_looks_makes_no_history(tmp_path: Path) -> None:
    url = (tmp_path / "history").as_uri()
    assert not HistoryStore.exists(url)
    assert HistoryStore.open(url, create=False).manifest_names() == []
    assert list(tmp_path.iterdir()) == []
    HistoryStore.open(url)
    assert HistoryStore.exists(url)
