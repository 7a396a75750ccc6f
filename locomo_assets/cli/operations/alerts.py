"""`alert-test`: sends a test message to every alert channel."""

from datetime import UTC, datetime

import typer

from locomo_assets.errors import LocomoError
from locomo_assets.network import ALERT_BUNDLES, check_network
from locomo_assets.settings import read_settings


class ChannelError(LocomoError):
    """An alert channel is not set, not understood, or did not accept a message."""


def register(app: typer.Typer) -> None:
    """Adds the command of this module."""
    app.command()(alert_test)


def alert_test() -> None:
    """Send a test message to every alert channel, and say which accepted it. Costs nothing."""
    from locomo_assets.pipeline.sensors.alerts import alert_urls
    from locomo_assets.reporting.alerts.channels import Channels
    from locomo_assets.reporting.alerts.model import Notification

    urls = alert_urls(read_settings())
    if not urls:
        raise ChannelError(
            "no alert channel: set LOCOMO_ALERT_URLS_HIGH, …_MEDIUM or …_LOW; see docs/alerts.md"
        )
    check_network(ALERT_BUNDLES)
    channels = Channels(urls)
    failed = []
    for severity in urls:
        notification = Notification(
            key="test",
            severity=severity,
            recovered=False,
            title=f"LoCoMo: test of the alerts of severity {severity}",
            text="Nothing is wrong. Sent by `locomo-assets alert-test`.",
            next_try_at=datetime.now(UTC),
        )
        pending = channels.send(notification)
        for position, name in enumerate(channels.names(severity)):
            channel = f"{severity} {position + 1}"
            accepted = position not in pending and channel not in channels.refused
            print(f"{channel} ({name}): {'accepted' if accepted else 'NOT accepted'}")
            failed += [] if accepted else [f"{channel} ({name})"]
    if failed:
        raise ChannelError(
            f"alert channels {', '.join(failed)}: did not accept the message; compare the URLs "
            "with apprise's documentation, and check that the service can be reached from here"
        )
