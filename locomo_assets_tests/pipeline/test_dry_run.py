"""The forecast: the data set's counts, the price table, and earlier runs where there are any; and
what it refuses, as the run would.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from locomo_assets.cli import run
from locomo_assets.errors import LocomoError
from locomo_assets.imports.backboard_published import parse_published
from locomo_assets.imports.results import ImportedRelease
from locomo_assets.imports.save import save_imports
from locomo_assets.pipeline.launch import (
    BadRequestError,
    Launch,
    forecast_launch,
    launch,
    prepare_home,
)
from locomo_assets.runs.releases import SAMPLE, register_release
from locomo_assets.services import Services
from locomo_assets.settings import read_settings
from locomo_assets_tests.feeds.serving import releases_json, served_feed
from locomo_assets_tests.imports.files import SAMPLE as DATASET
from locomo_assets_tests.imports.files import published
from locomo_assets_tests.locomo.factories import encoded, small_file, write_audit


def test_paid_launch_without_history(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKBOARD_API_KEY", "planted-key")
    monkeypatch.setenv("OPENAI_API_KEY", "planted-key")
    wanted = Launch(release="r1", questions=5)
    turns, questions, verdicts = forecast_launch(wanted, Services(read_settings()))
    assert (questions.calls, verdicts.calls) == (20, 10 + 36)  # the canaries, too
    assert questions.cost_usd == pytest.approx(10 * (4000 * 1.25 + 600 * 10) / 1e6)
    assert verdicts.cost_usd == pytest.approx(46 * (500 * 2 + 100 * 8) / 1e6)
    assert turns.cost_usd is None
    assert {turns.source, questions.source, verdicts.source} == {"assumed"}
    monkeypatch.setenv("LOCOMO_LLM_MODEL", "unheard-of")
    assert forecast_launch(wanted, Services(read_settings()))[1].cost_usd is None


def test_verdicts_by_batch_are_forecast_at_half_the_price(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "planted-key")
    monkeypatch.setenv("LOCOMO_JUDGE_MODE", "batch")
    monkeypatch.setenv("LOCOMO_JUDGE_VOTES", "3")
    wanted = Launch(release="r1", questions=5)
    *_, verdicts = forecast_launch(wanted, Services(read_settings()))
    assert verdicts.calls == 3 * (10 + 36)
    assert verdicts.cost_usd == pytest.approx(3 * (10 / 2 + 36) * (500 * 2 + 100 * 8) / 1e6)
    assert verdicts.source == "assumed; 30 by batch, within 24 hours"


def test_what_was_measured_replaces_what_is_assumed(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(prepare_home(home)))
    place = Services(read_settings())
    launch(Launch(release="r1", conversations=["sample-1"], questions=4), place)
    written = place.store().manifests()
    turns, questions, verdicts = forecast_launch(Launch(release="r2"), place)
    assert "measured" in turns.source
    assert questions.source == "measured, 4 answers"
    assert questions.input_tokens > 0
    assert questions.cost_usd == verdicts.cost_usd == 0
    assert place.store().manifests() == written


def test_an_unknown_conversation_is_named(home: Path) -> None:
    with pytest.raises(BadRequestError, match="conv-99"):
        forecast_launch(Launch("r1", conversations=["conv-99"]), Services(read_settings()))


Prepare = Callable[[Path, pytest.MonkeyPatch], object]
R1 = Launch("r1", conversations=["sample-1"], questions=1)


def _sets(**variables: str) -> Prepare:
    def prepare(_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return prepare


def _writes(variable: str, text: str, **more: str) -> Prepare:
    def prepare(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (folder / "file").write_text(text)
        _sets(**{variable: str(folder / "file")}, **more)(folder, monkeypatch)

    return prepare


def _imports(*_: object) -> None:
    one = ImportedRelease("r1", parse_published(published(), DATASET))
    save_imports(Services(read_settings()).store(), DATASET, [one], "run-0")


def _samples(*_: object) -> None:
    register_release(Services(read_settings()).store(), "r1", "run-0", kind=SAMPLE)


def _writes_newer_history(home: Path, _: object) -> None:
    (home / "history").mkdir(parents=True)
    (home / "history" / "format.json").write_text('{"schema_version": 999, "history_id": "x"}')


def _audits_wrongly(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_audit(folder / "audit.json", DATASET, {(0, 0): {"question": "Why?"}})
    monkeypatch.setenv("LOCOMO_AUDIT", path)


def _breaks_the_instance(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = folder / "instance"
    (instance / "schedules").mkdir(parents=True)
    (instance / "schedules" / "schedules.db").write_text("no database, whatever its name says")
    (instance / "history").mkdir()
    (instance / "history" / "runs.db").write_text("no database, whatever its name says")
    (instance / "dagster.yaml").write_text("")
    monkeypatch.setenv("DAGSTER_HOME", str(instance))


_TWICE = json.dumps([*small_file(), *small_file()])
_WITHOUT_QUESTIONS = encoded([{**small_file()[0], "qa": []}]).decode()

REFUSALS: dict[str, tuple[Launch, Prepare, str]] = {
    "label": (Launch("r 1"), _sets(), "release 'r 1': a label has"),
    "imported": (R1, _imports, "release r1: its results were imported"),
    "of a sample": (R1, _samples, "release r1: its results are of the kind sample"),
    "conversation": (Launch("r1", conversations=["conv-99"]), _sets(), "conversation conv-99: not"),
    "no file": (Launch("r1", dataset="none.json"), _sets(), "none.json: there is no such file"),
    "file": (Launch("r1"), _writes("LOCOMO_DATASET", _TWICE), "sample_id 'talk-1' occurs twice"),
    "check": (Launch("r1"), _writes("LOCOMO_DATASET", _WITHOUT_QUESTIONS), "has no turns or no qu"),
    "hash": (
        Launch("r1"),
        _writes("LOCOMO_DATASET", encoded(small_file()).decode(), LOCOMO_DATASET_SHA256="0" * 64),
        "not the expected",
    ),
    "history's version": (R1, _writes_newer_history, "has schema version 999"),
    "cron": (R1, _sets(LOCOMO_WEEKLY_CRON="weekly"), "LOCOMO_WEEKLY_CRON: 'weekly' is no cron"),
    "instance": (R1, _breaks_the_instance, "Dagster instance in"),
    "audit": (R1, _audits_wrongly, "its question is 'Why"),
    "no audit": (R1, _sets(LOCOMO_AUDIT="none.json"), "audit none.json: there is no such file"),
    "prices": (R1, _writes("LOCOMO_PRICES", "as_of = 1"), "price table"),
    "key": (R1, _sets(BACKBOARD_API_KEY="a b"), "the memory service's key is empty or holds signs"),
    "URL": (
        R1,
        _sets(BACKBOARD_API_KEY="planted-key", BACKBOARD_BASE_URL="app.backboard.io"),
        "the memory service's base URL must begin with",
    ),
    "judge's key": (R1, _sets(OPENAI_API_KEY="ключ"), "the judge's key is empty or holds signs"),
    "judge's URL": (
        R1,
        _sets(OPENAI_API_KEY="planted-key", OPENAI_BASE_URL="https://u:p@host/v1"),
        "the judge's base URL at host holds more than",
    ),
    "no prompt": (
        R1,
        _sets(OPENAI_API_KEY="planted-key", LOCOMO_JUDGE_PROMPT="none.txt"),
        "judge prompt none.txt: there is no such file",
    ),
    "prompt": (
        R1,
        _writes("LOCOMO_JUDGE_PROMPT", "{question}", OPENAI_API_KEY="planted-key"),
        "lacks {gold_answer}, {generated_answer}",
    ),
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_it_refuses_what_the_run_refuses_in_the_same_words(
    home: Path, monkeypatch: pytest.MonkeyPatch, refusal: str
) -> None:
    wanted, prepare, text = REFUSALS[refusal]
    monkeypatch.setenv("DAGSTER_HOME", str(prepare_home(home)))
    prepare(home, monkeypatch)
    said = []
    for act in (forecast_launch, launch):
        with pytest.raises(LocomoError, match=re.escape(text)) as caught:
            act(wanted, Services(read_settings()))
        said.append((type(caught.value), str(caught.value)))
    assert said[0] == said[1]
    assert "\n" not in said[0][1]


def test_settings_are_refused_before_the_data_set_is_read(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_KEY", "planted-value")
    app = typer.Typer()
    run.register(app)
    for arguments in (["--dry-run"], []):
        done = CliRunner().invoke(app, arguments)
        assert "OPENAI_KEY is no setting, but OPENAI_API_KEY is" in str(done.exception)


def _measured(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(prepare_home(home)))
    launch(R1, Services(read_settings()))


def test_another_release_is_refused_where_there_is_something_to_ask(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _measured(monkeypatch, home)
    more = Launch("r1", conversations=["sample-1"], questions=2)
    with served_feed(releases_json("r1", "r2")) as feed:
        monkeypatch.setenv("LOCOMO_RELEASE_FEED", "json")
        monkeypatch.setenv("LOCOMO_RELEASE_FEED_URL", feed.url)
        place = Services(read_settings())
        before = place.store().manifests()
        text = "release r1 is not what would be measured: the feed's newest release is r2"
        with pytest.raises(LocomoError, match=text):
            forecast_launch(more, place)
        assert place.store().manifests() == before
        with pytest.raises(LocomoError, match=text):
            launch(more, place)
        for allowed in (R1, Launch("r2"), Launch("adhoc-1")):
            forecast_launch(allowed, place)


def test_a_limit_that_the_next_answer_passes_is_refused(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("BACKBOARD_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, "planted-key")
    for limit, refused in (("0.01", "the next answer may cost"), ("1", None)):
        monkeypatch.setenv("LOCOMO_MAX_COST_USD", limit)
        if refused is None:
            forecast_launch(R1, Services(read_settings()))
            continue
        with pytest.raises(LocomoError, match=refused):
            forecast_launch(R1, Services(read_settings()))
    monkeypatch.setenv("LOCOMO_JUDGE_MODEL", "unheard-of")
    with pytest.raises(LocomoError, match=r"unheard-of has no price.*LOCOMO_PRICES"):
        forecast_launch(R1, Services(read_settings()))


def test_what_is_stored_needs_no_room_in_the_limit(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _measured(monkeypatch, home)
    monkeypatch.setattr("locomo_assets.runs.forecast.spent_usd", lambda *_: 2.0)
    monkeypatch.setenv("LOCOMO_MAX_COST_USD", "1")
    place = Services(read_settings())
    forecast_launch(R1, place)
    with pytest.raises(LocomoError, match=r"2\.0000 of 1 USD are spent"):
        forecast_launch(Launch("r1", conversations=["sample-1"], questions=2), place)
