"""What a scrape gets: the right numbers, bounded labels, and one metric where nothing is read."""

import logging
import shutil
from dataclasses import replace
from pathlib import Path

import duckdb
import httpx
import pytest
from filelock import FileLock
from prometheus_client.parser import text_string_to_metric_families

from locomo_assets.history import database
from locomo_assets.history.store import HistoryStore
from locomo_assets.reporting.exporter import metrics
from locomo_assets.reporting.exporter.metrics import Limits
from locomo_assets.reporting.exporter.server import HistoryCollector, refreshing, serving
from locomo_assets_tests.history.factories import (
    answer,
    commit,
    commit_verdicts,
    judgement,
    lineage,
)
from locomo_assets_tests.reporting.exporter.factories import measure, measured_history

LIMITS = Limits(85.0, 5.0, 60.0, 2.0)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("measured")
    measured_history(folder)
    return folder


@pytest.fixture
def folder(measured: Path, tmp_path: Path) -> Path:
    """A copy of the measured history that a test may change."""
    shutil.copytree(measured / "history", tmp_path / "history")
    return tmp_path


def database_of(folder: Path) -> Path:
    return folder / "history" / "history.duckdb"


class Scrape(dict[str, float]):
    """Samples by name and labels, as Prometheus writes them without quotes."""

    def __init__(self, text: str) -> None:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                labels = ",".join(f"{k}={v}" for k, v in sorted(sample.labels.items()))
                key = f"{sample.name}{{{labels}}}" if labels else sample.name
                assert key not in self, "the same series twice"
                self[key] = sample.value

    def of(self, name: str, *containing: str) -> dict[str, float]:
        return {
            key: value
            for key, value in self.items()
            if key.partition("{")[0] == name and all(one in key for one in containing)
        }


