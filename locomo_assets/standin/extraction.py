"""An answer out of the memories found, with no model: the sentences that fit the question best.

Here: choosing sentences, and for questions about time a date. What a phrase about time means is
`dates`; finding the memories is `retrieval`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from locomo_assets.standin import dates
from locomo_assets.standin.retrieval import Found, Words

UNKNOWN = "I don't know: nothing I remember speaks of that."

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
_ABOUT_TIME = re.compile(
    r"^\W*(?:when\b|(?:on |in |during |since )?(?:what|which) (?:date|day|month|year)\b)", re.I
)
_MEMORIES_READ = 5
_SENTENCES_SAID = 3


@dataclass(frozen=True, slots=True)
class _Sentence:
    text: str
    speaker: str
    said_on: date
    fit: float
    about_time: str | None


def answer(question: str, found: Sequence[Found], words: Words) -> str:
    """The answer's text, the same for the same question and memories.

    `found` is best first. Without any it says that it does not know.
    """
    asked = frozenset(words.of(question))
    sentences = [
        sentence for hit in found[:_MEMORIES_READ] for sentence in _sentences(hit, asked, words)
    ]
    if not sentences:
        return UNKNOWN
    if _ABOUT_TIME.search(question):
        return _when(sentences)
    best = sorted(sentences, key=lambda sentence: -sentence.fit)[:_SENTENCES_SAID]
    return " ".join(f"{sentence.speaker}{sentence.text}" for sentence in best)


def _when(sentences: Sequence[_Sentence]) -> str:
    best = max(sentences, key=lambda s: s.fit * (1.25 if s.about_time else 1.0))
    said = best.about_time or dates.long_date(best.said_on)
    return f"{said[0].upper()}{said[1:]}: {best.speaker}{best.text}"


def _sentences(hit: Found, asked: frozenset[str], words: Words) -> list[_Sentence]:
    speaker, colon, text = hit.memory.text.partition(": ")
    if not colon or len(speaker) > 40:
        speaker, text = "", hit.memory.text
    said_on = hit.memory.said_at.date()
    parts = [part.strip() for part in _SENTENCE_END.split(text) if part.strip()]
    whole = dates.resolve(text, said_on)
    sentences = []
    for part in parts:
        shared = len(asked.intersection(words.of(f"{speaker} {part}")))
        # A question tells little about its own answer.
        fit = hit.score * (1 + shared) * (0.5 if part.endswith("?") else 1.0)
        prefix = f"{speaker}: " if speaker else ""
        sentences.append(
            _Sentence(part, prefix, said_on, fit, dates.resolve(part, said_on) or whole)
        )
    return sentences
