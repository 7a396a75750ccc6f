"""Which of what was seen is told: once, again when it changes, and when it is over.

Here: decisions alone, from one memory to the next. A trouble is told when it begins and when its
cause changes; the same cause is never told twice before it recovers. Nothing is sent here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from locomo_assets.reporting.alerts.channels import Teller, shape
from locomo_assets.reporting.alerts.model import (
    KINDS,
    RUN_FAILED,
    EndedRun,
    Look,
    Memory,
    Notice,
    Trouble,
)

MAX_TRIES = 10
"""Of a notice, at doubling distances from half a minute: over some four hours."""

FIRST_PAUSE = timedelta(seconds=30)
FORGOTTEN_AFTER = timedelta(days=30)
"""A trouble that nobody ended is then told anew if it goes on."""

_MAX_CAUSES = 5
_MAX_TROUBLES = 100
_MAX_NOTICES = 50


def take_in(memory: Memory, runs: Iterable[EndedRun], teller: Teller, now: datetime) -> Memory:
    """The memory after these runs, in the order in which they ended."""
    memory = _without_the_old(memory, now)
    for run in runs:
        memory = _after(memory, teller.cleaned(run), teller, now)
    return memory


def due(memory: Memory, now: datetime) -> Sequence[Notice]:
    """What is to be sent now, the longest waiting first."""
    return sorted(
        (notice for notice in memory.notices if notice.next_try_at <= now),
        key=lambda notice: notice.next_try_at,
    )


def settle(
    memory: Memory, tried: Mapping[str, Sequence[int]], now: datetime
) -> tuple[Memory, Sequence[Notice]]:
    """The memory after notices were tried, and those that are given up.

    `tried` has by a notice's key the channels that still did not take it.
    """
    waiting: list[Notice] = []
    given_up: list[Notice] = []
    for notice in memory.notices:
        if notice.key not in tried:
            waiting.append(notice)
        elif owed := tuple(tried[notice.key]):
            again = replace(
                notice,
                owed=owed,
                tries=notice.tries + 1,
                next_try_at=now + FIRST_PAUSE * 2**notice.tries,
            )
            (waiting if again.tries < MAX_TRIES else given_up).append(again)
    return replace(memory, notices=tuple(waiting)), given_up


def _after(memory: Memory, run: EndedRun, teller: Teller, now: datetime) -> Memory:
    memory = _with_work_made(memory, run, teller, now)
    if run.error is not None:
        memory = _with_failure(memory, run, teller, now)
    for look in run.looks:
        if look.check in KINDS:
            memory = _with_look(memory, run, look, teller, now)
    return memory


def _with_work_made(memory: Memory, run: EndedRun, teller: Teller, now: datetime) -> Memory:
    for trouble in list(memory.troubles.values()):
        if trouble.kind != RUN_FAILED or not trouble.undone & run.made:
            continue
        left = replace(trouble, undone=trouble.undone - run.made)
        if left.undone:
            memory = _remembering(memory, left)
        else:
            memory = _ended(memory, trouble, teller.recovered(trouble, run, None), now)
    return memory


def _with_failure(memory: Memory, run: EndedRun, teller: Teller, now: datetime) -> Memory:
    begun = Trouble(RUN_FAILED, run.subject, since=now, causes=())
    known = memory.troubles.get(begun.key, begun)
    # What failed after all was made has no piece left that could show its recovery.
    undone = run.planned - run.made or run.planned
    trouble = replace(known, undone=known.undone | undone)
    return _told(memory, trouble, shape(run.error or ""), teller.failed(trouble, run), now)


def _with_look(memory: Memory, run: EndedRun, look: Look, teller: Teller, now: datetime) -> Memory:
    begun = Trouble(look.check, look.subject, since=now, causes=())
    known = memory.troubles.get(begun.key)
    if look.passed:
        if known is None:
            return memory
        return _ended(memory, known, teller.recovered(known, run, look), now)
    trouble = known or begun
    return _told(memory, trouble, shape(look.actual), teller.found(trouble, run, look), now)


def _told(
    memory: Memory, trouble: Trouble, cause: str, words: tuple[str, str], now: datetime
) -> Memory:
    if cause in trouble.causes or len(trouble.causes) >= _MAX_CAUSES:
        return _remembering(memory, trouble)
    trouble = replace(trouble, causes=(*trouble.causes, cause))
    return _noticed(_remembering(memory, trouble), trouble, words, now, recovered=False)


def _ended(memory: Memory, trouble: Trouble, words: tuple[str, str], now: datetime) -> Memory:
    others = {key: one for key, one in memory.troubles.items() if key != trouble.key}
    return _noticed(replace(memory, troubles=others), trouble, words, now, recovered=True)


def _remembering(memory: Memory, trouble: Trouble) -> Memory:
    troubles = {**memory.troubles, trouble.key: trouble}
    newest = sorted(troubles.values(), key=lambda one: one.since)[-_MAX_TROUBLES:]
    return replace(memory, troubles={one.key: one for one in newest})


def _noticed(
    memory: Memory, trouble: Trouble, words: tuple[str, str], now: datetime, *, recovered: bool
) -> Memory:
    title, text = words
    notice = Notice(
        key=trouble.key,
        severity=KINDS[trouble.kind].severity,
        recovered=recovered,
        title=title,
        text=text,
        next_try_at=now,
    )
    # What was not sent yet on the same trouble is out of date.
    others = [one for one in memory.notices if one.key != notice.key]
    return replace(memory, notices=(*others, notice)[-_MAX_NOTICES:])


def _without_the_old(memory: Memory, now: datetime) -> Memory:
    troubles = {
        key: one for key, one in memory.troubles.items() if now - one.since < FORGOTTEN_AFTER
    }
    return replace(memory, troubles=troubles)