def scraped(collector: HistoryCollector) -> Scrape:
    """Over a real socket."""
    with serving(collector, "127.0.0.1", 0) as port:
        answer = httpx.get(f"http://127.0.0.1:{port}/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    return Scrape(answer.text)


@pytest.fixture(scope="module")
def scrape(measured: Path) -> Scrape:
    collector = HistoryCollector(database_of(measured), LIMITS)
    collector.update()
    return scraped(collector)


def test_accuracy_and_questions(scrape: Scrape) -> None:
    assert scrape["benchmark_history_up"] == 1
    where = "dataset=dddddddddddd,judge=lexical,question_protocol=isolated"
    series = f"{where},release=r2,system=standin"
    # Of ten questions two are of category 5, one of them among the first five.
    assert scrape[f"benchmark_accuracy_percent{{{series}}}"] == 50.0
    assert scrape[f"benchmark_accuracy_is_held_to_limit{{{series}}}"] == 0
    assert scrape[f"benchmark_numbers_valid{{{series}}}"] == 1
    assert sum(scrape.of("benchmark_questions_total", "release=r2").values()) == 10
    assert sum(scrape.of("benchmark_questions_correct", "release=r2").values()) == 5
    [temporal] = scrape.of("benchmark_category_accuracy_percent", "=temporal", "=r1").values()
    assert temporal == 100.0
    assert scrape["benchmark_newest_release{release=r2}"] == 1
    assert scrape["benchmark_newest_release{release=r1}"] == 0
    assert scrape["benchmark_accuracy_limit_percent"] == 85.0


def test_requests_time_and_cost(scrape: Scrape) -> None:
    [errors] = scrape.of("benchmark_api_errors_total", "release=r1").values()
    [requests] = scrape.of("benchmark_api_requests_total", "release=r1").values()
    assert (errors, requests) == (1, 3)
    [minutes] = scrape.of("benchmark_run_duration_seconds", "release=r1").values()
    assert minutes > 0
    [since] = scrape.of("benchmark_last_success_timestamp_seconds", "release=r1").values()
    assert since > 1.7e9
    tokens = scrape.of("benchmark_tokens_total", "release=r1", "direction=input")
    assert list(tokens.values()) == [100]
    # The stand-in names a model with a price, and costs nothing.
    assert set(scrape.of("benchmark_cost_usd").values()) == {0.0}
    stages = scrape.of("benchmark_conversations", "release=r1")
    assert list(stages.values()) == [1, 1, 1]


def test_histograms_are_those_of_the_stored_times(scrape: Scrape) -> None:
    name = "benchmark_response_time_seconds"
    buckets = {
        key.partition("le=")[2].partition(",")[0]: value
        for key, value in scrape.of(f"{name}_bucket", "release=r1").items()
    }
    assert buckets["0.1"] == 4
    assert buckets["0.25"] == 4
    assert buckets["0.5"] == 6
    assert buckets["5.0"] == 8
    assert buckets["120.0"] == 8
    assert buckets["+Inf"] == 10
    assert list(scrape.of(f"{name}_sum", "release=r1").values()) == [pytest.approx(407.1)]
    name = "benchmark_memory_operations_duration_seconds"
    counts = scrape.of(f"{name}_count", "release=r1")
    assert {key.partition("status=")[2].partition(",")[0]: n for key, n in counts.items()} == {
        "completed": 3,
        "error": 1,
    }
    assert list(scrape.of(f"{name}_sum", "release=r1", "completed").values()) == [3.0]


def test_labels_are_bounded_and_hold_no_text(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "NEWEST_RELEASES", 3)
    monkeypatch.setattr(metrics, "SERIES_PER_RELEASE", 2)
    store = HistoryStore.open((folder / "history").as_uri())
    for number in range(3, 7):
        measure(store, f"r{number}", correct=number)
    for number in range(4):
        judged = {"judge": f"judge-{number}"}
        commit_verdicts(store, lineage("judgements", "r6"), ["wrong"] * 10, mark="r6-6", **judged)
    theirs = {
        "imported_files": [{"file": "results.jsonl", "file_sha256": "f" * 64, "format": "jsonl"}],
        "answers": [answer(n, "v", conversation="conv-1", asked_at=None) for n in range(5)],
        "judgements": [judgement(n, "wrong", "v", conversation="conv-1") for n in range(5)],
    }
    commit(store, lineage("imported_results", "vendor", conversation=None), theirs)
    database.refresh(store, database_of(folder))
    with duckdb.connect(database_of(folder)) as connection:
        connection.execute("UPDATE current_answers SET question = 'Who said planted-text?'")
    collector = HistoryCollector(database_of(folder), LIMITS)
    collector.update()
    scrape = scraped(collector)
    releases = {key.partition("release=")[2].partition("}")[0].partition(",")[0] for key in scrape}
    assert releases - {""} == {"r4", "r5", "r6"}
    assert len(scrape.of("benchmark_accuracy_percent", "release=r6")) == 2
    assert not any(text in key for key in scrape for text in ("planted", "conv-1", "run-1", "r6-6"))


def test_numbers_that_are_not_valid_are_no_accuracy(folder: Path) -> None:
    store = HistoryStore.open((folder / "history").as_uri())
    verdicts = ["unscored"] * 4 + ["correct"] * 6
    commit_verdicts(store, lineage("judgements", "r2"), verdicts, mark="r2-5")
    database.refresh(store, database_of(folder))
    collector = HistoryCollector(database_of(folder), LIMITS)
    collector.update()
    scrape = scraped(collector)
    assert scrape.of("benchmark_accuracy_percent", "release=r2") == {}
    assert scrape.of("benchmark_category_accuracy_percent", "release=r2") == {}
    assert list(scrape.of("benchmark_numbers_valid", "release=r2").values()) == [0]
    without = scrape.of("benchmark_questions_without_verdict", "release=r2", "reason=unscored")
    assert sum(without.values()) == 4


def test_the_database_is_read_again_only_where_it_has_changed(folder: Path) -> None:
    collector = HistoryCollector(database_of(folder), LIMITS)
    assert [collector.update() for _ in range(3)] == [True, False, False]
    # A process that holds the lock of the database does not hold up a reader.
    store = HistoryStore.open((folder / "history").as_uri())
    measure(store, "r3", correct=1)
    database.refresh(store, database_of(folder))
    with FileLock(database_of(folder).with_name(f".{database_of(folder).name}.lock")):
        assert collector.update()
        assert scraped(collector)["benchmark_newest_release{release=r3}"] == 1
    assert not collector.update()


@pytest.mark.parametrize("broken", ["missing", "garbage", "of another version"])
def test_a_broken_history_is_a_metric_and_a_line(
    folder: Path, broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = database_of(folder)
    good = path.read_bytes()
    collector = HistoryCollector(path, LIMITS)
    collector.update()
    path.unlink()
    if broken == "garbage":
        path.write_bytes(b"no database" * 1000)
    elif broken == "of another version":
        with duckdb.connect(path) as connection:
            connection.execute("CREATE TABLE attempts (attempt_id VARCHAR)")
    caplog.set_level(logging.WARNING)
    for _ in range(3):
        collector.update()
        assert scraped(collector) == {"benchmark_history_up": 0}
    (line,) = [r.getMessage() for r in caplog.records if "exporter" in r.name]
    assert "\n" not in line
    assert "Traceback" not in caplog.text
    path.write_bytes(good)
    collector.update()
    assert scraped(collector)["benchmark_history_up"] == 1


def test_a_history_elsewhere_is_refreshed_into_a_database_of_ones_own(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = HistoryStore.open((folder / "history").as_uri())
    own = tmp_path / "own" / "history.duckdb"
    refresh = refreshing(store, own)
    refresh()
    collector = HistoryCollector(own, LIMITS)
    collector.update()
    assert scraped(collector)["benchmark_newest_release{release=r2}"] == 1
    measure(store, "r3", correct=1)
    shutil.move(folder / "history" / "attempts", folder / "elsewhere")
    (folder / "history" / "attempts").write_text("no folder")
    refresh()
    collector.update()
    assert scraped(collector)["benchmark_newest_release{release=r2}"] == 1
    assert len(caplog.records) == 1


def test_the_clustered_interval_and_the_question_set(folder: Path) -> None:
    store = HistoryStore.open((folder / "history").as_uri())
    for conversation, verdicts in (("conv-1", ["correct"] * 8), ("conv-2", ["wrong", "correct"])):
        rows = [answer(n, conversation) for n in range(len(verdicts))]
        commit(store, lineage("answers", "r3", conversation), {"answers": rows})
        commit_verdicts(
            store, lineage("judgements", "r3", conversation), verdicts, mark=conversation
        )
    database.refresh(store, database_of(folder))
    collector = HistoryCollector(database_of(folder), LIMITS)
    collector.update()
    found = scraped(collector)
    ((low, high, name),) = database.query(
        database_of(folder),
        "SELECT round(100 * clustered_low, 2), round(100 * clustered_high, 2), question_set "
        "FROM accuracy_by_release WHERE release = 'r3'",
    )[1]
    assert [*found.of("benchmark_accuracy_clustered_low_percent").values()] == [low]
    assert [*found.of("benchmark_accuracy_clustered_high_percent").values()] == [high]
    (asked,) = found.of("benchmark_question_set_questions", "release=r3").items()
    assert f"question_set={name}" in asked[0]
    assert "conversations=2" in asked[0]
    assert asked[1] == 9.0  # one of the ten is of category 5


@pytest.mark.parametrize("alone", [False, True])
def test_a_variant_is_held_to_the_limit_only_where_it_stands_alone(
    alone: bool, tmp_path: Path
) -> None:
    """A ladder measures what is worse on purpose: nobody is to be alarmed by that."""
    store = HistoryStore.open((tmp_path / "history").as_uri())
    labels = ["isolated, tok_k 1"] if alone else ["isolated", "isolated, tok_k 1"]
    for number, label in enumerate(labels):
        mark, where = f"m{number}", {"question_protocol": label}
        answers = replace(lineage("answers"), system="backboard")
        commit(store, answers, {"answers": [answer(0, mark, **where)]})
        judged = judgement(0, "wrong", mark, judge="gpt", judge_system="openai", **where)
        commit(store, replace(lineage("judgements"), system="backboard"), {"judgements": [judged]})
    collector = HistoryCollector(database_of(tmp_path), LIMITS)
    database.refresh(store, database_of(tmp_path))
    collector.update()
    found = scraped(collector).of("benchmark_accuracy_is_held_to_limit")
    held = {label: v for key, v in found.items() for label in labels if f"={label},rel" in key}
    assert held == ({labels[0]: 1.0} if alone else {"isolated": 1.0, "isolated, tok_k 1": 0.0})
