"""Which incidents of ended runs are notified: pure steps from one alert state to the next.

An incident is notified when it begins, when its cause changes and when it has recovered. The same
cause is not notified twice before that. Nothing is sent here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from locomo_assets.reporting.alerts.formatter import Formatter, normalize_cause
from locomo_assets.reporting.alerts.model import (
    KINDS,
    RUN_FAILED,
    AlertState,
    CheckOutcome,
    EndedRun,
    Incident,
    Notification,
)

MAX_TRIES = 10
"""Of sending a notification, with doubling pauses: over some four hours."""

FIRST_PAUSE = timedelta(seconds=30)
INCIDENT_TTL = timedelta(days=30)
"""After this an incident without an end is dropped, and notified anew if it goes on."""

_MAX_CAUSES = 5
_MAX_INCIDENTS = 100
_MAX_NOTIFICATIONS = 50


def detect(
    state: AlertState, runs: Iterable[EndedRun], formatter: Formatter, now: datetime
) -> AlertState:
    """The state after these runs, given in the order in which they ended."""
    state = _expire(state, now)
    for run in runs:
        state = _apply(state, formatter.redact(run), formatter, now)
    return state


def due(state: AlertState, now: datetime) -> Sequence[Notification]:
    """The notifications to send now, the longest waiting first."""
    return sorted(
        (one for one in state.notifications if one.next_try_at <= now),
        key=lambda one: one.next_try_at,
    )


def record_sent(
    state: AlertState, tried: Mapping[str, Sequence[int]], now: datetime
) -> tuple[AlertState, Sequence[Notification]]:
    """The state after sending, and the notifications that are given up.

    `tried` maps a notification's key to the channels that still did not accept it.
    """
    waiting: list[Notification] = []
    given_up: list[Notification] = []
    for notification in state.notifications:
        if notification.key not in tried:
            waiting.append(notification)
        elif pending := tuple(tried[notification.key]):
            again = replace(
                notification,
                pending_channels=pending,
                tries=notification.tries + 1,
                next_try_at=now + FIRST_PAUSE * 2**notification.tries,
            )
            (waiting if again.tries < MAX_TRIES else given_up).append(again)
    return replace(state, notifications=tuple(waiting)), given_up


def _apply(state: AlertState, run: EndedRun, formatter: Formatter, now: datetime) -> AlertState:
    state = _apply_made_work(state, run, formatter, now)
    if run.error is not None:
        state = _apply_failure(state, run, formatter, now)
    for outcome in run.checks:
        if outcome.check in KINDS:
            state = _apply_check(state, run, outcome, formatter, now)
    return state


def _apply_made_work(
    state: AlertState, run: EndedRun, formatter: Formatter, now: datetime
) -> AlertState:
    for incident in list(state.incidents.values()):
        if incident.kind != RUN_FAILED or not incident.undone & run.made:
            continue
        left = replace(incident, undone=incident.undone - run.made)
        if left.undone:
            state = _keep(state, left)
        else:
            state = _resolve(state, incident, formatter.recovered(incident, run, None), now)
    return state


def _apply_failure(
    state: AlertState, run: EndedRun, formatter: Formatter, now: datetime
) -> AlertState:
    new = Incident(RUN_FAILED, run.subject, since=now, causes=())
    known = state.incidents.get(new.key, new)
    # A run that failed after making everything recovers when all of it is made again.
    undone = run.planned - run.made or run.planned
    incident = replace(known, undone=known.undone | undone)
    cause = normalize_cause(run.error or "")
    return _deduplicate(state, incident, cause, formatter.run_failed(incident, run), now)


def _apply_check(
    state: AlertState, run: EndedRun, outcome: CheckOutcome, formatter: Formatter, now: datetime
) -> AlertState:
    new = Incident(outcome.check, outcome.subject, since=now, causes=())
    known = state.incidents.get(new.key)
    if outcome.passed:
        if known is None:
            return state
        return _resolve(state, known, formatter.recovered(known, run, outcome), now)
    incident = known or new
    cause = normalize_cause(outcome.actual)
    return _deduplicate(state, incident, cause, formatter.check_failed(incident, run, outcome), now)


def _deduplicate(
    state: AlertState, incident: Incident, cause: str, message: tuple[str, str], now: datetime
) -> AlertState:
    """Keeps the incident, and notifies it if its cause is a new one."""
    if cause in incident.causes or len(incident.causes) >= _MAX_CAUSES:
        return _keep(state, incident)
    incident = replace(incident, causes=(*incident.causes, cause))
    return _notify(_keep(state, incident), incident, message, now, recovered=False)


def _resolve(
    state: AlertState, incident: Incident, message: tuple[str, str], now: datetime
) -> AlertState:
    others = {key: one for key, one in state.incidents.items() if key != incident.key}
    return _notify(replace(state, incidents=others), incident, message, now, recovered=True)


def _keep(state: AlertState, incident: Incident) -> AlertState:
    incidents = {**state.incidents, incident.key: incident}
    newest = sorted(incidents.values(), key=lambda one: one.since)[-_MAX_INCIDENTS:]
    return replace(state, incidents={one.key: one for one in newest})


def _notify(
    state: AlertState,
    incident: Incident,
    message: tuple[str, str],
    now: datetime,
    *,
    recovered: bool,
) -> AlertState:
    title, text = message
    notification = Notification(
        key=incident.key,
        severity=KINDS[incident.kind].severity,
        recovered=recovered,
        title=title,
        text=text,
        next_try_at=now,
    )
    # An unsent notification of the same incident is out of date.
    others = [one for one in state.notifications if one.key != notification.key]
    return replace(state, notifications=(*others, notification)[-_MAX_NOTIFICATIONS:])


def _expire(state: AlertState, now: datetime) -> AlertState:
    incidents = {k: one for k, one in state.incidents.items() if now - one.since < INCIDENT_TTL}
    return replace(state, incidents=incidents)
