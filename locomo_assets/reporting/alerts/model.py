"""The values alerts work on: ended runs, incidents, notifications, and the state between ticks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError


class Severity(StrEnum):
    """How soon somebody should look. Each severity has channels of its own."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class IncidentKind:
    """A kind of incident: its severity, and its name in a title."""

    severity: Severity
    name: str


RUN_FAILED = "run_failed"

KINDS: Mapping[str, IncidentKind] = {
    RUN_FAILED: IncidentKind(Severity.HIGH, "run failed"),
    "api_errors": IncidentKind(Severity.HIGH, "API error rate too high"),
    "accuracy": IncidentKind(Severity.MEDIUM, "accuracy too low"),
    "not_below_previous": IncidentKind(Severity.MEDIUM, "worse than the release before"),
    "no_drift": IncidentKind(Severity.MEDIUM, "accuracy falls over releases"),
    "run_time": IncidentKind(Severity.LOW, "long run"),
}
"""A failed run, and the asset checks that alert, by name."""


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """The outcome of an asset check; `subject` is the release that was checked."""

    check: str
    subject: str
    passed: bool
    expected: str
    actual: str


@dataclass(frozen=True, slots=True)
class EndedRun:
    """A run that succeeded (`error` is None) or failed, with its results.

    `subject` is the release it was for, else the assets it was to make. `planned` and `made` name
    pieces of work (`answers of conv-26|r1`). `summaries` has the lines of `reporting.summary` of
    the releases whose metrics it made.
    """

    run_id: str
    subject: str
    error: str | None
    planned: frozenset[str]
    made: frozenset[str]
    checks: tuple[CheckOutcome, ...] = ()
    summaries: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that was notified and has not recovered.

    `causes` are the normalized causes notified so far. `undone` is the work that must be made
    before a failed run has recovered.
    """

    kind: str
    subject: str
    since: datetime
    causes: tuple[str, ...]
    undone: frozenset[str] = frozenset()

    @property
    def key(self) -> str:
        """What identifies an incident."""
        return f"{self.kind} {self.subject}"


@dataclass(frozen=True, slots=True)
class Notification:
    """A message to the channels of its severity.

    `pending_channels` are the positions of the channels that have not accepted it; None: all. It
    is sent again from `next_try_at` on.
    """

    key: str
    severity: Severity
    recovered: bool
    title: str
    text: str
    next_try_at: datetime
    pending_channels: Annotated[tuple[int, ...] | None, Field(alias="owed")] = None
    tries: int = 0


@dataclass(frozen=True, slots=True)
class AlertState:
    """All that is kept between two ticks; `position` is the last event seen.

    It is stored as JSON in the sensor's cursor. The aliases are the keys of cursors in use.
    """

    position: int
    incidents: Annotated[dict[str, Incident], Field(alias="troubles")] = field(default_factory=dict)
    notifications: Annotated[tuple[Notification, ...], Field(alias="notices")] = ()

    def to_json(self) -> str:
        """As text, for `from_json`."""
        return _STATE.dump_json(self, by_alias=True).decode()

    @classmethod
    def from_json(cls, text: str | None) -> "AlertState | None":
        """None where there is none, or one that can't be read."""
        try:
            return _STATE.validate_json(text) if text else None
        except ValidationError:
            return None


_STATE = TypeAdapter(AlertState)
