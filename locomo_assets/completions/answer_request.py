"""What an answering model of one's own is asked with: its identity, parameters and prompt.

No request is made here: planning needs the identity alone. Asking belongs to `answerer`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from locomo_assets.completions.asker import OPENAI_URL, Asker, endpoint_of, host_of, is_openai
from locomo_assets.completions.parameters import Parameters
from locomo_assets.completions.prompts import Prompt, PromptIdentity, PromptKind
from locomo_assets.errors import IMPOSSIBLE, LocomoError
from locomo_assets.prices import STANDIN

PLAIN = "plain"
"""The packaged prompt."""

_NO_MEMORY = "(none)"


class AnswererError(LocomoError):
    """No answer can be had: the key is refused, the server is away, the prompt is unusable."""


class AnswerPromptError(AnswererError):
    """The prompt is no file that can be read, or lacks a placeholder."""

    exit_code = IMPOSSIBLE


ANSWERER = Asker(
    service="answerer",
    what="an answer",
    error=AnswererError,
    key="LOCOMO_ANSWER_API_KEY",
    base_url="LOCOMO_ANSWER_BASE_URL",
    model="LOCOMO_ANSWER_MODEL",
    own_limits=True,
)

_PROMPTS = PromptKind(
    "answer prompt",
    Path(__file__).with_name("prompt_texts"),
    ("memories", "question"),
    AnswerPromptError,
)


@dataclass(frozen=True, slots=True)
class AnswerParameters(Parameters):
    """Temperature 0, no system message, and no limit of the reply's length."""

    temperature: float | None = 0.0


@dataclass(frozen=True, slots=True)
class AnswererIdentity:
    """All that an answer depends on besides its question and its memories.

    `endpoint` is where it is asked, as `asker.endpoint_of`; `standin` where the stand-in answers in
    this process.
    """

    endpoint: str
    model: str
    prompt: PromptIdentity

    @classmethod
    def at(cls, base_url: str | None, model: str, prompt: PromptIdentity) -> "AnswererIdentity":
        """For a server's URL; None is OpenAI's."""
        return cls(endpoint_of(base_url or OPENAI_URL), model, prompt)

    @property
    def system(self) -> str:
        """`openai`, `standin`, or the server's host: what is known without asking it."""
        if self.endpoint == STANDIN:
            return STANDIN
        return "openai" if is_openai(f"https://{self.endpoint}") else host_of(self.endpoint)

    def words(self) -> tuple[str, ...]:
        """For people: part of a series' name."""
        is_plain = self.prompt.name == PLAIN and self.prompt.sha256 == read_prompt(PLAIN).sha256
        told = [self.model]
        if not is_plain:
            told.append(f"prompt {self.prompt.label}")
        if self.system not in ("openai", STANDIN):
            told.append(f"at {self.system}")
        return tuple(told)

    def canonical(self) -> dict[str, object]:
        """For hashing. What a model refuses of the parameters follows from the rest."""
        return {
            "endpoint": self.endpoint,
            "model": self.model,
            "prompt_sha256": self.prompt.sha256,
            "parameters": AnswerParameters().row(),
        }


def read_prompt(name_or_path: str) -> Prompt:
    """The packaged prompt `plain`, or any file by its path. Raises AnswererError."""
    return _PROMPTS.read(name_or_path)


@dataclass(frozen=True, slots=True)
class FilledPrompt:
    """The message, and how much of it the memories are, between 0 and 1."""

    message: str
    memory_share: float


def fill(prompt: Prompt, question: str, memories: Sequence[str]) -> FilledPrompt:
    """The message for a question and its memories, a numbered line each, the best match first."""
    lines = "\n".join(f"{number}. {line}" for number, line in enumerate(memories, 1))
    message = prompt.fill(memories=lines or _NO_MEMORY, question=question)
    return FilledPrompt(message, len(lines) * prompt.template.count("{memories}") / len(message))
