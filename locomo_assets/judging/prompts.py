"""Prompts of an LLM judge: reading a file, checking its placeholders, filling it.

The packaged prompts are in `prompt_texts/`, in this project's own words. A prompt is identified by
its name and its SHA-256, whose first eight digits serve as its version: with a word changed, the
judge is another one.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from locomo_assets.bounded import SMALL_FILE_BYTES, UnusableBodyError, read_file
from locomo_assets.judging.judge import JudgeError

_FOLDER = Path(__file__).with_name("prompt_texts")
_PLACEHOLDERS = ("question", "gold_answer", "generated_answer")
_PLACEHOLDER = re.compile(r"\{(" + "|".join(_PLACEHOLDERS) + r")\}")


@dataclass(frozen=True, slots=True)
class PromptIdentity:
    """A prompt without its text; `sha256` is its file's."""

    name: str
    sha256: str

    @property
    def label(self) -> str:
        """Name and version, as in a judge's name: `generous@1a2b3c4d`."""
        return f"{self.name}@{self.sha256[:8]}"


REFERENCE_PROMPT = PromptIdentity(
    "judge-prompt-reference", "7c7cbfdaba7faa48ab5eb839eea528975a3325bdeb184e3c70d1e217841bd336"
)
"""The prompt of Backboard's published result: known by its hash, however its file is called."""


@dataclass(frozen=True, slots=True)
class Prompt(PromptIdentity):
    """A user message with the placeholders {question}, {gold_answer}, {generated_answer}."""

    template: str

    def fill(self, *, question: str, gold_answer: str, generated_answer: str) -> str:
        """The message. Braces in the texts mean nothing."""
        texts = dict(zip(_PLACEHOLDERS, (question, gold_answer, generated_answer), strict=True))
        return _PLACEHOLDER.sub(lambda match: texts[match[1]], self.template)


def packaged_prompts() -> tuple[str, ...]:
    """The names of the packaged prompts."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.txt")))


def read_prompt(name_or_path: str) -> Prompt:
    """A packaged prompt by its name, or any file by its path. Raises JudgeError."""
    packaged = name_or_path in packaged_prompts()
    path = _FOLDER / f"{name_or_path}.txt" if packaged else Path(name_or_path)
    try:
        data = read_file(path, SMALL_FILE_BYTES)
        template = data.decode("utf-8-sig")
    except FileNotFoundError:
        raise JudgeError(
            f"judge prompt {name_or_path}: there is no such file; give its path, or one of "
            + ", ".join(packaged_prompts())
        ) from None
    except UnusableBodyError as error:
        raise JudgeError(f"judge prompt {name_or_path}: {error}") from None
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
