"""Sending through apprise to a real socket: accepted, refused, down, hanging, and in time."""

import logging
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from locomo_assets.reporting.alerts import channels as module
from locomo_assets.reporting.alerts.channels import Channels
from locomo_assets.reporting.alerts.model import Notification, Severity
from locomo_assets_tests.reporting.alerts.sink import served_sink

NOTIFICATION = Notification(
    "run_failed r1", Severity.HIGH, False, "LoCoMo r1: run failed", "<b>why</b>\n& where",
    datetime(2026, 11, 24, tzinfo=UTC),
)  # fmt: skip


def test_title_text_and_type_arrive_as_they_are() -> None:
    with served_sink() as sink:
        assert Channels({Severity.HIGH: sink.url()}).send(NOTIFICATION) == []
    (post,) = sink.posts
    assert (post["title"], post["message"], post["type"]) == (
        NOTIFICATION.title,
        NOTIFICATION.text,
        "failure",
    )


def test_a_severity_without_channels_has_none_pending() -> None:
    assert Channels({Severity.LOW: "json://127.0.0.1:9/"}).send(NOTIFICATION) == []


def test_channels_down_failing_and_not_understood_leave_the_others_served() -> None:
    with served_sink() as good, served_sink() as bad:
        bad.mode = "fails"
        urls = f"{bad.url()} json://127.0.0.1:9/x, {good.url()} nonsense://x"
        channels = Channels({Severity.HIGH: urls})
        assert channels.refused == ["high 4"]
        assert channels.send(NOTIFICATION) == [0, 1]
        assert (len(good.posts), bad.refused) == (1, 1)
        bad.mode = "accepts"
        assert channels.send(replace(NOTIFICATION, pending_channels=(0,))) == []
        assert (len(good.posts), len(bad.posts)) == (1, 1)


def test_a_hanging_channel_costs_the_time_limit_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "SEND_TIMEOUT_S", 1.0)
    monkeypatch.setattr(module, "ROUND_TIMEOUT_S", 1.5)
    with served_sink() as sink:
        sink.mode = "hangs"
        channels = Channels({Severity.HIGH: sink.url()})
        started = time.monotonic()
        assert channels.send_all([NOTIFICATION, NOTIFICATION]) == {NOTIFICATION.key: [0]}
        # By itself the channel would hang for a minute.
        assert time.monotonic() - started < 30
        assert sink.refused == 1


def test_tokens_of_the_urls_are_in_no_log_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    token = "T0kenOfTheChannel123"
    with served_sink() as sink:
        sink.mode = "fails"
        channels = Channels({Severity.HIGH: f"{sink.url(token)}?-auth=Qu3ryT0ken"})
        assert channels.send(NOTIFICATION) == [0]
        Channels({Severity.HIGH: f"nonsense://{token}"})
    assert "JSON POST URL" in caplog.text
    assert token not in caplog.text
    assert "Qu3ryT0ken" not in caplog.text
