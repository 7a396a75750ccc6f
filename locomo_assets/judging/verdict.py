"""What a verdict can be, and how a judge's reply is read.

Here: the strict parser. A reply that is not exactly what was asked for is never taken for a
verdict: it is unscored, and says why.
"""

import json
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What became of a question.

    UNSCORED: the judge failed. UNANSWERED: the system under test failed; no judge gives it.
    """

    CORRECT = "correct"
    WRONG = "wrong"
    UNSCORED = "unscored"
    UNANSWERED = "unanswered"


@dataclass(frozen=True, slots=True)
class Reply:
    """A judge's reply, read. `reason` says why it is unscored, and is None where it is scored."""

    verdict: Verdict
    reasoning: str | None
    reason: str | None


_LABELS = {"CORRECT": Verdict.CORRECT, "WRONG": Verdict.WRONG}


def parse_reply(text: str) -> Reply:
    """Read `{"reasoning": …, "label": "CORRECT" | "WRONG"}`; other keys are ignored.

    Anything else, a label given twice included, is unscored. Never raises.
    """
    try:
        content = json.loads(text, object_pairs_hook=_without_repeats)
    except _RepeatedLabelError:
        return _unscored("the reply gives its label more than once")
    except (ValueError, RecursionError):
        return _unscored("the reply is not JSON")
    if not isinstance(content, dict):
        return _unscored("the reply is not a JSON object")
    reasoning = content.get("reasoning")
    if not isinstance(reasoning, str):
        reasoning = None
    label = content.get("label")
    if not isinstance(label, str) or label not in _LABELS:
        return _unscored("the reply's label is neither CORRECT nor WRONG", reasoning)
    return Reply(_LABELS[label], _storable(reasoning), None)


class _RepeatedLabelError(Exception):
    pass


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if sum(key == "label" for key, _ in pairs) > 1:
        raise _RepeatedLabelError
    return dict(pairs)


def _unscored(reason: str, reasoning: str | None = None) -> Reply:
    return Reply(Verdict.UNSCORED, _storable(reasoning), reason)


def _storable(text: str | None) -> str | None:
    """JSON's escapes can spell half a character, which no file can hold."""
    return None if text is None else text.encode(errors="replace").decode()
