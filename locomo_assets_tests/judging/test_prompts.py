"""Prompt files: which are read, how they are filled."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locomo_assets.completions.prompts import Prompt
from locomo_assets.judging.judge import JudgeError
from locomo_assets.judging.prompts import packaged_prompts, read_prompt

_TEXT = st.text(alphabet="{}ab questiongold_answer\\\n", max_size=40)


def test_the_packaged_prompts_have_the_lines_that_a_judge_reads() -> None:
    assert packaged_prompts() == ("generous", "strict")
    for name in packaged_prompts():
        prompt = read_prompt(name)
        lines = prompt.fill(question="Q?", gold_answer="G", generated_answer="A").splitlines()
        assert [line for line in lines if line.endswith((": Q?", ": G", ": A"))] == [
            "Question: Q?",
            "Gold answer: G",
            "Generated answer: A",
        ]
        assert {"JSON", '"reasoning"', '"label"', '"CORRECT"', '"WRONG".'} <= set(
            prompt.template.split()
        )


def test_a_prompt_of_ones_own_is_known_by_its_hash(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_bytes("\ufeffF: {question}/{gold_answer}/{generated_answer}".encode())
    prompt = read_prompt(str(path))
    assert prompt.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert prompt.label == f"mine@{prompt.sha256[:8]}"
    assert prompt.fill(question="q", gold_answer="g", generated_answer="a") == "F: q/g/a"


@given(_TEXT, _TEXT, _TEXT)
def test_texts_are_put_in_as_they_are(question: str, gold: str, answer: str) -> None:
    prompt = Prompt("x", "0" * 64, "{question}|{gold_answer}|{generated_answer}|{other}{")
    filled = prompt.fill(question=question, gold_answer=gold, generated_answer=answer)
    assert filled == f"{question}|{gold}|{answer}|{{other}}{{"


def test_an_unusable_prompt_is_refused(tmp_path: Path) -> None:
    lacking = tmp_path / "lacking.txt"
    lacking.write_text("{question} {generated_answer}")
    with pytest.raises(JudgeError, match=r"lacks \{gold_answer\}"):
        read_prompt(str(lacking))
    with pytest.raises(JudgeError, match="there is no such file; give its path, or one of generou"):
        read_prompt(str(tmp_path / "none.txt"))
    with pytest.raises(JudgeError, match="cannot be read"):
        read_prompt(str(tmp_path))
    binary = tmp_path / "binary.txt"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(JudgeError, match="it is not UTF-8 text"):
        read_prompt(str(binary))


@pytest.mark.real_data
def test_the_reference_prompt_is_read_from_its_file() -> None:
    path = Path(__file__).parents[2].parent / "shared" / "data" / "judge-prompt-reference.txt"
    if not path.exists():
        pytest.skip("the reference prompt is not beside the project")
    prompt = read_prompt(str(path))
    assert prompt.label == "judge-prompt-reference@7c7cbfda"
    for name in packaged_prompts():
        shared = set(_sentences(prompt.template)) & set(_sentences(read_prompt(name).template))
        assert not shared


def _sentences(text: str) -> list[str]:
    parts = text.replace("\n", ". ").split(". ")
    return [part.strip() for part in parts if len(part.split()) > 4]
