"""Clients for tests: quick to retry, and keeping their records."""

from dataclasses import dataclass, field
from typing import Any

from locomo_assets.backboard.client import BackboardClient
from locomo_assets.http.calls import CallRecord
from locomo_assets.http.retry import RetrySettings

KEY = "bb-test-key-4711"
QUICK = RetrySettings(attempts=4, base_s=0.001, longest_s=0.002, read_back_s=(0.01, 0.02))


@dataclass
class Records:
    """The call records of a test."""

    all: list[CallRecord] = field(default_factory=list)

    def __call__(self, record: CallRecord) -> None:
        self.all.append(record)

    def errors(self) -> list[str | None]:
        return [record.error for record in self.all]


def quick_client(base_url: str, **more: Any) -> BackboardClient:
    return BackboardClient(base_url, KEY, **{"retry": QUICK, **more})
