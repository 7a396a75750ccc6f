"""What the page carries of every question, against the history it was read from."""

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from locomo_assets.analysis.accuracy import by_release
from locomo_assets.history import database
from locomo_assets.history.database import refresh
from locomo_assets.reporting.explorer.questions import packed, read_questions
from locomo_assets_tests.analysis.factories import HistoryBuilder
from locomo_assets_tests.reporting.factories import two_releases

FULL_QUESTIONS, FULL_BYTES = 1540, 5_000_000


@pytest.fixture(scope="module")
def database_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_releases(tmp_path_factory.mktemp("questions"), questions=154)


@pytest.fixture(scope="module")
def found(database_path: Path) -> dict[str, Any]:
    whole, *_ = by_release(database_path, "r2", max_error_percent=2.0)
    return read_questions(database_path, whole, "r1", ["r1", "r2"], {("conv-2", 9): "storing"})


def question(found: dict[str, Any], conversation: str, index: int) -> dict[str, Any]:
    (one,) = (
        one
        for one in found["questions"]
        if (one["conversation"], one["question_index"]) == (conversation, index)
    )
    return dict(one)


def test_an_older_page_ends_its_strips_with_its_own_release(database_path: Path) -> None:
    whole, *_ = by_release(database_path, "r1", max_error_percent=2.0)
    older = read_questions(database_path, whole, None, ["r1", "r2"], {})
    assert older["last"] == ["r1"]
    assert {len(one["strip"]) for one in older["questions"]} == {1}


def test_every_question_has_both_sides_and_its_last_verdicts(
    found: dict[str, Any], database_path: Path
) -> None:
    assert (found["releases"], found["last"]) == (["r2", "r1"], ["r1", "r2"])
    assert len(found["questions"]) == 2 * 154
    stored = database.query(
        database_path,
        "SELECT conversation, question_index, list(verdict ORDER BY release) "
        "FROM current_judgements GROUP BY ALL",
    )[1]
    signs = {"correct": "+", "wrong": "-"}
    assert {
        (one["conversation"], one["question_index"]): one["strip"] for one in found["questions"]
    } == {
        (conversation, index): "".join(signs[verdict] for verdict in verdicts)
        for conversation, index, verdicts in stored
    }
    for one in found["questions"]:
        assert [side["verdict"] for side in one["sides"]] == [
            {"+": "correct", "-": "wrong"}[sign] for sign in reversed(one["strip"])
        ]


def test_what_became_of_the_evidence_is_told_for_each_turn(found: dict[str, Any]) -> None:
    now, before = question(found, "conv-2", 9)["sides"]
    assert (now["reason"], now["evidence_retrieved"]) == ("never_stored", 1)
    assert (before["verdict"], before["evidence_retrieved"]) == ("correct", 2)
    assert [
        (one["dia_id"], one["operation_status"], one["stored"], one["retrieved_rank"])
        for one in now["evidence"]
    ] == [("D2:7", "error", False, None), ("D2:8", "completed", True, 2)]
    assert question(found, "conv-2", 9)["step"] == "storing"
    assert "step" not in question(found, "conv-2", 2)


def test_retrieved_memories_stand_in_the_page_once(found: dict[str, Any]) -> None:
    _, before = question(found, "conv-1", 3)["sides"]
    ranks = [rank for rank, _ in before["retrieved"]]
    assert ranks == list(range(1, 11))
    evidence = question(found, "conv-1", 3)["evidence_turns"]
    held = [found["memories"][place]["turns"] for _, place in before["retrieved"]]
    assert [(dia_id,) for dia_id in evidence] == held[1:3]
    keys = [(one["text"], tuple(one["turns"])) for one in found["memories"]]
    assert len(set(keys)) == len(keys)


def test_an_evidence_turn_has_its_neighbours_of_the_same_session(found: dict[str, Any]) -> None:
    turns = {turn["dia_id"]: turn for turn in found["conversations"]["conv-1"]}
    # Question 7 names turns 29 and 30 of the first session, which has 30.
    assert question(found, "conv-1", 7)["evidence_turns"] == ["D1:29", "D1:30"]
    assert [turns[f"D1:{n}"]["at"] for n in (27, 28, 29, 30)] == [26, 27, 28, 29]
    assert turns["D1:29"]["date_text"] == "1 May 2023"
    # The last question names one turn; of the turns after it only two are kept.
    assert question(found, "conv-1", 152)["evidence_turns"] == ["D21:9"]
    assert "D21:11" in turns
    assert turns["D2:1"]["date_text"] == "2 May 2023"
    assert turns["D1:1"]["speaker"] == "Ann"


def test_a_question_asked_again_says_how_often_it_was_right(found: dict[str, Any]) -> None:
    flaky, _ = question(found, "conv-1", 3)["sides"]
    assert (flaky["scored_times"], flaky["correct_times"]) == (2, 1)
    once, _ = question(found, "conv-1", 2)["sides"]
    assert once["scored_times"] == 1


def test_a_release_without_one_before_and_without_ingestion(tmp_path: Path) -> None:
    history = HistoryBuilder(tmp_path)
    history.dataset(["conv-1"], 4)
    history.measure("r1", {"conv-1": "-+!?"}, latency_ms=None, cost_usd=None)
    refresh(history.store, history.database_path)
    whole, *_ = by_release(history.database_path, "r1", max_error_percent=2.0)
    found = read_questions(history.database_path, whole, None, ["r1"], {})
    assert found["releases"] == ["r1"]
    verdicts = [one["sides"][0]["verdict"] for one in found["questions"]]
    assert verdicts == ["wrong", "correct", "unanswered", "unscored"]
    assert all("latency_ms" not in one["sides"][0] for one in found["questions"])
    assert found["questions"][2]["sides"][0]["why_no_verdict"] == "HTTP 500"


def test_packing_is_the_same_each_time_and_loses_nothing(found: dict[str, Any]) -> None:
    text = packed(found)
    assert text == packed(found)
    assert json.loads(gzip.decompress(base64.b64decode(text))) == json.loads(json.dumps(found))


def test_two_full_releases_are_small_enough(found: dict[str, Any]) -> None:
    a_question = len(packed(found)) / len(found["questions"])
    assert a_question * FULL_QUESTIONS < FULL_BYTES


def test_what_each_judge_says_of_a_question(tmp_path: Path) -> None:
    history = HistoryBuilder(tmp_path)
    history.dataset(["conv-1"], 3)
    history.measure("r1", {"conv-1": "++-"}, judge="first")

    def read() -> dict[str, Any]:
        refresh(history.store, history.database_path)
        whole, *_ = by_release(history.database_path, "r1", max_error_percent=2.0)
        return read_questions(history.database_path, whole, None, ["r1"], {})

    alone = read()
    assert alone["judges"] == []
    assert all("judged" not in one for one in alone["questions"])
    history.judge_again("r1", "conv-1", "+-", "strict")
    found = read()
    assert found["judges"] == ["strict", "first"]
    assert [one["judged"] for one in found["questions"]] == ["++", "-+", " -"]
