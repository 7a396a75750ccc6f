"""`alert-test`: do the channels for alerts take a message? Costs nothing."""

from datetime import UTC, datetime

import typer

from locomo_assets.errors import LocomoError
from locomo_assets.settings import read_settings


class ChannelError(LocomoError):
    """A channel for alerts is not set, not understood, or does not take a message."""


def register(app: typer.Typer) -> None:
    """Adds the command of this module."""
    app.command()(alert_test)


def alert_test() -> None:
    """Send a test message to every alert channel, and say which took it. Costs nothing."""
    from locomo_assets.pipeline.sensors.alerts import alert_urls
    from locomo_assets.reporting.alerts.channels import Channels
    from locomo_assets.reporting.alerts.model import Notice

    urls = alert_urls(read_settings())
    if not urls:
        raise ChannelError(
            "no alert channel: set LOCOMO_ALERT_URLS_HIGH, …_MEDIUM or …_LOW; see docs/alerts.md"
        )
    channels = Channels(urls)
    failed = []
    for severity in urls:
        notice = Notice(
            key="test",
            severity=severity,
            recovered=False,
            title=f"LoCoMo: test of the alerts of severity {severity}",
            text="Nothing is wrong. Sent by `locomo-assets alert-test`.",
            next_try_at=datetime.now(UTC),
        )
        owed = channels.send(notice)
        for place, name in enumerate(channels.names(severity)):
            took = place not in owed and f"{severity} {place + 1}" not in channels.refused
            print(f"{severity} {place + 1} ({name}): {'taken' if took else 'NOT taken'}")
            failed += [] if took else [f"{severity} {place + 1} ({name})"]
    if failed:
        raise ChannelError(
            f"alert channels {', '.join(failed)}: did not take the message; compare the URLs with "
            "apprise's documentation, and see that the place is reachable from here"
        )
