"""What the stand-in's calls share: its state, its knobs, and reading a long message."""

import asyncio
import re
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime

from locomo_assets.standin import wire
from locomo_assets.standin.middleware import Dice
from locomo_assets.standin.records import Assistant, Memory, Thread
from locomo_assets.standin.retrieval import Found, Index, Retriever, Words, best, index_of
from locomo_assets.standin.settings import StandinSettings
from locomo_assets.standin.state import StandinState

LARGEST_CACHE = 16
"""Texts whose index is kept: the same conversation comes with each of its questions."""

_DATE = re.compile(r"\b(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d))?\b")
_SPEAKER = re.compile(r"[^:]{1,40}: ")


class Reader:
    """Reads messages; one that is a single line tells nothing besides its question."""

    def __init__(self, words: Words) -> None:
        self._words = words
        self._indexes: OrderedDict[str, Index] = OrderedDict()

    def read(self, content: str, limit: int) -> tuple[str, list[Found]]:
        """The question, and the lines before it that fit it, best first."""
        told, _, question = content.rstrip().rpartition("\n")
        if not told.strip():
            return content, []
        return question, best(self._index(told), self._words.of(question), limit)

    def _index(self, told: str) -> Index:
        known = self._indexes.get(told)
        if known is None:
            known = self._indexes[told] = index_of(_said(told), self._words)
            if len(self._indexes) > LARGEST_CACHE:
                self._indexes.popitem(last=False)
        self._indexes.move_to_end(told)
        return known


def _said(told: str) -> list[Memory]:
    said_at, said = datetime.now(UTC), []
    for number, line in enumerate(filter(None, map(str.strip, told.split("\n")))):
        dated = _DATE.search(line)
        if dated and not _SPEAKER.match(line):
            said_at = _time(dated, said_at)
        elif _SPEAKER.match(line):
            said.append(Memory(f"line-{number}", line, said_at, "", "", 0.0))
    return said


def _time(dated: re.Match[str], otherwise: datetime) -> datetime:
    try:
        return datetime.fromisoformat(f"{dated[1]} {dated[2] or '00:00'}").replace(tzinfo=UTC)
    except ValueError:
        return otherwise


@dataclass(frozen=True, slots=True)
class Service:
    """One process's stand-in over a state that others may share."""

    state: StandinState
    settings: StandinSettings
    dice: Dice
    words: Words
    retriever: Retriever
    reader: Reader

    def assistant(self, assistant_id: str) -> Assistant:
        """The assistant, or 404."""
        found = self.state.assistant(assistant_id)
        if found is None:
            raise wire.missing("Assistant")
        return found

    def thread(self, thread_id: str) -> Thread:
        """The thread, or 404."""
        found = self.state.thread(thread_id)
        if found is None:
            raise wire.missing("Thread")
        return found

    async def other_latency(self) -> None:
        """What a call takes that is neither a message, a question nor a verdict."""
        await pause(self.settings.other_latency_ms)


async def pause(latency_ms: float) -> None:
    """Wait, without touching the event loop where there is nothing to wait for."""
    if latency_ms > 0:
        await asyncio.sleep(latency_ms / 1000.0)
