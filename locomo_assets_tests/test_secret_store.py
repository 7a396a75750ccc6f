"""Keys from AWS Secrets Manager (moto's server, over a socket): read at each use, never shown."""

import json
import logging

import boto3
import pytest

from locomo_assets.errors import LocomoError
from locomo_assets.secret_store import VaultError, fetch
from locomo_assets.settings import Settings, SettingsError, read_settings

BOTH = {"BACKBOARD_API_KEY": "planted-backboard-key", "OPENAI_API_KEY": "planted-openai-key"}


def store(name: str, text: str) -> str:
    """Stores a secret; its ARN."""
    client = boto3.client("secretsmanager")
    try:
        return str(client.create_secret(Name=name, SecretString=text)["ARN"])
    except client.exceptions.ResourceExistsException:
        return str(client.put_secret_value(SecretId=name, SecretString=text)["ARN"])


def settings_of(reference: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("LOCOMO_SECRETS", reference)
    return read_settings()


def keys(settings: Settings) -> list[str | None]:
    each = (settings.backboard_api_key, settings.openai_api_key)
    return [key.get_secret_value() if key else None for key in each]


@pytest.mark.usefixtures("s3_url")
def test_a_rotated_key_is_used_without_new_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    arn = store("rotated", json.dumps(BOTH))
    settings = settings_of(f"aws-secretsmanager:{arn}", monkeypatch)
    assert keys(settings) == list(BOTH.values())
    store("rotated", json.dumps({**BOTH, "OPENAI_API_KEY": "newer"}))
    assert keys(settings) == ["planted-backboard-key", "newer"]
    assert "planted" not in f"{settings!r} {settings} {settings.model_dump_json()}"


@pytest.mark.usefixtures("s3_url")
def test_each_key_may_have_its_own_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in BOTH.items():
        store(f"own/{name}", json.dumps({name: value}))
    reference = "aws-secretsmanager:own/BACKBOARD_API_KEY, own/OPENAI_API_KEY"
    assert keys(settings_of(reference, monkeypatch)) == list(BOTH.values())
    with pytest.raises(VaultError, match="BACKBOARD_API_KEY is in an earlier secret too"):
        fetch("aws-secretsmanager:own/BACKBOARD_API_KEY,own/BACKBOARD_API_KEY")


@pytest.mark.usefixtures("s3_url")
def test_an_empty_key_is_done_without_and_a_missing_one_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store("half", json.dumps({"BACKBOARD_API_KEY": "planted-backboard-key", "OPENAI_API_KEY": ""}))
    settings = settings_of("aws-secretsmanager:half", monkeypatch)
    assert keys(settings) == ["planted-backboard-key", None]
    store("half", json.dumps({"BACKBOARD_KEY": "planted-backboard-key"}))
    with pytest.raises(VaultError, match="BACKBOARD_API_KEY is not in aws-secretsmanager:half"):
        _ = settings.backboard_api_key


@pytest.mark.usefixtures("s3_url")
@pytest.mark.parametrize(
    "text",
    ["planted-text", '["planted-text"]', '{"OPENAI_API_KEY": 7}', "[" * 30_000],
    ids=["text", "list", "number", "nested"],
)
def test_another_shape_is_told_without_its_text(text: str) -> None:
    store("shapeless", text)
    with pytest.raises(VaultError, match="secret shapeless is no JSON object of texts") as caught:
        fetch("aws-secretsmanager:shapeless")
    assert "planted" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.usefixtures("s3_url")
def test_what_cant_be_read_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(VaultError, match="secret absent can't be read: ResourceNotFound") as caught:
        fetch("aws-secretsmanager:absent")
    assert "\n" not in str(caught.value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(VaultError, match=r"127\.0\.0\.1:1"):
        fetch("aws-secretsmanager:absent")


@pytest.mark.usefixtures("s3_url")
def test_no_log_holds_what_was_fetched(caplog: pytest.LogCaptureFixture) -> None:
    store("quiet", json.dumps(BOTH))
    caplog.clear()
    with caplog.at_level(logging.DEBUG):
        fetch("aws-secretsmanager:quiet")
    assert "GetSecretValue" in caplog.text
    assert "planted" not in caplog.text


@pytest.mark.parametrize(
    "reference", ["", "api-keys", "vault:api-keys", "aws-secretsmanager:", "aws-secretsmanager:a,"]
)
def test_a_bad_reference_is_refused_at_the_start(
    reference: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not reference:
        with pytest.raises(LocomoError):
            fetch(reference)
        return
    with pytest.raises(SettingsError, match="aws-secretsmanager:<name or ARN>"):
        settings_of(reference, monkeypatch)


@pytest.mark.parametrize("name", list(BOTH))
def test_a_key_given_twice_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "planted-key")
    with pytest.raises(SettingsError, match=f"{name} and LOCOMO_SECRETS") as caught:
        settings_of("aws-secretsmanager:api-keys", monkeypatch)
    assert "planted-key" not in str(caught.value)


def test_another_service_may_be_named_without_a_variable_for_its_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BACKBOARD_BASE_URL", "http://127.0.0.1:1/api")
    assert settings_of("aws-secretsmanager:api-keys", monkeypatch).secrets
