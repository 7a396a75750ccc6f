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
