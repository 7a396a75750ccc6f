"""The texts that an LLM judge is asked with.

Here: reading a prompt file, checking its placeholders, filling it. The prompts that ship are in
`prompts/`, in this project's own words; any other file can be given by its path, such as the
reference prompt of a published result.

A prompt is known by its name and its SHA-256, the first eight digits of which serve as its
version: whoever changes a word has another judge.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from locomo_assets.judging.judge import JudgeError

_FOLDER = Path(__file__).with_name("prompt_texts")
_PLACEHOLDERS = ("question", "gold_answer", "generated_answer")
_PLACEHOLDER = re.compile(r"\{(" + "|".join(_PLACEHOLDERS) + r")\}")


@dataclass(frozen=True, slots=True)
class PromptIdentity:
    """Which prompt, without its words: `sha256` is that of its file."""

    name: str
    sha256: str

    @property
    def label(self) -> str:
        """Name and version, as a judge's name shows them: `generous@1a2b3c4d`."""
        return f"{self.name}@{self.sha256[:8]}"


REFERENCE_PROMPT = PromptIdentity(
    "judge-prompt-reference", "7c7cbfdaba7faa48ab5eb839eea528975a3325bdeb184e3c70d1e217841bd336"
)
"""That of Backboard's published result. Whatever its file is called, its judge is named alike."""


@dataclass(frozen=True, slots=True)
class Prompt(PromptIdentity):
    """A user message with the placeholders {question}, {gold_answer}, {generated_answer}."""

    template: str

    def fill(self, *, question: str, gold_answer: str, generated_answer: str) -> str:
        """The message. The texts are put in as they are: their braces mean nothing."""
        texts = dict(zip(_PLACEHOLDERS, (question, gold_answer, generated_answer), strict=True))
        return _PLACEHOLDER.sub(lambda match: texts[match[1]], self.template)


def packaged_prompts() -> tuple[str, ...]:
    """The names of the prompts that ship."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.txt")))


def read_prompt(name_or_path: str) -> Prompt:
    """A packaged prompt by its name, or any file by its path. Raises JudgeError."""
    packaged = name_or_path in packaged_prompts()
    path = _FOLDER / f"{name_or_path}.txt" if packaged else Path(name_or_path)
    try:
        data = path.read_bytes()
        template = data.decode("utf-8-sig")
    except FileNotFoundError:
        raise JudgeError(
            f"judge prompt {name_or_path}: there is no such file; give its path, or one of "
            + ", ".join(packaged_prompts())
        ) from None
    except (OSError, ValueError) as error:
        cause = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise JudgeError(
            f"judge prompt {name_or_path}: cannot be read ({cause}); give a text file"
        ) from None
    present = set(_PLACEHOLDER.findall(template))
    missing = [f"{{{name}}}" for name in _PLACEHOLDERS if name not in present]
    if missing:
        raise JudgeError(
            f"judge prompt {name_or_path}: lacks {', '.join(missing)}; a prompt has the "
            "placeholders {question}, {gold_answer} and {generated_answer}"
        )
    sha256 = hashlib.sha256(data).hexdigest()
    name = REFERENCE_PROMPT.name if sha256 == REFERENCE_PROMPT.sha256 else path.stem
    return Prompt(name, sha256, template)
