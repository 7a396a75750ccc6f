"""A comparison in words: better, worse, cannot tell. The one place that holds the rule.

B is called better (or worse) than A where both hold:

1. the deciding test (`paired.Paired.deciding_test`: clustered by conversation) has p < 0.05,
   adjusted by Holm where there are several; for a single one that is: zero lies outside the
   clustered 95 % interval;
2. the difference is above the noise floor of repeats (`noise`), where repeats were measured.

Everything else is "cannot tell", which never means "the same". Where no repeat was measured, the
first alone decides and the sentence says so.
"""

from dataclasses import dataclass
from enum import StrEnum

from locomo_assets.analysis.intervals import ALPHA
from locomo_assets.analysis.noise import exceeds
from locomo_assets.analysis.paired import MCNEMAR, Paired


class Word(StrEnum):
    """What a comparison says of B."""

    BETTER = "better"
    WORSE = "worse"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True, slots=True)
class Decision:
    """The word and the reason for it, as half a sentence."""

    word: Word
    because: str


def verdict(paired: Paired, floor: float | None, *, p_adjusted: float | None = None) -> Decision:
    """The rule above. `p_adjusted` takes the place of the deciding p-value where it is given."""
    difference, p = paired.difference, paired.deciding_p
    if difference is None:
        return Decision(Word.CANNOT_TELL, "no question was scored in both")
    if p is None:
        return Decision(Word.CANNOT_TELL, paired.why_none or "no test can be made")
    if p_adjusted is not None:
        p = p_adjusted
    if p >= ALPHA:
        return Decision(
            Word.CANNOT_TELL, _within_chance(paired, p, adjusted=p_adjusted is not None)
        )
    if exceeds(difference, floor) is False:
        return Decision(
            Word.CANNOT_TELL,
            f"the difference of {_points(difference)} is not above the noise floor, "
            f"{_points(floor)}: repeats of one release differ as much",
        )
    return Decision(
        Word.BETTER if difference > 0 else Word.WORSE,
        f"the difference of {difference * 100:+.2f} points is more than chance explains "
        f"({_test(paired)}p = {p:.3g})" + _above(floor),
    )


def _within_chance(paired: Paired, p: float, *, adjusted: bool) -> str:
    name = "Holm p" if adjusted else "p"
    text = f"chance may explain the difference ({_test(paired)}{name} = {p:.2f}"
    least = paired.minimal_detectable_difference
    if least is None:
        return text + ")"
    if least > 1:
        return text + "; so few conversations could show no difference at all)"
    return text + f"; one below {_points(least)} would often go unseen)"


def _test(paired: Paired) -> str:
    return (
        "exact McNemar, as all conversations changed alike, "
        if (paired.deciding_test == MCNEMAR)
        else ""
    )


def _above(floor: float | None) -> str:
    if floor is None:
        return "; no release was measured twice, so the noise of repeats is not known"
    return f" and above the noise floor, {_points(floor)}"


def _points(value: float | None) -> str:
    return f"{abs(value or 0.0) * 100:.2f} points"
