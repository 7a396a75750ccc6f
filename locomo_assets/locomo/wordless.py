"""Replies without words: answers that say nothing, and are wrong without asking a judge.

A reply that failed to come is no answer at all, and does not belong here.
"""

import html
import re
import unicodedata

NO_WORDS = "The reply has no words."
"""The reasoning of a verdict on such a reply, in place of a judge's."""

# Only what can be nothing else: `<unknown>`, `<i don't know>` are answers.
_TAG = re.compile(
    r"</?(?:a|answer|b|blockquote|br|code|div|em|final|h[1-6]|hr|i|li|ol|p|pre|response|s|span"
    r"|strong|sub|sup|table|tbody|td|th|think|thinking|tr|u|ul)"
    r"""(?:\s+[\w:-]+=(?:"[^"]*"|'[^']*'|[^\s"'<>]+))*\s*/?>""",
    re.IGNORECASE,
)
# Unicode has these as letters or pictures, and they show as blanks or as a broken character.
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0\ufffc\ufffd")
# Lines, blocks and shapes, with which a text is ruled.
_RULES = range(0x2500, 0x2600)


def has_words(text: str) -> bool:
    """Whether a reply says anything: holds a letter, a digit or a picture such as 👍.

    White space, punctuation and tags alone say nothing. In doubt it does: a judge then decides.
    """
    return any(map(_says_something, _TAG.sub(" ", html.unescape(text))))


def _says_something(character: str) -> bool:
    if character.isalnum():
        return character not in _BLANK
    is_picture = unicodedata.category(character) == "So"
    return is_picture and character not in _BLANK and ord(character) not in _RULES
