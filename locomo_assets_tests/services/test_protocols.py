"""From settings to protocols: defaults, options, models' names, prompt files that can't be used."""

import os
from pathlib import Path

import pytest

from locomo_assets.backboard.answers import AskProtocol
from locomo_assets.backboard.ingest import IngestProtocol
from locomo_assets.services.protocols import PromptFileError, ask_protocol, ingest_protocol
from locomo_assets.settings import SettingsError, read_settings


def test_without_settings_it_is_the_published_measurement_with_questions_alone() -> None:
    settings = read_settings()
    assert ingest_protocol(settings) == IngestProtocol()
    assert ask_protocol(settings) == ask_protocol(settings, names_models=True) == AskProtocol()


def test_an_option_is_of_ingestion_and_questions_alike() -> None:
    settings = read_settings({"memory": "pro", "tok_k": 20})
    assert ingest_protocol(settings).options == ask_protocol(settings).options
    assert ask_protocol(settings).label() == "isolated, memory pro, tok_k 20"


def test_without_memory_only_what_shapes_the_answer_counts() -> None:
    changes = {"question_protocol": "no-memory", "memory": "pro", "thinking": "low"}
    assert ask_protocol(read_settings(changes)).label() == "no-memory, thinking low"


def test_another_model_names_a_series_in_a_ladder_alone() -> None:
    """Elsewhere a series with another model has always been called by its protocol."""
    settings = read_settings({"llm_model": "gpt-4.1-mini", "llm_provider": "openai"})
    assert ask_protocol(settings).label() == "isolated"
    assert ask_protocol(settings, names_models=True).label() == "isolated, gpt-4.1-mini"


def test_another_model_may_be_asked_about_the_same_memories() -> None:
    same = {"ingest_llm_model": "gemini-2.5-pro", "ingest_llm_provider": "google"}
    settings = read_settings({"llm_model": "gpt-4.1-mini", "llm_provider": "openai", **same})
    assert ingest_protocol(settings) == IngestProtocol()
    assert ask_protocol(settings).label() == "isolated, ingested by gemini-2.5-pro"


def test_a_wait_names_a_series_in_a_ladder() -> None:
    settings = read_settings({"memory_wait": "conversation"})
    assert ask_protocol(settings).label() == "isolated"
    label = ask_protocol(settings, names_models=True).label()
    assert label == "isolated, memory awaited at the end"


@pytest.mark.parametrize("name", ["extraction_prompt", "update_prompt", "system_prompt"])
def test_a_prompt_file_that_cannot_be_used_is_told_in_one_line(name: str, tmp_path: Path) -> None:
    path = tmp_path / "prompt.txt"
    for content, why in ((None, "No such file"), (b"\xff\xfe", "no UTF-8"), (b" \n", "is empty")):
        if content is not None:
            path.write_bytes(content)
        settings = read_settings({name: path})
        with pytest.raises(PromptFileError, match=f"LOCOMO_{name.upper()}.*{why}") as caught:
            ask_protocol(settings)
        assert "\n" not in str(caught.value)


def test_a_pipe_as_a_prompt_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(PromptFileError, match="it is a pipe or a device"):
        ask_protocol(read_settings({"system_prompt": tmp_path / "pipe"}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("memory", "Pro"),
        ("thinking", "hard"),
        ("thinking", "-1"),
        ("tok_k", 101),
        ("embedding_dims", 0),
        ("openrouter", "google"),
        ("openrouter", "[1]"),
        ("retrieval_k", 51),
        ("judge_votes", 2),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_by_its_variable(name: str, value: object) -> None:
    with pytest.raises(SettingsError, match=f"LOCOMO_{name.upper()}"):
        read_settings({name: value})


def test_retrieval_wants_the_key_of_its_answering_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKBOARD_API_KEY", "planted-key")
    with pytest.raises(SettingsError, match="LOCOMO_ANSWER_API_KEY is not set"):
        read_settings({"question_protocol": "retrieval"})
