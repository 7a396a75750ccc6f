"""The stand-in's knobs: how slow, how strict and how faulty it is.

Here: values and their limits. What a knob does is in `gate` (limits and faults of every call),
`messages` (faults of a run and of the memory) and `batches`. Nothing here is read from the
environment.
"""

import math
from dataclasses import dataclass, fields

from locomo_assets.errors import LocomoError

DEFAULT_KEY = "standin-key"


class StandinSettingsError(LocomoError):
    """A knob of the stand-in has a value that can't be."""

    exit_code = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class StandinSettings:
    """Every knob; the defaults are a server that is quick and never fails.

    Shares are of 1 and drawn with `seed`: each kind of fault from its own dice, so that turning
    one knob leaves the others' draws as they were. Limits are counted by each server process,
    apart for the memory service and for the judge.
    """

    keys: tuple[str, ...] = (DEFAULT_KEY,)
    seed: int = 0

    message_latency_ms: float = 0.0
    """Saving a message without asking for an answer."""
    first_chunk_latency_ms: float = 0.0
    """From a question to the first piece of its answer."""
    chunk_latency_ms: float = 0.0
    """Between two pieces of a streamed answer."""
    verdict_latency_ms: float = 0.0
    other_latency_ms: float = 0.0

    memory_delay_ms: float = 0.0
    """From a message to its memory being visible and its operation COMPLETED."""
    memory_failed_share: float = 0.0
    """Memory operations that end as ERROR, leaving no memory."""
    memory_stuck_share: float = 0.0
    """Memory operations that never end, and leave no memory."""

    batch_delay_ms: float = 0.0
    """From a batch of verdicts to its end."""
    batch_failed_share: float = 0.0
    """Batches that fail as a whole, before anything of them is judged."""
    batch_expired_share: float = 0.0
    """Batches that expire with half of their requests judged."""
    batch_request_failed_share: float = 0.0
    """Requests of a batch that fail with 500."""

    max_in_flight: int | None = None
    """Requests at once; one more gets 429."""
    requests_per_second: float | None = None
    """Mean rate, with bursts of one second's worth; beyond it 429."""
    retry_after_s: int = 1
    """What a 429 tells the client to wait."""
    rate_limited_share: float = 0.0
    """Requests refused with 429 for no reason."""
    server_error_share: float = 0.0
    """Requests refused with 500, 502 or 503, nothing done."""
    lost_answer_share: float = 0.0
    """Requests carried out whose connection then closes without a byte of answer."""
    cut_stream_share: float = 0.0
    """Streams that stop midway: half end politely without `run_ended`, half break off."""
    run_failed_share: float = 0.0
    """Runs that fail after HTTP 200, leaving no answer in the thread."""

    def __post_init__(self) -> None:
        if not self.keys or not all(self.keys):
            raise StandinSettingsError("keys: the stand-in needs at least one key, none empty")
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name.endswith("_share") and not 0.0 <= value <= 1.0:
                raise StandinSettingsError(f"{field.name} is {value}; a share lies between 0 and 1")
            if field.name.endswith(("_ms", "_s")) and not (value >= 0 and math.isfinite(value)):
                raise StandinSettingsError(f"{field.name} is {value}; it must be 0 or more")
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
