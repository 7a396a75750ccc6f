"""What a verdict is asked of a model with, who then judges, and how the reply is read.

No request is made here: planning, and results of others, need the identity alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from locomo_assets.completions.asker import OPENAI, Asker
from locomo_assets.completions.completion import Completion, Usage, read_completion
from locomo_assets.completions.parameters import Parameters
from locomo_assets.completions.prompts import PromptIdentity
from locomo_assets.judging.judge import JudgeError, JudgeIdentity, Reply, parse_reply, unscored

JUDGE = Asker(
    service="judge",
    what="a verdict",
    error=JudgeError,
    key="OPENAI_API_KEY",
    base_url="OPENAI_BASE_URL",
    model="LOCOMO_JUDGE_MODEL",
    max_tokens="LOCOMO_JUDGE_MAX_TOKENS",
)


@dataclass(frozen=True, slots=True)
class VerdictParameters(Parameters):
    """Those of the published measurement, unless a server refuses them."""

    SYSTEM_MESSAGE: ClassVar[str | None] = (
        "You are evaluating conversational AI memory recall. "
        "Return JSON only with the format requested."
    )
    SCHEMA: ClassVar[Mapping[str, Any] | None] = {
        "type": "json_schema",
        "json_schema": {
            "name": "verdict",
            "strict": True,
            "schema": {
                "type": "object",
                "properties": {
                    "reasoning": {"type": "string"},
                    "label": {"type": "string", "enum": ["CORRECT", "WRONG"]},
                },
                "required": ["reasoning", "label"],
                "additionalProperties": False,
            },
        },
    }
    MAX_TOKENS: ClassVar[int | None] = 300
    MAX_TOKENS_WITH_THINKING: ClassVar[int | None] = 4000

    temperature: float | None = 0.1
    response_format: Literal["json_object", "json_schema"] | None = "json_object"


def llm_identity(system: str, model: str, prompt: PromptIdentity) -> JudgeIdentity:
    """The identity of a model of a system (as in `JudgeIdentity`) with a prompt."""
    prefix = "" if system == OPENAI else f"{system}:"
    return JudgeIdentity(
        name=f"{prefix}{model}/{prompt.label}",
        system=system,
        model=model,
        prompt_name=prompt.name,
        prompt_sha256=prompt.sha256,
        parameters=VerdictParameters().row(),
    )


def read_verdict(
    body: object, limit: int | None = VerdictParameters.MAX_TOKENS
) -> tuple[Reply, Usage]:
    """The judge's reply and its tokens, from parsed JSON. Never raises."""
    completion = read_completion(body, limit, JUDGE)
    return reply_of(completion), completion.usage


def reply_of(completion: Completion) -> Reply:
    """What the judge's model said, read as a verdict."""
    if completion.text is None:
        return unscored(completion.reason or "")
    return parse_reply(completion.text)
