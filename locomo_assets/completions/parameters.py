"""The parameters that a model is asked with.

Those that a measurement wants come first. A server that refuses one of them is asked with the next
that it may take; what was sent in the end is part of an identity. What is asked for belongs to
subclasses: see `judging.verdict_request`, `answer_request`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, Self

from locomo_assets.completions.server_errors import ServerError

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

    `max_tokens` is the limit that was asked for; None: the class's, the higher one under the name
    that servers want for models that think.
    """

    SYSTEM_MESSAGE: ClassVar[str | None] = None
    SCHEMA: ClassVar[Mapping[str, Any] | None] = None
    MAX_TOKENS: ClassVar[int | None] = None
    MAX_TOKENS_WITH_THINKING: ClassVar[int | None] = None

    max_tokens: int | None = None
    limit_name: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    temperature: float | None = None
    response_format: Literal["json_object", "json_schema"] | None = None
    has_system_role: bool = True

    @property
    def limit(self) -> int | None:
        """The most tokens that a reply may have; None: the model's own limit."""
        if self.max_tokens is not None:
            return self.max_tokens
        thinks = self.limit_name != "max_tokens"
        return self.MAX_TOKENS_WITH_THINKING if thinks else self.MAX_TOKENS

    def row(self) -> dict[str, object]:
        """The parameters as an identity names them."""
        row: dict[str, object] = self._numbers()
        if self.response_format:
            row["response_format"] = self.response_format
        if self.SYSTEM_MESSAGE:
            row["system_message"] = self.SYSTEM_MESSAGE
            if not self.has_system_role:
                row["system_message_role"] = "user"
        return row

    def body(self, model: str, message: str) -> dict[str, Any]:
        """The body of `POST /chat/completions`."""
        formats = {"json_object": {"type": "json_object"}, "json_schema": self.SCHEMA}
        chosen = formats.get(self.response_format or "")
        messages = [{"role": "user", "content": message}]
        if self.SYSTEM_MESSAGE and self.has_system_role:
            messages.insert(0, {"role": "system", "content": self.SYSTEM_MESSAGE})
        elif self.SYSTEM_MESSAGE:
            messages[0]["content"] = f"{self.SYSTEM_MESSAGE}\n\n{message}"
        return {
            "model": model,
            **self._numbers(),
            **({"response_format": chosen} if chosen else {}),
            "messages": messages,
        }

    def adapted(self, error: ServerError) -> Self | None:
        """With the one parameter changed that the server refuses; None if there is none."""
        may_be_parameter = error.status in (400, 404, 422) or (
            error.status in (500, 501) and _IS_REFUSED.search(error.words)
        )
        if error.is_cut_off or not may_be_parameter:
            return None
        instead: dict[str, Self] = {}
        if self.limit is not None and self.limit_name == "max_tokens":
            instead["limit"] = replace(self, limit_name="max_completion_tokens")
        if self.temperature is not None:
            instead["temperature"] = replace(self, temperature=None)
        if self.response_format is not None:
            was_first = self.response_format == "json_object"
            instead["format"] = replace(self, response_format="json_schema" if was_first else None)
        if self.SYSTEM_MESSAGE and self.has_system_role:
            instead["system"] = replace(self, has_system_role=False)
        return next((instead[name] for name in _named(error) if name in instead), None)

    def _numbers(self) -> dict[str, Any]:
        numbers: dict[str, Any] = {"temperature": self.temperature, self.limit_name: self.limit}
        return {name: number for name, number in numbers.items() if number is not None}


def _named(error: ServerError) -> Iterator[str]:
    """The parameters that the error is about, `param` first."""
    is_number = error.code not in ("unsupported_parameter", "unsupported_value") and (
        _OTHER_LIMIT.search(error.words)
    )
    for text in (error.param, error.words):
        for match in _NAME.finditer(text):
            if match.lastgroup and not (match.lastgroup == "limit" and is_number):
                yield match.lastgroup
