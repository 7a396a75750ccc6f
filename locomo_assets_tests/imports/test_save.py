"""An import in the history: whole or not at all, once, under a name of its own, comparable."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from locomo_assets.history import database
from locomo_assets.history.maintenance import check, prune
from locomo_assets.history.provenance import Manifest
from locomo_assets.history.store import HistoryStore
from locomo_assets.imports.backboard_published import parse_published
from locomo_assets.imports.jsonl import parse_jsonl
from locomo_assets.imports.results import ImportedRelease, ImportedResults, ImportRefusedError
from locomo_assets.imports.save import save_imports
from locomo_assets.labels import BadLabelError
from locomo_assets.locomo.model import Question
from locomo_assets.locomo.parsing import parse_dataset
from locomo_assets.runs.context import fingerprint
from locomo_assets.runs.datasets import store_dataset
from locomo_assets.runs.releases import (
    ReleaseTakenError,
    register_release,
)
from locomo_assets_tests.history.factories import answer, commit, judgement, lineage
from locomo_assets_tests.imports.files import (
    SAMPLE,
    Verdict,
    all_correct,
    line,
    lines,
    published,
    scored,
)

SCORED = len(scored("sample-1")) + len(scored("sample-2"))


class Scenario:
    """A history and its database, refreshed at each question."""

    def __init__(self, folder: Path) -> None:
        self.store = HistoryStore.open((folder / "history").as_uri())
        self.path = folder / "history.duckdb"

    def save(
        self,
        results: ImportedResults,
        release: str = "vendor",
        published_at: datetime | None = None,
    ) -> Manifest | None:
        one = ImportedRelease(release, results, published_at)
        return save_imports(self.store, SAMPLE, [one], "run-i")[0]

    def publish(self, verdict: Verdict = all_correct) -> Manifest | None:
        return self.save(parse_published(published(verdict), SAMPLE))

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        database.refresh(self.store, self.path)
        return database.query(self.path, sql)[1]


@pytest.fixture
def scenario(tmp_path: Path) -> Scenario:
    return Scenario(tmp_path)


def jsonl(*some: dict[str, Any], system: str = "memo") -> ImportedResults:
    return parse_jsonl("a.jsonl", lines(*some), SAMPLE, system=system, question_protocol="isolated")


def not_temporal(question: Question) -> bool:
    return question.category != 2


def test_an_import_is_one_attempt_that_every_view_shows(scenario: Scenario) -> None:
    manifest = scenario.publish(not_temporal)
    assert manifest is not None
    assert scenario.store.manifests(asset="imported_results", release="vendor") == [manifest]
    assert manifest.rows == {
        "releases": 1, "imported_files": 2, "answers": SCORED, "judgements": SCORED,
    }  # fmt: skip
    wrong = sum(question.category == 2 for c in ("sample-1", "sample-2") for question in scored(c))
    assert scenario.rows(
        "SELECT release, system, question_protocol, judge, questions, correct, wrong, "
        "input_tokens, latency_p50_ms, answers_of_unknown_cost, judge_cost_usd "
        "FROM accuracy_by_release"
    ) == [
        ("vendor", "backboard", "published", "gpt-4.1/judge-prompt-reference@7c7cbfda", SCORED,
         SCORED - wrong, wrong, None, None, SCORED, None)
    ]  # fmt: skip
    assert scenario.rows(
        "SELECT DISTINCT origin, imported_file, imported_file_sha256, memory, ingestion_id, "
        "dataset_source FROM lineage WHERE conversation = 'sample-2'"
    ) == [
        ("imported", "locomo_conversation_2.json",
         manifest.extra["files"]["locomo_conversation_2.json"], None, None, SAMPLE.source)
    ]  # fmt: skip
    assert scenario.rows("SELECT release, source, first_measured_at FROM release_order") == [
        ("vendor", "imported", None)
    ]
    assert scenario.rows("FROM cost_by_run") == []
    assert check(scenario.store).problems == ()


def test_published_results_name_both_taxonomies(scenario: Scenario) -> None:
    scenario.publish(not_temporal)
    rows = scenario.rows(
        "SELECT category, official_name, vendor_name, accuracy, system, llm_model, judge_model, "
        "prompt_sha256[:8], files, format FROM published_results ORDER BY category NULLS LAST"
    )
    assert [row[:4] for row in rows[:-1]] == [
        (1, "multi-hop", "single-hop", 1.0),
        (2, "temporal", "temporal", 0.0),
        (3, "open-domain", "multi-hop", 1.0),
        (4, "single-hop", "open-domain", 1.0),
    ]
    assert rows[-1][:3] == (None, None, None)
    assert {row[4:] for row in rows} == {
        ("backboard", "gemini-2.5-pro", "gpt-4.1", "7c7cbfda", 2, "backboard-published")
    }


def test_imported_results_hold_what_the_lines_say(scenario: Scenario) -> None:
    scenario.save(
        jsonl(
            line(retrieved=["first", "second"], latency_ms=5),
            line(judge="strict", retrieved=["first", "second"], latency_ms=5, verdict="wrong"),
            line(question_index=1, answer=None, verdict=..., reason="HTTP 500"),
        )
    )
    assert scenario.rows(
        "SELECT question_index, judge, verdict, answer, reason, llm_model, file, format "
        "FROM imported_results ORDER BY ALL"
    ) == [
        (0, "some-judge", "correct", "A canoe.", None, "some-model", "a.jsonl", "jsonl"),
        (0, "strict", "wrong", "A canoe.", None, "some-model", "a.jsonl", "jsonl"),
        (1, "some-judge", "unanswered", None, "HTTP 500", "some-model", "a.jsonl", "jsonl"),
    ]
    assert scenario.rows(
        "SELECT memory_rank, memory FROM lineage "
        "WHERE question_index = 0 AND judge = 'strict' ORDER BY 1"
    ) == [(1, "first"), (2, "second")]
    assert scenario.rows(
        "SELECT latency_ms, retrieved, cost_usd FROM current_answers ORDER BY 1"
    ) == [
        (5.0, 2, None),
        (None, None, None),
    ]


def test_the_same_files_again_are_nothing_new(scenario: Scenario) -> None:
    assert scenario.publish() is not None
    renamed = [(f"other-{name}", data) for name, data in reversed(published())]
    assert scenario.save(parse_published(renamed, SAMPLE)) is None
    assert len(scenario.store.manifest_names()) == 1 + len(SAMPLE.conversations)


def test_changed_files_supersede_in_the_database_that_is_there(scenario: Scenario) -> None:
    scenario.publish()
    counts = "SELECT questions, correct FROM accuracy_by_release"
    assert scenario.rows(counts) == [(SCORED, SCORED)]
    scenario.publish(lambda _: False)
    assert scenario.rows(counts) == [(SCORED, 0)]
    # A correction is no second measurement, of which there would be noise.
    assert scenario.rows("SELECT repeat, correct FROM accuracy_by_repeat") == [(1, 0)]
    scenario.publish()
    assert scenario.rows(counts) == [(SCORED, SCORED)]
    # What was superseded may go; what counts stays.
    report = prune(
        scenario.store, scenario.path, keep_days=1, dry_run=False,
        now=datetime.now(UTC) + timedelta(days=9),
    )  # fmt: skip
    assert len(report.attempts) == 2
    assert scenario.rows(counts) == [(SCORED, SCORED)]
    (manifest,) = scenario.store.manifests(asset="imported_results")
    scenario.store.storage.delete([manifest.path])
    assert scenario.rows(counts) == []
    assert scenario.rows("FROM current_judgements") == []


def test_fewer_questions_under_the_same_name_are_refused(scenario: Scenario) -> None:
    scenario.save(jsonl(line(), line(question_index=1)))
    with pytest.raises(ImportRefusedError, match=r"has 1 questions that these files lack"):
        scenario.save(jsonl(line()))
    assert scenario.save(jsonl(line(), line(question_index=1), line(question_index=2))) is not None
    assert scenario.save(jsonl(line(), system="another")) is not None


def test_measured_and_imported_never_share_a_name(scenario: Scenario) -> None:
    register_release(scenario.store, "r1", "run-1")
    with pytest.raises(ImportRefusedError, match="release r1: was measured here"):
        scenario.save(jsonl(line()), "r1")
    scenario.save(jsonl(line()))
    with pytest.raises(ReleaseTakenError, match="release vendor: its results were imported"):
        register_release(scenario.store, "vendor", "run-1")
    with pytest.raises(BadLabelError):
        scenario.save(jsonl(line()), "a b")
    with pytest.raises(BadLabelError, match="system '': a label"):
        scenario.save(jsonl(line(), system=""), "c")


def test_the_data_set_that_is_being_measured_stays_the_newest(scenario: Scenario) -> None:
    data = Path(SAMPLE.source).read_bytes()
    store_dataset(scenario.store, SAMPLE, "run-1")
    store_dataset(scenario.store, parse_dataset(data + b"\n", "other.json"), "run-2")
    before = scenario.store.manifest_names()
    scenario.save(jsonl(line()))
    assert len(scenario.store.manifest_names()) == len(before) + 1


def test_ones_own_release_is_compared_with_an_imported_one(scenario: Scenario) -> None:
    scenario.publish(not_temporal)
    judge = "gpt-4.1/judge-prompt-reference@7c7cbfda"
    who = {"question_protocol": "published"}
    questions = scored("sample-1")
    for release in ("r1", "r2"):
        asked, judged = (
            replace(
                lineage(asset, release, "sample-1", dataset_sha256=SAMPLE.sha256),
                system="backboard",
            )
            for asset in ("answers", "judgements")
        )
        commit(
            scenario.store,
            asked,
            {"answers": [answer(q.question_index, release, **who) for q in questions]},
        )
        verdicts = [judgement(q.question_index, "correct", release, judge=judge, **who)
                    for q in questions]  # fmt: skip
        commit(scenario.store, judged, {"judgements": verdicts})
    gained = [q.question_index for q in questions if q.category == 2]
    found = scenario.rows(
        "SELECT question_index, flip, verdict_a, verdict_b FROM flips('vendor', 'r1') ORDER BY 1"
    )
    assert found == [(index, "gained", "wrong", "correct") for index in gained]
    # Imported later, and still not between the two; of more questions, so no trend with them.
    assert scenario.rows(
        "SELECT release, previous_release FROM accuracy_trend WHERE category IS NULL "
        "ORDER BY position"
    ) == [("vendor", None), ("r1", None), ("r2", "r1")]


def order(scenario: Scenario) -> list[str]:
    return [row[0] for row in scenario.rows("SELECT release FROM release_order ORDER BY position")]


def test_imported_versions_stand_in_the_order_of_versions(scenario: Scenario) -> None:
    for release in ("svc-0.0.10", "svc-0.0.9", "svc-0.0.11", "svc-0.0.10rc1"):
        scenario.save(jsonl(line()), release)
    in_order = ["svc-0.0.9", "svc-0.0.10rc1", "svc-0.0.10", "svc-0.0.11"]
    assert order(scenario) == in_order
    # To judge the answers of one is no measurement that dates it.
    judged = lineage("judgements", "svc-0.0.11", "sample-1", dataset_sha256=SAMPLE.sha256)
    commit(scenario.store, judged, {"judgements": [judgement(0, "wrong", "own", judge="own")]})
    assert order(scenario) == in_order
    assert scenario.save(jsonl(line(verdict="wrong")), "svc-0.0.11") is not None


def test_a_known_time_of_publication_places_an_imported_release(scenario: Scenario) -> None:
    commit(scenario.store, lineage("answers", "r1", "sample-1"), {"answers": [answer(0, "r1")]})
    ((measured,),) = scenario.rows("SELECT first_measured_at FROM release_order")
    day = timedelta(days=1)
    for release, published_at in (("after", measured + day), ("before", measured - day)):
        scenario.save(jsonl(line()), release, published_at)
    scenario.save(jsonl(line()), "unknown")
    assert order(scenario) == ["unknown", "before", "r1", "after"]
    # Told later, and then known for good, whatever files follow.
    assert scenario.save(jsonl(line()), "unknown", measured + 2 * day) is not None
    assert scenario.save(jsonl(line()), "unknown") is None
    assert scenario.save(jsonl(line(verdict="wrong")), "unknown") is not None
    assert order(scenario) == ["before", "r1", "after", "unknown"]
    assert scenario.rows(
        "SELECT correct, released_at FROM accuracy_trend "
        "WHERE release = 'unknown' AND category IS NULL"
    ) == [(0, measured + 2 * day)]


def test_of_several_releases_all_or_none_are_stored(scenario: Scenario) -> None:
    register_release(scenario.store, "r1", "run-1")
    before = scenario.store.manifest_names()
    both = [ImportedRelease(name, jsonl(line())) for name in ("new", "r1")]
    with pytest.raises(ImportRefusedError, match="release r1: was measured here"):
        save_imports(scenario.store, SAMPLE, both, "run-i")
    assert scenario.store.manifest_names() == before


def test_another_judge_named_for_the_same_file_is_another_import(scenario: Scenario) -> None:
    for judge in (None, "gpt-4.1/theirs"):
        results = parse_jsonl(
            "a.jsonl", lines(line(judge=...)), SAMPLE, system="memo", question_protocol="isolated",
            judge=judge,
        )  # fmt: skip
        assert scenario.save(results) is not None
        assert scenario.save(results) is None
    assert scenario.rows("SELECT judge FROM current_judgements") == [("gpt-4.1/theirs",)]


def test_a_verdict_without_its_answer_and_one_on_an_empty_answer_count(scenario: Scenario) -> None:
    scenario.save(
        jsonl(
            line(answer=...),
            line(question_index=1, answer="", verdict="wrong"),
            line(question_index=2, verdict=...),
        )
    )
    assert scenario.rows(
        "SELECT j.verdict, j.answer, scores.outcome, scores.f1 FROM current_judgements AS j "
        "JOIN answer_scores AS scores USING (answer_id) ORDER BY j.question_index"
    )[:2] == [("correct", None, "answered", None), ("wrong", "", "answered", 0.0)]
    assert scenario.rows(
        "SELECT questions, scored, correct, wrong, unscored, unanswered FROM accuracy_by_release"
    ) == [(3, 2, 1, 1, 1, 0)]


@pytest.mark.parametrize("said", ["A canoe.", None, ""])
def test_what_an_older_version_imported_is_there_already_unless_it_is_read_otherwise_now(
    scenario: Scenario, said: str | None
) -> None:
    """Silence was read as unanswered."""
    results = jsonl(line(answer=said, verdict=...))
    old = replace(
        lineage("imported_results", "vendor", dataset_sha256=SAMPLE.sha256),
        conversation=None,
        system="memo",
        extra={
            "fingerprint": fingerprint({"format": "jsonl/1", "files": [results.files[0].sha256]}),
            "format": "jsonl/1",
            "question_protocol": "isolated",
            "files": {"a.jsonl": results.files[0].sha256},
        },
    )
    commit(scenario.store, old, {})
    imported = scenario.save(results) is not None
    assert imported is (said == "")
    assert scenario.save(results) is None
