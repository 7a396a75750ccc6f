"""The data of the page, from small histories."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from locomo_assets.analysis.accuracy import by_release
from locomo_assets.analysis.comparison.series import UnknownReleaseError
from locomo_assets.history import database
from locomo_assets.reporting.charts import series_charts
from locomo_assets.reporting.html import render
from locomo_assets.reporting.leaderboard.data import read_leaderboard
from locomo_assets.reporting.report_data import newest_trends, read_report_data
from locomo_assets_tests.analysis.factories import AUDIT, HistoryBuilder, audited_history
from locomo_assets_tests.history.factories import answer, commit, judgement, lineage

LIMIT = 2.0


@pytest.fixture(scope="module")
def database_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    history = HistoryBuilder(tmp_path_factory.mktemp("report_data"))
    history.dataset(["conv-1", "conv-2"], 5)
    history.measure("r1", dict.fromkeys(("conv-1", "conv-2"), "+++-+"))
    history.measure("r2", dict.fromkeys(("conv-1", "conv-2"), "-+-++"))
    history.measure("r2", {"conv-1": "--+-+"}, question_protocol="no-memory")
    database.refresh(history.store, history.database_path)
    return history.database_path


def test_data_agrees_with_the_database(database_path: Path) -> None:
    data = read_report_data(database_path, max_error_percent=LIMIT)
    assert data.whole.release == "r2"
    assert data.whole.question_protocol == "isolated"
    assert [row.release for row in data.trend] == ["r1", "r2"]
    assert data.previous == "r1"
    assert data.comparison is not None
    changed = database.query(database_path, "SELECT flip, count(*) FROM flips GROUP BY ALL")[1]
    paired = data.comparison.overall.paired
    assert dict(changed).get("lost", 0) == paired.losses > 0
    assert dict(changed).get("gained", 0) == paired.gains
    [(floor,)] = database.query(
        database_path,
        "SELECT round(100 * accuracy, 2) FROM accuracy_by_release "
        "WHERE question_protocol = 'no-memory'",
    )[1]
    assert [(r.name, r.accuracy_percent) for r in data.references] == [("no-memory", floor)]


def test_first_release_is_not_compared_and_unknown_one_is_refused(database_path: Path) -> None:
    first = read_report_data(database_path, "r1", max_error_percent=LIMIT)
    assert first.comparison is None
    assert "first release" in str(first.not_compared)
    with pytest.raises(UnknownReleaseError, match="release r9: no verdicts"):
        read_report_data(database_path, "r9", max_error_percent=LIMIT)


def test_an_empty_history_is_told_what_to_do(tmp_path: Path) -> None:
    history = HistoryBuilder(tmp_path)
    database.refresh(history.store, history.database_path)
    for read in (read_report_data, read_leaderboard):
        with pytest.raises(UnknownReleaseError, match=r"^no release has verdicts yet; measure one"):
            read(history.database_path, max_error_percent=LIMIT)


def test_trend_in_the_ui_shows_categories_latency_and_cost(database_path: Path) -> None:
    newest = newest_trends(database_path, max_error_percent=LIMIT)
    assert newest is not None
    pictures = series_charts(newest)
    assert list(pictures) == ["drift", "categories", "latency", "cost"]
    assert all("](data:image/png;base64,iVBOR" in picture for picture in pictures.values())


def test_a_release_measured_again_stays_in_its_place(tmp_path: Path) -> None:
    history = HistoryBuilder(tmp_path)
    history.dataset(["conv-1", "conv-2"], 4)
    signs = {"conv-1": "-++-", "conv-2": "++++"}
    for release in ("r1", "r2", "r3", "r1"):
        history.measure(release, signs)
    database.refresh(history.store, history.database_path)
    data = read_report_data(history.database_path, max_error_percent=LIMIT)
    assert (data.whole.release, data.previous) == ("r3", "r2")
    assert [row.release for row in data.trend] == ["r1", "r2", "r3"]
    rows = by_release(history.database_path, None, max_error_percent=LIMIT)
    assert [row.release for row in rows] == ["r3", "r2", "r1"]


def test_the_trend_leaves_out_what_was_asked_other_questions(tmp_path: Path) -> None:
    history = HistoryBuilder(tmp_path)
    history.dataset(["conv-1", "conv-2"], 5)
    whole = {"conv-1": "-++-+", "conv-2": "+++++"}
    for release, signs in (("r1", whole), ("r2", {"conv-1": "++++"}), ("r3", whole)):
        history.measure(release, signs)
    database.refresh(history.store, history.database_path)
    data = read_report_data(history.database_path, max_error_percent=LIMIT)
    assert [row.release for row in data.trend] == ["r1", "r3"]
    assert [row.release for row in data.not_in_trend] == ["r2"]
    assert {name: [row.release for row in rows] for name, rows in data.category_trends.items()} == {
        row.category: ["r1", "r3"] for row in data.categories
    }
    assert data.previous == "r1"
    text = render(data, {})
    assert "other questions were asked: r2 (4 questions of 1 conversation)." in text
    alone = read_report_data(history.database_path, "r2", max_error_percent=LIMIT)
    assert alone.previous is None
    assert "the first release of its series with these questions" in str(alone.not_compared)


def test_published_results_name_judge_and_taxonomy(tmp_path: Path) -> None:
    history = HistoryBuilder(tmp_path)
    history.dataset(["conv-1"], 4)
    history.measure("r1", {"conv-1": "-++-"}, cost_usd=None, latency_ms=None)
    imported = {
        "imported_files": [{"file": "results.jsonl", "file_sha256": "f" * 64, "format": "jsonl"}],
        "answers": [answer(i, "v", conversation="conv-1", llm_model="their") for i in range(4)],
        "judgements": [
            judgement(i, "correct" if i else "wrong", "v", conversation="conv-1", judge="theirs")
            for i in range(4)
        ],
    }
    commit(history.store, lineage("imported_results", "vendor", conversation=None), imported)
    database.refresh(history.store, history.database_path)
    data = read_report_data(history.database_path, "r1", max_error_percent=2.0)
    assert [
        (one.release, one.judge, one.llm_model, one.shown, one.vendor_shown, one.accuracy_percent)
        for one in data.published
    ] == [
        ("vendor", "theirs", "their", "1 multi-hop", "single-hop", 0.0),
        ("vendor", "theirs", "their", "2 temporal", "temporal", 100.0),
        ("vendor", "theirs", "their", "3 open-domain", "multi-hop", 100.0),
        ("vendor", "theirs", "their", "4 single-hop", "open-domain", 100.0),
        ("vendor", "theirs", "their", "all scored", "overall", 75.0),
    ]
    text = render(data, {})
    assert text.count("answered by their · judge theirs") == 1
    assert "The cost is not known." in text
    assert "How long answers took is not known." in text


def test_two_imported_series_of_a_release_are_told_apart(tmp_path: Path) -> None:
    history = HistoryBuilder(tmp_path)
    history.dataset(["conv-1"], 4)
    history.measure("r1", {"conv-1": "-++-"})
    ways = ("isolated, memory pro", "one-thread")
    rows = [(i, way, {"conversation": "conv-1", "question_protocol": way})
            for i in range(4) for way in ways]  # fmt: skip
    imported = {
        "imported_files": [{"file": "results.jsonl", "file_sha256": "f" * 64, "format": "jsonl"}],
        "answers": [answer(i, way, **asked) for i, way, asked in rows],
        "judgements": [
            judgement(i, "correct", way, judge="theirs", **asked) for i, way, asked in rows
        ],
    }
    named = {"source": "imported", "registered_at": datetime(2026, 11, 1, tzinfo=UTC)}
    commit(history.store, lineage("releases", "vendor", conversation=None), {"releases": [named]})
    commit(history.store, lineage("imported_results", "vendor", conversation=None), imported)
    database.refresh(history.store, history.database_path)
    data = read_report_data(history.database_path, "r1", max_error_percent=LIMIT)
    assert {one.name for one in data.references} == {
        f"vendor (standin; {way}; judge theirs; 4 questions)" for way in ways
    }


def test_the_page_shows_them_and_names_the_audit(tmp_path: Path) -> None:
    history = audited_history(tmp_path)
    data = read_report_data(history.database_path, "r1", max_error_percent=2.0)
    assert [row.shown for row in data.gold_faults][-1] == "all scored"
    text = render(data, {})
    assert "<h2>Gold faults</h2>" in text
    assert f"By the audit {AUDIT[:12]}" in text
    assert ">66.67</td>" in text
    assert "was given the audit's corrected gold answers" not in text
    without = replace(data, gold_faults=())
    assert "<h2>Gold faults</h2>" not in render(without, {})


def test_the_page_warns_above_the_ceiling_and_shows_what_the_judge_lets_pass(
    tmp_path: Path,
) -> None:
    history = audited_history(tmp_path)
    data = read_report_data(history.database_path, "r1", max_error_percent=2.0)
    assert "is above the ceiling" not in render(data, {})
    assert 'id="judge-errors"' not in render(data, {})
    history.measure("r3", {"conv-1": "++++"})
    verdicts = [
        {"canary_id": f"{kind}-{n}", "kind": kind, "judge": "lexical", "verdict": verdict}
        for kind, verdict in (("right", "correct"), ("wrong", "wrong"))
        for n in range(12)
    ]
    who = lineage("judge_canaries", "r3", conversation=None)
    commit(history.store, who, {"canary_verdicts": verdicts})
    database.refresh(history.store, history.database_path)
    text = " ".join(
        render(read_report_data(history.database_path, "r3", max_error_percent=2.0), {}).split()
    )
    assert "all scored: 100.00 % is above the ceiling of 75.00 %" in text
    assert "corrected for the judge&#39;s errors: 100.00 %" in text
    assert "accepts 12 of 12 right answers and 0 of 12 wrong ones" in text
