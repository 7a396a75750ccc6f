"""Which answer of a category-5 question is the trap, and which is right.

Right is to decline, or to deny the question's premise. The official file has the trap under
`adversarial_answer`, beside two questions' right answer `No` under `answer`. Copies have the trap
under `answer`.
"""

import hashlib
import re

from locomo_assets.locomo.declines import declines

_DENIES = re.compile(
    r"\W*(?:no\s*(?:$|[^\w\s])|(?:no\s+one|none|nobody|nothing|never|neither)\b)", re.IGNORECASE
)
_UNANSWERABLE = re.compile(
    r"\bunanswerable\b|\bnot answerable\b|\bno answer\b|\bcannot be \w+|^\W*n/a\W*$"
)

# By the start of SHA-256 of their text: LoCoMo's own questions whose trap, or right answer, is No.
_KNOWN_TRAPS = {"1a73da36": "Yes", "a1bd0527": "Yes", "1c38fe83": "No"}


class UnknownTrapError(ValueError):
    """It can't be told which answer is the trap; the message says why, and the way out."""


def right_and_trap(
    question: str, answer: str | None, adversarial_answer: str | None
) -> tuple[str | None, str | None]:
    """The right answer and the trap, by the two keys of a category-5 question.

    The right answer is None where it is to decline, the trap where the file has none. Raises
    UnknownTrapError.
    """
    if answer is None:
        if adversarial_answer is None:
            raise UnknownTrapError(
                "has neither 'adversarial_answer' nor 'answer', so nobody knows its trap; write "
                "the trap under 'adversarial_answer'"
            )
        return None, adversarial_answer
    if _declines(answer):
        return None, adversarial_answer
    if adversarial_answer is None:
        return _of_lone_answer(question, answer)
    if _plain(answer) == _plain(adversarial_answer):
        return None, adversarial_answer
    if not _declines(adversarial_answer):
        return answer, adversarial_answer
    if _DENIES.match(answer):
        raise UnknownTrapError(
            f"either {answer!r:.80} or {adversarial_answer!r:.80} may be its trap; write the trap "
            "under 'adversarial_answer', and under 'answer' what is right, or nothing"
        )
    return None, answer


def _of_lone_answer(question: str, answer: str) -> tuple[str | None, str | None]:
    if not _DENIES.match(answer):
        return None, answer
    trap = _KNOWN_TRAPS.get(hashlib.sha256(question.encode()).hexdigest()[:8])
    if trap is None:
        raise UnknownTrapError(
            f"its 'answer' {answer!r:.80} may be the trap, or right because it denies what the "
            "question claims; write the trap under 'adversarial_answer', and under 'answer' what "
            "is right, or nothing"
        )
    return (None, answer) if answer.casefold().startswith(trap.casefold()) else (answer, trap)


def _plain(answer: str) -> str:
    """Without differences of case, marks and white space."""
    return " ".join(re.findall(r"\w+", answer.casefold())) or answer


def _declines(answer: str) -> bool:
    plain = answer.lower().replace("’", "'")
    return declines(plain) or _UNANSWERABLE.search(plain) is not None
