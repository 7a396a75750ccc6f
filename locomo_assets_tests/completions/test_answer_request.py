"""An answerer's identity and prompt: what a series is called, and what a prompt must hold."""

from dataclasses import replace
from pathlib import Path

import pytest

from locomo_assets.completions.answer_request import (
    AnswererError,
    AnswererIdentity,
    AnswerParameters,
    fill,
    read_prompt,
)

PLAIN = read_prompt("plain")


@pytest.mark.parametrize(
    ("base_url", "system", "words"),
    [
        (None, "openai", ("gpt-4.1-mini",)),
        ("https://api.openai.com/v1/", "openai", ("gpt-4.1-mini",)),
        ("http://llm.example:8000/v1", "llm.example", ("gpt-4.1-mini", "at llm.example")),
    ],
)
def test_a_series_is_named_by_model_and_host(
    base_url: str | None, system: str, words: tuple[str, ...]
) -> None:
    identity = AnswererIdentity.at(base_url, "gpt-4.1-mini", PLAIN)
    assert (identity.system, identity.words()) == (system, words)


def test_a_prompt_of_ones_own_names_the_series_by_its_hash(tmp_path: Path) -> None:
    path = tmp_path / "plain.txt"
    path.write_text("{memories}\n\n{question}")
    own = read_prompt(str(path))
    identity = AnswererIdentity.at(None, "gpt-4.1-mini", own)
    assert identity.words() == ("gpt-4.1-mini", f"prompt plain@{own.sha256[:8]}")
    assert identity.canonical() != replace(identity, prompt=PLAIN).canonical()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"What is {question}?", r"lacks \{memories\}; .* \{memories\} and \{question\}"),
        (b"{memories}", r"lacks \{question\}"),
        (b"\xff\xfe", "not UTF-8"),
        (None, "there is no such file; give its path, or plain"),
    ],
)
def test_an_unusable_prompt_is_refused_in_one_line(
    text: bytes | None, why: str, tmp_path: Path
) -> None:
    path = tmp_path / "own.txt"
    if text is not None:
        path.write_bytes(text)
    with pytest.raises(AnswererError, match=why) as caught:
        read_prompt(str(path))
    assert str(caught.value).startswith(f"answer prompt {path}: ")
    assert "\n" not in str(caught.value)


def test_memories_are_numbered_lines_before_the_question() -> None:
    filled = fill(PLAIN, "Where is {memories}?", ["[2023-05-08] a", "b {question}"])
    assert filled.message.rstrip().endswith(
        "Memories:\n1. [2023-05-08] a\n2. b {question}\n\nQuestion: Where is {memories}?"
    )
    lines = "1. [2023-05-08] a\n2. b {question}"
    assert filled.memory_share == pytest.approx(len(lines) / len(filled.message))


def test_no_memory_is_said_and_takes_no_share() -> None:
    filled = fill(PLAIN, "Where?", [])
    assert "Memories:\n(none)\n" in filled.message
    assert filled.memory_share == 0.0


def test_what_is_sent_is_temperature_and_message_alone() -> None:
    assert AnswerParameters().body("m", "hello") == {
        "model": "m",
        "temperature": 0.0,
        "messages": [{"role": "user", "content": "hello"}],
    }
