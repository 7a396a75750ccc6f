"""The parameters that a model is asked for verdicts with.

The published ones come first. A server that refuses one of them is asked with the next that it may
take; what was sent in the end is part of the judge's identity.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from locomo_assets.judging.server_errors import ServerError

SYSTEM_MESSAGE = (
    "You are evaluating conversational AI memory recall. "
    "Return JSON only with the format requested."
)
TEMPERATURE = 0.1
MAX_TOKENS = 300
MAX_TOKENS_WITH_THINKING = 4000

_SCHEMA: dict[str, Any] = {
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

# How servers name a parameter in the text of an error, or in its `param`.
_NAMES = {
    "limit": r"max[_-]?(?:completion[_-]?|output[_-]?)?tokens",
    "temperature": r"temperature|sampling parameters?",
    "format": r"response_?format|json[_ -](?:object|schema|mode|output)|response.mime.?type"
    r"|structured.outputs?|guided_|grammar",
    "system": r"messages(?:\[0\]\.|\.0\.|\", 0, \")role"
    r"|system\W? (?:role|message|prompt|instruction)|\brole\W{1,4}system\b"
    r"|developer instruction|roles must alternate|only user and assistant roles",
}
_NAME = re.compile("|".join(f"(?P<{name}>{text})" for name, text in _NAMES.items()), re.IGNORECASE)
# The limit is understood, but its number does not fit: another name would not help.
_OTHER_LIMIT = re.compile(
    r"too (?:large|high|small|low|big)|exceed|context|at (?:least|most)|greater|less than|afford"
    r"|was reached",
    re.IGNORECASE,
)
# Servers answer 500 where a template of the model's, or a layer between, refuses a parameter.
_IS_REFUSED = re.compile(r"n.t support|unsupported|not implemented|must alternate", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Parameters:
    """What is sent beside model and message; None is left out.

    `max_tokens` is the limit that was asked for; None: the published one, or a higher one under
    the name that servers want for models that think.
    """

    max_tokens: int | None = None
    limit_name: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    temperature: float | None = TEMPERATURE
    response_format: Literal["json_object", "json_schema"] | None = "json_object"
    has_system_role: bool = True

    @property
    def limit(self) -> int:
        """The most tokens that a reply may have."""
        if self.max_tokens is not None:
            return self.max_tokens
        return MAX_TOKENS if self.limit_name == "max_tokens" else MAX_TOKENS_WITH_THINKING

    def row(self) -> dict[str, object]:
        """The parameters as a judge's identity names them."""
        system = {} if self.has_system_role else {"system_message_role": "user"}
        return {
            **self._numbers(),
            **({"response_format": self.response_format} if self.response_format else {}),
            "system_message": SYSTEM_MESSAGE,
            **system,
        }

    def body(self, model: str, message: str) -> dict[str, Any]:
        """The body of `POST /chat/completions`."""
        formats = {"json_object": {"type": "json_object"}, "json_schema": _SCHEMA}
        chosen = formats.get(self.response_format or "")
        system = {"role": "system", "content": SYSTEM_MESSAGE}
        user = {"role": "user", "content": message}
        if not self.has_system_role:
            user["content"] = f"{SYSTEM_MESSAGE}\n\n{message}"
        return {
            "model": model,
            **self._numbers(),
            **({"response_format": chosen} if chosen else {}),
            "messages": [system, user] if self.has_system_role else [user],
        }

    def adapted(self, error: ServerError) -> "Parameters | None":
        """With the one parameter changed that the server refuses; None if there is none."""
        may_be_parameter = error.status in (400, 404, 422) or (
            error.status in (500, 501) and _IS_REFUSED.search(error.words)
        )
        if error.is_cut_off or not may_be_parameter:
            return None
        instead: dict[str, Parameters] = {}
        if self.limit_name == "max_tokens":
            instead["limit"] = replace(self, limit_name="max_completion_tokens")
        if self.temperature is not None:
            instead["temperature"] = replace(self, temperature=None)
        if self.response_format is not None:
            was_first = self.response_format == "json_object"
            instead["format"] = replace(self, response_format="json_schema" if was_first else None)
        if self.has_system_role:
            instead["system"] = replace(self, has_system_role=False)
        return next((instead[name] for name in _named(error) if name in instead), None)

    def _numbers(self) -> dict[str, Any]:
        temperature = {} if self.temperature is None else {"temperature": self.temperature}
        return {**temperature, self.limit_name: self.limit}


def _named(error: ServerError) -> Iterator[str]:
    """The parameters that the error is about, `param` first."""
    is_number = error.code not in ("unsupported_parameter", "unsupported_value") and (
        _OTHER_LIMIT.search(error.words)
    )
    for text in (error.param, error.words):
        for match in _NAME.finditer(text):
            if match.lastgroup and not (match.lastgroup == "limit" and is_number):
                yield match.lastgroup
