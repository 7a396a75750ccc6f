"""Prompts of an LLM judge; the packaged ones are in `prompt_texts/`, in this project's words."""

from dataclasses import replace
from pathlib import Path

from locomo_assets.completions.prompts import Prompt, PromptIdentity, PromptKind
from locomo_assets.judging.judge import JudgePromptError

_JUDGES = PromptKind(
    "judge prompt",
    Path(__file__).with_name("prompt_texts"),
    ("question", "gold_answer", "generated_answer"),
    JudgePromptError,
)

REFERENCE_PROMPT = PromptIdentity(
    "judge-prompt-reference", "7c7cbfdaba7faa48ab5eb839eea528975a3325bdeb184e3c70d1e217841bd336"
)
"""The prompt of Backboard's published result: known by its hash, however its file is called."""


def packaged_prompts() -> tuple[str, ...]:
    """The names of the packaged prompts."""
    return _JUDGES.packaged()


def read_prompt(name_or_path: str) -> Prompt:
    """A packaged prompt by its name, or any file by its path. Raises JudgePromptError."""
    prompt = _JUDGES.read(name_or_path)
    is_reference = prompt.sha256 == REFERENCE_PROMPT.sha256
    return replace(prompt, name=REFERENCE_PROMPT.name) if is_reference else prompt
