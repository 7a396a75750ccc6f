"""What an error of the `openai` package means to a person.

Here: telling what is hopeless from what may go better, in words and without the key. Who goes on
after which is `llm`'s and `batch`'s to decide.
"""

import httpx2
import openai

from locomo_assets.judging.errors import JudgeError
from locomo_assets.secrecy import hide
from locomo_assets.tls import too_old

_REFUSED = (openai.AuthenticationError, openai.PermissionDeniedError)
_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.UnsupportedProtocol)


def raise_if_hopeless(error: openai.APIError, host: str) -> None:
    """Raise JudgeError where every further call would fail as well."""
    if isinstance(error, _REFUSED):
        raise JudgeError(
            f"judge at {host}: the key is refused ({error.status_code}); check OPENAI_API_KEY and "
            "that it may read models and make chat completions"
        ) from None
    if isinstance(error, openai.APIConnectionError) and isinstance(error.__cause__, _NOT_SENT):
        raise JudgeError(
            f"judge at {host}: cannot be reached ({_cause_of_loss(error)}); check that it is up, "
            "OPENAI_BASE_URL and the network"
        ) from None


def may_go_better(error: openai.APIError) -> bool:
    """Whether the same request may succeed later; where the answer was lost it may already have."""
    if isinstance(error, openai.APIStatusError):
        return error.status_code in (408, 409, 429) or error.status_code >= 500
    return isinstance(error, openai.APIConnectionError)


def cause(error: openai.APIError, key: str) -> str:
    """Why, in a few words."""
    if isinstance(error, openai.APITimeoutError):
        return "no answer in time"
    if isinstance(error, openai.APIConnectionError):
        return f"the answer was lost ({hide(_cause_of_loss(error), key)})"
    status = f"HTTP {error.status_code}" if isinstance(error, openai.APIStatusError) else "failed"
    body = error.body.get("message") if isinstance(error.body, dict) else None
    return f"{status}: {said(body or error.message, key)}"


def said(text: object, key: str) -> str:
    """What a server said, in one short line; servers repeat what they are sent, keys included."""
    return hide(" ".join(str(text).split()), key)[:200]


def _cause_of_loss(error: openai.APIConnectionError) -> str:
    lost = error.__cause__
    if lost and (old := too_old(lost)):
        return old
    return ": ".join(filter(None, (type(lost).__name__, str(lost)))) if lost else "no connection"
