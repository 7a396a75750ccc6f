"""From a question to an answer out of memories: BM25 over stemmed words, and a quoting answer.

BM25 is the `bm25s` library's (Lucene's variant, k1 1.5, b 0.75), stems are Snowball's English.
"""

import re
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from locomo_assets.standin import dates
from locomo_assets.standin.records import Memory
from locomo_assets.standin.state import StandinState

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


UNKNOWN = "I don't know: nothing I remember speaks of that."

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
_ABOUT_TIME = re.compile(
    r"^\W*(?:when\b|(?:on |in |during |since )?(?:what|which) (?:date|day|month|year)\b)", re.I
)
_MEMORIES_READ = 5
_SENTENCES_SAID = 3


@dataclass(frozen=True, slots=True)
class _Sentence:
    """One sentence of a memory's `whole` text. `fit` to the question: more is better."""

    text: str
    whole: str
    speaker: str
    said_on: date
    fit: float

    def about_time(self) -> str | None:
        """When it says that something happens, or else what is around it says."""
        return dates.resolve(self.text, self.said_on) or dates.resolve(self.whole, self.said_on)


def answer(question: str, found: Sequence[Found], words: Words) -> str:
    """The answer's text, the same for the same question and memories.

    `found` is best first. Without any it says that it does not know.
    """
    asked = frozenset(words.of(question))
    said = [_sentences(hit, asked, words) for hit in found]
    # A question tells little about its own answer, though it is made of the same words.
    stated = [[one for one in memory if not one.text.endswith("?")] for memory in said]
    told = [memory for memory in stated if memory] or said
    sentences = [sentence for memory in told[:_MEMORIES_READ] for sentence in memory]
    if not sentences:
        return UNKNOWN
    if _ABOUT_TIME.search(question):
        return _when(sentences)
    best = sorted(sentences, key=lambda sentence: -sentence.fit)[:_SENTENCES_SAID]
    return " ".join(f"{sentence.speaker}{sentence.text}" for sentence in best)


def _when(sentences: Sequence[_Sentence]) -> str:
    dated = [(sentence, sentence.about_time()) for sentence in sentences]
    best, said = max(dated, key=lambda one: one[0].fit * (1.25 if one[1] else 1.0))
    told = said or dates.long_date(best.said_on)
    return f"{told[0].upper()}{told[1:]}: {best.speaker}{best.text}"


def _sentences(hit: Found, asked: frozenset[str], words: Words) -> list[_Sentence]:
    speaker, colon, text = hit.memory.text.partition(": ")
    if not colon or len(speaker) > 40:
        speaker, text = "", hit.memory.text
    said_on = hit.memory.said_at.date()
    parts = [part.strip() for part in _SENTENCE_END.split(text) if part.strip()]
    prefix = f"{speaker}: " if speaker else ""
    sentences = []
    for part in parts:
        shared = len(asked.intersection(words.of(f"{speaker} {part}")))
        sentences.append(_Sentence(part, text, prefix, said_on, hit.score * (1 + shared)))
    return sentences
