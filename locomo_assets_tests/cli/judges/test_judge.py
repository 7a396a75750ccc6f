"""`judge`: stored answers get verdicts beside those that they have, and nothing is paid twice."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from locomo_assets.cli.judges.judging import JudgingError, JudgingPendingError
from locomo_assets.history.errors import NothingMeasuredError
from locomo_assets.history.store import HistoryStore
from locomo_assets.judging.canaries import packaged_canaries
from locomo_assets.judging.judge import JudgeError
from locomo_assets.pipeline.launch import Launch, launch, prepare_home, register_history
from locomo_assets.runs.context import NothingToMeasureError
from locomo_assets.runs.releases import ReleaseTakenError
from locomo_assets.services import Services, UnpricedError
from locomo_assets.settings import read_settings
from locomo_assets.standin.server import running_standin
from locomo_assets.standin.settings import DEFAULT_KEY, StandinSettings
from locomo_assets_tests.cli.judges.imported import (
    ANSWERS,
    RELEASE,
    command,
    failure,
    import_answers,
    sql,
)
from locomo_assets_tests.judging.scripted import KEY, ScriptedServer, failing, scripted_server

CANARIES = len(packaged_canaries().canaries)
VERDICTS = (
    "SELECT judge, count(*), count(*) FILTER (verdict = 'correct') FROM current_judgements "
    f"WHERE release = '{RELEASE}' GROUP BY judge ORDER BY judge"
)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    with scripted_server() as script:
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("OPENAI_BASE_URL", script.base_url)
        yield script


def test_imported_answers_get_a_further_series(home: Path) -> None:
    import_answers(home)
    before = sql("SELECT * EXCLUDE (imported_at) FROM imported_results ORDER BY ALL")
    output = command("judge", "--release", RELEASE)
    assert "release vendor (imported) · system memo · judge lexical-2" in output
    ((lexical, count, correct), theirs) = sql(VERDICTS)
    assert (lexical, count, theirs) == ("lexical-2", ANSWERS, ("some-judge", ANSWERS, ANSWERS))
    assert 0 < correct < ANSWERS
    # What was imported is what was imported.
    assert sql("SELECT * EXCLUDE (imported_at) FROM imported_results ORDER BY ALL") == before
    assert sql("SELECT DISTINCT judge FROM published_results") == [("some-judge",)]
    assert sql("SELECT DISTINCT system FROM judgements WHERE asset = 'judgements'") == [("memo",)]
    # And can be imported again: nothing was measured under its name.
    import_answers(home, model="named-later")
    assert sql(VERDICTS) == [theirs]
    command("judge", "--release", RELEASE)
    assert sql(VERDICTS) == [(lexical, ANSWERS, correct), theirs]


def test_an_imported_release_is_still_no_partition_and_not_measured(home: Path) -> None:
    import_answers(home)
    command("judge", "--release", RELEASE)
    with pytest.raises(ReleaseTakenError, match="`locomo-assets judge --release vendor`"):
        launch(Launch(release=RELEASE), Services(read_settings()))
    store = HistoryStore.open((home / "history").as_uri())
    assert register_history(store, home)[1] == []
    assert sql("SELECT release, state FROM release_status") == [(RELEASE, "imported")]


def test_a_judge_is_paid_once_and_its_forecast_says_what_is_missing(
    home: Path, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_answers(home)
    monkeypatch.setenv("LOCOMO_JUDGE_MODEL", "some-model")
    forecast = command("judge", "--release", RELEASE, "--dry-run")
    assert f"verdicts  {ANSWERS + CANARIES} " in forecast
    assert server.bodies == []
    command("judge", "--release", RELEASE)
    # With the verdict that tells which parameters the model takes; equal answers are judged once.
    paid = len(server.bodies)
    assert ANSWERS < paid <= ANSWERS + CANARIES + 1
    assert {body["model"] for body in server.bodies} == {"some-model"}
    assert set(server.keys) == {f"Bearer {KEY}"}
    command("judge", "--release", RELEASE)
    assert len(server.bodies) == paid
    assert "verdicts  0 " in command("judge", "--release", RELEASE, "--dry-run")


def test_a_judge_of_the_imported_name_does_not_take_its_place(
    home: Path, server: ScriptedServer
) -> None:
    server.probe.body = server.probe.body.replace(b"system", b"standin")
    import_answers(home)
    command("judge", "--release", RELEASE)
    (own,) = [name for name, *_ in sql(VERDICTS) if name != "some-judge"]
    again = home / "again"
    again.mkdir()
    import_answers(again, judge=own)
    command("judge", "--release", RELEASE)
    assert [name for name, *_ in sql(VERDICTS)] == [own, f"{own}, judged here"]


def test_a_refused_key_ends_it_with_nothing_written(home: Path, server: ScriptedServer) -> None:
    import_answers(home)
    store = HistoryStore.open((home / "history").as_uri())
    before = store.manifest_names()
    server.gets = [failing(401, "bad key")] * 9
    error = failure("judge", "--release", RELEASE)
    assert isinstance(error, JudgeError)
    assert KEY not in str(error)
    assert store.manifest_names() == before


def test_what_has_no_answers_is_refused(home: Path) -> None:
    assert isinstance(failure("judge", "--release", "r9"), NothingMeasuredError)
    import_answers(home)
    assert isinstance(failure("judge", "--release", "r9"), NothingToMeasureError)
    error = failure("judge", "--release", RELEASE, "--question-protocol", "isolated")
    assert "its question protocols are unknown" in str(error)


def test_a_measured_release_needs_no_memory_service_and_its_own_verdicts_count(
    home: Path, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(prepare_home(home)))
    url = server.base_url
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name)
    for protocol in ("isolated", "no-memory"):
        monkeypatch.setenv("LOCOMO_QUESTION_PROTOCOL", protocol)
        launch(Launch(release="r1", questions=6), Services(read_settings()))
    manifests = HistoryStore.open((home / "history").as_uri())
    before = len(manifests.manifests(asset="judgements"))
    command("judge", "--release", "r1")
    assert len(manifests.manifests(asset="judgements")) == before
    # Neither the service nor the feed answers, and nobody asks them.
    for name, value in {
        "OPENAI_API_KEY": KEY,
        "OPENAI_BASE_URL": url,
        "BACKBOARD_API_KEY": "unused",
        "BACKBOARD_BASE_URL": "http://127.0.0.1:9/api",
        "LOCOMO_RELEASE_FEED": "json",
        "LOCOMO_RELEASE_FEED_URL": "http://127.0.0.1:9/feed",
    }.items():
        monkeypatch.setenv(name, value)
    command("judge", "--release", "r1")
    series = sql(
        "SELECT question_protocol, count(*) FROM current_judgements WHERE judge <> 'lexical-2' "
        "GROUP BY ALL ORDER BY ALL"
    )
    assert series == [("isolated", 12), ("no-memory", 12)]
    # A run takes them over.
    asked = len(server.bodies)
    monkeypatch.setenv("LOCOMO_QUESTION_PROTOCOL", "isolated")
    monkeypatch.delenv("LOCOMO_RELEASE_FEED")
    monkeypatch.delenv("LOCOMO_RELEASE_FEED_URL")
    monkeypatch.delenv("BACKBOARD_API_KEY")
    monkeypatch.delenv("BACKBOARD_BASE_URL")
    launch(Launch(release="r1", questions=6), Services(read_settings()))
    assert len(server.bodies) == asked


def test_the_cost_limit_holds_and_what_was_paid_is_kept(
    home: Path, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_answers(home)
    # At gpt-4.1's price a verdict of 100 and 20 tokens costs 0.00036 USD.
    monkeypatch.setenv("LOCOMO_MAX_COST_USD", "0.01")
    error = failure("judge", "--release", RELEASE)
    assert isinstance(error, JudgingError)
    assert "LOCOMO_MAX_COST_USD" in str(error)
    assert "the same command asks only for what is missing" in str(error)
    stopped = len(server.bodies)
    assert 0 < stopped <= 0.01 / 0.00036 + 1
    monkeypatch.delenv("LOCOMO_MAX_COST_USD")
    command("judge", "--release", RELEASE)
    # Two equal questions of the sample have one verdict or two, as they are under way.
    assert len(server.bodies) <= ANSWERS + CANARIES + 1
    assert sql("SELECT count(*) FROM current_judgements WHERE judge <> 'some-judge'") == [
        (ANSWERS,)
    ]
    monkeypatch.setenv("LOCOMO_MAX_COST_USD", "1")
    monkeypatch.setenv("LOCOMO_JUDGE_MODEL", "of-no-price")
    assert isinstance(failure("judge", "--release", RELEASE), UnpricedError)


def test_batches_are_pending_and_then_collected(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_answers(home)
    with running_standin(StandinSettings(batch_delay_ms=4000.0), home / "j.sqlite") as urls:
        for name, value in {
            "OPENAI_API_KEY": DEFAULT_KEY,
            "OPENAI_BASE_URL": urls.openai,
            "LOCOMO_JUDGE_MODE": "batch",
            "LOCOMO_JUDGE_BATCH_WAIT_MINUTES": "0",
        }.items():
            monkeypatch.setenv(name, value)
        error = failure("judge", "--release", RELEASE)
        assert isinstance(error, JudgingPendingError)
        assert (error.exit_code, error.prefix) == (75, "pending")
        assert str(error).startswith("2 of 2 conversations wait for their verdicts: ")
        monkeypatch.setenv("LOCOMO_JUDGE_BATCH_WAIT_MINUTES", "1")
        command("judge", "--release", RELEASE)
    assert sql(
        "SELECT DISTINCT asked_by FROM judgements WHERE judge <> 'some-judge' "
        "AND reused_from_judgement_id IS NULL"
    ) == [("batch",)]
