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
"""

from locomo_assets.errors import LocomoError


class BackboardError(LocomoError):
    """A failed call to Backboard.

    `endpoint` is method and path template. `status` is the HTTP status, `retry_after_s` what the
    server asked for in seconds; each is None where the server gave none.
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
    """The server understood the request and refuses it."""


class UnexpectedAnswerError(PermanentError):
    """An answer that is not what the service documents."""


class ThreadMismatchError(PermanentError):
    """A thread holds other turns than it should."""


class TransientError(BackboardError):
    """Not done, or harmless to repeat; bounded retries are over."""


class UnreachableError(TransientError):
    """No connection: nothing was sent."""


class RateLimitedError(TransientError):
    """429, at every attempt."""


class ServerFailedError(TransientError):
    """408, or 5xx where repeating is harmless, at every attempt."""


class ConnectionBrokenError(TransientError):
    """The answer was lost at every attempt, where repeating is harmless."""


class AmbiguousError(BackboardError):
    """Sent, and nobody knows whether it was done. Read back before going on."""

    @property
    def may_be_running(self) -> bool:
        """Whether the server may still work on it, so that reading back once proves nothing."""
        return self.status not in (500, 503)


class StreamIncompleteError(AmbiguousError):
    """The stream ended without `run_ended`: no answer, though one may have been saved."""


class StreamMalformedError(AmbiguousError):
    """The stream is not server-sent JSON events: no answer, though one may have been saved."""


class RunFailedError(BackboardError):
    """The service itself says that the run failed."""
