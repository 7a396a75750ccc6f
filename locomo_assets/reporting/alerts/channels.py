"""The channels that notices go to, through apprise: Slack, PagerDuty, mail and a hundred more.

Here: reading their URLs and sending within a time limit. A channel that is down, slow or says no
is a channel that did not take the notice, never an error: alerts are no reason to fail anything.
"""

import time
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from locomo_assets.reporting.alerts.hiding import secrets_in_url
from locomo_assets.reporting.alerts.model import Notice, Severity
from locomo_assets.secrecy import keep_out_of_logs

if TYPE_CHECKING:
    from apprise import NotifyBase

TIME_LIMIT_S = 15.0
"""For all notices of one round together."""

ONE_NOTICE_S = 8.0
"""For one notice, over all its channels at once."""


class Channels:
    """Each severity's channels, in the order of its URLs.

    `refused` says which URLs are not understood, by severity and place from 1, without them.
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
                # Its plugins, loaded at the first URL, use what Python 3.13 has no more.
                warnings.simplefilter("ignore", category=DeprecationWarning)
                services = [Apprise.instantiate(url) for url in each]
            self._services[severity] = services
            self.refused += [
                f"{severity} {place}" for place, one in enumerate(services, 1) if one is None
            ]

    def names(self, severity: Severity) -> list[str]:
        """What its channels are (`JSON`, `Slack`, …), in order."""
        return [
            "not understood" if one is None else str(one.service_name)
            for one in self._services.get(severity, [])
        ]

    def send(self, notice: Notice, timeout_s: float = ONE_NOTICE_S) -> list[int]:
        """The places (from 0) of the channels that did not take it, but may another time."""
        from apprise import Apprise, NotifyFormat, NotifyType

        services = self._services.get(notice.severity, [])
        owed = range(len(services)) if notice.owed is None else notice.owed
        asked = [
            (place, service)
            for place in owed
            if place < len(services) and (service := services[place]) is not None
        ]
        if not asked:
            return []
        result = Apprise([service for _, service in asked]).notify(
            notice.text,
            title=notice.title,
            notify_type=NotifyType.SUCCESS if notice.recovered else _TYPES[notice.severity],
            body_format=NotifyFormat.TEXT,
            timeout=timeout_s,
        )
        # One result a service, in their order; none where the whole call could not be made.
        taken = [bool(one) for one in result] or [False] * len(asked)
        return [place for (place, _), took in zip(asked, taken, strict=True) if not took]

    def send_all(self, notices: Sequence[Notice]) -> dict[str, list[int]]:
        """By key the channels that did not take it; without those that no time was left for."""
        until = time.monotonic() + TIME_LIMIT_S
        tried = {}
        for notice in notices:
            left = until - time.monotonic()
            if left < 1.0:
                break
            tried[notice.key] = self.send(notice, min(left, ONE_NOTICE_S))
        return tried


_TYPES = {Severity.HIGH: "failure", Severity.MEDIUM: "warning", Severity.LOW: "info"}
