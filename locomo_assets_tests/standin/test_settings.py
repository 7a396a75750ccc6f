"""Invalid settings are refused, in one line that names the setting."""

from typing import Any

import pytest

from locomo_assets.standin.settings import StandinSettings, StandinSettingsError


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"keys": ()}, "keys"),
        ({"keys": ("",)}, "keys"),
        ({"cut_stream_share": 1.5}, "cut_stream_share"),
        ({"lost_answer_share": -0.1}, "lost_answer_share"),
        ({"rate_limited_share": float("nan")}, "rate_limited_share"),
        ({"memory_delay_ms": -1.0}, "memory_delay_ms"),
        ({"chunk_latency_ms": float("inf")}, "chunk_latency_ms"),
        ({"retry_after_s": -1}, "retry_after_s"),
        ({"late_s": (2.0, 1.0)}, "late_s"),
        ({"late_s": (-1.0, 1.0)}, "late_s"),
        ({"late_statuses": ()}, "late_statuses"),
        ({"late_statuses": (200,)}, "late_statuses"),
        ({"refused_after_statuses": (0,)}, "refused_after_statuses"),
        ({"memory_failed_share": 0.6, "memory_stuck_share": 0.6}, "memory_failed_share"),
        ({"max_in_flight": 0}, "max_in_flight"),
        ({"requests_per_second": 0.0}, "requests_per_second"),
    ],
)
def test_what_cannot_be_is_refused(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(StandinSettingsError) as raised:
        StandinSettings(**settings)
    assert named in str(raised.value)
    assert "\n" not in str(raised.value)


def test_limits_themselves_are_allowed() -> None:
    StandinSettings(cut_stream_share=1.0, lost_answer_share=0.0, retry_after_s=0, max_in_flight=1)
