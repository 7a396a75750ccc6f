"""Titles and texts of notices: for people, in a few lines, without a secret.

Here: the words. What somebody else said (an error, a finding) is cleaned and cut before it is used
or remembered.
"""

import re
from dataclasses import dataclass, replace
from datetime import datetime

from locomo_assets.reporting.alerts.hiding import hide_all
from locomo_assets.reporting.alerts.model import KINDS, EndedRun, Look, Trouble

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
