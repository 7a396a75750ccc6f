"""What is told, and when: once, again when it changes, and when it is over."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locomo_assets.reporting.alerts.channels import Teller
from locomo_assets.reporting.alerts.detect import (
    FORGOTTEN_AFTER,
    MAX_TRIES,
    due,
    settle,
    take_in,
)
from locomo_assets.reporting.alerts.model import EndedRun, Look, Memory, Severity

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
TELLER = Teller(ui_url="https://ui.example.org/")
EMPTY = Memory(position=0)
WORK = frozenset({"answers of conv-1|r1", "answers of conv-2|r1"})


def failed(error: str = "key refused", made: frozenset[str] = frozenset()) -> EndedRun:
    return EndedRun("run-1", "r1", error, WORK, made)


def succeeded(made: frozenset[str] = WORK, run_id: str = "run-2") -> EndedRun:
    return EndedRun(run_id, "r1", None, made, made)


def looked(
    passed: bool, actual: str = "71.3 %", check: str = "accuracy", subject: str = "r1"
) -> EndedRun:
    look = Look(check, subject, passed, "at least 85 %", actual)
    return EndedRun("run-3", subject, None, frozenset(), frozenset(), (look,))


def after(*runs: EndedRun, memory: Memory = EMPTY, now: datetime = NOW) -> Memory:
    return take_in(memory, runs, TELLER, now)


def sent(memory: Memory) -> Memory:
    return settle(memory, {notice.key: () for notice in memory.notices}, NOW)[0]


def test_a_failed_run_is_told_once_until_it_recovers() -> None:
    memory = after(failed())
    (notice,) = memory.notices
    assert (notice.severity, notice.recovered) == (Severity.HIGH, False)
    assert notice.title == "LoCoMo r1: run failed"
    assert "key refused" in notice.text
    assert "https://ui.example.org/runs/run-1" in notice.text
    memory = after(failed(), failed(), memory=sent(memory))
    assert memory.notices == ()
    memory = after(succeeded(), memory=memory)
    (notice,) = memory.notices
    assert (notice.severity, notice.recovered) == (Severity.HIGH, True)
    assert notice.title == "LoCoMo r1: run failed – recovered"
    assert "2026-11-24 12:00 UTC" in notice.text
    assert memory.troubles == {}
    assert len(after(failed(), memory=sent(memory)).notices) == 1


def test_it_has_recovered_when_all_that_was_left_undone_is_made() -> None:
    one, other = sorted(WORK)
    memory = sent(after(failed(made=frozenset({one}))))
    assert after(succeeded(frozenset({one})), memory=memory).notices == ()
    assert after(succeeded(frozenset({"answers of conv-2|r2"})), memory=memory).notices == ()
    assert len(after(succeeded(frozenset({other})), memory=memory).notices) == 1
    # What another failed run made counts as well.
    again = failed("a new cause", made=frozenset({other}))
    assert len(after(replace(again, planned=frozenset({other})), memory=memory).notices) == 1


def test_a_run_that_failed_after_its_work_recovers_with_the_work() -> None:
    memory = sent(after(failed(made=WORK)))
    assert after(succeeded(), memory=memory).notices[0].recovered


def test_another_cause_is_told_and_another_number_is_not() -> None:
    memory = sent(after(failed("conv-26: no answer within 30.5 s (request 0f3c9a7e12)")))
    same = failed("conv-30: no answer within 61 s (request 99aa00bb17)")
    assert after(same, memory=memory).notices == ()
    memory = after(failed("the key was refused"), memory=memory)
    assert "the key was refused" in memory.notices[0].text
    # Two causes in turn are two causes, not one alert after the other.
    for _ in range(3):
        memory = after(same, failed("the key was refused"), memory=sent(memory))
        assert memory.notices == ()


def test_ever_new_causes_come_to_an_end() -> None:
    memory, told = EMPTY, 0
    for cause in "abcdefghij":
        memory = after(failed(cause * 9), memory=memory)
        told += len(memory.notices)
        memory = sent(memory)
    assert told == 5


@pytest.mark.parametrize(
    ("check", "severity", "name"),
    [
        ("api_errors", Severity.HIGH, "API error rate too high"),
        ("accuracy", Severity.MEDIUM, "accuracy too low"),
        ("not_below_previous", Severity.MEDIUM, "worse than the release before"),
        ("run_time", Severity.LOW, "long run"),
    ],
)
def test_checks_are_told_by_severity(check: str, severity: Severity, name: str) -> None:
    memory = after(looked(False, check=check))
    (notice,) = memory.notices
    assert (notice.severity, notice.title) == (severity, f"LoCoMo r1: {name}")
    assert "at least 85 %" in notice.text
    assert "71.3 %" in notice.text
    assert after(looked(False, "70.9 %", check), memory=sent(memory)).notices == ()
    changed = after(looked(False, "nothing is scored", check), memory=sent(memory))
    assert len(changed.notices) == 1
    over = after(looked(True, "88 %", check), memory=sent(memory))
    assert over.notices[0].recovered
    assert "88 %" in over.notices[0].text


def test_releases_are_apart_and_other_checks_are_not_told() -> None:
    memory = sent(after(looked(False)))
    assert len(after(looked(False, subject="r2"), memory=memory).notices) == 1
    assert after(looked(True, subject="r2"), memory=memory).notices == ()
    assert after(looked(False, check="schema")).notices == ()
    assert after(looked(True)).notices == ()


def test_what_was_not_sent_yet_is_replaced_by_what_came_since() -> None:
    memory = after(failed(), succeeded())
    (notice,) = memory.notices
    assert notice.recovered


def test_tries_come_at_growing_distances_and_end() -> None:
    memory, now, tries = after(failed()), NOW, []
    while memory.notices:
        assert due(memory, now) == [memory.notices[0]]
        tries.append(now)
        memory, given_up = settle(memory, {"run_failed r1": [1]}, now)
        assert due(memory, now) == []
        if memory.notices:
            assert memory.notices[0].owed == (1,)
            now = memory.notices[0].next_try_at
    assert len(tries) == MAX_TRIES
    assert [one.title for one in given_up] == ["LoCoMo r1: run failed"]
    assert tries[1] - tries[0] == timedelta(seconds=30)
    assert timedelta(hours=4) < tries[-1] - tries[0] < timedelta(hours=5)
    # Given up is told: the trouble is still known, and its end will be told.
    assert after(succeeded(), memory=memory).notices[0].recovered


def test_a_notice_that_no_time_was_left_for_waits() -> None:
    memory = after(failed(), looked(False))
    memory, _ = settle(memory, {"run_failed r1": ()}, NOW)
    assert [notice.key for notice in due(memory, NOW)] == ["accuracy r1"]


def test_old_troubles_are_forgotten_and_told_anew() -> None:
    memory = sent(after(failed()))
    later = NOW + FORGOTTEN_AFTER
    assert len(after(failed(), memory=memory, now=later).notices) == 1
    assert after(succeeded(), memory=memory, now=later).notices == ()


def test_memory_outlives_the_process_and_stays_small() -> None:
    memory = after(failed(), looked(False))
    assert Memory.from_json(memory.to_json()) == memory
    assert Memory.from_json(None) is None
    assert Memory.from_json("") is None
    assert Memory.from_json('{"position": "of another version"}') is None
    runs = [looked(False, "x" * 9_000, subject=f"r{number}") for number in range(200)]
    many = after(*runs)
    assert len(many.to_json()) < 250_000


@given(st.lists(st.sampled_from(["fails", "fails otherwise", "succeeds"]), max_size=12))
def test_troubles_and_ends_take_turns(events: list[str]) -> None:
    memory, told = EMPTY, []
    for event in events:
        run = succeeded() if event == "succeeds" else failed(event)
        memory = after(run, memory=memory)
        told += [notice.recovered for notice in memory.notices]
        memory = sent(memory)
    # An end only after a beginning; at most both causes between two ends.
    stretches = "".join("R" if one else "T" for one in told).split("R")
    assert all(1 <= len(one) <= 2 for one in stretches[:-1])
    assert len(stretches[-1]) <= 2
    assert bool(memory.troubles) == bool(events and events[-1] != "succeeds")
