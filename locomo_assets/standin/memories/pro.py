"""Memory Pro: how its memories and its retrieval differ from Lite's.

An invention, simple and deterministic; nobody outside Backboard knows what Pro does. Searching and
storing belong to `retrieval` and `forming`.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import date

from locomo_assets.standin import dates
from locomo_assets.standin.records import Memory

_NEIGHBOURS = ((-1, 0.5), (1, 0.4), (-2, 0.2), (2, 0.2))
"""Which share of its neighbours' scores a memory gets: what was said before tells what it is about.

These and `_OF_A_NAMED_SPEAKER` were chosen on the ten conversations of LoCoMo.
"""

_OF_A_NAMED_SPEAKER = 2.0
"""What the score of a memory is multiplied by if the query names who said it."""

_WORD = re.compile(r"\w+")
_NAMED = re.compile(r"([^:\n]{1,40}): ")


def rescored(memories: Sequence[Memory], scores: Sequence[float], query: str) -> list[float]:
    """The scores, in which neighbours in the thread and the speaker count, too.

    `memories` are in the order of their messages, and `scores` are theirs.
    """
    places: dict[str, list[int]] = defaultdict(list)
    for place, memory in enumerate(memories):
        places[memory.thread_id].append(place)
    better = list(scores)
    for thread_id, of_thread in places.items():
        if not thread_id:  # written by clients: without a thread, and so without neighbours
            continue
        for index, place in enumerate(of_thread):
            for offset, share in _NEIGHBOURS:
                if 0 <= index + offset < len(of_thread):
                    better[place] += share * scores[of_thread[index + offset]]
    asked = frozenset(_WORD.findall(query.lower()))
    for place, memory in enumerate(memories):
        who = frozenset(_WORD.findall(_speaker(memory).lower()))
        if who and who <= asked:
            better[place] *= _OF_A_NAMED_SPEAKER
    return better


def with_date(text: str, said_on: date) -> str:
    """The text with the date that a phrase such as "yesterday" means behind it, in parentheses.

    Unchanged where the phrase means a week, or already is that date.
    """
    found = dates.find(text, said_on)
    if found is None:
        return text
    (_, end), meant = found
    day, _, _ = meant.partition(" (")
    if "week" in day or day.lower() in text.lower():
        return text
    return f"{text[:end]} ({day}){text[end:]}"


def _speaker(memory: Memory) -> str:
    told = (memory.written_metadata or {}).get("speaker")
    if isinstance(told, str):
        return told
    named = _NAMED.match(memory.text)
    return named[1] if named else ""
