"""The environment: defaults, bad values, contradictions, keys that are never shown."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from locomo_assets.cli.settings import register
from locomo_assets.settings import Settings, SettingsError, read_settings

REPOSITORY = Path(__file__).resolve().parent.parent


def test_defaults_need_nothing(home: Path) -> None:
    settings = read_settings()
    assert settings.history_url == (home / "history").as_uri()
    assert settings.database_path == home / "history" / "history.duckdb"
    assert settings.backboard_api_key is None


@pytest.mark.parametrize("name", ["sp ace", "Grüße%20", "a#b"])
def test_the_database_lies_in_the_history_whatever_its_folder_is_called(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCOMO_HOME", str(tmp_path / name))
    assert read_settings().database_path == tmp_path / name / "history" / "history.duckdb"
    for url in (f"file://localhost{tmp_path.as_posix()}/h", f"FILE://{tmp_path.as_posix()}/h\n"):
        monkeypatch.setenv("LOCOMO_HISTORY", url)
        assert read_settings().database_path == tmp_path / "h" / "history.duckdb"


def test_home_is_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_settings().home == tmp_path / ".locomo"


def test_bad_value_names_the_variable_not_the_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCOMO_QUESTION_PROTOCOL", "planted-value")
    with pytest.raises(SettingsError, match="LOCOMO_QUESTION_PROTOCOL") as caught:
        read_settings()
    assert "planted-value" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_keys_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKBOARD_API_KEY", "planted-key")
    settings = read_settings()
    assert "planted-key" not in f"{settings!r} {settings} {settings.model_dump_json()}"


def test_the_page_of_settings_is_current() -> None:
    """`make docs` writes it."""
    app = typer.Typer()
    register(app)
    made = CliRunner().invoke(app, []).stdout
    assert made == (REPOSITORY / "docs" / "settings.md").read_text()
    for field in Settings.model_fields.values():
        assert f"| `{field.validation_alias}` |" in made
        assert field.description


def test_only_settings_reads_the_environment() -> None:
    """But for what is no setting: Dagster's home, and what the network and the shell say.

    `places` reads two of them for completion, and test_completion.py that it reads them alike.
    """
    package = REPOSITORY / "locomo_assets"
    found = {
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if re.search(r"os\.environ|getenv", path.read_text())
    }
    dagsters = {"pipeline/dev.py", "pipeline/launch.py"}
    assert found == {
        "settings/__init__.py", "places.py", *dagsters, "network.py", "cli/__init__.py"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("LOCOMO_MAX_COST", "LOCOMO_MAX_COST_USD"),
        ("LOCOMO_MAX_MESSAGES_IN_FLIGHT", "LOCOMO_MAX_REQUESTS_IN_FLIGHT"),
        ("LOCOMO_JUDGEMODEL", "LOCOMO_JUDGE_MODEL"),
        ("LOCOMO_DATA_SET", "LOCOMO_DATASET"),
        ("BACKBOARD_APIKEY", "BACKBOARD_API_KEY"),
        ("BACKBOARD_KEY", "BACKBOARD_API_KEY"),
        ("BACKBOARD_API_TOKEN", "BACKBOARD_API_KEY"),
        ("BACKBORD_API_KEY", "BACKBOARD_API_KEY"),
        ("BACKBOARD_API_KYE", "BACKBOARD_API_KEY"),
        ("backboard_apikey", "BACKBOARD_API_KEY"),
        ("BACKBOARD_URL", "BACKBOARD_BASE_URL"),
        ("OPENAI_APIKEY", "OPENAI_API_KEY"),
        ("OPENAI_KEY", "OPENAI_API_KEY"),
        ("OPENAI_TOKEN", "OPENAI_API_KEY"),
        ("OPEN_AI_API_KEY", "OPENAI_API_KEY"),
        ("OPENAI_BASEURL", "OPENAI_BASE_URL"),
        ("OPNEAI_API_KEY", "OPENAI_API_KEY"),
        ("BACKBOARD_ENDPOINT", "BACKBOARD_BASE_URL"),
        ("LOKOMO_DATASET", "LOCOMO_DATASET"),
        ("LOCMO_MAX_COST_USD", "LOCOMO_MAX_COST_USD"),
        ("LOCOMODATASET", "LOCOMO_DATASET"),
        ("LOCOMO_OPENAI_API_KEY", "OPENAI_API_KEY"),
        ("LOCOMO_BACKBOARD_KEY", "BACKBOARD_API_KEY"),
    ],
)
def test_a_misspelled_setting_is_refused_with_the_right_name(
    monkeypatch: pytest.MonkeyPatch, name: str, meant: str
) -> None:
    monkeypatch.setenv(name, "planted-value")
    with pytest.raises(SettingsError, match=f"^{name} is no setting, but {meant} is; ") as caught:
        read_settings()
    assert "planted-value" not in str(caught.value)


def test_what_others_name_after_us_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "LOCOMO_RELEASE",
        "LOCOMO_TRACEBACK",
        "LOCOMO_IMAGE",
        "LOCOMO_ASSETS_WEBSERVER_SERVICE_HOST",
        "MY_LOCOMO_DATASETS",
        "OPENAI_API_TYPE",
        "OPENAI_API_VERSION",
        "OPENAI_API_BASE",
        "OPENAI_ORG_ID",
        "OPENAI_PROJECT_ID",
        "OPENAI_ADMIN_KEY",
        "OPENAI_API_KEY_FILE",
        "OPENAI_MODEL",
        "OPENAI_LOG",
        "AZURE_OPENAI_API_KEY",
        "BACKBOARD_PORT_8000_TCP",
        "KEY",
        "TOKEN",
    ):
        monkeypatch.setenv(name, "something")
    read_settings()


def test_another_programs_key_beside_ours_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "planted-key")
    monkeypatch.setenv("OPENAI_KEY", "planted-value")
    read_settings()
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.setenv("LOCOMO_SECRETS", "aws-secretsmanager:keys")
    read_settings()


@pytest.mark.parametrize("name", ["BACKBOARD", "OPENAI"])
def test_url_without_key_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(f"{name}_BASE_URL", "http://127.0.0.1:1/api")
    with pytest.raises(SettingsError, match=f"{name}_API_KEY"):
        read_settings()


def test_corrected_gold_answers_need_an_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCOMO_GOLD", "corrected")
    with pytest.raises(SettingsError, match="LOCOMO_AUDIT is not set"):
        read_settings()
    monkeypatch.setenv("LOCOMO_AUDIT", "audit.json")
    assert read_settings().gold == "corrected"


def test_runs_that_would_get_no_share_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCOMO_RUNS_AT_ONCE", "5")
    assert read_settings().runs_at_once == 5
    monkeypatch.setenv("LOCOMO_MAX_VERDICTS_IN_FLIGHT", "4")
    with pytest.raises(SettingsError, match="LOCOMO_RUNS_AT_ONCE is 5, but only 4"):
        read_settings()


def test_a_refused_setting_is_the_only_line_of_a_command(tmp_path: Path) -> None:
    """Libraries that are still alive at the exit would complain of it."""
    done = subprocess.run(
        [Path(sys.executable).with_name("locomo-assets"), "report"],
        env={"PATH": os.environ["PATH"], "LOCOMO_HOME": str(tmp_path), "LOCOMO_MAX_COST": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr
