"""Scores of an answer beside the judge's verdict: token F1, exact match, abstention.

Here: texts in, numbers out. Which answers are scored, what was retrieved for them, and how scores
are summed up, is the history's. Source of F1 and exact match: the evaluation code of the LoCoMo
paper (see `stems`); on 1,540 published answers of a real service both give a mean F1 of 17.6 %,
and 6 answers differ, by at most 0.06, where the stemmers do.
"""

from collections import Counter
from functools import lru_cache

from locomo_assets.locomo import abstention as _abstention
from locomo_assets.locomo.categories import ADVERSARIAL
from locomo_assets.locomo.stems import stems, words

VERSION = 1
"""Raised with every change of a score: what was scored under another version is scored anew."""

MULTI_HOP, OPEN_DOMAIN = 1, 3
_DECLINING = ("no information available", "not mentioned")


def token_f1(category: int, gold: str | None, answer: str) -> float | None:
    """F1 over stemmed words, from 0 to 1; None without a gold answer in categories 1–4.

    Multi-hop: of each part of the gold answer, between commas, the best F1 of any part of the
    answer, and their mean. Open-domain: only what stands before `;` in the gold answer.
    Adversarial: 1 where the answer has one of the paper's two declining phrases, else 0.
    """
    if category == ADVERSARIAL:
        return float(any(phrase in answer.lower() for phrase in _DECLINING))
    if gold is None:
        return None
    if category == MULTI_HOP:
        given = [_counted(part) for part in answer.split(",")]
        wanted = [_counted_gold(part) for part in gold.split(",")]
        return sum(max(_f1(one, part) for one in given) for part in wanted) / len(wanted)
    return _f1(_counted(answer), _counted_gold(_compared(category, gold)))


def exact_match(category: int, gold: str | None, answer: str) -> bool | None:
    """Whether both are the same set of words, as the paper compares; None for category 5."""
    if gold is None or category == ADVERSARIAL:
        return None
    return set(words(answer)) == set(words(_compared(category, gold)))


def abstention(
    category: int, question: str, trap: str | None, answer: str
) -> _abstention.Abstention | None:
    """What an answer of category 5 did (see `abstention.abstention`); None for the others."""
    return _abstention.abstention(question, trap, answer) if category == ADVERSARIAL else None


def _compared(category: int, gold: str) -> str:
    return gold.partition(";")[0].strip() if category == OPEN_DOMAIN else gold


def _counted(text: str) -> Counter[str]:
    return Counter(stems(text))


@lru_cache(maxsize=10_000)
def _counted_gold(text: str) -> Counter[str]:
    return _counted(text)


def _f1(given: Counter[str], wanted: Counter[str]) -> float:
    common = sum(min(count, given[stem]) for stem, count in wanted.items() if stem in given)
    return 2 * common / (given.total() + wanted.total()) if common else 0.0
