"""Sending notifications to the configured channels, through apprise."""

import time
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from locomo_assets.redaction import keep_out_of_logs, secrets_in_url
from locomo_assets.reporting.alerts.model import Notification, Severity

if TYPE_CHECKING:
    from apprise import NotifyBase

ROUND_TIMEOUT_S = 15.0
"""For all notifications of one round together."""

SEND_TIMEOUT_S = 8.0
"""For one notification, over all its channels at once."""


class Channels:
    """Each severity's channels, in the order of its URLs.

    `refused` names the URLs apprise does not understand, by severity and position from 1, without
    the URLs themselves: they hold tokens.
    """

    def __init__(self, urls: Mapping[Severity, str]) -> None:
        from apprise import Apprise
        from apprise.utils.parse import parse_urls

        self._services: dict[Severity, list[NotifyBase | None]] = {}
        self.refused: list[str] = []
        for severity, text in urls.items():
            each = parse_urls(text) or [text]  # type: ignore[no-untyped-call]
            for secret in {one for url in each for one in secrets_in_url(url)}:
                keep_out_of_logs(secret)
            with warnings.catch_warnings():
                # apprise loads its plugins at the first URL; some use what Python 3.13 removed.
                warnings.simplefilter("ignore", category=DeprecationWarning)
                services = [Apprise.instantiate(url) for url in each]
            self._services[severity] = services
            self.refused += [
                f"{severity} {number}" for number, one in enumerate(services, 1) if one is None
            ]

    def names(self, severity: Severity) -> list[str]:
        """The services of its channels (`JSON`, `Slack`, …), in order."""
        return [
            "not understood" if one is None else str(one.service_name)
            for one in self._services.get(severity, [])
        ]

    def send(self, notification: Notification, timeout_s: float = SEND_TIMEOUT_S) -> list[int]:
        """Sends to the pending channels; the positions (from 0) of those that did not accept it.

        A channel that is not understood counts as done: another try would not help.
        """
        from apprise import Apprise, NotifyFormat, NotifyType

        services = self._services.get(notification.severity, [])
        pending = notification.pending_channels
        targets = [
            (position, service)
            for position in (range(len(services)) if pending is None else pending)
            if position < len(services) and (service := services[position]) is not None
        ]
        if not targets:
            return []
        result = Apprise([service for _, service in targets]).notify(
            notification.text,
            title=notification.title,
            notify_type=NotifyType.SUCCESS
            if notification.recovered
            else _TYPES[notification.severity],
            body_format=NotifyFormat.TEXT,
            timeout=timeout_s,
        )
        # One result a service, in their order; none where the whole call could not be made.
        accepted = [bool(one) for one in result] or [False] * len(targets)
        return [position for (position, _), ok in zip(targets, accepted, strict=True) if not ok]

    def send_all(self, notifications: Sequence[Notification]) -> dict[str, list[int]]:
        """By key, the channels that did not accept it. What no time was left for is absent."""
        deadline = time.monotonic() + ROUND_TIMEOUT_S
        failed = {}
        for notification in notifications:
            left = deadline - time.monotonic()
            if left < 1.0:
                break
            failed[notification.key] = self.send(notification, min(left, SEND_TIMEOUT_S))
        return failed


_TYPES = {Severity.HIGH: "failure", Severity.MEDIUM: "warning", Severity.LOW: "info"}
