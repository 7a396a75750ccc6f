"""Finding the memories that speak of a question: BM25 over stemmed words.

Here: words, one index for each assistant, ranking. What is answered from the memories found is
`extraction`.

BM25 is the `bm25s` library's (Lucene's variant, k1 1.5, b 0.75), stems are Snowball's English.
"""

import re
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from locomo_assets.standin.records import Memory
from locomo_assets.standin.state import StandinState

if TYPE_CHECKING:
    from collections.abc import Sequence

LARGEST_CACHE = 64
"""Assistants whose index is kept; LoCoMo has ten conversations, and protocols clone each."""

_WORD = re.compile(r"[a-z0-9]+")
_STOP_WORDS = frozenset(
    _WORD.findall(
        "a an and are as at be been but by can could did do does for from had has have he her hers "
        "him his how i if in is it its me my of on or our s she should so t that the their them "
        "they this to was we were what when where which who whom whose why will with would you your"
    )
)


@dataclass(frozen=True, slots=True)
class Found:
    """A memory and how well it fits: BM25's score, more is better."""

    memory: Memory
    score: float


@dataclass(frozen=True, slots=True)
class Index:
    """Memories, their words by memory id, and BM25's numbers (None where there is no word)."""

    memories: tuple[Memory, ...]
    words: dict[str, list[str]]
    bm25: Any


class Words:
    """Stemmed words without the commonest ones."""

    def __init__(self) -> None:
        import Stemmer

        self._stemmer = Stemmer.Stemmer("english")

    def of(self, text: str) -> list[str]:
        """In the order of the text, with repetitions."""
        plain = [word for word in _WORD.findall(text.lower()) if word not in _STOP_WORDS]
        stems: list[str] = self._stemmer.stemWords(plain)
        return stems


class Retriever:
    """Searches an assistant's visible memories; indexes only when their set has changed."""

    def __init__(self, state: StandinState, words: Words) -> None:
        self._state = state
        self._words = words
        self._indexes: OrderedDict[str, Index] = OrderedDict()

    def search(self, assistant_id: str, query: str, limit: int) -> list[Found]:
        """The best memories, best first; none that shares no word with the query."""
        index = self._index(assistant_id)
        return [] if index is None else best(index, self._words.of(query), limit)

    def _index(self, assistant_id: str) -> Index | None:
        now = time.time()
        count, _ = self._state.memory_stats(assistant_id, now=now)
        if count == 0:
            return None
        known = self._indexes.get(assistant_id)
        if known is None or len(known.memories) != count:
            known = index_of(self._state.memories(assistant_id, now=now), self._words, known)
            self._indexes[assistant_id] = known
            if len(self._indexes) > LARGEST_CACHE:
                self._indexes.popitem(last=False)
        self._indexes.move_to_end(assistant_id)
        return known


def index_of(memories: "Sequence[Memory]", words: Words, known: Index | None = None) -> Index:
    """An index of these memories; words of those in `known` are not looked for again."""
    old = known.words if known else {}
    of_memory = {
        memory.memory_id: old.get(memory.memory_id) or words.of(memory.content)
        for memory in memories
    }
    if not any(of_memory.values()):
        return Index(tuple(memories), of_memory, None)
    import bm25s

    bm25 = bm25s.BM25()
    bm25.index([of_memory[memory.memory_id] for memory in memories], show_progress=False)
    return Index(tuple(memories), of_memory, bm25)


def best(index: Index, query: "Sequence[str]", limit: int) -> list[Found]:
    """The memories that fit the query's words best, best first; none that shares no word."""
    words = list(dict.fromkeys(query))
    if index.bm25 is None or not words:
        return []
    scores: Sequence[float] = index.bm25.get_scores(words).tolist()
    # Equal scores keep the order in which the memories came.
    order = sorted(range(len(scores)), key=lambda i: -scores[i])[:limit]
    return [Found(index.memories[i], scores[i]) for i in order if scores[i] > 0]
