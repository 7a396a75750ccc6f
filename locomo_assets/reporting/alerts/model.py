"""What the alerts see (ended runs) and what they remember (open troubles, notices to be sent).

Here: the values, and memory as a text that outlives the process.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from pydantic import TypeAdapter, ValidationError


class Severity(StrEnum):
    """How soon somebody should look; each has channels of its own."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of trouble: its severity, and its name in a title."""

    severity: Severity
    name: str


RUN_FAILED = "run_failed"

KINDS: Mapping[str, Kind] = {
    RUN_FAILED: Kind(Severity.HIGH, "run failed"),
    "api_errors": Kind(Severity.HIGH, "API error rate too high"),
    "accuracy": Kind(Severity.MEDIUM, "accuracy too low"),
    "not_below_previous": Kind(Severity.MEDIUM, "worse than the release before"),
    "run_time": Kind(Severity.LOW, "long run"),
}
"""All there are: a failed run, and by their names the asset checks that are told of."""


@dataclass(frozen=True, slots=True)
class Look:
    """The outcome of an asset check; `subject` is the release that was looked at."""

    check: str
    subject: str
    passed: bool
    expected: str
    actual: str


@dataclass(frozen=True, slots=True)
class EndedRun:
    """A run that succeeded (`error` is None) or failed, and what came of it.

    `subject` is the release it was for, else what it was to make. `planned` and `made` name pieces
    of work (`answers of conv-26|r1`).
    """

    run_id: str
    subject: str
    error: str | None
    planned: frozenset[str]
    made: frozenset[str]
    looks: tuple[Look, ...] = ()


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that was told and has not recovered.

    `causes` are the shapes of all that was told of it. `undone` is the work that has to be made
    before a failed run has recovered.
    """

    kind: str
    subject: str
    since: datetime
    causes: tuple[str, ...]
    undone: frozenset[str] = frozenset()

    @property
    def key(self) -> str:
        """What tells one trouble from another."""
        return f"{self.kind} {self.subject}"


@dataclass(frozen=True, slots=True)
class Notice:
    """A message to the channels of its severity.

    `owed` are the places of the channels that have not taken it; None: all. It is tried again
    from `next_try_at` on.
    """

    key: str
    severity: Severity
    recovered: bool
    title: str
    text: str
    next_try_at: datetime
    owed: tuple[int, ...] | None = None
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Memory:
    """All that is kept between two looks; `position` is the last event seen."""

    position: int
    troubles: dict[str, Trouble] = field(default_factory=dict)
    notices: tuple[Notice, ...] = ()

    def to_json(self) -> str:
        """As a text, for `from_json`."""
        return _MEMORY.dump_json(self).decode()

    @classmethod
    def from_json(cls, text: str | None) -> "Memory | None":
        """None where there is none, or one that can't be read."""
        try:
            return _MEMORY.validate_json(text) if text else None
        except ValidationError:
            return None


_MEMORY = TypeAdapter(Memory)
