"""The environment: defaults, bad values, keys that are never shown."""

from pathlib import Path

import pytest

from locomo_assets.settings import Settings, SettingsError, read_settings

REPOSITORY = Path(__file__).resolve().parent.parent


def test_defaults_need_nothing(home: Path) -> None:
    settings = read_settings()
    assert settings.history_url == (home / "history").as_uri()
    assert settings.database_path == home / "history" / "history.duckdb"
    assert settings.backboard_api_key is None


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


def test_readme_lists_every_setting() -> None:
    readme = (REPOSITORY / "README.md").read_text()
    for field in Settings.model_fields.values():
        assert f"`{field.validation_alias}`" in readme
