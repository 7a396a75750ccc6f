"""Retrieving memories for a question with BM25, and composing an answer from their sentences.

BM25 is from the `bm25s` library (Lucene's variant, k1 1.5, b 0.75); stems are Snowball's English.
"""

import re
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from locomo_assets.standin import dates
from locomo_assets.standin.memories.pro import rescored
from locomo_assets.standin.records import Memory
from locomo_assets.standin.state import StandinState

LARGEST_CACHE = 64
"""Assistants whose index is cached; LoCoMo has ten conversations, and protocols clone each."""

LARGEST_TEXT_CACHE = 16
"""Texts whose index is cached: a conversation comes again with each of its questions."""

MEMORIES_RETRIEVED = 10
"""For a message, if the assistant has no `tok_k`."""
MOST_RETRIEVED = 100

UNKNOWN = "I don't know: nothing I remember speaks of that."

_WORD = re.compile(r"[a-z0-9]+")
_STOP_WORDS = frozenset(
    _WORD.findall(
        "a an and are as at be been but by can could did do does for from had has have he her hers "
        "him his how i if in is it its me my of on or our s she should so t that the their them "
        "they this to was we were what when where which who whom whose why will with would you your"
    )
)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
_ABOUT_TIME = re.compile(
    r"^\W*(?:when\b|(?:on |in |during |since )?(?:what|which) (?:date|day|month|year)\b)", re.I
)
_DATE = re.compile(r"\b(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d))?\b")
_SPEAKER = re.compile(r"[^:]{1,40}: ")


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A memory and its BM25 score; higher is better."""

    memory: Memory
    score: float


@dataclass(frozen=True, slots=True)
class Capability:
    """How many of the retrieved memories a model reads, and how many sentences it quotes."""

    memories_read: int
    sentences_quoted: int


LARGE = Capability(memories_read=5, sentences_quoted=3)

_Version = tuple[str, float | None]
"""A memory's id, and when it was last changed."""


@dataclass(frozen=True, slots=True)
class Index:
    """Memories, their stems by version, and their BM25 index (None without any stem)."""

    memories: tuple[Memory, ...]
    stems: dict[_Version, list[str]]
    bm25: Any


class Tokenizer:
    """Splits texts into stemmed words, without stop words."""

    def __init__(self) -> None:
        import Stemmer

        self._stemmer = Stemmer.Stemmer("english")

    def stems(self, text: str) -> list[str]:
        """The stems in the order of the text, with repetitions."""
        plain = [word for word in _WORD.findall(text.lower()) if word not in _STOP_WORDS]
        stems: list[str] = self._stemmer.stemWords(plain)
        return stems


class Retriever:
    """Searches an assistant's visible memories; indexes them only when their set has changed."""

    def __init__(self, state: StandinState, tokenizer: Tokenizer) -> None:
        self._state = state
        self._tokenizer = tokenizer
        self._indexes: OrderedDict[str, tuple[int, Index]] = OrderedDict()

    def search(
        self, assistant_id: str, query: str, limit: int, *, pro: bool | None = False
    ) -> list[SearchHit]:
        """The best memories, best first, of those that share a word with the query.

        With Memory Pro also their neighbours; `pro` None: if Memory Pro formed any of them.
        """
        index = self._index(assistant_id)
        if index is None:
            return []
        if pro is None:
            pro = any(memory.pro for memory in index.memories)
        return top_hits(index, self._tokenizer.stems(query), limit, query if pro else None)

    def _index(self, assistant_id: str) -> Index | None:
        now = time.time()
        stats = self._state.memory_stats(assistant_id, now=now)
        if stats.total == 0:
            return None
        changes, known = self._indexes.get(assistant_id, (0, None))
        if known is None or (changes, len(known.memories)) != (stats.changes, stats.total):
            known = build_index(self._state.memories(assistant_id, now=now), self._tokenizer, known)
            self._indexes[assistant_id] = (stats.changes, known)
            if len(self._indexes) > LARGEST_CACHE:
                self._indexes.popitem(last=False)
        self._indexes.move_to_end(assistant_id)
        return known


