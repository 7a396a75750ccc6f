"""What a message tells besides its question: its own earlier lines, read as memories are.

Here: the lines of a long message, their dates, and those that fit its last line, the question. A
line with a date and no speaker is a heading, and dates the lines after it. What is answered from
them is `extraction`.
"""

import re
from collections import OrderedDict
from datetime import UTC, datetime

from locomo_assets.standin.records import Memory
from locomo_assets.standin.retrieval import Found, Index, Words, best, index_of

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
