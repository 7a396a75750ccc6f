"""Alerts in words for people, without a secret, and on their way to the channels."""

import re
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from locomo_assets.redaction import hide_all, keep_out_of_logs, secrets_in_url
from locomo_assets.reporting.alerts.model import KINDS, EndedRun, Look, Notice, Severity, Trouble

if TYPE_CHECKING:
    from apprise import NotifyBase


_LONGEST_TEXT = 600
_LONGEST_NAME = 120
_PIECES_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Teller:
    """Knows where the UI is (None: links can't be made) and what must never be said."""

    ui_url: str | None = None
    secrets: tuple[str, ...] = ()

    def cleaned(self, run: EndedRun) -> EndedRun:
        """The run as it may be told and remembered."""
        return replace(
            run,
            subject=self._clean(run.subject, _LONGEST_NAME),
            error=None if run.error is None else self._clean(run.error, _LONGEST_TEXT),
            looks=tuple(
                replace(
                    look,
                    subject=self._clean(look.subject, _LONGEST_NAME),
                    expected=self._clean(look.expected, _LONGEST_TEXT),
                    actual=self._clean(look.actual, _LONGEST_TEXT),
                )
                for look in run.looks
            ),
        )

    def _clean(self, text: str, longest: int) -> str:
        # Hidden before it is cut to its length, or half a key would stay.
        line = " ".join(hide_all(text[: 10 * longest], self.secrets).split())
        return line if len(line) <= longest else f"{line[: longest - 1]}…"

    def failed(self, trouble: Trouble, run: EndedRun) -> tuple[str, str]:
        """Title and text of a failed run."""
        lines = [
            run.error or "no cause is recorded",
            f"Left undone: {_listed(run.planned - run.made or run.planned)}.",
            "What is stored stays; the same run again goes on where this one stopped.",
            self._link(run),
        ]
        return title(trouble), "\n".join(lines)

    def found(self, trouble: Trouble, run: EndedRun, look: Look) -> tuple[str, str]:
        """Title and text of a check that did not pass."""
        lines = [f"Expected: {look.expected}.", f"Found: {look.actual}.", self._link(run)]
        return title(trouble), "\n".join(lines)

    def recovered(self, trouble: Trouble, run: EndedRun, look: Look | None) -> tuple[str, str]:
        """Title and text of the end of a trouble."""
        lines = [
            f"Found: {look.actual}." if look else "All that was left undone is made.",
            f"It had been so since {_moment(trouble.since)}.",
            self._link(run),
        ]
        return f"{title(trouble)} – recovered", "\n".join(lines)

    def _link(self, run: EndedRun) -> str:
        if self.ui_url is None:
            return f"Dagster run {run.run_id} (LOCOMO_UI_URL would make this a link)"
        return f"{self.ui_url.rstrip('/')}/runs/{run.run_id}"


def title(trouble: Trouble) -> str:
    """The one line that must be enough on a telephone."""
    return f"LoCoMo {trouble.subject}: {KINDS[trouble.kind].name}"


def shape(text: str) -> str:
    """A text without what differs each time (numbers, ids), to tell a change from a repetition."""
    without_ids = re.sub(r"\b[0-9a-f]{8}[0-9a-f-]*\b", "#", text.lower())
    return re.sub(r"\d+(?:\.\d+)?", "#", without_ids)[:200]


def _listed(pieces: frozenset[str]) -> str:
    shown = sorted(pieces)[:_PIECES_SHOWN]
    more = len(pieces) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


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
