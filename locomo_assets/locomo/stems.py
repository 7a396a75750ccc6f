"""Text as the LoCoMo paper compares it: normalized words and their stems.

Here: normalization alone. Source: Maharana et al., ACL 2024, and the data set's own evaluation code
(`task_eval/evaluation.py` of snap-research/locomo). Stems are Porter's, by PyStemmer; the
paper's code takes NLTK's, which treats a few words in its own way.
"""

import re
import string
from functools import lru_cache

import Stemmer

_PORTER = Stemmer.Stemmer("porter")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
_LEFT_OUT = frozenset(("a", "an", "the", "and"))
_LEFT_OUT_ANYWHERE = re.compile(r"\b(?:a|an|the|and)\b")


def words(text: str) -> list[str]:
    """In lower case, without ASCII punctuation, articles and `and`."""
    plain = text.lower().translate(_NO_PUNCTUATION)
    if plain.isascii():
        return [word for word in plain.split() if word not in _LEFT_OUT]
    # Beside a sign that is no letter and not left out, such as a dash.
    return _LEFT_OUT_ANYWHERE.sub(" ", plain).split()


def stems(text: str) -> list[str]:
    """The words' stems, in order."""
    return list(map(_stem, words(text)))


@lru_cache(maxsize=200_000)
def _stem(word: str) -> str:
    # As in NLTK, `as` is no plural of `a`.
    return word if len(word) <= 2 else str(_PORTER.stemWord(word))
