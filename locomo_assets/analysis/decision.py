"""The decision rule of a comparison: better, worse or cannot tell. Only here."""

from dataclasses import dataclass
from enum import StrEnum

from locomo_assets.analysis.intervals import ALPHA
from locomo_assets.analysis.noise import exceeds
from locomo_assets.analysis.paired import MCNEMAR, Paired


class Conclusion(StrEnum):
    """What a comparison says of B."""

    BETTER = "better"
    WORSE = "worse"
    EQUIVALENT = "equivalent"
    NOT_WORSE = "not worse by more than the margin"
    UNCHANGED = "unchanged"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True, slots=True)
class Decision:
    """The conclusion and the reason for it, as half a sentence."""

    word: Conclusion
    because: str


def decide(paired: Paired, floor: float | None, *, p_adjusted: float | None = None) -> Decision:
    """B is better (or worse) than A where both hold:

    1. The deciding test (`Paired.deciding_test`: clustered by conversation) has p < 0.05. Where
       there are several tests, `p_adjusted` is the p-value adjusted by Holm. For a single test
       this means that zero lies outside the clustered 95 % interval.
    2. The difference is above `floor`, the noise floor of repeats, where repeats were measured.

    Everything else is "cannot tell", which never means "the same". Where no repeat was measured,
    the first condition decides alone, and the reason says so.
    """
    difference, p = paired.difference, paired.deciding_p
    if difference is None:
        return Decision(Conclusion.CANNOT_TELL, "no question was scored in both")
    if p is None:
        return Decision(Conclusion.CANNOT_TELL, paired.why_none or "no test can be made")
    if p_adjusted is not None:
        p = p_adjusted
    if p >= ALPHA:
        return Decision(
            Conclusion.CANNOT_TELL, _within_chance(paired, p, adjusted=p_adjusted is not None)
        )
    if exceeds(difference, floor) is False:
        return Decision(
            Conclusion.CANNOT_TELL,
            f"the difference of {_points(difference)} is not above the noise floor, "
            f"{_points(floor)}: repeats of one release differ as much",
        )
    return Decision(
        Conclusion.BETTER if difference > 0 else Conclusion.WORSE,
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
        if paired.deciding_test == MCNEMAR
        else ""
    )


def _above(floor: float | None) -> str:
    if floor is None:
        return "; no release was measured twice, so the noise of repeats is not known"
    return f" and above the noise floor, {_points(floor)}"


def _points(value: float | None) -> str:
    return f"{abs(value or 0.0) * 100:.2f} points"
