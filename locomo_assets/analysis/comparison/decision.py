"""The decision rule of a comparison. Only here."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from locomo_assets.analysis.comparison.paired import CLUSTERED, FEW_CONVERSATIONS, Paired, PValues
from locomo_assets.analysis.intervals import ALPHA


class Conclusion(StrEnum):
    """What a comparison says of B."""

    BETTER = "better"
    WORSE = "worse"
    EQUIVALENT = "equivalent"
    NOT_WORSE = "not worse by more than the margin"
    UNCHANGED = "unchanged"
    CANNOT_TELL = "cannot tell"
    INVALID = "invalid"


_STRONGEST_FIRST = (
    Conclusion.UNCHANGED,
    Conclusion.BETTER,
    Conclusion.WORSE,
    Conclusion.EQUIVALENT,
    Conclusion.NOT_WORSE,
)


@dataclass(frozen=True, slots=True)
class Decision:
    """The conclusion, the reason for it as half a sentence, and all that holds beside it.

    `claims` may have more than the conclusion: what is worse can still be not worse by more than
    the margin.
    """

    word: Conclusion
    because: str
    claims: tuple[Conclusion, ...] = ()


class Evidence(NamedTuple):
    """A comparison and its p-values; they may be adjusted for several tests."""

    paired: Paired
    p_values: PValues
    adjusted: bool = False

    @classmethod
    def alone(cls, paired: Paired) -> "Evidence":
        """Of a single comparison, which needs no adjustment."""
        return cls(paired, paired.p_values)


def decide(
    observed: Evidence,
    bounds: Sequence[Evidence] = (),
    *,
    margin: float,
    unanswered: int = 0,
    conversations_there: int | None = None,
) -> Decision:
    """The strongest of these that holds, at 5 %, for the observed verdicts and for both bounds:

    - unchanged: no question changed.
    - better, worse: the deciding test (`Paired.deciding_test`) rejects that there is no difference.
    - equivalent: both one-sided tests reject a difference as large as `margin` (a share).
    - not worse by more than the margin: the lower one of them does.

    `bounds` are the comparisons with the `unanswered` questions counted against B, and for B.
    `conversations_there` is how many the data set has, for the advice to measure them.
    """
    paired = observed.paired
    if paired.difference is None:
        return Decision(Conclusion.CANNOT_TELL, "no question was scored in both")
    seen = _claims(observed)
    claims = seen.intersection(*(_claims(one) for one in bounds))
    held = tuple(one for one in _STRONGEST_FIRST if one in claims)
    if held:
        return Decision(held[0], _reason(held[0], observed, claims, margin), held)
    because = _why_not(observed, conversations_there)
    if seen:
        because = f"{unanswered} questions went unanswered, which could turn the decision"
    return Decision(Conclusion.CANNOT_TELL, because)


def _claims(evidence: Evidence) -> frozenset[Conclusion]:
    found = evidence.p_values
    difference = evidence.paired.difference or 0.0
    sign = Conclusion.BETTER if difference > 0 else Conclusion.WORSE
    claims = {
        Conclusion.UNCHANGED: evidence.paired.is_unchanged,
        sign: found.differs is not None and found.differs < ALPHA,
        Conclusion.EQUIVALENT: found.equivalent is not None and found.equivalent < ALPHA,
        Conclusion.NOT_WORSE: found.not_worse is not None and found.not_worse < ALPHA,
    }
    # Better says more than not worse, however small the margin is.
    claims[Conclusion.NOT_WORSE] |= claims.get(Conclusion.BETTER, False)
    return frozenset(word for word, holds in claims.items() if holds)


def _reason(
    word: Conclusion, evidence: Evidence, claims: frozenset[Conclusion], margin: float
) -> str:
    difference = evidence.paired.difference or 0.0
    signed = f"{difference * 100:+.2f} points"
    if word is Conclusion.UNCHANGED:
        return f"no question of {evidence.paired.questions} changed"
    if word is Conclusion.EQUIVALENT:
        p = p_text(evidence.p_values.equivalent)
        return f"the difference of {signed} is within {margin * 100:g} (both one-sided tests, {p})"
    if word is Conclusion.NOT_WORSE:
        p = p_text(evidence.p_values.not_worse)
        return f"a drop of {in_points(margin)} or more is ruled out ({p}); observed: {signed}"
    text = f"the difference of {signed} is more than chance explains ({_test(evidence)})"
    small = Conclusion.EQUIVALENT if word is Conclusion.BETTER else Conclusion.NOT_WORSE
    return f"{text}; it is less than {in_points(margin)}" if small in claims else text


def _why_not(evidence: Evidence, conversations_there: int | None) -> str:
    paired = evidence.paired
    count = paired.conversations
    if count < FEW_CONVERSATIONS:
        advice = "they don't show how conversations differ"
        if conversations_there and conversations_there > count:
            advice = f"measure all {conversations_there}"
        found = (
            "there is only 1 conversation"
            if count == 1
            else f"there are only {count} conversations"
        )
        return f"{found}: {advice}"
    if evidence.p_values.differs is None:
        return paired.why_none or "no test can be made"
    text = f"chance may explain the difference of {(paired.difference or 0.0) * 100:+.2f} points"
    least = paired.minimal_detectable_difference
    if least is None:
        return f"{text} ({_test(evidence)})"
    return f"{text} ({_test(evidence)}; one below {least * 100:.2f} points would often go unseen)"


def _test(evidence: Evidence) -> str:
    name = evidence.paired.deciding_test
    shown = "" if name == CLUSTERED else f"{name}, "
    return f"{shown}{'Holm ' if evidence.adjusted else ''}{p_text(evidence.p_values.differs)}"


def in_points(share: float) -> str:
    """A difference without its sign: `1 point`, `2.5 points`."""
    return f"{share * 100:g} point{'' if share == 0.01 else 's'}"


def p_text(p: float | None) -> str:
    """A p-value as people write it; it is never shown as 0."""
    if p is None:
        return "no p-value"
    if p < 1e-16:
        return "p < 1e-16"
    return f"p = {p:.1e}" if p < 0.001 else f"p = {p:.3f}"
