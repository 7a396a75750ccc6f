"""Scores of an answer beside the judge's verdict: token F1, exact match, abstention.

F1 and exact match follow the evaluation code of the LoCoMo paper. On 1,540 published answers both
give a mean F1 of 17.6 %; 6 answers differ, by at most 0.06, because the stemmers differ.
"""

import re
import string
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

import Stemmer

from locomo_assets.locomo.declines import declines
from locomo_assets.locomo.model import ADVERSARIAL

VERSION = 2
"""Increase with every change of a score: databases of another version are rebuilt."""

MULTI_HOP, OPEN_DOMAIN = 1, 3
_DECLINING = ("no information available", "not mentioned")

Abstention = Literal["abstained", "trapped", "other"]

_PORTER = Stemmer.Stemmer("porter")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
_LEFT_OUT = frozenset(("a", "an", "the", "and"))
_LEFT_OUT_ANYWHERE = re.compile(r"\b(?:a|an|the|and)\b")
_CLAUSE = re.compile(r"(?<=[.!?;:])\s+|\n+|,?\s+(?=(?:but|however|though|although)\b)", re.I)
_GUESS = re.compile(
    r"\b(?:likely|probably|perhaps|maybe|possibly|might|may be|could be|presumably|i think|"
    r"i believe|i guess|my guess|it seems|apparently)\b"
)
_NAME = re.compile(r"\b[A-Z][a-z]+\b")
_DENIAL = r"(?:(?:\w+\s+)?(?:not|never)\b|\w+n't\b)"
_PRONOUN_DENIAL = re.compile(rf"\W*(?:no\W+)?(?:he|she|they)\s+{_DENIAL}", re.IGNORECASE)
_STOP_WORDS = """
a an and are at be did do does for from had has have he her his how if in is it its of on or she
that the their they this to was were what when where which who whom whose why will with would
"""
_SAYS_NOTHING = frozenset(_STOP_WORDS.split())
_SHARE = 2 / 3


def token_f1(category: int, gold: str | None, answer: str) -> float | None:
    """F1 over stemmed words, from 0 to 1; None without a gold answer in categories 1–4.

    Multi-hop: splits both answers at commas; the mean, over the gold answer's parts, of the best
    F1 with any part of the answer. Open-domain: ignores the gold answer after `;`. Adversarial: 1
    if the answer has one of the paper's two declining phrases, else 0.
    """
    if category == ADVERSARIAL:
        return float(any(phrase in answer.lower() for phrase in _DECLINING))
    if gold is None:
        return None
    if category == MULTI_HOP:
        given = [stems(part) for part in answer.split(",")]
        wanted = [_counted_gold(part) for part in gold.split(",")]
        return sum(max(_f1(one, part) for one in given) for part in wanted) / len(wanted)
    return _f1(stems(answer), _counted_gold(_compared(category, gold)))


def exact_match(category: int, gold: str | None, answer: str) -> bool | None:
    """Whether both have the same set of words, as in the paper; None for category 5."""
    if gold is None or category == ADVERSARIAL:
        return None
    return _word_set(_compared(category, gold)) == set(words(answer))


def abstention(category: int, question: str, trap: str | None, answer: str) -> Abstention | None:
    """What an answer did with an adversarial question; None in the other categories.

    `abstained`: it says that it cannot say, or denies the premise about the person asked about.
    `trapped`: it gives the trap (at least two thirds of its distinctive words in one clause) and
    does not decline; or it gives the trap first and then declines a further detail; or it
    declines and then offers the trap as a guess. `other`: it claims something else. An answer
    that gives the trap for the other speaker without any denial is trapped.
    """
    if category != ADVERSARIAL:
        return None
    plain = answer.replace("’", "'")
    clauses = [clause for clause in _CLAUSE.split(plain) if clause.strip()]
    declining = [declines(clause.lower()) for clause in clauses]
    given = [_gives(trap, question, clause) for clause in clauses]
    if _denies_premise(question, plain):
        first_decline = 0
    elif declines(plain.lower()):
        first_decline = declining.index(True) if any(declining) else 0
    else:
        return "trapped" if any(given) else "other"
    if any(given[:first_decline]):
        return "trapped"
    guessed = any(
        gives and not declining[at] and _GUESS.search(clauses[at].lower())
        for at, gives in enumerate(given)
    )
    return "trapped" if guessed else "abstained"


@lru_cache(maxsize=64)  # of one text several scores are asked, one after the other
def words(text: str) -> tuple[str, ...]:
    """The words in lower case, without ASCII punctuation, articles and `and`."""
    plain = text.lower().translate(_NO_PUNCTUATION)
    if plain.isascii():
        left_out = _LEFT_OUT
        return tuple([word for word in plain.split() if word not in left_out])
    # A sign such as a dash is not removed, and may touch a word to leave out.
    return tuple(_LEFT_OUT_ANYWHERE.sub(" ", plain).split())


@lru_cache(maxsize=10_000)
def _word_set(gold: str) -> frozenset[str]:
    return frozenset(words(gold))


@lru_cache(maxsize=2**16)  # whoever scores many answers soon diagnoses the same ones
def stems(text: str) -> tuple[str, ...]:
    """The stems of the words, in order."""
    return tuple(map(_stem, words(text)))


def _denies_premise(question: str, answer: str) -> bool:
    """Whether it says `Nadia isn't …`, `She never …` or `… not Nadia` when asked about Nadia."""
    if _PRONOUN_DENIAL.match(answer):
        return True
    asked = {name for name in _NAME.findall(question) if name.lower() not in _SAYS_NOTHING}
    for name in asked:
        if re.search(rf"\b{name}\s+{_DENIAL}|\b(?:not|never)\s+{name}\b", answer):
            return True
    return False


def _gives(trap: str | None, question: str, clause: str) -> bool:
    wanted = [stem for stem in dict.fromkeys(stems(trap or "")) if stem not in _SAYS_NOTHING]
    asked = set(stems(question))
    telling = [stem for stem in wanted if stem not in asked] or wanted
    if not telling:
        return False
    found = set(stems(clause))
    return sum(stem in found for stem in telling) >= _SHARE * len(telling)


def _compared(category: int, gold: str) -> str:
    return gold.partition(";")[0].strip() if category == OPEN_DOMAIN else gold


@lru_cache(maxsize=10_000)
def _counted_gold(text: str) -> Counter[str]:
    return Counter(stems(text))


def _f1(given: Sequence[str], wanted: Counter[str]) -> float:
    hits = [stem for stem in given if stem in wanted]
    common = sum(min(hits.count(stem), wanted[stem]) for stem in set(hits))
    return 2 * common / (len(given) + wanted.total()) if common else 0.0


@lru_cache(maxsize=200_000)
def _stem(word: str) -> str:
    # As in NLTK: `as` is not the plural of `a`.
    return word if len(word) <= 2 else str(_PORTER.stemWord(word))
