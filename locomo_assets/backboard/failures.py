"""What is sent in one call, and which error its failure is.

Pure functions: from what happened to an error of `http.errors`, with the way out in its text.
"""

import ssl
from dataclasses import dataclass
from typing import Any

import httpx

from locomo_assets.backboard.models import quote
from locomo_assets.http.calls import explain_old_tls
from locomo_assets.http.errors import (
    AmbiguousError,
    AnswerOverdueError,
    BackboardError,
    ConnectionBrokenError,
    KeyRefusedError,
    NotFoundError,
    RateLimitedError,
    RequestRefusedError,
    ServerFailedError,
    UnexpectedAnswerError,
    UnreachableError,
    parse_retry_after,
)
from locomo_assets.network import by_proxy

LOST = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError)
"""What httpx raises if no whole answer came."""

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
_OVERDUE = frozenset((408, 504, 524))
"""A gateway's clock has run out. 524 is Cloudflare's."""
_NEVER_SENDABLE = (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.LocalProtocolError)


@dataclass(frozen=True, slots=True)
class Call:
    """A request to be sent. `repeatable` says that sending it twice does no harm."""

    method: str
    template: str
    path: str
    repeatable: bool
    params: dict[str, Any] | None = None
    json: Any = None
    form: dict[str, str] | None = None

    @property
    def endpoint(self) -> str:
        return f"{self.method} {self.template}"

    @property
    def asks_model(self) -> bool:
        """Whether a model answers: only then are tokens paid for."""
        return (self.form or {}).get("send_to_llm") == "true"


def lost(call: Call, base_url: str, error: Exception) -> BackboardError:
    """For an exception of httpx: not sendable, not sent, or sent and the answer lost."""
    where = f"{call.endpoint} at {base_url}"
    if isinstance(error, _NEVER_SENDABLE):
        return RequestRefusedError(
            f"{where} cannot be sent ({_cause(error)}): check the base URL", endpoint=call.endpoint
        )
    if isinstance(error, _NOT_SENT):
        return UnreachableError(
            f"{base_url} can't be reached{by_proxy(base_url)} ({_cause(error)}): check that it is "
            "up, that the base URL is right and that the network lets it through",
            endpoint=call.endpoint,
        )
    kind = AnswerOverdueError if isinstance(error, httpx.TimeoutException) else AmbiguousError
    return _answer_lost(call, base_url, _cause(error), kind)


def overdue(call: Call, base_url: str, limit_s: float) -> BackboardError:
    """For a call that was given up after `limit_s` seconds."""
    return _answer_lost(call, base_url, f"not finished after {limit_s:g} s", AnswerOverdueError)


def unreadable(call: Call, base_url: str, why: str) -> BackboardError:
    """For a success whose body can't be used."""
    kind = UnexpectedAnswerError if call.repeatable else AmbiguousError
    return kind(_unreadable(call, base_url, why), endpoint=call.endpoint)


def not_json(call: Call, base_url: str) -> BackboardError:
    """For a success that is no JSON, as a page of HTML while the service is maintained."""
    kind = ServerFailedError if call.repeatable else AmbiguousError
    why = "it is not JSON; check that the base URL is Backboard's API, or run it again later"
    return kind(_unreadable(call, base_url, why), endpoint=call.endpoint)


def undocumented(call: Call, error: UnexpectedAnswerError) -> BackboardError:
    """For a success that is not what is documented: what a POST was for may have been done."""
    return error if call.repeatable else AmbiguousError(str(error), endpoint=call.endpoint)


def _unreadable(call: Call, base_url: str, why: str) -> str:
    return f"{call.endpoint} at {base_url}: the answer can't be read: {why}"


def refused(call: Call, base_url: str, response: httpx.Response) -> BackboardError:
    """For a status that is no success. The response's body must have been read, without keys."""
    status = response.status_code
    kind: type[BackboardError]
    if status in (401, 402, 403):
        kind, way = KeyRefusedError, "check BACKBOARD_API_KEY and what its account may do"
    elif status == 404:
        kind, way = NotFoundError, "it may have been deleted, or the base URL is wrong"
    elif status == 429:
        kind, way = RateLimitedError, "lower the concurrency or run it again later"
    elif status == 408 or status >= 500:
        kind = AnswerOverdueError if status in _OVERDUE else AmbiguousError
        kind = ServerFailedError if call.repeatable else kind
        way = "run it again later to go on from what was saved"
    elif response.has_redirect_location:
        kind, way = RequestRefusedError, "it redirects; set the base URL to where it leads"
    else:
        kind, way = RequestRefusedError, "the request does not suit this version of the service"
    return kind(
        f"{call.endpoint} at {base_url} answered {status}{_detail(response)}: {way}",
        endpoint=call.endpoint,
        status=status,
        retry_after_s=parse_retry_after(response.headers.get("retry-after")),
    )


def _answer_lost(
    call: Call, base_url: str, cause: str, ambiguous: type[AmbiguousError]
) -> BackboardError:
    kind = ConnectionBrokenError if call.repeatable else ambiguous
    return kind(
        f"{call.endpoint} at {base_url}: the answer was lost ({cause}): run it again to go on "
        "from what was saved",
        endpoint=call.endpoint,
    )


def _detail(response: httpx.Response) -> str:
    try:
        said = quote(response.json())
    except (ValueError, RecursionError):
        return ""
    return f" ({said})" if said else ""


def _cause(error: Exception) -> str:
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, ssl.SSLCertVerificationError):
            return f"its certificate was not accepted: {inner.verify_message}"
        inner = inner.__cause__ or inner.__context__
    if old := explain_old_tls(error):
        return old
    return ": ".join(part for part in (type(error).__name__, str(error)) if part)
