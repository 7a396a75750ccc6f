"""Words and numbers made comparable: from text to stems, with numbers as digits."""

import re
import unicodedata
from functools import lru_cache

import Stemmer

_STEMMER = Stemmer.Stemmer("english")
_WORD = re.compile(r"[a-z0-9]+(?:\.[0-9]+)?(?:'[a-z]+)?")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}\b)")
_ORDINAL = re.compile(r"(\d+)(?:st|nd|rd|th)")

_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
)
_NUMBERS = {word: number for number, word in enumerate(_UNITS.split())} | {
    "once": 1,
    "twice": 2,
    "couple": 2,
    "pair": 2,
    "dozen": 12,
}
_TENS = {
    word: 10 * number
    for number, word in enumerate(
        ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], 2
    )
}
_HUNDREDS = {"hundred": 100, "thousand": 1000, "million": 1_000_000}

# Synonyms: each word becomes the first of its line.
_SAME = {
    word: line.split()[0]
    for line in (
        "mother mom mum mommy",
        "father dad daddy",
        "grandmother grandma granny",
        "grandfather grandpa",
        "child children kid kids",
        "photo photograph picture pic",
        "bicycle bike",
        "television tv",
        "vegetable veggie veggies",
        "puppy pup",
        "refrigerator fridge",
    )
    for word in line.split()[1:]
}
_NAMES = (
    (re.compile(r"\bunited kingdom\b|\bu\.k\."), "uk"),
    (re.compile(r"\bunited states(?: of america)?\b|\bu\.s\.(?:a\.)?"), "usa"),
)

_STOP_WORDS = """
a about above after again all also am an and any are as at be because been before being below
between both but by can could did do does doing down during each either etc few for from further
get gets getting got had has have having he her here hers herself him himself his how i if in into
is it its itself just kind like likely made make makes making may me might more most much must my
myself no nor not of off on only or other our ours out over own possibly probably really s same she
should so some something such t than that the their theirs them themselves then there these they
thing things this those through to too under until up upon us very was we were what when where which
while who whom whose why will with would yes you your yours
"""


def normalized(text: str) -> str:
    """Lower case, without accents, with plain quotes and dashes."""
    text = unicodedata.normalize("NFKD", text)
    text = "".join(char for char in text if not unicodedata.combining(char))
    return text.lower().replace("’", "'").replace("–", "-").replace("—", " - ")


def stems(text: str) -> list[str]:
    """The stems of a text's words, in order, and numbers as digits even if written out."""
    text = _THOUSANDS.sub("", normalized(text))
    for pattern, name in _NAMES:
        text = pattern.sub(name, text)
    words = _WORD.findall(text)
    return [_stem(word) for word in _with_digits(words)]


def is_number(stem: str) -> bool:
    return stem[0].isdigit()


@lru_cache(maxsize=65_536)
def _stem(word: str) -> str:
    ordinal = _ORDINAL.fullmatch(word)
    if ordinal:
        return ordinal[1]
    word = word.removesuffix("'s")
    return str(_STEMMER.stemWord(_SAME.get(word, word)))


STOP_STEMS = frozenset(_stem(word) for word in _STOP_WORDS.split())
"""Stems of words without a meaning of their own."""


def _with_digits(words: list[str]) -> list[str]:
    """`forty two` → `42`, `three hundred` → `300`; other words unchanged."""
    out: list[str] = []
    total: int | None = None
    tens_open = False
    for word in words:
        if word in _TENS and total is None:
            total, tens_open = _TENS[word], True
            continue
        if word in _NUMBERS and tens_open and total is not None and 0 < _NUMBERS[word] < 10:
            total, tens_open = total + _NUMBERS[word], False
            continue
        if word in _HUNDREDS and total is not None and total < _HUNDREDS[word]:
            total, tens_open = total * _HUNDREDS[word], False
            continue
        if total is not None:
            out.append(str(total))
            total, tens_open = None, False
        if word in _NUMBERS:
            total = _NUMBERS[word]
        elif word in _TENS:
            total, tens_open = _TENS[word], True
        else:
            out.append(word)
    if total is not None:
        out.append(str(total))
    return out
