"""Labels that nobody chose."""

import re
from datetime import UTC, datetime

import pytest

from locomo_assets.labels import label_fault
from locomo_assets.runs import releases
from locomo_assets.runs.releases import adhoc_label, claims_no_release


def test_two_of_the_same_moment_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stopped(datetime):
        @classmethod
        def now(cls, tz: object = None) -> "Stopped":
            return cls(2026, 11, 27, 16, 40, 22, tzinfo=UTC)

    monkeypatch.setattr(releases, "datetime", Stopped)
    made = {adhoc_label() for _ in range(10)}
    # Ten of 1.7 million: that two are alike happens once in 37,000 times, three never.
    assert len(made) >= 9
    for label in made:
        assert re.fullmatch(r"adhoc-20261127T164022-[a-z\d]{4}", label)
        assert label_fault(label) is None
        assert claims_no_release(label)
