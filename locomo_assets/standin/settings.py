"""The stand-in's settings: how slow, how strict and how faulty it is.

Nothing here is read from the environment.
"""

import math
from dataclasses import dataclass, fields
from typing import Literal

from locomo_assets.errors import LocomoError

DEFAULT_KEY = "standin-key"

GATEWAY_STATUSES = (408, 429, 500, 502, 503, 504)
"""What a gateway answers for a request that the service may carry out nevertheless."""

CONNECTION_DROPPED = 0
"""Among statuses: the connection closes without a response."""


class StandinSettingsError(LocomoError):
    """A setting of the stand-in has an invalid value."""

    exit_code = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class StandinSettings:
    """All settings; the defaults make a server that is fast and never fails.

    Shares lie between 0 and 1 and are drawn with `seed`. Each kind of fault has its own random
    sequence, so that changing one share does not change the others' faults. Each server process
    counts limits separately, for the memory service and for `/v1`.
    """

    keys: tuple[str, ...] = (DEFAULT_KEY,)
    seed: int = 0

    message_latency_ms: float = 0.0
    """Saving a message without asking for an answer."""
    first_chunk_latency_ms: float = 0.0
    """From a question to the first chunk of its answer, or to an answerer's whole reply."""
    chunk_latency_ms: float = 0.0
    """Between two chunks of a streamed answer."""
    verdict_latency_ms: float = 0.0
    other_latency_ms: float = 0.0

    memory_delay_ms: float = 0.0
    """From a message to its memory being visible and its operation COMPLETED."""
    memory_form: Literal["verbatim", "extracted"] = "verbatim"
    """A memory is a message word for word, or a message becomes facts, as many as it has."""
    operations_without_ids: bool = False
    """Memory operations name no memories, as services that don't tell which they formed."""
    memory_failed_share: float = 0.0
    """Memory operations that end as ERROR, without a memory."""
    memory_stuck_share: float = 0.0
    """Memory operations that never end, without a memory."""

    batch_delay_ms: float = 0.0
    """From a batch of verdicts to its end."""
    batch_failed_share: float = 0.0
    """Batches that fail as a whole, before anything in them is judged."""
    batch_expired_share: float = 0.0
    """Batches that expire with half of their requests judged."""
    batch_request_failed_share: float = 0.0
    """Requests of a batch that fail with 500."""

    max_in_flight: int | None = None
    """Concurrent requests; one more gets 429."""
    requests_per_second: float | None = None
    """Mean rate, with bursts of one second's requests; beyond it 429."""
    retry_after_s: int = 1
    """The `Retry-After` of a 429."""
    rate_limited_share: float = 0.0
    """Requests refused with 429 at random."""
    server_error_share: float = 0.0
    """Requests refused with 500, 502 or 503 that have no effect."""
    lost_answer_share: float = 0.0
    """Requests that take effect, but whose connection closes without a response."""
    refused_after_share: float = 0.0
    """POSTs that take effect, but are answered with one of `refused_after_statuses`."""
    refused_after_statuses: tuple[int, ...] = GATEWAY_STATUSES
    late_share: float = 0.0
    """POSTs that are answered at once with one of `late_statuses`, and take effect later."""
    late_statuses: tuple[int, ...] = (CONNECTION_DROPPED, *GATEWAY_STATUSES)
    late_s: tuple[float, float] = (0.2, 70.0)
    """The least and the longest time until a late POST takes effect, if the stand-in still runs."""
    cut_stream_share: float = 0.0
    """Streams that stop midway: half end cleanly without `run_ended`, half are disconnected."""
    run_failed_share: float = 0.0
    """Runs that fail after HTTP 200, leaving no answer in the thread."""
    wordless_share: float = 0.0
    """Runs, and answerers' requests, that end well with a reply that has no words."""

    def __post_init__(self) -> None:
        if self.memory_form not in ("verbatim", "extracted"):
            raise StandinSettingsError(
                f"memory_form is {self.memory_form!r}; choose verbatim or extracted"
            )
        if not self.keys or not all(self.keys):
            raise StandinSettingsError("keys: the stand-in needs at least one key, none empty")
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name.endswith("_share") and not 0.0 <= value <= 1.0:
                raise StandinSettingsError(f"{field.name} is {value}; a share lies between 0 and 1")
            if field.name.endswith(("_ms", "_s")):
                times = value if isinstance(value, tuple) else (value,)
                if not all(one >= 0 and math.isfinite(one) for one in times):
                    raise StandinSettingsError(f"{field.name} is {value}; it must be 0 or more")
            if field.name.endswith("_statuses"):
                self._check_statuses(field.name, value)
        if self.late_s[0] > self.late_s[1]:
            raise StandinSettingsError(f"late_s is {self.late_s}; the least time comes first")
        if self.memory_failed_share + self.memory_stuck_share > 1.0:
            raise StandinSettingsError(
                "memory_failed_share and memory_stuck_share are more than 1 together; lower one"
            )
        if self.max_in_flight is not None and self.max_in_flight < 1:
            raise StandinSettingsError(f"max_in_flight is {self.max_in_flight}; at least 1")
        if self.requests_per_second is not None and not self.requests_per_second > 0:
            raise StandinSettingsError(
                f"requests_per_second is {self.requests_per_second}; it must be more than 0"
            )

    def _check_statuses(self, name: str, statuses: tuple[int, ...]) -> None:
        may_drop = name == "late_statuses"
        for status in statuses:
            if not (400 <= status <= 599 or (may_drop and status == CONNECTION_DROPPED)):
                raise StandinSettingsError(f"{name} has {status}; an error lies in 400 to 599")
        if not statuses:
            raise StandinSettingsError(f"{name} is empty; give at least one status")
