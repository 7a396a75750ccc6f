"""What a model's server says went wrong, whatever form its error has.

Servers put it in `error` (an object, a text), in `detail`, in a list, or at the top; some answer
200 with an error inside. Which errors end the asking is said here as well.
"""

import json
import re
from dataclasses import dataclass, replace
from typing import Any

from locomo_assets.http.calls import whole_number
from locomo_assets.redaction import hide_keys

WORDS = 300
"""The most characters that are kept of a server's words."""

NO_CREDIT, NO_KEY, NO_MODEL, NO_PARAMETER = "credit", "key", "model", "parameter"
"""The causes for which every further request would be refused as well."""

_STATUS_OF_CODE = {
    "invalid_api_key": 401,
    "authentication_error": 401,
    "permission_error": 403,
    "insufficient_quota": 429,
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "model_not_found": 404,
    "not_found_error": 404,
    "server_error": 500,
    "internal_error": 500,
    "api_error": 500,
    "overloaded_error": 503,
    # Google's
    "unauthenticated": 401,
    "permission_denied": 403,
    "not_found": 404,
    "resource_exhausted": 429,
    "internal": 500,
    "unavailable": 503,
}
_NO_CREDIT_CODES = {
    "insufficient_quota",
    "billing_hard_limit_reached",
    "billing_not_active",
    "billing_limit_reached",
    "exceeded_current_quota_error",
    "budget_exceeded",
    "arrearage",
}
# Of a quota alone nothing is said here: Gemini words its limit per minute so.
_CREDIT_IS_USED_UP = re.compile(
    r"insufficient[ _](?:account )?(?:balance|credits?|funds|quota)"
    r"|balance is (?:insufficient|too low)|(?:out of|all available|no) credits"
    r"|budget has been exceeded|spending limit|key limit exceeded \("
    r"|free tier of the model has been exhausted|free-models-per-day",
    re.IGNORECASE,
)
_KEY_IS_UNKNOWN = re.compile(
    r"\b(?:invalid|incorrect) api.?key\b|\bapi.?key\b.{0,20}\b(?:not valid|invalid|expired)\b",
    re.IGNORECASE,
)
_NO_KEY_CODES = {"invalid_api_key", "authentication_error"}
_NO_MODEL_CODES = {"model_not_found", "model_not_supported", "model_decommissioned"}
_NO_PARAMETER_CODES = {"unsupported_parameter", "unsupported_value"}
_MODEL_IS_UNKNOWN = re.compile(
    r"\bmodel\b[^.]{0,80}\b(?:not exist|not found|not a valid|not available|not loaded)\b"
    r"|\b(?:invalid|unknown|unsupported|no such) model\b|\bnot a valid model\b",
    re.IGNORECASE,
)
_IS_MODERATION = re.compile(r"moderation|flagged|content.?(?:filter|policy)", re.IGNORECASE)
_IS_CUT_OFF = re.compile(r"could not finish the message|output limit was reached", re.IGNORECASE)


HOLDERS = ("error", "detail", "message", "msg")
"""The fields that hold a server's words, or its error."""
_CODES = ("code", "status", "status_code", "statusCode")


@dataclass(frozen=True, slots=True)
class ServerError:
    """`status` is the HTTP status that it has or stands for; the texts are empty if not given."""

    status: int
    words: str
    code: str = ""
    kind: str = ""
    param: str = ""

    @property
    def fatal(self) -> str | None:
        """Why every further request would fail as well; None if it need not."""
        codes = {self.code.lower(), self.kind.lower()}
        is_refused = self.status in (400, 422)
        no_parameter = is_refused and codes & _NO_PARAMETER_CODES
        may_be_credit = self.status in (400, 403, 412, 429)
        causes = {
            NO_CREDIT: self.status == 402
            or codes & _NO_CREDIT_CODES
            or (may_be_credit and _CREDIT_IS_USED_UP.search(self.words)),
            NO_KEY: self.status == 401
            or (self.status == 403 and not _IS_MODERATION.search(self.words))
            or (self.status == 400 and codes & _NO_KEY_CODES)
            or (self.status == 400 and _KEY_IS_UNKNOWN.search(self.words)),
            NO_MODEL: self.status in (404, 405, 410)
            or codes & _NO_MODEL_CODES
            or (is_refused and not no_parameter and _MODEL_IS_UNKNOWN.search(self.words)),
            NO_PARAMETER: no_parameter,
        }
        return next((cause for cause, holds in causes.items() if holds), None)

    @property
    def is_cut_off(self) -> bool:
        """Whether the model was at work and only its token limit was too low."""
        return self.status == 400 and _IS_CUT_OFF.search(self.words) is not None

    def __str__(self) -> str:
        return f"HTTP {self.status}: {self.words or 'no reason given'}"


def read_json(content: bytes) -> Any:
    """What the bytes say; None where they are no JSON."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def read_error(body: object, status: int) -> ServerError:
    """The error in an answer of this status: parsed JSON, or its text."""
    if isinstance(body, list) and body:
        body = body[0]
    fields = body if isinstance(body, dict) else {}
    given = next((fields[name] for name in HOLDERS if _is_said(fields.get(name))), body)
    if isinstance(given, dict) and isinstance(given.get("error"), dict):
        given = given["error"]
    error = given if isinstance(given, dict) else fields
    words = given if error is fields else error.get("message") or given
    # What a router's provider said.
    metadata = error.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, dict) else None
    return ServerError(
        status=status,
        words=one_line(": ".join(filter(None, (_text(words), _text(raw))))),
        code=_text(next(filter(None, map(error.get, _CODES)), None)),
        kind=_text(error.get("type")),
        param=_text(error.get("param")),
    )


def error_within(content: bytes) -> ServerError | None:
    """The error in the body of an answer that came as a success; None if there is none."""
    if b"error" not in content:
        return None
    body = read_json(content)
    if isinstance(body, list) and body:
        body = body[0]
    if not isinstance(body, dict):
        return None
    choices = body.get("choices")
    parts = [body, *(choices if isinstance(choices, list) else [])]
    failed = [one for one in parts if isinstance(one, dict) and _is_error(one)]
    if not failed:
        return None
    said = read_error(failed[0], 400)
    return replace(said, status=_status(said))


def one_line(text: object) -> str:
    """A server's text in one short line, without registered keys."""
    return " ".join(hide_keys(str(text)).split())[:WORDS]


def _is_said(value: object) -> bool:
    return bool(value) and value is not True


def _is_error(fields: dict[str, Any]) -> bool:
    return bool(fields.get("error")) or fields.get("object") == "error"


def _status(error: ServerError) -> int:
    if re.fullmatch(r"[45]\d\d", error.code, re.ASCII):
        return int(error.code)
    by_kind = _STATUS_OF_CODE.get(error.kind.lower(), 400)
    return _STATUS_OF_CODE.get(error.code.lower(), by_kind)


def _text(value: object) -> str:
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(value) if whole_number(value) is not None else ""
    try:
        return json.dumps(value, ensure_ascii=False)
    except (ValueError, RecursionError):
        return ""
