"""When a comparison stops a release: the thresholds of `--fail-on`, and the exit code of each.

The gate goes by the decision over all scored categories, as its first line says it. What that is
belongs to `decision`.
"""

from locomo_assets.analysis.comparison import Comparison
from locomo_assets.analysis.comparison.decision import Conclusion
from locomo_assets.analysis.fail_on import FailOn
from locomo_assets.errors import LocomoError


class WorseError(LocomoError):
    """The gate fails: the release is worse."""

    exit_code = 4
    prefix = "gate"


class CannotTellError(LocomoError):
    """The gate fails: it can't be told whether the release is worse."""

    exit_code = 5
    prefix = "gate"


class NotEquivalentError(LocomoError):
    """The gate fails: a difference as large as the margin is not ruled out."""

    exit_code = 6
    prefix = "gate"


_SAME = frozenset({Conclusion.EQUIVALENT, Conclusion.UNCHANGED})


def fails(
    word: Conclusion, claims: tuple[Conclusion, ...], fail_on: FailOn | None
) -> type[LocomoError] | None:
    """Which error a decision is by this threshold; None where it passes.

    What is not valid fails every gate. Its callers say so before, with an error of its own.
    """
    if fail_on is None:
        return None
    if word is Conclusion.WORSE:
        return WorseError
    if fail_on is FailOn.worse:
        return CannotTellError if word is Conclusion.INVALID else None
    if word in (Conclusion.CANNOT_TELL, Conclusion.INVALID):
        return CannotTellError
    if fail_on is FailOn.not_equivalent and not _SAME.intersection((word, *claims)):
        return NotEquivalentError
    return None


def check_gate(found: Comparison, fail_on: FailOn | None) -> None:
    """Raises WorseError, CannotTellError or NotEquivalentError where the gate fails."""
    decision = found.overall.verdict
    check_decision(found.a.release, found.b.release, decision.word, decision.claims, fail_on)


def check_decision(
    a: str,
    b: str,
    word: Conclusion,
    claims: tuple[Conclusion, ...],
    fail_on: FailOn | None,
) -> None:
    """As `check_gate`, of the decision alone."""
    error = fails(word, claims, fail_on)
    if error is None:
        return
    hint = (
        f"`locomo-assets plan --against {a}` says what to add to tell"
        if error is CannotTellError
        else f"`locomo-assets compare {a} {b} --flips 20` shows questions that changed"
    )
    raise error(f"release {b} against {a}: {word}, and --fail-on is {fail_on}; {hint}")
