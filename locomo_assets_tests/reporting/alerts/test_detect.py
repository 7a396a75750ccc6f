"""Which incidents are notified, and when: once, on a new cause, and when they have recovered."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locomo_assets.reporting.alerts.detect import (
    INCIDENT_TTL,
    MAX_TRIES,
    detect,
    due,
    record_sent,
)
from locomo_assets.reporting.alerts.formatter import Formatter
from locomo_assets.reporting.alerts.model import AlertState, CheckOutcome, EndedRun, Severity

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
FORMATTER = Formatter(ui_url="https://ui.example.org/")
EMPTY = AlertState(position=0)
WORK = frozenset({"answers of conv-1|r1", "answers of conv-2|r1"})


def failed(error: str = "key refused", made: frozenset[str] = frozenset()) -> EndedRun:
    return EndedRun("run-1", "r1", error, WORK, made)


def succeeded(made: frozenset[str] = WORK, run_id: str = "run-2") -> EndedRun:
    return EndedRun(run_id, "r1", None, made, made)


def checked(
    passed: bool, actual: str = "71.3 %", check: str = "accuracy", subject: str = "r1"
) -> EndedRun:
    outcome = CheckOutcome(check, subject, passed, "at least 85 %", actual)
    return EndedRun("run-3", subject, None, frozenset(), frozenset(), (outcome,))


def after(*runs: EndedRun, state: AlertState = EMPTY, now: datetime = NOW) -> AlertState:
    return detect(state, runs, FORMATTER, now)


def sent(state: AlertState) -> AlertState:
    return record_sent(state, {notification.key: () for notification in state.notifications}, NOW)[
        0
    ]


def test_a_failed_run_is_notified_once_until_it_recovers() -> None:
    state = after(failed())
    (notification,) = state.notifications
    assert (notification.severity, notification.recovered) == (Severity.HIGH, False)
    assert notification.title == "LoCoMo r1: run failed"
    assert "key refused" in notification.text
    assert "https://ui.example.org/runs/run-1" in notification.text
    state = after(failed(), failed(), state=sent(state))
    assert state.notifications == ()
    state = after(succeeded(), state=state)
    (notification,) = state.notifications
    assert (notification.severity, notification.recovered) == (Severity.HIGH, True)
    assert notification.title == "LoCoMo r1: run failed – recovered"
    assert "2026-11-24 12:00 UTC" in notification.text
    assert state.incidents == {}
    assert len(after(failed(), state=sent(state)).notifications) == 1


def test_it_has_recovered_when_all_that_was_left_undone_is_made() -> None:
    one, other = sorted(WORK)
    state = sent(after(failed(made=frozenset({one}))))
    assert after(succeeded(frozenset({one})), state=state).notifications == ()
    assert after(succeeded(frozenset({"answers of conv-2|r2"})), state=state).notifications == ()
    assert len(after(succeeded(frozenset({other})), state=state).notifications) == 1
    # What another failed run made counts as well.
    again = failed("a new cause", made=frozenset({other}))
    assert len(after(replace(again, planned=frozenset({other})), state=state).notifications) == 1


def test_a_run_that_failed_after_its_work_recovers_with_the_work() -> None:
    state = sent(after(failed(made=WORK)))
    assert after(succeeded(), state=state).notifications[0].recovered


def test_another_cause_is_notified_and_another_number_is_not() -> None:
    state = sent(after(failed("conv-26: no answer within 30.5 s (request 0f3c9a7e12)")))
    same = failed("conv-30: no answer within 61 s (request 99aa00bb17)")
    assert after(same, state=state).notifications == ()
    state = after(failed("the key was refused"), state=state)
    assert "the key was refused" in state.notifications[0].text
    # Two causes in turn are two causes, not one alert after the other.
    for _ in range(3):
        state = after(same, failed("the key was refused"), state=sent(state))
        assert state.notifications == ()


def test_ever_new_causes_come_to_an_end() -> None:
    state, notified = EMPTY, 0
    for cause in "abcdefghij":
        state = after(failed(cause * 9), state=state)
        notified += len(state.notifications)
        state = sent(state)
    assert notified == 5


@pytest.mark.parametrize(
    ("check", "severity", "name"),
    [
        ("api_errors", Severity.HIGH, "API error rate too high"),
        ("accuracy", Severity.MEDIUM, "accuracy too low"),
        ("not_below_previous", Severity.MEDIUM, "worse than the release before"),
        ("no_drift", Severity.MEDIUM, "accuracy falls over releases"),
        ("run_time", Severity.LOW, "long run"),
    ],
)
def test_checks_are_notified_by_severity(check: str, severity: Severity, name: str) -> None:
    state = after(checked(False, check=check))
    (notification,) = state.notifications
    assert (notification.severity, notification.title) == (severity, f"LoCoMo r1: {name}")
    assert "at least 85 %" in notification.text
    assert "71.3 %" in notification.text
    assert after(checked(False, "70.9 %", check), state=sent(state)).notifications == ()
    changed = after(checked(False, "nothing is scored", check), state=sent(state))
    assert len(changed.notifications) == 1
    over = after(checked(True, "88 %", check), state=sent(state))
    assert over.notifications[0].recovered
    assert "88 %" in over.notifications[0].text


def test_releases_are_apart_and_other_checks_are_not_notified() -> None:
    state = sent(after(checked(False)))
    assert len(after(checked(False, subject="r2"), state=state).notifications) == 1
    assert after(checked(True, subject="r2"), state=state).notifications == ()
    assert after(checked(False, check="schema")).notifications == ()
    assert after(checked(True)).notifications == ()


def test_an_unsent_notification_is_replaced_by_a_newer_one() -> None:
    state = after(failed(), succeeded())
    (notification,) = state.notifications
    assert notification.recovered


def test_pauses_between_tries_grow_and_tries_end() -> None:
    state, now, tries = after(failed()), NOW, []
    while state.notifications:
        assert due(state, now) == [state.notifications[0]]
        tries.append(now)
        state, given_up = record_sent(state, {"run_failed r1": [1]}, now)
        assert due(state, now) == []
        if state.notifications:
            assert state.notifications[0].pending_channels == (1,)
            now = state.notifications[0].next_try_at
    assert len(tries) == MAX_TRIES
    assert [one.title for one in given_up] == ["LoCoMo r1: run failed"]
    assert tries[1] - tries[0] == timedelta(seconds=30)
    assert timedelta(hours=4) < tries[-1] - tries[0] < timedelta(hours=5)
    # Given up, the incident is still known, and its end will be notified.
    assert after(succeeded(), state=state).notifications[0].recovered


def test_a_notification_without_time_left_waits() -> None:
    state = after(failed(), checked(False))
    state, _ = record_sent(state, {"run_failed r1": ()}, NOW)
    assert [notification.key for notification in due(state, NOW)] == ["accuracy r1"]


def test_old_incidents_expire_and_are_notified_anew() -> None:
    state = sent(after(failed()))
    later = NOW + INCIDENT_TTL
    assert len(after(failed(), state=state, now=later).notifications) == 1
    assert after(succeeded(), state=state, now=later).notifications == ()


def test_state_outlives_the_process_and_stays_small() -> None:
    state = after(failed(), checked(False))
    assert AlertState.from_json(state.to_json()) == state
    assert AlertState.from_json(None) is None
    assert AlertState.from_json("") is None
    assert AlertState.from_json('{"position": "of another version"}') is None
    runs = [checked(False, "x" * 9_000, subject=f"r{number}") for number in range(200)]
    many = after(*runs)
    assert len(many.to_json()) < 250_000


def test_a_cursor_of_an_earlier_version_is_read_and_written_alike() -> None:
    earlier = """{
        "position": 7,
        "troubles": {
            "run_failed r1": {
                "kind": "run_failed",
                "subject": "r1",
                "since": "2026-11-24T12:00:00Z",
                "causes": ["key refused"],
                "undone": ["answers of conv-1|r1"]
            }
        },
        "notices": [
            {
                "key": "run_failed r1",
                "severity": "high",
                "recovered": false,
                "title": "LoCoMo r1: run failed",
                "text": "key refused",
                "next_try_at": "2026-11-24T12:00:00Z",
                "owed": [1],
                "tries": 2
            }
        ]
    }"""
    state = AlertState.from_json(earlier)
    assert state is not None
    assert state.incidents["run_failed r1"].causes == ("key refused",)
    assert state.notifications[0].pending_channels == (1,)
    assert json.loads(state.to_json()) == json.loads(earlier)


@given(st.lists(st.sampled_from(["fails", "fails otherwise", "succeeds"]), max_size=12))
def test_incidents_and_ends_take_turns(events: list[str]) -> None:
    state, notified = EMPTY, []
    for event in events:
        run = succeeded() if event == "succeeds" else failed(event)
        state = after(run, state=state)
        notified += [notification.recovered for notification in state.notifications]
        state = sent(state)
    # An end only after a beginning; at most both causes between two ends.
    stretches = "".join("R" if one else "T" for one in notified).split("R")
    assert all(1 <= len(one) <= 2 for one in stretches[:-1])
    assert len(stretches[-1]) <= 2
    assert bool(state.incidents) == bool(events and events[-1] != "succeeds")