class ContextReader:
    """Separates a message's question, its last line, from the text before it, and searches that."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._indexes: OrderedDict[str, Index] = OrderedDict()

    def read(self, content: str, limit: int) -> tuple[str, list[SearchHit]]:
        """The question, and the lines before it that match it, best first."""
        text, _, question = content.rstrip().rpartition("\n")
        if not text.strip():
            return content, []
        return question, top_hits(self._index(text), self._tokenizer.stems(question), limit)

    def _index(self, text: str) -> Index:
        known = self._indexes.get(text)
        if known is None:
            known = self._indexes[text] = build_index(_dialogue_lines(text), self._tokenizer)
            if len(self._indexes) > LARGEST_TEXT_CACHE:
                self._indexes.popitem(last=False)
        self._indexes.move_to_end(text)
        return known


def build_index(
    memories: Sequence[Memory], tokenizer: Tokenizer, known: Index | None = None
) -> Index:
    """An index of these memories, reusing the stems in `known`."""
    old = known.stems if known else {}
    stems_of = {
        _version(memory): old.get(_version(memory)) or tokenizer.stems(memory.content)
        for memory in memories
    }
    if not any(stems_of.values()):
        return Index(tuple(memories), stems_of, None)
    import bm25s

    bm25 = bm25s.BM25()
    bm25.index([stems_of[_version(memory)] for memory in memories], show_progress=False)
    return Index(tuple(memories), stems_of, bm25)


def _version(memory: Memory) -> _Version:
    return memory.memory_id, memory.updated_at


def top_hits(
    index: Index, query: Sequence[str], limit: int, pro_query: str | None = None
) -> list[SearchHit]:
    """The memories that match the query's stems best, best first; none without a match.

    `pro_query` is the query's text where Memory Pro is to score.
    """
    terms = list(dict.fromkeys(query))
    if index.bm25 is None or not terms:
        return []
    scores: Sequence[float] = index.bm25.get_scores(terms).tolist()
    if pro_query is not None:
        scores = rescored(index.memories, scores, pro_query)
    # Equal scores keep the order of the memories.
    order = sorted(range(len(scores)), key=lambda i: -scores[i])[:limit]
    return [SearchHit(index.memories[i], scores[i]) for i in order if scores[i] > 0]


def answer(
    question: str,
    found: Sequence[SearchHit],
    tokenizer: Tokenizer,
    capability: Capability = LARGE,
) -> str:
    """Compose the answer from the found memories, best first, or `UNKNOWN` without any.

    The same question, memories and capability always give the same text.
    """
    asked = frozenset(tokenizer.stems(question))
    said = [_sentences(hit, asked, tokenizer) for hit in found]
    # A question in a memory says little about the answer, though it shares the words.
    stated = [[one for one in memory if not one.text.endswith("?")] for memory in said]
    used = [memory for memory in stated if memory] or said
    sentences = [sentence for memory in used[: capability.memories_read] for sentence in memory]
    if not sentences:
        return UNKNOWN
    if _ABOUT_TIME.search(question):
        return _when(sentences)
    best = sorted(sentences, key=lambda sentence: -sentence.fit)[: capability.sentences_quoted]
    return " ".join(f"{sentence.speaker}{sentence.text}" for sentence in best)


@dataclass(frozen=True, slots=True)
class _Sentence:
    """One sentence of a memory's `integer` text; a higher `fit` to the question is better."""

    text: str
    integer: str
    speaker: str
    said_on: date
    fit: float

    def about_time(self) -> str | None:
        """When something happens, according to the sentence, or else to the whole text."""
        return dates.resolve(self.text, self.said_on) or dates.resolve(self.integer, self.said_on)


def _when(sentences: Sequence[_Sentence]) -> str:
    dated = [(sentence, sentence.about_time()) for sentence in sentences]
    best, said = max(dated, key=lambda one: one[0].fit * (1.25 if one[1] else 1.0))
    when = said or dates.long_date(best.said_on)
    return f"{when[0].upper()}{when[1:]}: {best.speaker}{best.text}"


def _sentences(hit: SearchHit, asked: frozenset[str], tokenizer: Tokenizer) -> list[_Sentence]:
    speaker, colon, text = hit.memory.text.partition(": ")
    if not colon or len(speaker) > 40:
        speaker, text = "", hit.memory.text
    said_on = hit.memory.said_at.date()
    parts = [part.strip() for part in _SENTENCE_END.split(text) if part.strip()]
    prefix = f"{speaker}: " if speaker else ""
    sentences = []
    for part in parts:
        shared = len(asked.intersection(tokenizer.stems(f"{speaker} {part}")))
        sentences.append(_Sentence(part, text, prefix, said_on, hit.score * (1 + shared)))
    return sentences


def _dialogue_lines(text: str) -> list[Memory]:
    """The lines of a text that somebody says, each with the last date before it."""
    said_at, memories = datetime.now(UTC), []
    for number, line in enumerate(filter(None, map(str.strip, text.split("\n")))):
        dated = _DATE.search(line)
        if dated and not _SPEAKER.match(line):
            said_at = _parse_date(dated, said_at)
        elif _SPEAKER.match(line):
            memories.append(Memory(f"line-{number}", line, said_at, "", "", 0.0))
    return memories


def _parse_date(dated: re.Match[str], default: datetime) -> datetime:
    try:
        return datetime.fromisoformat(f"{dated[1]} {dated[2] or '00:00'}").replace(tzinfo=UTC)
    except ValueError:
        return default
