"""The views: which rows are current, how they are counted, what they cost."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from statsmodels.stats.proportion import proportion_confint

from locomo_assets.history.database.tables import all_column_comments, column_comments
from locomo_assets.history.schema import TABLES
from locomo_assets_tests.history.factories import (
    ASKED_AT,
    DATASET,
    QueriedHistory,
    answer,
    call,
    commit,
    commit_answers,
    commit_dataset,
    commit_verdicts,
    lineage,
)

COLUMNS = Path(__file__).with_name("columns.txt")


def test_tables_and_views_column_by_column(history: QueriedHistory) -> None:
    found = history.rows(
        "SELECT table_name || '.' || column_name || ' ' || data_type "
        "FROM information_schema.columns ORDER BY table_name, ordinal_position"
    )
    assert [line for (line,) in found] == COLUMNS.read_text().splitlines()


def test_every_table_and_view_has_a_comment(history: QueriedHistory) -> None:
    assert (
        history.rows(
            "SELECT table_name FROM duckdb_tables() WHERE comment IS NULL "
            "UNION ALL SELECT view_name FROM duckdb_views() WHERE NOT internal AND comment IS NULL"
        )
        == []
    )


def test_every_column_has_a_comment(history: QueriedHistory) -> None:
    found = history.rows(
        "SELECT table_name || '.' || column_name FROM duckdb_columns() "
        "WHERE NOT internal AND coalesce(trim(comment), '') = ''"
    )
    assert found == []
    assert history.rows("SELECT count(*) FROM duckdb_columns() WHERE NOT internal") == [
        (len(COLUMNS.read_text().splitlines()),)
    ]


def test_columns_have_the_comments_that_are_told_elsewhere(history: QueriedHistory) -> None:
    found = history.rows(
        "SELECT table_name, column_name, comment FROM duckdb_columns() WHERE NOT internal"
    )
    for table in TABLES:
        assert {c: text for name, c, text in found if name == table} == column_comments(table)
    assert column_comments("answers")["release"].startswith("The label of what was measured")
    assert column_comments("canary_verdicts")["kind"].startswith("What the canary is")


def test_every_comment_on_a_column_is_of_one_that_is_there() -> None:
    columns = [line.partition(" ")[0].split(".") for line in COLUMNS.read_text().splitlines()]
    sections = all_column_comments()
    used = set()
    for table, column in columns:
        mine = (
            names
            for names, comments in sections.items()
            if column in comments and (names == "everywhere" or table in names.split())
        )
        used.add((next(mine), column))
    tables = {table for table, _ in columns} | {"everywhere"}
    assert {name for names in sections for name in names.split()} <= tables
    assert {(names, column) for names, its in sections.items() for column in its} == used


def test_the_newest_committed_attempt_counts_for_the_questions_it_holds(
    history: QueriedHistory,
) -> None:
    late = history.store.begin(lineage("answers", run_id="late"))
    commit_answers(history.store, lineage("answers", run_id="early"), questions=4, mark="e")
    late.append("answers", [answer(1, "l"), answer(2, "l", outcome="unanswered", answer=None)])
    late.commit()
    assert history.rows(
        "SELECT question_index, answer_id, outcome, run_id FROM current_answers ORDER BY 1"
    ) == [
        (0, "e-0", "answered", "early"),
        (1, "l-1", "answered", "late"),
        (2, "l-2", "unanswered", "late"),
        (3, "e-3", "answered", "early"),
    ]


def test_within_an_attempt_the_first_complete_answer_counts(history: QueriedHistory) -> None:
    rows = [
        answer(0, "late", asked_at=ASKED_AT + timedelta(seconds=2)),
        answer(0, "early", asked_at=ASKED_AT + timedelta(seconds=1)),
        answer(0, "failed", asked_at=ASKED_AT, outcome="unanswered", answer=None),
    ]
    commit(history.store, lineage("answers"), {"answers": rows})
    assert history.rows("SELECT answer_id FROM current_answers") == [("early-0",)]
    assert history.rows("SELECT count(*) FROM answers") == [(3,)]


def test_keys_keep_data_sets_releases_systems_and_protocols_apart(history: QueriedHistory) -> None:
    commit_answers(history.store, lineage("answers"), questions=1)
    commit_answers(history.store, lineage("answers", dataset_sha256="e" * 64), questions=1)
    commit_answers(history.store, lineage("answers", "r2"), questions=1)
    commit_answers(history.store, lineage("answers"), questions=1, question_protocol="published")
    assert history.rows("SELECT count(*) FROM current_answers") == [(4,)]


def test_verdicts_count_only_for_the_current_answer_and_the_newest_per_judge(
    history: QueriedHistory,
) -> None:
    commit_dataset(history.store, questions=2)
    commit_answers(history.store, lineage("answers"), questions=2, mark="old")
    commit_verdicts(history.store, lineage("judgements"), ["correct", "correct"], mark="old")
    commit(history.store, lineage("answers"), {"answers": [answer(1, "new", latency_ms=7.0)]})
    assert history.rows("SELECT question_index, verdict FROM current_judgements") == [
        (0, "correct")
    ]
    commit_verdicts(history.store, lineage("judgements"), ["wrong", "wrong"], mark="new")
    commit_verdicts(
        history.store, lineage("judgements"), ["unscored"], mark="old", judge="other", reason="busy"
    )
    commit_verdicts(history.store, lineage("judgements"), ["wrong"], mark="old")
    told = ("Question 0?", "gold 0", "answer old 0", 100.0, 1.0, "old-0")
    assert history.rows(
        "SELECT question_index, judge, verdict, reason, question, gold_answer, answer, "
        "latency_ms, judge_latency_ms, answer_id FROM current_judgements ORDER BY 1, 2"
    ) == [
        (0, "lexical", "wrong", None, *told),
        (0, "other", "unscored", "busy", *told),
        (1, "lexical", "wrong", None, "Question 1?", "gold 1", "answer new 1", 7.0, 1.0, "new-1"),
    ]


def test_outcomes_add_up_and_adversarial_questions_stay_apart(history: QueriedHistory) -> None:
    failed: dict[str, Any] = {
        "outcome": "unanswered",
        "answer": None,
        "reason": "HTTP 500",
        "cost_usd": None,
    }
    rows = [answer(i, **(failed if i in (5, 6) else {})) for i in range(20)]
    commit(history.store, lineage("answers"), {"answers": rows})
    verdicts = ["correct"] * 5 + ["unanswered"] * 2 + ["wrong"] * 3 + ["unscored"] + ["correct"] * 6
    commit_verdicts(history.store, lineage("judgements"), verdicts)
    columns = "questions, answered, scored, correct, wrong, unscored, unanswered, not_judged"
    # 0–19 without 4, 9, 14, 19, which are of category 5; 17 and 18 have no verdict
    assert history.rows(
        f"SELECT {columns}, accuracy, accuracy_if_rest_wrong, accuracy_if_rest_right, "
        "answers_of_unknown_cost FROM accuracy_by_release"
    ) == [(16, 14, 11, 9, 2, 1, 2, 2, 9 / 11, 9 / 16, 14 / 16, 2)]
    assert history.rows(
        f"SELECT category, official_name, counts_in_score, {columns} FROM accuracy_by_category "
        "ORDER BY category"
    ) == [
        (1, "multi-hop", True, 4, 3, 2, 2, 0, 1, 1, 0),
        (2, "temporal", True, 4, 3, 3, 3, 0, 0, 1, 0),
        (3, "open-domain", True, 4, 4, 3, 2, 1, 0, 0, 1),
        (4, "single-hop", True, 4, 4, 3, 2, 1, 0, 0, 1),
        (5, "adversarial", False, 4, 4, 3, 2, 1, 0, 0, 1),
    ]
    assert history.rows("SELECT questions, scored FROM accuracy_by_conversation") == [(16, 11)]
    assert history.rows("SELECT error_share FROM accuracy_by_release") == [(5 / 16,)]
    assert history.rows(
        "SELECT category, error_share FROM accuracy_by_category ORDER BY category"
    ) == [(1, 0.5), (2, 0.25), (3, 0.25), (4, 0.25), (5, 0.25)]
    assert history.rows(
        "SELECT sum(questions), sum(scored) FROM accuracy_by_category_and_conversation "
        "WHERE counts_in_score"
    ) == [(16, 11)]


def test_before_any_verdict_questions_are_counted_and_not_judged(history: QueriedHistory) -> None:
    commit_answers(history.store, lineage("answers"))
    assert history.rows(
        "SELECT judge, questions, answered, scored, not_judged, accuracy, accuracy_low "
        "FROM accuracy_by_release"
    ) == [(None, 8, 8, 0, 8, None, None)]


def test_each_judge_is_counted_over_all_questions(history: QueriedHistory) -> None:
    commit_answers(history.store, lineage("answers"))
    commit_answers(history.store, lineage("answers", conversation="conv-2"))
    commit_verdicts(history.store, lineage("judgements"), ["correct"] * 10)
    commit_verdicts(history.store, lineage("judgements"), ["wrong"], judge="other")
    assert history.rows(
        "SELECT judge, questions, scored, not_judged FROM accuracy_by_release ORDER BY judge"
    ) == [("lexical", 16, 8, 8), ("other", 16, 1, 15)]


@pytest.mark.parametrize(
    ("successes", "trials"), [(0, 1), (1, 1), (0, 1540), (1540, 1540), (7, 11), (1386, 1540)]
)
def test_wilson_is_statsmodels(history: QueriedHistory, successes: int, trials: int) -> None:
    ((low, high),) = history.rows(
        f"SELECT wilson_low({successes}, {trials}), wilson_high({successes}, {trials})"
    )
    assert (low, high) == pytest.approx(
        proportion_confint(successes, trials, alpha=0.05, method="wilson"), abs=1e-12
    )


def test_wilson_of_nothing_is_unknown(history: QueriedHistory) -> None:
    assert history.rows("SELECT wilson_low(0, 0), wilson_high(0, 0)") == [(None, None)]


@pytest.mark.parametrize(
    "ordered",
    [
        ["V0.0.7", "v0.0.8", "0.0.9", "0.0.10.dev3", "0.0.10a1", "0.0.10-beta.2", "0.0.10rc1",
         "0.0.10", "0.0.10.1", "0.0.10.post1"],
        ["svc-1.9", "svc-1.10", "svc-2"],
        ["svc-v1.9", "svc-1.10-SNAPSHOT", "svc-1.10-beta1", "svc-v1.10-M1", "svc-v1.10-M2",
         "svc-1.10-RC1", "svc-v1.10", "svc-1.11-nightly.3", "svc-1.11"],
        ["2025-12-31", "2026-2-3", "2026-11-23"],
        ["alpha", "alpha2", "beta", "r9", "r10"],
    ],
)  # fmt: skip
def test_versions_sort_as_people_count(history: QueriedHistory, ordered: list[str]) -> None:
    labels = ", ".join(f"('{label}')" for label in reversed(ordered))
    rows = history.rows(f"FROM (VALUES {labels}) AS t (label) ORDER BY version_key(label)")
    assert [label for (label,) in rows] == ordered


def test_unknown_costs_are_counted_not_summed_as_nothing(history: QueriedHistory) -> None:
    commit(
        history.store,
        lineage("answers"),
        {"answers": [answer(0, cost_usd=0.5), answer(1, cost_usd=None)]},
    )
    commit(history.store, lineage("answers", "r2"), {"answers": [answer(0, cost_usd=None)]})
    assert history.rows(
        "SELECT release, answer_cost_usd, answers_of_unknown_cost FROM accuracy_by_release "
        "ORDER BY 1"
    ) == [("r1", 0.5, 1), ("r2", None, 1)]


def test_costs_of_runs_and_months(history: QueriedHistory) -> None:
    june = datetime(2025, 6, 30, 23, 59, tzinfo=UTC)
    priced = {"input_tokens": 10, "output_tokens": 1, "cost_usd": 0.25}
    commit(
        history.store,
        lineage("answers", run_id="run-1"),
        {
            "calls": [
                call(0, started_at=june, **priced),
                call(1, started_at=june + timedelta(minutes=1), **priced),
                call(2, started_at=june, input_tokens=5, output_tokens=5),
                call(3, started_at=june, endpoint="POST /assistants"),
            ]
        },
    )
    commit(
        history.store,
        lineage("judgements", run_id="run-1"),
        {"calls": [call(4, service="judge", started_at=june, **priced)]},
    )
    commit_verdicts(history.store, lineage("judgements", run_id="run-2"), ["correct"])
    assert history.rows(
        "SELECT run_id, attempts, calls, input_tokens, backboard_cost_usd, judge_cost_usd, "
        "cost_usd, calls_of_unknown_cost FROM cost_by_run ORDER BY run_id"
    ) == [("run-1", 2, 5, 35, 0.5, 0.25, 0.75, 1), ("run-2", 1, 0, None, None, None, None, 0)]
    assert history.rows(
        "SELECT month::VARCHAR, service, calls, cost_usd FROM cost_by_month ORDER BY 1, 2"
    ) == [
        ("2025-06-01", "backboard", 3, 0.25),
        ("2025-06-01", "judge", 1, 0.25),
        ("2025-07-01", "backboard", 1, 0.25),
    ]


def test_errors_by_endpoint(history: QueriedHistory) -> None:
    calls = [
        call(0),
        call(1, status=429, error="rate_limited"),
        call(2, status=429, error="rate_limited", attempt=2),
        call(3, status=None, error="timeout"),
        call(4, status=503),
        call(5, status=404, endpoint="GET /assistants/{id}"),
    ]
    commit(history.store, lineage("answers"), {"calls": calls})
    assert history.rows(
        "SELECT endpoint, error, errors, calls, error_rate FROM errors_by_endpoint ORDER BY 1, 2"
    ) == [
        ("GET /assistants/{id}", "HTTP 404", 1, 1, 1.0),
        ("POST /threads/{id}/messages", "HTTP 503", 1, 5, 0.2),
        ("POST /threads/{id}/messages", "rate_limited", 2, 5, 0.4),
        ("POST /threads/{id}/messages", "timeout", 1, 5, 0.2),
    ]


def measure(history: QueriedHistory, release: str, verdicts: list[str]) -> None:
    commit_answers(history.store, lineage("answers", release), len(verdicts), mark=release)
    commit_verdicts(history.store, lineage("judgements", release), verdicts, mark=release)


def register(history: QueriedHistory, release: str, published_at: datetime) -> None:
    commit(
        history.store,
        lineage("releases", release),
        {
            "releases": [
                {"source": "person", "published_at": published_at, "registered_at": ASKED_AT}
            ]
        },
    )


def test_the_trend_follows_publication_and_flips_follow_the_trend(history: QueriedHistory) -> None:
    measure(history, "b", ["correct", "wrong", "unscored", "correct"])
    measure(history, "a", ["wrong", "wrong", "correct", "correct"])
    measure(history, "c", ["correct", "correct", "correct", "wrong"])
    for release, year in (("a", 2021), ("b", 2022), ("c", 2023)):
        register(history, release, datetime(year, 1, 1, tzinfo=UTC))
    assert history.rows(
        "SELECT release, previous_release, accuracy, accuracy_change FROM accuracy_trend "
        "WHERE category IS NULL ORDER BY position"
    ) == [("a", None, 0.5, None), ("b", "a", 2 / 3, 2 / 3 - 0.5), ("c", "b", 0.75, 0.75 - 2 / 3)]
    assert history.rows(
        "SELECT release_a, release_b, question_index, flip FROM flips ORDER BY ALL"
    ) == [("a", "b", 0, "gained"), ("b", "c", 1, "gained"), ("b", "c", 3, "lost")]
    assert history.rows(
        "SELECT question_index, flip, verdict_a, verdict_b, answer_a, answer_b "
        "FROM flips('a', 'c') ORDER BY ALL"
    ) == [
        (0, "gained", "wrong", "correct", "answer a 0", "answer c 0"),
        (1, "gained", "wrong", "correct", "answer a 1", "answer c 1"),
        (3, "lost", "correct", "wrong", "answer a 3", "answer c 3"),
    ]


def test_latency_is_of_answered_questions(history: QueriedHistory) -> None:
    rows = [answer(i, latency_ms=float(i), in_flight=2) for i in range(101)]
    rows.append(answer(101, outcome="unanswered", latency_ms=9999.0))
    commit(history.store, lineage("answers"), {"answers": rows})
    assert history.rows(
        "SELECT answered, latency_p50_ms, latency_p95_ms, latency_max_ms, first_chunk_p50_ms, "
        "in_flight_p50 FROM latency_by_release"
    ) == [(101, 50.0, 95.0, 100.0, 10.0, 2.0)]
    assert history.rows("SELECT latency_p50_ms FROM accuracy_by_category WHERE category = 1") == [
        (50.0,)
    ]


def test_lineage_leads_from_a_verdict_to_the_turns_and_the_file(history: QueriedHistory) -> None:
    commit_dataset(history.store, questions=2)
    commit(
        history.store,
        lineage("ingested_memories", run_id="run-i"),
        {
            "ingestions": [{"ingestion_id": "ingestion-1", "assistant_id": "assistant"}],
            "memory_operations": [
                {"ingestion_id": "ingestion-1", "dia_id": dia_id, "memory_ids": memory_ids}
                for dia_id, memory_ids in (("D1:1", ["m1"]), ("D1:3", ["m1", "m2"]), ("D1:4", []))
            ],
        },
    )
    memories = [("m1", 0.9), ("m2", 0.5)]
    commit(
        history.store,
        lineage("answers", run_id="run-a"),
        {
            "answers": [answer(0), answer(1)],
            "retrieved_memories": [
                {
                    "answer_id": "a-0",
                    "rank": rank,
                    "memory_id": name,
                    "memory": name,
                    "score": score,
                }
                for rank, (name, score) in enumerate(memories, start=1)
            ],
        },
    )
    commit_verdicts(history.store, lineage("judgements", run_id="run-j"), ["correct", "wrong"])
    origin = ("assistant", "run-j", "run-a", "run-i", DATASET, "sample.json", "run-0")
    assert history.rows(
        "SELECT question_index, verdict, memory_rank, memory_id, memory_dia_ids, "
        "evidence_dia_ids, assistant_id, judgement_run_id, answer_run_id, ingestion_run_id, "
        "dataset_sha256, dataset_source, dataset_run_id FROM lineage ORDER BY 1, 3"
    ) == [
        (0, "correct", 1, "m1", ["D1:1", "D1:3"], ["D1:1"], *origin),
        (0, "correct", 2, "m2", ["D1:3"], ["D1:1"], *origin),
        (1, "wrong", None, None, None, ["D1:2"], *origin),
    ]


def test_category_names(history: QueriedHistory) -> None:
    assert history.rows("FROM categories") == [
        (1, "multi-hop", "single-hop", True),
        (2, "temporal", "temporal", True),
        (3, "open-domain", "multi-hop", True),
        (4, "single-hop", "open-domain", True),
        (5, "adversarial", "adversarial", False),
    ]
