"""Waits: bounded, and Retry-After read defensively."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locomo_assets.http.errors import RetrySettings, parse_retry_after

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 1.5 ", 1.5),
        ("0", 0.0),
        ("Fri, 02 Jan 2026 03:05:05 GMT", 60.0),
        ("Fri, 02 Jan 2026 03:00:00 GMT", 0.0),
        (None, None),
        ("", None),
        ("-3", None),
        ("nan", None),
        ("inf", None),
        ("soon", None),
        ("9" * 400, None),
        ("Fri, 99 Jan 2026 03:00:00 GMT", None),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, NOW) == seconds


@given(st.text())
def test_any_retry_after_is_a_wait_or_nothing(value: str) -> None:
    seconds = parse_retry_after(value, NOW)
    assert seconds is None or 0.0 <= seconds < float("inf")


@given(attempt=st.integers(1, 10_000), after=st.none() | st.floats(0, 1e300))
def test_waits_are_bounded(attempt: int, after: float | None) -> None:
    retry = RetrySettings(base_s=0.5, longest_s=30.0, longest_retry_after_s=120.0)
    wait = retry.wait_s(attempt, after)
    assert min(after or 0.0, 120.0) <= wait <= 150.0


def test_waits_grow_and_differ() -> None:
    retry = RetrySettings(base_s=1.0, longest_s=64.0)
    early = [retry.wait_s(1, None) for _ in range(300)]
    late = [retry.wait_s(6, None) for _ in range(300)]
    assert max(early) <= 1.0 < max(late) <= 32.0
    assert len(set(late)) > 290
