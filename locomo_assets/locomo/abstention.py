"""Whether an answer declines, and what became of an adversarial question.

Here: rules over phrases, no model. Category 5 asks about what never happened (mostly what the other
speaker did); its trap is the answer that the false premise suggests. Right is to decline.

Measured on the stand-in, which quotes and never declines: of its 446 answers 5 are taken for
declining, because the speakers it quotes say themselves that they do not have or know something.
"""

import re
from typing import Literal

from locomo_assets.locomo.stems import stems

Abstention = Literal["abstained", "trapped", "other"]

_DECLINES = re.compile(
    r"""(?: n't \b | \b(?: not | no | never | without | nothing) \b ) \s+
    (?: (?: been | be | explicitly | specifically | directly | clearly | currently | yet | any | a
        | an | the | have | has | specific | direct | explicit | exact | further | enough | more
        | particular | detailed | such | in ) \s+ )*
    (?: mention | specif | state | provid | contain | includ | detail | avail | known\b | know\b
      | record | clear\b | inform | memor | indicat | evidence | disclos | reveal | given\b | name
      | confirm | sure\b | answer )
    | \b no \s+ (?: \w+ \s+ ){1,3} (?: is | are | was | were | has\ been ) \s+
      (?: mentioned | specified | stated | provided | given | recorded | known )
    | \b(?: unable\ to | cannot\ (?: determine | answer | find | say | know ) | can't\ (?: determine
      | answer | find | say | tell ) | unknown | unclear | undisclosed | limited\ information
      | (?: don't | doesn't | do\ not | does\ not )\ have )\b""",
    re.VERBOSE,
)
_CLAUSE = re.compile(r"(?<=[.!?;:])\s+|\n+|,?\s+(?=(?:but|however|though|although)\b)", re.I)
_GUESS = re.compile(
    r"\b(?:likely|probably|perhaps|maybe|possibly|might|may be|could be|presumably|i think|"
    r"i believe|i guess|my guess|it seems|apparently)\b"
)
_NAME = re.compile(r"\b[A-Z][a-z]+\b")
_DENIAL = r"(?:(?:\w+\s+)?(?:not|never)\b|\w+n't\b)"
_STOP_WORDS = """
a an and are at be did do does for from had has have he her his how if in is it its of on or she
that the their they this to was were what when where which who whom whose why will with would
"""
_SAYS_NOTHING = frozenset(_STOP_WORDS.split())
_SHARE = 2 / 3


def declines(text: str) -> bool:
    """Whether a text in lower case with plain apostrophes says that it cannot say."""
    return _DECLINES.search(text) is not None


def abstention(question: str, trap: str | None, answer: str) -> Abstention:
    """What an answer to an adversarial question did.

    `abstained`: it says that it cannot say, or denies the premise of the person asked about.
    `trapped`: it gives the trap (at least two thirds of its telling words in one clause) and does
    not decline, or declines and then ventures the trap as a guess. `other`: it claims something
    else. An answer that gives the trap for the other speaker without a word of denial is trapped.
    """
    plain = answer.replace("’", "'")
    clauses = [clause for clause in _CLAUSE.split(plain) if clause.strip()]
    declined = declines(plain.lower()) or _denies_premise(question, plain)
    given = [clause for clause in clauses if _gives(trap, question, clause)]
    if declined:
        guessed = any(_GUESS.search(c.lower()) and not declines(c.lower()) for c in given)
        return "trapped" if guessed else "abstained"
    return "trapped" if given else "other"


def _denies_premise(question: str, answer: str) -> bool:
    """`Nadia isn't …`, `… and not Nadia`, where the question asks about Nadia."""
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
