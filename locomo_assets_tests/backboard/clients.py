"""Clients for tests: quick to retry, and keeping their records."""

from dataclasses import dataclass, field, fields
from typing import Any

from locomo_assets.backboard.client import BackboardClient
from locomo_assets.http.calls import CallOptions, CallRecord
from locomo_assets.http.errors import RetrySettings

KEY = "bb-test-key-4711"
QUICK = RetrySettings(
    attempts=4,
    base_s=0.001,
    longest_s=0.002,
    quiet_s=0.03,
    quiet_after_overdue_s=0.1,
    quiet_after_429_s=0.0,
)


@dataclass
class Records:
    """The call records of a test."""

    all: list[CallRecord] = field(default_factory=list)

    def __call__(self, record: CallRecord) -> None:
        self.all.append(record)

    def errors(self) -> list[str | None]:
        return [record.error for record in self.all]


def call_options(given: dict[str, Any]) -> CallOptions:
    """Takes what is an option of each call out of `given`."""
    names = [one.name for one in fields(CallOptions) if one.name in given]
    return CallOptions(**{name: given.pop(name) for name in names})


def quick_client(base_url: str, **more: Any) -> BackboardClient:
    return BackboardClient(base_url, KEY, call_options(more), **{"retry": QUICK, **more})
