"""The text of alerts: what a notification says, without any secret."""

import re
from dataclasses import dataclass, replace
from datetime import datetime

from locomo_assets.redaction import hide_all
from locomo_assets.reporting.alerts.model import KINDS, CheckOutcome, EndedRun, Incident

_MAX_TEXT = 600
_MAX_NAME = 120
_MAX_SUMMARY_LINE = 300
_MAX_PIECES = 6


@dataclass(frozen=True, slots=True)
class Formatter:
    """Writes titles and texts. Links lead to `ui_url`, if there is one; `secrets` are hidden."""

    ui_url: str | None = None
    secrets: tuple[str, ...] = ()

    def redact(self, run: EndedRun) -> EndedRun:
        """The run with every text short and free of secrets, fit to be sent and stored."""
        return replace(
            run,
            subject=self._redact(run.subject, _MAX_NAME),
            error=None if run.error is None else self._redact(run.error, _MAX_TEXT),
            checks=tuple(
                replace(
                    outcome,
                    subject=self._redact(outcome.subject, _MAX_NAME),
                    expected=self._redact(outcome.expected, _MAX_TEXT),
                    actual=self._redact(outcome.actual, _MAX_TEXT),
                )
                for outcome in run.checks
            ),
            summaries={
                self._redact(release, _MAX_NAME): tuple(
                    self._redact(line, _MAX_SUMMARY_LINE) for line in lines
                )
                for release, lines in run.summaries.items()
            },
        )

    def line(self, text: str) -> str:
        """The text as one short line without secrets."""
        return self._redact(text, _MAX_TEXT)

    def _redact(self, text: str, max_length: int) -> str:
        # Secrets are hidden before the text is cut: half a key would not be recognized.
        line = " ".join(hide_all(text[: 10 * max_length], self.secrets).split())
        return line if len(line) <= max_length else f"{line[: max_length - 1]}…"

    def run_failed(self, incident: Incident, run: EndedRun) -> tuple[str, str]:
        """Title and text of a failed run."""
        lines = [
            run.error or "no cause is recorded",
            f"Left undone: {_join(run.planned - run.made or run.planned)}.",
            "What is stored stays; the same run again goes on where this one stopped.",
            self._link(run),
        ]
        return title(incident), "\n".join(lines)

    def check_failed(
        self, incident: Incident, run: EndedRun, outcome: CheckOutcome
    ) -> tuple[str, str]:
        """Title and text of a check that did not pass; of a release, with its summary."""
        lines = [
            f"Expected: {outcome.expected}.",
            f"Found: {outcome.actual}.",
            *run.summaries.get(outcome.subject, ()),
            self._link(run),
        ]
        return title(incident), "\n".join(lines)

    def recovered(
        self, incident: Incident, run: EndedRun, outcome: CheckOutcome | None
    ) -> tuple[str, str]:
        """Title and text of the end of an incident."""
        lines = [
            f"Found: {outcome.actual}." if outcome else "All that was left undone is made.",
            f"It began at {_utc(incident.since)}.",
            self._link(run),
        ]
        return f"{title(incident)} – recovered", "\n".join(lines)

    def _link(self, run: EndedRun) -> str:
        if self.ui_url is None:
            return f"Dagster run {run.run_id} (LOCOMO_UI_URL would make this a link)"
        return f"{self.ui_url.rstrip('/')}/runs/{run.run_id}"


def title(incident: Incident) -> str:
    """One line, all that a telephone shows."""
    return f"LoCoMo {incident.subject}: {KINDS[incident.kind].name}"


def normalize_cause(text: str) -> str:
    """The text without numbers and ids, so that a repetition is told from a new cause."""
    without_ids = re.sub(r"\b[0-9a-f]{8}[0-9a-f-]*\b", "#", text.lower())
    return re.sub(r"\d+(?:\.\d+)?", "#", without_ids)[:200]


def _join(pieces: frozenset[str]) -> str:
    shown = sorted(pieces)[:_MAX_PIECES]
    more = len(pieces) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _utc(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
