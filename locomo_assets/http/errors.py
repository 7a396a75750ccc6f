"""What can go wrong with a paid call, as types that say what may be done next.

    BackboardError                    (a LocomoError: one line for people, never a key in it)
    ├── PermanentError                asking again would fail again
    │   ├── KeyRefusedError           401, 402, 403: every further call would fail as well
    │   ├── NotFoundError             404: no such assistant, thread or operation
    │   ├── RequestRefusedError       400, 422, redirects and every other status
    │   ├── UnexpectedAnswerError     an answer that is not what the service documents
    │   └── ThreadMismatchError       a thread holds other turns than it should
    ├── TransientError                not done, or harmless to repeat; bounded retries are over
    │   ├── UnreachableError          no connection: nothing was sent
    │   ├── RateLimitedError          429
    │   ├── ServerFailedError         408, and 5xx where repeating is harmless
    │   └── ConnectionBrokenError     the answer was lost where repeating is harmless
    ├── AmbiguousError                sent, and nobody knows whether it was done: read back first
    │   ├── StreamIncompleteError     a stream that ended without `run_ended`
    │   └── StreamMalformedError      a stream that is not server-sent JSON events
    └── RunFailedError                the service says that the run failed: no answer

A 5xx after a POST that is not idempotent is ambiguous, not transient: a gateway answers 502 or
504 for requests that the service has received and may still carry out.

The TLS bound of the clients is here too, with the sentence for a peer that is older.
"""

import ssl
from typing import Literal

from locomo_assets.errors import LocomoError

TlsVersion = Literal["1.2", "1.3"]

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_TOO_OLD = ("PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL", "NO_PROTOCOLS_AVAILABLE")


def at_least(context: ssl.SSLContext, version: TlsVersion) -> ssl.SSLContext:
    """The context, which from now on speaks no older version."""
    context.minimum_version = _VERSIONS[version]
    return context


def too_old(error: BaseException) -> str | None:
    """What to tell of a failure that a server's or a proxy's old TLS caused; None for others."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, ssl.SSLError) and any(
            reason in (inner.reason or "") for reason in _TOO_OLD
        ):
            return (
                "it, or a proxy before it, speaks no TLS version as new as LOCOMO_MIN_TLS; set "
                "that to 1.2 if you trust it all the same"
            )
        inner = inner.__cause__ or inner.__context__
    return None


class BackboardError(LocomoError):
    """A call to Backboard that did not give what it should.

    `endpoint` is method and path template, `status` the HTTP status where one came,
    `retry_after_s` what the server asked for (seconds), where it did.
    """

    def __init__(
        self,
        message: str,
        *,
        endpoint: str | None = None,
        status: int | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.endpoint = endpoint
        self.status = status
        self.retry_after_s = retry_after_s


class PermanentError(BackboardError):
    """Asking again would fail again."""


class KeyRefusedError(PermanentError):
    """The key is missing, wrong, or may not do this: no further call can succeed."""


class NotFoundError(PermanentError):
    """No such assistant, thread or operation."""


class RequestRefusedError(PermanentError):
    """The server understood and will not do it."""


class UnexpectedAnswerError(PermanentError):
    """The server's answer is not what it documents."""


class ThreadMismatchError(PermanentError):
    """A thread on the server does not hold the turns that it should."""


class TransientError(BackboardError):
    """Surely not done, or harmless to repeat; bounded retries are already behind it."""


class UnreachableError(TransientError):
    """No connection could be made; nothing was sent."""


class RateLimitedError(TransientError):
    """429, again and again."""


class ServerFailedError(TransientError):
    """408, or 5xx where repeating is harmless, again and again."""


class ConnectionBrokenError(TransientError):
    """The answer was lost, again and again, where repeating is harmless."""


class AmbiguousError(BackboardError):
    """Sent, and the answer lost: it may or may not have been done. Read back before going on."""

    @property
    def may_be_running(self) -> bool:
        """Whether the server may still be at it, so that reading back once proves nothing."""
        return self.status not in (500, 503)


class StreamIncompleteError(AmbiguousError):
    """The stream ended without `run_ended`: no answer, though one may have been saved."""


class StreamMalformedError(AmbiguousError):
    """The stream is not server-sent JSON events: no answer, though one may have been saved."""


class RunFailedError(BackboardError):
    """The service itself says that the run failed."""
