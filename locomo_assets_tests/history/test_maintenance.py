"""Maintenance: faults are found, nothing is lost, and a killed run can be run again."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from locomo_assets.history.database import open_read_only, query, refresh
from locomo_assets.history.maintenance import check, prune
from locomo_assets.history.provenance import Manifest, manifest_path, manifest_to_json
from locomo_assets.history.store import HistoryStore
from locomo_assets_tests.history.factories import (
    answer,
    call,
    commit,
    commit_answers,
    commit_dataset,
    commit_verdicts,
    lineage,
)

LATER = datetime.now(UTC) + timedelta(days=100)


@pytest.fixture
def store(tmp_path: Path) -> HistoryStore:
    return HistoryStore.open((tmp_path / "history").as_uri())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.duckdb"


def in_pieces(store: HistoryStore, release: str = "r1", pieces: int = 4) -> Manifest:
    attempt = store.begin(lineage("answers", release))
    for number in range(pieces):
        attempt.append("answers", [answer(number, release)])
    attempt.append("calls", [call(0)])
    return attempt.commit(note="whole")


def contents(path: Path) -> list[tuple[object, ...]]:
    with open_read_only(path) as connection:
        return (
            connection.execute("SELECT * FROM answers ORDER BY answer_id").fetchall()
            + connection.execute("SELECT * FROM attempts ORDER BY 1").fetchall()
        )


def test_an_intact_history_has_no_problems(store: HistoryStore) -> None:
    in_pieces(store)
    attempt = store.begin(lineage("answers"))
    attempt.append("answers", [answer(0)])
    report = check(store)
    assert (report.attempts, report.data_files, report.rows, report.problems) == (1, 5, 5, ())
    assert report.unfinished == (attempt.attempt_id,)
    assert report.size_bytes > 0


def test_every_fault_is_named(store: HistoryStore, tmp_path: Path) -> None:
    manifest = in_pieces(store)
    flipped, missing, torn, *_ = (
        tmp_path / "history" / data_file.path for data_file in manifest.data_files
    )
    whole = flipped.read_bytes()
    flipped.write_bytes(whole[:50] + bytes([whole[50] ^ 4]) + whole[51:])
    missing.unlink()
    torn.write_bytes(torn.read_bytes()[:-1])
    bad = in_pieces(store, "r2")
    (tmp_path / "history" / bad.path).write_text("{")
    report = check(store)
    assert len(report.problems) == 4
    for victim in (flipped, missing, torn, tmp_path / bad.path):
        assert sum(victim.name in problem for problem in report.problems) == 1
    assert all("\n" not in problem for problem in report.problems)
    assert (report.data_files, report.unfinished) == (2, ())


def test_a_manifest_in_anothers_place_is_named(store: HistoryStore, tmp_path: Path) -> None:
    manifest = in_pieces(store)
    elsewhere = tmp_path / "history" / manifest.path.replace("release=r1", "release=r2")
    elsewhere.parent.mkdir(parents=True)
    (tmp_path / "history" / manifest.path).rename(elsewhere)
    (problem,) = check(store).problems
    assert "release=r2" in problem
    assert manifest.path in problem


def test_an_attempt_with_manifests_in_two_places_is_named(
    store: HistoryStore, tmp_path: Path
) -> None:
    manifest = in_pieces(store)
    whole = tmp_path / "history" / manifest.path
    copy = tmp_path / "history" / manifest.path.replace("release=r1", "release=r2")
    copy.parent.mkdir(parents=True)
    copy.write_bytes(whole.read_bytes())
    problems = check(store).problems
    assert any(f"{manifest.attempt_id} has 2 manifests" in problem for problem in problems)


@pytest.mark.parametrize("field", ["release", "conversation", "run_id", "system", "dataset_sha256"])
def test_a_manifest_that_its_data_files_contradict_is_named(
    field: str, store: HistoryStore, tmp_path: Path
) -> None:
    manifest = in_pieces(store, pieces=1)
    other: dict[str, Any] = {field: "another"}
    changed = replace(manifest.lineage, **other)
    path = manifest_path(changed, manifest.committed_at, manifest.attempt_id)
    (tmp_path / "history" / manifest.path).unlink()
    store.storage.put(path, manifest_to_json(replace(manifest, lineage=changed)))
    problems = check(store).problems
    assert any(f"has rows of {field}" in problem for problem in problems)
    assert all("\n" not in problem for problem in problems)


def test_a_data_file_in_anothers_folder_or_named_twice_is_named(
    store: HistoryStore, tmp_path: Path
) -> None:
    manifest = in_pieces(store, pieces=1)
    first, *others = manifest.data_files
    elsewhere = first.path.replace("release=r1", "release=r2")
    (tmp_path / "history" / elsewhere).parent.mkdir(parents=True)
    (tmp_path / "history" / first.path).rename(tmp_path / "history" / elsewhere)
    moved = replace(first, path=elsewhere)
    changed = replace(manifest, data_files=(moved, moved, *others))
    store.storage.put(manifest.path, manifest_to_json(changed))
    problems = check(store).problems
    assert any("lies where no file of" in problem for problem in problems)
    assert any(f"{elsewhere} is named twice" in problem for problem in problems)


def test_pruning_keeps_what_is_current_whatever_its_age(store: HistoryStore, path: Path) -> None:
    commit_dataset(store)
    # Another model's answers are no repeats of the current ones, which keep theirs.
    gone = commit_answers(
        store, lineage("answers"), questions=4, mark="gone", llm_model="superseded"
    )
    gone_verdicts = commit_verdicts(store, lineage("judgements"), ["correct"] * 4, mark="gone")
    commit_answers(store, lineage("answers"), questions=4, mark="old")
    commit_answers(store, lineage("answers"), questions=1, mark="new")
    commit_verdicts(store, lineage("judgements"), ["correct"] * 4, mark="old")
    commit_verdicts(store, lineage("judgements"), ["wrong"], mark="new")
    left = store.begin(lineage("answers"))
    left.append("answers", [answer(0, "left")])
    refresh(store, path)
    views = ["current_answers", "current_judgements", "current_questions", "accuracy_by_release"]
    views += ["repeats"]
    before = [query(path, f"FROM {view} ORDER BY ALL")[1] for view in views]

    assert prune(store, path, keep_days=1, dry_run=False).attempts == ()
    dry = prune(store, path, keep_days=1, dry_run=True, now=LATER)
    assert dry.attempts == (gone.attempt_id, gone_verdicts.attempt_id)
    assert dry.unfinished == (left.attempt_id,)
    assert check(store).attempts == 7
    done = prune(store, path, keep_days=1, dry_run=False, now=LATER)
    assert (done.attempts, done.data_files) == (dry.attempts, 4)
    assert [query(path, f"FROM {view} ORDER BY ALL")[1] for view in views] == before
    report = check(store)
    assert (report.attempts, report.problems, report.unfinished) == (5, (), ())
    assert prune(store, path, keep_days=1, dry_run=False, now=LATER).data_files == 0


def test_a_pruning_killed_halfway_is_finished_by_the_next(store: HistoryStore, path: Path) -> None:
    gone = commit_answers(store, lineage("answers"), mark="gone")
    commit_answers(store, lineage("answers"), mark="new")
    store.storage.delete([gone.path])
    report = prune(store, path, keep_days=1, dry_run=False, now=LATER)
    assert report.unfinished == (gone.attempt_id,)
    assert check(store).unfinished == ()


def test_pruning_keeps_ladders_and_retrievals_that_answers_share(
    store: HistoryStore, path: Path
) -> None:
    commit_dataset(store)
    steps = lineage("ladder", conversation=None)
    for ladder in ("lite-to-pro", "other"):
        commit(store, steps, {"ladder_steps": [{"ladder": ladder, "step_index": 0}]})
    found = {"retrieval_id": "t1", "question_index": 0, "rank": 1}
    at_5 = {"question_protocol": "retrieval, k 5", "retrieval_id": "t1"}
    first = answer(0, "first", **at_5)
    commit(store, lineage("answers"), {"answers": [first], "retrievals": [found]})
    # Asked again at k 5, and once at k 10: both rest on what the first attempt retrieved.
    commit_answers(store, lineage("answers"), questions=1, mark="again", **at_5)
    at_10 = {**at_5, "question_protocol": "retrieval, k 10", "llm_model": "other"}
    commit_answers(store, lineage("answers"), questions=1, mark="ten", **at_10)
    prune(store, path, keep_days=1, dry_run=False, now=LATER)
    assert query(path, "SELECT retrieval_id FROM retrievals")[1] == [("t1",)]
    ladders = query(path, "SELECT ladder FROM ladder_steps ORDER BY ladder")[1]
    assert ladders == [("lite-to-pro",), ("other",)]
